//! Where the editor is, what is wanted of it, and what follows from that for the waker: what to do next, and when.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

/// Where the editor's thread is, and what is wanted of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct State {
    pub place: Place,
    /// There is something to show.
    pub is_due: bool,
    /// When a clock changes: that waits while somebody types.
    pub tick: Option<Instant>,
    /// When there is something to show all the same.
    pub deadline: Option<Instant>,
    /// The signal that is to end the tool. The editor does not begin any more.
    pub ending: Option<Signal>,
    /// That signal acts now, wherever the editor is: its thread may not touch the terminal.
    pub is_acting: bool,
    /// What a break would lose was just typed: it waits until then.
    pub held_until: Option<Instant>,
    /// A line is half typed, and when the last key of it came.
    pub is_mid_line: bool,
    pub last_key: Option<Instant>,
    /// When the editor was interrupted, until it returns.
    pub interrupted: Option<Instant>,
    pub pace: Pace,
    /// When the screen was told that one update begins, until that ends.
    pub updating: Option<Instant>,
    /// There is no session that Ctrl-C could end: it leaves the prompt between two readings, as it does in one.
    pub is_closed: bool,
    /// It has left it.
    pub has_left: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Place {
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
pub enum Task {
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
    pub fn plan(&self, now: Instant) -> Option<(Instant, Task)> {
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
    pub fn patience(&self) -> Duration {
        match self.place {
            Place::Away => Duration::ZERO,
            Place::Changing => LONGEST_CHANGE,
            // It may wait for the rest of a key.
            Place::Reading | Place::Pasting => LONGEST_KEY,
        }
    }
}

/// Keeps breaks apart: one per gap, but for a few at once.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pace {
    /// When the next one may come.
    pub free: Option<Instant>,
}

impl Pace {
    pub fn spend(&mut self, now: Instant) {
        let least = now.checked_sub(GAP * (AT_ONCE - 1)).unwrap_or(now);
        self.free = Some(self.free.map_or(least, |free| free.max(least)) + GAP);
    }
}

/// The editor takes no longer than this to change the terminal, unless that takes nothing.
const LONGEST_CHANGE: Duration = Duration::from_secs(2);
/// A signal that ends the tool waits no longer than this for the rest of a key.
const LONGEST_KEY: Duration = Duration::from_millis(200);
/// So long after the last key, what is half typed does not hold back a break any more.
pub const REST: Duration = Duration::from_secs(1);
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
