//! A loopback SMTP server, for tests and for practice.
//!
//! [`Server::start`] is a proper little ESMTP receiver that keeps what it accepts, [`Setup`] one that does more;
//! [`Server::play`] says what a
//! [`Dialogue`] says. Both listen on 127.0.0.1, on a port that the system chooses, with a
//! thread for each connection, and are gone when they are dropped.

#[cfg(feature = "auth")]
mod auth;
#[cfg(feature = "tls")]
mod certificate;
mod input;
mod play;
mod receive;
mod setup;
#[cfg(feature = "tls")]
mod tls;

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::panic::resume_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

#[cfg(feature = "tls")]
pub use certificate::{Authority, Identity};
pub use setup::Setup;

use crate::dialogue::{Dialogue, Side, SyntaxError, Values};

/// A server that listens on this machine.
///
/// Dropping one that plays a dialogue waits for its end and panics if the client deviated, so that no test forgets to
/// look; [`join`](Self::join) gives the error instead.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    /// How long a client may take to come, once the server is joined.
    patience: Duration,
    /// How many clients there have to be.
    sessions: usize,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<Result<(), ServerError>>>,
}

/// A message that the server accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What stood between the angle brackets of MAIL.
    pub sender: Vec<u8>,
    /// What stood between the angle brackets of each RCPT that was accepted.
    pub recipients: Vec<Vec<u8>>,
    /// The content, dots unstuffed, line ends as they were sent.
    pub content: Vec<u8>,
}

/// Why a server that played a dialogue did not come to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// No dialogue.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// The system did not let it listen, read or write.
    #[error("the server cannot {action}")]
    Io {
        /// What it could not do.
        action: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// No client connected in time.
    #[error("no client came in {0:?}")]
    NoClient(Duration),
    /// The client did something else than the dialogue says.
    #[error("{}line {line} of the dialogue: expected `{expected}`, got {got}{}", InFile(file), Lines(last_lines))]
    Deviation {
        /// The dialogue's file, if it is from one.
        file: Option<Arc<str>>,
        /// The number of the line in the dialogue.
        line: usize,
        /// The step.
        expected: String,
        /// What came instead.
        got: String,
        /// The last lines of the session until then.
        last_lines: Vec<String>,
    },
}

struct InFile<'a>(&'a Option<Arc<str>>);

impl fmt::Display for InFile<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |file| write!(f, "{file}: "))
    }
}

struct Lines<'a>(&'a [String]);

impl fmt::Display for Lines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty() {
            f.write_str("\nthe last lines of the session:")?;
        }
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

/// A line of a session that the server played, without its end. Of a body that `*body*` or `*octets*` stands for, there
/// is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The session, counted from 0.
    pub session: usize,
    /// Who said it.
    pub side: Side,
    /// The line.
    pub line: Vec<u8>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    messages: Vec<Message>,
    said: Vec<Said>,
    taken: usize,
    connections: Vec<TcpStream>,
    clients: usize,
    /// The acceptor is done.
    is_over: bool,
    is_stopping: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, message: Message) {
        self.state().messages.push(message);
        self.changed.notify_all();
    }

    fn note(&self, said: Said) {
        self.state().said.push(said);
    }

    /// Accepts a client; `None` once the server is stopping.
    fn accept(&self, listener: &TcpListener) -> Result<Option<TcpStream>, ServerError> {
        let failed = |source| ServerError::Io { action: "accept a connection", source };
        let (stream, _) = listener.accept().map_err(failed)?;
        stream.set_nodelay(true).map_err(failed)?;
        let mut state = self.state();
        if state.is_stopping {
            return Ok(None);
        }
        state.clients += 1;
        state.connections.push(stream.try_clone().map_err(failed)?);
        self.changed.notify_all();
        Ok(Some(stream))
    }

    fn forget(&self, stream: &TcpStream) {
        let gone = stream.peer_addr().ok();
        self.state().connections.retain(|connection| connection.peer_addr().ok() != gone);
    }
}

impl Server {
    /// Starts a receiver: EHLO with PIPELINING, SIZE, 8BITMIME, SMTPUTF8, CHUNKING, ENHANCEDSTATUSCODES and HELP; HELO,
    /// LHLO, MAIL, RCPT, DATA, BDAT, RSET, NOOP, VRFY, HELP and QUIT. It takes mail for everybody but recipients whose
    /// local part is `refused` (550) or `later` (450).
    ///
    /// # Errors
    /// [`ServerError::Io`] if the system does not let it listen.
    pub fn start() -> Result<Self, ServerError> {
        Self::receive(Setup::new())
    }

    fn receive(setup: Setup) -> Result<Self, ServerError> {
        Self::listen(move |listener, shared| {
            while let Some(stream) = shared.accept(&listener)? {
                let (shared, setup) = (Arc::clone(&shared), setup.clone());
                let thread = thread::Builder::new().name("receiver".to_owned());
                let spawned = thread.spawn(move || {
                    // A client that breaks off is no fault of the receiver's.
                    drop(receive::serve(&stream, &shared, &setup));
                    shared.forget(&stream);
                });
                spawned.map_err(|source| ServerError::Io { action: "start a thread", source })?;
            }
            Ok(())
        })
    }

    /// Plays the server's side of a dialogue to the first client that connects, and compares what the client sends with
    /// the client's side: lines exactly, but for the case of their first word.
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
    /// [`ServerError::Syntax`], [`ServerError::Io`].
    pub fn play(dialogue: &str) -> Result<Self, ServerError> {
        Self::play_with(&Dialogue::parse(dialogue)?, &Values::default())
    }

    /// Plays the server's side of a dialogue, with values for its names: its first session to the first client that
    /// connects, and so on.
    ///
    /// # Errors
    /// [`ServerError::Syntax`] if the dialogue is one that no server can play, [`ServerError::Io`].
    pub fn play_with(dialogue: &Dialogue, values: &Values) -> Result<Self, ServerError> {
        let listening = |source| ServerError::Io { action: "listen", source };
        Self::play_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(listening)?, dialogue, values)
    }

    /// Plays as [`play_with`](Self::play_with) does, to the clients of a socket that listens already.
    ///
    /// # Errors
    /// As [`play_with`](Self::play_with).
    pub fn play_on(listener: TcpListener, dialogue: &Dialogue, values: &Values) -> Result<Self, ServerError> {
        dialogue.require_servable()?;
        let (sessions, values) = (dialogue.sessions(), values.clone());
        Self::listen_on(listener, sessions.len(), CLIENT_PATIENCE, move |listener, shared| {
            for (number, session) in sessions.iter().enumerate() {
                match shared.accept(&listener)? {
                    Some(stream) => play::serve(session, number, stream, &values, &shared)?,
                    None => return Err(ServerError::NoClient(CLIENT_PATIENCE)),
                }
            }
            Ok(())
        })
    }

    /// Gives the address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Gives the port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Gives every message accepted so far.
    pub fn messages(&self) -> Vec<Message> {
        self.shared.state().messages.clone()
    }

    /// Gives every line of the sessions that it played so far, in order.
    pub fn said(&self) -> Vec<Said> {
        self.shared.state().said.clone()
    }

    /// Waits for the next message that this call has not given yet; `None` if none came in time.
    pub fn wait_for_message(&self, patience: Duration) -> Option<Message> {
        let state = self.shared.state();
        let waited =
            self.shared.changed.wait_timeout_while(state, patience, |state| state.messages.len() == state.taken);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let message = state.messages.get(state.taken).cloned()?;
        state.taken += 1;
        Some(message)
    }

    /// Waits for the end of the dialogue, or stops a receiver.
    ///
    /// # Errors
    /// Why the dialogue did not come to its end.
    pub fn join(mut self) -> Result<(), ServerError> {
        self.finish()
    }

    /// Waits for the end of the dialogue; for clients still to come, no longer than this.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    pub fn join_within(mut self, patience: Duration) -> Result<(), ServerError> {
        self.patience = patience;
        self.finish()
    }

    fn listen(
        run: impl FnOnce(TcpListener, Arc<Shared>) -> Result<(), ServerError> + Send + 'static,
    ) -> Result<Self, ServerError> {
        let listening = |source| ServerError::Io { action: "listen", source };
        Self::listen_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(listening)?, 0, Duration::ZERO, run)
    }

    fn listen_on(
        listener: TcpListener,
        sessions: usize,
        patience: Duration,
        run: impl FnOnce(TcpListener, Arc<Shared>) -> Result<(), ServerError> + Send + 'static,
    ) -> Result<Self, ServerError> {
        let listening = |source| ServerError::Io { action: "listen", source };
        let address = listener.local_addr().map_err(listening)?;
        let shared = Arc::<Shared>::default();
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new().name("server".to_owned()).spawn(move || {
            let result = run(listener, Arc::clone(&theirs));
            theirs.state().is_over = true;
            theirs.changed.notify_all();
            result
        });
        Ok(Self { address, patience, sessions, shared, acceptor: Some(thread.map_err(listening)?) })
    }

    fn finish(&mut self) -> Result<(), ServerError> {
        let Some(acceptor) = self.acceptor.take() else { return Ok(()) };
        // A test that has failed already does not wait for a client.
        let patience = if thread::panicking() { Duration::ZERO } else { self.patience };
        let state = self.shared.state();
        let is_awaited = |state: &mut State| state.clients < self.sessions && !state.is_over;
        let waited = self.shared.changed.wait_timeout_while(state, patience, is_awaited);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if self.sessions == 0 {
            for connection in state.connections.drain(..) {
                drop(connection.shutdown(Shutdown::Both));
            }
        }
        if state.clients < self.sessions || self.sessions == 0 {
            state.is_stopping = true;
            drop(state);
            // This wakes the acceptor.
            drop(TcpStream::connect(self.address));
        } else {
            drop(state);
        }
        match acceptor.join().unwrap_or_else(|panic| resume_unwind(panic)) {
            Err(ServerError::NoClient(_)) => Err(ServerError::NoClient(self.patience)),
            result => result,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        match self.finish() {
            Err(error) if !thread::panicking() => panic!("{error}"),
            _ => {}
        }
    }
}

/// How long a client may take to come once a server that plays a dialogue is joined.
const CLIENT_PATIENCE: Duration = Duration::from_secs(10);
