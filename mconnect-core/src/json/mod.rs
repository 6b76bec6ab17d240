//! What happens to a session, as values that serde writes: as JSON, an object a line, for one. `docs/json.md` has every
//! field, and what may change in a version.
//!
//! ```text
//!   Session ──Event──► Journal ──Entry──► whatever writes it
//!                        └ end ──► the last Entry, a summary
//! ```
//!
//! What a session hands out serialises by itself, in the same shapes, without a journal:
//!
//! ```
//! # #[cfg(feature = "server")] {
//! # let server = mconnect_core::server::Server::start()?;
//! # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
//! # session.greeting()?;
//! let reply = serde_json::to_value(session.command("NOOP")?)?;
//! assert_eq!(reply["code"], 250);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ```
//! # #[cfg(feature = "server")] {
//! use mconnect_core::json::Journal;
//! use mconnect_core::{Connect, server::Server};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let server = Server::start()?;
//! let journal = Journal::new(|entry| println!("{}", serde_json::to_string(entry).unwrap()));
//! let mut session = Connect::new("127.0.0.1", server.port()).observer(journal.clone()).open()?;
//! session.read_reply()?;
//! session.quit()?;
//! journal.end(None, None);
//! # Ok(()) }
//! # main().unwrap();
//! # }
//! ```

mod entry;
mod fold;
mod tls_info;
mod values;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

pub use entry::{Entry, Happening, KeptReply, LossyText};

use crate::calendar::timestamp;
use crate::diagnosis::Finding;
use crate::dialogue::{Outcome, Verdict};
use crate::observer::{Event, Observer};
use crate::protocol::Delivery;
use crate::timings::Timings;
use entry::micros;
use fold::Fold;

/// The version of what entries hold. It changes when a field goes, or means something else; not when one comes.
pub const VERSION: u32 = 1;

/// Makes entries of what happens to sessions, and hands each to a function, in the order of each thread: what one sends and
/// another receives at the same moment may come either way round. No lock is held meanwhile, so that the function may use
/// the journal.
///
/// Commands come by the line and replies whole, in bounded memory. Passwords are left out.
pub struct Journal<F>(Arc<Inner<F>>);

struct Inner<F> {
    /// The time that everything is counted from, on both clocks.
    start: (Instant, SystemTime),
    fold: Mutex<Fold>,
    timings: Timings,
    write: F,
}

impl<F: Fn(&Entry<'_>)> Journal<F> {
    /// Begins now.
    pub fn new(write: F) -> Self {
        let start = (Instant::now(), SystemTime::now());
        Self(Arc::new(Inner { start, fold: Mutex::default(), timings: Timings::since(start.0), write }))
    }

    /// Tells how a step of a dialogue went: for the [`Report::Outcome`](crate::dialogue::Report::Outcome)s that a
    /// [`Player`](crate::dialogue::Player) reports.
    pub fn expectation(&self, outcome: &Outcome) {
        let happening = Happening::Expectation {
            file: outcome.step.file.as_deref(),
            line: outcome.step.line,
            expected: &outcome.expected(),
            got: &outcome.got,
            outcome: match outcome.verdict {
                Verdict::Met => "met",
                Verdict::Other => "other",
                Verdict::TooLate => "too_late",
                Verdict::Closed => "closed",
                Verdict::Impossible => "impossible",
                Verdict::Insecure => "insecure",
                Verdict::Refused => "refused",
            },
            took_us: micros(outcome.took),
        };
        let session = self.fold().session;
        self.tell(Instant::now(), session, vec![happening]);
    }

    /// Tells why the session failed that is under way, or has just ended.
    pub fn findings(&self, findings: &[Finding]) {
        let session = self.fold().session;
        self.tell(Instant::now(), session, findings.iter().map(Happening::Finding).collect());
    }

    /// Tells what came of a message for each recipient.
    pub fn delivery(&self, delivery: &Delivery) {
        let session = self.fold().session;
        let recipients = delivery.recipients.iter().map(Happening::from);
        self.tell(Instant::now(), session, recipients.collect());
    }

    /// Tells that a session is over; [`end`](Self::end) and the beginning of another do so by themselves.
    pub fn close(&self) {
        let mut fold = self.fold();
        let (session, told) = (fold.session, fold.close());
        drop(fold);
        self.tell(Instant::now(), session, told);
    }

    /// Ends the journal: with the exit status and the first error, where there are such.
    pub fn end(&self, status: Option<u8>, error: Option<&str>) {
        let now = Instant::now();
        let mut fold = self.fold();
        let mut told = fold.close();
        told.push(Happening::Summary {
            status,
            error: error.map(str::to_owned),
            sessions: fold.session,
            octets_sent: fold.octets_sent,
            octets_received: fold.octets_received,
            replies: fold.replies,
            took_us: micros(now.saturating_duration_since(self.0.start.0)),
            timings: self.0.timings.all(),
        });
        let session = fold.session;
        drop(fold);
        self.tell(now, session, told);
    }

    /// Returns where the time went so far.
    pub fn timings(&self) -> Timings {
        self.0.timings.clone()
    }

    fn tell(&self, at: Instant, session: u32, told: Vec<Happening<'_>>) {
        let since = at.saturating_duration_since(self.0.start.0);
        for happening in told {
            let time = timestamp(self.0.start.1 + since);
            (self.0.write)(&Entry { version: VERSION, session, time, since_us: micros(since), happening });
        }
    }

    fn fold(&self) -> MutexGuard<'_, Fold> {
        self.0.fold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<F: Fn(&Entry<'_>) + Send + Sync> Observer for Journal<F> {
    fn observe(&self, at: Instant, event: &Event<'_>) {
        self.0.timings.observe(at, event);
        let mut fold = self.fold();
        let (session_before, before) = (fold.session, fold.flush_before(event));
        let told = fold.push(event, || self.0.timings.last_reply());
        let session = fold.session;
        drop(fold);
        self.tell(at, session_before, before);
        self.tell(at, session, told);
    }
}

impl<F> Clone for Journal<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use super::*;

    type Write = Box<dyn Fn(&Entry<'_>) + Send + Sync>;

    #[test]
    fn the_function_may_use_the_journal() {
        let (slot, told) = (Arc::new(OnceLock::<Journal<Write>>::new()), Arc::new(Mutex::new(0)));
        let (theirs, count) = (Arc::clone(&slot), Arc::clone(&told));
        let journal = slot.get_or_init(|| {
            Journal::new(Box::new(move |_| {
                theirs.get().unwrap().close();
                *count.lock().unwrap() += 1;
            }))
        });
        journal.end(None, None);
        assert_eq!(*told.lock().unwrap(), 1);
    }
}
