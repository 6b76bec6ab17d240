//! Breaking out of the line editor from another thread: when the server says something, at a time, or to end the tool.
//!
//! The editor handles SIGINT while it reads: it notes the signal in a pipe, looks there when it waits for a key, and
//! returns. So a break is that signal, raised in the waker's own thread, which lets through that one and none that comes
//! from outside. Between the bytes of one key, in a search and before the second key of a command, the editor waits for
//! keys alone: the break comes after that, and no key is lost to it. Outside the editor the signal does nothing, so that
//! one which comes too late is forgotten.

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

/// Where the editor's thread is, and what is wanted of it.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    place: Place,
    /// There is something to show.
    is_due: bool,
    /// When a clock changes: that waits while somebody types.
    tick: Option<Instant>,
    /// When there is something to show all the same.
    deadline: Option<Instant>,
    /// The signal that is to end the tool. The editor does not begin any more.
    ending: Option<Signal>,
    /// That signal acts now, wherever the editor is: its thread may not touch the terminal.
    is_acting: bool,
    /// What a break would lose was just typed: it waits until then.
    held_until: Option<Instant>,
    /// A line is half typed, and when the last key of it came.
    is_mid_line: bool,
    last_key: Option<Instant>,
    /// When the editor was interrupted, until it returns.
    interrupted: Option<Instant>,
    pace: Pace,
    /// When the screen was told that one update begins, until that ends.
    updating: Option<Instant>,
    /// There is no session that Ctrl-C could end: it leaves the prompt between two readings, as it does in one.
    is_closed: bool,
    /// It has left it.
    has_left: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    /// Outside the editor.
    #[default]
    Away,
    /// In it, before the first drawing or after a key that ends the line: it changes the terminal.
    Changing,
    /// Waiting for keys.
    Reading,
    /// Between the marks of a paste, which is broken by the end of the tool alone.
    Pasting,
}

/// What the waker's thread does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    /// A time has come.
    Ring,
    Interrupt,
    /// No drawing has ended the update of the screen.
    EndUpdate,
}

impl State {
    /// Says whether the editor, where it is, should be broken out of.
    fn is_wanted(&self) -> bool {
        match self.place {
            Place::Away | Place::Changing => false,
            Place::Reading => self.ending.is_some() || self.is_due || self.has_left,
            Place::Pasting => self.ending.is_some(),
        }
    }

    /// Returns what is to be done next, and when.
    fn plan(&self, now: Instant) -> Option<(Instant, Task)> {
        let again = self.interrupted.map(|at| at + MISSED);
        let interrupt = match self.ending {
            Some(_) => again,
            None => [again, self.held_until, self.pace.free].into_iter().flatten().max(),
        };
        let idle = self.last_key.filter(|_| self.is_mid_line).map(|last| last + IDLE);
        let tick = self.tick.filter(|_| self.place != Place::Pasting).map(|tick| idle.map_or(tick, |at| at.max(tick)));
        let patience = if self.interrupted.is_some() { MISSED } else { LONGEST_UPDATE };
        let tasks = [
            (Some(interrupt.unwrap_or(now)).filter(|_| self.is_wanted()), Task::Interrupt),
            (tick.into_iter().chain(self.deadline).min(), Task::Ring),
            (self.updating.map(|begun| begun + patience), Task::EndUpdate),
        ];
        tasks.into_iter().filter_map(|(at, task)| Some((at?, task))).min_by_key(|(at, _)| *at)
    }

    /// Returns how long a signal that ends the tool waits for the editor to return before it acts all the same.
    fn patience(&self) -> Duration {
        match self.place {
            Place::Away => Duration::ZERO,
            Place::Changing => LONGEST_CHANGE,
            // It may wait for the rest of a key.
            Place::Reading | Place::Pasting => LONGEST_KEY,
        }
    }
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
        Ok(set_of(Signal::SIGWINCH).thread_block()?)
    }

    /// Sets where the server is heard from now on; nowhere, once the session is over.
    pub fn listen_to(&self, server: Option<BorrowedFd<'_>>) {
        let server = server.and_then(|server| server.try_clone_to_owned().ok());
        *locked(&self.server) = server.map(Arc::new);
        self.ring();
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
                    let server = locked(&self.server).clone().filter(|_| !state.is_due);
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

/// Keeps breaks apart: one per gap, but for a few at once.
#[derive(Debug, Clone, Copy, Default)]
struct Pace {
    /// When the next one may come.
    free: Option<Instant>,
}

impl Pace {
    fn spend(&mut self, now: Instant) {
        let least = now.checked_sub(GAP * (AT_ONCE - 1)).unwrap_or(now);
        self.free = Some(self.free.map_or(least, |free| free.max(least)) + GAP);
    }
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

fn set_of(signal: Signal) -> SigSet {
    let mut set = SigSet::empty();
    set.add(signal);
    set
}

/// What follows is to be shown at once, up to the end of the update.
const BEGIN_UPDATE: &str = "\x1b[?2026h";
pub const END_UPDATE: &str = "\x1b[?2026l";
/// Ends an update, and the marks of pastes, as the editor does when it returns.
const END_OF_EDITOR: &str = "\x1b[?2026l\x1b[?2004l\n";
/// The editor takes no longer than this to change the terminal, unless that takes nothing.
const LONGEST_CHANGE: Duration = Duration::from_secs(2);
/// A signal that ends the tool waits no longer than this for the rest of a key.
const LONGEST_KEY: Duration = Duration::from_millis(200);
/// A key that was typed is looked at in less than this.
const NEXT_KEY: Duration = Duration::from_millis(10);
/// So long after the last key, what is half typed does not hold back a break any more.
const REST: Duration = Duration::from_secs(1);
/// Who has not touched a key for so long is not typing.
const IDLE: Duration = Duration::from_secs(5);
/// After so long, the editor has missed an interrupt: it reads only the first of several signals.
const MISSED: Duration = Duration::from_millis(200);
/// An update that no drawing ends is not over for so long: it is only being shown what came.
const LONGEST_UPDATE: Duration = Duration::from_millis(50);
const GAP: Duration = Duration::from_millis(45);
const AT_ONCE: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what is planned for a state, in milliseconds from now.
    fn planned(state: State, now: Instant) -> Option<(u128, Task)> {
        let (at, task) = state.plan(now)?;
        Some((at.saturating_duration_since(now).as_millis(), task))
    }

    #[test]
    fn a_break_waits_for_a_paste_and_for_what_is_half_typed_but_the_end_of_the_tool_does_not() {
        let now = Instant::now();
        for (place, shows, ends) in [
            (Place::Away, None, None),
            (Place::Changing, None, None),
            (Place::Reading, Some((0, Task::Interrupt)), Some((0, Task::Interrupt))),
            (Place::Pasting, None, Some((0, Task::Interrupt))),
        ] {
            let due = State { place, is_due: true, ..State::default() };
            assert_eq!(planned(due, now), shows, "{place:?}");
            assert_eq!(planned(State { is_due: false, has_left: true, ..due }, now), shows, "{place:?}");
            let held = State { held_until: Some(now + REST), ..due };
            assert_eq!(planned(held, now), shows.map(|(_, task)| (1000, task)), "{place:?}");
            assert_eq!(planned(State { ending: Some(Signal::SIGHUP), ..held }, now), ends, "{place:?}");
        }
    }

    #[test]
    fn an_interrupt_that_the_editor_has_missed_comes_again() {
        let now = Instant::now();
        let state = State { place: Place::Reading, is_due: true, interrupted: Some(now), ..State::default() };
        assert_eq!(planned(state, now), Some((200, Task::Interrupt)));
        assert_eq!(planned(State { ending: Some(Signal::SIGTERM), ..state }, now), Some((200, Task::Interrupt)));
        // Unless it is no longer wanted.
        assert_eq!(planned(State { is_due: false, ..state }, now), None);
    }

    #[test]
    fn a_clock_waits_while_somebody_types_and_a_deadline_does_not() {
        let now = Instant::now();
        let soon = Some(now + Duration::from_millis(7));
        let typing = State { tick: soon, is_mid_line: true, last_key: Some(now), ..State::default() };
        assert_eq!(planned(typing, now), Some((5000, Task::Ring)));
        assert_eq!(planned(State { deadline: soon, ..typing }, now), Some((7, Task::Ring)));
        assert_eq!(planned(State { is_mid_line: false, ..typing }, now), Some((7, Task::Ring)));
        assert_eq!(planned(State { place: Place::Pasting, ..typing }, now), None);
    }

    #[test]
    fn an_update_is_ended_soon_unless_the_editor_is_about_to_return() {
        let now = Instant::now();
        let state = State { updating: Some(now), ..State::default() };
        assert_eq!(planned(state, now), Some((50, Task::EndUpdate)));
        assert_eq!(planned(State { interrupted: Some(now), ..state }, now), Some((200, Task::EndUpdate)));
    }

    #[test]
    fn breaks_are_about_twenty_a_second_but_for_a_few_at_once() {
        let begun = Instant::now();
        let (mut pace, mut now, mut count) = (Pace::default(), begun, 0);
        while now < begun + Duration::from_secs(10) {
            pace.spend(now);
            count += 1;
            now = pace.free.unwrap().max(now + Duration::from_micros(300));
        }
        assert!((200..=240).contains(&count), "{count}");
    }
}
