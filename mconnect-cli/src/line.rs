//! Line mode: input goes out by the line, as the phase of the session asks for, while what the server says is shown.
//!
//! One thread serves both: it waits for the server alone while a reply is due that has to come first, and otherwise for
//! whichever of the two has something.

mod close;
mod listen;
mod unheard;
mod unsent;

use std::io;
use std::ops::ControlFlow::{self, Break, Continue};
use std::time::Duration;

use mconnect_core::protocol::{CrlfEncoder, LineInput, Phase, Tracker};
use mconnect_core::{Session, Timeouts};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::input::{Block, Input};
use crate::judge::End;
use crate::screen::{self, Screen};
use crate::secure::Secure;
use crate::terminal::Terminal;
use crate::verdict::{Verdict, say};
use unsent::Unsent;

/// When the next line may go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// When it was typed.
    Typed,
    /// When the reply to the one before is here.
    InStep,
    /// At once.
    Blind,
}

/// What a session is given beside its server.
pub struct Setting<'a> {
    pub input: Input,
    pub screen: Screen,
    /// Where lines are typed.
    pub terminal: Option<&'a Terminal>,
    pub timeouts: Timeouts,
    pub pace: Pace,
    /// The first negative reply ends the session.
    pub ends_at_refusal: bool,
    pub secure: &'a Secure,
    pub verdict: &'a Verdict,
}

/// Hands a session over, until its end.
pub fn run(session: Session, setting: Setting<'_>) {
    let Setting { input, screen, terminal, timeouts, pace, ends_at_refusal, secure, verdict } = setting;
    let mut talk = Talk {
        session,
        screen,
        terminal,
        is_hidden: false,
        timeouts,
        pace,
        ends_at_refusal,
        secure,
        verdict,
        input,
        is_input_over: false,
        lines: LineInput::default(),
        guess: (pace == Pace::Blind).then(Tracker::new),
        out: Vec::new(),
        skipped: None,
        is_data_refused: false,
        is_refused: false,
        unsent: Unsent::default(),
        unfinished: None,
        shown: Vec::new(),
        end: None,
    };
    // Each part breaks off when the session ends in it.
    let _ = talk.converse();
    talk.take_leave();
    talk.finish();
}

struct Talk<'a> {
    session: Session,
    screen: Screen,
    terminal: Option<&'a Terminal>,
    /// What is typed is not shown.
    is_hidden: bool,
    timeouts: Timeouts,
    pace: Pace,
    ends_at_refusal: bool,
    secure: &'a Secure,
    verdict: &'a Verdict,
    input: Input,
    is_input_over: bool,
    lines: LineInput,
    /// Where the session would stand if the server granted everything, which is what is sent blindly goes by.
    guess: Option<Tracker>,
    /// What is to be sent next.
    out: Vec<u8>,
    /// How many octets of a body were passed over, while that is under way: its DATA was refused.
    skipped: Option<u64>,
    /// DATA was refused, and what follows it in the script is to be passed over.
    is_data_refused: bool,
    /// A negative reply came that ends the session.
    is_refused: bool,
    unsent: Unsent,
    /// The phase in which the input ended.
    unfinished: Option<Phase>,
    /// What is to be shown next.
    shown: Vec<u8>,
    /// How the session ended, once it has.
    end: Option<End>,
}

impl Talk<'_> {
    fn converse(&mut self) -> ControlFlow<()> {
        if self.pace == Pace::InStep {
            self.wait_for_replies()?;
        }
        while !self.is_input_over {
            self.wait_for_either()?;
            self.input.expect(self.phase());
            match self.input.take() {
                Ok(block) if block.is_empty() => self.is_input_over = true,
                Ok(mut block) => {
                    let flow = self.feed(&mut block);
                    self.input.reuse(block);
                    flow?;
                }
                Err(error) => {
                    self.verdict.input_failed(&error);
                    self.is_input_over = true;
                }
            }
        }
        self.end_input()
    }

    /// Shows what the server says until there is input.
    fn wait_for_either(&mut self) -> ControlFlow<()> {
        loop {
            self.show_what_came()?;
            if self.has_ended_by_word() {
                return Break(());
            }
            if self.input.is_ready() {
                return Continue(());
            }
            if screen::has_lost_reader() {
                return self.go_on_unheard();
            }
            let (server, stdout) = (self.session.as_fd().map(|fd| PollFd::new(fd, PollFlags::POLLIN)), io::stdout());
            let mut fds = vec![PollFd::new(self.input.as_fd(), PollFlags::POLLIN), screen::reader(&stdout)];
            fds.extend(server);
            // Only a person at a terminal waits as long as it takes for a reply.
            let is_due = self.pace != Pace::Typed && self.session.outstanding() > 0;
            let patience = if is_due { self.session.patience() } else { Duration::MAX };
            let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::NONE);
            let polled = poll(&mut fds, timeout);
            let (is_input, is_said) = (is_ready(&fds[0]), fds.get(2).is_some_and(is_ready));
            if screen::is_without_reader(&fds[1]) {
                continue;
            }
            match (polled, is_input, is_said) {
                (Err(Errno::EINTR), ..) => {}
                (Ok(0), ..) => return self.give_up_waiting(patience),
                (Ok(_), false, true) => self.receive(patience)?,
                (Ok(_), true, true) => {
                    self.receive(patience)?;
                    return self.show_what_came();
                }
                // Without poll, the input comes first.
                (Ok(_) | Err(_), ..) => return Continue(()),
            }
        }
    }

    /// Sends a block of input, as far as the session lets it.
    fn feed(&mut self, block: &mut Block) -> ControlFlow<()> {
        let (block, ready) = block.parts();
        if self.pace == Pace::Typed && block.len() == LONGEST_TYPED && block.ends_with(b"\n") {
            say("mconnect: this terminal cuts a line at 4095 octets, and may have cut that one");
        }
        // Typed lines have their CR LF before they are counted as octets of a chunk.
        let mut typed = Vec::new();
        if self.pace == Pace::Typed {
            CrlfEncoder::default().encode(block, &mut typed);
        }
        let mut rest = if self.pace == Pace::Typed { typed.as_slice() } else { block };
        while !rest.is_empty() {
            if self.has_ended_by_word() {
                self.unsent.count(&self.out);
                self.unsent.count(rest);
                return Break(());
            }
            let phase = self.phase();
            let start = self.out.len();
            let taken = ready.take(&mut self.lines, phase, rest, &mut self.out);
            rest = &rest[taken.count..];
            if let Some(guess) = &mut self.guess {
                guess.sent(&self.out[start..]);
            }
            if let Some(skipped) = &mut self.skipped {
                *skipped += taken.count as u64;
                self.out.clear();
                if taken.is_complete {
                    self.tell_skipped();
                }
                continue;
            }
            let line = &self.out[start..];
            let ends_group = taken.is_complete && self.ends_group(phase, line);
            // Commands wait until they are whole, so that they go out in one write; blindly, all that there is does.
            let is_due = match self.pace {
                Pace::Blind => ends_group || rest.is_empty() || self.out.len() >= LONGEST_BLIND,
                Pace::Typed | Pace::InStep => taken.is_complete || matches!(phase, Phase::Body | Phase::Chunk { .. }),
            };
            if is_due || self.out.len() >= LONGEST_WRITE {
                let flow = self.send(ends_group || (taken.is_complete && self.pace == Pace::InStep));
                if flow.is_break() {
                    self.unsent.count(rest);
                    return flow;
                }
            }
        }
        Continue(())
    }

    /// Says what the next byte of the input is.
    fn phase(&self) -> Phase {
        match &self.guess {
            _ if self.skipped.is_some() => Phase::Body,
            Some(guess) => guess.phase(),
            None => self.session.phase(),
        }
    }

    /// Says whether the reply to a line is waited for in any case: what follows QUIT is not sent, and what follows
    /// STARTTLS goes out inside TLS.
    fn ends_group(&self, phase: Phase, line: &[u8]) -> bool {
        is_command(phase, line, b"QUIT") || (self.secure.upgrades() && is_command(phase, line, b"STARTTLS"))
    }

    /// Sends what was made ready, and waits for the replies if that has to be.
    fn send(&mut self, must_wait: bool) -> ControlFlow<()> {
        if let Err(error) = self.session.send(&self.out) {
            self.unsent.count(&self.out);
            return self.writing_failed(error);
        }
        self.out.clear();
        if !must_wait {
            return self.listen();
        }
        self.wait_for_replies()?;
        self.skipped = std::mem::take(&mut self.is_data_refused).then_some(0);
        Continue(())
    }
}

fn is_command(phase: Phase, line: &[u8], verb: &[u8]) -> bool {
    let first = line.split(u8::is_ascii_whitespace).find(|word| !word.is_empty()).unwrap_or_default();
    !matches!(phase, Phase::Body | Phase::Chunk { .. } | Phase::Auth) && first.eq_ignore_ascii_case(verb)
}

fn is_ready(fd: &PollFd<'_>) -> bool {
    fd.any().unwrap_or(true)
}

/// The longest line that a terminal gives, its LF included.
const LONGEST_TYPED: usize = 4096;
/// A line longer than this goes out in parts.
const LONGEST_WRITE: usize = 256 * 1024;
/// Blindly, the replies are looked for after this many octets: a server may stop reading until its replies are read.
const LONGEST_BLIND: usize = 16 * 1024;
