//! Reply codes and enhanced status codes.
//!
//! ```text
//!   550 5.1.1 no such mailbox
//!   │   │ │ └ detail: the mailbox          EnhancedCode
//!   │   │ └── subject: addressing
//!   │   └──── class: permanent failure, as the code's first digit has it
//!   └──────── Code; its first digit is the Severity
//! ```

use std::fmt;
use std::str::FromStr;

/// A reply code: three digits, from 000 to 999
/// ([RFC 5321, section 4.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.2)). Servers send codes that no RFC has,
/// and so any three digits are one.
///
/// It compares with numbers, is read from its three digits, and is ordered as numbers are.
///
/// ```
/// use mconnect_core::protocol::{Code, Severity};
///
/// let code: Code = "451".parse()?;
/// assert_eq!(code, 451);
/// assert_eq!(code.severity(), Severity::Transient);
/// assert!(code < Code::try_from(550)? && "45".parse::<Code>().is_err() && Code::try_from(1000).is_err());
/// # Ok::<(), mconnect_core::protocol::InvalidCode>(())
/// ```
///
/// What a code means depends on what was asked: [`Meaning`](super::Meaning) says whether it grants that,
/// [`explain`](super::explain) has it in words.
#[doc(alias = "status code")]
#[doc(alias = "reply code")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u16);

impl Code {
    /// 220, the greeting, and the reply to STARTTLS that lets TLS begin.
    pub const READY: Self = Self(220);
    /// 221, the reply to QUIT.
    pub const CLOSING: Self = Self(221);
    /// 235, the reply to AUTH, or to an answer in it, that grants it.
    pub const AUTHENTICATED: Self = Self(235);
    /// 334, the reply to AUTH and to an answer in it that asks for one more.
    pub const CHALLENGE: Self = Self(334);
    /// 354, the reply to DATA that asks for the body.
    pub const START_BODY: Self = Self(354);
    /// 421, the reply to anything of a server that is about to close.
    pub const NOT_AVAILABLE: Self = Self(421);

    /// Returns the code of this number; none of one above 999. A constant of one's own is made so:
    ///
    /// ```
    /// use mconnect_core::protocol::Code;
    ///
    /// const NULL_MX: Code = Code::new(556).unwrap();
    /// assert_eq!(NULL_MX.to_string(), "556");
    /// ```
    pub const fn new(number: u16) -> Option<Self> {
        if number <= 999 { Some(Self(number)) } else { None }
    }

    /// Reads three digits; none if one of them is not.
    pub(super) fn of_digits(digits: &[u8; 3]) -> Option<Self> {
        number(digits).map(Self)
    }

    /// Returns the code as a number from 0 to 999.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Says whether it is a 4yz: not now, but trying again later may help. For a whole error,
    /// [`Error::is_temporary`](crate::Error::is_temporary) knows more.
    #[must_use]
    pub const fn is_temporary(self) -> bool {
        matches!(self.severity(), Severity::Transient)
    }

    /// Returns what the first digit says. It does not say whether what was asked is granted: a 250 to DATA is a
    /// completion, and opens no body.
    pub const fn severity(self) -> Severity {
        match self.0 / 100 {
            2 => Severity::Completion,
            3 => Severity::Intermediate,
            4 => Severity::Transient,
            5 => Severity::Permanent,
            _ => Severity::Other,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.0)
    }
}

impl PartialEq<u16> for Code {
    fn eq(&self, number: &u16) -> bool {
        self.0 == *number
    }
}

impl PartialEq<Code> for u16 {
    fn eq(&self, code: &Code) -> bool {
        *self == code.0
    }
}

impl From<Code> for u16 {
    fn from(code: Code) -> Self {
        code.0
    }
}

impl TryFrom<u16> for Code {
    type Error = InvalidCode;

    fn try_from(number: u16) -> Result<Self, InvalidCode> {
        Self::new(number).ok_or(InvalidCode(()))
    }
}

impl FromStr for Code {
    type Err = InvalidCode;

    /// Reads three digits, and nothing before or after them.
    fn from_str(text: &str) -> Result<Self, InvalidCode> {
        text.as_bytes().try_into().ok().and_then(Self::of_digits).ok_or(InvalidCode(()))
    }
}

/// A text or a number is no [`Code`] or [`EnhancedCode`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("that is no reply code, such as 250, and no enhanced status code, such as 5.1.1")]
pub struct InvalidCode(());

/// What the first digit of a reply code says
/// ([RFC 5321, section 4.2.1](https://www.rfc-editor.org/rfc/rfc5321#section-4.2.1)).
/// [`Reply::require_severity`](super::Reply::require_severity) asks for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use]
pub enum Severity {
    /// 2yz, positive completion: done.
    Completion,
    /// 3yz, positive intermediate: more is wanted.
    Intermediate,
    /// 4yz, transient negative completion: not now.
    Transient,
    /// 5yz, permanent negative completion: not so.
    Permanent,
    /// A first digit that SMTP does not use: 0, 1, 6 to 9.
    Other,
}

/// An enhanced status code such as 5.1.1 ([RFC 2034, section 4](https://www.rfc-editor.org/rfc/rfc2034#section-4),
/// [RFC 3463, section 2](https://www.rfc-editor.org/rfc/rfc3463#section-2)). A server that offers ENHANCEDSTATUSCODES
/// begins the text of its replies with one, but for those to EHLO and HELO.
///
/// ```
/// use mconnect_core::protocol::EnhancedCode;
///
/// let code: EnhancedCode = "5.1.1".parse()?;
/// assert_eq!((code.class, code.subject, code.detail), (5, 1, 1));
/// assert_eq!(EnhancedCode::parse(b"5.1.1 no such mailbox"), Some(code));
/// # Ok::<(), mconnect_core::protocol::InvalidCode>(())
/// ```
///
/// | subject | about | |
/// |---|---|---|
/// | 1 | addressing | `5.1.1` the mailbox does not exist |
/// | 2 | the mailbox | `4.2.2` it is full |
/// | 3 | the mail system | `5.3.4` the message is too large for it |
/// | 4 | the network | `4.4.2` the connection was bad |
/// | 5 | the protocol | `5.5.1` the command comes at the wrong time |
/// | 6 | the message | `5.6.7` an address is not ASCII |
/// | 7 | security, policy | `5.7.1` not authorized |
#[doc(alias = "DSN")]
#[doc(alias = "enhanced status code")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct EnhancedCode {
    /// 2, 4 or 5: success, persistent transient failure, permanent failure.
    pub class: u8,
    /// What it is about: addressing, mailbox, mail system and so on; at most 999.
    pub subject: u16,
    /// What it is, within the subject; at most 999.
    pub detail: u16,
}

impl EnhancedCode {
    /// Returns the code of these numbers; none if the class is not 2, 4 or 5, or one of the others is above 999.
    pub const fn new(class: u8, subject: u16, detail: u16) -> Option<Self> {
        match (class, subject, detail) {
            (2 | 4 | 5, ..=999, ..=999) => Some(Self { class, subject, detail }),
            _ => None,
        }
    }

    /// Reads the code that `text` begins with, if it is followed by white space or the end. Each number has one to
    /// three digits.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let word = text.split(u8::is_ascii_whitespace).next()?;
        let mut parts = word.split(|byte| *byte == b'.');
        let (class, subject, detail) = (parts.next()?, parts.next()?, parts.next()?);
        let class = match class {
            [class @ (b'2' | b'4' | b'5')] => class - b'0',
            _ => return None,
        };
        match (number(subject), number(detail), parts.next()) {
            (Some(subject), Some(detail), None) => Some(Self { class, subject, detail }),
            _ => None,
        }
    }
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

impl FromStr for EnhancedCode {
    type Err = InvalidCode;

    /// Reads a whole text; [`parse`](Self::parse) reads what one begins with.
    fn from_str(text: &str) -> Result<Self, InvalidCode> {
        let is_whole = !text.contains(|c: char| c.is_ascii_whitespace());
        Self::parse(text.as_bytes()).filter(|_| is_whole).ok_or(InvalidCode(()))
    }
}

/// Reads one to three digits.
fn number(digits: &[u8]) -> Option<u16> {
    match digits {
        [] | [_, _, _, _, ..] => None,
        _ => digits.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u16::from(digit - b'0'))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_read_as_it_is_written() {
        for number in 0..=999 {
            let code = Code::try_from(number).unwrap();
            assert_eq!(code.to_string().parse(), Ok(code));
            assert_eq!(u16::from(code), number);
            assert_eq!(code, number);
            assert_eq!(number, code);
            assert_ne!(code, number + 1);
            assert_ne!(number + 1, code);
        }
        for text in ["", "25", "2500", "+25", "2 0", "25z", "٢٥٠", "250 "] {
            assert!(text.parse::<Code>().is_err(), "{text:?}");
        }
        assert!(Code::try_from(1000).is_err());
    }

    #[test]
    fn an_enhanced_code_is_read_as_it_is_written() {
        for code in [EnhancedCode::new(2, 0, 0), EnhancedCode::new(4, 7, 1), EnhancedCode::new(5, 999, 999)] {
            assert_eq!(code.unwrap().to_string().parse(), Ok(code.unwrap()));
        }
        for text in ["", "5", "5.1", "5.1.1.1", "3.1.1", "5..1", "5.1.1000", "5.1.1 x", " 5.1.1", "5.1.+1"] {
            assert!(text.parse::<EnhancedCode>().is_err(), "{text:?}");
        }
        let none = [EnhancedCode::new(3, 1, 1), EnhancedCode::new(5, 1000, 1), EnhancedCode::new(5, 1, 1000)];
        assert_eq!(none, [None; 3]);
    }

    #[test]
    fn the_first_digit_says_how_it_went() {
        use Severity::{Completion, Intermediate, Other, Permanent, Transient};
        for number in 0..=999 {
            let expected = match number {
                200..=299 => Completion,
                300..=399 => Intermediate,
                400..=499 => Transient,
                500..=599 => Permanent,
                _ => Other,
            };
            let code = Code::new(number).unwrap();
            assert_eq!((code.severity(), code.is_temporary()), (expected, expected == Transient), "{code}");
        }
    }
}
