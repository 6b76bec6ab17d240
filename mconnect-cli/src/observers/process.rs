//! Telling what a process says on its standard error, and how it ends.

use std::sync::Mutex;
use std::time::Instant;

use mconnect_core::protocol::Visible;
use mconnect_core::{Event, Observer};

use crate::lock::locked;
use crate::stderr::say;

/// Tells it at once; at a prompt, where it comes in the middle of a line that is typed, with what happens next.
pub struct Process {
    is_typed: bool,
    is_quiet: bool,
    waiting: Mutex<Vec<String>>,
}

impl Process {
    pub fn new(is_typed: bool, is_quiet: bool) -> Self {
        Self { is_typed, is_quiet, waiting: Mutex::default() }
    }
}

impl Observer for Process {
    fn observe(&self, _: Instant, event: &Event<'_>) {
        match event {
            Event::ProcessSaid(line) => {
                let line = format!("process: {}", Visible(line));
                if !self.is_typed {
                    return say(&line);
                }
                let mut waiting = locked(&self.waiting);
                if waiting.len() < MOST_WAITING {
                    waiting.push(line);
                }
            }
            Event::Sent(_) | Event::SentSecret(_) => {}
            event => {
                let waiting = std::mem::take(&mut *locked(&self.waiting));
                waiting.iter().for_each(|line| say(line));
                match event {
                    Event::ProcessEnded(status) if !(self.is_quiet && status.success()) => {
                        say(&format!("the process ended, {status}"));
                    }
                    _ => {}
                }
            }
        }
    }
}

/// Of more lines, the first are kept.
const MOST_WAITING: usize = 100;
