//! Work that takes long: how much of it is done is drawn in the last row, and gone afterwards.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use mconnect_core::protocol::{Phase, Visible};
use mconnect_core::{Error, Session};

use crate::lock::locked;
use crate::stderr::{at_interrupt, clear, draw, is_shown, say};

/// Said of a message whose reply is not here.
pub const WHOLE_MESSAGE: &str = "the whole message went out: it may have been taken";

/// Octets on their way out.
pub struct Work {
    figures: Arc<Figures>,
}

struct Figures {
    /// What goes out, such as the name of a file.
    name: String,
    total: Option<u64>,
    begun: Instant,
    way: Mutex<Way>,
    has_ended: Condvar,
}

/// How far it is.
struct Way {
    done: u64,
    drawn: Option<Instant>,
    /// A write is under way, which may take long: nothing else is shown meanwhile.
    is_writing: bool,
    is_over: bool,
}

impl Work {
    /// Begins.
    pub fn new(name: &str, total: Option<u64>) -> Self {
        let way = Way { done: 0, drawn: None, is_writing: false, is_over: false };
        let figures = Arc::new(Figures {
            name: Visible(name.as_bytes()).to_string(),
            total,
            begun: Instant::now(),
            way: Mutex::new(way),
            has_ended: Condvar::new(),
        });
        if is_shown() {
            let theirs = Arc::clone(&figures);
            // Without it, the line stands still while a write blocks.
            let _ = thread::Builder::new().name("progress".to_owned()).spawn(move || theirs.keep_drawing());
        }
        Self { figures }
    }

    /// Notes that so many octets more went out; `is_inside` says whether a message is under way after that.
    pub fn add(&self, octets: usize, is_inside: bool) {
        let mut way = locked(&self.figures.way);
        way.done += octets as u64;
        let is_lost = if is_inside { ", and not the end of the message: it cannot have been taken" } else { "" };
        at_interrupt(Some(format!("{} of {} went out{is_lost}", amount(way.done), self.figures.name)));
        self.figures.draw(&mut way);
    }

    /// Ends it: if that took long enough to be drawn, the line is replaced by one with what went out.
    pub fn finish(self, is_quiet: bool) {
        clear();
        if self.is_long() && is_shown() && !is_quiet {
            let seconds = self.figures.begun.elapsed().as_secs_f64();
            say(&format!("{}: {} sent in {seconds:.1} s", self.figures.name, amount(locked(&self.figures.way).done)));
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
        self.figures.is_long(locked(&self.figures.way).done)
    }
}

/// Does a write that is a part of this work, if it is of any: while it takes long, the line is drawn all the same.
pub fn during<T>(work: Option<&Work>, write: impl FnOnce() -> T) -> T {
    if let Some(work) = work {
        locked(&work.figures.way).is_writing = true;
    }
    let written = write();
    if let Some(work) = work {
        locked(&work.figures.way).is_writing = false;
    }
    written
}

/// Sends so many octets as a part of this work, if it is of any.
pub fn put(
    work: Option<&Work>,
    session: &mut Session,
    octets: usize,
    send: impl FnOnce(&mut Session) -> Result<(), Error>,
) -> Result<(), Error> {
    during(work, || send(session))?;
    if let Some(work) = work {
        work.add(octets, matches!(session.phase(), Phase::Body | Phase::Chunk { .. }));
    }
    Ok(())
}

impl Figures {
    fn keep_drawing(&self) {
        let mut way = locked(&self.way);
        while !way.is_over {
            if way.is_writing {
                self.draw(&mut way);
            }
            way = self.has_ended.wait_timeout(way, GAP).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn draw(&self, way: &mut Way) {
        if self.is_long(way.done) && way.drawn.is_none_or(|drawn| drawn.elapsed() >= GAP) {
            way.drawn = Some(Instant::now());
            draw(&words(&end_of(&self.name), way.done, self.total, self.begun.elapsed()));
        }
    }

    fn is_long(&self, done: u64) -> bool {
        self.begun.elapsed() >= GRACE && done >= LEAST
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        locked(&self.figures.way).is_over = true;
        self.figures.has_ended.notify_all();
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
