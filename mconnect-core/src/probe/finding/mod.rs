//! Something that is to be said of a domain's mail, as plain data.

mod code;

use std::fmt;
use std::net::IpAddr;

pub use code::FindingCode;

/// Something that is to be said of a domain's mail.
///
/// [`Display`](fmt::Display) writes its sentence and what to do: `mx2.example.org does not offer STARTTLS: offer it at
/// every address of every exchanger`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProbeFinding {
    /// How grave it is.
    pub gravity: Gravity,
    /// What it is, for programs to tell apart.
    pub code: FindingCode,
    /// What it is, in a sentence; what servers and zones say is made visible in it.
    pub what: String,
    /// What shows it, made visible and on one line; empty where the sentence says it all.
    pub evidence: String,
    /// What to do about it.
    pub advice: &'static str,
    /// The exchanger that it is about, if it is about one.
    pub exchanger: Option<String>,
    /// The addresses that it is about; none if it is about all of them, or not about addresses.
    pub addresses: Vec<IpAddr>,
}

/// How grave a finding is. The graver one is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Gravity {
    /// It is good to know.
    Note,
    /// It goes well, and not for all, or not for long.
    Warning,
    /// Mail does not arrive, or not from everybody.
    Failure,
}

impl fmt::Display for ProbeFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.advice)
    }
}

impl fmt::Display for Gravity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Failure => "failure",
        })
    }
}
