//! Where an error happened: what was being done, in which phase, and which reply was due.

use std::fmt;
use std::sync::Arc;

use super::Peer;
use crate::protocol::{Phase, Request, Visible};

/// What was being done, with whom, in which phase. [`Display`](fmt::Display) has it in words: `read the reply to RCPT
/// TO:<x@example.org> from mx.example.org (192.0.2.1:25) (command phase)`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Context {
    /// What was being done.
    pub action: Action,
    /// With whom.
    pub peer: Peer,
    /// The phase in which it happened: of a reply that was awaited, the one in which it was asked for.
    pub phase: Phase,
    /// Something had been sent to the server before.
    pub has_sent: bool,
    /// The reply that was due next, if one was.
    pub awaited: Option<Box<Awaited>>,
}

/// A reply that is due: `greeting`, `reply to the message`, `reply to RCPT TO:<x@example.org>`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Awaited {
    /// What it answers.
    pub request: Request,
    /// The command as it was sent, if it is known, made visible, and cut after 120 octets. A secret in it is left out:
    /// of AUTH, verb and mechanism are here. It is known if it was sent by itself, or is one of a pipeline that broke
    /// off.
    pub command: Option<Arc<str>>,
}

/// What a session does. [`Display`](fmt::Display) has it as a verb that the other end follows.
///
/// | | in an error |
/// |---|---|
/// | [`Read`](Self::Read), [`ReadReply`](Self::ReadReply) | `no reply to NOOP from ...`, or, where none is due, `cannot read from ...` |
/// | [`Write`](Self::Write) | `cannot write to ...` |
/// | [`HalfClose`](Self::HalfClose) | `cannot end the sending side to ...` |
/// | [`Handshake`](Self::Handshake), [`EndTls`](Self::EndTls) | `cannot start TLS with ...`, `cannot end TLS with ...` |
/// | [`Authenticate`](Self::Authenticate) | `cannot authenticate with ...` |
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

impl Awaited {
    /// Makes a command, from which the secrets have been cut, fit for an error: on one line, visible, and not longer than a
    /// line of the screen.
    pub(crate) fn shown(command: &[u8]) -> Arc<str> {
        let command = command.trim_ascii_end();
        match command.get(..MOST_SHOWN) {
            Some(start) => format!("{}...", Visible(start)).into(),
            None => Visible(command).to_string().into(),
        }
    }

    /// Returns the phase in which it was asked for.
    pub(crate) fn asked_in(&self) -> Phase {
        match self.request {
            Request::Greeting => Phase::Greeting,
            Request::EndOfData => Phase::Body,
            Request::AuthAnswer => Phase::Auth,
            _ => Phase::Command,
        }
    }
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.unread() {
            Some(awaited) => write!(f, "read the {awaited} from {} ({} phase)", self.peer, self.phase),
            None => write!(f, "{} {} ({} phase)", self.action, self.peer, self.phase),
        }
    }
}

impl Context {
    /// Returns the reply that was being read.
    fn unread(&self) -> Option<&Awaited> {
        self.awaited.as_deref().filter(|_| matches!(self.action, Action::Read | Action::ReadReply))
    }
}

/// What failed: that a reply did not come, or what was being done. That is said where a reply was being read: `no reply
/// to NOOP from ...` tells more than `cannot read from ...`.
pub(super) struct Failed<'a>(pub &'a Context);

impl fmt::Display for Failed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.unread() {
            Some(awaited) => write!(f, "no {awaited} from {} ({} phase)", self.0.peer, self.0.phase),
            None => write!(f, "cannot {}", self.0),
        }
    }
}

impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.request, &self.command) {
            (Request::Greeting, _) => f.write_str("greeting"),
            (Request::EndOfData, _) => f.write_str("reply to the message"),
            (_, Some(command)) => write!(f, "reply to {command}"),
            (request, None) => write!(f, "reply to {request}"),
        }
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

/// Of a command, at most this many octets are told.
const MOST_SHOWN: usize = 120;
