//! Work that takes long: how much of it is done is drawn in the last row, and gone afterwards.

use std::time::{Duration, Instant};

use mconnect_core::protocol::Visible;

use crate::stderr::{at_interrupt, clear, draw, is_shown, say};

/// Said of a message whose reply is not here.
pub const WHOLE_MESSAGE: &str = "the whole message went out: it may have been taken";

/// Octets on their way out.
#[derive(Debug)]
pub struct Work {
    /// What goes out, such as the name of a file.
    name: String,
    total: Option<u64>,
    done: u64,
    begun: Instant,
    drawn: Instant,
    is_drawn: bool,
}

impl Work {
    /// Begins.
    pub fn new(name: &str, total: Option<u64>) -> Self {
        let now = Instant::now();
        Self { name: Visible(name.as_bytes()).to_string(), total, done: 0, begun: now, drawn: now, is_drawn: false }
    }

    /// Notes that so many octets more went out; `is_inside` says whether a message is under way after that.
    pub fn add(&mut self, octets: usize, is_inside: bool) {
        self.done += octets as u64;
        let is_lost = if is_inside { ", and not the end of the message: it cannot have been taken" } else { "" };
        at_interrupt(Some(format!("{} of {} went out{is_lost}", amount(self.done), self.name)));
        if self.is_long() && (!self.is_drawn || self.drawn.elapsed() >= GAP) {
            (self.drawn, self.is_drawn) = (Instant::now(), true);
            let words = words(&end_of(&self.name), self.done, self.total, self.begun.elapsed());
            draw(&words);
        }
    }

    /// Ends it: if that took long enough to be drawn, the line is replaced by one with what went out.
    pub fn finish(self, is_quiet: bool) {
        clear();
        if self.is_long() && is_shown() && !is_quiet {
            let seconds = self.begun.elapsed().as_secs_f64();
            say(&format!("{}: {} sent in {seconds:.1} s", self.name, amount(self.done)));
        }
    }

    /// Says how much went out of what the end of the session has cut off.
    pub fn break_off(self) {
        let words = at_interrupt(None);
        if let Some(words) = words.filter(|_| self.is_long()) {
            say(&format!("mconnect: {words}"));
        }
    }

    fn is_long(&self) -> bool {
        self.begun.elapsed() >= GRACE && self.done >= LEAST
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        clear();
        at_interrupt(None);
    }
}

/// Returns the end of a long name, so that the figures behind it have their place in one row.
fn end_of(name: &str) -> String {
    match name.char_indices().rev().nth(LONGEST_NAME - 1) {
        Some((at, _)) if at > 0 => format!("...{}", &name[at..]),
        _ => name.to_owned(),
    }
}

/// Shows `mail.eml: 12.0 of 40.0 MB, 6.0 MB/s, 4 s left`.
fn words(name: &str, done: u64, total: Option<u64>, took: Duration) -> String {
    let rate = done as f64 / took.as_secs_f64().max(f64::EPSILON);
    let rated = amount(rate as u64);
    match total.filter(|total| *total >= done) {
        None => format!("{name}: {}, {rated}/s", amount(done)),
        Some(total) => {
            let left = ((total - done) as f64 / rate.max(1.0)).ceil();
            format!("{name}: {} of {}, {rated}/s, {left} s left", amount(done), amount(total))
        }
    }
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

/// What is over before this is not shown.
const GRACE: Duration = Duration::from_secs(2);
/// Nor is what is less than this, in octets: that is slow because of the replies.
const LEAST: u64 = 64 * 1024;
/// The line is drawn again so often.
const GAP: Duration = Duration::from_millis(200);
/// What a name has of them, but for three dots.
const LONGEST_NAME: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stderr::WIDTH;

    #[test]
    fn a_long_name_leaves_the_figures_their_place() {
        assert_eq!(end_of("mail.eml"), "mail.eml");
        assert_eq!(end_of(&"x".repeat(20)), "x".repeat(20));
        assert_eq!(end_of("/var/spool/a/very/long/path/to/mail.eml"), "...ong/path/to/mail.eml");
        let widest = words(&end_of(&"ä".repeat(200)), 9_999_999, Some(999_999_999), Duration::from_secs(99_999));
        assert!(widest.chars().count() < WIDTH, "{widest}");
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
}
