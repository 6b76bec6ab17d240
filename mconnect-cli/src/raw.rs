//! Raw mode: every byte as it is, both ways at once.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use mconnect_core::{Error, RawReader, RawWriter, Session};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::connection::Setting;
use crate::failure::{Failure, NO_QUIT, Status};
use crate::input;
use crate::lock::locked;
use crate::screen::{self, Screen};
use crate::stderr::say;
use crate::terminal::Manner;
use crate::verdict::Verdict;

/// What the two directions know of each other.
#[derive(Debug, Default)]
struct Shared {
    /// Some input was read, and is not sent yet.
    is_sending: AtomicBool,
    is_input_over: AtomicBool,
    /// Nobody reads what is shown any more.
    is_unheard: AtomicBool,
    /// Since when the server is listened to; not while what came is being shown.
    listening: Mutex<Option<Instant>>,
}

impl Shared {
    fn is_unheard(&self) -> bool {
        self.is_unheard.load(Ordering::SeqCst) || screen::has_lost_reader()
    }
}

enum Told {
    /// The input ended, and with it the sending side.
    Sent(RawWriter),
    /// It could not be sent: the server takes nothing, or has gone.
    Unsent(Error),
    InputFailed(RawWriter, io::Error),
    /// More input would have to be waited for, and nobody reads what comes of it.
    Unheard(RawWriter),
    /// The server closed, or the connection broke.
    Received(Result<(), Error>),
}

/// Hands a session over, until its end. On a terminal, that is set to give every key at once.
pub fn run(session: Session, setting: &Setting<'_>) {
    let Setting { options, timeouts, terminal, verdict, .. } = setting;
    let is_typed = io::stdin().is_terminal();
    if is_typed && !options.is_quiet {
        say("raw mode: Enter sends CR, Ctrl-J sends LF, Ctrl-C closes");
    }
    let closer = session.closer();
    let peer = session.peer().clone();
    let (reader, writer) = session.into_raw();
    if let Some(Err(error)) = is_typed.then(|| terminal.enter(Manner::Raw)) {
        return verdict.complain(Failure::cannot("set the terminal", &error));
    }
    let (events, told) = channel();
    let sent = events.clone();
    let state = Arc::<Shared>::default();
    let screen = Screen::of(options.output);
    let (theirs, receiving, sending) = (Arc::clone(verdict), Arc::clone(&state), Arc::clone(&state));
    let started = thread::Builder::new()
        .name("listener".to_owned())
        .spawn(move || drop(events.send(Told::Received(receive(reader, screen, &theirs, &receiving)))))
        .and_then(|_| thread::Builder::new().name("input".to_owned()).spawn(move || transmit(writer, &sent, &sending)));
    if let Err(error) = started {
        return verdict.complain(Failure::cannot("start a thread", &error));
    }
    let (mut input_over, mut patience) = (None, timeouts.command);
    loop {
        let Some(event) = next(&told, &state, input_over, patience) else {
            if !state.is_unheard() {
                verdict.complain(Failure::silence(&peer, patience).hint(NO_QUIT));
            }
            return closer.close();
        };
        let mut writer = match event {
            Told::Received(Ok(())) => {
                // Input that is on its way fails at once now; input that is silent is not waited for.
                let is_lost = match told.recv_timeout(LAST_INPUT) {
                    Ok(Told::Unsent(_)) => true,
                    Ok(_) => false,
                    Err(_) => state.is_sending.load(Ordering::SeqCst),
                };
                if is_lost && !state.is_input_over.load(Ordering::SeqCst) {
                    let message = format!("{peer} closed before all of the input was sent");
                    verdict.complain(Failure::new(Status::Protocol, message));
                }
                return;
            }
            Told::Received(Err(error)) => {
                return verdict.failed(&error);
            }
            Told::Unsent(error) if error.is_timeout() => {
                verdict.failed(&error);
                return closer.close();
            }
            // A failed write is only the symptom: receiving tells why.
            Told::Unsent(_) => {
                state.is_sending.store(true, Ordering::SeqCst);
                continue;
            }
            Told::Sent(writer) => writer,
            Told::InputFailed(writer, error) => {
                verdict.input_failed(&error);
                writer
            }
            Told::Unheard(writer) => {
                patience = timeouts.closing;
                writer
            }
        };
        state.is_input_over.store(true, Ordering::SeqCst);
        if writer.half_close().is_ok() {
            input_over = Some(Instant::now());
        }
    }
}

/// Returns what happens next; nothing if the input is over and the server has said nothing for this long since, or has not
/// closed where nobody reads what it says.
fn next(told: &Receiver<Told>, state: &Shared, input_over: Option<Instant>, patience: Duration) -> Option<Told> {
    let Some(over) = input_over else { return told.recv().ok() };
    let mut left = patience;
    while !left.is_zero() {
        match told.recv_timeout(left) {
            Ok(event) => return Some(event),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {}
        }
        if state.is_unheard() {
            left = patience.saturating_sub(over.elapsed());
            continue;
        }
        // While what came is being shown, it is our reader who takes the time.
        left = locked(&state.listening).map_or(patience, |since| patience.saturating_sub(since.max(over).elapsed()));
    }
    None
}

fn transmit(mut writer: RawWriter, events: &Sender<Told>, state: &Shared) {
    let mut block = vec![0; BLOCK];
    let event = loop {
        if !has_input() {
            break Told::Unheard(writer);
        }
        match input::read(&mut block) {
            Ok(0) => break Told::Sent(writer),
            Ok(count) => {
                state.is_sending.store(true, Ordering::SeqCst);
                if let Err(error) = writer.send(&block[..count]) {
                    break Told::Unsent(error);
                }
                state.is_sending.store(false, Ordering::SeqCst);
            }
            Err(error) => break Told::InputFailed(writer, error),
        }
    };
    let _ = events.send(event);
}

/// Waits for input, and says whether there is any, or its end: not if it would have to be waited for, and whoever read
/// what the server says has gone.
fn has_input() -> bool {
    let (stdin, stdout) = (io::stdin(), io::stdout());
    loop {
        let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN), screen::reader(&stdout)];
        match poll(&mut fds, PollTimeout::NONE) {
            Err(Errno::EINTR) => {}
            Ok(_) if fds[0].any() == Some(false) && screen::is_without_reader(&fds[1]) => return false,
            _ => return true,
        }
    }
}

fn receive(mut reader: RawReader, mut screen: Screen, verdict: &Verdict, state: &Shared) -> Result<(), Error> {
    let mut block = vec![0; BLOCK];
    loop {
        *locked(&state.listening) = Some(Instant::now());
        let count = reader.receive(&mut block)?;
        *locked(&state.listening) = None;
        let shown = if count > 0 { screen.show(&block[..count]) } else { screen.finish() };
        if let Err(error) = shown {
            verdict.output_failed(&error);
        }
        state.is_unheard.store(screen.is_shut(), Ordering::SeqCst);
        if count == 0 {
            return Ok(());
        }
    }
}

/// Input that is on its way when the server closes is heard of sooner than this.
const LAST_INPUT: Duration = Duration::from_millis(100);
/// How much is read at once, in octets.
const BLOCK: usize = 256 * 1024;
