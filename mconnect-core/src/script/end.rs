//! What an answer means for the lines that were to follow it.

use std::fmt;

use super::Rules;
use crate::protocol::{Answer, Code, Meaning, Request, auth_mechanism, secret_start};

/// Why a script ends before its input does; [`Display`](fmt::Display) has it as the reason why lines were not sent:
/// `the greeting was a refusal`.
///
/// | | QUIT is said |
/// |---|---|
/// | [`Quit`](Self::Quit), [`Closing`](Self::Closing) | no: the server is going |
/// | [`OutOfStep`](Self::OutOfStep) | no: nobody knows what the server would take it for |
/// | the others | yes |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum End {
    /// The server has replied to QUIT.
    Quit,
    /// The server said that it closes.
    Closing,
    /// Client and server are out of step.
    OutOfStep(Answer),
    /// The greeting refused the session.
    Greeting(Answer),
    /// TLS was to start, and STARTTLS was refused.
    StartTls(Answer),
    /// AUTH was refused, and what follows may answer it.
    Auth(Answer),
    /// The first refusal was to end it.
    Refused(Answer),
}

impl End {
    /// Says whether QUIT is said, where the server waits for a command: not to one that is out of step, or going.
    #[must_use]
    pub fn says_quit(self) -> bool {
        matches!(self, Self::Greeting(_) | Self::StartTls(_) | Self::Auth(_) | Self::Refused(_))
    }

    /// Returns the answer that ended it.
    pub fn answer(self) -> Option<Answer> {
        match self {
            Self::Quit | Self::Closing => None,
            Self::OutOfStep(answer)
            | Self::Greeting(answer)
            | Self::StartTls(answer)
            | Self::Auth(answer)
            | Self::Refused(answer) => Some(answer),
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quit => f.write_str("QUIT had ended the session"),
            Self::Closing => f.write_str("the server was closing"),
            Self::OutOfStep(Answer { request: Some(request), .. }) => {
                write!(f, "the reply to {request} shows that client and server are out of step")
            }
            Self::OutOfStep(_) => f.write_str("client and server are out of step: nobody asked for a reply that came"),
            Self::Greeting(_) => f.write_str("the greeting was a refusal"),
            Self::StartTls(_) => f.write_str("STARTTLS was refused"),
            Self::Auth(_) => f.write_str("AUTH was refused"),
            Self::Refused(Answer { request: Some(request), .. }) => write!(f, "{request} was refused"),
            Self::Refused(_) => f.write_str("the server said something unasked"),
        }
    }
}

/// How the last AUTH began. It decides what a refusal means for the lines after it: where answers may follow, a
/// password would be read as a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LastAuth {
    /// There was none.
    None,
    /// It said all there is to say: no answer to a challenge follows.
    Whole,
    /// Answers may follow.
    Open,
    /// It was ended with `*`.
    Cancelled,
}

impl LastAuth {
    /// Returns how a command begins an exchange, if it is an AUTH.
    ///
    /// ```
    /// use mconnect_core::script::LastAuth;
    ///
    /// assert_eq!(LastAuth::begun_by(b"AUTH PLAIN AHRpbQB0YW4="), Some(LastAuth::Whole));
    /// assert_eq!(LastAuth::begun_by(b"AUTH PLAIN"), Some(LastAuth::Open));
    /// assert_eq!(LastAuth::begun_by(b"NOOP"), None);
    /// ```
    pub fn begun_by(line: &[u8]) -> Option<Self> {
        let mechanism = auth_mechanism(line)?;
        let is_whole = WHOLE.iter().any(|known| mechanism.eq_ignore_ascii_case(known.as_bytes()));
        Some(if is_whole && secret_start(line).is_some() { Self::Whole } else { Self::Open })
    }
}

/// What becomes of the lines after an answer.
///
/// ```
/// use mconnect_core::protocol::{Answer, Code, Request};
/// use mconnect_core::script::{Course, LastAuth, Pace, Rules};
///
/// let refused = Answer::new(Some(Request::Data), Code::try_from(554)?);
/// let course = Course::after(refused, LastAuth::None, Rules::new(Pace::InStep));
/// assert_eq!(course, Course::SkipBody, "what was to be a body is no command");
/// # Ok::<(), mconnect_core::protocol::InvalidCode>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum Course {
    /// They go on.
    GoOn,
    /// Those of the body are passed over, up to and with the lone dot.
    SkipBody,
    /// `*` is sent first: the server wants an answer that will not come.
    Cancel,
    /// They are not sent.
    End(End),
}

impl Course {
    /// Says what an answer means for the lines that were to follow it. The table of the [module](super) is this.
    pub fn after(answer: Answer, exchange: LastAuth, rules: Rules) -> Self {
        let meaning = answer.meaning();
        match (answer.request, meaning) {
            (_, Meaning::OutOfStep) => Self::End(End::OutOfStep(answer)),
            // A 221 is a close, and no more.
            (Some(_), Meaning::Closing) if rules.ends_at_refusal && answer.code == Code::NOT_AVAILABLE => {
                Self::End(End::Refused(answer))
            }
            (_, Meaning::Closing) => Self::End(End::Closing),
            (Some(Request::AuthAnswer), _) if exchange == LastAuth::Cancelled => Self::End(End::Auth(answer)),
            (Some(Request::Auth), Meaning::Challenge) if exchange == LastAuth::Whole => Self::Cancel,
            (_, Meaning::Granted | Meaning::Unusual | Meaning::Challenge) => Self::GoOn,
            (_, Meaning::Deferred | Meaning::Refused) if rules.ends_at_refusal => Self::End(End::Refused(answer)),
            (Some(Request::Greeting), _) => Self::End(End::Greeting(answer)),
            (Some(Request::StartTls), _) if rules.upgrades && !rules.is_in_tls => Self::End(End::StartTls(answer)),
            (Some(Request::Auth | Request::AuthAnswer), _) if exchange != LastAuth::Whole => {
                Self::End(End::Auth(answer))
            }
            (Some(Request::Data), _) => Self::SkipBody,
            _ => Self::GoOn,
        }
    }

    /// Says the same of an answer other than the one that was expected: what was to follow may have been meant for after
    /// that one alone.
    pub fn after_unexpected(answer: Answer, exchange: LastAuth, rules: Rules) -> Self {
        match (answer.request, answer.meaning()) {
            (Some(Request::Data | Request::StartTls), Meaning::Granted)
            | (Some(Request::Auth | Request::AuthAnswer), Meaning::Challenge) => Self::End(End::OutOfStep(answer)),
            (Some(Request::Auth | Request::AuthAnswer), Meaning::Granted) if exchange != LastAuth::Whole => {
                Self::End(End::OutOfStep(answer))
            }
            _ => Self::after(answer, exchange, rules),
        }
    }
}

/// Mechanisms whose initial response is all they have to say.
const WHOLE: [&str; 4] = ["PLAIN", "EXTERNAL", "XOAUTH2", "OAUTHBEARER"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Pace;

    #[test]
    fn what_an_answer_means_for_the_lines_behind_it_depends_on_what_may_have_been_meant() {
        use LastAuth::{Cancelled, Open, Whole};
        use Request::{Auth, AuthAnswer, Data, Greeting, Mail, Quit, Rcpt, StartTls};
        let usual = Rules::new(Pace::InStep);
        let (strict, inside, stays) = (usual.ends_at_refusal(true), usual.is_in_tls(true), usual.upgrades(false));
        // The course after it, and after it where another reply was expected.
        for (request, code, exchange, rules, after, unexpected) in [
            (Some(Mail), 250, LastAuth::None, usual, "go on", "go on"),
            (Some(Mail), 550, LastAuth::None, usual, "go on", "go on"),
            (Some(Mail), 550, LastAuth::None, strict, "MAIL was refused", "MAIL was refused"),
            (Some(Mail), 450, LastAuth::None, strict, "MAIL was refused", "MAIL was refused"),
            (Some(Mail), 421, LastAuth::None, strict, "MAIL was refused", "MAIL was refused"),
            (Some(Mail), 421, LastAuth::None, usual, "the server was closing", "the server was closing"),
            (Some(Mail), 221, LastAuth::None, strict, "the server was closing", "the server was closing"),
            (None, 421, LastAuth::None, strict, "the server was closing", "the server was closing"),
            (Some(Rcpt), 354, LastAuth::None, usual, "RCPT: out of step", "RCPT: out of step"),
            (Some(Quit), 221, LastAuth::None, usual, "go on", "go on"),
            (Some(Greeting), 554, LastAuth::None, usual, "the greeting was a refusal", "the greeting was a refusal"),
            (Some(Data), 354, LastAuth::None, usual, "go on", "DATA: out of step"),
            (Some(Data), 554, LastAuth::None, usual, "skip", "skip"),
            (Some(StartTls), 220, LastAuth::None, usual, "go on", "STARTTLS: out of step"),
            (Some(StartTls), 454, LastAuth::None, usual, "STARTTLS was refused", "STARTTLS was refused"),
            (Some(StartTls), 454, LastAuth::None, inside, "go on", "go on"),
            (Some(StartTls), 454, LastAuth::None, stays, "go on", "go on"),
            (Some(Auth), 334, Open, usual, "go on", "AUTH: out of step"),
            (Some(Auth), 334, Whole, usual, "cancel", "AUTH: out of step"),
            (Some(Auth), 235, Open, usual, "go on", "AUTH: out of step"),
            (Some(Auth), 235, Whole, usual, "go on", "go on"),
            (Some(Auth), 535, Open, usual, "AUTH was refused", "AUTH was refused"),
            (Some(Auth), 535, Whole, usual, "go on", "go on"),
            (Some(AuthAnswer), 235, Open, usual, "go on", "the answer in AUTH: out of step"),
            (Some(AuthAnswer), 535, Open, usual, "AUTH was refused", "AUTH was refused"),
            (Some(AuthAnswer), 501, Cancelled, usual, "AUTH was refused", "AUTH was refused"),
            (Some(AuthAnswer), 501, Cancelled, strict, "AUTH was refused", "AUTH was refused"),
        ] {
            let answer = Answer::new(request, Code::new(code).unwrap());
            let told = |course| match course {
                Course::GoOn => "go on".to_owned(),
                Course::SkipBody => "skip".to_owned(),
                Course::Cancel => "cancel".to_owned(),
                Course::End(End::OutOfStep(answer)) => format!("{}: out of step", answer.request.unwrap()),
                Course::End(end) => end.to_string(),
            };
            let got =
                (told(Course::after(answer, exchange, rules)), told(Course::after_unexpected(answer, exchange, rules)));
            assert_eq!(got, (after.to_owned(), unexpected.to_owned()), "{answer:?}, {exchange:?}, {rules:?}");
        }
    }

    #[test]
    fn quit_is_said_where_the_server_waits_for_a_command() {
        let answer = Answer::new(Some(Request::Auth), Code::new(535).unwrap());
        for (end, says_quit, has_answer) in [
            (End::Quit, false, false),
            (End::Closing, false, false),
            (End::OutOfStep(answer), false, true),
            (End::Greeting(answer), true, true),
            (End::StartTls(answer), true, true),
            (End::Auth(answer), true, true),
            (End::Refused(answer), true, true),
        ] {
            assert_eq!((end.says_quit(), end.answer()), (says_quit, has_answer.then_some(answer)), "{end}");
        }
    }
}
