//! What is kept of a session, in bounded memory: who said what, when, and how it ended.

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
use crate::tls_info::Info;

/// Collects what tells the cause where a session fails: which commands were sent (verbs, never secrets), what was replied
/// to them, what was offered, which addresses were tried, what TLS came to, how long each took, and how it ended.
///
/// An observer cannot see everything: who gets an [`Error`] [notes](Self::failed) it.
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
#[derive(Debug, Clone, Default)]
pub struct Evidence(Arc<Mutex<Record>>);

/// All that is known of a session.
#[derive(Default)]
pub(super) struct Record {
    /// The name that is looked up, and what came of it.
    pub host: String,
    pub resolved: Option<Result<Vec<IpAddr>, Failure>>,
    pub attempts: Vec<Attempt>,
    pub peer: Option<SocketAddr>,
    pub connected: Option<Instant>,
    pub phase: Option<Phase>,
    pub is_tls: bool,
    pub tls: Option<Info>,
    /// Something was sent while the greeting was due.
    pub has_spoken_first: bool,
    pub has_half_closed: bool,
    /// Bytes came that nothing is known of.
    pub is_raw: bool,
    pub commands: Commands,
    /// Replies that are due.
    pub due: VecDeque<Request>,
    /// The first line that came, or as much as came of it.
    pub first_line: Vec<u8>,
    pub greeting: Option<Reply>,
    pub greeted: Option<Instant>,
    pub extensions: Option<Arc<Extensions>>,
    pub granted: Requests,
    pub refused: Requests,
    /// The first negative replies, but for those that another reply made up for; and the last one.
    pub refusals: Vec<Exchange>,
    pub last: Option<Exchange>,
    /// The last 334's text: some servers say there why they refuse.
    pub challenge: Vec<u8>,
    pub unfinished: Option<ReplyBuilder>,
    /// A line began with NUL.
    pub has_nul: bool,
    pub last_sent: Option<Instant>,
    pub last_heard: Option<Instant>,
    /// When the connection ended, if this side did not end it.
    pub ended: Option<Instant>,
    pub was_truncated: bool,
    pub error: Option<Failed>,
    whole: Option<Reply>,
    /// The rest of the reply under way is passed over.
    is_too_long: bool,
    attempt_began: Option<Instant>,
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

/// What the system said.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub kind: io::ErrorKind,
    pub number: Option<i32>,
    pub text: String,
}

/// The error that ended a session.
#[derive(Debug, Clone)]
pub(super) enum Failed {
    Timeout { phase: Phase, after: Duration, partial: Vec<u8> },
    Closed { partial: Vec<u8> },
    Io(Failure),
    Tls { phase: Phase, failure: Option<TlsFailure>, source: Failure },
    Other,
}

/// A reply, and what went before it.
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

/// A set of requests.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Requests(u32);

impl Requests {
    pub fn has(self, request: Request) -> bool {
        self.0 & 1 << request as u32 != 0
    }

    fn insert(&mut self, request: Request) {
        self.0 |= 1 << request as u32;
    }

    fn remove(&mut self, requests: &[Request]) {
        requests.iter().for_each(|request| self.0 &= !(1 << *request as u32));
    }
}

impl Evidence {
    /// Begins. For another session, begin with new evidence.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes an error that was returned: an observer does not see deadlines, resets and the causes of TLS's failures.
    pub fn failed(&self, error: &Error) {
        let failed = match error {
            Error::Pipeline { source, .. } | Error::Delivery { source, .. } => return self.failed(source),
            Error::Timeout { context, after, partial, .. } => {
                let partial = partial[..partial.len().min(MOST_KEPT)].to_vec();
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

    /// Says whether anything was refused that no other reply made up for.
    #[must_use]
    pub fn has_refusals(&self) -> bool {
        !self.record().refusals.is_empty()
    }

    /// Returns what is wrong, as far as it shows: at most three findings, the gravest first, and none of a session that
    /// went well. Of the refusals of a transaction, the first is explained.
    pub fn findings(&self, facts: &Facts) -> Vec<Finding> {
        findings(&self.record(), facts)
    }

    /// Returns why a reply refused what was asked, if it did: the last one that ended with this line, of those that are
    /// kept.
    pub fn refusal(&self, line: &[u8], facts: &Facts) -> Option<Finding> {
        let record = self.record();
        let line = line.trim_ascii_end();
        let is_it = |exchange: &&Exchange| exchange.reply.raw().trim_ascii_end().ends_with(line);
        let exchange = record.last.iter().chain(record.refusals.iter().rev()).find(is_it)?;
        refusal(exchange, &record, facts)
    }

    /// Returns what the end of the session tells, whatever was refused before it.
    pub fn ending(&self, facts: &Facts) -> Option<Finding> {
        ending(&self.record(), facts)
    }

    /// Returns the address that could not be connected to last, if there is no connection: a caller may look on its machine
    /// for what [`Facts`] can hold about it.
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
    /// The port that was connected to, unless the caller says otherwise.
    pub fn port(&self, facts: &Facts) -> Option<u16> {
        let tried = self.attempts.first().map(|attempt| attempt.address.port());
        facts.port.or(self.peer.map(|peer| peer.port())).or(tried)
    }

    /// Says whether the server said that it closes, by a 421 or by its answer to QUIT.
    pub fn has_been_told_of_the_end(&self) -> bool {
        self.granted.has(Request::Quit)
            || self.last.as_ref().is_some_and(|last| last.answer.meaning() == Meaning::Closing)
    }

    fn attempted(&mut self, at: Instant, address: Option<SocketAddr>, failure: Option<Failure>) {
        let took = self.attempt_began.take().map_or(Duration::ZERO, |began| at.saturating_duration_since(began));
        if let Some(address) = address.filter(|_| self.attempts.len() < MOST_ATTEMPTS) {
            self.attempts.push(Attempt { address, failure, took });
        }
    }

    fn sent(&mut self, at: Instant, bytes: &[u8]) {
        (self.has_just_sent, self.last_sent) = (true, Some(at));
        match self.phase {
            Some(Phase::Greeting) => self.has_spoken_first = true,
            Some(Phase::Auth) if bytes.ends_with(b"\n") => return self.expect(Request::AuthAnswer),
            Some(Phase::Command) | None => {}
            _ => return,
        }
        for request in self.commands.sent(bytes) {
            self.expect(request);
        }
    }

    fn expect(&mut self, request: Request) {
        if self.due.len() < MOST_DUE {
            self.due.push_back(request);
        }
    }

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
const MOST_ATTEMPTS: usize = 16;
const MOST_DUE: usize = 64;
const MOST_REFUSALS: usize = 8;
/// More than that no server has to say for a refusal.
const LIMITS: Limits = Limits { line: 16 * 1024, lines: 200, reply: 32 * 1024 };
