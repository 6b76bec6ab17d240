//! Which reply grants what was asked, and which one shows that client and server are out of step.
//!
//! "Positive" is not "granted": a 250 to DATA opens no body, and a 250 to STARTTLS no TLS. Everything that asks whether
//! it may go on asks here
//! ([RFC 5321, section 4.3.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.3.2),
//! [RFC 3207](https://www.rfc-editor.org/rfc/rfc3207), [RFC 4954](https://www.rfc-editor.org/rfc/rfc4954),
//! [RFC 3030](https://www.rfc-editor.org/rfc/rfc3030)).
//!
//! [`Meaning`] has it in a table. 4yz and 5yz refuse. 421, and a 221 that QUIT did not ask for, say that the server closes.
//! All else shows that client and server are out of step, as does any other reply that nobody asked for.

use super::code::{Code, Severity};
use super::phase::Request;

/// A reply that came, and what it answered.
///
/// A [`Tracker`](super::Tracker) makes them of what it follows, and [`Event::Replied`](crate::Event::Replied) has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
#[non_exhaustive]
pub struct Answer {
    /// What was asked; `None` if nothing was.
    pub request: Option<Request>,
    /// The code of the reply's last line.
    pub code: Code,
}

/// What a reply means to what it answers.
///
/// ```
/// use mconnect_core::protocol::{Code, Meaning, Request};
///
/// let code = Code::new(250).unwrap();
/// assert_eq!(Meaning::of(Some(Request::Mail), code), Meaning::Granted);
/// // "Positive" is not "granted": what follows would not be taken for a body.
/// assert_eq!(Meaning::of(Some(Request::Data), code), Meaning::OutOfStep);
/// ```
///
/// | | asked | by |
/// |---|---|---|
/// | [`Granted`](Self::Granted) | the greeting, STARTTLS, XCLIENT | 220 |
/// | | DATA | 354 |
/// | | AUTH, and an answer in it | 235 |
/// | | QUIT | 221 |
/// | | RCPT | 250, 251 |
/// | | EHLO, HELO, LHLO, MAIL, RSET, BDAT, the lone dot | 250 |
/// | | any other command, an empty line | any 2yz but 220, 221, 235 |
/// | [`Unusual`](Self::Unusual) | what 250 grants | another 2yz but 220, 221, 235 |
/// | [`Challenge`](Self::Challenge) | AUTH, and an answer in it | 334 |
/// | [`Deferred`](Self::Deferred), [`Refused`](Self::Refused) | anything | 4yz but 421; 5yz |
/// | [`Closing`](Self::Closing) | anything, or nothing | 421; 221, but to QUIT |
/// | [`OutOfStep`](Self::OutOfStep) | anything, or nothing | all else |
#[doc(alias = "positive")]
#[doc(alias = "negative")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
#[non_exhaustive]
pub enum Meaning {
    /// It was granted.
    Granted,
    /// It was granted, by a code that the RFC does not have for it: worth telling, and no reason to stop.
    Unusual,
    /// AUTH goes on: a 334 asks for an answer.
    Challenge,
    /// It was refused for now, by a 4yz.
    Deferred,
    /// It was refused for good, by a 5yz.
    Refused,
    /// The server is about to close: a 421, or a 221 that QUIT did not ask for.
    Closing,
    /// Client and server are out of step: one of them takes what the other says for something else. Nothing that was to
    /// follow may be sent.
    OutOfStep,
}

impl Meaning {
    /// Looks up what a code means in answer to a request, or to nothing.
    pub fn of(request: Option<Request>, code: Code) -> Self {
        use Severity::{Completion, Permanent, Transient};
        let Some(asked) = request else {
            return if matches!(code, Code::NOT_AVAILABLE | Code::CLOSING) { Self::Closing } else { Self::OutOfStep };
        };
        match (asked.grant(), code.severity()) {
            _ if code == Code::NOT_AVAILABLE => Self::Closing,
            (_, Transient) => Self::Deferred,
            (_, Permanent) => Self::Refused,
            (Grant::By(own), _) if code == own => Self::Granted,
            _ if code == Code::CLOSING => Self::Closing,
            _ if code == Code::CHALLENGE && matches!(asked, Request::Auth | Request::AuthAnswer) => Self::Challenge,
            _ if matches!(code, Code::READY | Code::AUTHENTICATED) => Self::OutOfStep,
            (Grant::ByAny([]), Completion) => Self::Granted,
            (Grant::ByAny(own), Completion) if own.contains(&code.number()) => Self::Granted,
            (Grant::ByAny(_), Completion) => Self::Unusual,
            _ => Self::OutOfStep,
        }
    }

    /// Says whether what was asked may be taken as done.
    #[must_use]
    pub fn is_granted(self) -> bool {
        matches!(self, Self::Granted | Self::Unusual)
    }

    /// Says whether what was asked was granted, or is still being asked for: what was to follow may follow.
    #[must_use]
    pub fn lets_go_on(self) -> bool {
        self.is_granted() || self == Self::Challenge
    }

    /// Says whether what was asked was refused, for now or for good.
    #[must_use]
    pub fn is_refusal(self) -> bool {
        matches!(self, Self::Deferred | Self::Refused)
    }
}

impl Answer {
    /// Makes one of a reply with this code, to this request or to nothing.
    pub fn new(request: Option<Request>, code: Code) -> Self {
        Self { request, code }
    }

    /// Returns what the reply means to what it answers.
    pub fn meaning(self) -> Meaning {
        Meaning::of(self.request, self.code)
    }

    /// Says whether the reply is no more than how some servers say goodbye: a 421 that nobody asked for, where the server
    /// may close without anything missing ([`Standing::is_complete`](super::Standing::is_complete)).
    #[must_use]
    pub fn is_goodbye(self, is_complete: bool) -> bool {
        self.request.is_none() && self.code == Code::NOT_AVAILABLE && is_complete
    }
}

/// By which codes a request is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grant {
    /// By this one alone.
    By(Code),
    /// By any 2yz that is not the only one for something else; these are the RFC's own, where it names some.
    ByAny(&'static [u16]),
}

impl Request {
    /// Returns the codes by which the RFC has it granted; none where it names no code.
    ///
    /// ```
    /// use mconnect_core::protocol::Request;
    ///
    /// assert_eq!(Request::Data.own_codes(), [354]);
    /// assert_eq!(Request::Rcpt.own_codes(), [250, 251]);
    /// assert!(Request::Other.own_codes().is_empty());
    /// ```
    pub fn own_codes(self) -> Vec<u16> {
        match self.grant() {
            Grant::By(code) => vec![code.number()],
            Grant::ByAny(codes) => codes.to_vec(),
        }
    }

    /// Says whether the reply decides what the octets after it mean, so that one code alone grants it: nothing that was
    /// meant for after the grant may go out before. So it is for the greeting, DATA, AUTH and answers in it, STARTTLS,
    /// XCLIENT and QUIT.
    #[must_use]
    pub fn is_turn(self) -> bool {
        matches!(self.grant(), Grant::By(_))
    }

    /// Returns what grants it: the one place that says so.
    fn grant(self) -> Grant {
        match self {
            Self::Greeting | Self::StartTls | Self::XClient => Grant::By(Code::READY),
            Self::Data => Grant::By(Code::START_BODY),
            Self::Auth | Self::AuthAnswer => Grant::By(Code::AUTHENTICATED),
            Self::Quit => Grant::By(Code::CLOSING),
            Self::Rcpt => Grant::ByAny(&[250, 251]),
            Self::Ehlo | Self::Helo | Self::Lhlo | Self::Mail | Self::EndOfData | Self::Bdat | Self::Rset => {
                Grant::ByAny(&[250])
            }
            Self::EmptyLine | Self::Other => Grant::ByAny(&[]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_of_step_is_the_closed_list() {
        for request in Request::ALL.iter().copied().map(Some).chain([None]) {
            for number in 0..=999 {
                let code = Code::new(number).unwrap();
                let is_turn = request.is_some_and(Request::is_turn);
                let is_in_auth = matches!(request, Some(Request::Auth | Request::AuthAnswer));
                let is_expected = match (number, request) {
                    (421, _) => false,
                    (_, None) => number != 221,
                    (220, Some(Request::Greeting | Request::StartTls | Request::XClient)) => false,
                    (221, _) => false,
                    (235, _) => !is_in_auth,
                    (220, _) => true,
                    (354, Some(Request::Data)) => false,
                    (334, _) => !is_in_auth,
                    (300..=399, _) => true,
                    (200..=299, _) => is_turn,
                    (400..=599, _) => false,
                    _ => true,
                };
                let meaning = Meaning::of(request, code);
                assert_eq!(meaning == Meaning::OutOfStep, is_expected, "{request:?} {code}: {meaning:?}");
            }
        }
    }

    #[test]
    fn a_request_is_granted_by_its_own_codes_and_no_turn_by_another() {
        for request in Request::ALL.iter().copied() {
            let granting: Vec<u16> = (0..=999)
                .filter(|number| Meaning::of(Some(request), Code::new(*number).unwrap()).is_granted())
                .collect();
            let own = request.own_codes();
            assert!(own.iter().all(|code| granting.contains(code)), "{request:?} {granting:?}");
            for number in granting.iter().copied() {
                let is_unusual = Meaning::of(Some(request), Code::new(number).unwrap()) == Meaning::Unusual;
                assert_eq!(is_unusual, !own.is_empty() && !own.contains(&number), "{request:?} {number}");
            }
            match request.is_turn() {
                true => assert_eq!(granting, own, "{request:?}"),
                false => assert_eq!(granting.len(), 97, "{request:?}: any 2yz but three"),
            }
        }
    }
}
