//! Queries, awaited.

use std::io;
use std::time::Instant;

use tokio::io::Interest;
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::error::DnsError;
use super::exchange::{Carry, Incoming, LARGEST_DATAGRAM, any_port, left, run, with_length};
use super::found::Found;
use super::lookup::{Lookup, Query, Transport};
use super::records::Record;
use super::resolver::Resolver;

impl Resolver {
    /// Looks up as [`ask`](Self::ask) does, awaited: dropping the future is the end of it.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    ///
    /// # Panics
    /// Outside of a runtime of tokio's, or in one without its drivers for I/O and time.
    pub async fn ask_async<R: Record>(&self, name: &str) -> Result<Found<R>, DnsError> {
        let found = run(self.lookup(name, R::KIND)?, self.whole, &Awaiting).await?;
        Ok(found.map(R::from_data))
    }
}

/// Waits by tokio.
struct Awaiting;

impl Carry for Awaiting {
    async fn carry(&self, query: Query, until: Instant, lookup: &mut Lookup) -> io::Result<()> {
        let work = async {
            match query.transport {
                Transport::Udp => datagrams(&query, lookup).await,
                Transport::Tcp => connection(&query, lookup).await,
            }
        };
        timeout(left(until)?, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }
}

async fn datagrams(query: &Query, lookup: &mut Lookup) -> io::Result<()> {
    let socket = UdpSocket::bind(any_port(query.server)).await?;
    // The system keeps off what others send.
    socket.connect(query.server).await?;
    socket.send(&query.octets).await?;
    loop {
        // Nothing is held while nothing has come: thousands may wait at once.
        socket.readable().await?;
        let mut buffer = vec![0; LARGEST_DATAGRAM];
        match socket.try_recv(&mut buffer) {
            Ok(size) if lookup.received(&buffer[..size]) => return Ok(()),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
    }
}

async fn connection(query: &Query, lookup: &mut Lookup) -> io::Result<()> {
    let stream = TcpStream::connect(query.server).await?;
    let octets = with_length(&query.octets);
    let mut sent = 0;
    while sent < octets.len() {
        sent += stream.async_io(Interest::WRITABLE, || stream.try_write(&octets[sent..])).await?;
    }
    let mut incoming = Incoming::default();
    loop {
        stream.readable().await?;
        let mut buffer = vec![0; LARGEST_DATAGRAM];
        match stream.try_read(&mut buffer) {
            Ok(size) if incoming.take(&buffer[..size], lookup)? => return Ok(()),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
    }
}
