//! Writing a dialogue of a session.
//!
//! A record is to play again, so it is made of what will be the same the next time. Codes are; texts, which have dates
//! and queue names in them, are not, and stand as comments. A password is a name that whoever plays gives a value. An
//! exchange of AUTH by a password is written line by line while it goes on, in case it is refused, and as one step once
//! it was granted: its answers to challenges would not be granted again.
//!
//! ```text
//!   Sent ──► line, until its end ──► C: or C>, a secret as ${secret1} ──┐
//!   Received ──────────────────────► # what was said, S: and its code ──┼──► text, at most 4 MiB
//!   TlsStarted, HalfClosed, Ended ─► *tls*, *half-close*, *close* ──────┘
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::recording::Record;
use super::{Directive, Side};
use crate::observer::{Event, Observer};
use crate::protocol::Phase;
use crate::stream::Truncation;

/// Writes a dialogue of a session that it observes: codes as expectations, what the server said in full beside them as
/// comments, passwords as variables.
///
/// What it writes plays: the same session again, with a server that says the same codes. It holds at most 4 MiB of
/// text; what comes after that is left out, and a comment at the end says so. Who [takes](Self::take) what is there now
/// and then has all of it. A clone writes the same record, and one recorder is meant for one session.
///
/// ```
/// # #[cfg(feature = "server")] {
/// use mconnect_core::dialogue::{Dialogue, Recorder};
/// use mconnect_core::{Connect, server::Server};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::start()?;
/// let recorder = Recorder::new();
/// let mut session = Connect::new("127.0.0.1", server.port()).observer(recorder.clone()).open()?;
/// session.read_reply()?;
/// session.command("NOOP")?;
/// session.quit()?;
/// assert!(recorder.text().ends_with("C: QUIT\n# 221 2.0.0 goodbye\nS: 221\nS: *close*\n"));
///
/// let session = Connect::new("127.0.0.1", server.port()).open()?;
/// session.play(&Dialogue::parse(&recorder.text())?).require()?;
/// # Ok(()) }
/// # main().unwrap();
/// # }
/// ```
///
/// What becomes of a password is that nobody finds it: what answers AUTH is `${secret1}`, `${secret2}` and so on, and
/// an exchange that was granted is `*authenticate MECHANISM ${user1} ${password1}*`. A `*secret NAME*` line says so
/// before each name. For a server that is to be played to real clients, write in the texts that they read, above all
/// what EHLO offers: a record has the codes alone.
#[doc(alias = "transcript")]
#[doc(alias = "session log")]
#[derive(Debug, Clone, Default)]
pub struct Recorder {
    record: Arc<Mutex<Record>>,
    /// Which of the sessions in it this one observes.
    session: usize,
}

impl Recorder {
    /// Begins a record, which is empty until a session that it observes says something.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins another session in the same dialogue, and returns what observes it. The one before is over: what is still
    /// observed of that is left out.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # use mconnect_core::{Connect, dialogue::{Dialogue, Recorder}, server::Server};
    /// # let server = Server::start()?;
    /// let mut recorder = Recorder::new();
    /// for _ in 0..2 {
    ///     recorder = recorder.next_session();
    ///     let mut session = Connect::new("127.0.0.1", server.port()).observer(recorder.clone()).open()?;
    ///     session.greeting()?;
    ///     session.quit()?;
    /// }
    /// assert_eq!(Dialogue::parse(&recorder.text())?.sessions().len(), 2);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn next_session(&self) -> Self {
        let mut record = self.record();
        record.begin_session();
        Self { record: Arc::clone(&self.record), session: record.session }
    }

    /// Returns the dialogue as it is so far, without what was [taken](Self::take). A line that has no end yet is
    /// written as it is; the names of secrets come first.
    pub fn text(&self) -> String {
        self.record().text()
    }

    /// Takes the dialogue so far, to be written elsewhere; what is taken next is its continuation. An exchange of AUTH
    /// that is under way stays, since it is written in another way once it is granted, and so does half a line.
    ///
    /// All that was taken, one after the other, plays as one dialogue:
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # use mconnect_core::{Connect, dialogue::{Dialogue, Recorder}, server::Server};
    /// # let server = Server::start()?;
    /// # let recorder = Recorder::new();
    /// let mut session = Connect::new("127.0.0.1", server.port()).observer(recorder.clone()).open()?;
    /// session.greeting()?;
    /// let mut written = recorder.take();
    /// assert!(written.ends_with("S: 220\n"));
    /// session.quit()?;
    /// written += &recorder.take();
    /// assert_eq!(Dialogue::parse(&written)?.steps().len(), 4);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn take(&self) -> String {
        self.record().take()
    }

    /// Returns how many octets [`text`](Self::text) is about to have, so that a caller can choose when to
    /// [take](Self::take) it. It costs no copy of the text.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # use mconnect_core::{Connect, dialogue::Recorder, server::Server};
    /// # let server = Server::start()?;
    /// # let recorder = Recorder::new();
    /// let mut session = Connect::new("127.0.0.1", server.port()).observer(recorder.clone()).open()?;
    /// session.greeting()?;
    /// assert_eq!(recorder.size(), recorder.text().len());
    /// let mut written = String::new();
    /// for _ in 0..100 {
    ///     session.command("NOOP")?;
    ///     if recorder.size() > 1000 {
    ///         written += &recorder.take();
    ///     }
    /// }
    /// assert!(recorder.size() <= 1000 && written.len() > 1000);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn size(&self) -> usize {
        self.record().size()
    }

    /// Locks the record, also after a thread has panicked with it: what is in it stays readable.
    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Recorder {
    fn observe(&self, _: Instant, event: &Event<'_>) {
        let mut record = self.record();
        if record.is_full || record.session != self.session {
            return;
        }
        match event {
            Event::TlsStarted => record.owes_farewell = true,
            Event::TlsEnded | Event::HalfClosed => record.owes_farewell = false,
            _ => {}
        }
        match event {
            Event::Sent(bytes) => record.sent(bytes),
            Event::SentSecret(_) => record.sent_secret(),
            Event::Received(line) => record.received(*line),
            Event::TlsStarted => record.direction(Side::Client, Directive::Tls),
            Event::TlsEnded => record.direction(Side::Client, Directive::EndTls),
            Event::HalfClosed if !record.is_closing => {
                record.end_line();
                record.direction(Side::Client, Directive::HalfClose);
            }
            Event::Aborted if record.owes_farewell => {
                record.ended(Side::Client, Directive::Truncate(Truncation::BetweenRecords));
            }
            Event::Aborted => record.ended(Side::Client, Directive::Close),
            Event::Truncated(how) => record.ended(Side::Server, Directive::Truncate(*how)),
            Event::Phase(Phase::Closed) | Event::Ended => record.ended(Side::Server, Directive::Close),
            _ => {}
        }
        record.keep_measure();
    }
}
