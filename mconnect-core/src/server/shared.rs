//! What the threads of a server share.

use std::net::{TcpListener, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::rules::Counts;
use super::{ServerError, failed};
use crate::dialogue::Side;

/// A message that the server accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// What stood between the angle brackets of MAIL.
    pub sender: Vec<u8>,
    /// What stood between the angle brackets of each RCPT that was accepted.
    pub recipients: Vec<Vec<u8>>,
    /// The content, dots unstuffed, line ends as they were sent.
    pub content: Vec<u8>,
}

/// A line of a session, without its end. Of what a body holds, and of octets that `*octets*` stands for, there is none;
/// passwords are `[hidden]`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Said {
    /// The session, counted from 0.
    pub session: usize,
    /// Who said it.
    pub side: Side,
    /// The line.
    pub line: Vec<u8>,
}

#[derive(Debug, Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    pub changed: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub messages: Vec<Message>,
    pub said: Vec<Said>,
    pub taken: usize,
    pub counts: Counts,
    pub connections: Vec<TcpStream>,
    pub clients: usize,
    /// The acceptor is done.
    pub is_over: bool,
    pub is_stopping: bool,
}

impl Shared {
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn keep(&self, message: Message) {
        self.state().messages.push(message);
        self.changed.notify_all();
    }

    /// Keeps a line of a session, unless there are very many already.
    pub fn note(&self, said: Said) {
        let mut state = self.state();
        if state.said.len() < MOST_SAID {
            state.said.push(said);
        }
    }

    /// Accepts a client, and numbers it, counted from 0; `None` once the server is stopping.
    pub fn accept(&self, listener: &TcpListener) -> Result<Option<(TcpStream, usize)>, ServerError> {
        let failed = failed("accept a connection");
        let (stream, _) = listener.accept().map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let mut state = self.state();
        if state.is_stopping {
            return Ok(None);
        }
        let number = state.clients;
        state.clients += 1;
        state.connections.push(stream.try_clone().map_err(failed)?);
        self.changed.notify_all();
        Ok(Some((stream, number)))
    }

    pub fn forget(&self, stream: &TcpStream) {
        let gone = stream.peer_addr().ok();
        self.state().connections.retain(|connection| connection.peer_addr().ok() != gone);
    }
}

/// How many lines are kept: a server that runs for long does not fill the memory with them.
const MOST_SAID: usize = 100_000;
