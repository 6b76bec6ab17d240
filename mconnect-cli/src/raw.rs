//! Raw mode: every byte as it is, both ways at once.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use mconnect_core::{Error, Peer, RawReader, RawWriter, Session, Timeouts};
use nix::poll::PollTimeout;

use crate::connection::Setting;
use crate::failure::{Failure, NO_QUIT, Status};
use crate::input::{self, Room};
use crate::screen::{self, Came, Screen};
use crate::stderr::note;
use crate::terminal::Manner;
use crate::verdict::Verdict;
use crate::waiting;

/// What the two directions know of each other.
#[derive(Debug, Default)]
struct Shared {
    /// Some input was read, and is not sent yet.
    is_sending: AtomicBool,
    /// How many blocks of it were sent.
    blocks: AtomicU64,
    /// Nobody reads what is shown any more.
    is_unheard: AtomicBool,
    /// Once the input is over: until when a server is listened to that nobody reads.
    end: OnceLock<Instant>,
}

/// Hands a session over, until its end. On a terminal, that is set to give every key at once.
pub fn run(session: Session, setting: &Setting<'_>) {
    let Setting { options, terminal, verdict, .. } = setting;
    let is_typed = io::stdin().is_terminal();
    if is_typed {
        note("raw mode: Enter sends CR, Ctrl-J sends LF, Ctrl-C closes", options.is_quiet);
    }
    let peer = session.peer().clone();
    let (reader, writer) = session.into_raw();
    if let Some(Err(error)) = is_typed.then(|| terminal.enter(Manner::Raw)) {
        return verdict.complain(Failure::cannot("set the terminal", &error));
    }
    let (closer, state, (tell, told)) = (writer.closer(), Arc::<Shared>::default(), channel());
    let sending = Sending {
        writer,
        peer: peer.clone(),
        timeouts: setting.timeouts,
        verdict: Arc::clone(verdict),
        state: Arc::clone(&state),
    };
    let started = thread::Builder::new().name("input".to_owned()).spawn(move || {
        let _ = tell.send(sending.run());
    });
    if let Err(error) = started {
        return verdict.complain(Failure::cannot("start a thread", &error));
    }
    match receive(reader, Screen::of(options.output), verdict, &state) {
        Ok(()) if is_input_lost(&told, &state, setting.timeouts.closing) => {
            let message = format!("{peer} closed before all of the input was sent");
            verdict.complain(Failure::new(Status::Protocol, message));
        }
        // It was closed from this side, which has been told.
        Ok(()) | Err(Error::Aborted { .. }) => {}
        Err(error) => verdict.failed(&error),
    }
    closer.close();
}

/// Says whether input was lost with the server's end. What is on its way to a server that closed fails soon; one that has
/// only ended its sending side may take it, and that is waited for while it takes more within this time. Input that is
/// silent is not.
fn is_input_lost(told: &Receiver<bool>, state: &Shared, patience: Duration) -> bool {
    let mut deadline = Instant::now() + patience;
    loop {
        let before = state.blocks.load(Ordering::SeqCst);
        match told.recv_timeout(LAST_INPUT) {
            Ok(is_lost) => return is_lost,
            Err(RecvTimeoutError::Disconnected) => return true,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let is_sending = state.is_sending.load(Ordering::SeqCst);
        if state.blocks.load(Ordering::SeqCst) != before {
            deadline = Instant::now() + patience;
        } else if !is_sending && !waiting::is_readable(io::stdin(), PollTimeout::ZERO) {
            return false;
        } else if deadline <= Instant::now() {
            return true;
        }
    }
}

/// The direction to the server, in a thread of its own.
struct Sending {
    writer: RawWriter,
    peer: Peer,
    timeouts: Timeouts,
    verdict: Arc<Verdict>,
    state: Arc<Shared>,
}

impl Sending {
    /// Sends the input, and waits for the server's end after its own; says whether input was lost, which receiving tells
    /// the reason of.
    fn run(mut self) -> bool {
        let mut block = Room::new(BLOCK);
        let patience = loop {
            if !has_input() {
                break self.timeouts.closing;
            }
            match input::read(&mut block) {
                Ok(0) => break self.timeouts.command,
                Ok(count) => {
                    self.state.is_sending.store(true, Ordering::SeqCst);
                    if let Err(error) = self.writer.send(&block[..count]) {
                        return self.cannot_send(&error);
                    }
                    self.state.blocks.fetch_add(1, Ordering::SeqCst);
                    self.state.is_sending.store(false, Ordering::SeqCst);
                }
                Err(error) => {
                    self.verdict.input_failed(&error);
                    break self.timeouts.command;
                }
            }
        };
        let _ = self.state.end.set(Instant::now() + patience);
        if self.writer.half_close().is_ok() && !self.writer.wait_end(patience) {
            if !self.state.is_unheard.load(Ordering::SeqCst) && !screen::has_lost_reader() {
                self.verdict.complain(Failure::silence(&self.peer, patience).hint(NO_QUIT));
            }
            self.writer.closer().close();
        }
        false
    }

    /// A failed write is only the symptom: receiving tells why. A server that takes nothing is another thing.
    fn cannot_send(&self, error: &Error) -> bool {
        if error.is_timeout() {
            self.verdict.failed(error);
            self.writer.closer().close();
        }
        !error.is_timeout()
    }
}

/// Waits for input, and says whether there is any, or its end: not if it would have to be waited for, and whoever read
/// what the server says has gone.
fn has_input() -> bool {
    !matches!(screen::wait_for(io::stdin().as_fd(), None, Duration::MAX), Came::End)
}

/// Shows what the server says until it closes, or until nobody reads it and the time for that is over.
fn receive(mut reader: RawReader, mut screen: Screen, verdict: &Verdict, state: &Shared) -> Result<(), Error> {
    let mut block = Room::new(BLOCK);
    loop {
        let count = reader.receive(&mut block)?;
        let shown = if count > 0 { screen.show(&block[..count]) } else { screen.finish() };
        if let Err(error) = shown {
            verdict.output_failed(&error);
        }
        state.is_unheard.store(screen.is_shut(), Ordering::SeqCst);
        let is_over = || state.end.get().is_some_and(|end| *end <= Instant::now());
        if count == 0 || (screen.is_shut() && is_over()) {
            return Ok(());
        }
    }
}

/// Input that is on its way when the server closes is heard of sooner than this.
const LAST_INPUT: Duration = Duration::from_millis(100);
/// How much is read at once, in octets.
const BLOCK: usize = 256 * 1024;
