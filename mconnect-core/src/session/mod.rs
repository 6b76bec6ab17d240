//! A session: its reading half, its writing half, and what the two know together.
//!
//! These files alone drive the protocol's I/O.

mod deliver;
mod drive;
mod exchange;
mod hello;
mod hidden;
mod raw;
mod reader;
mod shared;
mod timeouts;
#[cfg(feature = "tokio")]
mod tokio;
mod upgrade;
mod writer;

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
#[cfg(unix)]
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) use drive::{Blocking, Drive, ready};
pub use exchange::MessageReply;
pub use hello::Hello;
pub use raw::{RawReader, RawWriter};
pub use reader::Reader;
pub use timeouts::Timeouts;
#[cfg(feature = "tokio")]
pub use tokio::{AsyncSession, AsyncStream};
pub use writer::Writer;

use crate::closer::Closer;
use crate::error::{Action, Context, Error, Peer};
use crate::observer::Observer;
use crate::protocol::{Extensions, Limits, Phase, Reply, ReplyLine, Request, Standing, Tracker};
use crate::stream::{ChannelBindings, Stream, Truncation};
use shared::{Deadline, Shared};

/// A session with an SMTP server, used by one thread; [`split`](Self::split) makes two of it.
///
/// Every wait has a deadline, from [`Timeouts`]. A negative reply is a value; see [`Reply::require`].
///
/// ```text
///   from_stream, Connect::open          Session                          what it becomes
///                        │    greeting, hello, command,
///                        └──► pipeline, message, send_line,   ──► upgrade  ► the same inside TLS
///                             read_line, read_reply, quit     ──► split    ► Reader and Writer, for two threads
///                             (deadlines, one thread)         ──► into_raw ► bytes, followed by nobody
///                                                             ──► close, quit, reset ► the end
/// ```
///
/// There are three ways to talk, and they may be mixed. [`command`](Self::command), [`pipeline`](Self::pipeline),
/// [`message`](Self::message) and [`deliver`](Self::deliver) send and read what answers. [`send_line`](Self::send_line) and [`send`](Self::send) send
/// without reading, [`read_reply`](Self::read_reply) and [`read_line`](Self::read_line) read without sending: for tests
/// that break the rules on purpose. [`receive`](Self::receive) and [`is_ready`](Self::is_ready) serve one thread that
/// waits for something else, too. Whichever is used, the session follows what passes: [`phase`](Self::phase) says what the
/// next octets will mean to the server, [`outstanding`](Self::outstanding) how many replies it still owes.
///
/// After an error of reading or writing nothing more is worth sending: which replies belong to which commands is not known
/// any more. An [`Error::OutOfStep`] and an [`Error::LineBreak`] are the caller's, have sent nothing, and leave the session
/// as it was.
#[doc(alias = "client")]
#[doc(alias = "smtp")]
#[doc(alias = "telnet")]
pub struct Session {
    reader: Reader,
    writer: Writer,
}

/// What a session is opened with.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    pub timeouts: Timeouts,
    pub limits: Limits,
    pub observer: Option<Arc<dyn Observer>>,
    /// When the whole session is to be over, and how far away that was.
    pub deadline: Option<(Instant, Duration)>,
}

impl Session {
    /// Begins a session over a stream that is open already; [`Connect::over`](crate::Connect::over) does so with other
    /// settings than the defaults. `name` is the other end's name in errors.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use std::net::TcpStream;
    ///
    /// use mconnect_core::{Session, server::Server};
    ///
    /// let server = Server::start()?;
    /// let stream = TcpStream::connect(("127.0.0.1", server.port()))?;
    /// let mut session = Session::from_stream(stream, "the server next door");
    /// session.greeting()?.require(220)?;
    /// session.quit()?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "child process")]
    #[doc(alias = "pipe")]
    pub fn from_stream(stream: impl Stream + 'static, name: &str) -> Self {
        Self::new(Arc::new(stream), Peer::new(name, None), None, Settings::default(), Closer::new())
    }

    pub(crate) fn new(
        stream: Arc<dyn Stream>,
        peer: Peer,
        local: Option<SocketAddr>,
        settings: Settings,
        closer: Closer,
    ) -> Self {
        Self::of(Arc::new(Shared::new(peer, local, settings, closer)), stream)
    }

    fn of(shared: Arc<Shared>, stream: Arc<dyn Stream>) -> Self {
        let reader = Reader::new(Arc::clone(&shared), Arc::clone(&stream));
        let closed = Arc::downgrade(&stream);
        shared.closer.arm(move || {
            if let Some(stream) = closed.upgrade() {
                let _ = stream.shutdown();
            }
        });
        Self { reader, writer: Writer::new(shared, stream) }
    }

    /// Reads the next line, or a piece of one longer than the limit; `None` after the server closed. A line is shown as
    /// it came, whether or not it can be one of a reply; the whole line has the time of the reply due next.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// session.send_line("HELP")?;
    /// while session.outstanding() > 0 {
    ///     let line = session.read_line()?.ok_or("the server closed")?;
    ///     println!("{line}");
    /// }
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`read_reply`](Self::read_reply), but for the limits and the end.
    pub fn read_line(&mut self) -> Result<Option<ReplyLine<'_>>, Error> {
        ready(self.read_line_by(&Blocking))
    }

    /// Reads the next line as [`read_line`](Self::read_line) does, in this time.
    pub(crate) fn read_line_within(&mut self, patience: Duration) -> Result<Option<ReplyLine<'_>>, Error> {
        let deadline = self.shared().within(patience);
        ready(self.reader.read_line_by(&Blocking, Some(deadline)))
    }

    /// Returns what was received and not read yet: what came of an unfinished line, when a deadline has passed.
    pub fn buffered(&self) -> &[u8] {
        self.reader.buffered()
    }

    /// Waits until something was received, or the server closed, at most this long; whether or not a line ends with it,
    /// and even if it was something that TLS keeps to itself.
    /// Together with [`is_ready`](Self::is_ready), this lets one thread serve a session and something else: it reads lines
    /// as long as the session is ready, does the other thing, and waits again. On Unix, `as_fd` has the descriptor for
    /// a `poll` of both.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use std::time::Duration;
    ///
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// while session.outstanding() > 0 {
    ///     session.receive(Duration::from_secs(5))?;
    ///     while session.is_ready() {
    ///         let Some(line) = session.read_line()? else { break };
    ///         println!("{line}");
    ///     }
    /// }
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Timeout`].
    pub fn receive(&mut self, patience: Duration) -> Result<(), Error> {
        let deadline = self.shared().within(patience);
        ready(self.reader.receive_by(&Blocking, deadline))
    }

    /// Says whether [`read_line`](Self::read_line) has something to give, be it the end, without waiting.
    #[must_use]
    pub fn is_ready(&mut self) -> bool {
        self.reader.is_ready()
    }

    /// Takes what has arrived, without waiting, and says whether a line, or the end, is there.
    pub(crate) fn has_arrived(&mut self) -> bool {
        ready(self.reader.has_arrived(&Blocking))
    }

    /// Returns the time that the reply due next may take.
    pub fn reply_timeout(&self) -> Duration {
        self.shared().deadline().reply_timeout()
    }

    /// Sets when all of the session is to be over, beside what its stages may take ([`Timeouts`]): every exchange, the
    /// handshake of TLS, and closing. [`Connect::deadline`](crate::Connect::deadline) bounds connecting, too. What waits
    /// then fails with an [`Error::Timeout`] that says that it was this one. It binds a split session where
    /// [`Writer::wait`] waits, and none in raw mode; a stream without timeouts, such as a [`Pair`](crate::Pair), keeps no
    /// deadline at all.
    pub fn set_deadline(&mut self, at: Option<Instant>) {
        self.shared().set_overall(at);
    }

    /// Makes the error of the reply due next that did not come in this time: for whoever waits by
    /// [`receive`](Self::receive).
    pub fn overdue(&self, after: Duration) -> Error {
        self.shared().late(Action::ReadReply, Deadline::after(after), self.buffered().to_vec())
    }

    /// Sends one line and its CR LF, in one write, and reads nothing: what answers is due then. Several in a row are a
    /// pipeline by hand, whatever the server offered; nothing is refused here because of the phase.
    ///
    /// # Errors
    /// [`Error::LineBreak`] if the line holds CR or LF, with nothing sent; otherwise as [`send`](Self::send).
    pub fn send_line(&mut self, line: impl AsRef<[u8]>) -> Result<(), Error> {
        let line = self.writer.whole_line(line.as_ref())?;
        self.send(&line)
    }

    /// Sends exactly these bytes. What the server says meanwhile is kept, so that a server that does not read before it
    /// is read from blocks nothing. No line end is added, no dot doubled; that the bytes may be cut anywhere keeps the
    /// session's view of the phase right all the same.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// # session.greeting()?;
    /// // A client that ends its lines with LF alone: what does the server say?
    /// session.send(b"NO")?;
    /// session.send(b"OP\n")?;
    /// println!("{}", session.read_reply()?);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Timeout`] if no byte went out for the time of a block; [`Error::Io`], [`Error::Aborted`].
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.send_noting(bytes).1
    }

    /// Sends bytes as [`send`](Self::send) does, and says where the secrets in them stand, too.
    pub(crate) fn send_noting(&mut self, bytes: &[u8]) -> (Vec<Range<usize>>, Result<(), Error>) {
        ready(self.send_by(&Blocking, bytes))
    }

    /// Sends QUIT, reads its reply, and closes
    /// ([RFC 5321, section 4.1.1.10](https://www.rfc-editor.org/rfc/rfc5321#section-4.1.1.10)). A server that does not
    /// close after that gets [`Timeouts::closing`] for it.
    ///
    /// # Errors
    /// As [`command`](Self::command).
    pub fn quit(self) -> Result<Reply, Error> {
        ready(self.quit_by(&Blocking))
    }

    /// Ends the sending side: the server reads everything sent, and then the end of the stream.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Aborted`].
    pub fn half_close(&mut self) -> Result<(), Error> {
        self.writer.half_close()
    }

    /// Ends the sending side inside TLS without its farewell.
    pub(crate) fn truncate(&mut self, how: Truncation) -> Result<(), Error> {
        self.writer.truncate(how)
    }

    /// Closes in an orderly way: reads the replies that are still due and returns them, ends the sending side, waits a
    /// moment for the server to do the same, and closes.
    ///
    /// # Errors
    /// Of the replies that are due: as [`read_reply`](Self::read_reply). The connection is closed all the same.
    pub fn close(self) -> Result<Vec<Reply>, Error> {
        ready(self.close_by(&Blocking))
    }

    /// Tears the connection down, so that the server sees a reset: after half a message, so that nobody takes it for a
    /// whole one, or to see what a server makes of it.
    ///
    /// # Errors
    /// If the stream is none that can be reset.
    pub fn reset(self) -> io::Result<()> {
        #[cfg(unix)]
        let fd = self.as_fd();
        #[cfg(not(unix))]
        let fd = None::<&std::net::TcpStream>;
        let Some(fd) = fd else { return Err(io::ErrorKind::Unsupported.into()) };
        // Closing the last handle with a linger of zero makes the system send a reset.
        socket2::SockRef::from(&fd).set_linger(Some(Duration::ZERO))
    }

    /// Returns the two halves, for two threads. The reading half waits without a deadline;
    /// [`Writer::wait`] keeps it for both.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// let (mut reader, mut writer) = session.split();
    /// let listening = std::thread::spawn(move || {
    ///     let mut lines = 0;
    ///     while let Some(_line) = reader.read_line()? {
    ///         lines += 1;
    ///     }
    ///     Ok::<_, mconnect_core::Error>(lines)
    /// });
    /// writer.wait()?;
    /// writer.send_line("QUIT")?;
    /// assert_eq!(listening.join().unwrap()?, 2);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn split(self) -> (Reader, Writer) {
        (self.reader, self.writer)
    }

    /// Makes a session of its two halves again.
    ///
    /// # Panics
    /// If the halves are not of the same session.
    pub fn unsplit(reader: Reader, writer: Writer) -> Self {
        assert!(reader.is_of(&writer), "the halves are of one session");
        Self { reader, writer }
    }

    /// Returns the bare streams; what was received and not yet read comes first from the reader. Nothing is followed or
    /// translated any more, observers get the bytes as they are, and the session is in [`Phase::Raw`]: for a protocol of
    /// one's own after the greeting, or for what telnet is used for.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// let (mut reader, mut writer) = session.into_raw();
    /// writer.send(b"NOOP\r\nQUIT\r\n")?;
    /// let (mut said, mut buffer) = (Vec::new(), [0; 512]);
    /// while let count @ 1.. = reader.receive(&mut buffer)? {
    ///     said.extend_from_slice(&buffer[..count]);
    /// }
    /// assert!(said.starts_with(b"220 "));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn into_raw(self) -> (RawReader, RawWriter) {
        raw::into_raw(self.reader, self.writer)
    }

    /// Keeps a secret from observers: where it is sent outside of AUTH, it and the rest of its line come as
    /// [`SentSecret`](crate::Event::SentSecret); where the server repeats it in a reply, it comes as stars. One that is
    /// cut by two writes is not found, nor one in the later pieces of a reply line longer than the limit. What AUTH sends
    /// is kept from them without this.
    pub fn hide(&self, secret: impl AsRef<[u8]>) {
        self.shared().hidden.add(secret.as_ref());
    }

    /// Stops expecting a reply to an empty line, if that is what is due next: some servers give none.
    pub fn forgo_empty_line(&mut self) {
        self.shared().forgo_empty_line();
    }

    /// Says where the session stands: phase, replies due, whether the two ends are in step, all of one moment.
    pub fn standing(&self) -> Standing {
        self.shared().tracker().standing()
    }

    /// Returns a copy of what follows the session: for a look at what bytes would mean that are not sent yet.
    pub(crate) fn tracker(&self) -> Tracker {
        self.shared().tracker().clone()
    }

    /// Says what is being done, for an error.
    #[cfg_attr(
        not(any(feature = "tls", feature = "auth")),
        allow(dead_code, reason = "those make errors of their own")
    )]
    pub(crate) fn context(&self, action: Action) -> Context {
        self.shared().context(action)
    }

    /// Attaches to a reply, whose last line was the last that was read, what it answers.
    pub(crate) fn answered(&self, reply: Reply) -> Reply {
        let request = self.standing().last_answer.and_then(|answer| answer.request);
        reply.in_answer_to(request, Arc::clone(&self.shared().peer_name))
    }

    /// Says whether a reply is due, not only as the next one, to a request of such a kind.
    #[must_use]
    pub fn owes(&self, is_it: impl Fn(Request) -> bool) -> bool {
        self.shared().tracker().owes(is_it)
    }

    /// Says what the next bytes sent will mean to the server.
    pub fn phase(&self) -> Phase {
        self.shared().tracker().phase()
    }

    /// Returns how many replies are due.
    pub fn outstanding(&self) -> usize {
        self.shared().tracker().outstanding()
    }

    /// Returns what the server advertised in its last positive reply to EHLO or LHLO.
    pub fn extensions(&self) -> Option<Extensions> {
        self.shared().tracker().extensions().cloned()
    }

    /// Returns what an authentication can be bound to here: something inside TLS only.
    pub fn channel_bindings(&self) -> ChannelBindings {
        self.writer.channel_bindings()
    }

    /// Returns the other end.
    pub fn peer(&self) -> &Peer {
        &self.shared().peer
    }

    /// Returns the address of this end, if it has one.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.shared().local
    }

    /// Returns a handle that closes the session from another thread.
    pub fn closer(&self) -> Closer {
        self.shared().closer.clone()
    }

    /// Returns what tells the observer, also of a session that is no more.
    #[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "it is TLS that has more to tell"))]
    pub(crate) fn teller(&self) -> impl Fn(&crate::observer::Event<'_>) + use<> {
        let shared = self.writer.share();
        move |event| shared.observe(event)
    }

    #[cfg_attr(not(feature = "tokio"), allow(dead_code, reason = "a source that blocks waits as it likes"))]
    fn overall(&self) -> Option<Instant> {
        self.shared().overall().and_then(|deadline| deadline.at)
    }

    async fn read_line_by(&mut self, drive: &impl Drive) -> Result<Option<ReplyLine<'_>>, Error> {
        self.shared().require_whole()?;
        let deadline = self.shared().deadline();
        self.reader.read_line_by(drive, Some(deadline)).await
    }

    /// Sends bytes, keeps what the server says meanwhile, and says where the secrets in them stand.
    async fn send_by(&mut self, drive: &impl Drive, bytes: &[u8]) -> (Vec<Range<usize>>, Result<(), Error>) {
        self.writer.send_by(drive, bytes, Some(&mut self.reader)).await
    }

    async fn quit_by(mut self, drive: &impl Drive) -> Result<Reply, Error> {
        let reply = self.command_by(drive, b"QUIT").await?;
        self.close_by(drive).await?;
        Ok(reply)
    }

    async fn close_by(mut self, drive: &impl Drive) -> Result<Vec<Reply>, Error> {
        let mut replies = Vec::new();
        while self.outstanding() > 0 && self.phase() != Phase::Closed {
            replies.push(self.read_reply_by(drive).await?);
        }
        // Unread data at closing would make the system send a reset, which can destroy our last bytes on their way.
        if self.writer.half_close_by(drive).await.is_ok() {
            let grace = self.shared().within(self.shared().timeouts.closing);
            let is_left = || grace.left().is_none_or(|left| !left.is_zero());
            while is_left() && matches!(self.reader.read_line_by(drive, Some(grace)).await, Ok(Some(_))) {}
        }
        Ok(replies)
    }

    fn shared(&self) -> &Shared {
        self.writer.shared()
    }
}

#[cfg(unix)]
impl Session {
    /// Returns the descriptor that is readable when something may be received, if the stream has one. What was received
    /// already does not make it readable: ask [`is_ready`](Self::is_ready) first.
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.reader.as_fd()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared().fmt(f, "Session")
    }
}
