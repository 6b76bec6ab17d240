//! The way to a connection: the name, its addresses in turn, the road to each, and what is left of the time.
//!
//! Two deadlines bound it: that of the stage ([`Timeouts::connect`](crate::Timeouts::connect)), and that of the whole
//! session. Which of them ended a wait is in the cause of the error: a [`DeadlinePassed`] is the latter.

use std::any::Any;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::dial::{Dial, MOST_TIMEOUT};
use super::road::Road;
use super::through::Talk;
#[cfg(unix)]
use super::unix;
use super::{Connect, Family};
use crate::closer::Closer;
use crate::error::{Attempt, DeadlinePassed, Error, Peer, chain};
use crate::observer::Event;
use crate::proxy::{Proxy, ProxyError, ProxyTarget};
use crate::proxy_header::ProxyHeader;
use crate::session::Settings;
use crate::stream::LEAST_TIMEOUT;

/// A stream to the server, and what the session over it is opened with.
pub(super) struct Opened<S> {
    pub stream: S,
    pub peer: Peer,
    pub settings: Settings,
}

/// What an attempt has led to.
struct Reached<S> {
    stream: S,
    /// How the connection was lost since it was open.
    lost: Option<i32>,
    /// What ends with the session.
    held: Option<Arc<dyn Any + Send + Sync>>,
    /// Who is at the other end, as far as that shows only now.
    known_as: Option<Arc<str>>,
}

impl<S> From<(S, Option<i32>)> for Reached<S> {
    fn from((stream, lost): (S, Option<i32>)) -> Self {
        Self { stream, lost, held: None, known_as: None }
    }
}

/// What is left of the time.
struct Time {
    connect: Option<Instant>,
    overall: Option<Instant>,
}

impl Time {
    fn new(settings: &Settings) -> Self {
        let connect = Instant::now().checked_add(settings.timeouts.connect);
        Self { connect, overall: settings.deadline.map(|(at, _)| at) }
    }

    /// Returns what is left for connecting, and whether it is the deadline of the whole session that ends it.
    fn left(&self) -> (Duration, bool) {
        let until = |at: Instant| at.saturating_duration_since(Instant::now());
        match (self.connect.map(until), self.overall.map(until)) {
            (stage, Some(whole)) if stage.is_none_or(|stage| whole <= stage) => (whole, true),
            (stage, _) => (stage.unwrap_or(Duration::MAX), false),
        }
    }
}

impl Connect {
    /// Takes the road to the first address that answers, or the only one there is, whoever waits for that. A further
    /// attempt is not begun when no time is left for it.
    pub(super) async fn open_by<D: Dial>(&self, dial: &D, closer: &Closer) -> Result<Opened<D::Stream>, Error> {
        let settings = self.settings();
        let time = Time::new(&settings);
        let stops: Vec<Option<SocketAddr>> = match (&self.road, &self.addresses) {
            (Road::Network, Some(addresses)) => self.wanted(addresses.clone()),
            // The proxy resolves it.
            (Road::Network, None) if self.is_resolved_elsewhere() => vec![None],
            (Road::Network, None) => self.wanted(self.resolve(dial, time.left(), closer).await?),
            #[cfg(unix)]
            _ => vec![None],
        };
        let (mut attempts, mut last) = (Vec::new(), None);
        let mut rest = stops.into_iter().peekable();
        while let Some(address) = rest.next() {
            let peer = self.peer(address);
            self.observe(&Event::Connecting { peer: &peer });
            let start = Instant::now();
            let (left, is_overall) = time.left();
            let patience = left.min(settings.timeouts.attempt);
            let reached = self.reach(dial, address, patience, &settings, closer).await;
            match reached.map_err(|error| late(error, is_overall && patience == left)) {
                Ok(Reached { stream, lost, held, known_as }) => {
                    let peer = known_as.map_or(peer, |name| Peer::known(self.host.as_str().into(), Some(name), None));
                    self.observe(&Event::Connected { peer: &peer });
                    return Ok(Opened { stream, peer, settings: Settings { lost, held, ..settings } });
                }
                Err(error) => {
                    let is_closed = closer.is_closed();
                    let has_next = rest.peek().is_some() && !is_closed && !time.left().0.is_zero();
                    self.observe(&Event::ConnectFailed { peer: &peer, error: &error, has_next });
                    let (again, took) = (again(&error), start.elapsed());
                    attempts.extend(address.map(|address| Attempt { address, error: again, took }));
                    last = Some(error);
                    if !has_next {
                        break;
                    }
                }
            }
        }
        Err(self.failed(attempts, last))
    }

    /// Takes the road of one attempt.
    async fn reach<D: Dial>(
        &self,
        dial: &D,
        address: Option<SocketAddr>,
        patience: Duration,
        settings: &Settings,
        closer: &Closer,
    ) -> io::Result<Reached<D::Stream>> {
        let until = Instant::now().checked_add(patience);
        let mut reached = match (&self.road, &self.proxy, address) {
            (Road::Network, Some(proxy), _) => {
                // What is rare is on the heap: most futures that open have none of it.
                Box::pin(self.go_through(dial, proxy, address, until, settings, closer)).await?
            }
            (Road::Network, None, Some(address)) => self.attempt(dial, address, patience, closer).await?.into(),
            (Road::Network, None, None) => return Err(io::ErrorKind::AddrNotAvailable.into()),
            #[cfg(unix)]
            (Road::Unix(path, name), ..) => {
                let socket = Box::pin(unix::connect(dial, path, until, closer)).await?;
                let fd = std::os::fd::AsFd::as_fd(&socket);
                let known_as = name.as_ref().and_then(|name| name(fd)).map(Arc::from);
                Reached { stream: dial.adopt(socket)?, lost: None, held: None, known_as }
            }
            #[cfg(unix)]
            (Road::Process(process), ..) => {
                let (observer, grace) = (settings.observer.clone(), settings.timeouts.closing);
                let (socket, running) = process.start(observer, grace, D::BLOCKS)?;
                let held: Option<Arc<dyn Any + Send + Sync>> = Some(Arc::new(running));
                Reached { stream: dial.adopt(socket)?, lost: None, held, known_as: None }
            }
        };
        if let (Some(header), None) = (&self.header, reached.lost) {
            let announced = self.announce(dial, &reached.stream, header, address, until, closer);
            reached.lost = Box::pin(announced).await?;
        }
        Ok(reached)
    }

    /// Says whom the connection is from, and where it went, if nobody says otherwise.
    async fn announce<D: Dial>(
        &self,
        dial: &D,
        stream: &D::Stream,
        header: &ProxyHeader,
        address: Option<SocketAddr>,
        until: Option<Instant>,
        closer: &Closer,
    ) -> io::Result<Option<i32>> {
        let header = ProxyHeader { to: header.to.or(address), ..*header };
        let observer = self.settings.observer.as_deref();
        Talk { dial, stream, until, closer, observer }.announce(&header).await
    }

    /// Connects to a proxy, at whichever of its addresses answers, and has it connect to the server.
    async fn go_through<D: Dial>(
        &self,
        dial: &D,
        proxy: &Proxy,
        address: Option<SocketAddr>,
        until: Option<Instant>,
        settings: &Settings,
        closer: &Closer,
    ) -> io::Result<Reached<D::Stream>> {
        let left = || until.map_or(MOST_TIMEOUT, |until| until.saturating_duration_since(Instant::now()));
        let unreachable = |error: io::Error| match error.kind() {
            _ if closer.is_closed() => error,
            _ => ProxyError::Unreachable(error).into(),
        };
        let addresses = match literal(proxy.host(), proxy.port()) {
            Some(address) => vec![address],
            None => {
                dial.resolve(proxy.host(), proxy.port(), left().min(MOST_TIMEOUT), closer).await.map_err(unreachable)?
            }
        };
        let mut connected = Err(io::Error::new(io::ErrorKind::AddrNotAvailable, "it has no address that can be used"));
        let is_of_source = |address: &&SocketAddr| self.source.is_none_or(|own| own.is_ipv4() == address.is_ipv4());
        for address in addresses.iter().filter(is_of_source) {
            connected = self.attempt(dial, *address, left(), closer).await;
            if connected.is_ok() || closer.is_closed() || left().is_zero() {
                break;
            }
        }
        let (stream, _) = connected.map_err(unreachable)?;
        let target = match address {
            Some(address) => ProxyTarget::Address(address),
            None => ProxyTarget::Name(self.host.clone(), self.port),
        };
        let talk = Talk { dial, stream: &stream, until, closer, observer: settings.observer.as_deref() };
        talk.connect(proxy, &target).await?;
        Ok((stream, None).into())
    }

    /// Says whether the name of the host is for a proxy to resolve.
    fn is_resolved_elsewhere(&self) -> bool {
        self.proxy.as_ref().is_some_and(|proxy| proxy.resolves()) && literal(&self.host, self.port).is_none()
    }

    /// Leaves out what is not wanted.
    fn wanted(&self, addresses: Vec<SocketAddr>) -> Vec<Option<SocketAddr>> {
        addresses.into_iter().filter(|address| self.is_wanted(address.ip())).map(Some).collect()
    }

    /// Says whether an address is of the family that was asked for, and of that of the source, unless that is for a
    /// proxy.
    fn is_wanted(&self, address: IpAddr) -> bool {
        let is_of_family = match self.family {
            Family::Any => true,
            Family::V4 => address.is_ipv4(),
            Family::V6 => address.is_ipv6(),
        };
        let source = self.source.filter(|_| self.proxy.is_none());
        is_of_family && source.is_none_or(|source| source.is_ipv4() == address.is_ipv4())
    }

    /// Connects to one address. The socket is made here, so that what is set on it is the same however it waits.
    async fn attempt<D: Dial>(
        &self,
        dial: &D,
        address: SocketAddr,
        timeout: Duration,
        closer: &Closer,
    ) -> io::Result<(D::Stream, Option<i32>)> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_keepalive(true)?;
        socket.set_tcp_nodelay(true)?;
        if let Some(source) = self.source {
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        dial.connect(socket, address, timeout.clamp(LEAST_TIMEOUT, MOST_TIMEOUT), closer).await
    }

    /// Returns the addresses of the host, which may be one itself. An observer is told only of a name that is looked
    /// up.
    async fn resolve(
        &self,
        dial: &impl Dial,
        left: (Duration, bool),
        closer: &Closer,
    ) -> Result<Vec<SocketAddr>, Error> {
        let (timeout, is_overall) = left;
        if let Some(literal) = literal(&self.host, self.port) {
            return Ok(vec![literal]);
        }
        if self.host.is_empty() || self.host.contains('\0') {
            return Err(Error::Address { what: format!("{:?}", self.host), kind: "host name" });
        }
        self.observe(&Event::Resolving { host: &self.host });
        let resolved = dial.resolve(&self.host, self.port, timeout.min(MOST_TIMEOUT), closer).await;
        let resolved = resolved.map_err(|error| late(error, is_overall));
        let result = resolved.as_deref();
        self.observe(&Event::Resolved { host: &self.host, result });
        resolved.map_err(|source| Error::Resolve { peer: self.peer(None), is_temporary: is_temporary(&source), source })
    }

    /// Makes the error of all attempts. Its cause is that of the last one; where there was none, that no address was
    /// wanted.
    fn failed(&self, attempts: Vec<Attempt>, last: Option<io::Error>) -> Error {
        let source = match last {
            Some(last) => last,
            None => {
                let family = match (self.family, self.source) {
                    (Family::V4, _) | (Family::Any, Some(IpAddr::V4(_))) => "IPv4",
                    (Family::V6, _) | (Family::Any, Some(IpAddr::V6(_))) => "IPv6",
                    (Family::Any, None) => "internet",
                };
                io::Error::new(io::ErrorKind::AddrNotAvailable, format!("it has no {family} address"))
            }
        };
        Error::Connect { peer: self.peer(None), port: self.port, attempts, source }
    }
}

/// Returns the address that a host is, if it is one. The standard library reads a scope only where a port follows, and
/// only as a number; a scope by name is the resolver's.
fn literal(host: &str, port: u16) -> Option<SocketAddr> {
    let scoped = || format!("[{host}]:{port}").parse::<SocketAddrV6>().ok().map(SocketAddr::V6);
    match host.parse::<IpAddr>() {
        Ok(address) => Some(SocketAddr::new(address, port)),
        Err(_) => scoped(),
    }
}

/// Says that a time-out was that of the whole session, if that ended the wait. The system has time-outs of its own,
/// which stay what they are.
fn late(error: io::Error, is_overall: bool) -> io::Error {
    match error.kind() {
        // The system has such errors of its own: those have a number.
        io::ErrorKind::TimedOut if is_overall && error.raw_os_error().is_none() => {
            io::Error::new(io::ErrorKind::TimedOut, DeadlinePassed)
        }
        _ => error,
    }
}

/// Makes the same error once more, since an error of the system cannot be cloned: the system's by its number, ours by
/// its type.
fn again(error: &io::Error) -> io::Error {
    let overall = error.get_ref().and_then(|inner| inner.downcast_ref::<DeadlinePassed>());
    match (error.raw_os_error(), overall) {
        (Some(number), _) => io::Error::from_raw_os_error(number),
        (None, Some(passed)) => io::Error::new(error.kind(), *passed),
        (None, None) => io::Error::new(error.kind(), chain(error)),
    }
}

/// Says whether the resolver asks to try again later. The standard library has its answer as text only.
fn is_temporary(error: &io::Error) -> bool {
    let text = error.to_string();
    error.kind() == io::ErrorKind::TimedOut || text.contains("emporary") || text.contains("ry again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_addresses_with_or_without_brackets_and_scope() {
        let literal = |host| literal(&Connect::new(host, 25).host, 25).map(|address| address.to_string());
        assert_eq!(literal("192.0.2.1").as_deref(), Some("192.0.2.1:25"));
        assert_eq!(literal("::1").as_deref(), Some("[::1]:25"));
        assert_eq!(literal("[2001:db8::1]").as_deref(), Some("[2001:db8::1]:25"));
        assert_eq!(literal("[fe80::1%3]").as_deref(), Some("[fe80::1%3]:25"));
        assert_eq!(literal("mx.example.org"), None);
        assert_eq!(literal("192.0.2"), None);
    }

    #[test]
    fn a_resolver_that_asks_to_try_again_is_told_from_one_that_knows_no_such_name() {
        let of = |text: &str| is_temporary(&io::Error::other(text.to_owned()));
        assert!(of("failed to lookup address information: Temporary failure in name resolution"));
        assert!(of("failed to lookup address information: Try again"));
        assert!(!of("failed to lookup address information: Name or service not known"));
    }
}
