//! What a step came to.

use std::io;
use std::sync::Arc;

use super::Verdict;
use crate::dialogue::values::no_value;
use crate::error::Error;
use crate::protocol::Reply;

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

    /// There is nobody left to talk to.
    pub fn closed_here() -> Self {
        Self::not(Verdict::Impossible, "no session: the dialogue has closed it")
    }

    /// A name stands for nothing.
    pub fn no_value(name: &str) -> Self {
        Self::not(Verdict::Impossible, no_value(name))
    }
}

/// Says whether the other end has reset the connection; a write may be the first to notice, by a broken pipe.
pub(super) fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}
