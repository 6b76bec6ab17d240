//! Opening, awaited.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use socket2::Socket;
use tokio::io::Interest;
use tokio::net::{TcpStream, lookup_host};
#[cfg(unix)]
use tokio::time::sleep;
use tokio::time::timeout;

use super::Connect;
use super::dial::{Dial, closed_here, or_reset};
use super::opening::Opened;
use crate::closer::Closer;
use crate::error::Error;
use crate::session::{AsyncSession, AsyncStream};
use crate::stream::Stream;

/// Waits by tokio.
struct Awaiting;

impl Connect {
    /// Opens as [`open`](Self::open) does, awaited: dropping the future is the end of it. The name is resolved in one
    /// of the runtime's threads for what blocks.
    ///
    /// Many servers at once, each with its own deadline:
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let servers = [mconnect_core::server::Server::start()?, mconnect_core::server::Server::start()?];
    /// # let ports = servers.each_ref().map(mconnect_core::server::Server::port);
    /// use std::time::Duration;
    ///
    /// use mconnect_core::{Connect, Error};
    ///
    /// async fn greeting(port: u16) -> Result<String, Error> {
    ///     let connect = Connect::new("127.0.0.1", port).deadline(Duration::from_secs(10));
    ///     let mut session = connect.open_async().await?;
    ///     let greeting = session.greeting().await?.to_string();
    ///     session.quit().await?;
    ///     Ok(greeting)
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let probes: Vec<_> = ports.iter().map(|port| tokio::spawn(greeting(*port))).collect();
    /// for probe in probes {
    ///     println!("{}", probe.await??);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`open`](Self::open).
    ///
    /// # Panics
    /// Outside of a runtime of tokio's, or in one without its drivers for I/O and time.
    pub async fn open_async(&self) -> Result<AsyncSession, Error> {
        self.open_async_with(&Closer::new()).await
    }

    /// Opens as [`open_with`](Self::open_with) does, awaited; the closer may be used from any thread.
    ///
    /// # Errors
    /// As [`open_with`](Self::open_with).
    ///
    /// # Panics
    /// As [`open_async`](Self::open_async).
    pub async fn open_async_with(&self, closer: &Closer) -> Result<AsyncSession, Error> {
        let Opened { stream, peer, settings } = self.open_by(&Awaiting, closer).await?;
        Ok(AsyncSession::new(stream, peer, settings, closer.clone()))
    }

    /// Begins a session over a socket that is open already, as [`over`](Self::over) does: a `TcpStream` or, on Unix, a
    /// `UnixStream` of tokio's. [`AsyncStream`] has an example.
    pub fn over_async(&self, stream: impl Into<AsyncStream>) -> AsyncSession {
        AsyncSession::new(Arc::new(stream.into()), self.peer(None), self.settings(), Closer::new())
    }
}

impl Dial for Awaiting {
    type Stream = Arc<AsyncStream>;
    type Drive = AsyncStream;

    #[cfg(unix)]
    const BLOCKS: bool = false;

    /// Resolves in one of the runtime's threads, which is left behind at the deadline: the system's resolver has none.
    async fn resolve(&self, host: &str, port: u16, patience: Duration, closer: &Closer) -> io::Result<Vec<SocketAddr>> {
        let resolved = timeout(patience, lookup_host((host, port)));
        let resolved = pin!(async { resolved.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) });
        unless_closed(closer, resolved).await.map(Vec::from_iter)
    }

    async fn connect(
        &self,
        socket: Socket,
        address: SocketAddr,
        patience: Duration,
        closer: &Closer,
    ) -> io::Result<(Self::Stream, Option<i32>)> {
        let until = Instant::now().checked_add(patience);
        socket.set_nonblocking(true)?;
        socket.connect(&address.into()).or_else(or_under_way)?;
        let stream = Arc::new(AsyncStream::from(TcpStream::from_std(socket.into())?));
        let connected = async {
            if !stream.ready(Interest::WRITABLE, until).await {
                return Err(io::ErrorKind::TimedOut.into());
            }
            or_reset(stream.system().take_error()?.map_or(Ok(()), Err))
        };
        let lost = unless_closed(closer, pin!(connected)).await?;
        Ok((stream, lost))
    }

    fn stream(stream: &Self::Stream) -> Arc<dyn Stream> {
        Arc::<AsyncStream>::clone(stream)
    }

    fn drive<'a>(&'a self, stream: &'a Self::Stream) -> &'a AsyncStream {
        stream
    }

    #[cfg(unix)]
    async fn pause(&self, time: Duration, closer: &Closer) -> io::Result<()> {
        let passed = async {
            sleep(time).await;
            Ok(())
        };
        unless_closed(closer, pin!(passed)).await
    }

    #[cfg(unix)]
    fn adopt(&self, socket: UnixStream) -> io::Result<Self::Stream> {
        socket.set_nonblocking(true)?;
        Ok(Arc::new(tokio::net::UnixStream::from_std(socket)?.into()))
    }
}

/// A socket that does not block connects while something else is done: no error. The standard library's kind for it
/// (EINPROGRESS) is not stable yet, and is told by its name.
fn or_under_way(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::WouldBlock => Ok(()),
        kind if format!("{kind:?}") == "InProgress" => Ok(()),
        _ => Err(error),
    }
}

/// Does this, unless the closer ends it.
async fn unless_closed<T>(closer: &Closer, mut work: Pin<&mut impl Future<Output = io::Result<T>>>) -> io::Result<T> {
    poll_fn(|context| {
        if let Poll::Ready(result) = work.as_mut().poll(context) {
            return Poll::Ready(result);
        }
        if closer.is_closed() {
            return Poll::Ready(Err(closed_here()));
        }
        let waker = context.waker().clone();
        closer.arm(move || waker.wake_by_ref());
        Poll::Pending
    })
    .await
}
