//! What can go wrong with a server.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::dialogue::SyntaxError;
use crate::protocol::Visible;

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
    #[error("{}line {line} of the dialogue: expected `{expected}`, got {got}{}", InFile(file), Lines(last_lines))]
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

/// The beginning of a message that names the file, if there is one.
struct InFile<'a>(&'a Option<Arc<str>>);

impl fmt::Display for InFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |file| write!(f, "{}: ", Visible(file.as_bytes())))
    }
}

/// The end of a message that shows what went before.
struct Lines<'a>(&'a [String]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty() {
            f.write_str("\nthe last lines of the session:")?;
        }
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}
