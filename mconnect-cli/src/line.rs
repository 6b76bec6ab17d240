//! Line mode: input goes out by the line, as the phase of the session asks for, while what the server says is shown.
//!
//! One thread serves both: it waits for the server alone while a reply is due that has to come first, and otherwise for
//! whichever of the two has something.

mod unsent;

use std::io;
use std::ops::ControlFlow::{self, Break, Continue};
use std::time::{Duration, Instant};

use mconnect_core::protocol::{CrlfEncoder, LineInput, Phase, Request, Tracker};
use mconnect_core::{Action, Error, Pair, Scene, Session, Timeouts};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::failure;
use crate::input::Input;
use crate::judge::{self, End};
use crate::screen::Screen;
use crate::secure::Secure;
use crate::terminal;
use crate::verdict::{Verdict, say, status};
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

/// Hands a session over, until its end.
pub fn run(session: Session, screen: Screen, timeouts: Timeouts, pace: Pace, secure: &Secure, verdict: &Verdict) {
    let mut talk = Talk {
        session,
        screen,
        timeouts,
        pace,
        secure,
        verdict,
        input: Input::new(),
        is_input_over: false,
        lines: LineInput::default(),
        guess: (pace == Pace::Blind).then(Tracker::new),
        out: Vec::new(),
        skipped: None,
        refused_data: None,
        unsent: Unsent::default(),
        unfinished: None,
        shown: Vec::new(),
        end: None,
    };
    // Each part breaks off when the session ends in it.
    let _ = talk.converse();
    talk.finish();
}

struct Talk<'a> {
    session: Session,
    screen: Screen,
    timeouts: Timeouts,
    pace: Pace,
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
    refused_data: Option<()>,
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
            match self.input.take() {
                Ok(block) if block.is_empty() => self.is_input_over = true,
                Ok(block) => {
                    let flow = self.feed(&block);
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
            let server = self.session.as_fd().map(|fd| PollFd::new(fd, PollFlags::POLLIN));
            let mut fds = vec![PollFd::new(self.input.as_fd(), PollFlags::POLLIN)];
            fds.extend(server);
            // Only a person at a terminal waits as long as it takes for a reply.
            let is_due = self.pace != Pace::Typed && self.session.outstanding() > 0;
            let patience = if is_due { self.session.patience() } else { Duration::MAX };
            let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::NONE);
            let polled = poll(&mut fds, timeout);
            let (is_input, is_said) = (is_ready(&fds[0]), fds.get(1).is_some_and(is_ready));
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

    /// Shows what the server has said, if it has, and does not wait.
    fn listen(&mut self) -> ControlFlow<()> {
        let mut server = self.session.as_fd().map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        let count = poll(server.as_mut_slice(), PollTimeout::ZERO);
        if count.is_ok_and(|count| count > 0) {
            self.receive(self.timeouts.command)?;
        }
        self.show_what_came()
    }

    /// Sends a block of input, as far as the session lets it.
    fn feed(&mut self, block: &[u8]) -> ControlFlow<()> {
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
            let taken = self.lines.take(phase, rest, &mut self.out);
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
        self.skipped = self.refused_data.take().map(|()| 0);
        Continue(())
    }

    /// A failed write is only the symptom: what the server still says tells why. One that takes nothing is another thing.
    fn writing_failed(&mut self, error: Error) -> ControlFlow<()> {
        if error.is_timeout() {
            self.show_what_came()?;
            self.give_up(&error)
        } else {
            while self.end.is_none() {
                self.show_what_came()?;
                self.receive(self.timeouts.closing)?;
            }
            Break(())
        }
    }

    /// Shows what the server says until no reply is due.
    fn wait_for_replies(&mut self) -> ControlFlow<()> {
        loop {
            self.show_what_came()?;
            let due = self.session.standing();
            if due.outstanding == 0 {
                return Continue(());
            }
            let is_optional = due.outstanding == 1 && due.awaited == Some(Request::EmptyLine);
            let patience = self.session.patience();
            let patience = if is_optional { patience.min(EMPTY_LINE_PATIENCE) } else { patience };
            let deadline = Instant::now() + patience;
            while self.session.standing().outstanding == due.outstanding {
                let left = deadline.saturating_duration_since(Instant::now());
                match self.session.receive(left) {
                    Ok(()) => self.show_what_came()?,
                    Err(_) if is_optional => self.session.forgo_empty_line(),
                    Err(Error::Timeout { .. }) => return self.give_up_waiting(patience),
                    Err(error) => return self.give_up(&error),
                }
                // What was here at the deadline is shown, but the rest of it is not waited for.
                if left.is_zero() && self.session.standing().outstanding == due.outstanding {
                    return self.give_up_waiting(patience);
                }
            }
        }
    }

    /// Gives up a reply that did not come in time.
    fn give_up_waiting(&mut self, after: Duration) -> ControlFlow<()> {
        match self.session.receive(Duration::ZERO) {
            Err(Error::Timeout { scene, partial, .. }) => self.give_up(&Error::Timeout { scene, after, partial }),
            Err(error) => self.give_up(&error),
            Ok(()) => {
                self.show_what_came()?;
                let scene = Scene {
                    action: Action::ReadReply,
                    peer: self.session.peer().clone(),
                    phase: self.session.phase(),
                    has_sent: true,
                };
                self.give_up(&Error::Timeout { scene, after, partial: Vec::new() })
            }
        }
    }

    /// Receives once.
    fn receive(&mut self, patience: Duration) -> ControlFlow<()> {
        match self.session.receive(patience) {
            Ok(()) => Continue(()),
            Err(error) => self.give_up(&error),
        }
    }

    fn give_up(&mut self, error: &Error) -> ControlFlow<()> {
        self.show_unfinished();
        self.verdict.complain(failure::status(error), &failure::describe(error));
        self.end = Some(End::Given);
        Break(())
    }

    /// After the end of the input, a server that neither says anything nor closes.
    fn give_up_silence(&mut self, after: Duration) -> ControlFlow<()> {
        self.show_unfinished();
        self.verdict.complain(status::TEMPORARY, &failure::silence(self.session.peer(), after));
        self.end = Some(End::Given);
        Break(())
    }

    /// Shows the lines that are there; breaks at the end of the session.
    fn show_what_came(&mut self) -> ControlFlow<()> {
        while self.end.is_none() && self.session.is_ready() {
            match self.session.read_line() {
                Ok(Some(line)) => {
                    self.shown.extend_from_slice(line.raw());
                    let ends_reply = line.ends_reply();
                    if ends_reply {
                        self.judge_reply();
                        self.start_tls_if_due();
                    }
                    if self.shown.len() >= LARGEST_SHOW {
                        self.show();
                    }
                }
                Ok(None) => self.end = Some(End::Closed),
                Err(error) => self.end = Some(End::Broken(error)),
            }
        }
        self.show();
        if self.end.is_some() { Break(()) } else { Continue(()) }
    }

    /// After the 220 to STARTTLS. Without TLS then, the session is over: nothing more is sent in the clear.
    fn start_tls_if_due(&mut self) {
        if self.session.phase() != Phase::StartTls || !self.secure.upgrades() {
            return;
        }
        self.show();
        let nowhere = Session::from_stream(Pair::new(io::empty(), io::sink()), "nowhere");
        let session = std::mem::replace(&mut self.session, nowhere);
        match self.secure.upgrade(session, self.pace == Pace::Typed, self.verdict) {
            Some(session) => self.session = session,
            None => self.end = Some(End::Given),
        }
    }

    fn show(&mut self) {
        if let Err(error) = self.screen.show(&self.shown) {
            self.verdict.output_failed(&error);
        }
        self.shown.clear();
    }

    /// Shows what came of a line that is not waited for any longer.
    fn show_unfinished(&mut self) {
        self.shown.extend_from_slice(self.session.buffered());
        self.show();
    }

    /// Says what a reply that has just come means for the exit status, and for the script.
    fn judge_reply(&mut self) {
        let Some(answer) = self.session.standing().last_answer else { return };
        judge::reply(answer, self.is_complete(), self.pace != Pace::Typed, self.verdict);
        // After a refused DATA the script's body is no body to the server, and must not be sent.
        if self.pace == Pace::InStep && answer.request == Some(Request::Data) && !answer.code.is_positive() {
            self.refused_data = Some(());
        }
    }

    fn tell_skipped(&mut self) {
        let end = if self.is_input_over { "which has no lone dot" } else { "up to the lone dot" };
        if let Some(skipped) = self.skipped.take().filter(|skipped| *skipped > 0) {
            self.lines = LineInput::default();
            say(&format!("mconnect: DATA was refused: {skipped} octets of input, {end}, were not sent"));
        }
    }

    /// Sends what is left of a last line, ends the sending side, and shows what the server says until it closes.
    fn end_input(&mut self) -> ControlFlow<()> {
        self.tell_skipped();
        let phase = self.phase();
        self.lines.finish(phase, &mut self.out);
        if !self.out.is_empty() {
            self.send(self.pace == Pace::InStep || self.ends_group(phase, &self.out))?;
        }
        if self.pace == Pace::InStep {
            self.wait_for_replies()?;
        }
        self.show_what_came()?;
        self.unfinished = Some(self.session.phase());
        // If this fails the connection has ended, which reading tells.
        let _ = self.session.half_close();
        while !(self.screen.is_shut() && self.is_complete()) {
            self.show_what_came()?;
            match self.session.receive(self.timeouts.command) {
                Ok(()) => {}
                Err(Error::Timeout { after, .. }) if self.is_complete() => return self.give_up_silence(after),
                Err(error) => return self.give_up(&error),
            }
        }
        self.end = Some(End::Given);
        Break(())
    }

    /// Ends the session in an orderly way, and says what was wrong with it, if anything.
    fn finish(mut self) {
        let deadline = Instant::now() + self.timeouts.closing;
        let _ = self.session.half_close();
        while self.end.is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            let is_given_up = self.session.receive(left).is_err() || left.is_zero();
            let _ = self.show_what_came();
            if is_given_up && self.end.is_none() {
                self.show_unfinished();
                self.end = Some(End::Given);
            }
        }
        if let Err(error) = self.screen.finish() {
            self.verdict.output_failed(&error);
        }
        if self.pace == Pace::Typed && !self.is_input_over {
            // What was half typed must not end up as a command of the shell.
            terminal::drop_typed();
        }
        self.session.forgo_empty_line();
        self.count_unsent();
        if let Some(phase) = self.unfinished {
            judge::end_of_input(phase, &self.session.standing(), self.verdict);
        }
        let outstanding = self.session.outstanding();
        match self.end.take() {
            Some(End::Broken(error)) if !self.is_complete() => {
                self.verdict.complain(failure::status(&error), &failure::describe(&error));
            }
            Some(End::Broken(error)) if error.is_truncation() => self.secure.note(&failure::describe(&error)),
            Some(End::Closed) if !self.is_complete() => {
                judge::early_close(self.session.peer(), outstanding, self.verdict);
            }
            _ => {}
        }
        self.unsent.tell(self.is_input_over || self.pace == Pace::Typed);
    }

    /// Counts what is left of the input, as far as it is there.
    fn count_unsent(&mut self) {
        let deadline = Instant::now() + INPUT_PATIENCE;
        while self.pace != Pace::Typed && !self.is_input_over && self.unsent.total() < MOST_COUNTED {
            if !self.input.is_ready() {
                let mut fds = [PollFd::new(self.input.as_fd(), PollFlags::POLLIN)];
                let left = deadline.saturating_duration_since(Instant::now());
                if poll(&mut fds, PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO)) == Ok(0) {
                    break;
                }
            }
            match self.input.take() {
                Ok(block) if !block.is_empty() => {
                    self.unsent.count(&block);
                    self.input.reuse(block);
                }
                _ => self.is_input_over = true,
            }
        }
    }

    /// Says whether the server may close now without anything missing.
    fn is_complete(&self) -> bool {
        judge::is_complete(&self.session.standing(), self.is_input_over && self.unsent.octets == 0)
    }

    /// Says whether nothing more is to be sent: the server will close, or has replied to QUIT, whatever it said.
    fn has_ended_by_word(&self) -> bool {
        let standing = self.session.standing();
        standing.is_closing || standing.has_quit
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
/// What came together is shown together, in parts of about this many octets.
const LARGEST_SHOW: usize = 64 * 1024;
/// Not every server answers an empty line.
const EMPTY_LINE_PATIENCE: Duration = Duration::from_secs(10);
/// Input that comes later than this after the end is not counted any more.
const INPUT_PATIENCE: Duration = Duration::from_millis(100);
/// More unsent input than this, in octets, is not counted.
const MOST_COUNTED: u64 = 64 * 1024 * 1024;
