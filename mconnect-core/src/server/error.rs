//! What can go wrong with a server.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::dialogue::SyntaxError;
use crate::protocol::Visible;

/// Why a server that played a dialogue did not come to its end. [`Debug`](fmt::Debug) tells the same as
/// [`Display`](fmt::Display), with the causes, so that a test that unwraps it tells what happened.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// No dialogue.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// The system did not let it listen, read or write.
    #[error("the server cannot {action}")]
    Io {
        /// What it could not do.
        action: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// No client connected in time.
    #[error("no client came in {0:?}")]
    NoClient(Duration),
    /// The client did something else than the dialogue says.
    #[error("{}line {line} of the dialogue: expected `{expected}`, got {got}{}", InFile(file), Lines(last_lines))]
    Deviation {
        /// The dialogue's file, if it is from one.
        file: Option<Arc<str>>,
        /// The number of the line in the dialogue.
        line: usize,
        /// The step.
        expected: String,
        /// What came instead.
        got: String,
        /// The last lines of the session until then.
        last_lines: Vec<String>,
    },
}

impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)?;
        match std::error::Error::source(self) {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

struct InFile<'a>(&'a Option<Arc<str>>);

impl fmt::Display for InFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |file| write!(f, "{}: ", Visible(file.as_bytes())))
    }
}

struct Lines<'a>(&'a [String]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty() {
            f.write_str("\nthe last lines of the session:")?;
        }
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}
