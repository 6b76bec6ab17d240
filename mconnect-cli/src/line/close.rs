//! How a session ends: with the input, with the connection, and with what is left to be told.

use std::ops::ControlFlow::{self, Break, Continue};
use std::time::{Duration, Instant};

use mconnect_core::protocol::Phase;
use mconnect_core::script;
use mconnect_core::{Ended, Error, Session};
use nix::poll::PollTimeout;

use super::{Conversation, Onward, Stop};
use crate::failure::{Failure, NO_QUIT};
use crate::judge;
use crate::stderr::note;
use crate::waiting;

impl Conversation<'_> {
    /// Ends the sending side, and shows what the server says until it closes.
    pub(super) fn drain(&mut self, session: &mut Session) -> Onward {
        if let Some(skipped) = self.driver.script.end_skipped() {
            judge::skipped(skipped, "input", "which has no lone dot");
        }
        // After a refusal QUIT is said, so that the sending side is needed until then.
        if self.setting.options.ends_at_refusal {
            self.wait_for_replies(session)?;
        }
        self.show_what_came(session)?;
        if self.driver.script.end().is_some() {
            return Break(Stop::End);
        }
        self.ended_in = Some(session.phase());
        // If this fails the connection has ended, which reading tells.
        let _ = session.half_close();
        while !(self.said.is_shut() && self.driver.is_complete(session)) {
            self.show_what_came(session)?;
            match session.receive(self.setting.timeouts.command) {
                Ok(()) => {}
                Err(Error::Timeout { after, .. }) if self.driver.is_complete(session) => {
                    self.said.give_up(session.buffered(), self.setting.verdict);
                    self.setting.verdict.complain(Failure::silence(session.peer(), after).hint(NO_QUIT));
                    break;
                }
                Err(error) => return self.give_up(session, &error),
            }
        }
        self.driver.ended = Some(Ended::Here);
        Break(Stop::End)
    }

    /// A failed write is only the symptom: what the server still says tells why. One that takes nothing is another thing.
    pub(super) fn writing_failed(&mut self, session: &mut Session, error: Error) -> Onward {
        if error.is_timeout() {
            self.show_what_came(session)?;
            self.give_up(session, &error)
        } else {
            while self.driver.ended.is_none() {
                self.show_what_came(session)?;
                self.receive(session, self.setting.timeouts.closing)?;
            }
            Break(Stop::End)
        }
    }

    /// Goes on, where nobody reads what is shown any more, with the input that is at hand. Where more would have to be waited
    /// for, the session ends: with QUIT if a command is due, and without a word.
    pub(super) fn go_on_unheard(&mut self, session: &mut Session) -> ControlFlow<Stop, bool> {
        if self.input.is_at_hand() {
            return Continue(true);
        }
        self.driver.script.forget_line();
        self.driver.is_input_over = true;
        self.wait_for_replies(session)?;
        if session.phase() == Phase::Command && self.driver.script.end().is_none() {
            self.quit(session)?;
        }
        Break(Stop::End)
    }

    /// Says QUIT after a refusal that ends the session, where the server waits for a command.
    pub(super) fn take_leave(&mut self, session: &mut Session) {
        let standing = session.standing();
        let is_due = self.driver.script.end().is_some_and(script::End::says_quit)
            && self.driver.ended.is_none()
            && self.ended_in.is_none()
            && !standing.is_closing
            && !standing.has_quit;
        if is_due && self.wait_for_replies(session).is_continue() && session.phase() == Phase::Command {
            if !self.setting.options.output.has_sides {
                note("> QUIT", self.setting.options.is_quiet);
            }
            let _ = self.quit(session);
        }
    }

    /// Says QUIT, and waits for the reply.
    pub(super) fn quit(&mut self, session: &mut Session) -> Onward {
        if session.send(b"QUIT\r\n").is_ok() { self.wait_for_replies(session) } else { Continue(()) }
    }

    /// Ends the session in an orderly way, and says what was wrong with it, if anything.
    pub(super) fn finish(&mut self, session: &mut Session) {
        if let Some(work) = self.work.take() {
            match self.driver.is_input_over || session.standing().has_quit {
                true => work.finish(self.setting.options.is_quiet),
                false => work.break_off(),
            }
        }
        let deadline = Instant::now() + self.setting.timeouts.closing;
        let _ = session.half_close();
        while self.driver.ended.is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            let is_given_up = session.receive(left).is_err() || left.is_zero();
            let _ = self.show_what_came(session);
            if is_given_up && self.driver.ended.is_none() {
                self.said.give_up(session.buffered(), self.setting.verdict);
                self.driver.ended = Some(Ended::Here);
            }
        }
        self.said.finish(self.setting.verdict);
        session.forgo_empty_line();
        let standing = session.standing();
        self.count_unsent(!standing.has_quit);
        if let Some(phase) = self.ended_in {
            judge::end_of_input(phase, &standing, self.setting.verdict);
        }
        if self.driver.script.end().is_some_and(|end| end.answer().is_some()) {
            self.driver.ended = Some(Ended::Here);
        }
        judge::ending(&self.driver, session, self.setting.options.is_quiet, self.setting.verdict);
        self.tell_end();
    }

    /// Says what was not sent, after a session that could not go on.
    pub(super) fn tell_unsent(&mut self) {
        self.said.finish(self.setting.verdict);
        self.count_unsent(true);
        self.tell_end();
    }

    /// Says why the script ended before its input, if it did, and what was not sent.
    fn tell_end(&self) {
        judge::script_ending(&self.driver, "session", self.driver.is_input_over, self.setting.verdict);
    }

    /// Counts what is left of the input, as far as it is there; `is_awaited` says whether a moment is waited for more.
    fn count_unsent(&mut self, is_awaited: bool) {
        self.driver.script.not_sent(self.block.as_deref().unwrap_or_default());
        self.drop_block();
        let input = &mut self.input;
        let is_awaited = is_awaited || input.is_read_ahead();
        let deadline = Instant::now() + if is_awaited { INPUT_PATIENCE } else { Duration::ZERO };
        while !self.driver.is_input_over && self.driver.script.unsent().total() < MOST_COUNTED {
            if !input.is_ready() {
                let left = deadline.saturating_duration_since(Instant::now());
                if !waiting::is_readable(input.as_fd(), PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO)) {
                    break;
                }
            }
            match input.take() {
                Ok(block) if !block.is_empty() => {
                    self.driver.script.count_unsent(&block);
                    input.reuse(block);
                }
                _ => self.driver.is_input_over = true,
            }
        }
    }

    /// Stops here if the session has ended.
    pub(super) fn unless_ended(&self) -> Onward {
        if self.driver.ended.is_some() { Break(Stop::End) } else { Continue(()) }
    }
}

/// Input that comes later than this after the end is not counted any more.
const INPUT_PATIENCE: Duration = Duration::from_millis(100);
/// More unsent input than this, in octets, is not counted.
const MOST_COUNTED: u64 = 64 * 1024 * 1024;
