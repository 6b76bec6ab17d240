//! What can go wrong with a server.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::dialogue::{In, LastLines, SyntaxError};

/// Why a server that played a dialogue did not come to its end. [`Debug`](fmt::Debug) tells the same as
/// [`Display`](fmt::Display), with the causes, so that a test that unwraps it tells what happened.
///
/// ```
/// use mconnect_core::server::{Server, ServerError};
///
/// let error = Server::play("S: 220 hi\nC: QUIT\nS: 2yz").unwrap_err();
/// assert!(matches!(error, ServerError::Syntax(_)));
/// assert!(error.to_string().starts_with("line 3, column 4: expected a whole code, since this is sent"));
/// ```
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// No dialogue, or one that a server cannot play
    /// ([`Dialogue::require_servable`](crate::dialogue::Dialogue::require_servable)). Nothing was started.
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
    /// No client connected in time, which is how long was waited since the server was joined; or fewer than the
    /// dialogue has sessions for.
    #[error("no client came in {0:?}")]
    NoClient(Duration),
    /// The client did something else than the dialogue says, or nothing in time, or went; or a value or a file was
    /// missing that a step needs. Its message is the whole story.
    #[error("{}line {line} of the dialogue: expected `{expected}`, got {got}{}", In(file), LastLines(last_lines))]
    Deviation {
        /// The dialogue's file, if it is from one; that of the step, where it was included.
        file: Option<Arc<str>>,
        /// The number of the line in the dialogue.
        line: usize,
        /// The step, as the dialogue has it, without the secrets in it.
        expected: String,
        /// What came instead: the octets between backquotes, or words.
        got: String,
        /// The last lines of the session until then, at most 20, each after its `C: ` or `S: `.
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
