//! The end of a session, whoever ends it.

use std::ops::ControlFlow::{Break, Continue};
use std::time::{Duration, Instant};

use mconnect_core::protocol::{Phase, Request};

use super::listen::PATIENCE;
use super::{Flow, Leave, Talk};
use crate::connection::Setting;
use crate::failure::Failure;
use crate::judge::{self, End};
use crate::progress;
use crate::stderr::{self, say};

impl Talk<'_> {
    /// Ends the sending side, and shows what the server says until it closes.
    pub(super) fn end_input(&mut self) -> Flow {
        self.is_input_over = true;
        let phase = self.writer.standing().phase;
        self.wait_for_replies_at_end()?;
        judge::end_of_input(phase, &self.writer.standing(), self.setting.verdict);
        // If this fails the connection has ended, which listening tells.
        let _ = self.writer.half_close();
        let patience = self.setting.timeouts.command;
        loop {
            self.show_what_came()?;
            let deadline = Instant::now() + patience;
            let mut is_over = false;
            while !is_over && !self.inbox.wait(Some(deadline.min(Instant::now() + TICK)), || false) {
                let standing = self.writer.standing();
                stderr::draw(&self.above(&standing).trim_end().replace('\n', " "));
                is_over = deadline <= Instant::now();
            }
            if is_over {
                stderr::clear();
                self.setting.verdict.complain(Failure::silence(self.writer.peer(), patience));
                self.end = Some(End::Given);
                return Break(Leave::End);
            }
        }
    }

    /// In a body no reply but its own is due, and that one never comes.
    fn wait_for_replies_at_end(&mut self) -> Flow {
        match self.writer.standing().phase {
            // As typed lines do.
            Phase::Greeting => self.wait_for_replies(),
            Phase::Command => self.wait(Some(Instant::now() + PATIENCE)).map_continue(drop),
            _ => Continue(()),
        }
    }

    /// Ends the session in an orderly way, and says what was wrong with it, if anything.
    pub(super) fn finish(&mut self) {
        if let Some(work) = self.work.take() {
            work.break_off();
        }
        let deadline = Instant::now() + self.setting.timeouts.closing;
        let _ = self.writer.half_close();
        while self.end.is_none() {
            let _ = self.show_what_came();
            if self.end.is_none() && (deadline <= Instant::now() || !self.inbox.wait(Some(deadline), || false)) {
                self.end = Some(End::Given);
            }
        }
        if matches!(self.end, Some(End::Given)) {
            self.show_the_rest();
        }
        let standing = self.writer.standing();
        let is_complete = standing.is_complete(self.is_input_over);
        let (end, peer, Setting { verdict, secure, .. }) = (self.end.take(), self.writer.peer(), self.setting);
        judge::ending(end, peer, &standing, is_complete, verdict, |words| secure.note(words));
    }

    /// Shows what came of a line that is not waited for any longer: the end completes it.
    fn show_the_rest(&mut self) {
        self.writer.closer().close();
        let deadline = Instant::now() + PATIENCE;
        while self.inbox.wait(Some(deadline), || false) {
            let (lines, ending) = self.inbox.take();
            self.show(&lines);
            if ending.is_some() {
                break;
            }
        }
    }

    /// Says what is lost with a session that is closed at once.
    pub(super) fn tell_lost(&self) {
        let sent = progress::amount(self.sent_of_message);
        if self.writer.owes(|request| matches!(request, Request::EndOfData | Request::Bdat)) {
            say("mconnect: the reply to the message had not come: it may have been taken");
        }
        match self.writer.standing().phase {
            Phase::Body => say(&format!("mconnect: the message is lost: {sent} of it went out, and not its end")),
            Phase::Chunk { left } => {
                say(&format!("mconnect: the message is lost: {left} octets of the chunk had still to go out"));
            }
            _ => {}
        }
    }
}

/// A clock is looked at so often.
const TICK: Duration = Duration::from_secs(1);
