//! How far something is that takes long.

use std::time::{Duration, Instant};

use crate::protocol::Visible;

/// Knows how much of something went out, and says so in words: for a person who waits for it, or for a log.
///
/// ```
/// use std::time::{Duration, Instant};
///
/// use mconnect_core::Progress;
///
/// let begun = Instant::now().checked_sub(Duration::from_secs(4)).ok_or("just booted")?;
/// let mut progress = Progress::since(begun, "mail.eml", Some(40_000_000));
/// progress.add(12_000_000);
/// assert!(progress.is_long());
/// assert!(progress.words().starts_with("mail.eml: 12.0 MB of 40.0 MB, "));
/// # Ok::<(), &'static str>(())
/// ```
#[derive(Debug, Clone)]
pub struct Progress {
    name: String,
    total: Option<u64>,
    begun: Instant,
    done: u64,
}

impl Progress {
    /// Begins now; `total` is how many octets there are, where that is known.
    pub fn new(name: &str, total: Option<u64>) -> Self {
        Self::since(Instant::now(), name, total)
    }

    /// Counts from this time.
    pub fn since(begun: Instant, name: &str, total: Option<u64>) -> Self {
        Self { name: Visible(name.as_bytes()).to_string(), total, begun, done: 0 }
    }

    /// Notes that so many octets more went out.
    pub fn add(&mut self, octets: usize) {
        self.done += octets as u64;
    }

    /// Says whether it takes so long that a person wants to see it: two seconds, for more than the replies take.
    #[must_use]
    pub fn is_long(&self) -> bool {
        self.begun.elapsed() >= GRACE && self.done >= LEAST
    }

    /// Says how far it is, in less than 78 columns: `mail.eml: 12.0 MB of 40.0 MB, 6.0 MB/s, 5 s left`.
    pub fn words(&self) -> String {
        words(&end_of(&self.name), self.done, self.total, self.begun.elapsed())
    }

    /// Says how much went out so far: `12.0 MB of mail.eml went out`.
    pub fn so_far(&self) -> String {
        format!("{} of {} went out", Self::amount(self.done), self.name)
    }

    /// Says how it went, once all of it is out: `mail.eml: 40.0 MB sent in 6.7 s`.
    pub fn summary(&self) -> String {
        format!("{}: {} sent in {:.1} s", self.name, Self::amount(self.done), self.begun.elapsed().as_secs_f64())
    }

    /// Shows an amount of octets in the unit that suits it.
    pub fn amount(octets: u64) -> String {
        match octets {
            0..10_000 => format!("{octets} octets"),
            10_000..1_000_000 => format!("{:.1} kB", octets as f64 / 1e3),
            1_000_000..1_000_000_000 => format!("{:.1} MB", octets as f64 / 1e6),
            _ => format!("{:.2} GB", octets as f64 / 1e9),
        }
    }
}

/// Returns the end of a long name, so that the figures behind it have their place in one row.
fn end_of(name: &str) -> String {
    match name.char_indices().rev().nth(LONGEST_NAME - 1) {
        Some((at, _)) if at > 0 => format!("...{}", &name[at..]),
        _ => name.to_owned(),
    }
}

fn words(name: &str, done: u64, total: Option<u64>, took: Duration) -> String {
    let rate = done as f64 / took.as_secs_f64().max(f64::EPSILON);
    let (amount, rated) = (Progress::amount(done), Progress::amount(rate as u64));
    match total.filter(|total| *total >= done) {
        None => format!("{name}: {amount}, {rated}/s"),
        Some(total) => {
            let left = ((total - done) as f64 / rate.max(1.0)).ceil();
            format!("{name}: {amount} of {}, {rated}/s, {left} s left", Progress::amount(total))
        }
    }
}

/// What is over before this is not long.
const GRACE: Duration = Duration::from_secs(2);
/// Nor is what is less than this, in octets: that is slow because of the replies.
const LEAST: u64 = 64 * 1024;
/// What a name has of them, but for three dots.
const LONGEST_NAME: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_leaves_the_figures_their_place() {
        assert_eq!(end_of("mail.eml"), "mail.eml");
        assert_eq!(end_of(&"x".repeat(20)), "x".repeat(20));
        assert_eq!(end_of("/var/spool/a/very/long/path/to/mail.eml"), "...ong/path/to/mail.eml");
        let widest = words(&end_of(&"ä".repeat(200)), 9_999_999, Some(999_999_999), Duration::from_secs(99_999));
        assert!(widest.chars().count() < 78, "{widest}");
    }

    #[test]
    fn amount_rate_and_what_is_left_are_told() {
        let two = Duration::from_secs(2);
        assert_eq!(words("x", 12_000_000, Some(40_000_000), two), "x: 12.0 MB of 40.0 MB, 6.0 MB/s, 5 s left");
        assert_eq!(words("x", 5_000, None, two), "x: 5000 octets, 2500 octets/s");
        // A file that grew meanwhile has no end in sight.
        assert_eq!(words("x", 50_000, Some(40_000), two), "x: 50.0 kB, 25.0 kB/s");
        assert_eq!(words("x", 0, Some(10), two), "x: 0 octets of 10 octets, 0 octets/s, 10 s left");
    }

    #[test]
    fn what_is_short_or_little_is_not_long() {
        let mut progress = Progress::new("x\x1b", None);
        progress.add(1_000_000);
        assert!(!progress.is_long());
        progress.begun = Instant::now().checked_sub(GRACE).unwrap();
        assert!(progress.is_long());
        assert_eq!(progress.summary(), "x\\x1b: 1.0 MB sent in 2.0 s");
        assert_eq!(progress.so_far(), "1.0 MB of x\\x1b went out");
        assert!(!Progress::since(progress.begun, "x", None).is_long());
    }
}
