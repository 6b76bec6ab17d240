//! Proxies: what a URL says of one, and why there is no connection through it; `negotiation` has what is said to one. No I/O
//! is done here. What a proxy says is made visible in every text, and a password is in none.

mod http;
mod negotiation;

use std::fmt;
use std::io;
use std::net::Ipv6Addr;
use std::str::FromStr;

pub use negotiation::{ProxyNegotiation, ProxyStep, ProxyTarget};

use crate::protocol::Visible;

/// A proxy, as a URL names it: `socks5://proxy.example:1080`, `socks5h://user:password@[::1]:1080`,
/// `http://proxy.example:3128`.
///
/// With `socks5` the name of the server is resolved here, and its addresses are tried in turn; with `socks5h` and `http` the
/// proxy resolves it. SOCKS has port 1080 unless another is named; that of HTTP has to be. A user and a password are those of
/// the URL, with `%40` for an `@`. Neither is shown by [`Display`](fmt::Display) or [`Debug`](fmt::Debug), nor by any error.
///
/// ```
/// use mconnect_core::Proxy;
///
/// let proxy: Proxy = "socks5h://joe:sesame@proxy.example".parse()?;
/// assert_eq!(proxy.to_string(), "socks5h://proxy.example:1080");
/// assert!(!format!("{proxy:?}").contains("joe"));
/// # Ok::<(), mconnect_core::InvalidProxy>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    kind: ProxyKind,
    host: String,
    port: u16,
    login: Option<(String, String)>,
}

/// What a proxy speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyKind {
    /// `socks5`: SOCKS 5, with addresses.
    Socks5,
    /// `socks5h`: SOCKS 5, with names.
    Socks5h,
    /// `http`: HTTP's CONNECT.
    Http,
}

/// Why a text names no proxy. The text is not repeated: there may be a password in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidProxy {
    /// It begins with no scheme that is known.
    #[error("proxies are written as socks5://, socks5h:// or http://, with a host and a port")]
    Scheme,
    /// There is no host, or none that can be one.
    #[error("it names no host")]
    Host,
    /// The port is missing, or is none.
    #[error("its port is no number from 1 to 65535")]
    Port,
    /// HTTP's proxies listen on many ports.
    #[error("of a proxy that speaks HTTP, the port has to be named")]
    NoPort,
    /// Something stands behind the host and the port.
    #[error("what follows the host has no meaning for a proxy")]
    Path,
    /// The user or the password is longer than 255 octets, or holds a broken escape, or a colon stands in a user's name.
    #[error("its user or password cannot be used")]
    Login,
}

/// Why there is no connection through a proxy: the cause in [`Error::Connect`](crate::Error::Connect) then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The proxy itself could not be reached.
    #[error("the proxy cannot be reached")]
    Unreachable(#[source] io::Error),
    /// The proxy says why it does not connect.
    #[error("the proxy refuses: {0}")]
    Refused(String),
    /// The proxy wants a login, or refuses the one that it was given.
    #[error("the proxy {0}")]
    Login(String),
    /// What listens there is another thing than the URL says.
    #[error("the proxy does not speak {expected}: it answers {got}")]
    OtherProtocol {
        /// `SOCKS 5`, `HTTP`.
        expected: &'static str,
        /// The octets that came, made visible.
        got: String,
    },
    /// Its answer breaks the rules.
    #[error("the proxy answers {0}")]
    Malformed(&'static str),
    /// It closed before its answer had an end.
    #[error("the proxy closed the connection before it had answered")]
    Closed,
    /// It said nothing in time.
    #[error("the proxy did not answer in time")]
    Silent,
    /// The connection to it was lost before its answer had an end.
    #[error("the connection to the proxy was lost")]
    Lost(#[source] io::Error),
    /// The server's name cannot be handed to it.
    #[error("the proxy cannot be asked for this host: {0}")]
    Host(&'static str),
}

impl Proxy {
    /// Returns what it speaks.
    pub fn kind(&self) -> ProxyKind {
        self.kind
    }

    /// Returns its host, an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the user, if there is one.
    pub fn user(&self) -> Option<&str> {
        self.login.as_ref().map(|(user, _)| user.as_str())
    }

    /// Says whether a user is named and no password.
    pub fn lacks_password(&self) -> bool {
        self.login.as_ref().is_some_and(|(_, password)| password.is_empty())
    }

    /// Sets the user and the password, each of which has 255 octets at most.
    ///
    /// # Errors
    /// [`InvalidProxy::Login`].
    pub fn login(self, user: &str, password: &str) -> Result<Self, InvalidProxy> {
        let fits = |text: &str| text.len() <= 255;
        // A colon in the user's name would begin the password of HTTP's Basic.
        if user.is_empty() || !fits(user) || !fits(password) || user.contains(':') {
            return Err(InvalidProxy::Login);
        }
        Ok(Self { login: Some((user.to_owned(), password.to_owned())), ..self })
    }

    /// Says whether the proxy resolves names.
    pub fn resolves(&self) -> bool {
        self.kind != ProxyKind::Socks5
    }
}

impl FromStr for Proxy {
    type Err = InvalidProxy;

    fn from_str(url: &str) -> Result<Self, InvalidProxy> {
        let (scheme, rest) = url.split_once("://").ok_or(InvalidProxy::Scheme)?;
        let kinds = [("socks5", ProxyKind::Socks5), ("socks5h", ProxyKind::Socks5h), ("http", ProxyKind::Http)];
        let kind = kinds.iter().find(|(name, _)| name.eq_ignore_ascii_case(scheme));
        let (_, kind) = *kind.ok_or(InvalidProxy::Scheme)?;
        // The last one: a password may hold another.
        let (login, place) = rest.rsplit_once('@').map_or((None, rest), |(login, place)| (Some(login), place));
        let place = place.strip_suffix('/').unwrap_or(place);
        if place.contains(['/', '?', '#']) {
            return Err(InvalidProxy::Path);
        }
        let (host, port) = match place.strip_prefix('[') {
            Some(inner) => {
                let (host, rest) = inner.split_once(']').ok_or(InvalidProxy::Host)?;
                // Behind a % stands the zone.
                let (address, _) = host.split_once('%').unwrap_or((host, ""));
                address.parse::<Ipv6Addr>().map_err(|_| InvalidProxy::Host)?;
                (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or(InvalidProxy::Port)?) })
            }
            None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'[' | b']')) {
            return Err(InvalidProxy::Host);
        }
        let port = match port {
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => port.parse().ok().filter(|port| *port > 0),
            Some(_) => None,
            None if kind == ProxyKind::Http => return Err(InvalidProxy::NoPort),
            None => Some(SOCKS),
        };
        let proxy = Self { kind, host: host.to_owned(), port: port.ok_or(InvalidProxy::Port)?, login: None };
        let Some(login) = login else { return Ok(proxy) };
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        proxy.login(&decoded(user)?, &decoded(password)?)
    }
}

/// Takes the escapes of a URL out of a text.
fn decoded(text: &str) -> Result<String, InvalidProxy> {
    let mut parts = text.split('%');
    let mut octets = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let octet = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).ok_or(InvalidProxy::Login)?;
        octets.push(octet);
        octets.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(octets).map_err(|_| InvalidProxy::Login)
}

impl fmt::Display for Proxy {
    /// Shows the URL without user and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.kind {
            ProxyKind::Socks5 => "socks5",
            ProxyKind::Socks5h => "socks5h",
            ProxyKind::Http => "http",
        };
        let host = Visible(self.host.as_bytes());
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{host}]:{}", self.port),
            false => write!(f, "{scheme}://{host}:{}", self.port),
        }
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

impl From<ProxyError> for io::Error {
    fn from(error: ProxyError) -> Self {
        let kind = match &error {
            ProxyError::Unreachable(source) | ProxyError::Lost(source) => source.kind(),
            ProxyError::Silent => io::ErrorKind::TimedOut,
            ProxyError::Refused(_) => io::ErrorKind::ConnectionRefused,
            ProxyError::Login(_) => io::ErrorKind::PermissionDenied,
            ProxyError::Closed => io::ErrorKind::UnexpectedEof,
            ProxyError::Host(_) => io::ErrorKind::InvalidInput,
            ProxyError::OtherProtocol { .. } | ProxyError::Malformed(_) => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

/// Says what came that is not what the URL says.
fn other(expected: &'static str, got: &[u8]) -> ProxyError {
    ProxyError::OtherProtocol { expected, got: format!("\"{}\"", Visible(cut(got))) }
}

/// Of what a proxy says, as much as is told.
fn cut(text: &[u8]) -> &[u8] {
    &text[..text.len().min(MOST_TOLD)]
}

/// The port of SOCKS.
const SOCKS: u16 = 1080;
/// In octets.
const MOST_TOLD: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_url_and_what_is_none_is_told_without_repeating_it() {
        for (url, shown) in [
            ("socks5://p", "socks5://p:1080"),
            ("SOCKS5H://joe:sesame@p:9/", "socks5h://p:9"),
            ("http://joe:se@me@[::1]:3128", "http://[::1]:3128"),
            ("socks5://joe@192.0.2.1", "socks5://192.0.2.1:1080"),
        ] {
            let proxy: Proxy = url.parse().unwrap();
            assert_eq!((proxy.to_string(), format!("{proxy:?}")), (shown.to_owned(), format!("Proxy({shown})")));
        }
        for (url, why) in [
            ("proxy:1080", InvalidProxy::Scheme),
            ("https://joe:sesame@p:1", InvalidProxy::Scheme),
            ("socks5://joe:sesame@", InvalidProxy::Host),
            ("socks5://joe:sesame@[::1", InvalidProxy::Host),
            ("socks5://p p", InvalidProxy::Host),
            ("socks5://[[p]", InvalidProxy::Host),
            ("socks5://[192.0.2.1]", InvalidProxy::Host),
            ("socks5://p]", InvalidProxy::Host),
            ("http://joe:sesame@p", InvalidProxy::NoPort),
            ("http://p:sesame", InvalidProxy::Port),
            ("http://p:0", InvalidProxy::Port),
            ("http://p:70000", InvalidProxy::Port),
            ("socks5://[::1]1080", InvalidProxy::Port),
            ("http://p:1/sesame", InvalidProxy::Path),
            ("socks5://jo%zz:sesame@p", InvalidProxy::Login),
            ("socks5://:sesame@p", InvalidProxy::Login),
            ("socks5://a%3ab:sesame@p", InvalidProxy::Login),
            ("socks5://a:%ff@p", InvalidProxy::Login),
        ] {
            let error = url.parse::<Proxy>().unwrap_err();
            assert_eq!(error, why, "{url}");
            assert!(!format!("{error} {error:?}").contains("sesame"));
        }
        assert!(format!("socks5://{}:b@p", "a".repeat(256)).parse::<Proxy>().is_err());
    }
}
