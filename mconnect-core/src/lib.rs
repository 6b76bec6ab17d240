//! SMTP sessions, by hand: from a program that probes servers, from a test, from the tool `mconnect`.
//!
//! ```text
//!   Connect ──open──► Session ──split──► Reader   Writer        one thread each
//!   names, families,   command              │       │
//!   addresses in turn  pipeline             └───┬───┘
//!                      deliver               Tracker            the phase, the replies due, the extensions
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
//! use mconnect_core::protocol::{Envelope, RecipientOutcome};
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
//! let envelope = Envelope::new(Some("a@example.org".parse()?))
//!     .to("refused@example.org".parse()?)
//!     .to("b@example.org".parse()?);
//! let delivery = session.deliver(&envelope, "Subject: hello\n\n.a line that begins with a dot\n".as_bytes())?;
//! assert_eq!(delivery.recipients[0].reply.as_ref().unwrap().code(), 550);
//! assert_eq!(delivery.recipients[1].outcome, RecipientOutcome::Delivered);
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
//! Out of scope: composing messages (MIME, headers) but for a [`TestMessage`], queueing and retrying.
//!
//! # Where to begin
//!
//! | for | there is |
//! |---|---|
//! | a session with a server | [`Connect::open`], then [`Session::command`], [`pipeline`](Session::pipeline), [`message`](Session::message) |
//! | a message for some recipients, and what came of it for each | [`Session::deliver`], [`protocol::Envelope`], [`protocol::Delivery`] |
//! | a message in a file, or a small one that is made | [`MessageFile`], [`TestMessage`] |
//! | many sessions at once, awaited | `Connect::open_async`, `AsyncSession` (feature `tokio`) |
//! | TLS after STARTTLS, or from the first byte on | `Session::upgrade` (feature `tls`); [`Session::upgrade_with`] for anybody else's TLS |
//! | whether a server is the one that TLSA records name (DANE) | `tls::dane::verify` (feature `tls`), [`Tlsa`] |
//! | a domain's policy (MTA-STS) and where it wants reports (TLSRPT) | the module `sts` (feature `probe`) |
//! | AUTH | `Session::authenticate` (feature `auth`) |
//! | a UNIX socket, a process as the server | `Connect::unix`, `Connect::spawn` |
//! | a proxy on the way, a PROXY header | [`Connect::via`], [`Connect::haproxy`] |
//! | any other stream | [`Connect::over`], [`Session::from_stream`], [`Pair`], [`Stream`] |
//! | one thread that reads and one that writes | [`Session::split`] |
//! | the mail exchangers of a domain, in their order | `Exchangers` (feature `dns`) |
//! | MX, addresses, TLSA records and the like | the module `dns` (feature `dns`) |
//! | why a session failed, in words | [`diagnosis::Evidence`] |
//! | a log, and how long everything took | [`Observer`], [`LineLog`], [`Trace`], [`Timings`] and their [`chart`](Timings::chart) |
//! | help on SMTP, for whoever types it | [`help`], [`suggest`] |
//! | what to say while a reply is late, or a send takes long | [`Overdue`], [`Progress`] |
//! | what happens in a session, as values that serde writes | the module `json` (feature `json`) |
//! | what a domain says of its mail, judged | the module `probe` (feature `probe`) |
//! | the same of any number of domains | `probe::Probe::run`, `run_async` (feature `probe`) |
//! | a session that is written down, and compared | [`dialogue::Player`], [`dialogue::Recorder`], [`dialogue::RecordWriter`] |
//! | the test of a client | `server::Setup` (feature `server`) |
//! | lines of any origin, sent in step with the replies | [`Driver`] over a [`Session`], [`script::Rules`] |
//! | SMTP without I/O, for a loop of one's own | [`protocol`], [`script`] |
//! | what TLS and AUTH came to, as plain data | [`tls_info`], [`sasl`] |
//!
//! # A server that is looked at
//! A probe is the same session, and what it wants to know is in the values: what the server offers, what its
//! certificates are worth, whom it takes mail for.
//!
//! ```no_run
//! use mconnect_core::{Connect, own_name};
//!
//! let mut session = Connect::new("mx.example.org", 25).deadline(std::time::Duration::from_secs(30)).open()?;
//! session.greeting()?.require(220)?;
//! session.hello(&own_name(session.local_address()))?.require()?;
//! for extension in session.extensions().unwrap_or_default().iter() {
//!     println!("{extension}");
//! }
//! for reply in session.pipeline(["MAIL FROM:<>", "RCPT TO:<postmaster@example.org>", "RSET"])? {
//!     println!("{reply}{}", if reply.flaws() == Default::default() { "" } else { " (against the rules)" });
//! }
//! session.quit()?;
//! # Ok::<(), mconnect_core::Error>(())
//! ```
//!
//! # What holds everywhere
//! * Nothing waits without a deadline, but for three that say so: a [`Reader`] by itself, which a [`Writer`] or a
//!   [`Closer`] ends; raw mode; and a stream that keeps no timeouts, such as a [`Pair`].
//! * Memory is bounded, whatever a server sends: [`protocol::Limits`] for lines and replies, and fixed measures for the
//!   rest.
//! * No server, file or network makes this library panic. What panics says so: misuse that cannot be a value
//!   ([`Session::unsplit`]), and awaiting outside of a runtime.
//! * What is sent as a secret in AUTH, or to a proxy, is shown by no error, no [`Debug`](std::fmt::Debug) and no [`Event`] outside of
//!   raw mode, unless the server repeats it; [`Session::hide`] keeps that from observers, too.
//! * A session, its halves, its replies and its errors can be sent to another thread. What blocks does so in the
//!   caller's thread; resolving a name has one of its own, and so have the standard error of a process, the server of the
//!   feature `server`, and a run over many targets (`probe::Probe::run`).
//! * There is no `unsafe` here, no logger, and nothing is set for the whole process. The environment is asked for the
//!   names that stand in a [`dialogue`], for `SSLKEYLOGFILE` where `tls::Config::log_keys` says so, and by the reader
//!   of the system's trust store.
//!
//! # Features
//! None is on by default. A feature adds, and never changes what is there without it.
//!
//! | feature | gives | crates | build |
//! |---|---|---|---|
//! | none | sessions, dialogues, timings, and the state machine under them | 9 | 14 s |
//! | `server` | a loopback server for tests and for practice: it receives mail, breaks every rule on demand, plays dialogues | 9 | 15 s |
//! | `json` | what happens to a session, and what it hands out, as values for [serde](https://serde.rs) | 13 | 22 s |
//! | `dns` | what a domain publishes of its mail: MX, addresses, TLSA and the like, and whether a validating resolver has verified it | 17 | 28 s |
//! | `idna` | host names in the letters of any language, servers as people write them, and why a text is neither | 19 | 17 s |
//! | `tokio` | sessions that are awaited, over tokio's sockets and timers: the same exchanges, errors and deadlines | 12 | 17 s |
//! | `auth` | AUTH: PLAIN, LOGIN, CRAM-MD5, SCRAM-SHA-1, SCRAM-SHA-256, XOAUTH2, OAUTHBEARER, EXTERNAL; inside TLS the two SCRAM-…-PLUS, with channel binding | 24 | 27 s |
//! | `tls` | STARTTLS and TLS from the first byte on, with rustls and ring; certificates, and what is wrong with them, as data | 32 | 43 s |
//! | `probe` | what a domain says of its mail and what its servers make of it, as a report with findings; DANE, and policies (MTA-STS) read, matched, and fetched over HTTPS; with `dns`, `tls` and `tokio` | 49 | 58 s |
//! | all of them | | 65 | 62 s |
//!
//! *Crates* counts all that are built, procedural macros with them, as `cargo tree -e normal,build` lists them on Linux;
//! *build* is the processor's time for `cargo build` from nothing, on a busy machine of two cores. ring, which `auth` and
//! `tls` share, needs a C compiler.

#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "auth")]
pub mod auth;
mod calendar;
mod closer;
mod connect;
pub mod diagnosis;
pub mod dialogue;
#[cfg(feature = "dns")]
pub mod dns;
mod driver;
mod encoded;
#[cfg(feature = "idna")]
mod endpoint;
mod error;
#[cfg(feature = "dns")]
mod exchangers;
pub mod help;
#[cfg(feature = "idna")]
mod host;
#[cfg(feature = "json")]
pub mod json;
mod line_log;
#[cfg(feature = "idna")]
mod mailbox;
mod message_file;
mod observer;
mod overdue;
mod own_machine;
mod own_name;
#[cfg(any(feature = "json", feature = "tls"))]
mod pem;
#[cfg(feature = "probe")]
pub mod probe;
mod progress;
pub mod protocol;
mod proxy;
mod proxy_header;
pub mod sasl;
pub mod script;
#[cfg(feature = "server")]
pub mod server;
mod session;
mod stream;
#[cfg(feature = "probe")]
pub mod sts;
pub mod suggest;
mod test_message;
mod timings;
#[cfg(feature = "tls")]
pub mod tls;
pub mod tls_info;
mod tlsa;
mod trace;

pub use calendar::message_date;
pub use closer::Closer;
pub use connect::{Connect, Family, port};
pub use driver::{Driver, Ended, Heard};
pub use encoded::Encoded;
#[cfg(feature = "idna")]
pub use endpoint::{Endpoint, InvalidEndpoint, Scheme};
pub use error::{Action, Attempt, Awaited, Context, DeadlinePassed, Error, Peer, TlsFailure, chain};
#[cfg(feature = "dns")]
pub use exchangers::{Exchangers, NoExchanger, NotGlobal};
#[cfg(feature = "idna")]
pub use host::{Host, InvalidHost};
pub use line_log::{LineLog, LogLine};
#[cfg(feature = "idna")]
pub use mailbox::{InvalidMailbox, mailbox};
pub use message_file::MessageFile;
pub use observer::{Event, Observer, observer_fn};
pub use overdue::Overdue;
pub use own_name::{address_literal, is_name_blamed, own_name};
pub use progress::Progress;
pub use proxy::{InvalidProxy, Proxy, ProxyError, ProxyKind, ProxyNegotiation, ProxyStep, ProxyTarget};
pub use proxy_header::{InvalidProxyEnd, InvalidProxyHeader, ProxyHeader, ProxyHeaderParse, ProxyVersion};
#[cfg(feature = "tokio")]
pub use session::{AsyncSession, AsyncStream};
pub use session::{Hello, MessageReply, RawReader, RawWriter, Reader, Session, Timeouts, Writer};
pub use stream::{ChannelBindings, Pair, Stream, Truncation};
pub use test_message::{InvalidHeader, MessageHeader, TestMessage};
pub use timings::{TimedStage, Timing, Timings};
pub use tlsa::Tlsa;
pub use trace::{Trace, TraceForm};

/// The examples of the crate's README are compiled, too.
#[cfg(all(doctest, feature = "server"))]
#[doc = include_str!("../README.md")]
struct Readme;
