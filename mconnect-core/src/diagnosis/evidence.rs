//! What is kept of a session, in bounded memory: who said what, when, and how it ended.
//!
//! | kept | at most |
//! |---|---|
//! | attempts to connect, and addresses of a name | 16 |
//! | negative replies, each with what went before it | 8, and the last one |
//! | a reply | 200 lines, 32 KiB; of a longer one, nothing |
//! | of what came in no reply | 1,024 octets |
//! | requests whose replies are due | 64 |
//! | of a command | 512 octets, until its line has ended |
//!
//! Requests and replies are put together here a second time, beside the tracker, because what is needed is what was due
//! when nothing came any more, and what had been granted when something was refused.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::command::Commands;
use super::{Facts, Finding, ending, findings, refusal};
use crate::error::{Error, TlsFailure};
use crate::observer::{Event, Observer};
use crate::protocol::{Answer, Extensions, Limits, Meaning, Phase, Reply, ReplyBuilder, ReplyLine, Request};
use crate::sasl::NoMechanism;
use crate::tls_info::Info;

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
/// [`Debug`](fmt::Debug) shows next to nothing of it, since replies may repeat what is nobody's business.
#[derive(Debug, Clone, Default)]
pub struct Evidence(Arc<Mutex<Record>>);

/// All that is known of a session so far.
#[derive(Default)]
pub(super) struct Record {
    /// The name that is looked up, and what came of it.
    pub host: String,
    /// What came of looking the name up.
    pub resolved: Option<Result<Vec<IpAddr>, Failure>>,
    /// The attempts to connect, in order; of many, the first ones.
    pub attempts: Vec<Attempt>,
    /// The address that was connected to, and when.
    pub peer: Option<SocketAddr>,
    pub connected: Option<Instant>,
    /// The phase of the session, as its tracker has it.
    pub phase: Option<Phase>,
    /// The session is inside TLS.
    pub is_tls: bool,
    /// What TLS agreed on, and what is wrong with the certificates.
    pub tls: Option<Info>,
    /// Something was sent while the greeting was due.
    pub has_spoken_first: bool,
    /// This side has ended its sending.
    pub has_half_closed: bool,
    /// Bytes came that nothing is known of.
    pub is_raw: bool,
    pub commands: Commands,
    /// Replies that are due.
    pub due: VecDeque<Request>,
    /// The first line that came, or as much as came of it.
    pub first_line: Vec<u8>,
    /// The greeting, and when it had come.
    pub greeting: Option<Reply>,
    pub greeted: Option<Instant>,
    /// What the last EHLO offered; nothing any more once TLS has started
    /// ([RFC 3207, section 4.2](https://www.rfc-editor.org/rfc/rfc3207#section-4.2)).
    pub extensions: Option<Arc<Extensions>>,
    /// What was granted and still holds: the end of a message, RSET and another EHLO end a transaction.
    pub granted: Requests,
    /// What was refused, whether or not it was granted afterwards.
    pub refused: Requests,
    /// The first negative replies, but for those that another reply made up for; and the last one.
    pub refusals: Vec<Exchange>,
    pub last: Option<Exchange>,
    /// The last 334's text: some servers say there why they refuse.
    pub challenge: Vec<u8>,
    /// The reply under way.
    pub unfinished: Option<ReplyBuilder>,
    /// A line began with NUL.
    pub has_nul: bool,
    /// When something was sent last, and when something came.
    pub last_sent: Option<Instant>,
    pub last_heard: Option<Instant>,
    /// When the connection ended, if this side did not end it.
    pub ended: Option<Instant>,
    /// TLS was ended without a close_notify.
    pub was_truncated: bool,
    pub error: Option<Failed>,
    /// A caller that was to log in had nothing to do it by.
    pub no_mechanism: Option<NoMechanism>,
    /// The reply that has just come, until it is told what it answers.
    whole: Option<Reply>,
    /// The rest of the reply under way is passed over.
    is_too_long: bool,
    /// When the attempt to connect under way began.
    attempt_began: Option<Instant>,
    /// Something was sent, and nothing has come since: the phase that begins now is the doing of this side.
    has_just_sent: bool,
    /// A body or a chunk is under way.
    pub is_in_message: bool,
}

/// An attempt to connect.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub address: SocketAddr,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
    pub took: Duration,
}

/// What the system said: what kind of error, its number, and its words.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub kind: io::ErrorKind,
    pub number: Option<i32>,
    pub text: String,
}

/// The error that ended a session, as far as it matters here.
#[derive(Debug, Clone)]
pub(super) enum Failed {
    Timeout { phase: Phase, after: Duration, partial: Vec<u8> },
    Closed { partial: Vec<u8> },
    Io(Failure),
    Tls { phase: Phase, failure: Option<TlsFailure>, source: Failure },
    Other,
}

/// A reply, and what went before it: what was granted and offered then, which later replies change.
#[derive(Debug, Clone)]
pub(super) struct Exchange {
    pub answer: Answer,
    pub reply: Reply,
    pub commands: Commands,
    pub extensions: Option<Arc<Extensions>>,
    pub granted: Requests,
    pub is_tls: bool,
    pub challenge: Vec<u8>,
}

/// A set of requests, a bit for each.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Requests(u32);

impl Requests {
    pub const fn of(requests: &[Request]) -> Self {
        let (mut set, mut at) = (0, 0);
        while at < requests.len() {
            set |= 1 << requests[at] as u32;
            at += 1;
        }
        Self(set)
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Says whether a request is in it.
    pub fn has(self, request: Request) -> bool {
        self.0 & 1 << request as u32 != 0
    }

    fn insert(&mut self, request: Request) {
        self.0 |= 1 << request as u32;
    }

    fn remove(&mut self, requests: &[Request]) {
        self.0 &= !Self::of(requests).0;
    }
}

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
    /// assert_eq!(evidence.findings(&Facts::new())[0].cause, Cause::ClosedAtCommand);
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
                Failed::Closed { partial: partial[..partial.len().min(MOST_KEPT)].to_vec() }
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
            Event::ConnectFailed { peer, error, .. } => record.attempted(at, peer.address(), Some(Failure::of(error))),
            Event::Connected { peer } => {
                record.attempted(at, peer.address(), None);
                (record.peer, record.connected, record.phase) = (peer.address(), Some(at), Some(Phase::Greeting));
            }
            Event::Sent(bytes) => record.sent(at, bytes),
            Event::SentSecret(_) => {
                record.has_just_sent = true;
                record.last_sent = Some(at);
                if let Some(request) = record.commands.hidden_line() {
                    record.expect(request);
                }
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
            Event::HalfClosed => record.has_half_closed = true,
            Event::Truncated(_) => record.was_truncated = true,
            Event::Ended => {
                record.ended.get_or_insert(at);
            }
            Event::ReceivedRaw(_) => record.is_raw = true,
            Event::Aborted => {}
        }
    }
}

impl Record {
    /// Returns the port that was connected to, unless the caller says otherwise.
    pub fn port(&self, facts: &Facts) -> Option<u16> {
        let tried = self.attempts.first().map(|attempt| attempt.address.port());
        facts.port.or(self.peer.map(|peer| peer.port())).or(tried)
    }

    /// Says whether the server said that it closes, by a 421 or by its answer to QUIT.
    pub fn has_been_told_of_the_end(&self) -> bool {
        self.granted.has(Request::Quit)
            || self.last.as_ref().is_some_and(|last| last.answer.meaning() == Meaning::Closing)
    }

    /// Returns what came of the reply under way, of which whoever reads lines has only the last one.
    fn under_way(&self, partial: &[u8]) -> Vec<u8> {
        let lines = self.unfinished.as_ref().map_or(&[][..], ReplyBuilder::partial);
        let whole = if partial.starts_with(lines) { partial.to_vec() } else { [lines, partial].concat() };
        whole[whole.len().saturating_sub(MOST_KEPT)..].to_vec()
    }

    /// Notes how an attempt to connect went.
    fn attempted(&mut self, at: Instant, address: Option<SocketAddr>, failure: Option<Failure>) {
        let took = self.attempt_began.take().map_or(Duration::ZERO, |began| at.saturating_duration_since(began));
        if let Some(address) = address.filter(|_| self.attempts.len() < MOST_ATTEMPTS) {
            self.attempts.push(Attempt { address, failure, took });
        }
    }

    /// Notes what was sent, and which replies are due for it.
    fn sent(&mut self, at: Instant, bytes: &[u8]) {
        (self.has_just_sent, self.last_sent) = (true, Some(at));
        match self.phase {
            // Nothing is taken for a reply any more, and so nothing for a command.
            _ if self.is_raw => return,
            Some(Phase::Greeting) => self.has_spoken_first = true,
            Some(Phase::Auth) if bytes.ends_with(b"\n") => return self.expect(Request::AuthAnswer),
            Some(Phase::Command) | None => {}
            _ => return,
        }
        for request in self.commands.sent(bytes) {
            self.expect(request);
        }
    }

    /// Notes that a reply is due, within bounds: what is due behind those comes to be known when they have come.
    fn expect(&mut self, request: Request) {
        if self.due.len() < MOST_DUE {
            self.due.push_back(request);
        }
    }

    /// Follows the phase: the end of a body and of a chunk ask for a reply, too.
    fn enter(&mut self, phase: Phase) {
        let request = match self.phase {
            Some(Phase::Body) => Request::EndOfData,
            Some(Phase::Chunk { .. }) => Request::Bdat,
            _ => Request::Other,
        };
        if request != Request::Other && phase == Phase::Command && self.has_just_sent {
            self.expect(request);
        }
        match phase {
            // The reply comes after the chunk.
            Phase::Chunk { .. } if self.phase == Some(Phase::Command) => {
                if self.due.back() == Some(&Request::Bdat) {
                    self.due.pop_back();
                }
                self.is_in_message = true;
            }
            Phase::Body | Phase::Chunk { .. } => self.is_in_message = true,
            Phase::Closed => {}
            _ => self.is_in_message = false,
        }
        self.phase = Some(phase);
    }

    /// Takes a line, and puts the reply together; of one that is too long, nothing is kept.
    fn received(&mut self, at: Instant, line: ReplyLine<'_>) {
        (self.has_just_sent, self.last_heard) = (false, Some(at));
        if self.first_line.is_empty() {
            self.first_line = line.raw()[..line.raw().len().min(MOST_KEPT)].to_vec();
        }
        self.has_nul |= line.is_start() && line.raw().first() == Some(&0);
        if self.is_too_long {
            return;
        }
        let builder = self.unfinished.get_or_insert_with(|| ReplyBuilder::new(LIMITS));
        self.whole = builder.push(line).unwrap_or_else(|_| {
            drop(builder.take_partial());
            self.is_too_long = true;
            None
        });
    }

    /// Takes a reply that is whole: what it grants, or what it refuses and in which circumstances.
    fn replied(&mut self, at: Instant, answer: Answer) {
        if let Some(place) = answer.request.and_then(|request| self.due.iter().position(|due| *due == request)) {
            self.due.drain(..=place);
        }
        // One that is too long is not kept.
        self.is_too_long = false;
        let reply = self.whole.take();
        let (meaning, request) = (answer.meaning(), answer.request.unwrap_or(Request::Other));
        if request == Request::Greeting {
            (self.greeting, self.greeted) = (reply.clone(), Some(at));
        }
        if meaning.lets_go_on() {
            if meaning == Meaning::Challenge {
                self.challenge = reply.as_ref().map(Reply::text).unwrap_or_default();
                self.challenge.truncate(MOST_KEPT);
            }
            self.grant(request, meaning, reply.as_ref());
            self.last = None;
            return;
        }
        self.refused.insert(request);
        if request == Request::EndOfData {
            self.granted.remove(TRANSACTION);
        }
        let Some(reply) = reply else { return };
        let exchange = Exchange {
            answer,
            reply,
            commands: self.commands.clone(),
            extensions: self.extensions.clone(),
            granted: self.granted,
            is_tls: self.is_tls,
            challenge: self.challenge.clone(),
        };
        if self.refusals.len() < MOST_REFUSALS {
            self.refusals.push(exchange.clone());
        }
        self.last = Some(exchange);
    }

    /// Notes what was granted, and forgets the refusals that it makes up for: those of another EHLO, of another
    /// mechanism, of another sender.
    fn grant(&mut self, request: Request, meaning: Meaning, reply: Option<&Reply>) {
        use Request::{Auth, AuthAnswer, EndOfData, Helo, Mail, Quit, Rset};
        // A 334 to AUTH only asks for more.
        let is_final = meaning != Meaning::Challenge;
        // What was refused before and is granted now needs no explanation.
        let made_up_for = |earlier: &Exchange| match (earlier.answer.request, request) {
            (Some(Request::Ehlo | Helo | Request::Lhlo), Request::Ehlo | Helo | Request::Lhlo) => true,
            (Some(Auth | AuthAnswer), Auth | AuthAnswer) => is_final,
            (Some(Mail), Mail) | (Some(Request::StartTls), Request::StartTls) => true,
            _ => false,
        };
        self.refusals.retain(|earlier| !made_up_for(earlier));
        match request {
            Request::Ehlo | Request::Lhlo => {
                self.extensions = reply.map(|reply| Arc::new(Extensions::from_reply(reply)));
                self.granted.remove(TRANSACTION);
            }
            Helo | Rset | EndOfData => self.granted.remove(TRANSACTION),
            Mail => self.granted.remove(TRANSACTION),
            Auth | AuthAnswer if !is_final => return,
            Quit => {}
            _ => {}
        }
        self.granted.insert(if request == AuthAnswer { Auth } else { request });
    }
}

impl Failure {
    /// Keeps what the system said, since an error itself cannot be copied.
    fn of(error: &io::Error) -> Self {
        Self { kind: error.kind(), number: error.raw_os_error(), text: error.to_string() }
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("host", &self.host).field("phase", &self.phase).finish_non_exhaustive()
    }
}

/// What is over with a transaction.
const TRANSACTION: &[Request] = &[Request::Mail, Request::Rcpt, Request::Data, Request::Bdat];
/// Of what came in no reply, this many octets are kept.
const MOST_KEPT: usize = 1024;
/// How much is kept, of each.
const MOST_ATTEMPTS: usize = 16;
const MOST_DUE: usize = 64;
const MOST_REFUSALS: usize = 8;
/// More than that no server has to say for a refusal.
const LIMITS: Limits = Limits { line: 16 * 1024, lines: 200, reply: 32 * 1024 };
