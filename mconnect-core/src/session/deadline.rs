//! When a wait is over.

use std::time::{Duration, Instant};

/// A point in time, and how far away it was when it was set.
#[derive(Clone, Copy)]
pub(super) struct Deadline {
    pub at: Option<Instant>,
    pub after: Duration,
    /// It is that of the whole session.
    pub is_overall: bool,
}

impl Deadline {
    /// Sets a deadline; one too far away to be told is none.
    pub fn after(after: Duration) -> Self {
        Self { at: Instant::now().checked_add(after), after, is_overall: false }
    }

    /// Sets the deadline of a whole session.
    pub fn overall(at: Instant) -> Self {
        Self { at: Some(at), after: at.saturating_duration_since(Instant::now()), is_overall: true }
    }

    /// Returns the one of two that comes first.
    pub fn or(self, other: Option<Self>) -> Self {
        match (self.at, other) {
            (None, Some(other)) => other,
            (Some(at), Some(other)) if other.at.is_some_and(|then| then < at) => other,
            _ => self,
        }
    }

    /// Returns how long a wait may take that begins now: a stage has its whole time, a session what is left.
    pub fn reply_timeout(self) -> Duration {
        if self.is_overall { self.left().unwrap_or(self.after) } else { self.after }
    }

    /// Returns the time left; `None` if there is no end to it.
    pub fn left(self) -> Option<Duration> {
        self.at.map(|at| at.saturating_duration_since(Instant::now()))
    }
}
