//! A session: its reading half, its writing half, and what the two know together.
//!
//! These files alone drive the protocol's I/O. Each thing that a session does is written once, as a future that waits
//! in the calls of a [`Drive`] and nowhere else. The methods of [`Session`] poll such a future once, to its end
//! ([`ready`]): their stream blocks, and has waited itself. Those of `AsyncSession` hand it to the runtime.
//!
//! ```text
//!   Session, AsyncSession
//!      │ greeting hello     (hello)       upgrade_with        (upgrade)
//!      │ command pipeline   (exchange)    into_raw            (raw)
//!      │ xclient xforward   (forward)
//!      │ message            (message)     send_line send      (sending)
//!      │ deliver            (deliver)
//!      │ read_line receive  (reading)     quit close reset    (ending)
//!      │ phase standing ... (looking)
//!      ├── Reader: LineBuffer, ReplyBuilder, the end of what is received
//!      ├── Writer: the write timeout, whether the sending side has ended
//!      └── Shared, of both: one Tracker and its like behind one lock; the observer; the secrets to be hidden; the Closer
//! ```
//!
//! # Who holds which lock
//! There are two, and neither is held during a call of the stream, of the observer or of a [`Closer`].
//! * [`Shared`] has one for the tracker and what goes with it. The reading half takes it for a line, the writing half
//!   for a span of one kind. Who waits for replies ([`Writer::wait`]) sleeps on the condition variable beside it, and
//!   is woken only if somebody is counted as waiting.
//! * `Hidden` has one for the list of secrets, which is taken for a look at some bytes.
//!
//! # What holds whatever happens
//! * Bytes are followed before they are written: the reply can be here as soon as they are out.
//! * A line is shown to the observer before it is followed: once it is followed, whoever waits for it goes on.
//! * A deadline is a point in time, kept for the whole of what is awaited. What a call of the stream is given is what
//!   is left of it.
//! * A failure of reading is kept until every line that was received before it has been handed out.

mod deadline;
mod deliver;
pub(crate) mod drive;
mod ending;
mod exchange;
mod forward;
mod hello;
mod hidden;
mod looking;
mod message;
mod raw;
mod reader;
mod reading;
mod sending;
mod shared;
mod timeouts;
#[cfg(feature = "tokio")]
mod tokio;
mod upgrade;
mod writer;

use std::any::Any;
use std::fmt;
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use hello::Hello;
pub use message::MessageReply;
pub use raw::{RawReader, RawWriter};
pub use reader::Reader;
pub use timeouts::Timeouts;
#[cfg(feature = "tokio")]
pub use tokio::{AsyncSession, AsyncStream};
pub use writer::Writer;

use crate::closer::Closer;
use crate::error::Peer;
use crate::observer::Observer;
use crate::protocol::Limits;
use crate::stream::Stream;
use shared::Shared;

/// A session with an SMTP server, used by one thread; [`split`](Self::split) makes two of it.
///
/// Every wait has a deadline, from [`Timeouts`]. A negative reply is a value; see
/// [`Reply::require`](crate::protocol::Reply::require).
///
/// ```text
///   from_stream, Connect::open          Session                          what it becomes
///                        │    greeting, hello, command,
///                        └──► pipeline, message, deliver,     ──► upgrade  ► the same inside TLS
///                             read_line, read_reply, quit     ──► split    ► Reader and Writer, for two threads
///                             (deadlines, one thread)         ──► into_raw ► bytes, followed by nobody
///                                                             ──► close, quit, reset ► the end
/// ```
///
/// # Ways to talk
/// They may be mixed. Whichever is used, the session follows what passes: [`phase`](Self::phase) says what the next
/// octets will mean to the server, [`outstanding`](Self::outstanding) how many replies it still owes.
///
/// | for | there is | it |
/// |---|---|---|
/// | a client, a probe | [`command`](Self::command), [`pipeline`](Self::pipeline), [`message`](Self::message), [`deliver`](Self::deliver) | sends, and reads what answers |
/// | a test that breaks the rules on purpose | [`send_line`](Self::send_line), [`send`](Self::send) | sends without reading, in any phase |
/// | | [`read_reply`](Self::read_reply), [`read_line`](Self::read_line) | reads without sending |
/// | one thread that waits for something else, too | [`receive`](Self::receive), [`is_ready`](Self::is_ready), `as_fd` | reads what is there |
///
/// ```
/// # #[cfg(feature = "server")] {
/// # let server = mconnect_core::server::Server::start()?;
/// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
/// # session.greeting()?;
/// use mconnect_core::protocol::Phase;
///
/// session.hello("client.example")?.require()?;
/// session.command("MAIL FROM:<a@example.org>")?.require(250)?;
/// session.send_line("RCPT TO:<b@example.org>")?;
/// session.send_line("DATA")?;
/// assert_eq!((session.outstanding(), session.phase()), (2, Phase::Body));
/// session.read_reply()?.require(250)?;
/// session.read_reply()?.require(354)?;
/// session.message("Subject: by hand\n\nhello\n".as_bytes())?.require(250)?;
/// assert_eq!((session.outstanding(), session.phase()), (0, Phase::Command));
/// # session.quit()?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # After an error
/// After an error of reading or writing nothing more is worth sending: which replies belong to which commands is not
/// known any more. These have sent nothing, and leave the session as it was:
/// [`Error::OutOfStep`](crate::Error::OutOfStep) and [`Error::LineBreak`](crate::Error::LineBreak), which are the
/// caller's, and an [`Error::Timeout`](crate::Error::Timeout) of [`read_reply`](Self::read_reply),
/// [`read_line`](Self::read_line) or [`receive`](Self::receive), after which the same call goes on where that one
/// stopped.
///
/// # What was received
/// No byte is lost between two ways of reading. What [`read_line`](Self::read_line) has not handed out is there for
/// [`read_reply`](Self::read_reply), and the other way round as long as no reply is half read; [`split`](Self::split)
/// and [`into_raw`](Self::into_raw) pass it on; [`upgrade_with`](Self::upgrade_with) refuses it.
///
/// Dropping a session closes the connection, without QUIT and without reading what is due.
#[doc(alias = "client")]
#[doc(alias = "smtp")]
#[doc(alias = "telnet")]
pub struct Session {
    reader: Reader,
    writer: Writer,
}

/// What a session is opened with: [`Connect`](crate::Connect) keeps one, and each session has a copy.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    pub timeouts: Timeouts,
    pub limits: Limits,
    pub observer: Option<Arc<dyn Observer>>,
    /// When the whole session is to be over, and how far away that was.
    pub deadline: Option<(Instant, Duration)>,
    /// The connection was lost as soon as it was open: the number of the error, which the system tells no read.
    pub lost: Option<i32>,
    /// What is dropped with the last half of the session: the process that it goes to.
    pub held: Option<Arc<dyn Any + Send + Sync>>,
}

impl Session {
    /// Begins a session over a stream that is open already, with the default [`Timeouts`] and [`Limits`], and without
    /// an observer; [`Connect::over`](crate::Connect::over) does so with other settings. `name` is the other end's name
    /// in errors. Nothing is read or written yet: the greeting is the first reply.
    ///
    /// Any [`Stream`] serves: a socket, TLS over one, a [`Pair`](crate::Pair) of a reader and a writer. The address of
    /// the other end is not asked for, so that [`peer`](Self::peer) and [`local_address`](Self::local_address) have
    /// none.
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
    ///
    /// A test of one's own needs no network: the other end of a pair of sockets plays the server.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use std::io::Write as _;
    /// use std::os::unix::net::UnixStream;
    ///
    /// use mconnect_core::Session;
    ///
    /// let (ours, mut theirs) = UnixStream::pair()?;
    /// theirs.write_all(b"554-no mail\r\n554 is taken here\r\n")?;
    /// let refusal = Session::from_stream(ours, "a server in a test").greeting()?.require(220).unwrap_err();
    /// assert_eq!(
    ///     refusal.to_string(),
    ///     "expected 220 as the greeting of a server in a test, got \"554-no mail / 554 is taken here\""
    /// );
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "child process")]
    #[doc(alias = "pipe")]
    pub fn from_stream(stream: impl Stream + 'static, name: &str) -> Self {
        Self::new(Arc::new(stream), Peer::new(name, None), None, Settings::default(), Closer::new())
    }

    /// Begins a session whose greeting is due.
    pub(crate) fn new(
        stream: Arc<dyn Stream>,
        peer: Peer,
        local: Option<SocketAddr>,
        settings: Settings,
        closer: Closer,
    ) -> Self {
        Self::of(Arc::new(Shared::new(peer, local, settings, closer)), stream)
    }

    /// Makes the two halves over this stream, and has the closer shut that one down from now on. The closer holds it
    /// weakly: it keeps no connection open.
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

    /// Sets when all of the session is to be over, beside what its stages may take ([`Timeouts`]): every exchange, the
    /// handshake of TLS, and closing; `None` takes it away again. [`Connect::deadline`](crate::Connect::deadline)
    /// bounds connecting, too. Whichever deadline comes first ends a wait; if it was this one, the
    /// [`Error::Timeout`](crate::Error::Timeout) says so (`is_overall`).
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use std::time::{Duration, Instant};
    ///
    /// use mconnect_core::{Connect, Error, server::Server};
    ///
    /// // This server greets, and then says nothing until the client has gone.
    /// let server = Server::play("S: 220 hi\nC: NOOP\nC: *close*")?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.greeting()?;
    /// session.set_deadline(Instant::now().checked_add(Duration::from_millis(50)));
    /// assert!(matches!(session.command("NOOP"), Err(Error::Timeout { is_overall: true, .. })));
    /// # drop(session);
    /// # server.join()?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// It binds a split session where [`Writer::wait`] waits, and in raw mode where [`RawWriter::wait_end`] does; a
    /// stream without timeouts, such as a [`Pair`](crate::Pair), keeps no deadline at all. What is being waited for
    /// already, in another thread, is not cut short: for that there is the [`closer`](Self::closer).
    pub fn set_deadline(&mut self, at: Option<Instant>) {
        self.shared().set_overall(at);
    }

    /// Returns the two halves, for two threads. The reading half waits without a deadline; [`Writer::wait`] keeps it
    /// for both.
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
    ///
    /// What was received and not read yet stays with the reading half. Nothing changes for the server.
    /// [`unsplit`](Self::unsplit) is the way back, for an [`upgrade_with`](Self::upgrade_with), say.
    pub fn split(self) -> (Reader, Writer) {
        (self.reader, self.writer)
    }

    /// Makes a session of its two halves again. What was received and not read goes on from where the reading half was.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// use mconnect_core::Session;
    ///
    /// let (mut reader, writer) = session.split();
    /// // A thread reads the greeting, and gives its half back.
    /// let reading = std::thread::spawn(move || reader.read_reply().map(|greeting| (reader, greeting)));
    /// let (reader, greeting) = reading.join().unwrap()?;
    /// greeting.require(220)?;
    /// let mut session = Session::unsplit(reader, writer);
    /// session.command("NOOP")?.require(250)?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Panics
    /// If the halves are not of the same session.
    pub fn unsplit(reader: Reader, writer: Writer) -> Self {
        assert!(reader.is_of(&writer), "the halves are of one session");
        Self { reader, writer }
    }

    /// Returns the bare streams; what was received and not yet read comes first from the reader. Nothing is followed or
    /// translated any more, observers get the bytes as they are, secrets too, and the session is in
    /// [`Phase::Raw`](crate::protocol::Phase::Raw): for a protocol of one's own after the greeting, or for what telnet
    /// is used for. There is no way back.
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
    #[doc(alias = "telnet")]
    #[doc(alias = "netcat")]
    pub fn into_raw(self) -> (RawReader, RawWriter) {
        raw::into_raw(self.reader, self.writer)
    }

    /// Keeps a secret from observers, for the rest of the session: where it is sent outside of AUTH, it and the rest of
    /// its line come as [`SentSecret`](crate::Event::SentSecret); where the server repeats it in a reply, each of its
    /// octets comes as `*`. Errors do not quote a command that holds it. One that is cut by two writes is not found,
    /// nor one in the later pieces of a reply line longer than the limit. What AUTH sends is kept from observers
    /// without this. A line end behind the secret is none of it, and an empty text hides nothing. The copy that is kept
    /// here is overwritten in the end.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// use std::sync::{Arc, Mutex};
    ///
    /// use mconnect_core::{Connect, Event, observer_fn};
    ///
    /// let log = Arc::new(Mutex::new(String::new()));
    /// let into = Arc::clone(&log);
    /// let observer = observer_fn(move |_, event| match event {
    ///     Event::Sent(bytes) => into.lock().unwrap().push_str(&String::from_utf8_lossy(bytes)),
    ///     Event::SentSecret(octets) => into.lock().unwrap().push_str(&format!("[{octets} octets]")),
    ///     _ => {}
    /// });
    /// let mut session = Connect::new("127.0.0.1", server.port()).observer(observer).open()?;
    /// session.greeting()?;
    /// session.hide("pencil");
    /// session.command("XLOGIN user pencil")?;
    /// assert_eq!(*log.lock().unwrap(), "XLOGIN user [8 octets]");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "redact")]
    #[doc(alias = "mask")]
    pub fn hide(&self, secret: impl AsRef<[u8]>) {
        self.shared().hidden.add(secret.as_ref());
    }

    /// Stops expecting a reply to an empty line, if that is what is due next: some servers send none. Otherwise it does
    /// nothing.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// # session.greeting()?;
    /// session.send_line("")?;
    /// assert_eq!(session.outstanding(), 1);
    /// session.forgo_empty_line();
    /// assert_eq!(session.outstanding(), 0);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn forgo_empty_line(&self) {
        self.shared().forgo_empty_line();
    }

    fn shared(&self) -> &Shared {
        self.writer.shared()
    }
}

#[cfg(unix)]
impl Session {
    /// Returns the descriptor that is readable when something may be received, if the stream has one: for a `poll` of
    /// this and of something else. It is the session's own; what is read from it elsewhere is lost here. What was
    /// received already does not make it readable: ask [`is_ready`](Self::is_ready) first.
    pub fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.reader.as_fd()
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared().fmt(f, "Session")
    }
}
