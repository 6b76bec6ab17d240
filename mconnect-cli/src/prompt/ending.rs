//! The end of a session, whoever ends it.

use std::ops::ControlFlow::{Break, Continue};
use std::time::{Duration, Instant};

use mconnect_core::protocol::{Phase, Request};
use mconnect_core::{Ended, Progress};

use super::listen::{PATIENCE, TICK};
use super::{Flow, Leave, Talk};
use crate::connection::Setting;
use crate::failure::Failure;
use crate::judge;
use crate::stderr::{self, say};
use crate::terminal;

impl Talk<'_> {
    /// Ends the sending side, and shows what the server says until it closes.
    pub(super) fn end_input(&mut self) -> Flow {
        self.driver.is_input_over = true;
        let phase = self.session.phase();
        self.wait_for_replies_at_end()?;
        judge::end_of_input(phase, &self.session.standing(), self.setting.verdict);
        // If this fails the connection has ended, which listening tells.
        let _ = self.session.half_close();
        let patience = self.setting.timeouts.command;
        loop {
            self.show_what_came()?;
            let deadline = Instant::now() + patience;
            while self.session.receive(TICK.min(deadline.saturating_duration_since(Instant::now()))).is_err() {
                if deadline <= Instant::now() {
                    stderr::clear();
                    self.setting.verdict.complain(Failure::silence(self.session.peer(), patience));
                    self.driver.ended = Some(Ended::Here);
                    return Break(Leave::End);
                }
                let standing = self.session.standing();
                self.draw_clock(&standing);
            }
        }
    }

    /// Ends a session that nobody sees any more: with QUIT if a command is due, and without a word.
    pub(super) fn leave_unheard(&mut self) -> Flow {
        self.driver.is_input_over = true;
        self.wait_for_replies()?;
        if self.session.phase() == Phase::Command {
            self.send(b"QUIT\r\n")?;
            self.wait_for_replies()?;
        }
        // What was half typed must not end up as a command of the shell.
        terminal::drop_typed();
        Break(Leave::End)
    }

    /// In a body no reply but its own is due, and that one never comes.
    fn wait_for_replies_at_end(&mut self) -> Flow {
        match self.session.phase() {
            // As typed lines do.
            Phase::Greeting => self.wait_for_replies(),
            Phase::Command => self.wait(Instant::now() + PATIENCE),
            _ => Continue(()),
        }
    }

    /// Ends the session in an orderly way, and says what was wrong with it, if anything.
    pub(super) fn finish(&mut self) {
        if let Some(work) = self.work.take() {
            work.break_off();
        }
        let _ = self.session.half_close();
        self.take_until_the_end(self.setting.timeouts.closing);
        if matches!(self.driver.ended, Some(Ended::Here) | None) {
            // What came of a line that is not waited for any longer is completed by the end.
            self.session.closer().close();
            self.driver.ended = None;
            self.take_until_the_end(PATIENCE);
            self.driver.ended = Some(Ended::Here);
        }
        let Setting { verdict, options, .. } = self.setting;
        if let Some(said) = self.editor.said() {
            said.finish(verdict);
        }
        judge::ending(&self.driver, &self.session, options.is_quiet, verdict);
    }

    fn take_until_the_end(&mut self, patience: Duration) {
        let deadline = Instant::now() + patience;
        self.take_what_came();
        while self.driver.ended.is_none() && !self.driver.is_tls_due(&self.session) && Instant::now() < deadline {
            let _ = self.session.receive(deadline.saturating_duration_since(Instant::now()));
            self.take_what_came();
        }
    }

    /// Says what is lost with a session that is closed at once.
    pub(super) fn tell_lost(&self) {
        let sent = Progress::amount(self.driver.sent().1);
        if self.session.owes(|request| matches!(request, Request::EndOfData | Request::Bdat)) {
            say("mconnect: the reply to the message had not come: it may have been taken");
        }
        match self.session.phase() {
            Phase::Body => say(&format!("mconnect: the message is lost: {sent} of it went out, and not its end")),
            Phase::Chunk { left } => {
                say(&format!("mconnect: the message is lost: {left} octets of the chunk had still to go out"));
            }
            _ => {}
        }
    }
}
