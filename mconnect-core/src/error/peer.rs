//! The other end of a session, and the attempts to connect to it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::protocol::Visible;

/// The other end of a session, shown as `mx.example.org (192.0.2.1:25)`: the name that was asked for, the address that
/// answered. Clones share their memory.
///
/// ```
/// use mconnect_core::Peer;
///
/// assert_eq!(Peer::new("mx.example.org", "192.0.2.1:25".parse().ok()).to_string(), "mx.example.org (192.0.2.1:25)");
/// assert_eq!(Peer::new("192.0.2.1", "192.0.2.1:25".parse().ok()).to_string(), "192.0.2.1:25");
/// assert_eq!(Peer::new("a child process", None).to_string(), "a child process");
/// ```
#[doc(alias = "server")]
#[doc(alias = "host")]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Peer {
    names: Arc<Names>,
    address: Option<SocketAddr>,
}

/// The names are shared by the peer of each attempt, of the session, and of every error.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Names {
    asked: Arc<str>,
    known_as: Option<Arc<str>>,
    via: Option<Arc<str>>,
}

impl Peer {
    /// Names the other end, with its address if it has one.
    pub fn new(name: impl Into<Arc<str>>, address: Option<SocketAddr>) -> Self {
        Self::known(name.into(), None, address)
    }

    /// Names the other end by the name that was asked for and the one that people know.
    pub(crate) fn known(asked: Arc<str>, known_as: Option<Arc<str>>, address: Option<SocketAddr>) -> Self {
        Self { names: Arc::new(Names { asked, known_as, via: None }), address }
    }

    /// Tells the proxy on the way, too.
    pub(crate) fn through(mut self, proxy: Arc<str>) -> Self {
        Arc::make_mut(&mut self.names).via = Some(proxy);
        self
    }

    /// Returns the name or address that was asked for, as it was given; an IPv6 address is without its brackets.
    pub fn name(&self) -> &str {
        &self.names.asked
    }

    /// Returns how people know it, if that is something else: `müller.example`, where the name is `xn--mller-kva.example`.
    pub fn known_as(&self) -> Option<&str> {
        self.names.known_as.as_deref()
    }

    /// Returns the proxy on the way, as its URL without a login, if there is one.
    pub fn via(&self) -> Option<&str> {
        self.names.via.as_deref()
    }

    /// Returns the address that was connected to, or that a proxy was asked to connect to.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }
}

impl fmt::Display for Peer {
    /// Shows `mx.example.org (192.0.2.1:25)`, or `192.0.2.1:25` if the address was what was asked for; with the name that
    /// people know, `xn--mller-kva.example (müller.example, 192.0.2.1:25)`; and the proxy on the way,
    /// `mx.example.org (via socks5h://proxy.example:1080)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Visible(self.name().as_bytes());
        let address = self.address.map(|address| address.to_string());
        let is_address = self.address.is_some_and(|address| self.name().parse() == Ok(address.ip()));
        let (first, address) = match address {
            Some(address) if is_address && self.known_as().is_none() => (address, None),
            address => (name.to_string(), address),
        };
        let known_as = self.known_as().map(|name| Visible(name.as_bytes()).to_string());
        let via = self.via().map(|proxy| format!("via {proxy}"));
        let others: Vec<String> = [known_as, address, via].into_iter().flatten().collect();
        match others.is_empty() {
            true => f.write_str(&first),
            false => write!(f, "{first} ({})", others.join(", ")),
        }
    }
}

/// An attempt to connect that failed.
///
/// ```
/// use mconnect_core::{Connect, Error};
///
/// # // Nobody listens there.
/// # let closed = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
/// let connect = Connect::new("mx.example.org", 25).addresses([closed, closed]);
/// let Err(Error::Connect { attempts, .. }) = connect.open() else {
///     panic!("nobody listens there");
/// };
/// for attempt in &attempts {
///     println!("{} after {:?}: {}", attempt.address, attempt.took, attempt.error);
/// }
/// assert_eq!(attempts.len(), 2);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The address, with its port.
    pub address: SocketAddr,
    /// Why it failed. [`TimedOut`](io::ErrorKind::TimedOut) is the system's answer, if it has a number
    /// ([`raw_os_error`](io::Error::raw_os_error)), or that of a deadline here.
    pub error: io::Error,
    /// How long it took.
    pub took: Duration,
}

/// The deadline of the whole session passed before there was one: the cause in
/// [`Error::Connect`](super::Error::Connect) and [`Error::Resolve`](super::Error::Resolve) then, of kind
/// [`TimedOut`](io::ErrorKind::TimedOut). A stage's own deadline has no such cause.
///
/// ```no_run
/// use std::time::Duration;
///
/// use mconnect_core::{Connect, DeadlinePassed, Error};
///
/// let connect = Connect::new("mx.example.org", 25).deadline(Duration::from_secs(3));
/// if let Err(Error::Connect { source, .. }) = connect.open() {
///     let is_ours = source.get_ref().is_some_and(|cause| cause.is::<DeadlinePassed>());
///     println!("{}", if is_ours { "we were in a hurry" } else { "it does not answer" });
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("timed out at the deadline of the whole session")]
pub struct DeadlinePassed;

/// The port, if there is one.
pub(super) struct At(pub u16);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { Ok(()) } else { write!(f, ", port {}", self.0) }
    }
}

/// How many others there were.
pub(super) struct Others<'a>(pub &'a [Attempt]);

impl fmt::Display for Others<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] | [_] => Ok(()),
            attempts => write!(f, ", at any of its {} addresses", attempts.len()),
        }
    }
}
