//! SMTP sessions, by hand: from a program that probes servers, from a test, from the tool `mconnect`.
//!
//! ```text
//!   Connect ──open──► Session ──split──► Reader   Writer        one thread each
//!   names, families,   command              │       │
//!   addresses in turn  pipeline             └───┬───┘
//!                      message               Tracker            the phase, the replies due, the extensions
//!                      read_reply               │
//!                      into_raw            Observer, Closer     watching it, ending it from anywhere
//! ```
//!
//! * A negative reply is a value ([`Reply`](protocol::Reply)); it becomes an error only where
//!   [`require`](protocol::Reply::require) is called.
//! * Every byte is kept: replies are bytes, odd ones too, and their oddities are marks on them.
//! * Every wait has a deadline ([`Timeouts`]), for the whole of what is waited for; and all of it can have one
//!   ([`Connect::deadline`]).
//! * Errors ([`Error`]) say which reply did not come or what was being done, with whom, in which phase of the session,
//!   and why; [`Error::is_temporary`] whether to try again, [`Error::hint`] what to do instead.
//! * A session that fails is explained: [`diagnosis`].
//! * A session can be written down, played, served and recorded: [`dialogue`].
//! * [`protocol`] holds all that is SMTP, without I/O; [`Session`] drives it over any [`Stream`].
//!
//! A session from beginning to end, here with the loopback server of the feature `server`:
//!
//! ```
//! # #[cfg(feature = "server")] {
//! use mconnect_core::{Connect, server::Server};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::start()?;
//!
//! let mut session = Connect::new("127.0.0.1", server.port()).open()?;
//! session.greeting()?.require(220)?;
//! session.hello("client.example")?.require()?;
//! assert!(session.extensions().is_some_and(|extensions| extensions.has("PIPELINING")));
//!
//! let replies = session.pipeline(["MAIL FROM:<a@example.org>", "RCPT TO:<refused@example.org>", "RCPT TO:<b@example.org>"])?;
//! assert_eq!(replies[1].code(), 550);
//! session.message("Subject: hello\n\n.a line that begins with a dot\n".as_bytes())?.require(250)?;
//! session.quit()?;
//!
//! let message = &server.messages()[0];
//! assert_eq!(message.recipients, ["b@example.org"]);
//! assert_eq!(message.text(), "Subject: hello\r\n\r\n.a line that begins with a dot\r\n");
//! # Ok(()) }
//! # main().unwrap();
//! # }
//! ```
//!
//! Out of scope: composing messages (MIME, headers), queueing and retrying, looking up MX records.
//!
//! # Where to begin
//!
//! | for | there is |
//! |---|---|
//! | a session with a server | [`Connect::open`], then [`Session::command`], [`pipeline`](Session::pipeline), [`message`](Session::message) |
//! | many sessions at once, awaited | `Connect::open_async`, `AsyncSession` (feature `tokio`) |
//! | TLS after STARTTLS, or from the first byte on | `Session::upgrade` (feature `tls`); [`Session::upgrade_with`] for anybody else's TLS |
//! | AUTH | `Session::authenticate` (feature `auth`) |
//! | a UNIX socket, a child process, any other stream | [`Connect::over`], [`Session::from_stream`], [`Pair`], [`Stream`] |
//! | one thread that reads and one that writes | [`Session::split`] |
//! | why a session failed, in words | [`diagnosis::Evidence`] |
//! | a log, the time that everything took | [`Observer`], [`Timings`] |
//! | the same as values that serde writes | the module `json` (feature `json`) |
//! | a session that is written down, and compared | [`dialogue::Player`], [`dialogue::Recorder`] |
//! | the test of a client | `server::Setup` (feature `server`) |
//! | SMTP without I/O, for a loop of one's own | [`protocol`], [`script`] |
//! | what TLS and AUTH came to, as plain data | [`tls_info`], [`sasl`] |
//!
//! # Features
//! None is on by default. A feature adds, and never changes what is there without it.
//!
//! | feature | gives | crates | build |
//! |---|---|---|---|
//! | none | sessions, dialogues, timings, and the state machine under them | 9 | 11 s |
//! | `server` | a loopback server for tests and for practice: it receives mail, breaks every rule on demand, plays dialogues | 9 | 12 s |
//! | `json` | what happens to a session, and what it hands out, as values for [serde](https://serde.rs) | 13 | 17 s |
//! | `tokio` | sessions that are awaited, over tokio's sockets and timers: the same exchanges, errors and deadlines | 12 | 15 s |
//! | `auth` | AUTH: PLAIN, LOGIN, CRAM-MD5, SCRAM-SHA-1, SCRAM-SHA-256, XOAUTH2, OAUTHBEARER, EXTERNAL; inside TLS the two SCRAM-…-PLUS, with channel binding | 24 | 22 s |
//! | `tls` | STARTTLS and TLS from the first byte on, with rustls and ring; certificates, and what is wrong with them, as data | 32 | 42 s |
//! | all of them | | 44 | 47 s |
//!
//! *Crates* counts all that are built, procedural macros with them, as `cargo tree -e normal,build` lists them on Linux;
//! *build* is the processor's time for `cargo build` from nothing. ring, which `auth` and `tls` share, needs a C compiler.

#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "auth")]
pub mod auth;
mod calendar;
mod closer;
mod connect;
pub mod diagnosis;
pub mod dialogue;
mod error;
#[cfg(feature = "json")]
pub mod json;
mod observer;
mod own_name;
#[cfg(any(feature = "json", feature = "tls"))]
mod pem;
pub mod protocol;
pub mod sasl;
pub mod script;
#[cfg(feature = "server")]
pub mod server;
mod session;
mod stream;
pub mod suggest;
mod timings;
#[cfg(feature = "tls")]
pub mod tls;
pub mod tls_info;

pub use closer::Closer;
pub use connect::{Connect, Family, port};
pub use error::{Action, Attempt, Awaited, Context, DeadlinePassed, Error, Peer, TlsFailure};
pub use observer::{Event, Observer, observer_fn};
pub use own_name::{address_literal, is_name_blamed, own_name};
#[cfg(feature = "tokio")]
pub use session::{AsyncSession, AsyncStream};
pub use session::{Hello, MessageReply, RawReader, RawWriter, Reader, Session, Timeouts, Writer};
pub use stream::{ChannelBindings, Pair, Stream, Truncation};
pub use timings::{TimedStage, Timing, Timings};

/// The examples of the crate's README are compiled, too.
#[cfg(all(doctest, feature = "server"))]
#[doc = include_str!("../README.md")]
struct Readme;
