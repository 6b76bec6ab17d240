//! A lookup, without I/O or clock: whom to ask next, and what an answer means.
//!
//! ```text
//!              ┌───────── the next server, the next round ◄── no answer, a refusal, garbage
//!              ▼                                               │
//!   name ──► Query ──► octets ──► is it ours? ──► truncated? ──► TCP, the same server
//!              ▲                      └ no: wait on               │
//!              └── an alias that leads on ◄───────────────── read ┴──► Found
//! ```

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use domain::base::iana::OptRcode;

use super::error::DnsError;
use super::found::{Found, Security};
use super::message::{self, Code, MOST_ALIASES, WireName};
use super::random;
use super::records::{RecordData, RecordKind};

/// How a query goes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// In a datagram, from a port of its own.
    Udp,
    /// Over a connection, its length in two octets before it.
    Tcp,
}

/// What a [`Lookup`] asks next.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Query {
    /// Whom.
    pub server: SocketAddr,
    /// How.
    pub transport: Transport,
    /// The message, without a length before it.
    pub octets: Vec<u8>,
    /// How long the answer is waited for.
    pub wait: Duration,
}

/// A lookup under way, for a loop of one's own; [`Resolver::ask`](super::Resolver::ask) is one that blocks.
///
/// Ask it for the next [`query`](Self::query), and tell it what came of that: each message by
/// [`received`](Self::received), or that none will come by [`failed`](Self::failed). When there is no further query,
/// [`finish`](Self::finish) has the outcome.
#[derive(Debug)]
pub struct Lookup {
    kind: RecordKind,
    name: WireName,
    /// Where its aliases have led so far.
    at: WireName,
    servers: Arc<[Server]>,
    /// How long one server is waited for, and how often all of them are asked.
    patience: Duration,
    rounds: usize,
    /// How many times the servers were asked for the name that it is at.
    tries: usize,
    transport: Transport,
    edns: bool,
    /// The server failed without a reason: whether signatures were, it shows by an answer that it has not checked.
    unchecked: bool,
    sent: Vec<u8>,
    aliases: Vec<String>,
    security: Security,
    why: Option<String>,
    blame: Option<DnsError>,
    outcome: Option<Result<Found<RecordData>, DnsError>>,
}

/// A name server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Server {
    pub address: SocketAddr,
    /// Its word on signatures is taken.
    pub is_believed: bool,
}

impl Lookup {
    pub(super) fn new(
        name: &str,
        kind: RecordKind,
        servers: Arc<[Server]>,
        patience: Duration,
        rounds: usize,
    ) -> Result<Self, DnsError> {
        let parsed = message::name(name).map_err(|why| DnsError::Name { name: name.to_owned(), why })?;
        Ok(Self {
            kind,
            name: parsed.clone(),
            at: parsed,
            servers,
            patience,
            rounds,
            tries: 0,
            transport: Transport::Udp,
            edns: true,
            unchecked: false,
            sent: Vec::new(),
            aliases: Vec::new(),
            security: Security::Secure,
            why: None,
            blame: None,
            outcome: None,
        })
    }

    /// Returns what to ask next, with so much time left for all of it; nothing when the lookup is over, as it is when no
    /// time is left. The wait is shared out among those who may still be asked.
    pub fn query(&mut self, left: Duration) -> Option<Query> {
        let total = self.servers.len() * self.rounds;
        if self.outcome.is_some() || self.tries >= total || left.is_zero() {
            return None;
        }
        let share = left / u32::try_from(total - self.tries).unwrap_or(u32::MAX);
        #[expect(clippy::cast_possible_truncation, reason = "any sixteen of its bits do")]
        let id = random::number() as u16;
        self.sent = message::query(&self.at, self.kind, id, self.edns, self.unchecked);
        Some(Query {
            server: self.server().address,
            transport: self.transport,
            octets: self.sent.clone(),
            wait: share.min(self.patience).max(LEAST_WAIT).min(left),
        })
    }

    /// Takes a message of the server that was asked. Returns whether the wait is over: what is not the answer to the last
    /// query is nothing, and the answer may still come.
    pub fn received(&mut self, octets: &[u8]) -> bool {
        let Some(answer) = message::answers(octets, &self.sent) else { return false };
        if answer.header().tc() {
            match self.transport {
                Transport::Udp => self.transport = Transport::Tcp,
                Transport::Tcp => self.malformed("is cut off, over TCP too"),
            }
            return true;
        }
        match message::read(answer, &self.at, self.kind) {
            Ok(answer) => self.read(answer),
            Err(_) => self.malformed("cannot be read"),
        }
        true
    }

    /// Takes that the server that was asked does not answer: it cannot be reached, or the wait is over
    /// ([`TimedOut`](io::ErrorKind::TimedOut)).
    pub fn failed(&mut self, source: io::Error) {
        let (kind, name, server) = self.question();
        match source.kind() {
            io::ErrorKind::TimedOut => self.next_server(None),
            _ => self.next_server(Some(DnsError::Network { kind, name, server, source })),
        }
    }

    /// Returns what came of it, all of which took this long.
    ///
    /// # Errors
    /// The most telling of what kept the servers from answering; that none did in time, also if it was not run to its
    /// end.
    pub fn finish(self, took: Duration) -> Result<Found<RecordData>, DnsError> {
        let (kind, name) = (self.kind, message::told(&self.name));
        let servers: Vec<String> = self.servers.iter().map(|server| server.address.to_string()).collect();
        let timeout = || DnsError::Timeout { kind, name, servers: servers.join(", "), after: took };
        self.outcome.unwrap_or_else(|| Err(self.blame.unwrap_or_else(timeout)))
    }

    fn read(&mut self, answer: message::Answer) {
        let (kind, name, server) = self.question();
        let is_believed = self.server().is_believed;
        match answer.code {
            Code::Ok if answer.is_referral => self.malformed("refers to other servers: it does not ask them itself"),
            Code::NoSuchName if !answer.records.is_empty() => {
                self.malformed("has records of a name that is not there by its own account");
            }
            Code::Ok | Code::NoSuchName if self.unchecked => {
                self.note(Some(WITHOUT_A_REASON.to_owned()));
                self.security = Security::Bogus;
                self.found(Vec::new(), true);
            }
            Code::Ok | Code::NoSuchName => self.follow(answer),
            // A server that knows no EDNS says no more than that (RFC 6891, section 7).
            Code::NotUnderstood(_) if self.edns => self.edns = false,
            Code::Failed(_) if answer.is_bogus && is_believed => {
                self.security = Security::Bogus;
                self.note(answer.why);
                self.found(Vec::new(), true);
            }
            Code::Failed(OptRcode::SERVFAIL) if answer.why.is_none() && is_believed && !self.unchecked => {
                (self.unchecked, self.transport) = (true, Transport::Udp);
            }
            Code::NotUnderstood(code) | Code::Failed(code) => {
                let (code, why) = (code.to_string(), answer.why);
                self.next_server(Some(DnsError::Failed { kind, name, server, code, why }));
            }
        }
    }

    /// Goes where the aliases of an answer lead; what is asked for may be there already.
    fn follow(&mut self, answer: message::Answer) {
        let security = match (self.server().is_believed, answer.is_authentic) {
            (true, true) => Security::Secure,
            (true, false) => Security::Insecure,
            (false, _) => Security::Unproven,
        };
        self.security = self.security.max(security);
        self.note(answer.why);
        for alias in answer.aliases {
            self.aliases.push(message::told(&self.at));
            let last = message::told(&alias);
            if self.aliases.len() > MOST_ALIASES || self.aliases.contains(&last) {
                let (kind, name, _) = self.question();
                self.outcome = Some(Err(DnsError::Aliases { kind, name, last }));
                return;
            }
            self.at = alias;
        }
        if answer.is_denial || !answer.records.is_empty() {
            self.found(answer.records, answer.code == Code::Ok);
        } else {
            // The answer ends with an alias: whoever gave it did not go on.
            (self.tries, self.transport) = (0, Transport::Udp);
        }
    }

    fn found(&mut self, records: Vec<RecordData>, exists: bool) {
        let (name, aliases) = (message::told(&self.at), std::mem::take(&mut self.aliases));
        let (security, why) = (self.security, self.why.take());
        self.outcome = Some(Ok(Found { name, aliases, records, security, why, exists }));
    }

    /// Keeps the first of what was said beside the answers.
    fn note(&mut self, why: Option<String>) {
        self.why = self.why.take().or(why);
    }

    fn malformed(&mut self, what: &'static str) {
        let (kind, name, server) = self.question();
        self.next_server(Some(DnsError::Malformed { kind, name, server, what }));
    }

    fn next_server(&mut self, error: Option<DnsError>) {
        if let Some(error) = error {
            if self.blame.as_ref().is_none_or(|blame| blame.telling() < error.telling()) {
                self.blame = Some(error);
            }
        }
        self.tries += 1;
        (self.transport, self.edns, self.unchecked) = (Transport::Udp, true, false);
    }

    fn server(&self) -> Server {
        self.servers[self.tries % self.servers.len()]
    }

    fn question(&self) -> (RecordKind, String, SocketAddr) {
        (self.kind, message::told(&self.name), self.server().address)
    }
}

/// Many resolvers are not set up to say why.
const WITHOUT_A_REASON: &str = "the resolver has an answer, fails to verify it, and gives no reason";
/// A wait of zero would be none at all.
const LEAST_WAIT: Duration = Duration::from_millis(1);
