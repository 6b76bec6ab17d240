//! What a receiver can do besides receiving.

use std::io;
use std::sync::Arc;

use super::{Server, ServerError};
use crate::stream::Stream;

/// A receiver with more than the plain one has. The features `tls` and `auth` add the methods that say what.
#[derive(Clone, Default)]
pub struct Setup {
    pub(super) tls: Option<Arc<dyn Accept>>,
    pub(super) is_tls_first: bool,
    pub(super) auth: Option<Arc<dyn Gate>>,
}

/// The server's side of TLS.
pub(super) trait Accept: Send + Sync {
    /// Shakes hands.
    fn accept(&self, stream: Arc<dyn Stream>) -> io::Result<Arc<dyn Stream>>;

    /// Ends the connection.
    fn end(&self, stream: &dyn Stream) -> io::Result<()>;
}

/// The server's side of AUTH.
pub(super) trait Gate: Send + Sync {
    /// Gives the names of the mechanisms, as EHLO has them.
    fn mechanisms(&self) -> &str;

    /// Begins an exchange; nothing if there is no such mechanism.
    fn begin(&self, mechanism: &[u8]) -> Option<Box<dyn Exchange>>;
}

/// One exchange.
pub(super) trait Exchange {
    /// Says what to do after an answer of the client's, in base64; the first one may be missing.
    fn step(&mut self, answer: Option<&[u8]>) -> Step;
}

#[cfg_attr(not(feature = "auth"), allow(dead_code, reason = "nobody begins an exchange then"))]
pub(super) enum Step {
    /// A challenge, in base64.
    Challenge(String),
    Granted,
    Refused,
    Malformed,
}

impl Setup {
    /// Begins with what the plain receiver has.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a receiver like this.
    ///
    /// # Errors
    /// [`ServerError::Io`] if the system does not let it listen.
    pub fn start(self) -> Result<Server, ServerError> {
        Server::receive(self)
    }
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup").field("is_tls_first", &self.is_tls_first).finish_non_exhaustive()
    }
}
