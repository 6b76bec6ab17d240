//! Reply codes and enhanced status codes.

use std::fmt;

/// A reply code: three digits, from 000 to 999
/// ([RFC 5321, section 4.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.2)).
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

    /// Gives the code of this number, none above 999.
    pub const fn new(number: u16) -> Option<Self> {
        if number <= 999 { Some(Self(number)) } else { None }
    }

    /// Gives the code as a number from 0 to 999.
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Gives what the first digit says.
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

/// What the first digit of a reply code says
/// ([RFC 5321, section 4.2.1](https://www.rfc-editor.org/rfc/rfc5321#section-4.2.1)).
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
    /// A first digit that SMTP does not use.
    Other,
}

/// An enhanced status code such as 5.1.1
/// ([RFC 2034, section 4](https://www.rfc-editor.org/rfc/rfc2034#section-4),
/// [RFC 3463, section 2](https://www.rfc-editor.org/rfc/rfc3463#section-2)).
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

    /// Reads the code that `text` begins with, if it is followed by white space or the end.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let word = text.split(u8::is_ascii_whitespace).next()?;
        let mut parts = word.split(|byte| *byte == b'.');
        let (class, subject, detail) = (parts.next()?, parts.next()?, parts.next()?);
        let class = match class {
            [class @ (b'2' | b'4' | b'5')] => class - b'0',
            _ => return None,
        };
        let number = |digits: &[u8]| match digits {
            [] | [_, _, _, _, ..] => None,
            _ => digits
                .iter()
                .try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + u16::from(digit - b'0'))),
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
