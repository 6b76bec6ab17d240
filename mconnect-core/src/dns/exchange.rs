//! What a query needs of the network, whoever waits for it.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use super::error::DnsError;
use super::found::Found;
use super::lookup::{Lookup, Query};
use super::records::RecordData;

/// What a lookup waits for: done by calls that block, and by tokio.
pub(super) trait Carry {
    /// Sends a query, and has the lookup take what comes until it has what it waits for, or the time is up.
    async fn carry(&self, query: Query, until: Instant, lookup: &mut Lookup) -> io::Result<()>;
}

/// Runs a lookup to its end, in this time, whoever waits for the answers.
pub(super) async fn run(
    mut lookup: Lookup,
    whole: Duration,
    carrier: &impl Carry,
) -> Result<Found<RecordData>, DnsError> {
    let start = Instant::now();
    while let Some(query) = lookup.query(whole.saturating_sub(start.elapsed())) {
        let until = Instant::now() + query.wait;
        if let Err(error) = carrier.carry(query, until, &mut lookup).await {
            lookup.failed(error);
        }
    }
    lookup.finish(start.elapsed())
}

/// Returns the address to send from: any of this machine's, and a port of the system's choice, which is another for each
/// query.
pub(super) fn any_port(server: SocketAddr) -> SocketAddr {
    let address = match server {
        SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
    };
    SocketAddr::new(address, 0)
}

/// Returns how long there is still to wait.
///
/// # Errors
/// [`TimedOut`](io::ErrorKind::TimedOut) if that is over.
pub(super) fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// Puts the length before a message, as a connection wants it
/// ([RFC 1035, section 4.2.2](https://www.rfc-editor.org/rfc/rfc1035#section-4.2.2)).
pub(super) fn with_length(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).expect("a query has a question, and no more than 300 octets");
    [&length.to_be_bytes(), message].concat()
}

/// What came over a connection, and is no whole message yet.
#[derive(Default)]
pub(super) struct Incoming(Vec<u8>);

impl Incoming {
    /// Takes octets, has the lookup take the messages that are whole now, and returns whether it has what it waits for.
    ///
    /// # Errors
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) at the end, which no octets stand for.
    pub(super) fn take(&mut self, octets: &[u8], lookup: &mut Lookup) -> io::Result<bool> {
        if octets.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.0.extend_from_slice(octets);
        while let Some((length, rest)) = self.0.split_first_chunk::<2>() {
            let length = usize::from(u16::from_be_bytes(*length));
            let Some(message) = rest.get(..length) else { break };
            if lookup.received(message) {
                return Ok(true);
            }
            self.0.drain(..length + 2);
        }
        Ok(false)
    }
}

/// More than any server sends to what a query says of its room.
pub(super) const LARGEST_DATAGRAM: usize = 4096;
