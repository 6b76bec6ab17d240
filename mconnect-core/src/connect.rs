//! Opening a connection: a name, its addresses in turn, every attempt reported.

use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6, TcpStream, ToSocketAddrs};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use crate::closer::Closer;
use crate::error::{Attempt, DeadlinePassed, Error, Peer};
use crate::observer::{Both, Event, Observer};
use crate::protocol::Limits;
use crate::session::{Session, Settings, Timeouts};
use crate::stream::Stream;

/// How to reach a server.
///
/// ```no_run
/// use mconnect_core::{Connect, Family};
///
/// let session = Connect::new("mx.example.org", 25).family(Family::V6).open()?;
/// # Ok::<(), mconnect_core::Error>(())
/// ```
#[doc(alias = "client")]
#[doc(alias = "dial")]
#[doc(alias = "netcat")]
#[doc(alias = "swaks")]
#[doc(alias = "telnet")]
#[derive(Clone)]
pub struct Connect {
    host: String,
    known_as: Option<Arc<str>>,
    port: u16,
    addresses: Option<Vec<SocketAddr>>,
    family: Family,
    source: Option<IpAddr>,
    deadline: Option<Duration>,
    settings: Settings,
}

/// Which addresses may be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Family {
    /// IPv4 and IPv6, in the resolver's order.
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

impl Connect {
    /// Names a server: a host name, an IPv4 address, or an IPv6 address with or without brackets, perhaps with a scope
    /// (`[fe80::1%eth0]`), and a port; see [`port`] for the name of one.
    pub fn new(host: &str, port: u16) -> Self {
        let host = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host);
        Self {
            host: host.to_owned(),
            known_as: None,
            port,
            addresses: None,
            family: Family::Any,
            source: None,
            deadline: None,
            settings: Settings::default(),
        }
    }

    /// Tells in messages how people know the host, too: its name in the letters of their language, where the name here is
    /// the one that is looked up, in A-labels ([RFC 5890](https://www.rfc-editor.org/rfc/rfc5890#section-2.3.2.1)).
    #[must_use]
    pub fn known_as(mut self, name: &str) -> Self {
        self.known_as = Some(name.into());
        self
    }

    /// Uses these addresses, in this order, and resolves nothing.
    #[must_use]
    pub fn addresses(mut self, addresses: impl Into<Vec<SocketAddr>>) -> Self {
        self.addresses = Some(addresses.into());
        self
    }

    /// Uses only addresses of this family.
    #[must_use]
    pub fn family(mut self, family: Family) -> Self {
        self.family = family;
        self
    }

    /// Connects from this address, and so only to addresses of its family.
    #[must_use]
    pub fn source(mut self, source: IpAddr) -> Self {
        self.source = Some(source);
        self
    }

    /// Sets how long each stage may take.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.settings.timeouts = timeouts;
        self
    }

    /// Sets how long all of it may take, beside what the stages may: resolving, connecting, every exchange, the handshake
    /// of TLS, closing. It counts from [`open`](Self::open) on; what waits then fails, and says that it was this
    /// ([`Error::Timeout`], [`DeadlinePassed`]). See [`Session::set_deadline`] for another one later.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use mconnect_core::Connect;
    /// let mut session = Connect::new("mx.example.org", 25).deadline(Duration::from_secs(5)).open()?;
    /// session.greeting()?;
    /// session.quit()?;
    /// # Ok::<(), mconnect_core::Error>(())
    /// ```
    #[must_use]
    pub fn deadline(mut self, all_of_it: Duration) -> Self {
        self.deadline = Some(all_of_it);
        self
    }

    /// Sets how much the server may send.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// Shows everything that happens, from resolving on, to this observer, too: the ones before are told first.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.settings.observer = Some(match self.settings.observer.take() {
            Some(first) => Arc::new(Both(first, observer)),
            None => Arc::new(observer),
        });
        self
    }

    /// Connects to the first address that answers. The greeting is then the first reply of the session.
    ///
    /// # Errors
    /// [`Error::Resolve`]; [`Error::Connect`] with every attempt; [`Error::Address`] if the host cannot be one.
    pub fn open(&self) -> Result<Session, Error> {
        self.open_with(&Closer::new())
    }

    /// Opens as [`open`](Self::open) does; the closer ends that, and the session after it, from another thread.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(&self, closer: &Closer) -> Result<Session, Error> {
        let settings = self.settings();
        let connect = Instant::now().checked_add(settings.timeouts.connect);
        let until = |at: Instant| at.saturating_duration_since(Instant::now());
        // What is left for connecting, and whether it is the deadline of the whole session that ends it.
        let left = || match (connect.map(until), settings.deadline.map(|(at, _)| until(at))) {
            (stage, Some(whole)) if stage.is_none_or(|stage| whole <= stage) => (whole, true),
            (stage, _) => (stage.unwrap_or(Duration::MAX), false),
        };
        let mut addresses = match &self.addresses {
            Some(addresses) => addresses.clone(),
            None => self.resolve(left(), closer)?,
        };
        addresses.retain(|address| self.is_wanted(address.ip()));

        let mut attempts = Vec::new();
        let mut rest = addresses.iter().peekable();
        while let Some(address) = rest.next() {
            let peer = self.peer(Some(*address));
            self.observe(&Event::Connecting { peer: &peer });
            let start = Instant::now();
            let (left_for_it, is_overall) = left();
            let patience = left_for_it.min(settings.timeouts.attempt);
            let attempt = self.attempt(*address, patience, closer);
            match attempt.map_err(|error| late(error, is_overall && patience == left_for_it)) {
                Ok(stream) => {
                    self.observe(&Event::Connected { peer: &peer });
                    let local = stream.local_addr().ok();
                    return Ok(Session::new(Arc::new(stream), peer, local, settings, closer.clone()));
                }
                Err(error) => {
                    let is_closed = closer.is_closed();
                    let has_next = rest.peek().is_some() && !is_closed && !left().0.is_zero();
                    self.observe(&Event::ConnectFailed { peer: &peer, error: &error, has_next });
                    attempts.push(Attempt { address: *address, error, took: start.elapsed() });
                    if !has_next {
                        break;
                    }
                }
            }
        }
        Err(self.failed(attempts))
    }

    /// Begins a session over a stream that is open already, with the settings of this; the host is its name in errors.
    /// Nothing is resolved or connected to. LMTP over a UNIX socket, say
    /// ([RFC 2033](https://www.rfc-editor.org/rfc/rfc2033)):
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use std::os::unix::net::UnixStream;
    /// # use std::io::Write as _;
    /// use std::time::Duration;
    ///
    /// use mconnect_core::{Connect, Timeouts};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let path = std::env::temp_dir().join(format!("mconnect-doc-{}", std::process::id()));
    /// # let listener = std::os::unix::net::UnixListener::bind(&path)?;
    /// # let server = std::thread::spawn(move || listener.accept().unwrap().0.write_all(b"220 lmtp ready\r\n"));
    /// let timeouts = Timeouts::default().replies(Duration::from_secs(20));
    /// let mut session = Connect::new("lmtp.sock", 24).timeouts(timeouts).over(UnixStream::connect(&path)?);
    /// assert_eq!(session.read_reply()?.require(220)?.text_lossy(), "lmtp ready");
    /// # server.join().unwrap()?;
    /// # std::fs::remove_file(path)?;
    /// # Ok(()) }
    /// # main().unwrap();
    /// # }
    /// ```
    #[doc(alias = "socketpair")]
    #[doc(alias = "unix")]
    #[doc(alias = "lmtp")]
    pub fn over(&self, stream: impl Stream + 'static) -> Session {
        let peer = self.peer(None);
        Session::new(Arc::new(stream), peer, None, self.settings(), Closer::new())
    }

    /// Returns what a session is opened with from now on.
    fn settings(&self) -> Settings {
        let deadline = self.deadline.and_then(|after| Some((Instant::now().checked_add(after)?, after)));
        Settings { deadline, ..self.settings.clone() }
    }

    fn is_wanted(&self, address: IpAddr) -> bool {
        let is_of_family = match self.family {
            Family::Any => true,
            Family::V4 => address.is_ipv4(),
            Family::V6 => address.is_ipv6(),
        };
        is_of_family && self.source.is_none_or(|source| source.is_ipv4() == address.is_ipv4())
    }

    fn attempt(&self, address: SocketAddr, timeout: Duration, closer: &Closer) -> io::Result<TcpStream> {
        let socket = Arc::new(Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?);
        socket.set_keepalive(true)?;
        socket.set_tcp_nodelay(true)?;
        if let Some(source) = self.source {
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        let closed = Arc::downgrade(&socket);
        closer.arm(move || {
            if let Some(socket) = closed.upgrade() {
                drop(socket.shutdown(std::net::Shutdown::Both));
            }
        });
        let connected = socket.connect_timeout(&address.into(), timeout.clamp(LEAST_TIMEOUT, MOST_TIMEOUT));
        if closer.is_closed() {
            return Err(closed_here());
        }
        match connected {
            // Only a connection that was open can be reset: the server may have spoken before.
            Err(error) if error.kind() != io::ErrorKind::ConnectionReset => return Err(error),
            _ => {}
        }
        match Arc::try_unwrap(socket) {
            Ok(socket) => Ok(socket.into()),
            Err(_) => Err(closed_here()),
        }
    }

    /// Resolves in a thread of its own, which is left behind at the deadline: the system's resolver has none.
    fn resolve(&self, left: (Duration, bool), closer: &Closer) -> Result<Vec<SocketAddr>, Error> {
        let (timeout, is_overall) = left;
        if let Some(literal) = self.literal() {
            return Ok(vec![literal]);
        }
        if self.host.is_empty() || self.host.contains('\0') {
            return Err(Error::Address { what: format!("{:?}", self.host), kind: "host name" });
        }
        self.observe(&Event::Resolving { host: &self.host });
        let (answer, answers) = mpsc::channel();
        let aborted = answer.clone();
        closer.arm(move || drop(aborted.send(Err(closed_here()))));
        let target = (self.host.clone(), self.port);
        let resolver = thread::Builder::new().name("resolver".to_owned());
        let spawned = resolver.spawn(move || drop(answer.send(target.to_socket_addrs().map(Vec::from_iter))));
        let resolved = match spawned {
            Ok(_) => {
                answers.recv_timeout(timeout.min(MOST_TIMEOUT)).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            }
            Err(error) => Err(error),
        };
        let resolved = resolved.map_err(|error| late(error, is_overall));
        let result = resolved.as_deref();
        self.observe(&Event::Resolved { host: &self.host, result });
        resolved.map_err(|source| Error::Resolve { peer: self.peer(None), is_temporary: is_temporary(&source), source })
    }

    fn literal(&self) -> Option<SocketAddr> {
        let scoped = || format!("[{}]:{}", self.host, self.port).parse::<SocketAddrV6>().ok().map(SocketAddr::V6);
        match self.host.parse::<IpAddr>() {
            Ok(address) => Some(SocketAddr::new(address, self.port)),
            Err(_) => scoped(),
        }
    }

    fn failed(&self, attempts: Vec<Attempt>) -> Error {
        let source = match attempts.last() {
            Some(last) => again(&last.error),
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

    fn peer(&self, address: Option<SocketAddr>) -> Peer {
        Peer::known(self.host.as_str().into(), self.known_as.clone(), address)
    }

    fn observe(&self, event: &Event<'_>) {
        if let Some(observer) = &self.settings.observer {
            observer.observe(Instant::now(), event);
        }
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("host", &self.host)
            .field("known_as", &self.known_as)
            .field("port", &self.port)
            .field("addresses", &self.addresses)
            .field("family", &self.family)
            .field("source", &self.source)
            .field("deadline", &self.deadline)
            .field("timeouts", &self.settings.timeouts)
            .field("limits", &self.settings.limits)
            .finish_non_exhaustive()
    }
}

/// Reads a port: a number from 1 to 65535, or a service name, of mail or of `/etc/services`.
///
/// # Errors
/// [`Error::Address`] if it is neither.
pub fn port(text: &str) -> Result<u16, Error> {
    let unknown =
        || Error::Address { what: format!("{text:?}"), kind: "port: a number from 1 to 65535, or a service name" };
    match text.parse::<u16>() {
        Ok(0) => Err(unknown()),
        Ok(_) if text.starts_with('+') => Err(unknown()),
        Ok(port) => Ok(port),
        Err(_) if text.is_empty() || text.bytes().all(|byte| byte.is_ascii_digit()) => Err(unknown()),
        Err(_) => match SERVICES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            Some((_, port)) => Ok(*port),
            None => port_in(&fs::read_to_string("/etc/services").unwrap_or_default(), text).ok_or_else(unknown),
        },
    }
}

/// Says that a time-out was that of the whole session, if that ended the wait.
fn late(error: io::Error, is_overall: bool) -> io::Error {
    match error.kind() {
        // The system has such errors of its own: those have a number.
        io::ErrorKind::TimedOut if is_overall && error.raw_os_error().is_none() => {
            io::Error::new(io::ErrorKind::TimedOut, DeadlinePassed)
        }
        _ => error,
    }
}

/// Makes the same error once more: the system's by its number, ours by its type.
fn again(error: &io::Error) -> io::Error {
    let overall = error.get_ref().and_then(|inner| inner.downcast_ref::<DeadlinePassed>());
    match (error.raw_os_error(), overall) {
        (Some(number), _) => io::Error::from_raw_os_error(number),
        (None, Some(passed)) => io::Error::new(error.kind(), *passed),
        (None, None) => io::Error::new(error.kind(), error.to_string()),
    }
}

fn closed_here() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "closed from this side")
}

/// Finds a TCP service, by its name or an alias, in a text like `/etc/services`.
fn port_in(services: &str, name: &str) -> Option<u16> {
    services.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let (service, port) = (words.next()?, words.next()?.strip_suffix("/tcp")?);
        let is_named = std::iter::once(service).chain(words).any(|word| word == name);
        if is_named { port.parse().ok().filter(|port| *port != 0) } else { None }
    })
}

const SERVICES: &[(&str, u16)] =
    &[("smtp", 25), ("submission", 587), ("submissions", 465), ("smtps", 465), ("lmtp", 24)];

const LEAST_TIMEOUT: Duration = Duration::from_millis(1);
/// Longer than anybody waits, and short enough for every system's calls.
const MOST_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// Says whether the resolver asks to try again later. The standard library gives its answer as text only.
fn is_temporary(error: &io::Error) -> bool {
    let text = error.to_string();
    error.kind() == io::ErrorKind::TimedOut || text.contains("emporary") || text.contains("ry again")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_numbers_or_service_names() {
        for (text, number) in
            [("25", 25), ("65535", 65535), ("submission", 587), ("SMTP", 25), ("smtps", 465), ("lmtp", 24)]
        {
            assert_eq!(port(text).unwrap(), number);
        }
        for text in ["", "0", "65536", "-1", "+x", "+25", "99999999999", "no such service", "25 "] {
            let error = port(text).unwrap_err().to_string();
            assert_eq!(error, format!("{text:?} is not a port: a number from 1 to 65535, or a service name"));
        }
    }

    #[test]
    fn a_services_file_is_searched_by_name_and_alias_for_tcp_only() {
        let services = "# comment\nsmtp 25/tcp mail\ntftp 69/udp\nodd\nqmtp\t209/tcp # submission mail\nnone 0/tcp\n";
        assert_eq!(port_in(services, "mail"), Some(25));
        assert_eq!(port_in(services, "qmtp"), Some(209));
        for name in ["tftp", "submission", "odd", "none", "comment"] {
            assert_eq!(port_in(services, name), None);
        }
    }

    #[test]
    fn literals_are_addresses_with_or_without_brackets_and_scope() {
        let literal = |host| Connect::new(host, 25).literal().map(|address| address.to_string());
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
