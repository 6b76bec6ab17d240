//! Breaking out of the line editor from another thread: when the server says something, at a time, or to end the tool.
//!
//! The editor handles SIGINT while it reads: it notes the signal in a pipe, looks there when it waits for a key, and
//! returns. So a break is that signal, raised in the waker's own thread, which lets through that one and none that comes
//! from outside. Between the bytes of one key, in a search and before the second key of a command, the editor waits for
//! keys alone: the break comes after that, and no key is lost to it. Outside the editor the signal does nothing, so that
//! one which comes too late is forgotten.

mod state;

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal, raise};

use crate::lock::locked;
use crate::screen;
use crate::waiting;
use state::{Place, REST, State, Task};

/// Wakes the editor when there is something to show, or the tool is to end.
#[derive(Default)]
pub struct Waker {
    state: Mutex<State>,
    changed: Condvar,
    /// What the server says comes here.
    server: Mutex<Option<Arc<OwnedFd>>>,
    /// Has the waker's thread look again.
    bell: OnceLock<PipeWriter>,
}

impl Waker {
    /// Starts the thread that wakes the editor of the calling thread.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(self: &Arc<Self>) -> io::Result<()> {
        signal_hook::flag::register(Signal::SIGINT as i32, Arc::<AtomicBool>::default())?;
        let (heard, bell) = io::pipe()?;
        let _ = self.bell.set(bell);
        let theirs = Arc::clone(self);
        thread::Builder::new().name("waker".to_owned()).spawn(move || theirs.watch(heard))?;
        // A change of the terminal's size, which another thread notes now, is no end of a key.
        Ok(SigSet::from(Signal::SIGWINCH).thread_block()?)
    }

    /// Sets where the server is heard from now on; nowhere, once the session is over.
    pub fn listen_to(&self, server: Option<BorrowedFd<'_>>) {
        let server = server.and_then(|server| server.try_clone_to_owned().ok());
        *locked(&self.server) = server.map(Arc::new);
        self.ring();
    }

    /// Returns where the server is heard.
    pub fn server(&self) -> Option<Arc<OwnedFd>> {
        locked(&self.server).clone()
    }

    /// Returns when the next of the times comes that were set.
    pub fn next_time(&self) -> Option<Instant> {
        let State { tick, deadline, .. } = *locked(&self.state);
        tick.into_iter().chain(deadline).min()
    }

    /// Asks for a break: there is something to show.
    pub fn wake(&self) {
        self.change(|state| state.is_due = true);
    }

    /// Takes that back: it has been shown, as far as it came.
    pub fn settle(&self) {
        self.change(|state| state.is_due = false);
    }

    /// Asks for a break when a clock changes, which waits while somebody types, and at a time that does not wait.
    pub fn set_times(&self, tick: Option<Instant>, deadline: Option<Instant>) {
        self.change(|state| (state.tick, state.deadline) = (tick, deadline));
    }

    /// Returns which signal acts on the tool, for one that came from outside or from a key between two prompts.
    pub fn sort(&self, signal: Signal) -> Option<Signal> {
        match signal {
            // After a stop, or a signal that did nothing, the prompt is drawn again.
            Signal::SIGCONT => {
                self.change(|state| (state.ending, state.is_acting, state.is_due) = (None, false, true));
                Some(signal)
            }
            Signal::SIGTSTP => Some(signal),
            // Ctrl-C is SIGQUIT at a prompt.
            Signal::SIGQUIT => {
                let has_left = self.change(|state| {
                    state.has_left |= state.is_closed;
                    state.has_left
                });
                if has_left { None } else { Some(self.end_by(Signal::SIGINT)) }
            }
            signal => Some(self.end_by(signal)),
        }
    }

    /// Says whether there is no session that Ctrl-C could end. Returns whether the prompt stays: Ctrl-C leaves it then.
    pub fn set_closed(&self, is_closed: bool) -> bool {
        self.change(|state| {
            state.is_closed = is_closed;
            !state.has_left
        })
    }

    /// Returns the signal that the tool is to end by, if there is one.
    pub fn ending(&self) -> Option<Signal> {
        locked(&self.state).ending
    }

    /// Called before the editor begins. While the tool is ending, this does not return.
    pub fn enter(&self) {
        let mut state = locked(&self.state);
        while state.ending.is_some() {
            state = self.wait(state);
        }
        state.place = Place::Changing;
    }

    /// Called when the editor draws its line, and reads on; `is_mid_line` says whether one is half typed.
    pub fn drawn(&self, is_mid_line: bool) {
        self.change(|state| {
            state.is_mid_line = is_mid_line;
            if state.place == Place::Changing {
                state.place = Place::Reading;
            }
        });
    }

    /// Called with every key; where `would_lose` is set, a break would drop something, and waits a little. While a signal
    /// ends the tool, this does not return: the key could make the editor change the terminal.
    pub fn key(&self, would_lose: bool) {
        let mut state = locked(&self.state);
        while state.is_acting {
            state = self.wait(state);
        }
        self.set(&mut state, |state| {
            let now = Instant::now();
            state.last_key = Some(now);
            state.held_until = would_lose.then(|| now + REST);
        });
    }

    pub fn paste_begins(&self) {
        self.change(|state| state.place = Place::Pasting);
    }

    pub fn paste_ends(&self) {
        self.change(|state| state.place = Place::Reading);
    }

    /// Called when a key is about to end the editor.
    pub fn key_ends(&self) {
        self.change(|state| state.place = Place::Changing);
    }

    /// Called when the editor has returned.
    pub fn left(&self) {
        self.change(|state| (state.place, state.held_until, state.interrupted) = (Place::Away, None, None));
    }

    /// Says whether a drawing ends an update of the screen: not if the editor is about to return for what belongs to it.
    pub fn ends_update(&self) -> bool {
        self.change(|state| state.interrupted.is_none() && state.updating.take().is_some())
    }

    /// Ends the update of the screen, if one is under way.
    pub fn end_update(&self) {
        if locked(&self.state).updating.is_some() {
            // Told afterwards: until then, the tool may end, and has to see to this itself.
            let _ = screen::put(END_UPDATE.as_bytes());
            self.change(|state| state.updating = None);
        }
    }

    /// Ends the tool: by the editor's thread, if that returns soon; otherwise that is kept from the terminal, so that
    /// nobody changes it while it is being restored. Returns when the signal may act.
    fn end_by(&self, signal: Signal) -> Signal {
        let begun = Instant::now();
        self.change(|state| state.ending = Some(signal));
        let mut state = locked(&self.state);
        loop {
            let left = state.patience().saturating_sub(begun.elapsed());
            if left.is_zero() {
                break;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.is_acting = true;
        let is_open = state.place != Place::Away || state.updating.is_some();
        drop(state);
        if is_open && waiting::is_writable(io::stdout(), PollTimeout::ZERO) {
            let _ = screen::put(END_OF_EDITOR.as_bytes());
        }
        signal
    }

    fn watch(&self, mut bell: PipeReader) {
        let mut state = locked(&self.state);
        loop {
            let now = Instant::now();
            match state.plan(now).filter(|(at, _)| *at <= now).map(|(_, task)| task) {
                None => {
                    let left = state.plan(now).map(|(at, _)| at - now);
                    let server = self.server().filter(|_| !state.is_due);
                    drop(state);
                    let has_said = wait_for_either(&mut bell, server.as_deref(), left);
                    state = locked(&self.state);
                    // Unless it has been shown by now.
                    state.is_due |= has_said && server.is_some_and(|fd| waiting::is_readable(fd, PollTimeout::ZERO));
                }
                Some(Task::Ring) => {
                    state.is_due = true;
                    state.tick = state.tick.filter(|tick| *tick > now);
                    state.deadline = state.deadline.filter(|deadline| *deadline > now);
                }
                // Keys that were typed before come first, and the next of them looks here again.
                Some(Task::Interrupt)
                    if state.ending.is_none() && waiting::is_readable(io::stdin(), PollTimeout::ZERO) =>
                {
                    state.held_until = Some(now + NEXT_KEY);
                }
                Some(Task::Interrupt) => {
                    state.pace.spend(now);
                    let is_first = state.interrupted.replace(now).is_none();
                    if is_first {
                        state.updating = Some(now);
                    }
                    drop(state);
                    if is_first {
                        let _ = screen::put(BEGIN_UPDATE.as_bytes());
                    }
                    interrupt();
                    state = locked(&self.state);
                }
                Some(Task::EndUpdate) => {
                    drop(state);
                    self.end_update();
                    state = locked(&self.state);
                }
            }
        }
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        self.set(&mut locked(&self.state), change)
    }

    /// Changes what is known. The waker's thread looks again when a time comes, and at once if there is more to do.
    fn set<T>(&self, state: &mut State, change: impl FnOnce(&mut State) -> T) -> T {
        let (now, before) = (Instant::now(), *state);
        let changed = change(state);
        let is_sooner = match (before.plan(now), state.plan(now)) {
            (Some((before, _)), Some((after, _))) => after < before,
            (before, after) => before.is_none() && after.is_some(),
        };
        if before.ending.is_some() || state.ending.is_some() {
            self.changed.notify_all();
        }
        if is_sooner || (before.is_due && !state.is_due) {
            self.ring();
        }
        changed
    }

    fn ring(&self) {
        if let Some(mut bell) = self.bell.get() {
            let _ = bell.write_all(&[0]);
        }
    }
}

/// Waits until the bell rings or the server has something, at most so long, and says whether it was the server.
fn wait_for_either(bell: &mut PipeReader, server: Option<&OwnedFd>, left: Option<Duration>) -> bool {
    // Not before the time has come.
    let left = left.map(|left| PollTimeout::try_from(left + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX));
    let mut fds = vec![PollFd::new(bell.as_fd(), PollFlags::POLLIN)];
    fds.extend(server.map(|server| PollFd::new(server.as_fd(), PollFlags::POLLIN)));
    let is_ready = poll(&mut fds, left.unwrap_or(PollTimeout::NONE)).is_ok_and(|count| count > 0);
    let [has_rung, has_said] = [0, 1].map(|index| is_ready && fds.get(index).and_then(PollFd::any).unwrap_or_default());
    if has_rung {
        let _ = bell.read(&mut [0; 64]);
    }
    has_said
}

/// Raises SIGINT in this thread, in which it is blocked otherwise, and lets that one through: a signal to one thread comes
/// before those to the process, and they stay blocked while it is handled.
fn interrupt() {
    let Ok(mut blocked) = SigSet::thread_get_mask() else { return };
    blocked.remove(Signal::SIGINT);
    if raise(Signal::SIGINT).is_ok() {
        let _ = blocked.suspend();
    }
}

/// What follows is to be shown at once, up to the end of the update.
const BEGIN_UPDATE: &str = "\x1b[?2026h";
pub const END_UPDATE: &str = "\x1b[?2026l";
/// Ends an update, and the marks of pastes, as the editor does when it returns.
const END_OF_EDITOR: &str = "\x1b[?2026l\x1b[?2004l\n";
/// A key that was typed is looked at in less than this.
const NEXT_KEY: Duration = Duration::from_millis(10);
