//! What can go wrong, with whom, in which phase.
//!
//! ```text
//!   Error ──┬── Context: action, Peer, Phase, the reply that was Awaited        (context, peer)
//!           ├── source: io::Error, TlsFailure, AuthError, LimitExceeded         (tls_failure; what lies beneath)
//!           └── is_temporary, hint, chain, ...                                  (advice)
//! ```
//! An error is made where what happened is known, by `session::Shared`, with all that is known there: nobody wraps it
//! once more on its way.

mod advice;
mod context;
mod peer;
mod tls_failure;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

pub use advice::chain;
pub use context::{Action, Awaited, Context};
pub use peer::{Attempt, DeadlinePassed, Peer};
pub use tls_failure::TlsFailure;
#[cfg(feature = "tls")]
pub(crate) use tls_failure::TlsWords;

use crate::protocol::{Delivery, LimitExceeded, Need, Phase, RecipientOutcome, Reply, Unexpected};
use crate::sasl::AuthError;
use crate::tls_info::Info;
use context::Failed;
use peer::{At, Others};

/// Why a session could not be opened, or could not go on.
///
/// A negative reply is none of these: it is a [`Reply`]. The cause, where there is one, is the
/// [`source`](std::error::Error::source) and not in the text; [`chain`](Self::chain) has all of it on one line.
///
/// # Which error for what
/// | what went wrong | errors | what to do |
/// |---|---|---|
/// | the caller's mistake | [`Address`](Self::Address), [`OutOfStep`](Self::OutOfStep), [`LineBreak`](Self::LineBreak), [`Need`](Self::Need) | nothing was sent: see [`hint`](Self::hint) |
/// | no connection | [`Resolve`](Self::Resolve), [`Connect`](Self::Connect) | try again later, if [`is_temporary`](Self::is_temporary) |
/// | the connection, in the middle | [`Io`](Self::Io), [`Timeout`](Self::Timeout), [`Closed`](Self::Closed), [`Aborted`](Self::Aborted) | close, and try again later |
/// | what the server said | [`OtherProtocol`](Self::OtherProtocol), [`Limit`](Self::Limit), [`Surprise`](Self::Surprise), [`Injection`](Self::Injection) | close: client and server do not understand each other |
/// | TLS, AUTH | [`Tls`](Self::Tls), [`Untrusted`](Self::Untrusted), [`Auth`](Self::Auth) | close; what is wrong is in `source` and `info` |
/// | the caller's own input, a future that was dropped | [`Message`](Self::Message), [`Unfinished`](Self::Unfinished) | reset, so that half a message is not delivered |
/// | one of several commands | [`Pipeline`](Self::Pipeline) | what came before is in `answered`; why it broke off, in `source` |
/// | a delivery, after some of it was decided | [`Delivery`](Self::Delivery) | what had come of it is in `so_far`; why it broke off, in `source` |
/// | a reply other than the one that was required | [`Unexpected`](Self::Unexpected) | what the reply says |
///
/// ```
/// # #[cfg(feature = "server")] {
/// use std::time::{Duration, Instant};
///
/// use mconnect_core::{Connect, Error, server::Server};
///
/// // This server greets, and never says anything more.
/// let server = Server::play("S: 220 hi\nC: NOOP\nC: *close*")?;
/// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
/// session.greeting()?;
/// session.set_deadline(Instant::now().checked_add(Duration::from_millis(50)));
/// let error = session.command("NOOP").unwrap_err();
/// assert!(matches!(&error, Error::Timeout { is_overall: true, .. }));
/// assert!(error.is_temporary() && error.has_sent());
/// assert!(error.to_string().starts_with("no reply to NOOP from 127.0.0.1:"));
/// # drop(session);
/// # server.join()?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What the server said is made visible in every text, on one line, so that it may be shown on a terminal. What was sent
/// as a secret is in none, unless the server repeats it. Where the words are not enough,
/// [`diagnosis`](crate::diagnosis) says why a session failed and what to do about it. More variants and fields may come.
#[doc(alias = "failure")]
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The host or the port cannot be what was given. Nothing was looked up.
    #[error("{what} is not a {kind}")]
    Address {
        /// What was given.
        what: String,
        /// What it should have been.
        kind: &'static str,
    },
    /// The name has no address, or the resolver did not answer.
    #[error("cannot resolve {peer}")]
    Resolve {
        /// The name.
        peer: Peer,
        /// The resolver asks to try again later, or its time was up.
        is_temporary: bool,
        /// What the resolver says.
        source: io::Error,
    },
    /// No address could be connected to.
    #[error("cannot connect to {peer}{}{}", At(*port), Others(attempts))]
    Connect {
        /// The name or address that was asked for.
        peer: Peer,
        /// The port; 0 where there is none: over a UNIX socket, to a process.
        port: u16,
        /// Every attempt at an address, in order; empty if none was of the family asked for, and where there are none.
        attempts: Vec<Attempt>,
        /// The outcome of the last attempt.
        source: io::Error,
    },
    /// Reading or writing failed. Inside TLS, an end without its close_notify is one, too: see
    /// [`truncation`](Self::truncation).
    #[error("{}", Failed(context))]
    Io {
        /// What was being done.
        context: Context,
        /// What the system says.
        source: io::Error,
    },
    /// A deadline passed. Where a reply was awaited, what came of it is in `partial`, and reading on goes on with it.
    #[error(
        "{}: timed out after {}{}",
        Failed(context), Seconds(*after), if *is_overall { ", the deadline of the whole session" } else { "" }
    )]
    Timeout {
        /// What was being done.
        context: Context,
        /// How long the deadline was.
        after: Duration,
        /// What was read of the reply under way.
        partial: Vec<u8>,
        /// It was the deadline of the whole session ([`Connect::deadline`](crate::Connect::deadline),
        /// [`Session::set_deadline`](crate::Session::set_deadline)) and not that of a stage.
        is_overall: bool,
    },
    /// The server closed the connection before it had replied. What came of the reply is in `partial`.
    #[error("{}: the server closed the connection", Failed(context))]
    Closed {
        /// What was being done.
        context: Context,
        /// What was read of the reply under way.
        partial: Vec<u8>,
    },
    /// The connection was closed from this side: by a [`Closer`](crate::Closer), or because a deadline had passed
    /// ([`Writer::wait`](crate::Writer::wait)).
    #[error("{}: the connection was closed from this side", Failed(context))]
    Aborted {
        /// What was being done.
        context: Context,
    },
    /// The server greeted in another protocol than SMTP.
    #[error("{}: the server speaks {protocol}, not SMTP", Failed(context))]
    OtherProtocol {
        /// What was being done.
        context: Context,
        /// What it speaks: `IMAP`.
        protocol: &'static str,
        /// What was read of it.
        partial: Vec<u8>,
    },
    /// The server sent more than the [`Limits`](crate::protocol::Limits) allow.
    #[error("cannot {context}")]
    Limit {
        /// What was being done.
        context: Context,
        /// What was read of the reply.
        partial: Vec<u8>,
        /// The limit.
        source: LimitExceeded,
    },
    /// A command would be answered by the reply to an earlier one, or be taken for something else in this phase: nothing
    /// was sent.
    #[error("will not {context}: {}", Obstacle(context.action, *outstanding))]
    OutOfStep {
        /// What was to be done.
        context: Context,
        /// How many replies are due.
        outstanding: usize,
    },
    /// A reply shows that client and server are out of step: one takes what the other says for something else. Whatever
    /// was to follow what was asked must not be sent
    /// ([`Meaning::OutOfStep`](crate::protocol::Meaning::OutOfStep)).
    #[error(
        "out of step with {} ({} phase): {} \"{reply}\"",
        context.peer, context.phase,
        reply.request().map_or("nobody asked for".to_owned(), |request| format!("{request} was answered by"))
    )]
    Surprise {
        /// What was being done.
        context: Context,
        /// The reply, and what it answers.
        reply: Box<Reply>,
    },
    /// A line to be sent holds a line break, and would be two: nothing was sent.
    #[error("will not {context}: the line holds a line break")]
    LineBreak {
        /// What was to be done.
        context: Context,
    },
    /// The message to be sent could not be read. It is unfinished, and the server is still waiting for the rest of
    /// it: close the session, so that half a message is not delivered.
    #[error("cannot read the message for {}", context.peer)]
    Message {
        /// What was being done.
        context: Context,
        /// What its reader says.
        source: io::Error,
    },
    /// Part of a command or of a message has been sent, and the rest of it never will be: the future that sent it was
    /// dropped before its end, or the message could not be read on. The server waits for the rest: close the session.
    #[error("will not {context}: what was sent before was given up on its way")]
    Unfinished {
        /// What was to be done.
        context: Context,
    },
    /// A pipeline broke off: after these replies, of which each answers the command of the same place.
    #[error("a pipeline broke off after {} {}", answered.len(), if answered.len() == 1 { "reply" } else { "replies" })]
    Pipeline {
        /// The replies that came before that.
        answered: Vec<Reply>,
        /// Why.
        source: Box<Error>,
    },
    /// The message, or an address, needs what the server has not offered: nothing was sent.
    #[error("will not {context}: {need}")]
    Need {
        /// What was to be done.
        context: Context,
        /// What is needed.
        need: Need,
    },
    /// A delivery broke off, after the server had replied to some of it.
    #[error(
        "the delivery broke off with {} of {} {} undecided",
        so_far.count(RecipientOutcome::Undecided), so_far.recipients.len(),
        if so_far.recipients.len() == 1 { "recipient" } else { "recipients" }
    )]
    Delivery {
        /// What had come of it by then.
        so_far: Box<Delivery>,
        /// Why.
        source: Box<Error>,
    },
    /// TLS could not be started, or ended. Nothing more can be sent: not in the clear either. [`TlsFailure::of`] its
    /// source says why, where that is known.
    #[error("cannot {context}")]
    Tls {
        /// What was being done.
        context: Context,
        /// What the connection says, in words; with the feature `tls`, `Error::rustls` returns what rustls says.
        source: io::Error,
    },
    /// TLS was not started, because the server had sent plain text already that would be taken for its answers inside
    /// TLS. Behind the reply to STARTTLS this is an attack: response injection.
    #[error(
        "will not {context}: {octets} octets of plain text came {}",
        if context.phase == Phase::StartTls {
            "behind the reply to STARTTLS, and would be taken for answers inside TLS (response injection)"
        } else {
            "before the handshake"
        }
    )]
    Injection {
        /// What was to be done.
        context: Context,
        /// How much there was.
        octets: usize,
    },
    /// The server showed certificates that do not prove it to be the one that was asked for. The connection is closed.
    #[error("cannot trust {}: {}", context.peer, info.reason())]
    Untrusted {
        /// What was being done.
        context: Context,
        /// What the handshake came to, with what the server showed, and everything that is wrong with it.
        info: Box<Info>,
    },
    /// An exchange of AUTH was cancelled, or the server granted it without having proven itself.
    #[error("cannot {context}")]
    Auth {
        /// What was being done.
        context: Context,
        /// Why.
        source: AuthError,
    },
    /// A reply was not the one that was required: made of an [`Unexpected`] by `?`, where
    /// [`require`](crate::protocol::Reply::require) is called.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
}

impl Error {
    /// Says in which phase it happened, where sending has led to another one since.
    pub(crate) fn in_phase(mut self, phase: Phase) -> Self {
        if let Some(context) = self.context_mut() {
            context.phase = phase;
        }
        self
    }

    /// Says to which command a reply was awaited.
    pub(crate) fn awaiting(mut self, command: Arc<str>) -> Self {
        if let Some(awaited) = self.context_mut().and_then(|context| context.awaited.as_mut()) {
            awaited.command = Some(command);
        }
        self
    }

    /// Returns the context of an error that a wait makes. The others are made with the right one.
    fn context_mut(&mut self) -> Option<&mut Context> {
        match self {
            Self::Io { context, .. }
            | Self::Timeout { context, .. }
            | Self::Closed { context, .. }
            | Self::Aborted { context }
            | Self::OtherProtocol { context, .. }
            | Self::Limit { context, .. } => Some(context),
            _ => None,
        }
    }
}

/// Why a command would be out of step, in words.
struct Obstacle(Action, usize);

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (Action::ReadReply, 0) => f.write_str("the greeting has been read"),
            (_, 0) => f.write_str("the server does not wait for a command"),
            (_, 1) => f.write_str("1 earlier reply is still due"),
            (_, due) => write!(f, "{due} earlier replies are still due"),
        }
    }
}

/// A time as people say it: `30 s`, `0.05 s`.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            whole if whole.subsec_nanos() == 0 => write!(f, "{} s", whole.as_secs()),
            part => write!(f, "{} s", part.as_secs_f64()),
        }
    }
}
