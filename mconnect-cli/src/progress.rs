//! Work that takes long: how much of it is done is drawn in the last row, and gone afterwards.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use mconnect_core::protocol::Phase;
use mconnect_core::{Error, Progress, Session};

use crate::lock::locked;
use crate::stderr::{at_interrupt, clear, draw, is_shown, say};

/// Said of a message whose reply is not here.
pub const WHOLE_MESSAGE: &str = "the whole message went out: it may have been taken";

/// Octets on their way out.
pub struct Work(Arc<Figures>);

struct Figures {
    way: Mutex<Way>,
    has_ended: Condvar,
}

/// How far it is.
struct Way {
    progress: Progress,
    drawn: Option<Instant>,
    /// A write is under way, which may take long: nothing else is shown meanwhile.
    is_writing: bool,
    is_over: bool,
}

impl Work {
    /// Begins with what goes out, such as a file, and how much that is.
    pub fn new(name: &str, total: Option<u64>) -> Self {
        let way = Way { progress: Progress::new(name, total), drawn: None, is_writing: false, is_over: false };
        let figures = Arc::new(Figures { way: Mutex::new(way), has_ended: Condvar::new() });
        if is_shown() {
            let theirs = Arc::clone(&figures);
            // Without it, the line stands still while a write blocks.
            let _ = thread::Builder::new().name("progress".to_owned()).spawn(move || theirs.keep_drawing());
        }
        Self(figures)
    }

    /// Notes that so many octets more went out; `is_inside` says whether a message is under way after that.
    pub fn add(&self, octets: usize, is_inside: bool) {
        let mut way = locked(&self.0.way);
        way.progress.add(octets);
        let is_lost = if is_inside { ", and not the end of the message: it cannot have been taken" } else { "" };
        at_interrupt(Some(way.progress.so_far() + is_lost));
        way.draw();
    }

    /// Ends it: if that took long enough to be drawn, the line is replaced by one with what went out.
    pub fn finish(self, is_quiet: bool) {
        clear();
        let way = locked(&self.0.way);
        if way.progress.is_long() && is_shown() && !is_quiet {
            say(&way.progress.summary());
        }
    }

    /// Says how much went out of what the end of the session has cut off.
    pub fn break_off(self) {
        let words = at_interrupt(None);
        if let Some(words) = words.filter(|_| locked(&self.0.way).progress.is_long()) {
            say(&format!("mconnect: {words}"));
        }
    }
}

/// Does a write that is a part of this work, if it is of any: while it takes long, the line is drawn all the same.
pub fn during<T>(work: Option<&Work>, write: impl FnOnce() -> T) -> T {
    let note = |is_writing| work.iter().for_each(|work| locked(&work.0.way).is_writing = is_writing);
    note(true);
    let written = write();
    note(false);
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
                way.draw();
            }
            way = self.has_ended.wait_timeout(way, GAP).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Way {
    fn draw(&mut self) {
        if self.progress.is_long() && self.drawn.is_none_or(|drawn| drawn.elapsed() >= GAP) {
            self.drawn = Some(Instant::now());
            draw(&self.progress.words());
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        locked(&self.0.way).is_over = true;
        self.0.has_ended.notify_all();
        clear();
        at_interrupt(None);
    }
}

/// The line is drawn again so often.
const GAP: Duration = Duration::from_millis(200);
