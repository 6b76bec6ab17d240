//! Breaking out of the line editor from another thread.
//!
//! While the editor waits for a key, it also waits for text from its external printer. A wake is such a text, an empty
//! one: the editor draws its line anew for it, and in that drawing, which calls the helper on the editor's own thread,
//! SIGINT is raised there. The editor handles it and returns. So no signal crosses threads, and none can come once the
//! editor has ended; a wake that comes too late only waits for the next reading, where it draws a line anew for nothing.
//! Between the bytes of one key, in a search and before the second key of a command, the editor waits for keys alone: the
//! wake is taken after that, and no key is lost to it. Only a signal that ends the tool interrupts it there, too.
//!
//! ```text
//!             enter             drawn             wake sent              wake taken: SIGINT
//!   ┌► Away ────────► Entering ───────► Reading ─────────────► Woken ─────────────────────► Breaking
//!   │                                   ▲     │                  │                        ▲    │  │ sent again, if the
//!   │                        paste ends │     │ paste begins     │ a key ends the line    └────┼──┘ editor missed it
//!   │                                   │     ▼                  ▼                             │
//!   │                                  Pasting       Leaving ◄── from each of these            │
//!   │  left                                             │                                      │
//!   └───────────────────────────────────────────────────┴──────────────────────────────────────┘
//! ```

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::PollTimeout;
use nix::sys::pthread::{Pthread, pthread_kill, pthread_self};
use nix::sys::signal::{SigSet, Signal, raise};
use rustyline::ExternalPrinter;

use crate::screen;
use crate::signals;
use crate::waiting;

/// Wakes the editor when there is something to show, or the tool is to end.
#[derive(Default)]
pub struct Waker {
    state: Mutex<State>,
    changed: Condvar,
    editor: OnceLock<Pthread>,
}

/// Where the editor's thread is, and what is wanted of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
struct State {
    place: Place,
    /// There is something to show.
    is_due: bool,
    /// The signal that is to end the tool. The editor does not begin any more.
    ending: Option<Signal>,
    /// That signal acts now, wherever the editor is: its thread may not touch the terminal.
    is_acting: bool,
    /// What a break would lose was just typed.
    is_held: bool,
    /// The screen has been told that one update begins.
    is_updating: bool,
    interrupt: Interrupt,
}

/// What Ctrl-C does between two readings, as it does in one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
enum Interrupt {
    #[default]
    EndsTool,
    /// There is no session that it could end.
    LeavesPrompt,
    /// It has come, and what is read next is nothing.
    HasLeft,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
enum Place {
    /// Outside the editor.
    #[default]
    Away,
    /// In it, before the first drawing: it changes the terminal.
    Entering,
    /// Waiting for keys.
    Reading,
    /// Between the marks of a paste, which is never broken.
    Pasting,
    /// A wake is on its way to it.
    Woken,
    /// It has been interrupted by us and is about to return.
    Breaking,
    /// A key has ended the line.
    Leaving,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Wake,
    Settle,
    End(Signal),
    Closed,
    Opening,
    Interrupt,
    Act,
    Resume,
    Hold,
    Release,
    Enter,
    Drawn,
    PasteBegins,
    PasteEnds,
    KeyEnds,
    Sent,
    Taken,
    Left,
    Updated,
}

/// What the thread that wakes has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    Nothing,
    /// A wake is to be sent once what would be lost by it has rested.
    SendLater,
    Send,
    /// The same, if the editor does not return soon: it reads only the first of several signals.
    SendAgain,
    /// The update of the screen is to be ended, if no drawing does that soon.
    EndUpdate,
}

impl State {
    /// Returns what an event makes of it.
    fn after(mut self, event: Event) -> Self {
        use Place::{Away, Breaking, Entering, Leaving, Pasting, Reading, Woken};
        match event {
            Event::Wake => self.is_due = true,
            Event::Settle => self.is_due = false,
            Event::End(signal) => self.ending = Some(signal),
            Event::Closed => self.interrupt = self.interrupt.unless_left(Interrupt::LeavesPrompt),
            Event::Opening => self.interrupt = self.interrupt.unless_left(Interrupt::EndsTool),
            Event::Interrupt if self.interrupt == Interrupt::LeavesPrompt => self.interrupt = Interrupt::HasLeft,
            Event::Act => self.is_acting = true,
            Event::Resume => (self.ending, self.is_acting) = (None, false),
            Event::Hold => self.is_held = true,
            Event::Release => self.is_held = false,
            Event::Sent => self.is_updating = true,
            Event::Updated => self.is_updating = false,
            Event::Left => self.is_held = false,
            Event::Interrupt
            | Event::Enter
            | Event::Drawn
            | Event::PasteBegins
            | Event::PasteEnds
            | Event::KeyEnds
            | Event::Taken => {}
        }
        self.place = match (self.place, event) {
            (Away, Event::Enter) if self.ending.is_none() => Entering,
            (Entering, Event::Drawn) => Reading,
            (Reading | Woken | Breaking, Event::PasteBegins) => Pasting,
            (Pasting, Event::PasteEnds) => Reading,
            (Reading | Pasting, Event::Sent) => Woken,
            (Reading | Pasting | Woken | Breaking, Event::Taken) if self.is_wanted() => Breaking,
            (Woken, Event::Taken) => Reading,
            (Reading | Pasting | Woken | Breaking, Event::KeyEnds) => Leaving,
            (_, Event::Left) => Away,
            (place, _) => place,
        };
        self
    }

    /// Says whether the editor, where it is, should be broken out of.
    fn is_wanted(&self) -> bool {
        self.ending.is_some() || (self.is_break_due() && self.place != Place::Pasting)
    }

    /// Says whether a break is due that waits for the end of a paste.
    fn is_break_due(&self) -> bool {
        self.is_due || self.interrupt == Interrupt::HasLeft
    }

    fn task(&self) -> Task {
        match self.place {
            Place::Breaking => Task::SendAgain,
            Place::Reading | Place::Pasting if self.ending.is_some() => Task::Send,
            Place::Reading if self.is_break_due() && self.is_held => Task::SendLater,
            Place::Reading if self.is_break_due() => Task::Send,
            Place::Woken => Task::Nothing,
            _ if self.is_updating => Task::EndUpdate,
            _ => Task::Nothing,
        }
    }

    /// Returns how long a signal that ends the tool waits for the editor to return before it acts all the same.
    fn reply_timeout(&self) -> Duration {
        match self.place {
            Place::Away => Duration::ZERO,
            // It waits for keys, and may not be able to take a wake before the next one.
            Place::Reading | Place::Pasting | Place::Woken => Duration::from_millis(200),
            Place::Entering | Place::Breaking | Place::Leaving => LONGEST_CHANGE,
        }
    }
}

impl Interrupt {
    fn unless_left(self, other: Self) -> Self {
        if self == Self::HasLeft { self } else { other }
    }
}

impl Waker {
    /// Starts the thread that wakes the editor of the calling thread, whose external printer this is.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(self: &Arc<Self>, printer: impl ExternalPrinter + Send + 'static) -> io::Result<()> {
        let theirs = Arc::clone(self);
        let _ = self.editor.set(pthread_self());
        thread::Builder::new().name("waker".to_owned()).spawn(move || theirs.watch(printer))?;
        Ok(())
    }

    /// Asks for a break: there is something to show.
    pub fn wake(&self) {
        self.on(Event::Wake);
    }

    /// Takes that back: it is being shown.
    pub fn settle(&self) {
        self.on(Event::Settle);
    }

    /// Returns which signal acts on the tool, for one that came from outside or from a key between two prompts.
    pub fn sort(&self, signal: Signal) -> Option<Signal> {
        match signal {
            // After a stop, or a signal that did nothing, the prompt is drawn again.
            Signal::SIGCONT => {
                self.on(Event::Resume);
                self.wake();
                Some(signal)
            }
            Signal::SIGTSTP => Some(signal),
            // Ctrl-C is SIGQUIT at a prompt.
            Signal::SIGQUIT => match self.on(Event::Interrupt).interrupt {
                Interrupt::HasLeft => None,
                _ => Some(self.end_by(Signal::SIGINT)),
            },
            signal => Some(self.end_by(signal)),
        }
    }

    /// Called where there is no session that Ctrl-C could end. Returns whether the prompt stays: Ctrl-C leaves it.
    pub fn closed(&self) -> bool {
        self.on(Event::Closed).interrupt != Interrupt::HasLeft
    }

    /// Called before a session is opened again. Returns whether that is still wanted.
    pub fn opening(&self) -> bool {
        self.on(Event::Opening).interrupt != Interrupt::HasLeft
    }

    /// Returns the signal that the tool is to end by, if there is one.
    pub fn ending(&self) -> Option<Signal> {
        self.state().ending
    }

    /// Called before the editor begins. While the tool is ending, this does not return.
    pub fn enter(&self) {
        let mut state = self.state();
        while state.ending.is_some() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        self.set(&mut state, Event::Enter);
    }

    /// Called when the editor draws its line.
    pub fn drawn(&self) {
        self.on(Event::Drawn);
    }

    /// Called with every key; where `would_lose` is set, a break would drop something, and waits a little. While a signal
    /// ends the tool, this does not return: the key could make the editor change the terminal.
    pub fn key(&self, would_lose: bool) {
        let mut state = self.state();
        while state.is_acting {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        self.set(&mut state, if would_lose { Event::Hold } else { Event::Release });
        if would_lose {
            // The time without a key begins again.
            self.changed.notify_all();
        }
    }

    pub fn paste_begins(&self) {
        self.on(Event::PasteBegins);
    }

    pub fn paste_ends(&self) {
        self.on(Event::PasteEnds);
    }

    /// Called when a key is about to end the editor.
    pub fn key_ends(&self) {
        self.on(Event::KeyEnds);
    }

    /// Called on the editor's thread when it draws for a wake: breaks out of it, if that is still wanted.
    pub fn taken(&self) {
        let is_break = self.on(Event::Taken).place == Place::Breaking;
        if is_break {
            // One from outside has to reach the first thread, and must not be taken for ours.
            signals::let_pass(Signal::SIGINT);
            interrupt();
        }
    }

    /// Says whether an update of the screen is under way that nothing more belongs to; it counts as ended then.
    pub fn ends_update(&self) -> bool {
        let is_over = self.is_update_over();
        if is_over {
            self.on(Event::Updated);
        }
        is_over
    }

    /// Ends the update of the screen, if one is under way.
    pub fn end_update(&self) {
        if self.is_update_over() {
            // Told afterwards: until then, the tool may end, and has to see to this itself.
            let _ = screen::put(END_UPDATE.as_bytes());
            self.on(Event::Updated);
        }
    }

    fn is_update_over(&self) -> bool {
        let state = self.state();
        state.is_updating && !matches!(state.place, Place::Woken | Place::Breaking)
    }

    /// Called when the editor has returned. Returns whether that is a break of ours, if it was interrupted.
    pub fn left(&self) -> bool {
        let mut state = self.state();
        let is_break = state.place == Place::Breaking;
        self.set(&mut state, Event::Left);
        is_break
    }

    /// Ends the tool: by the editor's thread, if that returns soon; otherwise that is kept from the terminal, so that
    /// nobody changes it while it is being restored. Returns when the signal may act.
    fn end_by(&self, signal: Signal) -> Signal {
        let begun = Instant::now();
        let mut state = self.state();
        self.set(&mut state, Event::End(signal));
        loop {
            let left = state.reply_timeout().saturating_sub(begun.elapsed());
            if left.is_zero() {
                break;
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        if matches!(state.place, Place::Reading | Place::Pasting | Place::Woken) {
            state = self.force(state);
        }
        self.set(&mut state, Event::Act);
        let is_open = state.place != Place::Away || state.is_updating;
        drop(state);
        if is_open && can_print() {
            let _ = screen::put(END_OF_EDITOR.as_bytes());
        }
        signal
    }

    /// Interrupts an editor that waits for a key alone, so that it gives the signals back. It is all over then: where it
    /// has failed just now, SIGINT only ends the tool a little sooner.
    fn force<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        interrupt();
        let begun = Instant::now();
        while state.place != Place::Away && begun.elapsed() < LONGEST_FORCE {
            // The editor's handler has noted the interrupt; its read ends by a signal in its own thread. This one, which
            // does nothing elsewhere, is repeated, as it may come before the read.
            if let Some(editor) = self.editor.get() {
                let _ = pthread_kill(*editor, Signal::SIGWINCH);
            }
            state = self.changed.wait_timeout(state, MISSED).unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    fn watch(&self, mut printer: impl ExternalPrinter) {
        let mut pace = Pace::new(Instant::now());
        let mut state = self.state();
        loop {
            let task = state.task();
            let wait = match task {
                Task::Nothing => {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                    continue;
                }
                Task::Send if state.ending.is_some() => Duration::ZERO,
                Task::Send => pace.wait(Instant::now()),
                Task::SendLater => REST,
                Task::SendAgain => MISSED,
                Task::EndUpdate => LONGEST_UPDATE,
            };
            if !wait.is_zero() {
                let timeout;
                (state, timeout) = self.changed.wait_timeout(state, wait).unwrap_or_else(PoisonError::into_inner);
                match (task, timeout.timed_out()) {
                    (Task::SendAgain, true) if state.task() == task => {}
                    (Task::SendLater, true) if state.task() == task => {
                        self.set(&mut state, Event::Release);
                        continue;
                    }
                    (Task::EndUpdate, true) => {
                        drop(state);
                        self.end_update();
                        state = self.state();
                        continue;
                    }
                    _ => continue,
                }
            }
            pace.spend(Instant::now());
            self.set(&mut state, Event::Sent);
            drop(state);
            let _ = screen::put(BEGIN_UPDATE.as_bytes());
            // An empty text leaves no mark where the editor has just ended.
            if printer.print(String::new()).is_err() {
                return;
            }
            state = self.state();
        }
    }

    fn on(&self, event: Event) -> State {
        let mut state = self.state();
        self.set(&mut state, event);
        *state
    }

    fn set(&self, state: &mut State, event: Event) {
        let before = std::mem::replace(state, state.after(event));
        let concerns_end = state.ending.is_some() || before.ending.is_some();
        // Where the waker's thread waits for a time, it looks after that anyway.
        let is_task = matches!(state.task(), Task::Send | Task::SendLater) || before.task() == Task::Nothing;
        if *state != before && (concerns_end || (is_task && state.task() != Task::Nothing)) {
            self.changed.notify_all();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps wakes apart: one per gap, but for a few at once.
struct Pace {
    /// When the wakes so far are paid off.
    paid: Instant,
}

impl Pace {
    fn new(now: Instant) -> Self {
        Self { paid: now }
    }

    fn wait(&self, now: Instant) -> Duration {
        self.paid.saturating_duration_since(now).saturating_sub(GAP * AT_ONCE)
    }

    fn spend(&mut self, now: Instant) {
        self.paid = self.paid.max(now) + GAP;
    }
}

/// Raises SIGINT in this thread, in which it is blocked otherwise.
fn interrupt() {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    let _ = signals.thread_unblock();
    let _ = raise(Signal::SIGINT);
    let _ = signals.thread_block();
}

/// Says whether the terminal takes something now.
fn can_print() -> bool {
    waiting::is_writable(io::stdout(), PollTimeout::ZERO)
}

/// What follows is to be shown at once, up to the end of the update.
const BEGIN_UPDATE: &str = "\x1b[?2026h";
pub const END_UPDATE: &str = "\x1b[?2026l";
/// Ends an update, and the marks of pastes, as the editor does when it returns.
const END_OF_EDITOR: &str = "\x1b[?2026l\x1b[?2004l\n";
/// The editor takes no longer than this to change the terminal, unless that takes nothing.
const LONGEST_CHANGE: Duration = Duration::from_secs(2);
/// So long after the last key, what is half typed does not hold back a wake any more.
const REST: Duration = Duration::from_secs(1);
/// After so long, the editor has missed an interrupt: it reads only the first of several signals.
const MISSED: Duration = Duration::from_millis(20);
/// An update that no drawing ends is not over for so long: it is only being shown what came.
const LONGEST_UPDATE: Duration = Duration::from_millis(50);
const LONGEST_FORCE: Duration = Duration::from_millis(200);
const GAP: Duration = Duration::from_millis(45);
const AT_ONCE: u32 = 10;

#[cfg(test)]
mod tests;
