//! Sockets that tokio waits for, as streams that never wait: what would is told as
//! [`WouldBlock`](io::ErrorKind::WouldBlock), and is waited for by the [`Drive`] that the same socket is.

use std::future::poll_fn;
use std::io;
use std::net::{Shutdown, SocketAddr};
#[cfg(unix)]
use std::os::fd::{AsFd, BorrowedFd};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;
use tokio::time::timeout_at;

use crate::session::drive::{Drive, seen};
use crate::stream::Stream;

/// A socket of tokio's, to begin a session over ([`Connect::over_async`](crate::Connect::over_async)): a `TcpStream`
/// or, on Unix, a `UnixStream`.
///
/// ```
/// # #[cfg(unix)] {
/// # use std::io::Write as _;
/// use mconnect_core::Connect;
/// use tokio::net::UnixStream;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # let (ours, mut theirs) = std::os::unix::net::UnixStream::pair()?;
/// # ours.set_nonblocking(true)?;
/// # theirs.write_all(b"220 lmtp ready\r\n")?;
/// # let socket = UnixStream::from_std(ours)?;
/// // let socket = UnixStream::connect("/run/lmtp.sock").await?;
/// let mut session = Connect::new("lmtp.sock", 24).over_async(socket);
/// assert_eq!(session.greeting().await?.text(), b"lmtp ready");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct AsyncStream(Socket);

#[derive(Debug)]
enum Socket {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl AsyncStream {
    /// Returns the address of this end; a UNIX socket has none.
    pub(crate) fn local_address(&self) -> Option<SocketAddr> {
        match &self.0 {
            Socket::Tcp(socket) => socket.local_addr().ok(),
            #[cfg(unix)]
            Socket::Unix(_) => None,
        }
    }

    /// Returns the socket as the system has it, for what tokio does not do.
    pub(crate) fn system(&self) -> SockRef<'_> {
        match &self.0 {
            Socket::Tcp(socket) => SockRef::from(socket),
            #[cfg(unix)]
            Socket::Unix(socket) => SockRef::from(socket),
        }
    }

    /// Waits until the socket may do something, or until this time, and says whether it is to be asked again.
    pub(crate) async fn ready(&self, interest: Interest, until: Option<Instant>) -> bool {
        let Some(until) = until else { return poll_fn(|context| self.poll_ready(interest, context)).await };
        let ready = poll_fn(|context| match self.poll_ready(interest, context) {
            Poll::Ready(true) => Poll::Ready(()),
            // The runtime that the socket was made in is no more: nothing will ever be told.
            Poll::Ready(false) | Poll::Pending => Poll::Pending,
        });
        timeout_at(until.into(), ready).await.is_ok()
    }

    /// Asks for one of these, and says whether the runtime could: the futures that tokio has for that are larger than all
    /// else that a session's keep, and this one is none.
    fn poll_ready(&self, interest: Interest, context: &mut Context<'_>) -> Poll<bool> {
        let reads = |context: &mut Context<'_>| match &self.0 {
            Socket::Tcp(socket) => socket.poll_read_ready(context),
            #[cfg(unix)]
            Socket::Unix(socket) => socket.poll_read_ready(context),
        };
        let writes = |context: &mut Context<'_>| match &self.0 {
            Socket::Tcp(socket) => socket.poll_write_ready(context),
            #[cfg(unix)]
            Socket::Unix(socket) => socket.poll_write_ready(context),
        };
        let readable = if interest.is_readable() { reads(context) } else { Poll::Pending };
        match readable {
            Poll::Pending if interest.is_writable() => writes(context),
            readable => readable,
        }
        .map(|told| told.is_ok())
    }
}

impl From<TcpStream> for AsyncStream {
    fn from(socket: TcpStream) -> Self {
        Self(Socket::Tcp(socket))
    }
}

#[cfg(unix)]
impl From<UnixStream> for AsyncStream {
    fn from(socket: UnixStream) -> Self {
        Self(Socket::Unix(socket))
    }
}

impl Drive for AsyncStream {
    fn is_readable(&self, _: &dyn Stream) -> io::Result<bool> {
        seen(&self.system(), |socket| socket.peek(&mut [std::mem::MaybeUninit::uninit()]))
    }

    async fn readable(&self, until: Option<Instant>) -> bool {
        self.ready(Interest::READABLE, until).await
    }

    async fn writable(&self, or_readable: bool, until: Option<Instant>) -> bool {
        let interest = if or_readable { Interest::READABLE | Interest::WRITABLE } else { Interest::WRITABLE };
        self.ready(interest, until).await
    }
}

/// Nothing here waits: what would is told, and is waited for by the session.
impl Stream for AsyncStream {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Socket::Tcp(socket) => socket.try_read(buffer),
            #[cfg(unix)]
            Socket::Unix(socket) => socket.try_read(buffer),
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Socket::Tcp(socket) => socket.try_write(bytes),
            #[cfg(unix)]
            Socket::Unix(socket) => socket.try_write(bytes),
        }
    }

    fn set_read_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn half_close(&self) -> io::Result<()> {
        self.system().shutdown(Shutdown::Write)
    }

    fn shutdown(&self) -> io::Result<()> {
        self.system().shutdown(Shutdown::Both)
    }

    #[cfg(unix)]
    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(match &self.0 {
            Socket::Tcp(socket) => socket.as_fd(),
            Socket::Unix(socket) => socket.as_fd(),
        })
    }
}
