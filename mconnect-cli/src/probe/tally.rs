//! How far many targets are: a row on standard error.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::lock::locked;
use crate::stderr::{at_interrupt, clear, draw, is_shown, say};

/// What was done, and what there is to do, as far as that is known.
pub struct Tally(Arc<Shown>);

struct Shown {
    begun: Instant,
    /// Of all the targets, in octets.
    total: Option<u64>,
    counts: Mutex<Counts>,
    is_over: Condvar,
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    done: u64,
    failures: u64,
    /// The lines of what was done.
    octets: u64,
    /// The lines that were passed over.
    passed: u64,
    is_over: bool,
}

impl Tally {
    /// Begins. The row is drawn from a thread of its own.
    pub fn new(total: Option<u64>) -> Self {
        let (counts, is_over) = (Mutex::default(), Condvar::new());
        at_interrupt(Some(told(0)));
        let shown = Arc::new(Shown { begun: Instant::now(), total, counts, is_over });
        if is_shown() {
            let theirs = Arc::clone(&shown);
            let _ = thread::Builder::new().name("progress".to_owned()).spawn(move || theirs.keep_drawing());
        }
        Self(shown)
    }

    /// Returns what counts lines that are passed over.
    pub fn passing(&self) -> impl Fn(u64) + Send + 'static {
        let shown = Arc::clone(&self.0);
        move |octets| locked(&shown.counts).passed += octets
    }

    /// Counts a target.
    pub fn add(&self, octets: u64, is_failure: bool) {
        let mut counts = locked(&self.0.counts);
        counts.done += 1;
        counts.octets += octets;
        counts.failures += u64::from(is_failure);
        at_interrupt(Some(told(counts.done)));
    }

    /// Ends, and says how it went where it was seen going.
    pub fn finish(self, is_quiet: bool) {
        let (counts, took) = (*locked(&self.0.counts), self.0.begun.elapsed());
        let is_told = is_shown() && !is_quiet;
        drop(self);
        if is_told {
            let failures = counts.failures;
            say(&format!("{} in {:.1} s, {failures} failed", targets(counts.done), took.as_secs_f64()));
        }
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        locked(&self.0.counts).is_over = true;
        self.0.is_over.notify_all();
        clear();
        at_interrupt(None);
    }
}

impl Shown {
    fn keep_drawing(&self) {
        let mut counts = locked(&self.counts);
        while !counts.is_over {
            draw(&words(&counts, self.total, self.begun.elapsed()));
            counts = self.is_over.wait_timeout(counts, GAP).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Shows `1200 done, 80/s, 12 failed, 65 s left`.
fn words(counts: &Counts, total: Option<u64>, took: Duration) -> String {
    let seconds = took.as_secs_f64().max(f64::EPSILON);
    let rate = counts.done as f64 / seconds;
    let mut words = format!("{} done, {rate:.0}/s, {} failed", counts.done, counts.failures);
    let left = total.and_then(|total| total.checked_sub(counts.octets + counts.passed));
    if let Some(left) = left.filter(|_| counts.octets > 0) {
        let left = (left as f64 * seconds / counts.octets as f64).ceil();
        words += &match left as u64 {
            left @ 0..=600 => format!(", {left} s left"),
            left @ 601..=36_000 => format!(", {} min left", left / 60),
            left => format!(", {} h left", left / 3600),
        };
    }
    words
}

fn told(count: u64) -> String {
    let were = if count == 1 { "was" } else { "were" };
    format!("{} {were} told", targets(count))
}

fn targets(count: u64) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} target{s}")
}

/// The row is drawn so often.
const GAP: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_how_fast_and_what_is_left_are_told() {
        let counts = Counts { done: 1200, failures: 12, octets: 12_000, passed: 5_000, is_over: false };
        let told = |total, seconds| words(&counts, total, Duration::from_secs(seconds));
        assert_eq!(told(Some(29_000), 15), "1200 done, 80/s, 12 failed, 15 s left");
        assert_eq!(told(Some(17_000 + 960_000), 15), "1200 done, 80/s, 12 failed, 20 min left");
        assert_eq!(told(Some(17_000 + 96_000_000), 15), "1200 done, 80/s, 12 failed, 33 h left");
        // There is no end in sight, or the file has grown.
        assert_eq!(told(None, 15), "1200 done, 80/s, 12 failed");
        assert_eq!(told(Some(1), 15), "1200 done, 80/s, 12 failed");
        assert_eq!(words(&Counts::default(), Some(9), Duration::ZERO), "0 done, 0/s, 0 failed");
    }
}
