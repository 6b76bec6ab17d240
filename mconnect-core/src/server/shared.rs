//! What the threads of a server share.
//!
//! ```text
//!    acceptor ── accept ──►┐                      ┌── messages, sessions, wait_for_message ◄── who made the server
//!    session  ── note ─────┤  State, in a Mutex   ├── wait_for_failure
//!    session  ── keep ─────┤  changed, a Condvar  ├── join: clients, is_over
//!    session  ── fail ─────┘                      └── stop
//! ```
//!
//! The lock is held for as long as it takes to add something. What may grow with a client's zeal is bounded: what was
//! said by its octets, failures by their number; messages are not, since a test that sends them wants them back.

use std::collections::VecDeque;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::received::{Message, Said, Transcript};
use super::rules::Counts;
use super::{ServerError, failed};
use crate::proxy_header::ProxyHeader;

/// What is behind the lock, and who waits for it to change.
#[derive(Debug)]
pub(super) struct Shared {
    address: SocketAddr,
    /// The server goes on for as long as it is let, so that nothing of its sessions is kept but what went wrong.
    goes_on: bool,
    state: Mutex<State>,
    /// Told of everything that somebody may wait for.
    pub changed: Condvar,
}

/// What a server knows of its clients, past and present.
#[derive(Debug, Default)]
pub(super) struct State {
    pub messages: Vec<Message>,
    pub sessions: Vec<Transcript>,
    /// What went wrong in sessions of a dialogue.
    pub failures: VecDeque<ServerError>,
    /// The octets that are kept in `sessions`.
    kept: usize,
    /// How many messages [`wait_for_message`](super::Server::wait_for_message) has returned.
    pub taken: usize,
    /// How often each rule could have held, over all sessions.
    pub counts: Counts,
    /// The connections that are open, with the numbers of their sessions.
    pub connections: Vec<(usize, TcpStream)>,
    /// How many clients have come.
    pub clients: usize,
    /// The acceptor is done.
    pub is_over: bool,
    /// No more clients are let in.
    pub is_stopping: bool,
}

impl Shared {
    pub fn new(address: SocketAddr, goes_on: bool) -> Self {
        Self { address, goes_on, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Locks the state, also after a thread has panicked with it: at worst, that has not added something.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a message, and tells whoever waits for one.
    pub fn keep(&self, message: Message) {
        if !self.goes_on {
            self.state().messages.push(message);
            self.changed.notify_all();
        }
    }

    /// Keeps a line of a session, unless there is very much already.
    pub fn note(&self, session: usize, said: Said) {
        let size = said.line.len() + size_of::<Said>();
        self.in_session(session, size, |transcript| transcript.lines.push(said));
    }

    /// Keeps that TLS was started.
    pub fn note_tls(&self, session: usize, version: &str) {
        self.in_session(session, 0, |transcript| transcript.tls = Some(version.to_owned()));
    }

    /// Keeps whom the connection is said to be from.
    pub fn note_header(&self, session: usize, header: ProxyHeader) {
        self.in_session(session, 0, |transcript| transcript.proxied = Some(header));
    }

    /// Keeps who has authenticated.
    pub fn note_user(&self, session: usize, user: &str) {
        self.in_session(session, user.len(), |transcript| transcript.user = Some(user.to_owned()));
    }

    /// Keeps something of a session, unless there is very much already; the octets that its transcript takes count,
    /// too.
    fn in_session(&self, session: usize, size: usize, keep: impl FnOnce(&mut Transcript)) {
        let mut state = self.state();
        let size = size + (session + 1).saturating_sub(state.sessions.len()) * size_of::<Transcript>();
        if self.goes_on || state.kept + size > MOST_KEPT {
            return;
        }
        state.kept += size;
        if state.sessions.len() <= session {
            state.sessions.resize_with(session + 1, Transcript::default);
        }
        keep(&mut state.sessions[session]);
    }

    /// Accepts a client, and numbers it, counted from 0; `None` once the server is stopping. With as many clients at
    /// once as this, waits until one has gone.
    pub fn accept(&self, listener: &TcpListener, most: usize) -> Result<Option<(TcpStream, usize)>, ServerError> {
        let failed = failed("accept a connection");
        let is_full = |state: &mut State| state.connections.len() >= most && !state.is_stopping;
        drop(self.changed.wait_while(self.state(), is_full));
        let (stream, _) = listener.accept().map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let mut state = self.state();
        if state.is_stopping {
            return Ok(None);
        }
        let number = state.clients;
        state.clients += 1;
        state.connections.push((number, stream.try_clone().map_err(failed)?));
        self.changed.notify_all();
        Ok(Some((stream, number)))
    }

    /// Notes that a connection is none any more, so that stopping need not close it and another client may come.
    pub fn forget(&self, session: usize) {
        self.state().connections.retain(|(number, _)| *number != session);
        self.changed.notify_all();
    }

    /// Keeps what went wrong in a session; a server that does not go on accepts no more clients then.
    pub fn fail(&self, error: ServerError) {
        let mut state = self.state();
        if state.failures.len() < MOST_FAILURES {
            state.failures.push_back(error);
        }
        drop(state);
        self.changed.notify_all();
        if !self.goes_on {
            self.stop();
        }
    }

    /// Has the acceptor accept no more clients.
    pub fn stop(&self) {
        self.state().is_stopping = true;
        self.changed.notify_all();
        // This wakes the acceptor.
        drop(TcpStream::connect_timeout(&self.address, WAKING));
    }
}

/// How many octets of sessions are kept: a server that runs for long does not fill the memory with them.
const MOST_KEPT: usize = 4 * 1024 * 1024;
/// How many failures are kept.
const MOST_FAILURES: usize = 1000;
/// How long connecting to the own port may take.
const WAKING: Duration = Duration::from_secs(1);
