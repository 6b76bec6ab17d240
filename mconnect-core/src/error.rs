//! What can go wrong, with whom, in which phase.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::protocol::{LimitExceeded, Phase, Reply, Unexpected, Visible};
use crate::tls::Info;

/// Why a session could not be opened, or could not go on.
///
/// A negative reply is none of these: it is a [`Reply`]. The cause, where there is one, is the
/// [`source`](std::error::Error::source) and not in the text.
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
    #[error("cannot {scene}")]
    Io {
        /// What was being done.
        scene: Scene,
        /// What the system says.
        source: io::Error,
    },
    /// A deadline passed.
    #[error("cannot {scene}: timed out after {}", Seconds(*after))]
    Timeout {
        /// What was being done.
        scene: Scene,
        /// How long was waited.
        after: Duration,
        /// What was read of the reply under way.
        partial: Vec<u8>,
    },
    /// The server closed the connection before it had replied.
    #[error("cannot {scene}: the server closed the connection")]
    Closed {
        /// What was being done.
        scene: Scene,
        /// What was read of the reply under way.
        partial: Vec<u8>,
    },
    /// The connection was closed from this side: by a [`Closer`](crate::Closer), or because a deadline had passed.
    #[error("cannot {scene}: the connection was closed from this side")]
    Aborted {
        /// What was being done.
        scene: Scene,
    },
    /// The server sent more than the [`Limits`](crate::protocol::Limits) allow.
    #[error("cannot {scene}")]
    Limit {
        /// What was being done.
        scene: Scene,
        /// What was read of the reply.
        partial: Vec<u8>,
        /// The limit.
        source: LimitExceeded,
    },
    /// A command would be answered by the reply to an earlier one, or be taken for something else in this phase: nothing
    /// was sent.
    #[error("will not {scene}: {}", Obstacle(*outstanding))]
    OutOfStep {
        /// What was to be done.
        scene: Scene,
        /// How many replies are due.
        outstanding: usize,
    },
    /// A reply shows that client and server are out of step: one takes what the other says for something else. Whatever
    /// was to follow what was asked must not be sent
    /// ([`Meaning::OutOfStep`](crate::protocol::Meaning::OutOfStep)).
    #[error(
        "out of step with {} ({} phase): {} \"{reply}\"",
        scene.peer, scene.phase,
        reply.request().map_or("nobody asked for".to_owned(), |request| format!("{request} was answered by"))
    )]
    Surprise {
        /// What was being done.
        scene: Scene,
        /// The reply, and what it answers.
        reply: Box<Reply>,
    },
    /// A line to be sent holds a line break, and would be two: nothing was sent.
    #[error("will not {scene}: the line holds a line break")]
    LineBreak {
        /// What was to be done.
        scene: Scene,
    },
    /// The message to be sent could not be read. It is unfinished, and the server is still waiting for the rest of
    /// it: close the session, so that half a message is not delivered.
    #[error("cannot read the message for {}", scene.peer)]
    Message {
        /// What was being done.
        scene: Scene,
        /// What its reader says.
        source: io::Error,
    },
    /// A pipeline broke off.
    #[error("a pipeline broke off after {} {}", answered.len(), if answered.len() == 1 { "reply" } else { "replies" })]
    Pipeline {
        /// The replies that came before that.
        answered: Vec<Reply>,
        /// Why.
        source: Box<Error>,
    },
    /// TLS could not be started. Nothing more can be sent: not in the clear either.
    #[error("cannot {scene}")]
    Tls {
        /// What was being done.
        scene: Scene,
        /// What the connection says, in words.
        source: io::Error,
    },
    /// TLS was not started, because the server had sent plain text already that would be taken for its answers inside
    /// TLS. Behind the reply to STARTTLS this is an attack: response injection.
    #[error(
        "will not {scene}: {octets} octets of plain text came {}",
        if scene.phase == Phase::StartTls {
            "behind the reply to STARTTLS, and would be taken for answers inside TLS (response injection)"
        } else {
            "before the handshake"
        }
    )]
    Injection {
        /// What was to be done.
        scene: Scene,
        /// How much there was.
        octets: usize,
    },
    /// The server showed certificates that do not prove it to be the one that was asked for. The connection is closed.
    #[error("cannot trust {}: {}", scene.peer, info.reason())]
    Untrusted {
        /// What was being done.
        scene: Scene,
        /// What the handshake came to, with what the server showed, and everything that is wrong with it.
        info: Box<Info>,
    },
    /// An exchange of AUTH was cancelled, or the server granted it without having proven itself.
    #[error("cannot {scene}: {reason}")]
    Auth {
        /// What was being done.
        scene: Scene,
        /// Why.
        reason: String,
    },
    /// A reply was not the one that was required.
    #[error(transparent)]
    Unexpected(#[from] Unexpected),
}

/// How a connection inside TLS ended without the farewell that TLS has, its close_notify: the error, of kind
/// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof), of a read from a [`Stream`](crate::Stream) then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Truncation {
    /// After a whole record.
    #[error("the connection ended without TLS's close_notify")]
    BetweenRecords,
    /// Inside a record.
    #[error("the connection was cut off inside a record of TLS")]
    InsideRecord,
}

/// An attempt to connect that failed.
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The address.
    pub address: SocketAddr,
    /// Why it failed.
    pub error: io::Error,
    /// How long it took.
    pub took: Duration,
}

/// What was being done, with whom, in which phase.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Scene {
    /// What was being done.
    pub action: Action,
    /// With whom.
    pub peer: Peer,
    /// The phase of the session then.
    pub phase: Phase,
    /// Something had been sent to the server before.
    pub has_sent: bool,
}

/// What a session does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// Reading from the server.
    Read,
    /// Reading, or waiting for, a whole reply.
    ReadReply,
    /// Writing to the server.
    Write,
    /// Ending the sending side.
    HalfClose,
    /// Starting TLS.
    Handshake,
    /// Ending TLS.
    EndTls,
    /// Proving who one is.
    Authenticate,
}

/// The other end of a session.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Peer {
    names: Arc<Names>,
    address: Option<SocketAddr>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Names {
    asked: Arc<str>,
    known_as: Option<Arc<str>>,
}

impl Scene {
    /// Says what was being done, with whom, in which phase, and whether anything had been sent to the server before.
    pub fn new(action: Action, peer: Peer, phase: Phase, has_sent: bool) -> Self {
        Self { action, peer, phase, has_sent }
    }
}

impl Peer {
    /// Names the other end, with its address if it has one.
    pub fn new(name: impl Into<Arc<str>>, address: Option<SocketAddr>) -> Self {
        Self::known(name.into(), None, address)
    }

    pub(crate) fn known(asked: Arc<str>, known_as: Option<Arc<str>>, address: Option<SocketAddr>) -> Self {
        Self { names: Arc::new(Names { asked, known_as }), address }
    }

    /// Gives the name or address that was asked for.
    pub fn name(&self) -> &str {
        &self.names.asked
    }

    /// Returns how people know it, if that is something else: `müller.example`, where the name is `xn--mller-kva.example`.
    pub fn known_as(&self) -> Option<&str> {
        self.names.known_as.as_deref()
    }

    /// Gives the address that was connected to.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }
}

impl Truncation {
    /// Returns how the connection ended, if this error says it.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref().copied()
    }
}

impl From<Truncation> for io::Error {
    fn from(how: Truncation) -> Self {
        Self::new(io::ErrorKind::UnexpectedEof, how)
    }
}

impl Error {
    /// Says whether a deadline passed.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::Timeout { .. } => true,
            Self::Connect { source, .. } | Self::Resolve { source, .. } => source.kind() == io::ErrorKind::TimedOut,
            Self::Pipeline { source, .. } => source.is_timeout(),
            _ => false,
        }
    }

    /// Says whether trying again later may help: a deadline passed, the resolver says so, or a reply was 4yz.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Resolve { is_temporary, .. } => *is_temporary,
            Self::Unexpected(unexpected) => unexpected.reply.code().number() / 100 == 4,
            Self::Pipeline { source, .. } => source.is_temporary(),
            _ => self.is_timeout(),
        }
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

    /// Says whether anything had been sent to the server before.
    #[must_use]
    pub fn has_sent(&self) -> bool {
        match self {
            Self::Pipeline { .. } | Self::Unexpected(_) => true,
            _ => self.scene().is_some_and(|scene| scene.has_sent),
        }
    }

    /// Says what was being done, if there was a session.
    pub fn scene(&self) -> Option<&Scene> {
        match self {
            Self::Io { scene, .. }
            | Self::Timeout { scene, .. }
            | Self::Closed { scene, .. }
            | Self::Aborted { scene }
            | Self::Limit { scene, .. }
            | Self::OutOfStep { scene, .. }
            | Self::Surprise { scene, .. }
            | Self::LineBreak { scene }
            | Self::Tls { scene, .. }
            | Self::Injection { scene, .. }
            | Self::Untrusted { scene, .. }
            | Self::Auth { scene, .. }
            | Self::Message { scene, .. } => Some(scene),
            Self::Pipeline { source, .. } => source.scene(),
            Self::Address { .. } | Self::Resolve { .. } | Self::Connect { .. } | Self::Unexpected(_) => None,
        }
    }
}

impl fmt::Display for Scene {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({} phase)", self.action, self.peer, self.phase)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read from",
            Self::ReadReply => "read a reply from",
            Self::Write => "write to",
            Self::HalfClose => "end the sending side to",
            Self::Handshake => "start TLS with",
            Self::EndTls => "end TLS with",
            Self::Authenticate => "authenticate with",
        })
    }
}

impl fmt::Display for Peer {
    /// Shows `mx.example.org (192.0.2.1:25)`, or `192.0.2.1:25` if the address was what was asked for; with the name that
    /// people know, `xn--mller-kva.example (müller.example, 192.0.2.1:25)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Visible(self.name().as_bytes());
        match (self.address, self.known_as().map(|name| Visible(name.as_bytes()))) {
            (Some(address), None) if self.name().parse() == Ok(address.ip()) => address.fmt(f),
            (Some(address), None) => write!(f, "{name} ({address})"),
            (Some(address), Some(known_as)) => write!(f, "{name} ({known_as}, {address})"),
            (None, None) => name.fmt(f),
            (None, Some(known_as)) => write!(f, "{name} ({known_as})"),
        }
    }
}

struct Obstacle(usize);

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("the server does not wait for a command"),
            1 => f.write_str("1 earlier reply is still due"),
            due => write!(f, "{due} earlier replies are still due"),
        }
    }
}

struct Others<'a>(&'a [Attempt]);

impl fmt::Display for Others<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] | [_] => Ok(()),
            attempts => write!(f, ", at any of its {} addresses", attempts.len()),
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
