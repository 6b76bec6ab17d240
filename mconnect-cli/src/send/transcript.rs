//! What is told of the session as it goes: commands on standard error, what the server says on standard output.

use std::io;
use std::sync::Mutex;
use std::time::Instant;

use mconnect_core::protocol::{Phase, Visible};
use mconnect_core::{Event, Observer};

use crate::lock::locked;
use crate::options::Options;
use crate::screen::Screen;
use crate::stderr::say;
use crate::verdict::Verdict;

pub struct Transcript {
    is_quiet: bool,
    state: Mutex<State>,
}

struct State {
    screen: Screen,
    phase: Phase,
    /// Of a body, what went out so far.
    octets: u64,
    /// Somebody else tells of it.
    is_muted: bool,
    failure: Option<io::Error>,
}

impl Transcript {
    pub fn new(options: &Options) -> Self {
        let (screen, phase) = (Screen::of(options.output), Phase::Greeting);
        let state = State { screen, phase, octets: 0, is_muted: false, failure: None };
        Self { is_quiet: options.is_quiet, state: Mutex::new(state) }
    }

    /// Tells nothing until what is returned goes away.
    pub fn mute(&self) -> impl Drop + '_ {
        locked(&self.state).is_muted = true;
        Muted(self)
    }

    /// Tells what was wrong with standard output, if anything was.
    pub fn end(&self, verdict: &Verdict) {
        if let Some(error) = locked(&self.state).failure.take() {
            verdict.output_failed(&error);
        }
    }
}

struct Muted<'a>(&'a Transcript);

impl Drop for Muted<'_> {
    fn drop(&mut self) {
        locked(&self.0.state).is_muted = false;
    }
}

impl Observer for Transcript {
    fn observe(&self, _: Instant, event: &Event<'_>) {
        let mut state = locked(&self.state);
        if state.is_muted {
            return;
        }
        let told = match event {
            Event::Received(line) => {
                let shown = state.screen.show(line.raw());
                state.failure = state.failure.take().or(shown.err());
                return;
            }
            Event::Phase(phase) => {
                let octets = if state.phase == Phase::Body { std::mem::take(&mut state.octets) } else { 0 };
                state.phase = *phase;
                // The dot that ends it is no part of it, and stands alone where nobody was left to send it to.
                match octets.checked_sub(FINAL_DOT) {
                    None => None,
                    Some(0) => Some("> .".to_owned()),
                    Some(octets) => Some(format!("> a message of {octets} octets, and the dot that ends it")),
                }
            }
            Event::Sent(bytes) if state.phase == Phase::Body => {
                state.octets += bytes.len() as u64;
                None
            }
            Event::Sent(line) if state.phase == Phase::Command => Some(format!("> {}", Visible(line.trim_ascii_end()))),
            _ => None,
        };
        drop(state);
        if let Some(told) = told.filter(|_| !self.is_quiet) {
            say(&told);
        }
    }
}

/// The octets of `.` CR LF.
const FINAL_DOT: u64 = 3;
