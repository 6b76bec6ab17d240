//! Sessions that are awaited: the same exchanges, over sockets that tokio waits for.
//!
//! An [`AsyncSession`] is a [`Session`] over an [`AsyncStream`], and that stream once more as the
//! [`Drive`](super::Drive) of its futures. What is here is the list of them; what they do is in the other files of this
//! folder.

mod stream;

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::ready;
use std::time::Instant;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::timeout_at;

pub use self::stream::AsyncStream;

use super::exchange::MOST_UNANSWERED;
use super::message::{BLOCK, Source};
use super::{Hello, MessageReply, Session, Settings};
use crate::closer::Closer;
use crate::error::{Error, Peer};
use crate::protocol::{ClientAttribute, Delivery, Envelope, Reply, ReplyLine};

/// A session with an SMTP server that is awaited, in a runtime of [tokio](https://docs.rs/tokio)
/// ([`Connect::open_async`](crate::Connect::open_async)). Its methods do what those of [`Session`] do, with the same
/// values, errors and deadlines; what takes no waiting is asked of that itself: [`extensions`](Session::extensions),
/// [`standing`](Session::standing), [`closer`](Session::closer).
///
/// ```
/// # #[cfg(feature = "server")] {
/// # let server = mconnect_core::server::Server::start()?;
/// use mconnect_core::Connect;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let mut session = Connect::new("127.0.0.1", server.port()).open_async().await?;
/// session.greeting().await?.require(220)?;
/// session.hello("client.example").await?.require()?;
/// assert!(session.extensions().is_some_and(|extensions| extensions.has("PIPELINING")));
/// session.quit().await?.require(221)?;
/// # Ok::<(), mconnect_core::Error>(())
/// # })?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Dropping a future
/// A future that is dropped before its end, by a `select!` or a timeout, leaves a session that knows it.
///
/// | it was | the session then |
/// |---|---|
/// | about to send | goes on as if nothing had been |
/// | awaiting a reply | has that reply due: the next command is [out of step](Error::OutOfStep), and [`read_reply`](Self::read_reply) goes on |
/// | sending | fails every further call with [`Error::Unfinished`]; it can only be closed, best by [`reset`](Self::reset) |
/// | awaiting more of a message, of which a part is out | fails a further [`message`](Self::message) with [`Error::Unfinished`] |
///
/// A timeout is better set here, by [`Timeouts`](crate::Timeouts) and [`set_deadline`](Self::set_deadline): the error
/// says then what was awaited.
///
/// ```
/// # #[cfg(feature = "server")] {
/// # let server = mconnect_core::server::Server::play("S: 220 hi\nC: NOOP\nC: NOOP\nS: 250\nS: 250\nC: QUIT\nS: 221")?;
/// use std::time::Duration;
///
/// use mconnect_core::{Connect, Error};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let mut session = Connect::new("127.0.0.1", server.port()).open_async().await?;
/// session.greeting().await?;
/// // This server answers two commands together: the first is given up, and its reply is still due.
/// assert!(tokio::time::timeout(Duration::from_millis(50), session.command("NOOP")).await.is_err());
/// assert!(matches!(session.command("NOOP").await, Err(Error::OutOfStep { outstanding: 1, .. })));
/// session.send_line("NOOP").await?;
/// session.read_reply().await?.require(250)?;
/// session.read_reply().await?.require(250)?;
/// session.quit().await?.require(221)?;
/// # Ok::<(), mconnect_core::Error>(())
/// # })?;
/// # server.join()?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What blocks
/// A dialogue blocks, and goes to a thread for such work
/// ([`spawn_blocking`](https://docs.rs/tokio/1/tokio/task/fn.spawn_blocking.html)), with a session of its own:
///
/// ```
/// # #[cfg(feature = "server")] {
/// # let server = mconnect_core::server::Server::start()?;
/// use mconnect_core::Connect;
/// use mconnect_core::dialogue::Dialogue;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let dialogue: Dialogue = "S: 220\nC: NOOP\nS: 250\nC: QUIT\nS: 221".parse()?;
/// let connect = Connect::new("127.0.0.1", server.port());
/// let played = tokio::task::spawn_blocking(move || connect.open().map(|session| session.play(&dialogue))).await??;
/// assert!(played.failure().is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// There is no [`split`](Session::split) and no [`into_raw`](Session::into_raw) here: one task serves a session, and
/// many of them a thread.
///
/// # Panics
/// Whatever waits panics outside of a runtime with its drivers for I/O and time
/// ([`enable_all`](https://docs.rs/tokio/1/tokio/runtime/struct.Builder.html#method.enable_all)).
#[doc(alias = "async")]
#[doc(alias = "tokio")]
#[doc(alias = "client")]
pub struct AsyncSession {
    /// Apart from what is moved about: the futures that take a session, and whoever keeps one in theirs, stay small.
    pub(crate) session: Box<Session>,
    pub(crate) socket: Arc<AsyncStream>,
}

impl AsyncSession {
    pub(crate) fn new(stream: Arc<AsyncStream>, peer: Peer, settings: Settings, closer: Closer) -> Self {
        let local = stream.local_address();
        let session = Session::new(Arc::<AsyncStream>::clone(&stream), peer, local, settings, closer);
        Self { session: Box::new(session), socket: stream }
    }

    /// Reads the greeting, as [`Session::greeting`] does.
    ///
    /// # Errors
    /// As [`Session::greeting`].
    pub async fn greeting(&mut self) -> Result<Reply, Error> {
        self.session.greeting_by(&*self.socket).await
    }

    /// Says EHLO and, if need be, HELO, as [`Session::hello`] does.
    ///
    /// # Errors
    /// As [`Session::hello`].
    pub async fn hello(&mut self, name: &str) -> Result<Hello, Error> {
        self.session.hello_by(&*self.socket, name).await
    }

    /// Says LHLO, as [`Session::lhlo`] does.
    ///
    /// # Errors
    /// As [`Session::lhlo`].
    pub async fn lhlo(&mut self, name: &str) -> Result<Hello, Error> {
        self.session.lhlo_by(&*self.socket, name).await
    }

    /// Reads the next reply, whole, as [`Session::read_reply`] does.
    ///
    /// # Errors
    /// As [`Session::read_reply`].
    pub async fn read_reply(&mut self) -> Result<Reply, Error> {
        self.session.read_reply_by(&*self.socket).await
    }

    /// Reads the next line, as [`Session::read_line`] does.
    ///
    /// # Errors
    /// As [`Session::read_line`].
    pub async fn read_line(&mut self) -> Result<Option<ReplyLine<'_>>, Error> {
        self.session.read_line_by(&*self.socket).await
    }

    /// Sends a command and reads its reply, as [`Session::command`] does.
    ///
    /// # Errors
    /// As [`Session::command`].
    pub async fn command(&mut self, line: impl AsRef<[u8]>) -> Result<Reply, Error> {
        self.session.command_by(&*self.socket, line.as_ref()).await
    }

    /// Says XCLIENT, as [`Session::xclient`] does.
    ///
    /// # Errors
    /// As [`Session::xclient`].
    pub async fn xclient(&mut self, attributes: &[ClientAttribute]) -> Result<Reply, Error> {
        self.session.say_by(&*self.socket, "XCLIENT", attributes).await
    }

    /// Says XFORWARD, as [`Session::xforward`] does.
    ///
    /// # Errors
    /// As [`Session::xforward`].
    pub async fn xforward(&mut self, attributes: &[ClientAttribute]) -> Result<Reply, Error> {
        self.session.say_by(&*self.socket, "XFORWARD", attributes).await
    }

    /// Sends commands without waiting for each reply, as [`Session::pipeline`] does.
    ///
    /// # Errors
    /// As [`Session::pipeline`].
    pub async fn pipeline<L: AsRef<[u8]>>(&mut self, lines: impl IntoIterator<Item = L>) -> Result<Vec<Reply>, Error> {
        self.session.pipeline_by(&*self.socket, lines).await
    }

    /// Does as [`Session::pipeline_anyway`] does.
    ///
    /// # Errors
    /// As [`Session::pipeline_anyway`].
    pub async fn pipeline_anyway<L: AsRef<[u8]>>(
        &mut self,
        lines: impl IntoIterator<Item = L>,
    ) -> Result<Vec<Reply>, Error> {
        self.session.send_groups(&*self.socket, lines, MOST_UNANSWERED).await
    }

    /// Sends a message, as [`Session::message`] does. While its source has nothing to give, the runtime does something
    /// else; the deadline of the whole session bounds that, too. A file is a `tokio::fs::File`, and a slice of bytes is
    /// a source as it is:
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// use mconnect_core::Connect;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let mut session = Connect::new("127.0.0.1", server.port()).open_async().await?;
    /// session.greeting().await?.require(220)?;
    /// session.hello("client.example").await?.require()?;
    /// for reply in session.pipeline(["MAIL FROM:<a@example.org>", "RCPT TO:<b@example.org>"]).await? {
    ///     reply.require(250)?;
    /// }
    /// session.message(&b"Subject: hello\n\n.a dot\n"[..]).await?.require(250)?;
    /// session.quit().await?;
    /// # Ok::<(), mconnect_core::Error>(())
    /// # })?;
    /// assert_eq!(server.messages()[0].text(), "Subject: hello\r\n\r\n.a dot\r\n");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::message`].
    pub async fn message(&mut self, message: impl AsyncRead + Unpin) -> Result<MessageReply, Error> {
        let until = self.session.overall();
        self.session.message_by(&*self.socket, &mut Awaited { message, until }).await
    }

    /// Sends a message to its recipients, as [`Session::deliver`] does. A future that is dropped between two commands leaves
    /// a transaction that RSET ends.
    ///
    /// # Errors
    /// As [`Session::deliver`].
    pub async fn deliver(&mut self, envelope: &Envelope, message: impl AsyncRead + Unpin) -> Result<Delivery, Error> {
        let until = self.session.overall();
        self.session.deliver_by(&*self.socket, envelope, &mut Awaited { message, until }).await
    }

    /// Sends one line and its CR LF, as [`Session::send_line`] does.
    ///
    /// # Errors
    /// As [`Session::send_line`].
    pub async fn send_line(&mut self, line: impl AsRef<[u8]>) -> Result<(), Error> {
        let line = self.session.writer.whole_line(line.as_ref())?;
        self.send(&line).await
    }

    /// Sends exactly these bytes, as [`Session::send`] does.
    ///
    /// # Errors
    /// As [`Session::send`].
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.session.send_by(&*self.socket, bytes).await.1
    }

    /// Ends the sending side, as [`Session::half_close`] does.
    ///
    /// # Errors
    /// As [`Session::half_close`].
    pub async fn half_close(&mut self) -> Result<(), Error> {
        self.session.writer.half_close_by(&*self.socket).await
    }

    /// Sends QUIT, reads its reply, and closes, as [`Session::quit`] does.
    ///
    /// # Errors
    /// As [`Session::quit`].
    pub async fn quit(mut self) -> Result<Reply, Error> {
        self.session.quit_by(&*self.socket).await
    }

    /// Closes in an orderly way, as [`Session::close`] does.
    ///
    /// # Errors
    /// As [`Session::close`].
    pub async fn close(mut self) -> Result<Vec<Reply>, Error> {
        self.session.close_by(&*self.socket).await
    }

    /// Tears the connection down, so that the server sees a reset, as [`Session::reset`] does: after a future that was
    /// dropped in the middle of a message, so that its half is not delivered. Nothing is awaited.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use std::io::{ErrorKind, Read as _};
    ///
    /// use mconnect_core::Connect;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let session = Connect::new("127.0.0.1", listener.local_addr()?.port()).open_async().await?;
    /// let (mut server, _) = listener.accept()?;
    /// session.reset()?;
    /// assert_eq!(server.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::reset`].
    pub fn reset(self) -> io::Result<()> {
        // The socket is held here, too, and is let go with the session.
        let Self { session, socket: _socket } = self;
        session.reset()
    }

    /// Sets when all of the session is to be over, as [`Session::set_deadline`] does.
    pub fn set_deadline(&mut self, at: Option<Instant>) {
        self.session.set_deadline(at);
    }
}

/// What takes no waiting is asked of the session itself.
impl Deref for AsyncSession {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

/// A message that is awaited, at most until the whole session is to be over.
struct Awaited<R> {
    message: R,
    until: Option<Instant>,
}

impl<R: AsyncRead + Unpin> Source for Awaited<R> {
    async fn read_block(&mut self, into: &mut Vec<u8>) -> io::Result<()> {
        let message = &mut self.message;
        let block = poll_fn(|context| {
            loop {
                let had = into.len();
                if had as u64 >= BLOCK {
                    return Ok(()).into();
                }
                // A small message takes little memory.
                into.resize((2 * had).clamp(PIECE, BLOCK as usize), 0);
                let mut buffer = ReadBuf::new(&mut into[had..]);
                let polled = Pin::new(&mut *message).poll_read(context, &mut buffer);
                let count = buffer.filled().len();
                into.truncate(had + count);
                ready!(polled)?;
                if count == 0 {
                    return Ok(()).into();
                }
            }
        });
        match self.until {
            None => block.await,
            Some(until) => {
                timeout_at(until.into(), block).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl fmt::Debug for AsyncSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.session.shared().fmt(f, "AsyncSession")
    }
}

/// How much of a message is read at first, in octets.
const PIECE: usize = 1024;
