//! The PROXY header of a client.

use std::io;
use std::time::{Duration, Instant};

use crate::proxy_header::{InvalidProxyHeader, ProxyHeader, ProxyHeaderParse};
use crate::stream::{Stream, left};

/// Reads a header within this time, and no octet behind it: that may be the first of TLS.
pub(super) fn read(stream: &dyn Stream, patience: Duration) -> io::Result<Result<ProxyHeader, InvalidProxyHeader>> {
    let (until, mut octets) = (Instant::now().checked_add(patience), Vec::new());
    loop {
        let needs = match ProxyHeader::parse(&octets) {
            Ok(ProxyHeaderParse::Whole(header, _)) => return Ok(Ok(header)),
            Ok(ProxyHeaderParse::Needs(needs)) => needs,
            Err(invalid) => return Ok(Err(invalid)),
        };
        let before = octets.len();
        octets.resize(before + needs, 0);
        stream.set_read_timeout(left(until)?)?;
        match stream.read(&mut octets[before..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => octets.truncate(before + count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => octets.truncate(before),
            Err(error) => return Err(error),
        }
    }
}
