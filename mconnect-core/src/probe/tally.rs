//! How far many targets are, in words.

use std::time::{Duration, Instant};

/// Counts the targets of a run as their reports come, and says how far it is: for a person who waits for it, or for a log.
///
/// ```
/// use mconnect_core::probe::Tally;
///
/// // The lines of a file have 400 octets.
/// let mut tally = Tally::new(Some(400));
/// tally.pass(100);
/// tally.add(12, false);
/// assert!(tally.words().starts_with("1 done, ") && tally.words().contains(", 0 failed, "));
/// assert_eq!(tally.told(), "1 target was told");
/// ```
#[derive(Debug, Clone)]
pub struct Tally {
    begun: Instant,
    total: Option<u64>,
    done: u64,
    failures: u64,
    /// The lines of what was done.
    octets: u64,
    /// The lines that were passed over.
    passed: u64,
}

impl Tally {
    /// Begins now; `total` is how many octets the lines of all targets have, where that is known.
    pub fn new(total: Option<u64>) -> Self {
        Self { begun: Instant::now(), total, done: 0, failures: 0, octets: 0, passed: 0 }
    }

    /// Counts a target, whose line had so many octets ([`TargetLine::octets`](super::TargetLine::octets)).
    pub fn add(&mut self, octets: u64, is_failure: bool) {
        self.done += 1;
        self.octets += octets;
        self.failures += u64::from(is_failure);
    }

    /// Counts a line that is passed over: it takes no time.
    pub fn pass(&mut self, octets: u64) {
        self.passed += octets;
    }

    /// Says how far it is: `1200 done, 80/s, 12 failed, 65 s left`.
    pub fn words(&self) -> String {
        self.words_after(self.begun.elapsed())
    }

    /// Says how many there were so far: `1200 targets were told`.
    pub fn told(&self) -> String {
        format!("{} {} told", self.targets(), if self.done == 1 { "was" } else { "were" })
    }

    /// Says how it went: `1200 targets in 15.0 s, 12 failed`.
    pub fn summary(&self) -> String {
        format!("{} in {:.1} s, {} failed", self.targets(), self.begun.elapsed().as_secs_f64(), self.failures)
    }

    fn words_after(&self, took: Duration) -> String {
        let seconds = took.as_secs_f64().max(f64::EPSILON);
        let rate = self.done as f64 / seconds;
        let mut words = format!("{} done, {rate:.0}/s, {} failed", self.done, self.failures);
        let left = self.total.and_then(|total| total.checked_sub(self.octets + self.passed));
        if let Some(left) = left.filter(|_| self.octets > 0) {
            let left = (left as f64 * seconds / self.octets as f64).ceil();
            words += &match left as u64 {
                left @ 0..=600 => format!(", {left} s left"),
                left @ 601..=36_000 => format!(", {} min left", left / 60),
                left => format!(", {} h left", left / 3600),
            };
        }
        words
    }

    fn targets(&self) -> String {
        format!("{} target{}", self.done, if self.done == 1 { "" } else { "s" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_how_fast_and_what_is_left_are_told() {
        let told = |total, seconds| {
            let tally = Tally { done: 1200, failures: 12, octets: 12_000, passed: 5_000, ..Tally::new(total) };
            tally.words_after(Duration::from_secs(seconds))
        };
        assert_eq!(told(Some(29_000), 15), "1200 done, 80/s, 12 failed, 15 s left");
        assert_eq!(told(Some(17_000 + 960_000), 15), "1200 done, 80/s, 12 failed, 20 min left");
        assert_eq!(told(Some(17_000 + 96_000_000), 15), "1200 done, 80/s, 12 failed, 33 h left");
        // There is no end in sight, or the file has grown.
        assert_eq!(told(None, 15), "1200 done, 80/s, 12 failed");
        assert_eq!(told(Some(1), 15), "1200 done, 80/s, 12 failed");
        assert_eq!(Tally::new(Some(9)).words_after(Duration::ZERO), "0 done, 0/s, 0 failed");
    }
}
