//! How a session ends: with the input, with the connection, and with what is left to be told.

use std::ops::ControlFlow::{self, Break};
use std::time::{Duration, Instant};

use mconnect_core::Error;
use mconnect_core::protocol::{LineInput, Phase};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Pace, Talk};
use crate::failure;
use crate::judge::{self, End};
use crate::terminal;
use crate::verdict::{say, status};

impl Talk<'_> {
    /// Sends what is left of a last line, ends the sending side, and shows what the server says until it closes.
    pub(super) fn end_input(&mut self) -> ControlFlow<()> {
        self.tell_skipped();
        let phase = self.phase();
        self.lines.finish(phase, &mut self.out);
        if !self.out.is_empty() {
            self.send(self.pace == Pace::InStep || self.ends_group(phase, &self.out))?;
        }
        // After a refusal QUIT is said, so that the sending side is needed until then.
        if self.pace == Pace::InStep || self.ends_at_refusal {
            self.wait_for_replies()?;
        }
        self.show_what_came()?;
        if self.is_refused {
            return Break(());
        }
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

    /// A failed write is only the symptom: what the server still says tells why. One that takes nothing is another thing.
    pub(super) fn writing_failed(&mut self, error: Error) -> ControlFlow<()> {
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

    /// After the end of the input, a server that neither says anything nor closes.
    fn give_up_silence(&mut self, after: Duration) -> ControlFlow<()> {
        self.show_unfinished();
        self.verdict.complain(status::TEMPORARY, &failure::silence(self.session.peer(), after));
        self.end = Some(End::Given);
        Break(())
    }

    pub(super) fn tell_skipped(&mut self) {
        let end = if self.is_input_over { "which has no lone dot" } else { "up to the lone dot" };
        if let Some(skipped) = self.skipped.take().filter(|skipped| *skipped > 0) {
            self.lines = LineInput::default();
            say(&format!("mconnect: DATA was refused: {skipped} octets of input, {end}, were not sent"));
        }
    }

    /// Says QUIT after a refusal that ends the session, where the server waits for a command.
    pub(super) fn take_leave(&mut self) {
        let standing = self.session.standing();
        let is_due = self.is_refused && self.end.is_none() && !standing.is_closing && !standing.has_quit;
        if !is_due || self.wait_for_replies().is_break() || self.session.phase() != Phase::Command {
            return;
        }
        self.secure.note("> QUIT");
        if self.session.send(b"QUIT\r\n").is_ok() {
            let _ = self.wait_for_replies();
        }
    }

    /// Ends the session in an orderly way, and says what was wrong with it, if anything.
    pub(super) fn finish(mut self) {
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
        let (end, peer, is_complete) = (self.end.take(), self.session.peer(), self.is_complete());
        judge::ending(end, peer, outstanding, is_complete, self.verdict, |words| self.secure.note(words));
        self.unsent.tell(self.is_input_over || self.pace == Pace::Typed);
    }

    /// Counts what is left of the input, as far as it is there.
    fn count_unsent(&mut self) {
        // After QUIT it is of no consequence, and whoever keeps the input open is not kept waiting.
        let is_awaited = !self.session.standing().has_quit || self.input.is_read_ahead();
        let deadline = Instant::now() + if is_awaited { INPUT_PATIENCE } else { Duration::ZERO };
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
    pub(super) fn is_complete(&self) -> bool {
        judge::is_complete(&self.session.standing(), self.is_input_over && self.unsent.octets == 0)
    }

    /// Says whether nothing more is to be sent: the server will close, has replied to QUIT, whatever it said, or has refused
    /// something where that ends the session.
    pub(super) fn has_ended_by_word(&self) -> bool {
        let standing = self.session.standing();
        self.is_refused || standing.is_closing || standing.has_quit
    }
}

/// Input that comes later than this after the end is not counted any more.
const INPUT_PATIENCE: Duration = Duration::from_millis(100);
/// More unsent input than this, in octets, is not counted.
const MOST_COUNTED: u64 = 64 * 1024 * 1024;
