//! What a program hands over of a session, and asks about it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::connecting::of_proxy;
use super::record::{Exchange, Failed, Failure, MOST_ATTEMPTS, MOST_KEPT, Record, TRANSACTION};
use super::{Facts, Finding, ending, findings, refusal};
use crate::error::{Error, TlsFailure};
use crate::observer::{Event, Observer};
use crate::protocol::{Phase, Request};
use crate::sasl::NoMechanism;

/// Collects what tells the cause where a session fails: which commands were sent (verbs, never secrets), what was
/// replied to them, what was offered, which addresses were tried, what TLS came to, how long each took, and how it
/// ended.
///
/// An observer cannot see everything: who gets an [`Error`] [notes](Self::failed) it. It belongs to one session; a
/// clone is the same evidence, so that one goes to [`Connect::observer`](crate::Connect::observer) and one stays.
///
/// ```
/// # #[cfg(feature = "server")] {
/// use mconnect_core::diagnosis::{Facts, Evidence};
/// use mconnect_core::{Connect, server::Server};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::play("S: 220 mx\nC: EHLO me\nS: 250 mx\nC: MAIL FROM:<a@example.org>\nS: 452 4.3.1 disk full")?;
/// let evidence = Evidence::new();
/// let mut session = Connect::new("127.0.0.1", server.port()).observer(evidence.clone()).open()?;
/// session.read_reply()?;
/// session.command("EHLO me")?;
/// session.command("MAIL FROM:<a@example.org>")?;
/// let findings = evidence.findings(&Facts::new());
/// assert_eq!(findings[0].to_string(), "the server has no room left for messages: try again later");
/// # Ok(()) }
/// # main().unwrap();
/// # }
/// ```
///
/// [`Debug`](std::fmt::Debug) shows next to nothing of it, since replies may repeat what is nobody's business.
#[derive(Debug, Clone, Default)]
pub struct Evidence(Arc<Mutex<Record>>);

impl Evidence {
    /// Begins. For another session, begin with new evidence.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes an error that was returned: an observer does not see deadlines, resets and the causes of TLS's failures.
    /// The first one that is noted counts; those that follow from it are passed over.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::diagnosis::{Cause, Evidence, Facts};
    /// use mconnect_core::{Connect, server::Server};
    ///
    /// let server = Server::play("S: 220 mx\nC: EHLO me\nS: *close*")?;
    /// let evidence = Evidence::new();
    /// let mut session = Connect::new("127.0.0.1", server.port()).observer(evidence.clone()).open()?;
    /// session.greeting()?;
    /// if let Err(error) = session.command("EHLO me") {
    ///     evidence.failed(&error);
    /// }
    /// assert_eq!(evidence.findings(&Facts::new())[0].cause, Cause::ClosedAfterGreeting);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn failed(&self, error: &Error) {
        let failed = match error {
            Error::Pipeline { source, .. } | Error::Delivery { source, .. } => return self.failed(source),
            Error::Timeout { context, after, partial, .. } => {
                let partial = self.record().under_way(partial);
                Failed::Timeout { phase: context.phase, after: *after, partial }
            }
            Error::Closed { partial, .. } => {
                // No CR LF is cut in two: a CR alone would be told.
                let kept = partial.get(..MOST_KEPT).map(|kept| kept.strip_suffix(b"\r").unwrap_or(kept));
                Failed::Closed { partial: kept.unwrap_or(partial).to_vec() }
            }
            Error::Io { source, context } => match TlsFailure::of(source) {
                None => Failed::Io(Failure::of(source)),
                failure => Failed::Tls { phase: context.phase, failure: failure.cloned(), source: Failure::of(source) },
            },
            Error::Tls { context, source } => {
                let failure = TlsFailure::of(source).cloned();
                Failed::Tls { phase: context.phase, failure, source: Failure::of(source) }
            }
            Error::Untrusted { info, .. } => {
                self.record().tls = Some((**info).clone());
                Failed::Other
            }
            _ => Failed::Other,
        };
        let mut record = self.record();
        match error {
            Error::Resolve { source, peer, .. } => {
                record.host = peer.name().to_owned();
                record.resolved = Some(Err(Failure::of(source)));
            }
            Error::Connect { attempts, peer, .. } if attempts.is_empty() => {
                if let Ok(address) = peer.name().parse() {
                    record.host = peer.name().to_owned();
                    record.resolved = Some(Ok(vec![address]));
                }
            }
            _ => {}
        }
        record.error.get_or_insert(failed);
    }

    /// Notes that a login was wanted and there is no mechanism for it: what is not tried leaves no trace in the session.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::diagnosis::{Cause, Evidence, Facts};
    /// use mconnect_core::sasl::Mechanism;
    /// use mconnect_core::{Connect, server::Server};
    ///
    /// let server = Server::play("S: 220 mx\nC: EHLO me\nS: 250-mx\nS: 250 AUTH GSSAPI")?;
    /// let evidence = Evidence::new();
    /// let mut session = Connect::new("127.0.0.1", server.port()).observer(evidence.clone()).open()?;
    /// session.greeting()?;
    /// session.command("EHLO me")?;
    /// let offered = session.extensions().unwrap_or_default();
    /// if let Err(why) = Mechanism::choose(&offered, &session.channel_bindings(), false) {
    ///     evidence.no_mechanism(&why);
    /// }
    /// assert_eq!(evidence.findings(&Facts::new())[0].cause, Cause::NoMechanismFits);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn no_mechanism(&self, why: &NoMechanism) {
        self.record().no_mechanism = Some(why.clone());
    }

    /// Notes that a reply did not come in this time, for who waited without the library: `partial` came of its last line.
    pub fn late(&self, after: Duration, partial: &[u8]) {
        let mut record = self.record();
        let (phase, partial) = (record.phase.unwrap_or(Phase::Greeting), record.under_way(partial));
        record.error.get_or_insert(Failed::Timeout { phase, after, partial });
    }

    /// Says whether anything was refused that no other reply made up for, so that a caller knows whether asking for
    /// [`findings`](Self::findings) is worth what finding facts costs.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::diagnosis::Evidence;
    /// use mconnect_core::{Connect, server::Server};
    ///
    /// let server = Server::play("S: 220 mx\nC: EHLO me\nS: 502 what?\nC: HELO me\nS: 250 mx")?;
    /// let evidence = Evidence::new();
    /// let mut session = Connect::new("127.0.0.1", server.port()).observer(evidence.clone()).open()?;
    /// session.greeting()?;
    /// session.command("EHLO me")?;
    /// assert!(evidence.has_refusals());
    /// session.command("HELO me")?;
    /// assert!(!evidence.has_refusals(), "HELO makes up for EHLO");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn has_refusals(&self) -> bool {
        !self.record().refusals.is_empty()
    }

    /// Returns what is wrong, as far as it shows: at most three findings, the gravest first, and none of a session that
    /// went well. Of the refusals of a transaction, the first is explained.
    ///
    /// It can be asked at any time, and again: nothing is taken.
    pub fn findings(&self, facts: &Facts) -> Vec<Finding> {
        findings(&self.record(), facts)
    }

    /// Returns why a reply refused what was asked, if it did: the last one that ended with this line, of those that are
    /// kept. What fits no cause has the meaning of its code ([`Cause::Refused`](super::Cause::Refused)).
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::diagnosis::{Evidence, Facts};
    /// use mconnect_core::{Connect, server::Server};
    ///
    /// let server = Server::start()?;
    /// let evidence = Evidence::new();
    /// let mut session = Connect::new("127.0.0.1", server.port()).observer(evidence.clone()).open()?;
    /// session.greeting()?;
    /// for (command, told) in [("EHLO me", None), ("RCPT TO:<a@example.org>", Some("MAIL has to be granted before RCPT"))] {
    ///     let reply = session.command(command)?;
    ///     let found = evidence.refusal(reply.raw(), &Facts::new()).map(|found| found.to_string());
    ///     assert_eq!(found.as_deref(), told);
    /// }
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn refusal(&self, line: &[u8], facts: &Facts) -> Option<Finding> {
        let record = self.record();
        let line = line.trim_ascii_end();
        let is_it = |exchange: &&Exchange| exchange.reply.raw().trim_ascii_end().ends_with(line);
        let exchange = record.last.iter().chain(record.refusals.iter().rev()).find(is_it)?;
        refusal(exchange, &record, facts)
    }

    /// Returns what the end of the session tells, whatever was refused before it: for a caller that has shown
    /// [`refusal`](Self::refusal)s as they came.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::diagnosis::{Cause, Evidence, Facts};
    /// use mconnect_core::{Connect, server::Server};
    ///
    /// let server = Server::play("S: 220 mx\nC: VRFY a\nS: 550 5.1.1 no such user\nC: NOOP\nS: *reset*")?;
    /// let evidence = Evidence::new();
    /// let mut session = Connect::new("127.0.0.1", server.port()).observer(evidence.clone()).open()?;
    /// session.greeting()?;
    /// session.command("VRFY a")?;
    /// evidence.failed(&session.command("NOOP").unwrap_err());
    /// let ending = evidence.ending(&Facts::new()).unwrap();
    /// assert_eq!(ending.cause, Cause::ClosedAtCommand);
    /// assert!(ending.evidence.starts_with("the server reset the connection after"));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ending(&self, facts: &Facts) -> Option<Finding> {
        ending(&self.record(), facts)
    }

    /// Returns the address that could not be connected to last, if there is no connection: a caller may look on its
    /// machine for what [`Facts`] can hold about it, as whether it is its own, or whether another one answers.
    pub fn unreached(&self) -> Option<SocketAddr> {
        let record = self.record();
        let last = record.attempts.last().filter(|last| last.failure.is_some());
        last.map(|last| last.address).filter(|_| record.connected.is_none())
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Evidence {
    fn observe(&self, at: Instant, event: &Event<'_>) {
        let mut record = self.record();
        match event {
            Event::Resolving { host } => record.host = (*host).to_owned(),
            Event::Resolved { result, .. } => {
                let addresses = |all: &[SocketAddr]| all.iter().take(MOST_ATTEMPTS).map(SocketAddr::ip).collect();
                record.resolved = Some(result.map(addresses).map_err(Failure::of));
            }
            Event::Connecting { peer } => {
                record.host = peer.name().to_owned();
                record.attempt_began = Some(at);
            }
            Event::ConnectFailed { peer, error, .. } => {
                record.proxy = of_proxy(error);
                record.without_address = peer.address().is_none().then(|| Failure::of(error));
                record.attempted(at, peer.address(), Some(Failure::of(error)));
            }
            Event::Connected { peer } => {
                record.attempted(at, peer.address(), None);
                (record.peer, record.connected, record.phase) = (peer.address(), Some(at), Some(Phase::Greeting));
            }
            Event::Sent(bytes) => record.sent(at, bytes),
            Event::SentSecret(_) => {
                record.has_just_sent = true;
                record.last_sent = Some(at);
                let request = record.commands.hidden_line();
                record.expect(request);
            }
            Event::Received(line) => record.received(at, *line),
            Event::Replied { answer, .. } => record.replied(at, *answer),
            Event::Phase(phase) => record.enter(*phase),
            Event::TlsStarted => {
                record.is_tls = true;
                record.extensions = None;
                record.granted.remove(&[Request::Ehlo, Request::Helo, Request::Lhlo]);
                record.granted.remove(TRANSACTION);
            }
            Event::Tls(info) => record.tls = Some((*info).clone()),
            Event::TlsEnded => record.is_tls = false,
            // Whoever ends the sending side of a connection that the server has ended has not ended it.
            Event::HalfClosed => record.has_half_closed |= record.ended.is_none(),
            Event::Truncated(_) => record.was_truncated = true,
            Event::Ended => {
                record.ended.get_or_insert(at);
            }
            Event::ReceivedRaw(_) => record.is_raw = true,
            Event::Aborted | Event::RoadSent(_) | Event::RoadReceived(_) => {}
            Event::ProcessSaid(line) => record.process_said = line[..line.len().min(MOST_KEPT)].to_vec(),
            Event::ProcessEnded(status) => record.process_ended = Some(*status),
        }
    }
}
