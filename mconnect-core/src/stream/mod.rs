//! What a session needs of a transport: a little more than reading and writing.
//!
//! ```text
//!               ┌ TcpStream, UnixStream      the system keeps the timeouts
//!   Stream ─────┼ Pair(reader, writer)       no timeouts
//!               ├ TlsStream over a Stream    those of the one below
//!               └ AsyncStream                never waits: tokio does
//! ```

mod pair;

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use pair::Pair;

/// A two-way stream of bytes that two threads use at once, one in each direction, and that a third can shut down.
///
/// It blocks: a socket set to be non-blocking would be asked again and again. Reads and writes that take longer than their
/// timeout fail with [`WouldBlock`](io::ErrorKind::WouldBlock) or
/// [`TimedOut`](io::ErrorKind::TimedOut).
///
/// `TcpStream` and, on Unix, `UnixStream` are streams as they are; a [`Pair`] makes one of any reader and writer; with the
/// feature `tls`, `tls::TlsStream` is one over another. One of your own has to keep its timeouts, so that deadlines hold,
/// and has to let [`shutdown`](Self::shutdown) end what waits, so that a [`Closer`](crate::Closer) works. This one counts:
///
/// ```
/// # #[cfg(feature = "server")] {
/// use std::io;
/// use std::net::TcpStream;
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use std::time::Duration;
///
/// use mconnect_core::{Session, Stream, server::Server};
///
/// struct Counted(TcpStream, Arc<AtomicUsize>);
///
/// impl Stream for Counted {
///     fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
///         Stream::read(&self.0, buffer).inspect(|count| drop(self.1.fetch_add(*count, Ordering::Relaxed)))
///     }
///     fn write(&self, bytes: &[u8]) -> io::Result<usize> {
///         Stream::write(&self.0, bytes)
///     }
///     fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
///         self.0.set_read_timeout(timeout)
///     }
///     fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
///         self.0.set_write_timeout(timeout)
///     }
///     fn half_close(&self) -> io::Result<()> {
///         self.0.half_close()
///     }
///     fn shutdown(&self) -> io::Result<()> {
///         Stream::shutdown(&self.0)
///     }
/// }
///
/// let (server, count) = (Server::start()?, Arc::new(AtomicUsize::new(0)));
/// let stream = Counted(TcpStream::connect(server.address())?, Arc::clone(&count));
/// let mut session = Session::from_stream(stream, "a counted server");
/// let greeting = session.greeting()?;
/// assert_eq!(count.load(Ordering::Relaxed), greeting.raw().len());
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "transport")]
#[doc(alias = "socket")]
pub trait Stream: Send + Sync {
    /// Reads some bytes; none at the end of the stream. [`Interrupted`](io::ErrorKind::Interrupted) is no failure: it
    /// is called again.
    ///
    /// # Errors
    /// What the transport says, or that the timeout passed. A [`Truncation`] says that the end was not an orderly one.
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes some of the bytes and returns how many; what is returned has gone out, or will without further calls.
    ///
    /// # Errors
    /// What the transport says, or that the timeout passed: with none of these bytes written, then, or as if it were so
    /// (the same are handed over again).
    fn write(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Limits each later read; `None` lets it wait. It need have no effect on a read that waits already.
    ///
    /// # Errors
    /// What the transport says.
    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// Limits each later write; `None` lets it wait. It is never zero.
    ///
    /// # Errors
    /// What the transport says.
    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()>;

    /// Ends the sending side: the other end reads everything sent, and then the end of the stream.
    ///
    /// # Errors
    /// What the transport says.
    fn half_close(&self) -> io::Result<()>;

    /// Ends both directions at once. Reads and writes that wait in other threads return. It is called by a
    /// [`Closer`](crate::Closer), from any thread, perhaps more than once.
    ///
    /// # Errors
    /// What the transport says.
    fn shutdown(&self) -> io::Result<()>;

    /// Ends TLS, if this is TLS, and returns a stream that goes on in the clear. The farewell is sent or, if `awaits`, read
    /// and answered, with what timeouts there are; after what else was sent.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) if this is no TLS; what the transport says;
    /// [`InvalidData`](io::ErrorKind::InvalidData) if something else comes than the farewell.
    fn end_tls(&self, awaits: bool) -> io::Result<Arc<dyn Stream>> {
        let _ = awaits;
        Err(io::Error::new(io::ErrorKind::Unsupported, "TLS was not started"))
    }

    /// Ends the sending side as [`half_close`](Self::half_close) does, but without the farewell of TLS, if this is TLS:
    /// for tests of those who read.
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) if this is no TLS; what the transport says.
    fn truncate(&self, how: Truncation) -> io::Result<()> {
        let _ = how;
        Err(io::Error::new(io::ErrorKind::Unsupported, "TLS was not started"))
    }

    /// Returns what an authentication over this stream can be bound to.
    fn channel_bindings(&self) -> ChannelBindings {
        ChannelBindings::default()
    }

    /// Says whether [`read`](Self::read) has something to give that was received before, or has to report, so that the
    /// descriptor does not tell of it.
    fn has_received(&self) -> bool {
        false
    }

    /// Returns the descriptor that is readable when [`read`](Self::read) may have something, if there is one.
    #[cfg(unix)]
    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// What an authentication can be bound to ([RFC 5056](https://www.rfc-editor.org/rfc/rfc5056)), so that it is worth nothing
/// to somebody who relays it: what both ends of one TLS connection know of it, under the names that these have there.
///
/// [`Debug`](fmt::Debug) shows the names alone. Both are empty outside of TLS.
#[doc(alias = "tls-exporter")]
#[doc(alias = "tls-server-end-point")]
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct ChannelBindings {
    /// `tls-exporter` ([RFC 9266](https://www.rfc-editor.org/rfc/rfc9266)), of TLS 1.3: 32 octets of its keys.
    pub tls_exporter: Option<Vec<u8>>,
    /// `tls-server-end-point` ([RFC 5929, section 4](https://www.rfc-editor.org/rfc/rfc5929#section-4)): a hash of the
    /// server's certificate.
    pub tls_server_end_point: Option<Vec<u8>>,
}

impl ChannelBindings {
    /// Returns each that there is, with its name, the better ones first.
    ///
    /// ```
    /// use mconnect_core::ChannelBindings;
    ///
    /// let mut bindings = ChannelBindings::default();
    /// assert_eq!(bindings.iter().count(), 0);
    /// bindings.tls_server_end_point = Some(vec![7; 32]);
    /// assert_eq!(bindings.iter().next(), Some(("tls-server-end-point", &[7; 32][..])));
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &[u8])> {
        let all = [("tls-exporter", &self.tls_exporter), ("tls-server-end-point", &self.tls_server_end_point)];
        all.into_iter().filter_map(|(name, data)| Some((name, data.as_deref()?)))
    }
}

impl fmt::Debug for ChannelBindings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

/// A socket of the standard library is a stream as it is.
macro_rules! socket {
    ($socket:ty) => {
        impl Stream for $socket {
            fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
                (&mut &*self).read(buffer)
            }

            fn write(&self, bytes: &[u8]) -> io::Result<usize> {
                (&mut &*self).write(bytes)
            }

            fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.set_read_timeout(timeout)
            }

            fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
                self.set_write_timeout(timeout)
            }

            fn half_close(&self) -> io::Result<()> {
                self.shutdown(Shutdown::Write)
            }

            fn shutdown(&self) -> io::Result<()> {
                self.shutdown(Shutdown::Both)
            }

            #[cfg(unix)]
            fn as_fd(&self) -> Option<BorrowedFd<'_>> {
                Some(AsFd::as_fd(self))
            }
        }
    };
}

socket!(TcpStream);
#[cfg(unix)]
socket!(std::os::unix::net::UnixStream);

/// How a connection inside TLS ended without the farewell that TLS has, its close_notify: the error, of kind
/// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof), of a read from a [`Stream`] then.
///
/// ```
/// use std::io;
///
/// use mconnect_core::Truncation;
///
/// // A TLS of one's own says so.
/// let error = io::Error::from(Truncation::InsideRecord);
/// assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
/// assert_eq!(Truncation::of(&error), Some(Truncation::InsideRecord));
/// assert_eq!(Truncation::of(&io::ErrorKind::UnexpectedEof.into()), None);
/// ```
#[doc(alias = "close_notify")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Truncation {
    /// After a whole record.
    #[error("the connection ended without TLS's close_notify")]
    BetweenRecords,
    /// Inside a record.
    #[error("the connection was cut off inside a record of TLS")]
    InsideRecord,
}

impl Truncation {
    /// Returns how the connection ended, if this error says it.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl From<Truncation> for io::Error {
    fn from(how: Truncation) -> Self {
        Self::new(io::ErrorKind::UnexpectedEof, how)
    }
}

/// Says whether a stream was only not ready in time. A time-out that Unix itself tells is none: what was sent was never
/// acknowledged, and the connection is lost by that.
pub(crate) fn is_nothing_yet(error: &io::Error) -> bool {
    match error.kind() {
        io::ErrorKind::TimedOut => cfg!(not(unix)) || error.raw_os_error().is_none(),
        kind => kind == io::ErrorKind::WouldBlock,
    }
}

/// Returns the time left, at least a millisecond of it: the system takes no timeout of zero.
pub(crate) fn left(deadline: Option<Instant>) -> io::Result<Option<Duration>> {
    let Some(deadline) = deadline else { return Ok(None) };
    match deadline.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
        left => Ok(Some(left.max(LEAST_TIMEOUT))),
    }
}

/// A timeout of zero would be none at all, or an error.
pub(crate) const LEAST_TIMEOUT: Duration = Duration::from_millis(1);
