//! Breaking out of the editor at a time: for a clock that goes on, a deadline, and a line that does not end.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::keys::Keys;
use super::waker::Waker;
use crate::lock::locked;

/// Wakes the prompt at a time.
#[derive(Default)]
pub struct Alarm {
    times: Mutex<Times>,
    changed: Condvar,
}

#[derive(Default)]
struct Times {
    /// When a clock changes: that waits while somebody types.
    tick: Option<Instant>,
    /// What does not wait.
    deadline: Option<Instant>,
}

impl Alarm {
    /// Starts the thread that rings.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(waker: Arc<Waker>, keys: Keys) -> io::Result<Arc<Self>> {
        let alarm = Arc::new(Self::default());
        let theirs = Arc::clone(&alarm);
        thread::Builder::new().name("alarm".to_owned()).spawn(move || theirs.wait(&waker, &keys))?;
        Ok(alarm)
    }

    /// Sets both times anew.
    pub fn set(&self, tick: Option<Instant>, deadline: Option<Instant>) {
        *locked(&self.times) = Times { tick, deadline };
        self.changed.notify_all();
    }

    /// Rings at this time, if it was not to ring before.
    pub fn hasten(&self, at: Instant) {
        let mut times = locked(&self.times);
        times.deadline = Some(times.deadline.map_or(at, |deadline| deadline.min(at)));
        drop(times);
        self.changed.notify_all();
    }

    fn wait(&self, waker: &Waker, keys: &Keys) {
        let mut times = locked(&self.times);
        loop {
            let now = Instant::now();
            if times.deadline.is_some_and(|at| at <= now) {
                times.deadline = None;
                waker.wake();
            }
            if times.tick.is_some_and(|at| at <= now) {
                let is_idle = keys.is_idle();
                times.tick = (!is_idle).then(|| now + LATER);
                if is_idle {
                    waker.wake();
                }
            }
            let next = [times.tick, times.deadline].into_iter().flatten().min();
            times = match next.map(|at| at.saturating_duration_since(now)) {
                None => self.changed.wait(times).unwrap_or_else(PoisonError::into_inner),
                Some(left) => self.changed.wait_timeout(times, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }
}

/// A tick that came while somebody typed comes again after this.
const LATER: Duration = Duration::from_secs(1);
