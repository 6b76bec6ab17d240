//! How far many targets are: a row on standard error.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use mconnect_core::probe::Tally;

use crate::lock::locked;
use crate::stderr::{at_interrupt, clear, draw, is_shown, say};

/// The row, drawn again and again until this is gone, and the tally with it.
pub struct TallyRow(Arc<Mutex<Option<Tally>>>);

impl TallyRow {
    /// Begins. The row is drawn from a thread of its own.
    pub fn new(total: Option<u64>) -> Self {
        let tally = Tally::new(total);
        at_interrupt(Some(tally.told()));
        let shared = Arc::new(Mutex::new(Some(tally)));
        if is_shown() {
            let theirs = Arc::clone(&shared);
            let is_drawn = move || locked(&theirs).as_ref().map(|tally| draw(&tally.words())).is_some();
            let keep_drawing = move || {
                while is_drawn() {
                    thread::sleep(GAP);
                }
            };
            let _ = thread::Builder::new().name("progress".to_owned()).spawn(keep_drawing);
        }
        Self(shared)
    }

    /// Returns what counts lines that are passed over.
    pub fn passing(&self) -> impl Fn(u64) + Send + 'static {
        let shared = Arc::clone(&self.0);
        move |octets| locked(&shared).iter_mut().for_each(|tally| tally.pass(octets))
    }

    /// Counts a target.
    pub fn add(&self, octets: u64, is_failure: bool) {
        if let Some(tally) = &mut *locked(&self.0) {
            tally.add(octets, is_failure);
            at_interrupt(Some(tally.told()));
        }
    }

    /// Ends, and says how it went where it was seen going.
    pub fn finish(self, is_quiet: bool) {
        let summary = locked(&self.0).as_ref().map(Tally::summary);
        drop(self);
        if let Some(summary) = summary.filter(|_| is_shown() && !is_quiet) {
            say(&summary);
        }
    }
}

impl Drop for TallyRow {
    fn drop(&mut self) {
        locked(&self.0).take();
        clear();
        at_interrupt(None);
    }
}

/// The row is drawn so often.
const GAP: Duration = Duration::from_millis(200);
