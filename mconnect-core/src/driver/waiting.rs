//! The waits of a driver: for the reply due next, or for all of a script.

use std::time::{Duration, Instant};

use super::{Driver, Ended};
use crate::error::{Action, Error};
use crate::protocol::Request;
use crate::script::Next;
use crate::session::Session;

impl Driver {
    /// Drives the script as far as it goes without the caller, waiting for the server; each line that comes is shown.
    /// Returns what is to be done then: never [`Next::Send`] or [`Next::Replies`].
    ///
    /// # Errors
    /// Those of [`wait`](Self::wait) and [`send`](Self::send), after what the server has said before it closed was shown;
    /// [`Error::Closed`] if a reply is due that can come no more.
    pub fn run(
        &mut self,
        session: &mut Session,
        input: &mut &[u8],
        mut show: impl FnMut(&[u8]),
    ) -> Result<Next, Error> {
        loop {
            // Before a line goes out, what has come already is looked at.
            while session.has_arrived() && self.follow_line(session, &mut show) {}
            let done = match self.script.next(&session.standing(), input) {
                Next::Replies if self.ended.is_some() => Err(self.lost(session)),
                Next::Replies => self.wait(session),
                Next::Send => self.send_next(session),
                next => return Ok(next),
            };
            if let Err(error) = done {
                let due = session.outstanding();
                while self.follow_line(session, &mut show) {}
                if error.is_timeout() && session.outstanding() < due {
                    continue;
                }
                while !error.is_timeout() && self.ended.is_none() && self.wait(session).is_ok() {
                    while self.follow_line(session, &mut show) {}
                }
                return Err(error);
            }
        }
    }

    /// Makes the error of a reply that can come no more.
    fn lost(&mut self, session: &Session) -> Error {
        match self.ended.replace(Ended::Closed) {
            Some(Ended::Broken(error)) => error,
            _ => Error::Closed { context: session.context(Action::ReadReply), partial: Vec::new() },
        }
    }

    fn follow_line(&mut self, session: &mut Session, show: &mut impl FnMut(&[u8])) -> bool {
        let Some(heard) = self.hear(session) else { return false };
        show(&self.line);
        if let Some(answer) = heard.answer {
            let _ = self.follow(session, answer);
        }
        true
    }

    /// Waits until something was received, as long as the reply due next may take since it is due; one that may be missing
    /// is not waited for any longer then.
    ///
    /// # Errors
    /// As [`Session::receive`]; the [`Error::Timeout`] names the reply.
    pub fn wait(&mut self, session: &mut Session) -> Result<(), Error> {
        self.wait_until(session, None).map(drop)
    }

    /// Waits as [`wait`](Self::wait) does, but no longer than until this time, when a clock is to be drawn, say. Says
    /// whether there is something to [hear](Self::hear), or to go on with, rather than that the time has come.
    ///
    /// # Errors
    /// Those of [`wait`](Self::wait). What was here at the deadline is there to be heard all the same.
    pub fn wait_until(&mut self, session: &mut Session, until: Option<Instant>) -> Result<bool, Error> {
        let patience = self.patience(session);
        let deadline = self.overdue.deadline(&session.standing(), patience);
        let left = deadline.map_or(patience, left_until);
        let tick = until.map_or(Duration::MAX, left_until);
        match session.receive(left.min(tick)) {
            Err(Error::Timeout { is_overall: false, .. }) if tick < left => Ok(false),
            Err(Error::Timeout { .. }) if self.is_optional(session) => {
                session.forgo_empty_line();
                Ok(true)
            }
            Err(Error::Timeout { is_overall: false, .. }) => Err(session.overdue(patience)),
            // The rest of what came is not waited for.
            Ok(()) if left.is_zero() => Err(session.overdue(patience)),
            received => received.map(|()| true),
        }
    }

    /// Returns how long the reply due next may take: as [`Session::reply_timeout`], but not every server answers an empty
    /// line.
    pub fn patience(&self, session: &Session) -> Duration {
        let patience = session.reply_timeout();
        if self.is_optional(session) { patience.min(EMPTY_LINE) } else { patience }
    }

    /// Says whether the only reply that is due may be missing: that to an empty line.
    #[must_use]
    pub fn is_optional(&self, session: &Session) -> bool {
        let standing = session.standing();
        standing.outstanding == 1 && standing.awaited == Some(Request::EmptyLine)
    }
}

fn left_until(time: Instant) -> Duration {
    time.saturating_duration_since(Instant::now())
}

/// Not every server answers an empty line.
const EMPTY_LINE: Duration = Duration::from_secs(10);
