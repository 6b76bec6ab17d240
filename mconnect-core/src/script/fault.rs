//! What went wrong with a session, in the few kinds that an exit status or a monitor tells apart.

use std::fmt;

use super::End;
use crate::protocol::{Answer, Code, Delivery, Meaning, Phase, RecipientOutcome, Reply, Request, Severity, Standing};

/// A kind of failure. The first one of a session is the one that tells most.
///
/// ```
/// use mconnect_core::protocol::{Answer, Code, Request};
/// use mconnect_core::script::Fault;
///
/// let greylisted = Answer::new(Some(Request::EndOfData), Code::try_from(451)?);
/// assert_eq!(Fault::of_reply(greylisted, false, true), Some(Fault::Temporary));
/// // A recipient that is refused leaves the others.
/// let unknown = Answer::new(Some(Request::Rcpt), Code::try_from(550)?);
/// assert_eq!(Fault::of_reply(unknown, false, true), None);
/// # Ok::<(), mconnect_core::protocol::InvalidCode>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
#[non_exhaustive]
pub enum Fault {
    /// It was refused for now (4yz), or the server is closing (421): later it may be granted.
    Temporary,
    /// It was refused for good.
    Refused,
    /// AUTH was refused for good.
    Auth,
    /// Client and server are out of step, the server ended the session before its time, or it speaks no SMTP.
    Protocol,
}

impl Fault {
    /// Returns what a refusal comes to; a reply that is none breaks the protocol.
    pub fn of_refusal(code: Code) -> Self {
        match code.severity() {
            Severity::Transient => Self::Temporary,
            Severity::Permanent => Self::Refused,
            _ => Self::Protocol,
        }
    }

    /// Returns what the reply comes to by which an AUTH was not granted; the server may be closing instead.
    pub fn of_auth(reply: &Reply) -> Self {
        match reply.meaning() {
            Meaning::Closing => Self::of_refusal(reply.code()),
            _ => Self::of_refused_auth(reply.code()),
        }
    }

    /// Returns what an AUTH comes to that was refused by this code.
    pub fn of_refused_auth(code: Code) -> Self {
        if code.is_temporary() { Self::Temporary } else { Self::Auth }
    }

    /// Returns what the refusals of a message come to, if there are any: for good, if at least one recipient was refused for
    /// good.
    pub fn of_delivery(delivery: &Delivery) -> Option<Self> {
        let refusal = delivery.first_refusal()?;
        Some(match delivery.count(RecipientOutcome::Permanent) {
            0 if delivery.recipients.is_empty() => Self::of_refusal(refusal.code()),
            0 => Self::Temporary,
            _ => Self::Refused,
        })
    }

    /// Returns how the whole session has failed by a reply, if it has; `is_complete` says whether the server may close now
    /// without anything missing ([`Standing::is_complete`]). A script has failed if its message is refused; a person who
    /// types sees that, and goes on.
    pub fn of_reply(answer: Answer, is_complete: bool, is_script: bool) -> Option<Self> {
        let Answer { request, code, .. } = answer;
        match (answer.meaning(), request) {
            _ if answer.is_goodbye(is_complete) => None,
            (Meaning::OutOfStep, _) => Some(Self::Protocol),
            (Meaning::Closing, _) if code == Code::NOT_AVAILABLE => Some(Self::Temporary),
            // What was asked was not granted, even if it was the last thing to be asked.
            (Meaning::Closing, Some(_)) => Some(Self::Protocol),
            (meaning, Some(Request::Greeting)) if meaning.is_refusal() => Some(Self::of_refusal(code)),
            // One reply too many before it may have moved a message's reply here.
            (meaning, Some(Request::Data | Request::EndOfData | Request::Bdat | Request::Quit))
                if is_script && meaning.is_refusal() =>
            {
                Some(Self::of_refusal(code))
            }
            _ => None,
        }
    }
}

impl End {
    /// Returns how a script has failed that ended so; `None` if QUIT was answered or the server was closing, of which the
    /// replies tell ([`Fault::of_reply`]).
    pub fn fault(self) -> Option<Fault> {
        match self {
            Self::Quit | Self::Closing => None,
            Self::OutOfStep(_) => Some(Fault::Protocol),
            Self::Auth(answer) => Some(Fault::of_refused_auth(answer.code)),
            Self::Greeting(answer) | Self::StartTls(answer) | Self::Refused(answer) => {
                Some(Fault::of_refusal(answer.code))
            }
        }
    }
}

/// What is missing where the client's input ended inside a message. Half a message must not be delivered: nothing is added
/// to it. [`Display`](fmt::Display) has it in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unfinished {
    /// The lone dot of a message.
    Message,
    /// So many octets of a chunk ([RFC 3030](https://www.rfc-editor.org/rfc/rfc3030)).
    Chunk(u64),
}

impl Unfinished {
    /// Returns what is missing if the input ended in this phase; `standing` is where the session stands once what was due
    /// then has come.
    pub fn of(phase: Phase, standing: &Standing) -> Option<Self> {
        let is_data = |answer: &Answer| answer.request == Some(Request::Data);
        let was_refused = standing.last_answer.filter(is_data).is_some_and(|answer| !answer.meaning().is_granted());
        match phase {
            _ if was_refused || standing.outstanding > 0 => None,
            Phase::Body => Some(Self::Message),
            Phase::Chunk { left } => Some(Self::Chunk(left)),
            _ => None,
        }
    }
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message => f.write_str("the input ended inside a message: without a lone dot it is not delivered"),
            Self::Chunk(left) => write!(f, "the input ended inside a chunk: {left} octets of it are missing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{ReplyLine, Tracker};

    #[test]
    fn a_reply_that_fails_a_session_is_of_the_kind_that_its_code_and_its_place_say() {
        for (request, code, is_complete, fault) in [
            (Some(Request::Greeting), 554, false, Some(Fault::Refused)),
            (Some(Request::Greeting), 450, false, Some(Fault::Temporary)),
            (Some(Request::Greeting), 250, false, Some(Fault::Protocol)),
            (Some(Request::Greeting), 220, false, None),
            (Some(Request::Rcpt), 550, false, None),
            (Some(Request::EndOfData), 554, false, Some(Fault::Refused)),
            (Some(Request::EndOfData), 250, false, None),
            (Some(Request::Mail), 421, false, Some(Fault::Temporary)),
            (Some(Request::Mail), 221, false, Some(Fault::Protocol)),
            (Some(Request::Quit), 221, true, None),
            (None, 421, false, Some(Fault::Temporary)),
            (None, 421, true, None),
            (None, 250, true, Some(Fault::Protocol)),
        ] {
            let answer = Answer::new(request, Code::new(code).unwrap());
            assert_eq!(Fault::of_reply(answer, is_complete, true), fault, "{answer:?}, {is_complete}");
        }
        let refused = Answer::new(Some(Request::EndOfData), Code::new(554).unwrap());
        assert_eq!(Fault::of_reply(refused, false, false), None, "a person sees it");
    }

    #[test]
    fn an_end_has_a_fault_unless_it_was_meant() {
        let answer = |code| Answer::new(Some(Request::Auth), Code::new(code).unwrap());
        assert_eq!(End::Auth(answer(535)).fault(), Some(Fault::Auth));
        assert_eq!(End::Auth(answer(454)).fault(), Some(Fault::Temporary));
        assert_eq!(End::StartTls(answer(502)).fault(), Some(Fault::Refused));
        assert_eq!(End::OutOfStep(answer(250)).fault(), Some(Fault::Protocol));
        assert_eq!((End::Quit.fault(), End::Closing.fault()), (None, None));
    }

    #[test]
    fn a_message_is_unfinished_if_it_was_begun_and_not_refused() {
        let mut tracker = Tracker::new();
        let received = |tracker: &mut Tracker, line: &str| {
            let _ = tracker.received(ReplyLine::new(line.as_bytes()));
        };
        received(&mut tracker, "220 ready\r\n");
        tracker.sent(b"DATA\r\n");
        received(&mut tracker, "354 go\r\n");
        let (phase, standing) = (tracker.phase(), tracker.standing());
        assert_eq!(Unfinished::of(phase, &standing), Some(Unfinished::Message));
        tracker.sent(b"text\r\n.\r\n");
        received(&mut tracker, "250 ok\r\n");
        assert_eq!(Unfinished::of(tracker.phase(), &tracker.standing()), None);
        tracker.sent(b"BDAT 10 LAST\r\nabc");
        let left = Unfinished::of(tracker.phase(), &tracker.standing()).unwrap();
        assert_eq!(left.to_string(), "the input ended inside a chunk: 7 octets of it are missing");
        // A body that was sent blindly, and refused.
        let mut tracker = Tracker::new();
        received(&mut tracker, "220 ready\r\n");
        tracker.sent(b"DATA\r\nhalf");
        assert_eq!(Unfinished::of(Phase::Body, &tracker.standing()), None, "the reply to DATA tells");
        received(&mut tracker, "554 no\r\n");
        assert_eq!(Unfinished::of(Phase::Body, &tracker.standing()), None);
    }
}
