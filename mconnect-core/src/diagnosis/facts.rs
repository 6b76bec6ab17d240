//! What the caller knows of the machine and of what was asked for.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// What is known besides the session: about the machine, and about what was asked for. All of it may be left out; what is
/// not known is not told.
///
/// ```
/// use mconnect_core::diagnosis::Facts;
///
/// let facts = Facts::new().port(587).sends_at_once(true);
/// assert_eq!(facts.port, Some(587));
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Facts {
    /// The port, where it is another than the one that was connected to: behind a forwarder, for one.
    pub port: Option<u16>,
    /// The host as it was written.
    pub typed_host: Option<String>,
    /// The whole name that the resolver made of it.
    pub resolved_name: Option<String>,
    /// The address to connect from that was asked for.
    pub source: Option<IpAddr>,
    /// The session was to begin with TLS.
    pub is_tls_first: bool,
    /// TLS was to be started by STARTTLS.
    pub is_tls_asked: bool,
    /// Lines were sent without waiting for replies.
    pub sends_at_once: bool,
    /// Servers that are not proven were to be accepted.
    pub accepts_any_certificate: bool,
    /// A client certificate was given.
    pub has_certificate: bool,
    /// Another address of this machine on which the port is answered.
    pub also_listening: Option<SocketAddr>,
    /// The addresses of this machine.
    pub local_addresses: Vec<IpAddr>,
    /// Whether there is a route for IPv6.
    pub has_route6: Option<bool>,
    /// The process is in a container.
    pub is_in_container: bool,
    naming: Option<fn(Act) -> &'static str>,
}

/// What a caller may do about a cause: the texts name it in the words that the caller [has for it](Facts::naming).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Act {
    /// To use addresses of either family.
    AnyFamily,
    /// To use IPv4 only.
    V4,
    /// To connect from an address of this machine.
    Source,
    /// To begin with TLS.
    Tls,
    /// To start TLS by STARTTLS.
    StartTls,
    /// To give another name in EHLO.
    Helo,
    /// To wait for each reply.
    Wait,
    /// To authenticate.
    Auth,
    /// To trust the authority, or the certificate, that the server showed.
    Trust,
    /// To verify another name.
    TlsName,
    /// To show a certificate of one's own.
    Certificate,
}

impl Facts {
    /// Knows nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the port that counts.
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        Self { port: Some(port), ..self }
    }

    /// Sets the host as it was written, and the whole name that the resolver made of it.
    #[must_use]
    pub fn host(self, typed: &str, resolved: Option<&str>) -> Self {
        Self { typed_host: Some(typed.to_owned()), resolved_name: resolved.map(str::to_owned), ..self }
    }

    /// Sets the address to connect from.
    #[must_use]
    pub fn source(self, source: IpAddr) -> Self {
        Self { source: Some(source), ..self }
    }

    /// Sets whether the session was to begin with TLS.
    #[must_use]
    pub fn tls_first(self, is_tls_first: bool) -> Self {
        Self { is_tls_first, ..self }
    }

    /// Sets whether TLS was to be started by STARTTLS.
    #[must_use]
    pub fn tls_asked(self, is_tls_asked: bool) -> Self {
        Self { is_tls_asked, ..self }
    }

    /// Sets whether lines were sent without waiting.
    #[must_use]
    pub fn sends_at_once(self, sends_at_once: bool) -> Self {
        Self { sends_at_once, ..self }
    }

    /// Sets whether servers that are not proven were to be accepted.
    #[must_use]
    pub fn accepts_any_certificate(self, accepts_any_certificate: bool) -> Self {
        Self { accepts_any_certificate, ..self }
    }

    /// Sets whether a client certificate was given.
    #[must_use]
    pub fn has_certificate(self, has_certificate: bool) -> Self {
        Self { has_certificate, ..self }
    }

    /// Sets another address of this machine on which the port is answered.
    #[must_use]
    pub fn also_listening(self, address: SocketAddr) -> Self {
        Self { also_listening: Some(address), ..self }
    }

    /// Sets the addresses of this machine.
    #[must_use]
    pub fn local_addresses(self, addresses: impl Into<Vec<IpAddr>>) -> Self {
        Self { local_addresses: addresses.into(), ..self }
    }

    /// Sets whether there is a route for IPv6.
    #[must_use]
    pub fn has_route6(self, has_route6: bool) -> Self {
        Self { has_route6: Some(has_route6), ..self }
    }

    /// Sets whether the process is in a container.
    #[must_use]
    pub fn in_container(self, is_in_container: bool) -> Self {
        Self { is_in_container, ..self }
    }

    /// Sets what the caller has for each act, such as an option: `use --starttls`, say, for [`Act::StartTls`].
    #[must_use]
    pub fn naming(self, naming: fn(Act) -> &'static str) -> Self {
        Self { naming: Some(naming), ..self }
    }

    pub(super) fn name(&self, act: Act) -> &'static str {
        self.naming.map_or_else(|| act.in_words(), |naming| naming(act))
    }

    /// Says whether an address is one of this machine.
    pub(super) fn is_here(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.local_addresses.contains(&address)
    }
}

impl Act {
    /// Returns the act in words that hold for any caller.
    pub fn in_words(self) -> &'static str {
        match self {
            Self::AnyFamily => "allow IPv4 and IPv6",
            Self::V4 => "use IPv4 only",
            Self::Source => "connect from an address that it has",
            Self::Tls => "begin with TLS",
            Self::StartTls => "start TLS with STARTTLS",
            Self::Helo => "give another name",
            Self::Wait => "wait for each reply",
            Self::Auth => "authenticate",
            Self::Trust => "trust that authority's certificate, or pin the server's key, if it is the right one",
            Self::TlsName => "verify another name",
            Self::Certificate => "give one",
        }
    }
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts")
            .field("port", &self.port)
            .field("typed_host", &self.typed_host)
            .field("resolved_name", &self.resolved_name)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}
