//! What the caller knows of the machine and of what was asked for.
//!
//! A finding may rest on more than the session shows: nobody can tell from a refused connection that the address is
//! this machine's, or from silence that a client was to wait. Looking for it takes I/O, or the command line, and is the
//! caller's.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// What is known besides the session: about the machine, and about what was asked for. All of it may be left out; what
/// is not known is not told.
///
/// ```
/// use mconnect_core::diagnosis::Facts;
///
/// let facts = Facts::new().port(587).sends_at_once(true);
/// assert_eq!(facts.port, Some(587));
/// ```
///
/// What a fact is good for: the same refused connection, with what a caller has seen on its machine.
///
/// ```
/// use std::net::{Ipv4Addr, TcpListener};
///
/// use mconnect_core::Connect;
/// use mconnect_core::diagnosis::{Cause, Evidence, Facts};
///
/// let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
/// let evidence = Evidence::new();
/// let connect = Connect::new("127.0.0.1", closed.port()).observer(evidence.clone());
/// evidence.failed(&connect.open().unwrap_err());
/// assert_eq!(evidence.findings(&Facts::new())[0].cause, Cause::NoListener);
/// assert_eq!(evidence.findings(&Facts::new().in_container(true))[0].cause, Cause::InContainer);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Facts {
    /// The port, where it is another than the one that was connected to: behind a forwarder, for one.
    pub port: Option<u16>,
    /// The host as it was written, before a search domain was put behind it.
    pub typed_host: Option<String>,
    /// The whole name that the resolver made of it: with a search domain of `/etc/resolv.conf` behind it, for one.
    pub resolved_name: Option<String>,
    /// The address to connect from that was asked for: an address that is "not available" is this one then.
    pub source: Option<IpAddr>,
    /// The session was to begin with TLS, so that a silent server may be one that waits for plain text.
    pub is_tls_first: bool,
    /// TLS was to be started by STARTTLS.
    pub is_tls_asked: bool,
    /// Lines were sent without waiting for replies, which some servers take ill.
    pub sends_at_once: bool,
    /// A PROXY header was sent first, which a server that expects none takes for commands.
    pub sends_header: bool,
    /// Servers that are not proven were to be accepted: what is wrong with their certificates is not told then.
    pub accepts_any_certificate: bool,
    /// A client certificate was given: an alert about one can only then mean it.
    pub has_certificate: bool,
    /// Another address of this machine on which the port is answered: 127.0.0.1, say, where ::1 refused.
    /// [`Evidence::unreached`](super::Evidence::unreached) says for which address to look.
    pub also_listening: Option<SocketAddr>,
    /// The addresses of this machine. By one of these, a refused connection is surely its own, and no firewall's;
    /// silence at port 25 is no provider's.
    pub local_addresses: Vec<IpAddr>,
    /// Whether there is a route for IPv6; `None` if nobody has looked.
    pub has_route6: Option<bool>,
    /// The process is in a container, where 127.0.0.1 is its own.
    pub is_in_container: bool,
    naming: Option<fn(Act) -> &'static str>,
}

/// What a caller may do about a cause: the texts name it in the words that the caller [has for it](Facts::naming), or
/// else in [words that hold for any](Self::in_words).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Act {
    /// To use addresses of either family: for [`Cause::OtherFamily`](super::Cause::OtherFamily).
    AnyFamily,
    /// To use IPv4 only, where IPv6 leads nowhere: for [`Cause::NoRoute6`](super::Cause::NoRoute6).
    V4,
    /// To connect from an address of this machine: for [`Cause::SourceNotHere`](super::Cause::SourceNotHere).
    Source,
    /// To begin with TLS: for [`Cause::TlsExpected`](super::Cause::TlsExpected), and within the advice on silence
    /// ([`Cause::SilentGreeting`](super::Cause::SilentGreeting)).
    Tls,
    /// To start TLS by STARTTLS, for [`Cause::StartTlsNeeded`](super::Cause::StartTlsNeeded) and others; it may stand
    /// before "then" and another act.
    StartTls,
    /// To give another name in EHLO, for [`Cause::HelloName`](super::Cause::HelloName): what kind of name follows.
    Helo,
    /// To wait for each reply: for [`Cause::SpokeTooEarly`](super::Cause::SpokeTooEarly).
    Wait,
    /// To authenticate: for [`Cause::AuthNeeded`](super::Cause::AuthNeeded), and, with a mechanism behind it,
    /// [`Cause::BadLoginHashed`](super::Cause::BadLoginHashed).
    Auth,
    /// To trust the authority, or the certificate, that the server showed, for
    /// [`Cause::PrivateAuthority`](super::Cause::PrivateAuthority) and others. What a caller says here is to warn, too:
    /// whoever trusts what anybody showed is not safer for TLS.
    Trust,
    /// To verify another name: for [`Cause::WrongName`](super::Cause::WrongName) and others, where the server is the
    /// right one and has another name in its certificate.
    TlsName,
    /// To show a certificate of one's own: for [`Cause::CertificateWanted`](super::Cause::CertificateWanted).
    Certificate,
    /// To say first whom the connection is from, by the PROXY protocol: for
    /// [`Cause::HeaderWanted`](super::Cause::HeaderWanted).
    Header,
}

impl Facts {
    /// Knows nothing, and has general words for what can be done.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the port that counts, where it is another than the one that was connected to.
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        Self { port: Some(port), ..self }
    }

    /// Sets the host as it was written, and the whole name that the resolver made of it, if it is known.
    #[must_use]
    pub fn host(self, typed: &str, resolved: Option<&str>) -> Self {
        Self { typed_host: Some(typed.to_owned()), resolved_name: resolved.map(str::to_owned), ..self }
    }

    /// Sets the address to connect from that was asked for.
    #[must_use]
    pub fn source(self, source: IpAddr) -> Self {
        Self { source: Some(source), ..self }
    }

    /// Sets whether the session was to begin with TLS, and not with a greeting in the clear.
    #[must_use]
    pub fn tls_first(self, is_tls_first: bool) -> Self {
        Self { is_tls_first, ..self }
    }

    /// Sets whether TLS was to be started by STARTTLS.
    #[must_use]
    pub fn tls_asked(self, is_tls_asked: bool) -> Self {
        Self { is_tls_asked, ..self }
    }

    /// Sets whether lines were sent without waiting for the replies to those before.
    #[must_use]
    pub fn sends_at_once(self, sends_at_once: bool) -> Self {
        Self { sends_at_once, ..self }
    }

    /// Sets whether a PROXY header was sent before anything else.
    #[must_use]
    pub fn sends_header(self, sends_header: bool) -> Self {
        Self { sends_header, ..self }
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
    ///
    /// ```
    /// use mconnect_core::Connect;
    /// use mconnect_core::diagnosis::{Evidence, Facts};
    /// use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
    ///
    /// // A server that listens on 127.0.0.1 alone, and a client that tries ::1.
    /// let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    /// let there = server.local_addr()?;
    /// let evidence = Evidence::new();
    /// let connect = Connect::new("localhost", there.port()).addresses([SocketAddr::from((Ipv6Addr::LOCALHOST, there.port()))]);
    /// if let Err(error) = connect.observer(evidence.clone()).open() {
    ///     evidence.failed(&error);
    ///     let facts = match TcpStream::connect(there) {
    ///         Ok(_) if evidence.unreached().is_some_and(|address| address.is_ipv6()) => Facts::new().also_listening(there),
    ///         _ => Facts::new(),
    ///     };
    ///     let told = evidence.findings(&facts)[0].to_string();
    ///     assert!(told.ends_with(&format!("but {there} answers: connect to that one")), "{told}");
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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

    /// Sets what the caller has for each act, such as an option: `use --starttls`, say, for [`Act::StartTls`]. It
    /// stands behind a colon, or within a sentence.
    ///
    /// ```
    /// use mconnect_core::diagnosis::{Act, Facts};
    ///
    /// let facts = Facts::new().naming(|act| match act {
    ///     Act::StartTls => "set `starttls = true`",
    ///     act => act.in_words(),
    /// });
    /// # drop(facts);
    /// ```
    ///
    /// What a text names where no caller says otherwise:
    ///
    /// ```
    /// use mconnect_core::diagnosis::Act;
    ///
    /// assert_eq!(Act::StartTls.in_words(), "start TLS with STARTTLS");
    /// assert_eq!(Act::V4.in_words(), "use IPv4 only");
    /// ```
    #[must_use]
    pub fn naming(self, naming: fn(Act) -> &'static str) -> Self {
        Self { naming: Some(naming), ..self }
    }

    /// Returns the caller's words for an act.
    pub(super) fn name(&self, act: Act) -> &'static str {
        self.naming.map_or_else(|| act.in_words(), |naming| naming(act))
    }

    /// Says whether an address is one of this machine, as far as that is known: every loopback address is.
    pub(super) fn is_here(&self, address: IpAddr) -> bool {
        address.is_loopback() || self.local_addresses.contains(&address)
    }
}

impl Act {
    /// Returns the act in words that hold for any caller: `start TLS with STARTTLS`.
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
            Self::Header => "send one",
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
