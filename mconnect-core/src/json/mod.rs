//! What happens to a session, as values that serde writes: as JSON, an object a line, for one. `docs/json.md` has every
//! field, and what may change in a version.
//!
//! ```text
//!   Session ──Event──► Journal ──Entry──► whatever writes it
//!                        └ end ──► the last Entry, a summary
//! ```
//!
//! # Values by themselves
//!
//! What a session hands out serialises by itself, in the same shapes, without a journal:
//!
//! | type | is written as |
//! |---|---|
//! | [`Reply`](crate::protocol::Reply) | an object: `to`, `code`, `enhanced_code`, `lines`, `noise`, `is_cut`, `flaws` |
//! | [`Extensions`](crate::protocol::Extensions) | an object: `greeting`, `extensions`, `size_limit`, `auth_mechanisms` |
//! | [`Error`](crate::Error) | an object: `error`, `reason`, `is_temporary`, `is_timeout`, `phase`, and the `reply` or the `tls` that it holds |
//! | [`tls_info::Info`](crate::tls_info::Info) | an object: `protocol`, `cipher_suite`, `key_exchange`, `name`, `is_verified`, `problems`, `certificates` |
//! | [`Timings`] | a list of objects: `stage`, `start_us`, `took_us`, `code`, `count` |
//! | [`Finding`] | an object: `cause`, `certainty`, `what`, `evidence`, `advice` |
//! | `probe::ProbeReport` (feature `probe`) | an object, which `docs/probe.schema.json` describes |
//! | [`Code`](crate::protocol::Code) | a number |
//! | [`EnhancedCode`](crate::protocol::EnhancedCode), [`Phase`](crate::protocol::Phase), [`Request`](crate::protocol::Request) | a string: `5.1.1`, `body`, `end_of_data` |
//!
//! ```
//! # #[cfg(feature = "server")] {
//! # let server = mconnect_core::server::Server::start()?;
//! # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
//! # session.greeting()?;
//! let reply = serde_json::to_value(session.command("NOOP")?)?;
//! assert_eq!((&reply["to"], &reply["code"], &reply["enhanced_code"]), (&"other".into(), &250.into(), &"2.0.0".into()));
//!
//! let hello = session.hello("client.example")?.require()?;
//! let offered = serde_json::to_value(session.extensions().unwrap())?;
//! assert_eq!(offered["size_limit"], 104_857_600);
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # A journal
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
//!
//! # What a server says, and what is no text
//!
//! Octets of the wire are written as text where they are UTF-8; where they are not, U+FFFD stands for what is not, and
//! all of them are there in base64 besides ([`LossyText`]). JSON has the control characters below U+0020 escaped; those
//! from U+007F to U+009F may stand in it as they are, and some terminals obey them. Who shows it on one escapes these
//! too, or writes all of it in ASCII.
//!
//! # What it does not do
//!
//! - It reads nothing: there is no way from JSON back to these values.
//! - It writes to nothing either. What becomes of an entry, and of an error in writing it, is the function's that takes
//!   it.
//! - It keeps no journal: an entry is handed on, and gone.

mod ascii;
mod entry;
mod fold;
mod tls_info;
mod values;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

#[cfg(feature = "probe")]
pub(crate) use tls_info::ToldInfo;

pub use ascii::ascii;
pub use entry::{Entry, Happening, KeptReply, LossyText};

use crate::calendar::timestamp;
use crate::diagnosis::Finding;
use crate::dialogue::{Outcome, Verdict};
use crate::observer::{Event, Observer};
use crate::protocol::Delivery;
use crate::timings::Timings;
use entry::micros;
use fold::Fold;

/// The version of what entries hold. It changes when a field or an event goes, or means something else; not when one
/// comes, and so a reader passes over what it does not know.
pub const VERSION: u32 = 1;

/// Makes entries of what happens to sessions, and hands each to a function, in the order of each thread: what one sends
/// and another receives at the same moment may come either way round. No lock is held meanwhile, so that the function
/// may use the journal.
///
/// Commands come by the line and replies whole, in bounded memory: of a reply, 1 MiB and 10,000 lines are kept, and a
/// line that is sent comes in parts of 64 KiB if it is longer. Passwords are left out.
///
/// One journal may observe any number of sessions, one after the other, and numbers them. Sessions at the same time
/// take a journal each. A clone is the same journal.
///
/// ```
/// # #[cfg(feature = "server")] {
/// use std::sync::{Arc, Mutex};
///
/// use mconnect_core::json::{Happening, Journal};
/// use mconnect_core::{Connect, server::Server};
///
/// let server = Server::start()?;
/// let codes = Arc::new(Mutex::new(Vec::new()));
/// let theirs = Arc::clone(&codes);
/// let journal = Journal::new(move |entry| {
///     if let Happening::Reply { reply, .. } = &entry.happening {
///         theirs.lock().unwrap().push((entry.session, reply.code.number()));
///     }
/// });
/// for _ in 0..2 {
///     let mut session = Connect::new("127.0.0.1", server.port()).observer(journal.clone()).open()?;
///     session.greeting()?;
///     session.quit()?;
/// }
/// journal.end(Some(0), None);
/// assert_eq!(*codes.lock().unwrap(), [(1, 220), (1, 221), (2, 220), (2, 221)]);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Journal<F>(Arc<Inner<F>>);

/// What the clones of a journal share.
struct Inner<F> {
    /// The time that everything is counted from, on both clocks.
    start: (Instant, SystemTime),
    /// What is under way. Its lock is not held while an entry is handed on.
    fold: Mutex<Fold>,
    /// Where the time went, for the summary and for how long each reply took.
    timings: Timings,
    write: F,
}

impl<F: Fn(&Entry<'_>)> Journal<F> {
    /// Begins now: `since_us` of each entry counts from here, and its time on the wall is that of now and the time
    /// since, so that a clock that is set meanwhile changes nothing.
    pub fn new(write: F) -> Self {
        let start = (Instant::now(), SystemTime::now());
        Self(Arc::new(Inner { start, fold: Mutex::default(), timings: Timings::since(start.0), write }))
    }

    /// Tells how a step of a dialogue went: for the [`Report::Outcome`](crate::dialogue::Report::Outcome)s that a
    /// [`Player`](crate::dialogue::Player) reports. Secrets in it are hidden already.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::dialogue::{Player, Report};
    /// use mconnect_core::json::Journal;
    /// use mconnect_core::{Connect, server::Server};
    ///
    /// let server = Server::start()?;
    /// let journal = Journal::new(|entry| drop(serde_json::to_string(entry)));
    /// let session = Connect::new("127.0.0.1", server.port()).observer(journal.clone()).open()?;
    /// let mut player = Player::new();
    /// player.watch(|report| {
    ///     if let Report::Outcome(outcome) = report {
    ///         journal.expectation(outcome);
    ///     }
    /// });
    /// player.play(session, &"S: 220\nC: QUIT\nS: 221".parse()?).require()?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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

    /// Tells why the session failed that is under way, or has just ended: an entry for each finding, as
    /// [`Evidence::findings`](crate::diagnosis::Evidence::findings) has them.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::diagnosis::{Evidence, Facts};
    /// use mconnect_core::json::Journal;
    /// use mconnect_core::{Connect, server::Server};
    ///
    /// let server = Server::play("S: 554 5.7.1 on a block list")?;
    /// let (told, lines) = std::sync::mpsc::channel();
    /// let journal = Journal::new(move |entry| told.send(serde_json::to_value(entry).unwrap()).unwrap());
    /// let evidence = Evidence::new();
    /// let connect = Connect::new("127.0.0.1", server.port()).observer(journal.clone()).observer(evidence.clone());
    /// connect.open()?.greeting()?;
    /// journal.findings(&evidence.findings(&Facts::new()));
    /// let finding = lines.try_iter().find(|line| line["event"] == "finding").unwrap();
    /// assert_eq!((&finding["cause"], &finding["certainty"]), (&"block_listed".into(), &"certain".into()));
    /// # server.join()?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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

    /// Tells that a session is over, with what came of a reply that has no end; [`end`](Self::end) and the beginning of
    /// another do so by themselves. Where no session is open, nothing is told.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::json::Journal;
    /// use mconnect_core::{Connect, server::Server};
    ///
    /// let server = Server::play("S: 220 hi\nC: NOOP\nS: 250-half a reply\nS> \nS: *close*")?;
    /// let (told, lines) = std::sync::mpsc::channel();
    /// let journal = Journal::new(move |entry| told.send(serde_json::to_value(entry).unwrap()).unwrap());
    /// let mut session = Connect::new("127.0.0.1", server.port()).observer(journal.clone()).open()?;
    /// session.greeting()?;
    /// assert!(session.command("NOOP").is_err());
    /// journal.close();
    /// let closed = lines.try_iter().last().unwrap();
    /// assert_eq!((&closed["event"], &closed["by"]), (&"closed".into(), &"server".into()));
    /// assert_eq!(closed["unfinished"][0]["text"], "half a reply");
    /// # server.join()?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close(&self) {
        let mut fold = self.fold();
        let (session, told) = (fold.session, fold.close());
        drop(fold);
        self.tell(Instant::now(), session, told);
    }

    /// Ends the journal: closes the session that is open, and sums up, with the exit status and the first error, where
    /// there are such. Nothing keeps a journal from going on after it.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::json::{Happening, Journal};
    /// use mconnect_core::{Connect, server::Server};
    ///
    /// let server = Server::start()?;
    /// let (told, summaries) = std::sync::mpsc::channel();
    /// let journal = Journal::new(move |entry| {
    ///     if let Happening::Summary { status, sessions, replies, .. } = entry.happening {
    ///         told.send((status, sessions, replies)).unwrap();
    ///     }
    /// });
    /// let mut session = Connect::new("127.0.0.1", server.port()).observer(journal.clone()).open()?;
    /// session.greeting()?;
    /// session.quit()?;
    /// journal.end(Some(0), None);
    /// assert_eq!(summaries.recv()?, (Some(0), 1, 2));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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

    /// Returns where the time went so far, over all sessions.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// use mconnect_core::{Connect, json::Journal};
    ///
    /// let journal = Journal::new(|_| {});
    /// Connect::new("127.0.0.1", server.port()).observer(journal.clone()).open()?.greeting()?;
    /// let timings = serde_json::to_value(journal.timings())?;
    /// assert_eq!((&timings[0]["stage"], &timings[1]["code"]), (&"connect".into(), &220.into()));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn timings(&self) -> Timings {
        self.0.timings.clone()
    }

    /// Hands each on as an entry of its own, all of one moment.
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
