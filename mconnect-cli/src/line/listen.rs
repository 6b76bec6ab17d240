//! What the server says: waiting for it, showing it, and what it means.

use std::ops::ControlFlow::{Break, Continue};
use std::time::{Duration, Instant};

use mconnect_core::protocol::{Answer, Request};
use mconnect_core::script::{self, Pace};
use mconnect_core::{Ended, Error, Heard, Session};

use super::{Conversation, Onward, Stop};
use crate::connection::Setting;
use crate::explain;
use crate::judge;
use crate::progress;
use crate::stderr;

impl Conversation<'_> {
    /// Shows what the server has said, if it has, and does not wait.
    pub(super) fn listen(&mut self, session: &mut Session) -> Onward {
        if self.driver.is_tls_due(session) {
            return Continue(());
        }
        let _ = session.has_arrived();
        self.show_what_came(session)
    }

    /// Shows what the server says until no reply is due; out of step, nobody knows which ones are.
    pub(super) fn wait_for_replies(&mut self, session: &mut Session) -> Onward {
        loop {
            self.show_what_came(session)?;
            let (due, script) = (session.standing(), &self.driver.script);
            let is_over = matches!(script.end(), Some(script::End::OutOfStep(_)));
            if due.outstanding == 0 || is_over {
                stderr::at_interrupt(None);
                return Continue(());
            }
            if matches!(due.awaited, Some(Request::EndOfData | Request::Bdat)) {
                stderr::at_interrupt(Some(progress::WHOLE_MESSAGE.to_owned()));
            }
            self.wait_for_reply(session)?;
        }
    }

    /// Waits for what comes next of the reply that is due.
    pub(super) fn wait_for_reply(&mut self, session: &mut Session) -> Onward {
        let due = session.standing();
        // What is late is told only where somebody sees it.
        let tick = self.driver.overdue.next_tick(&due).filter(|_| stderr::is_shown());
        match self.driver.wait_until(session, tick) {
            Ok(true) => Continue(()),
            Ok(false) => {
                self.tell_overdue(session);
                Continue(())
            }
            Err(error) => {
                // What was here at the deadline is shown, but the rest of it is not waited for.
                self.show_what_came(session)?;
                if session.outstanding() == due.outstanding { self.give_up(session, &error) } else { Continue(()) }
            }
        }
    }

    /// Says what is waited for, where a person sees it.
    fn tell_overdue(&self, session: &Session) {
        // It would stand in the middle of a line that has not ended.
        if let Some(words) = self.driver.overdue.words(&session.standing()).filter(|_| !self.said.is_mid_line()) {
            stderr::draw(&words);
        }
    }

    /// Receives once.
    pub(super) fn receive(&mut self, session: &mut Session, patience: Duration) -> Onward {
        match session.receive(patience) {
            Ok(()) => Continue(()),
            Err(error) => self.give_up(session, &error),
        }
    }

    pub(super) fn give_up(&mut self, session: &mut Session, error: &Error) -> Onward {
        self.said.give_up(session.buffered(), self.setting.verdict);
        self.setting.verdict.failed(error);
        self.driver.ended = Some(Ended::Here);
        Break(Stop::End)
    }

    /// Shows the lines that are there, up to a grant of STARTTLS; breaks at the end of the session.
    pub(super) fn show_what_came(&mut self, session: &mut Session) -> Onward {
        while let Some(Heard { answer, .. }) = self.driver.hear(session) {
            self.said.hear(self.driver.line());
            if let Some(answer) = answer {
                self.judge_reply(session, answer);
            }
            if self.said.size() >= LARGEST_SHOW {
                self.said.show(&[], self.setting.verdict);
            }
            // A person may go on with such a server, and so may who waits for no greeting.
            if let Some(error) = session.other_protocol().filter(|_| self.driver.pace() == Pace::InStep) {
                return self.give_up(session, &error);
            }
        }
        let unfinished = if self.driver.is_tls_due(session) { &[] } else { session.buffered() };
        self.said.show(unfinished, self.setting.verdict);
        self.unless_ended()
    }

    /// Says what a reply that has just come means for the exit status, and for the script.
    fn judge_reply(&mut self, session: &Session, answer: Answer) {
        let Setting { options, verdict, .. } = self.setting;
        judge::reply(answer, self.driver.is_complete(session), true, verdict);
        if options.output.has_sides {
            let line = self.driver.last_reply().unwrap_or_default();
            explain::tell(explain::refusal(line, options, verdict).as_ref(), options);
        }
        // It is told once the rest of the script is counted.
        if let Some(fault) = self.driver.follow(session, answer).and_then(script::End::fault) {
            verdict.fail(fault.into());
        }
    }
}

/// Returns how long it is until then; where that is never, there is nothing to wait for.
pub(super) fn until(at: Option<Instant>) -> Duration {
    at.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()))
}

/// What came together is shown together, in parts of about this many octets.
const LARGEST_SHOW: usize = 64 * 1024;
