//! A loopback SMTP server, for tests and for practice.
//!
//! [`Server::start`] is a proper little ESMTP receiver that keeps what it accepts, [`Setup`] one as a test wants it;
//! [`Server::play`] says what a [`Dialogue`] says. They listen on 127.0.0.1, on a port that the system chooses, with a
//! thread for each connection, and are gone when they are dropped. What came is there as values: [`Message`],
//! [`Transcript`].
//!
//! ```text
//!   Setup ── start ──► Server, a receiver        messages, sessions: at any time
//!     │                  │                       wait_for_message: until one has come
//!     │                  └ drop, join ► it is stopped
//!     └── play ──────► Server, a dialogue        said, wait_for_failure
//!                        └ drop, join ► it waits for the dialogue's end, and fails if the client deviated
//! ```
//!
//! ```
//! use mconnect_core::Connect;
//! use mconnect_core::server::{Rule, Setup, Stage};
//!
//! // Greylisting: the first attempt for each recipient at example.org is put off.
//! let later = Rule::at(Stage::Recipient).of("*@example.org").first(1).reply("451 4.7.1 try again later");
//! let server = Setup::new().name("mx.example.org").rule(later).start()?;
//!
//! // The client under test; yours is another one.
//! let mut session = Connect::new("127.0.0.1", server.port()).open()?;
//! session.read_reply()?.require(220)?;
//! session.command("EHLO client.example")?.require(250)?;
//! session.command("MAIL FROM:<a@example.org>")?.require(250)?;
//! while session.command("RCPT TO:<b@example.org>")?.code() == 451 {}
//! session.message("Subject: hello\n\nIt works.\n".as_bytes())?.require(250)?;
//! session.quit()?;
//!
//! assert_eq!(server.messages()[0].recipients, ["b@example.org"]);
//! let commands = server.sessions()[0].commands().join(", ");
//! assert_eq!(
//!     commands,
//!     "EHLO client.example, MAIL FROM:<a@example.org>, RCPT TO:<b@example.org>, RCPT TO:<b@example.org>, DATA, QUIT"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Two kinds of server
//!
//! | | a receiver | a player of a dialogue |
//! |---|---|---|
//! | made by | [`Server::start`], [`Setup::start`] | [`Server::play`], [`Server::play_with`], [`Setup::play`] |
//! | what it says | what SMTP asks for, and the [`Rule`]s | what is written down |
//! | clients | any number, side by side | one for each session of the dialogue, in the order in which they come |
//! | what is kept | every [`Message`], and 4 MiB of what was said | the same; messages have no envelope |
//! | a client that does something else | gets the reply that fits | is a [`ServerError::Deviation`] |
//! | how long a client may idle | five minutes | ten seconds a step, unless the dialogue says otherwise |
//! | when it is dropped | it is stopped, with every connection that is open | the dialogue's end is awaited, and a deviation panics |
//!
//! A receiver is for clients whose mail is to arrive, or to be refused in one of a few ways; a dialogue for a server
//! that does one odd thing at one odd time:
//!
//! ```
//! use mconnect_core::{Connect, Error, server::Server};
//!
//! // Closes in the middle of its reply.
//! let server = Server::play("S: 220 mx\nC: EHLO client.example\nS> 250-mx\\r\\n250-SI\nS: *close*")?;
//! let mut session = Connect::new("127.0.0.1", server.port()).open()?;
//! session.greeting()?;
//! let error = session.command("EHLO client.example").unwrap_err();
//! assert!(matches!(error, Error::Closed { .. }), "{error}");
//! drop(session);
//! server.join()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it does not do
//!
//! - It delivers nothing, and keeps nothing on disk: messages are in memory, all of them, for as long as the server is.
//! - It is no server for the open: it has no limit on how many clients a receiver takes, and believes each. On
//!   127.0.0.1 it is out of reach of other machines; [`Setup::listener`] puts it elsewhere.
//! - It checks the syntax of commands as far as tests of clients need it, and neither addresses nor what messages hold.

#[cfg(feature = "auth")]
mod auth;
#[cfg(not(feature = "auth"))]
#[path = "without_auth.rs"]
mod auth;
#[cfg(feature = "tls")]
mod certificate;
mod error;
mod header;
mod input;
mod play;
mod receive;
mod received;
mod rules;
mod setup;
mod shared;
mod threads;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "without_tls.rs"]
mod tls;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

#[cfg(feature = "tls")]
pub use certificate::{Authority, Identity};
pub use error::ServerError;
pub use received::{Message, Path, Said, Transcript};
pub use rules::{Rule, Stage};
pub use setup::Setup;

use crate::dialogue::{Dialogue, Values};
use crate::stream::{Stream, left};
use shared::{Shared, State};

/// A server that listens on this machine, from when it is made until it is joined or dropped.
///
/// Dropping one that plays a dialogue waits for its end and panics if the client deviated, so that no test forgets to
/// look; [`join`](Self::join) returns the error instead. If the test has failed already, it is told on standard error.
///
/// All that it tells can be asked for while it runs, from any thread: it is behind a lock that no thread holds while it
/// reads or writes.
#[doc(alias = "mock")]
#[doc(alias = "fake")]
#[doc(alias = "mailhog")]
#[doc(alias = "sink")]
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    /// How long a client may take to come, once the server is joined.
    patience: Duration,
    /// How many clients there have to be; with none, it is stopped when it is joined.
    sessions: usize,
    certificate: Option<String>,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<Result<(), ServerError>>>,
}

impl Server {
    /// Starts a receiver: EHLO with PIPELINING, SIZE, 8BITMIME, SMTPUTF8, CHUNKING, ENHANCEDSTATUSCODES and HELP; HELO,
    /// LHLO, MAIL, RCPT, DATA, BDAT, RSET, NOOP, VRFY, HELP and QUIT. It takes mail for everybody but recipients whose
    /// local part is `refused` (550) or `later` (450), at most 1,000 of them and 100 MiB for a message.
    ///
    /// After LHLO it speaks LMTP ([RFC 2033](https://www.rfc-editor.org/rfc/rfc2033)): the end of a message has a reply
    /// for each recipient.
    ///
    /// ```
    /// use mconnect_core::{Connect, server::Server};
    ///
    /// let server = Server::start()?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.greeting()?.require(220)?;
    /// session.hello("client.example")?.require()?;
    /// session.command("MAIL FROM:<a@example.org>")?.require(250)?;
    /// assert_eq!(session.command("RCPT TO:<refused@example.org>")?.code(), 550);
    /// session.command("RCPT TO:<b@example.org>")?.require(250)?;
    /// session.message("Subject: hello\n\nIt works.\n".as_bytes())?.require(250)?;
    /// session.quit()?;
    /// assert_eq!(server.messages().len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ServerError::Io`] if the system does not let it listen.
    pub fn start() -> Result<Self, ServerError> {
        Self::receive(Setup::new())
    }

    /// Plays the server's side of a dialogue to the first client that connects, and compares what the client sends with
    /// the client's side: lines exactly, but for the case of their keywords
    /// ([RFC 5321, section 2.4](https://www.rfc-editor.org/rfc/rfc5321#section-2.4)).
    ///
    /// ```
    /// use mconnect_core::{Connect, server::Server};
    ///
    /// let server = Server::play("S: 421 too busy\nS: *close*")?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// assert_eq!(session.read_reply()?.code(), 421);
    /// drop(session);
    /// server.join()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ServerError::Syntax`] if it is no dialogue, or one that no server can play; [`ServerError::Io`] if the system
    /// does not let it listen.
    pub fn play(dialogue: &str) -> Result<Self, ServerError> {
        Self::play_with(&Dialogue::parse(dialogue)?, &Values::default())
    }

    /// Plays the server's side of a dialogue, with values for its names: its first session to the first client that
    /// connects, and so on, side by side where they come at once. [`Setup::play`] does so with a certificate of one's
    /// own, and more.
    ///
    /// A name without a value takes what the client wrote there, and can be said back to it:
    ///
    /// ```
    /// use mconnect_core::dialogue::{Dialogue, Values};
    /// use mconnect_core::{Connect, server::Server};
    ///
    /// let dialogue = Dialogue::parse("S: 220 ${host}\nC: EHLO ${client}\nS: 250 hello ${client}")?;
    /// let mut values = Values::default();
    /// values.set("host", "mx.example.org");
    /// let server = Server::play_with(&dialogue, &values)?;
    ///
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// assert_eq!(session.greeting()?.text(), b"mx.example.org");
    /// assert_eq!(session.command("EHLO client.example")?.text(), b"hello client.example");
    /// drop(session);
    /// server.join()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ServerError::Syntax`] if the dialogue is one that no server can play, [`ServerError::Io`].
    pub fn play_with(dialogue: &Dialogue, values: &Values) -> Result<Self, ServerError> {
        Setup::new().play(dialogue, values)
    }

    /// Returns the address it listens on: 127.0.0.1 and a port that the system chose, unless [`Setup::listener`] said
    /// otherwise.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the port it listens on, for clients that want no more than that.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns the certificate that it shows with TLS, in PEM, its chain behind it, if there is TLS and that is known:
    /// the one that was given, or one that was made, for `localhost`, `127.0.0.1` and `::1`.
    ///
    /// ```
    /// # #[cfg(feature = "tls")] {
    /// use mconnect_core::{Connect, server::Setup, tls};
    ///
    /// let server = Setup::new().tls_first().start()?;
    /// let trust = tls::Config::new().authorities(server.certificate().unwrap().as_bytes())?;
    /// let (session, info) = Connect::new("127.0.0.1", server.port()).open()?.upgrade(&trust)?;
    /// assert!(info.is_verified());
    /// # drop(session);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }

    /// Returns every message accepted so far, in the order in which they were. Nothing is taken by it: the next call
    /// returns them again. A server that plays [again and again](Setup::again_and_again) keeps none.
    ///
    /// ```
    /// use mconnect_core::{Connect, server::Server};
    ///
    /// let server = Server::start()?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.greeting()?;
    /// session.hello("client.example")?;
    /// session.pipeline(["MAIL FROM:<>", "RCPT TO:<a@example.org>", "RCPT TO:<later@example.org>"])?;
    /// session.message("Subject: 1\n\n.one\n".as_bytes())?.require(250)?;
    ///
    /// let messages = server.messages();
    /// assert!(messages[0].sender == "" && messages[0].recipients == ["a@example.org"]);
    /// assert_eq!(messages[0].content, b"Subject: 1\r\n\r\n.one\r\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn messages(&self) -> Vec<Message> {
        self.shared.state().messages.clone()
    }

    /// Returns what was said so far, session by session, in the order in which the clients came: the first 4 MiB, so
    /// that a server that runs for long does not fill the memory with it.
    ///
    /// A session's own thread writes it down, so that what a client has just sent need not be there yet; what was
    /// replied to is.
    ///
    /// ```
    /// use mconnect_core::{Connect, server::Server};
    ///
    /// let server = Server::start()?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.greeting()?;
    /// session.quit()?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.greeting()?;
    /// session.command("NOOP")?;
    /// let [first, second] = &server.sessions()[..] else { panic!() };
    /// assert_eq!((first.commands().join(", "), second.commands().join(", ")), ("QUIT".to_owned(), "NOOP".to_owned()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sessions(&self) -> Vec<Transcript> {
        self.shared.state().sessions.clone()
    }

    /// Waits for the next message that this call has not returned yet, for so long at most; `None` if none came in
    /// time.
    ///
    /// ```
    /// use std::thread;
    /// use std::time::Duration;
    ///
    /// use mconnect_core::{Connect, server::Server};
    ///
    /// let server = Server::start()?;
    /// let port = server.port();
    /// // The client under test, in a thread or a process of its own.
    /// let client = thread::spawn(move || {
    ///     let mut session = Connect::new("127.0.0.1", port).open()?;
    ///     session.greeting()?;
    ///     session.hello("client.example")?;
    ///     session.pipeline(["MAIL FROM:<a@example.org>", "RCPT TO:<b@example.org>"])?;
    ///     session.message("It works.\n".as_bytes())
    /// });
    /// let message = server.wait_for_message(Duration::from_secs(10)).ok_or("no message came")?;
    /// assert_eq!(message.text(), "It works.\r\n");
    /// client.join().unwrap()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_for_message(&self, patience: Duration) -> Option<Message> {
        let state = self.shared.state();
        let waited =
            self.shared.changed.wait_timeout_while(state, patience, |state| state.messages.len() == state.taken);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let message = state.messages.get(state.taken).cloned()?;
        state.taken += 1;
        Some(message)
    }

    /// Waits for the next session that goes wrong, of a dialogue that is played [again and
    /// again](Setup::again_and_again); `None` if none did in time, or the server is at its end. Of others,
    /// [`join`](Self::join) says what went wrong.
    pub fn wait_for_failure(&self, patience: Duration) -> Option<ServerError> {
        if self.sessions > 0 {
            return None;
        }
        let is_awaited = |state: &mut State| state.failures.is_empty() && !state.is_over;
        let waited = self.shared.changed.wait_timeout_while(self.shared.state(), patience, is_awaited);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.failures.pop_front()
    }

    /// Waits for the end of the dialogue, or stops a receiver, or a dialogue that is played again and again. Clients
    /// that have not come yet have ten seconds for it; those that are stopped see their connection closed.
    ///
    /// ```
    /// use mconnect_core::{Connect, server::Server};
    ///
    /// let server = Server::play("S: 220 hi\nC: EHLO client.example\nS: 250 hello")?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.greeting()?;
    /// session.send_line("HELO client.example")?;
    /// let error = server.join().unwrap_err();
    /// assert!(error.to_string().starts_with("line 2 of the dialogue: expected `C: EHLO client.example`, got `HELO"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Why the dialogue did not come to its end: the first [`Deviation`](ServerError::Deviation) of a client,
    /// [`NoClient`](ServerError::NoClient), or [`Io`](ServerError::Io). A receiver that was stopped has none.
    ///
    /// # Panics
    /// If a thread of the server's has panicked, with what it panicked with.
    pub fn join(mut self) -> Result<(), ServerError> {
        self.finish()
    }

    /// Waits for the end of the dialogue; for clients still to come, no longer than this.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use mconnect_core::server::{Server, ServerError};
    ///
    /// let server = Server::play("S: 220 hi")?;
    /// let error = server.join_within(Duration::from_millis(20)).unwrap_err();
    /// assert!(matches!(error, ServerError::NoClient(_)), "{error}");
    /// # Ok::<(), ServerError>(())
    /// ```
    ///
    /// # Errors
    /// As [`join`](Self::join).
    pub fn join_within(mut self, patience: Duration) -> Result<(), ServerError> {
        self.patience = patience;
        self.finish()
    }
}

/// Makes an error of what the system says, and of what could not be done.
fn failed(action: &'static str) -> impl Fn(io::Error) -> ServerError + Copy {
    move |source| ServerError::Io { action, source }
}

/// Says whether a deadline has passed; which of the two it is depends on the system.
fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Writes all of it, until the deadline; without one, the stream's own timeout holds for each write. A client that
/// reads a little now and then meets the one, and not the other.
fn write(stream: &dyn Stream, mut bytes: &[u8], deadline: Option<Instant>) -> io::Result<()> {
    while !bytes.is_empty() {
        if let Some(left) = left(deadline)? {
            stream.set_write_timeout(Some(left))?;
        }
        match stream.write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
