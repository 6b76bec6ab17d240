//! What can go wrong, with whom, in which phase.

mod context;
mod peer;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

pub use context::{Action, Awaited, Context};
pub use peer::{Attempt, DeadlinePassed, Peer};

use crate::protocol::{Delivery, LimitExceeded, Need, Phase, RecipientOutcome, Reply, Severity, Unexpected};
use crate::sasl::AuthError;
use crate::stream::Truncation;
use crate::tls_info::Info;
use context::Failed;
use peer::Others;

/// Why a session could not be opened, or could not go on.
///
/// A negative reply is none of these: it is a [`Reply`]. The cause, where there is one, is the
/// [`source`](std::error::Error::source) and not in the text; [`chain`](Self::chain) has all of it on one line.
///
/// | what went wrong | errors | what to do |
/// |---|---|---|
/// | the caller's mistake | `Address`, `OutOfStep`, `LineBreak`, `Need` | nothing was sent: see [`hint`](Self::hint) |
/// | no connection | `Resolve`, `Connect` | try again later, if [`is_temporary`](Self::is_temporary) |
/// | the connection, in the middle | `Io`, `Timeout`, `Closed`, `Aborted` | close, and try again later |
/// | what the server said | `Limit`, `Surprise`, `Injection` | close: client and server do not understand each other |
/// | TLS, AUTH | `Tls`, `Untrusted`, `Auth` | close; what is wrong is in `source` and `info` |
/// | the caller's own input | `Message` | reset, so that half a message is not delivered |
/// | a reply other than the one that was required | `Unexpected` | what the reply says |
///
/// ```
/// # #[cfg(feature = "server")] {
/// use std::time::Duration;
///
/// use mconnect_core::{Connect, Error, server::Server};
///
/// // This server greets, and never says anything more.
/// let server = Server::play("S: 220 hi\nC: NOOP\nC: *close*")?;
/// let mut session = Connect::new("127.0.0.1", server.port()).deadline(Duration::from_millis(50)).open()?;
/// session.greeting()?;
/// let error = session.command("NOOP").unwrap_err();
/// assert!(matches!(&error, Error::Timeout { is_overall: true, .. }));
/// assert!(error.is_temporary() && error.has_sent());
/// assert!(error.to_string().starts_with("no reply to NOOP from 127.0.0.1:"));
/// # drop(session);
/// # server.join()?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The host or the port cannot be what was given.
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
    #[error("cannot connect to {peer}, port {port}{}", Others(attempts))]
    Connect {
        /// The name or address that was asked for.
        peer: Peer,
        /// The port.
        port: u16,
        /// Every attempt, in order; empty if no address was of the family asked for.
        attempts: Vec<Attempt>,
        /// The outcome of the last attempt.
        source: io::Error,
    },
    /// Reading or writing failed.
    #[error("{}", Failed(context))]
    Io {
        /// What was being done.
        context: Context,
        /// What the system says.
        source: io::Error,
    },
    /// A deadline passed.
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
    /// The server closed the connection before it had replied.
    #[error("{}: the server closed the connection", Failed(context))]
    Closed {
        /// What was being done.
        context: Context,
        /// What was read of the reply under way.
        partial: Vec<u8>,
    },
    /// The connection was closed from this side: by a [`Closer`](crate::Closer), or because a deadline had passed.
    #[error("{}: the connection was closed from this side", Failed(context))]
    Aborted {
        /// What was being done.
        context: Context,
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
    /// A pipeline broke off.
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
    /// TLS could not be started. Nothing more can be sent: not in the clear either.
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
    /// A reply was not the one that was required.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
}

/// Why TLS failed, where that is known: in the cause of [`Error::Tls`], and of [`Error::Io`] where the server refuses what
/// it was shown only after the handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlsFailure {
    /// The server answered in plain text, which begins so.
    PlainText(Vec<u8>),
    /// What it sent is no TLS.
    NoTls,
    /// It speaks no version of TLS that is spoken here.
    OldVersion {
        /// The least that is: `1.2`.
        least: &'static str,
    },
    /// It has no cipher suite or key exchange in common with what is offered.
    NothingInCommon,
    /// It asks for a client certificate.
    CertificateWanted,
    /// It does not accept the client's certificate.
    CertificateRefused,
    /// It does not know the name that was asked for.
    UnknownName,
    /// Something is wrong on its side.
    ServerFault,
    /// Something else.
    Other,
}

/// A failure of TLS in words, and what lies beneath it.
#[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "without TLS, nothing fails in it"))]
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub(crate) struct TlsWords {
    pub failure: TlsFailure,
    pub words: String,
    /// No `source`: the words say it.
    pub beneath: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl TlsFailure {
    /// Returns why TLS failed, if this error says it.
    pub fn of(error: &io::Error) -> Option<&Self> {
        Some(&error.get_ref()?.downcast_ref::<TlsWords>()?.failure)
    }
}

impl Error {
    /// Says whether a deadline passed.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::Timeout { .. } => true,
            Self::Connect { source, .. } | Self::Resolve { source, .. } => source.kind() == io::ErrorKind::TimedOut,
            Self::Pipeline { source, .. } | Self::Delivery { source, .. } => source.is_timeout(),
            _ => false,
        }
    }

    /// Says whether trying again later may help, as a queue would ([RFC 5321, section 4.2.1 and
    /// 4.5.4.1](https://www.rfc-editor.org/rfc/rfc5321#section-4.2.1)): whatever keeps a server from answering may pass, and
    /// so may a 4yz; a 5yz does not, nor what the caller has to mend. A 552 to RCPT is a 452 in older words
    /// ([section 4.5.3.1.10](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.10)).
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Resolve { is_temporary, .. } => *is_temporary,
            Self::Connect { attempts, .. } => !attempts.is_empty(),
            Self::Unexpected(Unexpected { reply, .. }) => match reply.code().severity() {
                Severity::Transient | Severity::Permanent => RecipientOutcome::of(reply) == RecipientOutcome::Temporary,
                _ => !reply.is_granted(),
            },
            Self::Pipeline { source, .. } | Self::Delivery { source, .. } => source.is_temporary(),
            Self::Tls { source, .. } => source.kind() != io::ErrorKind::InvalidInput,
            Self::Io { .. }
            | Self::Timeout { .. }
            | Self::Closed { .. }
            | Self::Aborted { .. }
            | Self::Limit { .. }
            | Self::Surprise { .. }
            | Self::Injection { .. }
            | Self::Untrusted { .. }
            | Self::Message { .. }
            | Self::Unfinished { .. } => true,
            Self::Address { .. }
            | Self::OutOfStep { .. }
            | Self::LineBreak { .. }
            | Self::Need { .. }
            | Self::Auth { .. } => false,
        }
    }

    /// Says what to do instead, where the mistake is the caller's.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::OutOfStep { context, outstanding } => Some(match (context.phase, outstanding) {
                (Phase::Greeting, 1..) => "read the greeting first (Session::greeting)",
                (_, 1..) => {
                    "read the replies that are due first (Session::read_reply), or send a group (Session::pipeline)"
                }
                (Phase::Body, 0) => "the server waits for a message (Session::message)",
                (Phase::Chunk { .. }, 0) => "the server waits for the rest of a chunk (Session::send)",
                (Phase::StartTls, 0) => "the server waits for a handshake (Session::upgrade)",
                (_, 0) if context.action == Action::ReadReply => "the greeting is the first reply, and comes once",
                _ => return None,
            }),
            Self::Injection { context, .. } if context.phase != Phase::StartTls => {
                Some("TLS from the first byte begins before anything else is read")
            }
            Self::LineBreak { .. } => {
                Some("a line ends by itself: send several one by one, or in a group (Session::pipeline)")
            }
            Self::Message { .. } | Self::Unfinished { .. } => {
                Some("close the session, so that half a message is not delivered (Session::reset)")
            }
            Self::Tls { source, .. } if source.kind() == io::ErrorKind::Unsupported => {
                Some("only a session inside TLS can end it")
            }
            Self::Need { .. } => {
                Some("parameters of MAIL that say so are sent, whatever was offered (Envelope::parameter)")
            }
            Self::Pipeline { source, .. } | Self::Delivery { source, .. } => source.hint(),
            _ => None,
        }
    }

    /// Returns the error and its causes on one line, `a: b: c`, without the numbers that systems have for theirs.
    ///
    /// ```
    /// use mconnect_core::Connect;
    ///
    /// // Nobody listens there.
    /// let nobody = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    /// let error = Connect::new("127.0.0.1", nobody.port()).open().unwrap_err();
    /// assert!(error.chain().starts_with("cannot connect to 127.0.0.1, port "));
    /// assert!(error.chain().ends_with(": Connection refused"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn chain(&self) -> String {
        let mut chain = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let words = error.to_string();
            let words = words.split(" (os error").next().unwrap_or_default();
            let words = words.strip_prefix("failed to lookup address information: ").unwrap_or(words);
            chain.push_str(": ");
            chain.push_str(words);
            cause = error.source();
        }
        chain
    }

    /// Returns how the connection ended, if that was inside TLS and without the farewell that TLS has.
    pub fn truncation(&self) -> Option<Truncation> {
        match self {
            Self::Io { source, .. } => Truncation::of(source),
            _ => None,
        }
    }

    /// Says whether the connection ended without the farewell that TLS has: what came before may have been cut short.
    #[must_use]
    pub fn is_truncation(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::UnexpectedEof)
    }

    /// Says whether anything had been sent to the server before: if not, another server of the same name may be tried, and
    /// nobody gets a message twice.
    #[must_use]
    pub fn has_sent(&self) -> bool {
        match self {
            Self::Pipeline { .. } | Self::Delivery { .. } | Self::Unexpected(_) => true,
            _ => self.context().is_some_and(|context| context.has_sent),
        }
    }

    /// Says what was being done, if there was a session.
    pub fn context(&self) -> Option<&Context> {
        match self {
            Self::Io { context, .. }
            | Self::Timeout { context, .. }
            | Self::Closed { context, .. }
            | Self::Aborted { context }
            | Self::Limit { context, .. }
            | Self::OutOfStep { context, .. }
            | Self::Surprise { context, .. }
            | Self::LineBreak { context }
            | Self::Tls { context, .. }
            | Self::Injection { context, .. }
            | Self::Untrusted { context, .. }
            | Self::Auth { context, .. }
            | Self::Message { context, .. }
            | Self::Need { context, .. }
            | Self::Unfinished { context } => Some(context),
            Self::Pipeline { source, .. } | Self::Delivery { source, .. } => source.context(),
            Self::Address { .. } | Self::Resolve { .. } | Self::Connect { .. } | Self::Unexpected(_) => None,
        }
    }
}

impl Error {
    /// Says in which phase it happened, where sending has led to another one since.
    pub(crate) fn in_phase(mut self, phase: Phase) -> Self {
        if let Some(context) = self.scene_mut() {
            context.phase = phase;
        }
        self
    }

    /// Says to which command a reply was awaited.
    pub(crate) fn awaiting(mut self, command: Arc<str>) -> Self {
        if let Some(awaited) = self.scene_mut().and_then(|context| context.awaited.as_mut()) {
            awaited.command = Some(command);
        }
        self
    }

    fn scene_mut(&mut self) -> Option<&mut Context> {
        match self {
            Self::Io { context, .. }
            | Self::Timeout { context, .. }
            | Self::Closed { context, .. }
            | Self::Aborted { context }
            | Self::Limit { context, .. } => Some(context),
            _ => None,
        }
    }
}

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

struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            whole if whole.subsec_nanos() == 0 => write!(f, "{} s", whole.as_secs()),
            part => write!(f, "{} s", part.as_secs_f64()),
        }
    }
}
