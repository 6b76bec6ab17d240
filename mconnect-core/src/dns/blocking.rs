//! Queries by calls that block.

use std::io::{self, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::Instant;

use super::error::DnsError;
use super::exchange::{Carry, Incoming, LARGEST_DATAGRAM, any_port, left, run, with_length};
use super::found::Found;
use super::lookup::{Lookup, Query, Transport};
use super::records::Record;
use super::resolver::Resolver;
use crate::session::drive::ready;

impl Resolver {
    /// Looks up records of a name: `ask::<Mx>("example.org")`. This blocks; `ask_async` (feature `tokio`) does not.
    ///
    /// # Errors
    /// [`DnsError`] if no server answers; that there is nothing is no error.
    pub fn ask<R: Record>(&self, name: &str) -> Result<Found<R>, DnsError> {
        let found = ready(run(self.lookup(name, R::KIND)?, self.whole, &Blocking))?;
        Ok(found.map(R::from_data))
    }
}

/// Waits by the sockets' time-outs.
struct Blocking;

impl Carry for Blocking {
    async fn carry(&self, query: Query, until: Instant, lookup: &mut Lookup) -> io::Result<()> {
        let carried = match query.transport {
            Transport::Udp => datagrams(&query, until, lookup),
            Transport::Tcp => connection(&query, until, lookup),
        };
        carried.map_err(late)
    }
}

fn datagrams(query: &Query, until: Instant, lookup: &mut Lookup) -> io::Result<()> {
    let socket = UdpSocket::bind(any_port(query.server))?;
    // The system keeps off what others send.
    socket.connect(query.server)?;
    socket.send(&query.octets)?;
    let mut buffer = vec![0; LARGEST_DATAGRAM];
    loop {
        socket.set_read_timeout(Some(left(until)?))?;
        match socket.recv(&mut buffer) {
            Ok(size) if lookup.received(&buffer[..size]) => return Ok(()),
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
    }
}

fn connection(query: &Query, until: Instant, lookup: &mut Lookup) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&query.server, left(until)?)?;
    stream.set_write_timeout(Some(left(until)?))?;
    stream.write_all(&with_length(&query.octets))?;
    let (mut incoming, mut buffer) = (Incoming::default(), vec![0; LARGEST_DATAGRAM]);
    loop {
        stream.set_read_timeout(Some(left(until)?))?;
        match stream.read(&mut buffer) {
            Ok(size) if incoming.take(&buffer[..size], lookup)? => return Ok(()),
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
    }
}

/// A socket whose time is up says that it would block.
fn late(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock { io::ErrorKind::TimedOut.into() } else { error }
}
