//! What is said on a stream before the session has it: to a proxy, for a connection through it, and the PROXY header.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use super::dial::{Dial, closed_here};
use crate::closer::Closer;
use crate::observer::{Event, Observer};
use crate::proxy::{Proxy, ProxyError, ProxyNegotiation, ProxyStep, ProxyTarget};
use crate::proxy_header::ProxyHeader;
use crate::session::drive::Drive;
use crate::stream::{Stream, is_nothing_yet};

/// A stream that no session has yet, and how long may be talked over it.
pub(super) struct Talk<'a, D: Dial> {
    pub dial: &'a D,
    pub stream: &'a D::Stream,
    pub until: Option<Instant>,
    pub closer: &'a Closer,
    pub observer: Option<&'a dyn Observer>,
}

impl<D: Dial> Talk<'_, D> {
    /// Has a proxy connect to this.
    pub async fn connect(&self, proxy: &Proxy, target: &ProxyTarget) -> io::Result<()> {
        let stream = self.stream();
        let mut negotiation = ProxyNegotiation::new(proxy, target)?;
        let mut said = Vec::new();
        let done = loop {
            match negotiation.next() {
                ProxyStep::Done => break Ok(()),
                ProxyStep::Send(octets, secret) => {
                    self.tell(&Event::RoadReceived(&said));
                    said.clear();
                    self.tell(&Event::RoadSent(&without(octets, secret)));
                    match self.send(&*stream, octets).await {
                        Ok(()) => negotiation.sent(),
                        Err(error) => break Err(self.lost(error)),
                    }
                }
                ProxyStep::Receive(room) => {
                    let mut octets = vec![0; room];
                    match self.receive(&*stream, &mut octets).await {
                        Ok(count) => {
                            said.extend_from_slice(&octets[..count]);
                            if let Err(error) = negotiation.received(&octets[..count]) {
                                break Err(error.into());
                            }
                        }
                        Err(error) => break Err(self.lost(error)),
                    }
                }
            }
        };
        self.tell(&Event::RoadReceived(&said));
        done
    }

    /// Says whom the connection is from. If it is lost meanwhile, the server may have said why before, and the error
    /// is returned by its number.
    pub async fn announce(&self, header: &ProxyHeader) -> io::Result<Option<i32>> {
        let octets = header.encode();
        self.tell(&Event::RoadSent(&octets));
        match self.send(&*self.stream(), &octets).await {
            Ok(()) => Ok(None),
            Err(_) if self.closer.is_closed() => Err(closed_here()),
            Err(error) if error.raw_os_error().is_none() => Err(error),
            Err(error) => Ok(error.raw_os_error()),
        }
    }

    /// Returns the stream, which the closer shuts down from now on.
    fn stream(&self) -> Arc<dyn Stream> {
        let stream = D::stream(self.stream);
        let closed = Arc::downgrade(&stream);
        self.closer.arm(move || {
            if let Some(stream) = closed.upgrade() {
                let _ = stream.shutdown();
            }
        });
        stream
    }

    async fn send(&self, stream: &dyn Stream, mut octets: &[u8]) -> io::Result<()> {
        while !octets.is_empty() {
            stream.set_write_timeout(crate::stream::left(self.until)?)?;
            match stream.write(octets) {
                Ok(count) => octets = &octets[count..],
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_nothing_yet(&error) => {
                    if !self.dial.drive(self.stream).writable(false, self.until).await {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        stream.set_write_timeout(None)
    }

    async fn receive(&self, stream: &dyn Stream, octets: &mut [u8]) -> io::Result<usize> {
        loop {
            stream.set_read_timeout(crate::stream::left(self.until)?)?;
            match stream.read(octets) {
                Ok(0) if self.closer.is_closed() => return Err(closed_here()),
                Ok(count) => {
                    stream.set_read_timeout(None)?;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_nothing_yet(&error) => {
                    if !self.dial.drive(self.stream).readable(self.until).await {
                        return Err(io::ErrorKind::TimedOut.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Says that it is the proxy that was lost, or is silent.
    fn lost(&self, error: io::Error) -> io::Error {
        match error.kind() {
            _ if self.closer.is_closed() => closed_here(),
            io::ErrorKind::TimedOut if error.raw_os_error().is_none() => ProxyError::Silent.into(),
            _ => ProxyError::Lost(error).into(),
        }
    }

    fn tell(&self, event: &Event<'_>) {
        match (self.observer, event) {
            (_, Event::RoadReceived([])) | (None, _) => {}
            (Some(observer), event) => observer.observe(Instant::now(), event),
        }
    }
}

/// Puts stars in the place of what is secret, as many whatever that is.
fn without(octets: &[u8], (start, end): (usize, usize)) -> Vec<u8> {
    match start < end {
        true => [&octets[..start], b"********", &octets[end..]].concat(),
        false => octets.to_vec(),
    }
}
