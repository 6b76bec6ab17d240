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
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::pthread::{Pthread, pthread_kill, pthread_self};
use nix::sys::signal::{SigSet, Signal, raise};
use rustyline::ExternalPrinter;

use crate::screen;
use crate::signals;

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
            Event::Act => self.is_acting = true,
            Event::Resume => (self.ending, self.is_acting) = (None, false),
            Event::Hold => self.is_held = true,
            Event::Release => self.is_held = false,
            Event::Sent => self.is_updating = true,
            Event::Updated => self.is_updating = false,
            Event::Left => self.is_held = false,
            Event::Enter | Event::Drawn | Event::PasteBegins | Event::PasteEnds | Event::KeyEnds | Event::Taken => {}
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
        self.ending.is_some() || (self.is_due && self.place != Place::Pasting)
    }

    fn task(&self) -> Task {
        match self.place {
            Place::Breaking => Task::SendAgain,
            Place::Reading | Place::Pasting if self.ending.is_some() => Task::Send,
            Place::Reading if self.is_due && self.is_held => Task::SendLater,
            Place::Reading if self.is_due => Task::Send,
            Place::Woken => Task::Nothing,
            _ if self.is_updating => Task::EndUpdate,
            _ => Task::Nothing,
        }
    }

    /// Returns how long a signal that ends the tool waits for the editor to return before it acts all the same.
    fn patience(&self) -> Duration {
        match self.place {
            Place::Away => Duration::ZERO,
            // It waits for keys, and may not be able to take a wake before the next one.
            Place::Reading | Place::Pasting | Place::Woken => Duration::from_millis(200),
            Place::Entering | Place::Breaking | Place::Leaving => LONGEST_CHANGE,
        }
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
            Signal::SIGQUIT => Some(self.end_by(Signal::SIGINT)),
            signal => Some(self.end_by(signal)),
        }
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
            let left = state.patience().saturating_sub(begun.elapsed());
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
    let stdout = io::stdout();
    let mut fds = [PollFd::new(stdout.as_fd(), PollFlags::POLLOUT)];
    poll(&mut fds, PollTimeout::ZERO).is_ok_and(|count| count > 0)
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
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// The editor, as far as it matters: what may happen to it, and what it may do, at any moment.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
    struct World {
        state: State,
        /// The editor's handlers are there, and its terminal takes keys one by one.
        is_inside: bool,
        /// Wakes that were sent and not taken: one waits, another may be blocked.
        wakes: u8,
        is_interrupted: bool,
        /// Since the editor began.
        was_raised: bool,
    }

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Step {
        Own(Event),
        /// The waker's thread does what it has to.
        Send,
        /// The editor waits for keys and for wakes, and finds a wake.
        Take,
        /// It finds the interrupt.
        Return,
        /// A change of the terminal's size comes before the interrupt, which is forgotten.
        Forget,
        /// It fails, without having called anybody.
        Fail,
    }

    const STEPS: [Step; 19] = [
        Step::Own(Event::Wake),
        Step::Own(Event::Settle),
        Step::Own(Event::End(Signal::SIGTERM)),
        Step::Own(Event::Act),
        Step::Own(Event::Resume),
        Step::Own(Event::Hold),
        Step::Own(Event::Release),
        Step::Own(Event::Enter),
        Step::Own(Event::Drawn),
        Step::Own(Event::PasteBegins),
        Step::Own(Event::PasteEnds),
        Step::Own(Event::KeyEnds),
        Step::Own(Event::Left),
        Step::Own(Event::Updated),
        Step::Send,
        Step::Take,
        Step::Return,
        Step::Forget,
        Step::Fail,
    ];

    impl World {
        /// Returns the world after a step, if the step can be taken.
        fn after(mut self, step: Step) -> Option<Self> {
            let place = self.state.place;
            let waits = matches!(place, Place::Reading | Place::Pasting | Place::Woken | Place::Breaking);
            let can = match step {
                // What came is shown between two readings, and nothing acts that was not told to end it all.
                Step::Own(Event::Settle) => place == Place::Away,
                Step::Own(Event::Act | Event::Resume) => self.state.ending.is_some(),
                Step::Own(Event::Enter) => place == Place::Away && self.state.ending.is_none(),
                Step::Own(Event::Drawn) => place == Place::Entering,
                Step::Own(Event::PasteBegins) => waits && place != Place::Pasting && !self.state.is_acting,
                Step::Own(Event::PasteEnds) => place == Place::Pasting && !self.state.is_acting,
                Step::Own(Event::KeyEnds) => waits && !self.state.is_acting,
                Step::Own(Event::Left) => place == Place::Leaving,
                Step::Own(_) => true,
                Step::Send => self.wakes < 2 && matches!(self.state.task(), Task::Send | Task::SendAgain),
                Step::Take => waits && self.wakes > 0 && !self.is_interrupted,
                Step::Return | Step::Forget => waits && self.is_interrupted,
                Step::Fail => place != Place::Away,
            };
            if !can {
                return None;
            }
            match step {
                Step::Own(event) => {
                    self.state = self.state.after(event);
                    match event {
                        Event::Enter => (self.is_inside, self.was_raised) = (true, false),
                        Event::Left => (self.is_inside, self.is_interrupted) = (false, false),
                        _ => {}
                    }
                }
                Step::Send => {
                    self.state = self.state.after(Event::Sent);
                    self.wakes += 1;
                }
                Step::Take => {
                    self.wakes -= 1;
                    self.state = self.state.after(Event::Taken);
                    if self.state.place == Place::Breaking {
                        assert!(self.is_inside, "a signal only while the editor handles it");
                        assert!(place != Place::Pasting || self.state.ending.is_some(), "no break in a paste");
                        (self.is_interrupted, self.was_raised) = (true, true);
                    }
                }
                Step::Return | Step::Fail => {
                    self.state = self.state.after(Event::Left);
                    (self.is_inside, self.is_interrupted) = (false, false);
                }
                Step::Forget => self.is_interrupted = false,
            }
            Some(self)
        }
    }

    /// Every world that any order of steps leads to.
    fn worlds() -> HashSet<World> {
        let (mut seen, mut new) = (HashSet::from([World::default()]), vec![World::default()]);
        while let Some(world) = new.pop() {
            let next = STEPS.iter().filter_map(|step| world.after(*step));
            new.extend(next.filter(|next| seen.insert(*next)).collect::<Vec<_>>());
        }
        seen
    }

    #[test]
    fn in_every_order_of_events_a_signal_is_raised_only_in_the_editor_and_a_break_is_told_from_others() {
        let worlds = worlds();
        // Fewer would mean that the search does not get anywhere.
        assert!(worlds.len() > 500, "{}", worlds.len());
        for world in worlds {
            assert_eq!(world.is_inside, world.state.place != Place::Away, "{world:?}");
            assert!(world.state.place != Place::Breaking || world.was_raised, "{world:?}");
            assert!(!world.is_interrupted || world.was_raised, "{world:?}");
        }
    }

    #[test]
    fn from_everywhere_the_editor_returns_without_a_key_if_there_is_something_to_show_or_it_is_to_end() {
        for mut world in worlds() {
            let place = world.state.place;
            let is_inside = !matches!(place, Place::Away | Place::Entering | Place::Leaving);
            // A paste is waited for, and what is half typed until it has rested.
            let is_wanted = world.state.is_due && place != Place::Pasting || world.state.ending.is_some();
            if !is_inside || !is_wanted {
                continue;
            }
            let start = world;
            world.state = world.state.after(Event::Release);
            for _ in 0..8 {
                let step = [Step::Return, Step::Take, Step::Send].into_iter().find_map(|step| world.after(step));
                world = step.unwrap_or(world);
                if world.state.place == Place::Away {
                    break;
                }
            }
            assert_eq!(world.state.place, Place::Away, "from {start:?}");
        }
    }

    #[test]
    fn what_is_to_end_begins_no_more() {
        for world in worlds().into_iter().filter(|world| world.state.ending.is_some()) {
            assert_eq!(world.state.after(Event::Enter).place, world.state.place);
        }
    }

    #[test]
    fn what_is_half_typed_holds_back_a_wake_but_no_end() {
        let reading =
            [Event::Enter, Event::Drawn, Event::Wake, Event::Hold].into_iter().fold(State::default(), State::after);
        assert_eq!(reading.task(), Task::SendLater);
        assert_eq!(reading.after(Event::Release).task(), Task::Send);
        assert_eq!(reading.after(Event::End(Signal::SIGHUP)).task(), Task::Send);
    }

    #[test]
    fn breaks_are_about_twenty_a_second_but_for_a_few_at_once() {
        let begun = Instant::now();
        let (mut pace, mut now, mut count) = (Pace::new(begun), begun, 0);
        while now < begun + Duration::from_secs(10) {
            let wait = pace.wait(now);
            if wait.is_zero() {
                pace.spend(now);
                count += 1;
            }
            now += wait.max(Duration::from_micros(300));
        }
        assert!((200..=240).contains(&count), "{count}");
    }
}
