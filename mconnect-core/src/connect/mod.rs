//! Opening a connection: a name, its addresses in turn, every attempt reported.
//!
//! ```text
//!   Connect ── open, open_with ────────► Blocking ─┐
//!           ── open_async, ..._with ───► Awaiting ─┴─ Dial ──► opening: resolve ──► attempt, attempt, ... ──► Session
//!                                                               the road of an attempt: network, unix, process
//!           ── over, over_async ───────────────────────────────────────────────────────────────────────────► Session
//! ```
//! What is set here is plain data, and touches nothing; the loop over the addresses is one, and waits in the two calls
//! of a [`Dial`](dial::Dial).

mod blocking;
mod dial;
mod opening;
mod port;
#[cfg(unix)]
mod process;
mod road;
mod through;
#[cfg(feature = "tokio")]
mod tokio;
#[cfg(unix)]
mod unix;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::closer::Closer;
use crate::error::{Error, Peer};
use crate::observer::{Both, Event, Observer};
use crate::protocol::Limits;
use crate::proxy::Proxy;
use crate::proxy_header::ProxyHeader;
use crate::session::drive::{Blocking, ready};
use crate::session::{Session, Settings, Timeouts};
use crate::stream::Stream;
use opening::Opened;
pub use port::port;
use road::Road;

/// How to reach a server, and what the session with it is to be like. Nothing happens before it is opened, and it may
/// be opened again and again: keep one, or clones of it, for each server.
///
/// ```no_run
/// use mconnect_core::{Connect, Family};
///
/// let session = Connect::new("mx.example.org", 25).family(Family::V6).open()?;
/// # Ok::<(), mconnect_core::Error>(())
/// ```
///
/// | | by default |
/// |---|---|
/// | [`family`](Self::family), [`addresses`](Self::addresses), [`source`](Self::source) | every address that the system's resolver returns, in its order, from any of this machine's |
/// | [`timeouts`](Self::timeouts) | those of RFC 5321: see [`Timeouts`] |
/// | [`deadline`](Self::deadline) | none, beside those of the stages |
/// | [`limits`](Self::limits) | 64 KiB a line, 10,000 lines and 4 MiB a reply: see [`Limits`] |
/// | [`observer`](Self::observer) | nobody |
///
/// # How it is opened
/// ```text
///   name ──► resolve ──► addresses, those of the family that is wanted
///                             │ the first
///                             ▼
///                    attempt: 30 s each, 2 min in all ── connected ──► Session; the greeting is due
///                             │ failed
///                             ▼
///                         the next ... ──► Error::Connect, with every attempt
/// ```
/// [`unix`](Self::unix) and [`spawn`](Self::spawn) lead to a socket of this machine's, and to a process of one's own, with
/// the same deadlines, events and errors; [`via`](Self::via) through a proxy, and [`haproxy`](Self::haproxy) says first whom
/// the connection is from.
///
/// Addresses are tried one after the other, never two at once. Each socket has keep-alive set, so that a server that is
/// gone is found out in the end, and its small writes are not held back (TCP_NODELAY).
///
/// MX records are not looked up: the host is the server, and not the domain of a mail address (the module `dns` has those,
/// with the feature of that name). To try several servers,
/// ask [`Error::has_sent`](crate::Error::has_sent) and [`is_temporary`](crate::Error::is_temporary) of the error:
///
/// ```
/// # #[cfg(feature = "server")] {
/// # let server = mconnect_core::server::Server::start()?;
/// # // Nobody listens there.
/// # let nobody = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
/// use mconnect_core::{Connect, Error};
///
/// let mut session = None;
/// for (host, port) in [("127.0.0.1", nobody), ("127.0.0.1", server.port())] {
///     match Connect::new(host, port).open() {
///         Ok(opened) => session = Some(opened),
///         Err(error @ Error::Connect { .. }) if !error.has_sent() => eprintln!("{}", error.chain()),
///         Err(error) => return Err(error.into()),
///     }
/// }
/// assert!(session.is_some());
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "client")]
#[doc(alias = "dial")]
#[doc(alias = "netcat")]
#[doc(alias = "swaks")]
#[doc(alias = "telnet")]
#[derive(Clone)]
pub struct Connect {
    road: Road,
    host: String,
    known_as: Option<Arc<str>>,
    port: u16,
    addresses: Option<Vec<SocketAddr>>,
    family: Family,
    source: Option<IpAddr>,
    deadline: Option<Duration>,
    proxy: Option<Arc<Proxy>>,
    header: Option<ProxyHeader>,
    settings: Settings,
}

/// Which addresses may be used. An address literal of the other family is not connected to, either.
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
    /// (`[fe80::1%eth0]`), and a port; see [`port`](fn@port) for the name of one. A name goes to the system's resolver
    /// as it is: one in other letters than ASCII has to be in A-labels before (see [`known_as`](Self::known_as)).
    /// Whether it can be one at all is seen when it is opened.
    pub fn new(host: &str, port: u16) -> Self {
        let host = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(host);
        Self::by(Road::Network, host.to_owned(), port)
    }

    fn by(road: Road, host: String, port: u16) -> Self {
        Self {
            road,
            host,
            known_as: None,
            port,
            addresses: None,
            family: Family::Any,
            source: None,
            deadline: None,
            proxy: None,
            header: None,
            settings: Settings::default(),
        }
    }

    /// Names another server, as [`new`](Self::new) does, to be connected to in the same way: for the exchangers of a
    /// domain, one after the other.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// use std::time::Duration;
    ///
    /// use mconnect_core::Connect;
    ///
    /// let connect = Connect::new("nobody.invalid", 25).deadline(Duration::from_secs(10));
    /// let session = connect.clone().to("127.0.0.1", server.port()).open()?;
    /// assert_eq!(session.peer().address(), Some(server.address()));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to(self, host: &str, port: u16) -> Self {
        let Self { road, host, .. } = Self::new(host, port);
        Self { road, host, port, known_as: None, addresses: None, ..self }
    }

    /// Tells in messages how people know the host, too: its name in the letters of their language, where the name here
    /// is the one that is looked up, in A-labels ([RFC 5890](https://www.rfc-editor.org/rfc/rfc5890#section-2.3.2.1)).
    ///
    /// ```
    /// use mconnect_core::Connect;
    ///
    /// let connect = Connect::new("xn--mller-kva.invalid", 25).known_as("m\u{fc}ller.invalid").addresses([]);
    /// let error = connect.open().unwrap_err();
    /// assert_eq!(error.to_string(), "cannot connect to xn--mller-kva.invalid (m\u{fc}ller.invalid), port 25");
    /// ```
    #[must_use]
    pub fn known_as(mut self, name: &str) -> Self {
        self.known_as = Some(name.into());
        self
    }

    /// Uses these addresses, in this order, and resolves nothing; their ports count, and the one of [`new`](Self::new)
    /// is for messages only. Those of a [`family`](Self::family) that is not wanted are left out. For a resolver of
    /// one's own, for a test that is to meet a server by its real name:
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// use mconnect_core::Connect;
    ///
    /// let mut session = Connect::new("mx.example.org", 25).addresses([server.address()]).open()?;
    /// session.greeting()?.require(220)?;
    /// assert_eq!(session.peer().name(), "mx.example.org");
    /// assert_eq!(session.peer().address(), Some(server.address()));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "resolver")]
    #[doc(alias = "hosts")]
    #[must_use]
    pub fn addresses(mut self, addresses: impl Into<Vec<SocketAddr>>) -> Self {
        self.addresses = Some(addresses.into());
        self
    }

    /// Uses only addresses of this family. If there is none, opening fails with an [`Error::Connect`] that has no
    /// attempts.
    #[must_use]
    pub fn family(mut self, family: Family) -> Self {
        self.family = family;
        self
    }

    /// Connects from this address, which has to be one of this machine, and so only to addresses of its family. The
    /// port is the system's choice. If it is none of this machine, each attempt fails with
    /// [`AddrNotAvailable`](std::io::ErrorKind::AddrNotAvailable).
    #[doc(alias = "bind")]
    #[must_use]
    pub fn source(mut self, source: IpAddr) -> Self {
        self.source = Some(source);
        self
    }

    /// Sets how long each stage may take: connecting, and all of the session after it.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.settings.timeouts = timeouts;
        self
    }

    /// Sets how long all of it may take, beside what the stages may: resolving, connecting, every exchange, the
    /// handshake of TLS, closing. It counts from [`open`](Self::open) on, anew each time; what waits then fails, and
    /// says that it was this ([`Error::Timeout`], [`DeadlinePassed`](crate::DeadlinePassed)). See
    /// [`Session::set_deadline`] for another one later. For a probe that has to be over in time:
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use mconnect_core::Connect;
    /// let mut session = Connect::new("mx.example.org", 25).deadline(Duration::from_secs(5)).open()?;
    /// session.greeting()?;
    /// session.quit()?;
    /// # Ok::<(), mconnect_core::Error>(())
    /// ```
    #[doc(alias = "timeout")]
    #[must_use]
    pub fn deadline(mut self, all_of_it: Duration) -> Self {
        self.deadline = Some(all_of_it);
        self
    }

    /// Sets how much the server may send for one line and one reply. What is more is an [`Error::Limit`].
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// Shows everything that happens, from resolving on, to this observer, too: the ones before are told first. All
    /// sessions that this opens, and its clones, tell the same ones.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// use mconnect_core::dialogue::Recorder;
    /// use mconnect_core::{Connect, Timings};
    ///
    /// let (timings, recorder) = (Timings::new(), Recorder::new());
    /// let connect = Connect::new("127.0.0.1", server.port()).observer(timings.clone()).observer(recorder.clone());
    /// let mut session = connect.open()?;
    /// session.greeting()?;
    /// session.quit()?;
    /// assert_eq!(timings.all().len(), 3, "connecting, the greeting, QUIT");
    /// assert!(recorder.text().contains("C: QUIT"));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "log")]
    #[doc(alias = "trace")]
    #[must_use]
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.settings.observer = Some(match self.settings.observer.take() {
            Some(first) => Arc::new(Both(first, observer)),
            None => Arc::new(observer),
        });
        self
    }

    /// Connects to the first address that answers. The greeting is then the first reply of the session, and is not read
    /// yet: TLS from the first byte on would come before it. This blocks; `open_async` (feature `tokio`) does not.
    ///
    /// The system's resolver has no deadline of its own: it works in a thread, which is left behind when the time is
    /// up, and ends when the resolver does.
    ///
    /// # Errors
    /// [`Error::Resolve`] if the name has no address, or the resolver did not answer in time; [`Error::Connect`] with
    /// every attempt; [`Error::Address`] if the host cannot be one: it is empty, or holds a NUL.
    pub fn open(&self) -> Result<Session, Error> {
        self.open_with(&Closer::new())
    }

    /// Opens as [`open`](Self::open) does; the closer ends that, and the session after it, from another thread. A
    /// closer that was closed before ends it at once.
    ///
    /// ```
    /// use std::io::ErrorKind;
    ///
    /// use mconnect_core::{Closer, Connect, Error};
    ///
    /// let closer = Closer::new();
    /// closer.close();
    /// match Connect::new("mx.example.org", 25).open_with(&closer) {
    ///     Err(Error::Resolve { source, .. }) => assert_eq!(source.kind(), ErrorKind::ConnectionAborted),
    ///     other => panic!("{other:?}"),
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`open`](Self::open); what the closer ends fails with
    /// [`ConnectionAborted`](std::io::ErrorKind::ConnectionAborted) as its cause.
    pub fn open_with(&self, closer: &Closer) -> Result<Session, Error> {
        let Opened { stream: (stream, local), peer, settings } = ready(self.open_by(&Blocking, closer))?;
        Ok(Session::new(stream, peer, local, settings, closer.clone()))
    }

    /// Begins a session over a stream that is open already, with the settings of this; the host is its name in errors.
    /// Nothing is resolved or connected to, and the observer is told of neither; a [`deadline`](Self::deadline) counts
    /// from now on. A server in a test, say:
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use std::io::Write as _;
    /// use std::os::unix::net::UnixStream;
    /// use std::time::Duration;
    ///
    /// use mconnect_core::{Connect, Timeouts};
    ///
    /// let (ours, mut theirs) = UnixStream::pair()?;
    /// theirs.write_all(b"220 lmtp ready\r\n")?;
    /// let timeouts = Timeouts::default().replies(Duration::from_secs(20));
    /// let mut session = Connect::new("a server in a test", 24).timeouts(timeouts).over(ours);
    /// assert_eq!(session.read_reply()?.require(220)?.text_lossy(), "lmtp ready");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "socketpair")]
    pub fn over(&self, stream: impl Stream + 'static) -> Session {
        let peer = self.peer(None);
        Session::new(Arc::new(stream), peer, None, self.settings(), Closer::new())
    }

    /// Returns what a session is opened with from now on: the deadline of the whole begins here.
    fn settings(&self) -> Settings {
        let deadline = self.deadline.and_then(|after| Some((Instant::now().checked_add(after)?, after)));
        Settings { deadline, ..self.settings.clone() }
    }

    /// Returns the other end, by the names that it has here.
    fn peer(&self, address: Option<SocketAddr>) -> Peer {
        let peer = Peer::known(self.host.as_str().into(), self.known_as.clone(), address);
        match (&self.road, &self.proxy) {
            (Road::Network, Some(proxy)) => peer.through(proxy.to_string().into()),
            _ => peer,
        }
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
            .field("road", &self.road)
            .field("host", &self.host)
            .field("known_as", &self.known_as)
            .field("port", &self.port)
            .field("addresses", &self.addresses)
            .field("family", &self.family)
            .field("source", &self.source)
            .field("deadline", &self.deadline)
            .field("proxy", &self.proxy)
            .field("header", &self.header)
            .field("timeouts", &self.settings.timeouts)
            .field("limits", &self.settings.limits)
            .finish_non_exhaustive()
    }
}
