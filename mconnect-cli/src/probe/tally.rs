//! How far many targets are: a row on standard error.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use mconnect_core::probe::Tally;

use crate::lock::locked;
use crate::stderr::{at_interrupt, clear, draw, is_shown, say};

/// The row, drawn again and again until this is gone.
pub struct TallyRow(Arc<Shown>);

struct Shown {
    /// Nothing is counted any more once it is over.
    tally: Mutex<Option<Tally>>,
    is_over: Condvar,
}

impl TallyRow {
    /// Begins. The row is drawn from a thread of its own.
    pub fn new(total: Option<u64>) -> Self {
        let tally = Tally::new(total);
        at_interrupt(Some(tally.told()));
        let shown = Arc::new(Shown { tally: Mutex::new(Some(tally)), is_over: Condvar::new() });
        if is_shown() {
            let theirs = Arc::clone(&shown);
            let _ = thread::Builder::new().name("progress".to_owned()).spawn(move || theirs.keep_drawing());
        }
        Self(shown)
    }

    /// Returns what counts lines that are passed over.
    pub fn passing(&self) -> impl Fn(u64) + Send + 'static {
        let shown = Arc::clone(&self.0);
        move |octets| locked(&shown.tally).iter_mut().for_each(|tally| tally.pass(octets))
    }

    /// Counts a target.
    pub fn add(&self, octets: u64, is_failure: bool) {
        if let Some(tally) = &mut *locked(&self.0.tally) {
            tally.add(octets, is_failure);
            at_interrupt(Some(tally.told()));
        }
    }

    /// Ends, and says how it went where it was seen going.
    pub fn finish(self, is_quiet: bool) {
        let summary = locked(&self.0.tally).as_ref().map(Tally::summary);
        drop(self);
        if let Some(summary) = summary.filter(|_| is_shown() && !is_quiet) {
            say(&summary);
        }
    }
}

impl Drop for TallyRow {
    fn drop(&mut self) {
        locked(&self.0.tally).take();
        self.0.is_over.notify_all();
        clear();
        at_interrupt(None);
    }
}

impl Shown {
    fn keep_drawing(&self) {
        let mut shown = locked(&self.tally);
        while let Some(tally) = &*shown {
            draw(&tally.words());
            shown = self.is_over.wait_timeout(shown, GAP).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The row is drawn so often.
const GAP: Duration = Duration::from_millis(200);
