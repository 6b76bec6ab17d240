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
//! * Every wait has a deadline ([`Timeouts`]), for the whole of what is waited for.
//! * Errors ([`Error`]) say what was being done, with whom, in which phase of the session, and why.
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
//! session.read_reply()?.require(220)?;
//! session.command("EHLO client.example")?.require(250)?;
//! assert!(session.extensions().is_some_and(|extensions| extensions.has("PIPELINING")));
//!
//! let replies = session.pipeline(["MAIL FROM:<a@example.org>", "RCPT TO:<refused@example.org>", "RCPT TO:<b@example.org>"])?;
//! assert_eq!(replies[1].code(), 550);
//! session.message("Subject: hello\n\n.a line that begins with a dot\n".as_bytes())?.require(250)?;
//! session.quit()?;
//!
//! let message = &server.messages()[0];
//! assert_eq!(message.recipients, [b"b@example.org"]);
//! assert_eq!(message.content, b"Subject: hello\r\n\r\n.a line that begins with a dot\r\n");
//! # Ok(()) }
//! # main().unwrap();
//! # }
//! ```
//!
//! Out of scope: composing messages (MIME, headers), queueing and retrying, looking up MX records.
//!
//! # Features
//! `server`: a loopback SMTP server for tests and for practice, without a dependency more.
//!
//! `tls`: STARTTLS and TLS from the first byte, with rustls and ring; see [`Session::upgrade_with`] for anybody else's.
//!
//! `auth`: AUTH, with PLAIN, LOGIN, CRAM-MD5, SCRAM-SHA-1, SCRAM-SHA-256, XOAUTH2, OAUTHBEARER and EXTERNAL; inside TLS
//! SCRAM-SHA-1-PLUS and SCRAM-SHA-256-PLUS, too, with channel binding.
//!
//! `serde`: what happens to a session as values that can be written, as JSON for one (the module `json`).

#![warn(missing_docs)]

#[cfg(feature = "auth")]
pub mod auth;
#[cfg(any(feature = "json", feature = "tls"))]
mod calendar;
mod closer;
mod connect;
pub mod dialogue;
mod error;
#[cfg(feature = "json")]
pub mod json;
mod observer;
pub mod protocol;
pub mod script;
#[cfg(feature = "server")]
pub mod server;
mod session;
mod stream;
mod timings;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(not(feature = "tls"))]
#[path = "without_tls.rs"]
mod tls;

pub use closer::Closer;
pub use connect::{Connect, Family, port};
pub use error::{Action, Attempt, Error, Peer, Scene, Truncation};
pub use observer::{Event, Observer};
pub use session::{MessageReply, RawReader, RawWriter, Reader, Session, Timeouts, Writer};
pub use stream::{ChannelBindings, Pair, Stream};
pub use timings::{TimedStage, Timing, Timings};
