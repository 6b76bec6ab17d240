//! What waits on the way to a connection, in calls that block or by tokio.

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use socket2::Socket;

use crate::closer::Closer;
use crate::session::drive::Drive;
use crate::stream::Stream;

/// What opening waits for: done by calls that block, and by tokio.
pub(super) trait Dial {
    type Stream;
    type Drive: Drive;

    /// Whoever drops a session may be kept waiting.
    #[cfg(unix)]
    const BLOCKS: bool;

    /// Resolves a name, at most this long, unless the closer ends it.
    async fn resolve(&self, host: &str, port: u16, timeout: Duration, closer: &Closer) -> io::Result<Vec<SocketAddr>>;

    /// Connects a socket that is bound already, at most this long, unless the closer ends it. Says how the connection
    /// was lost meanwhile, too, if it was.
    async fn connect(
        &self,
        socket: Socket,
        address: SocketAddr,
        timeout: Duration,
        closer: &Closer,
    ) -> io::Result<(Self::Stream, Option<i32>)>;

    /// Returns the stream as the session has it.
    fn stream(stream: &Self::Stream) -> Arc<dyn Stream>;

    /// Returns what waits for it.
    fn drive<'a>(&'a self, stream: &'a Self::Stream) -> &'a Self::Drive;

    /// Lets this time pass, unless the closer ends it.
    #[cfg(unix)]
    async fn pause(&self, time: Duration, closer: &Closer) -> io::Result<()>;

    /// Takes a socket that is connected.
    #[cfg(unix)]
    fn adopt(&self, socket: UnixStream) -> io::Result<Self::Stream>;
}

/// Takes a connection that was reset for one that was open: only such a one can be, and the server may have spoken
/// before. The error is returned by its number, since the system does not tell it again.
pub(super) fn or_reset(connected: io::Result<()>) -> io::Result<Option<i32>> {
    match connected {
        Ok(()) => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(error.raw_os_error()),
        Err(error) => Err(error),
    }
}

/// The error of what a [`Closer`] ended before there was a session.
pub(super) fn closed_here() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "closed from this side")
}

/// Longer than anybody waits, and short enough for every system's calls.
pub(super) const MOST_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);
