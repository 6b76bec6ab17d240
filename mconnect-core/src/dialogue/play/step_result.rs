//! What a step came to.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::Verdict;
use crate::error::Error;
use crate::protocol::{Reply, Visible};

/// A verdict, in which words it is told, and the reply that it rests on.
pub(super) struct StepResult {
    pub verdict: Verdict,
    pub got: String,
    pub reply: Option<Reply>,
    /// What the session said, if that was the matter.
    pub error: Option<Arc<Error>>,
}

impl StepResult {
    /// It went as expected; what came is told all the same.
    pub fn met(got: impl Into<String>) -> Self {
        Self { verdict: Verdict::Met, got: got.into(), reply: None, error: None }
    }

    /// It did not, in this way.
    pub fn not(verdict: Verdict, got: impl Into<String>) -> Self {
        Self { verdict, got: got.into(), reply: None, error: None }
    }

    /// The connection broke, or could not go on.
    pub fn broken(error: Error) -> Self {
        Self::not(Verdict::Closed, format!("an error: {}", error.chain())).because(error)
    }

    /// Adds the error that is the cause.
    pub fn because(self, error: Error) -> Self {
        Self { error: Some(Arc::new(error)), ..self }
    }

    /// The deadline passed, after some bytes of what was awaited.
    pub fn late(before: &[u8], patience: Duration) -> Self {
        let what = match before {
            [] => "nothing".to_owned(),
            partial => format!("only `{}`", Visible(partial)),
        };
        Self::not(Verdict::TooLate, format!("{what} in {patience:?}"))
    }

    /// The deadline passed, or the connection broke; some bytes of what was awaited may have been there before.
    pub fn late_or_broken(error: Error, before: &[u8], patience: Duration) -> Self {
        match &error {
            Error::Timeout { partial, .. } => Self::late(&[before, partial].concat(), patience).because(error),
            _ => Self::broken(error),
        }
    }

    /// The stream ended, after some bytes of what was awaited.
    pub fn closed_after(partial: &[u8]) -> Self {
        let got = match partial {
            [] => "the end of the stream".to_owned(),
            partial => format!("`{}` and the end of the stream", Visible(partial)),
        };
        Self::not(Verdict::Closed, got)
    }

    /// There is nobody left to talk to.
    pub fn closed_here() -> Self {
        Self::not(Verdict::Impossible, "no session: the dialogue has closed it")
    }

    /// A name stands for nothing.
    pub fn no_value(name: &str) -> Self {
        Self::not(Verdict::Impossible, format!("${{{name}}} has no value"))
    }
}

/// Says whether the other end has reset the connection; a write may be the first to notice, by a broken pipe.
pub(super) fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}
