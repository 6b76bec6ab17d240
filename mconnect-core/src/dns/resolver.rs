//! Whom to ask, and how long.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::configuration::{Configuration, DEFAULT_ATTEMPTS, DEFAULT_TIMEOUT};
use super::error::DnsError;
use super::lookup::{Lookup, Server};
use super::records::RecordKind;

/// The name servers that are asked. It is cheap to clone.
///
/// They are asked in order, and again, until one answers: each has its share of the time, and what it is to be waited for
/// at most (resolv.conf's `timeout`, 5 seconds by default). All of a lookup takes 20 seconds at most, or what
/// [`timeout`](Self::timeout) says.
#[derive(Debug, Clone)]
pub struct Resolver {
    servers: Arc<[Server]>,
    patience: Duration,
    rounds: usize,
    pub(super) whole: Duration,
}

impl Resolver {
    /// Returns the system's, as `/etc/resolv.conf` says: name servers, `timeout`, `attempts` and `trust-ad`; without one,
    /// a name server on this machine. Search lists are never heeded.
    ///
    /// # Errors
    /// [`DnsError::Configuration`] if it cannot be read.
    pub fn system() -> Result<Self, DnsError> {
        let path = Path::new("/etc/resolv.conf");
        let read = Configuration::read(path);
        let read = read.map_err(|source| DnsError::Configuration { path: path.to_owned(), source })?;
        let resolver = Self { patience: read.timeout, rounds: read.attempts, ..Self::at(read.servers) };
        Ok(resolver.trusted(read.is_trusted))
    }

    /// Asks these, in this order. Without any, nothing is found in time.
    pub fn at(servers: impl IntoIterator<Item = SocketAddr>) -> Self {
        let server = |address: SocketAddr| Server { address, is_believed: is_local(address) };
        Self {
            servers: servers.into_iter().map(server).collect(),
            patience: Duration::from_secs(DEFAULT_TIMEOUT),
            rounds: DEFAULT_ATTEMPTS,
            whole: WHOLE,
        }
    }

    /// Takes their word on signatures also where they are not on this machine: they validate, and the way to them is safe.
    #[must_use]
    pub fn trusted(mut self, is_trusted: bool) -> Self {
        let server = |server: &Server| Server { is_believed: is_trusted || is_local(server.address), ..*server };
        self.servers = self.servers.iter().map(server).collect();
        self
    }

    /// Sets how long all of a lookup may take.
    #[must_use]
    pub fn timeout(mut self, whole: Duration) -> Self {
        self.whole = whole;
        self
    }

    /// Returns who is asked.
    pub fn servers(&self) -> impl Iterator<Item = SocketAddr> {
        self.servers.iter().map(|server| server.address)
    }

    /// Says who is asked, and whether their word on signatures is taken: `127.0.0.1:53 (on this machine)`.
    #[must_use]
    pub fn describe(&self) -> String {
        let describe = |server: &Server| {
            let standing = match server.is_believed {
                _ if is_local(server.address) => "on this machine",
                true => "trusted to validate",
                false => "neither on this machine nor trusted: it proves nothing",
            };
            format!("{} ({standing})", server.address)
        };
        self.servers.iter().map(describe).collect::<Vec<_>>().join(", ")
    }

    /// Begins a lookup, for a loop of one's own.
    ///
    /// # Errors
    /// [`DnsError::Name`] if this is no name.
    pub fn lookup(&self, name: &str, kind: RecordKind) -> Result<Lookup, DnsError> {
        Lookup::new(name, kind, Arc::clone(&self.servers), self.patience, self.rounds)
    }
}

fn is_local(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

/// How long all of a lookup may take by default: two servers that do not answer, each twice.
const WHOLE: Duration = Duration::from_secs(20);
