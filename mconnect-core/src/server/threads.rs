//! The threads of a server: one that accepts, and one for each client; how they begin, and how they end.

use std::net::{Shutdown, TcpListener};
use std::panic::resume_unwind;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;

use super::setup::Setup;
use super::shared::{Shared, State};
use super::{Server, ServerError, failed, play, receive};
use crate::dialogue::{Dialogue, Values};

impl Server {
    /// Starts a receiver: a thread that accepts, and one for each client.
    pub(super) fn receive(mut setup: Setup) -> Result<Self, ServerError> {
        let (listener, certificate) = (setup.take_listener()?, setup.certificate.clone());
        let setup = Arc::new(setup);
        Self::listen_on(listener, 0, certificate, false, move |listener, shared| {
            while let Some((stream, number)) = shared.accept(listener, usize::MAX)? {
                let (shared, setup) = (Arc::clone(shared), Arc::clone(&setup));
                let thread = thread::Builder::new().name("receiver".to_owned());
                let spawned = thread.spawn(move || {
                    // A client that breaks off is no fault of the receiver's.
                    drop(receive::serve(&stream, number, &shared, &setup));
                    shared.forget(number);
                });
                spawned.map_err(failed("start a thread"))?;
            }
            Ok(())
        })
    }

    /// Starts a player: a thread that accepts, and within it one for each session, so that the sessions can borrow what
    /// they share.
    pub(super) fn play_as(setup: Setup, dialogue: &Dialogue, values: &Values) -> Result<Self, ServerError> {
        dialogue.require_servable()?;
        let (sessions, values) = (dialogue.sessions(), values.clone());
        let mut setup = if dialogue.starts_tls() { setup.with_some_tls() } else { setup };
        let (listener, certificate, goes_on) = (setup.take_listener()?, setup.certificate.clone(), setup.goes_on);
        let awaited = if goes_on { 0 } else { sessions.len() };
        Self::listen_on(listener, awaited, certificate, goes_on, move |listener, shared| {
            let (setup, values) = (&setup, &values);
            let play = |session: &Dialogue, number, stream| {
                if let Err(error) = play::serve(session, number, stream, values, setup, shared) {
                    shared.fail(error);
                }
            };
            let accepted = thread::scope(|scope| {
                for session in sessions.iter().cycle().take(if goes_on { usize::MAX } else { sessions.len() }) {
                    let (stream, number) = match shared.accept(listener, MOST_AT_ONCE)? {
                        Some(accepted) => accepted,
                        None if goes_on => break,
                        None => return Err(ServerError::NoClient(CLIENT_PATIENCE)),
                    };
                    let thread = thread::Builder::new().name("player".to_owned());
                    let spawned = thread.spawn_scoped(scope, move || play(session, number, stream));
                    spawned.map_err(failed("start a thread"))?;
                }
                Ok(())
            });
            match shared.state().failures.pop_front() {
                Some(failure) if !goes_on => Err(failure),
                _ => accepted,
            }
        })
    }

    /// Starts the thread that accepts, and notes when it is done.
    fn listen_on(
        listener: Arc<TcpListener>,
        sessions: usize,
        certificate: Option<String>,
        goes_on: bool,
        run: impl FnOnce(&TcpListener, &Arc<Shared>) -> Result<(), ServerError> + Send + 'static,
    ) -> Result<Self, ServerError> {
        let listening = failed("listen");
        let address = listener.local_addr().map_err(listening)?;
        let shared = Arc::new(Shared::new(address, goes_on));
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new().name("server".to_owned()).spawn(move || {
            let result = run(&listener, &theirs);
            theirs.state().is_over = true;
            theirs.changed.notify_all();
            result
        });
        let acceptor = Some(thread.map_err(listening)?);
        Ok(Self { address, patience: CLIENT_PATIENCE, sessions, certificate, shared, acceptor })
    }

    /// Ends the server, and returns what came of it; done once, by whoever comes first: joining or dropping. Where a
    /// test panics already, nothing is waited for long, and nothing panics again, which would abort the process.
    pub(super) fn finish(&mut self) -> Result<(), ServerError> {
        let Some(acceptor) = self.acceptor.take() else { return Ok(()) };
        let is_failing = thread::panicking() && self.sessions > 0;
        // A test that has failed already waits for no client, but a moment for what the server has to say about it.
        let patience = if is_failing { LAST_WORDS } else { self.patience };
        let state = self.shared.state();
        let is_awaited = |state: &mut State| (is_failing || state.clients < self.sessions) && !state.is_over;
        let waited = self.shared.changed.wait_timeout_while(state, patience, is_awaited);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let is_cut_short = is_failing && !state.is_over;
        if self.sessions == 0 || is_cut_short {
            for (_, connection) in state.connections.drain(..) {
                drop(connection.shutdown(Shutdown::Both));
            }
        }
        let is_awaiting = state.clients < self.sessions || self.sessions == 0;
        drop(state);
        if is_awaiting {
            self.shared.stop();
        }
        match acceptor.join() {
            Err(panic) if !thread::panicking() => resume_unwind(panic),
            Err(_) => Ok(()),
            // What it says of an end that was made here is of no use.
            Ok(_) if is_cut_short => Ok(()),
            Ok(Err(ServerError::NoClient(_))) => Err(ServerError::NoClient(self.patience)),
            Ok(result) => result,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        match self.finish() {
            Err(error) if !thread::panicking() => panic!("{error}"),
            // Often this is why the client's side failed.
            Err(error @ ServerError::Deviation { .. }) => eprintln!("the server: {error}"),
            _ => {}
        }
    }
}

/// How long a server may take to say what was wrong, once a test has failed.
const LAST_WORDS: Duration = Duration::from_millis(200);
/// How long a client may take to come once a server that plays a dialogue is joined.
const CLIENT_PATIENCE: Duration = Duration::from_secs(10);
/// How many clients a dialogue is played to at once.
const MOST_AT_ONCE: usize = 200;
