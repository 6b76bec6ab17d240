//! How a session ends whose lines were driven, and what is to be told of that.

use super::{Driver, Ended};
use crate::protocol::Request;
use crate::script::Fault;
use crate::session::Session;

impl Driver {
    /// Says whether the server may close now without anything missing.
    #[must_use]
    pub fn is_complete(&self, session: &Session) -> bool {
        session.standing().is_complete(self.is_input_over && self.script.unsent().is_empty())
    }

    /// Says whether the session is to end: the input has, or QUIT was said.
    #[must_use]
    pub fn is_ending(&self, session: &Session) -> bool {
        let has_quit = session.standing().has_quit || session.owes(|request| request == Request::Quit);
        self.is_input_over || has_quit
    }

    /// Says in a few words how the connection ended: by what the server said, or by what happened. A session that was ended
    /// from this side has ended because no reply came in time, as far as is known here.
    #[must_use]
    pub fn how_it_ended(&self, session: &Session) -> String {
        let standing = session.standing();
        match (&self.ended, standing.last_answer.filter(|_| standing.is_closing)) {
            (Some(Ended::Closed), Some(answer)) => format!("the server closed after {}", answer.code),
            (Some(Ended::Closed), None) => "the server closed".to_owned(),
            (Some(Ended::Broken(error)), _) => error.chain(),
            _ => "the server did not reply in time".to_owned(),
        }
    }

    /// Says in sentences what is missing at the end of a session: that the server closed before its time, and replies that
    /// can come no more because QUIT was answered without them. A connection that [broke](Ended::Broken) is told by its
    /// error.
    #[must_use]
    pub fn missing(&self, session: &Session) -> Vec<String> {
        let (standing, peer) = (session.standing(), session.peer());
        let mut missing = Vec::new();
        if matches!(self.ended, Some(Ended::Closed)) && !self.is_complete(session) {
            let due = match standing.outstanding {
                0 => String::new(),
                1 => " with a reply still due".to_owned(),
                due => format!(" with {due} replies still due"),
            };
            missing.push(format!("{peer} closed the connection{due}"));
        }
        if standing.lost > 0 {
            let taken = if standing.lost_message { "; the message may have been taken all the same" } else { "" };
            let lost = standing.lost;
            let replies = if lost == 1 { "reply" } else { "replies" };
            missing
                .push(format!("{peer} answered QUIT with {lost} {replies} still due, which can come no more{taken}"));
        }
        missing
    }

    /// Says in one sentence why the script ended before its input, if it did, and what of that was not sent, and what that
    /// comes to: nothing if QUIT or the server's own end was the reason. `what` names what ends, a `session` or a `paste`;
    /// `is_all` says whether all of the input was counted.
    #[must_use]
    pub fn told_end(&self, what: &str, is_all: bool) -> Option<(Option<Fault>, String)> {
        let (end, unsent) = (self.script.end(), self.script.unsent());
        let least = if is_all { "" } else { "at least " };
        let not_sent = if unsent.is_empty() { String::new() } else { format!("not sent: {least}{unsent}") };
        match end.map(|end| (end, end.fault())) {
            Some((end, Some(fault))) => {
                let words = self.last_words().map(|words| format!(": {words}")).unwrap_or_default();
                let not_sent = if unsent.is_empty() { not_sent } else { format!("; {not_sent}") };
                Some((Some(fault), format!("{end}, which ends the {what}{words}{not_sent}")))
            }
            _ if unsent.is_empty() => None,
            Some((end, None)) => Some((None, format!("{not_sent}: {end}"))),
            None => Some((None, not_sent)),
        }
    }
}
