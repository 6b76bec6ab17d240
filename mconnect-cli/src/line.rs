//! Line mode: input goes out by the line, as the phase of the session asks for, while what the server says is shown.
//!
//! One thread serves both: it waits for the server alone while a reply is due that has to come first, and otherwise for
//! whichever of the two has something.

mod unsent;

use std::io;
use std::ops::ControlFlow::{self, Break, Continue};
use std::time::{Duration, Instant};

use mconnect_core::protocol::{Answer, LineInput, Phase, Request};
use mconnect_core::{Error, Session, Timeouts};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::failure;
use crate::input::Input;
use crate::judge;
use crate::screen::Screen;
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
pub fn run(session: Session, screen: Screen, timeouts: Timeouts, pace: Pace, verdict: &Verdict) {
    let mut talk = Talk {
        session,
        screen,
        timeouts,
        pace,
        verdict,
        input: Input::new(),
        is_input_over: false,
        lines: LineInput::default(),
        out: Vec::new(),
        skipped: None,
        unsent: Unsent::default(),
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
    verdict: &'a Verdict,
    input: Input,
    is_input_over: bool,
    lines: LineInput,
    /// What is to be sent next.
    out: Vec<u8>,
    /// How many octets of a body were passed over, while that is under way: its DATA was refused.
    skipped: Option<u64>,
    unsent: Unsent,
    /// What is to be shown next.
    shown: Vec<u8>,
    /// How the session ended, once it has.
    end: Option<End>,
}

enum End {
    /// The server closed.
    Closed,
    /// The connection broke.
    Broken(Error),
    /// It was ended from this side, which has been told.
    Given,
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
                    let reason = failure::reason(&error.to_string());
                    self.verdict.complain(status::IO, &format!("cannot read standard input: {reason}"));
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
            let server = self.session.as_fd().map(|fd| PollFd::new(fd, PollFlags::POLLIN));
            let mut fds = vec![PollFd::new(self.input.as_fd(), PollFlags::POLLIN)];
            fds.extend(server);
            let is_said = match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) => fds.get(1).is_some_and(|fd| fd.any().unwrap_or(true)),
                Err(Errno::EINTR) => continue,
                // Without poll, the input comes first.
                Err(_) => false,
            };
            let is_input = fds[0].any().unwrap_or(true);
            if is_said {
                self.receive(self.timeouts.command)?;
            } else if is_input {
                return Continue(());
            }
        }
    }

    /// Sends a block of input, as far as the session lets it.
    fn feed(&mut self, block: &[u8]) -> ControlFlow<()> {
        if self.pace == Pace::Typed && block.len() == LONGEST_TYPED && block.ends_with(b"\n") {
            say("mconnect: this terminal cuts a line at 4095 octets, and may have cut that one");
        }
        let mut rest = block;
        while !rest.is_empty() {
            if self.has_ended_by_word() {
                self.unsent.count(&self.out);
                self.unsent.count(rest);
                return Break(());
            }
            let phase = if self.skipped.is_some() { Phase::Body } else { self.session.phase() };
            let taken = self.lines.take(phase, rest, &mut self.out);
            rest = &rest[taken.count..];
            if let Some(skipped) = &mut self.skipped {
                *skipped += taken.count as u64;
                self.out.clear();
                if taken.is_complete {
                    self.tell_skipped();
                }
                continue;
            }
            // Commands wait until they are whole, so that they go out in one write.
            if taken.is_complete
                || matches!(phase, Phase::Body | Phase::Chunk { .. })
                || self.out.len() >= LONGEST_WRITE
            {
                let flow = self.send(phase, taken.is_complete);
                if flow.is_break() {
                    self.unsent.count(rest);
                    return flow;
                }
            }
        }
        Continue(())
    }

    /// Sends what was made ready, and waits for what has to be waited for.
    fn send(&mut self, phase: Phase, is_complete: bool) -> ControlFlow<()> {
        let is_command = !matches!(phase, Phase::Body | Phase::Chunk { .. } | Phase::Auth);
        let is_quit = is_command && self.out.trim_ascii().eq_ignore_ascii_case(b"QUIT");
        if let Err(error) = self.session.send(&self.out) {
            self.unsent.count(&self.out);
            return self.writing_failed(error);
        }
        self.out.clear();
        if is_complete && (self.pace == Pace::InStep || is_quit) {
            self.wait_for_replies()?;
            self.note_refused_data();
        }
        Continue(())
    }

    /// A failed write is only the symptom: what the server still says tells why. One that takes nothing is another thing.
    fn writing_failed(&mut self, error: Error) -> ControlFlow<()> {
        if error.is_timeout() {
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
            let patience = if is_optional { EMPTY_LINE_PATIENCE } else { self.session.patience() };
            let deadline = Instant::now() + patience;
            while self.session.standing().outstanding == due.outstanding {
                match self.session.receive(deadline.saturating_duration_since(Instant::now())) {
                    Ok(()) => self.show_what_came()?,
                    Err(_) if is_optional => self.session.forgo_empty_line(),
                    Err(Error::Timeout { scene, partial, .. }) => {
                        return self.give_up(&Error::Timeout { scene, after: patience, partial });
                    }
                    Err(error) => return self.give_up(&error),
                }
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
        if let Error::Timeout { partial, .. } = error {
            self.shown.extend_from_slice(partial);
            self.show();
        }
        self.verdict.complain(failure::status(error), &failure::describe(error));
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

    fn show(&mut self) {
        if let Err(error) = self.screen.show(&self.shown) {
            self.showing_failed(&error);
        }
        self.shown.clear();
    }

    /// A reader that has seen enough is no failure.
    fn showing_failed(&mut self, error: &io::Error) {
        if error.kind() != io::ErrorKind::BrokenPipe {
            let reason = failure::reason(&error.to_string());
            self.verdict.complain(status::IO, &format!("cannot write to standard output: {reason}"));
        }
    }

    fn judge_reply(&self) {
        if let Some(answer) = self.session.standing().last_answer {
            judge::reply(answer, self.is_complete(), self.verdict);
        }
    }

    /// After a refused DATA, the script's body is no body to the server: it must not be sent.
    fn note_refused_data(&mut self) {
        let standing = self.session.standing();
        match standing.last_answer {
            Some(Answer { request: Some(Request::Data), code, .. }) if standing.phase == Phase::Command => {
                self.verdict.fail(failure::status_of_refusal(code));
                if self.pace == Pace::InStep {
                    self.skipped = Some(0);
                }
            }
            _ => {}
        }
    }

    fn tell_skipped(&mut self) {
        if let Some(skipped) = self.skipped.take().filter(|skipped| *skipped > 0) {
            say(&format!("mconnect: DATA was refused: {skipped} octets of input, up to the lone dot, were not sent"));
        }
    }

    /// Sends what is left of a last line, ends the sending side, and shows what the server says until it closes.
    fn end_input(&mut self) -> ControlFlow<()> {
        self.tell_skipped();
        let phase = self.session.phase();
        self.lines.finish(phase, &mut self.out);
        if !self.out.is_empty() {
            self.send(phase, true)?;
        }
        if self.pace != Pace::Blind {
            judge::end_of_input(self.session.phase(), self.verdict);
        }
        self.show_what_came()?;
        // If this fails the connection has ended, which reading tells.
        let _ = self.session.half_close();
        while !(self.screen.is_shut() && self.is_complete()) {
            self.show_what_came()?;
            if let Err(error) = self.session.receive(self.timeouts.command) {
                return self.give_up(&error);
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
            if self.session.receive(left).is_err() {
                self.end = Some(End::Given);
            }
            let _ = self.show_what_came();
        }
        if let Err(error) = self.screen.finish() {
            self.showing_failed(&error);
        }
        let outstanding = self.session.outstanding();
        match self.end.take() {
            Some(End::Broken(error)) if !self.is_complete() => {
                self.verdict.complain(failure::status(&error), &failure::describe(&error));
            }
            Some(End::Closed) if !self.is_complete() => {
                judge::early_close(self.session.peer(), outstanding, self.verdict);
            }
            _ => {}
        }
        self.tell_unsent();
    }

    /// Counts what is left of the input, as far as it is there, and tells.
    fn tell_unsent(&mut self) {
        while self.pace != Pace::Typed && !self.is_input_over && self.unsent.octets < MOST_COUNTED {
            let mut fds = [PollFd::new(self.input.as_fd(), PollFlags::POLLIN)];
            if poll(&mut fds, INPUT_PATIENCE) == Ok(0) {
                break;
            }
            match self.input.take() {
                Ok(block) if !block.is_empty() => {
                    self.unsent.count(&block);
                    self.input.reuse(block);
                }
                _ => self.is_input_over = true,
            }
        }
        self.unsent.tell(self.is_input_over || self.pace == Pace::Typed);
    }

    /// Says whether the server may close now without anything missing.
    fn is_complete(&self) -> bool {
        judge::is_complete(&self.session.standing(), self.is_input_over && self.unsent.octets == 0)
    }

    /// Says whether the server will take nothing more.
    fn has_ended_by_word(&self) -> bool {
        self.session.standing().is_closing
    }
}

/// The longest line that a terminal gives, its LF included.
const LONGEST_TYPED: usize = 4096;
/// A line longer than this goes out in parts.
const LONGEST_WRITE: usize = 256 * 1024;
/// What came together is shown together, in parts of about this many octets.
const LARGEST_SHOW: usize = 64 * 1024;
/// Not every server answers an empty line.
const EMPTY_LINE_PATIENCE: Duration = Duration::from_secs(10);
/// Input that takes longer than this to come is not counted any more, in milliseconds.
const INPUT_PATIENCE: u8 = 100;
/// More unsent input than this, in octets, is not counted.
const MOST_COUNTED: u64 = 64 * 1024 * 1024;
