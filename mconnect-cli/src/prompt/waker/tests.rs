//! The machine for every order of events.

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

const STEPS: [Step; 22] = [
    Step::Own(Event::Wake),
    Step::Own(Event::Settle),
    Step::Own(Event::End(Signal::SIGTERM)),
    Step::Own(Event::Closed),
    Step::Own(Event::Opening),
    Step::Own(Event::Interrupt),
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
            Step::Own(Event::Settle | Event::Closed | Event::Opening) => place == Place::Away,
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
        let is_due = world.state.is_due || world.state.interrupt == Interrupt::HasLeft;
        let is_wanted = is_due && place != Place::Pasting || world.state.ending.is_some();
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
fn in_every_order_an_interrupt_without_a_session_ends_no_tool_and_is_never_forgotten() {
    for World { state, .. } in worlds() {
        let next = STEPS.iter().filter_map(|step| if let Step::Own(event) = step { Some(*event) } else { None });
        match state.interrupt {
            Interrupt::EndsTool => assert_eq!(state.after(Event::Interrupt), state),
            Interrupt::LeavesPrompt => {
                let left = State { interrupt: Interrupt::HasLeft, ..state };
                assert_eq!(state.after(Event::Interrupt), left);
            }
            Interrupt::HasLeft => next.for_each(|event| {
                assert_eq!(state.after(event).interrupt, Interrupt::HasLeft, "{event:?} after {state:?}");
            }),
        }
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
