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
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::command::Commands;
use super::{Cause, Facts};
use crate::error::TlsFailure;
use crate::protocol::{Answer, Extensions, Limits, Meaning, Phase, Reply, ReplyBuilder, ReplyLine, Request};
use crate::sasl::NoMechanism;
use crate::tls_info::Info;

/// All that is known of a session so far.
#[derive(Default)]
pub(super) struct Record {
    /// The host as it was given: a name, an address, or the path of a socket.
    pub host: String,
    /// What came of looking the name up.
    pub resolved: Option<Result<Vec<IpAddr>, Failure>>,
    /// The attempts to connect, in order; of many, the first ones.
    pub attempts: Vec<Attempt>,
    /// What is wrong with the proxy, and its words.
    pub proxy: Option<(Cause, String)>,
    /// Why there is no connection to what has no address: a UNIX socket.
    pub without_address: Option<Failure>,
    /// What the process that the session goes to said last, and how it ended.
    pub process_said: Vec<u8>,
    pub process_ended: Option<ExitStatus>,
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
    pub whole: Option<Reply>,
    /// The rest of the reply under way is passed over.
    pub is_too_long: bool,
    /// When the attempt to connect under way began.
    pub attempt_began: Option<Instant>,
    /// Something was sent, and nothing has come since: the phase that begins now is the doing of this side.
    pub has_just_sent: bool,
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

    pub fn remove(&mut self, requests: &[Request]) {
        self.0 &= !Self::of(requests).0;
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

    /// Says whether nothing came after the greeting.
    pub fn has_only_greeted(&self) -> bool {
        self.greeted.is_some_and(|greeted| self.last_heard.is_none_or(|heard| heard <= greeted))
    }

    /// Returns what came of the reply under way, of which whoever reads lines has only the last one.
    pub fn under_way(&self, partial: &[u8]) -> Vec<u8> {
        let lines = self.unfinished.as_ref().map_or(&[][..], ReplyBuilder::partial);
        let whole = if partial.starts_with(lines) { partial.to_vec() } else { [lines, partial].concat() };
        whole[whole.len().saturating_sub(MOST_KEPT)..].to_vec()
    }

    /// Notes how an attempt to connect went.
    pub fn attempted(&mut self, at: Instant, address: Option<SocketAddr>, failure: Option<Failure>) {
        let took = self.attempt_began.take().map_or(Duration::ZERO, |began| at.saturating_duration_since(began));
        if let Some(address) = address.filter(|_| self.attempts.len() < MOST_ATTEMPTS) {
            self.attempts.push(Attempt { address, failure, took });
        }
    }

    /// Notes what was sent, and which replies are due for it.
    pub fn sent(&mut self, at: Instant, bytes: &[u8]) {
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
    pub fn expect(&mut self, request: Request) {
        if self.due.len() < MOST_DUE {
            self.due.push_back(request);
        }
    }

    /// Follows the phase: the end of a body and of a chunk ask for a reply, too.
    pub fn enter(&mut self, phase: Phase) {
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
    pub fn received(&mut self, at: Instant, line: ReplyLine<'_>) {
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
    pub fn replied(&mut self, at: Instant, answer: Answer) {
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
        use Request::{Auth, AuthAnswer, EndOfData, Helo, Mail, Rset};
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
            Helo | Rset | EndOfData | Mail => self.granted.remove(TRANSACTION),
            Auth | AuthAnswer if !is_final => return,
            _ => {}
        }
        self.granted.insert(if request == AuthAnswer { Auth } else { request });
    }
}

impl Failure {
    /// Keeps what the system said, since an error itself cannot be copied.
    pub fn of(error: &io::Error) -> Self {
        Self { kind: error.kind(), number: error.raw_os_error(), text: error.to_string() }
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("host", &self.host).field("phase", &self.phase).finish_non_exhaustive()
    }
}

/// What is over with a transaction.
pub(super) const TRANSACTION: &[Request] = &[Request::Mail, Request::Rcpt, Request::Data, Request::Bdat];
/// Of what came in no reply, this many octets are kept.
pub(super) const MOST_KEPT: usize = 1024;
/// How much is kept, of each.
pub(super) const MOST_ATTEMPTS: usize = 16;
const MOST_DUE: usize = 64;
const MOST_REFUSALS: usize = 8;
/// More than that no server has to say for a refusal.
const LIMITS: Limits = Limits { line: 16 * 1024, lines: 200, reply: 32 * 1024 };
