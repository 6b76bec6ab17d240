//! Proxies, and what is said to one for a connection through it: SOCKS 5 ([RFC
//! 1928](https://www.rfc-editor.org/rfc/rfc1928), [RFC 1929](https://www.rfc-editor.org/rfc/rfc1929)) and CONNECT of HTTP
//! ([RFC 9110, section 9.3.6](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6)).
//!
//! ```text
//!   SOCKS 5   05 methods ──► method ──► (user, password ──► granted) ──► 05 CONNECT address ──► reply with an address
//!   CONNECT   request line, Host, Proxy-Authorization ──► status line, fields, an empty line
//!
//!   Negotiation::next ── Send(octets) ──► sent
//!                     ── Receive(n) ────► received(at most n octets)
//!                     ── Done
//! ```
//! No I/O is done here. It is never asked for more octets than the proxy's answer surely has, so that those behind it, which
//! are the server's first, stay where they are. What a proxy says is made visible in every text, and a password is in none.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

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
    /// Something stands behind the host.
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

/// What is to be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyTarget {
    /// An address and a port.
    Address(SocketAddr),
    /// A name, which the proxy resolves, and a port.
    Name(String, u16),
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyStep<'a> {
    /// To send these octets; the second part is the place of what is secret in them.
    Send(&'a [u8], (usize, usize)),
    /// To receive at most so many octets.
    Receive(usize),
    /// Nothing: the next octet is the server's.
    Done,
}

/// What is said to a proxy, and what its answers come to.
pub struct ProxyNegotiation {
    state: State,
    out: Vec<u8>,
    /// Where in `out` something secret stands.
    secret: (usize, usize),
    /// What came of the answer under way.
    got: Vec<u8>,
    login: Option<(String, String)>,
    /// The request of SOCKS, which waits until the login is over.
    request: Vec<u8>,
}

/// What is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The choice of a method, in SOCKS.
    Method,
    /// The reply to user and password.
    Login,
    /// The first four octets of the reply, up to the kind of address.
    Reply,
    /// The length of a name in it.
    NameLength,
    /// So many octets more.
    Rest(usize),
    /// The head of HTTP's reply.
    Head,
    Done,
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
                (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or(InvalidProxy::Port)?) })
            }
            None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_graphic()) {
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

impl ProxyNegotiation {
    /// Begins, with a proxy that has just been connected to.
    ///
    /// # Errors
    /// [`ProxyError::Host`] if the name cannot be handed to a proxy.
    pub fn new(proxy: &Proxy, target: &ProxyTarget) -> Result<Self, ProxyError> {
        if let ProxyTarget::Name(name, _) = target {
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(ProxyError::Host("it is no host name"));
            }
            if name.len() > 255 {
                return Err(ProxyError::Host("its name is longer than 255 octets"));
            }
        }
        let login = proxy.login.clone();
        let mut new =
            Self { state: State::Method, out: Vec::new(), secret: (0, 0), got: Vec::new(), login, request: Vec::new() };
        match proxy.kind {
            ProxyKind::Http => {
                (new.out, new.secret) = connect(target, new.login.as_ref());
                new.state = State::Head;
            }
            ProxyKind::Socks5 | ProxyKind::Socks5h => {
                new.request = request(target);
                new.out = if new.login.is_some() { vec![5, 2, NO_LOGIN, PASSWORD] } else { vec![5, 1, NO_LOGIN] };
            }
        }
        Ok(new)
    }

    /// Returns what is to be done next.
    pub fn next(&self) -> ProxyStep<'_> {
        let wanted = match self.state {
            _ if !self.out.is_empty() => return ProxyStep::Send(&self.out, self.secret),
            State::Done => return ProxyStep::Done,
            State::Method | State::Login => 2,
            State::Reply => 4,
            State::NameLength => 1,
            State::Rest(size) => size,
            // The empty line that ends it may be the next octet.
            State::Head => self.got.len() + 1,
        };
        ProxyStep::Receive(wanted.saturating_sub(self.got.len()))
    }

    /// Is told that all that was to be sent has gone out.
    pub fn sent(&mut self) {
        self.out.clear();
        self.secret = (0, 0);
    }

    /// Takes what was received: at most as much as was asked for, none at the end of the stream.
    ///
    /// # Errors
    /// Why there is no connection.
    pub fn received(&mut self, octets: &[u8]) -> Result<(), ProxyError> {
        if octets.is_empty() {
            return Err(ProxyError::Closed);
        }
        self.got.extend_from_slice(octets);
        if self.state == State::Head {
            return self.head();
        }
        // The first octet tells what listens there, and nothing else may come from that for long.
        if matches!(self.state, State::Method | State::Reply) && self.got[0] != 5 {
            return Err(other("SOCKS 5", &self.got));
        }
        if self.next() != ProxyStep::Receive(0) {
            return Ok(());
        }
        let got = std::mem::take(&mut self.got);
        self.state = match (self.state, got.as_slice()) {
            (State::Method, [_, NO_LOGIN]) => self.ask(),
            (State::Method, [_, PASSWORD]) => {
                let Some((user, password)) = self.login.take() else {
                    return Err(ProxyError::Login("wants a user and a password".to_owned()));
                };
                // Both have 255 octets at most.
                let (user_size, size) = (user.len() as u8, password.len() as u8);
                self.out = [&[1, user_size], user.as_bytes(), &[size], password.as_bytes()].concat();
                self.secret = (2, self.out.len());
                State::Login
            }
            (State::Method, [_, NOTHING_ACCEPTABLE]) => {
                return Err(ProxyError::Login(match self.login {
                    Some(_) => "takes neither a password nor a client without one".to_owned(),
                    None => "wants a login".to_owned(),
                }));
            }
            (State::Method, _) => return Err(ProxyError::Malformed("with a method of login that was not offered")),
            (State::Login, [_, 0]) => self.ask(),
            (State::Login, _) => return Err(ProxyError::Login("refuses the user or the password".to_owned())),
            (State::Reply, [_, 0, _, 1]) => State::Rest(4 + 2),
            (State::Reply, [_, 0, _, 4]) => State::Rest(16 + 2),
            (State::Reply, [_, 0, _, 3]) => State::NameLength,
            (State::Reply, [_, 0, ..]) => return Err(ProxyError::Malformed("with a kind of address that is unknown")),
            (State::Reply, [_, code, ..]) => return Err(ProxyError::Refused(refusal(*code))),
            (State::NameLength, [size]) => State::Rest(usize::from(*size) + 2),
            _ => State::Done,
        };
        Ok(())
    }

    /// Sends the request.
    fn ask(&mut self) -> State {
        self.out = std::mem::take(&mut self.request);
        State::Reply
    }

    /// Looks at the head of HTTP's answer, once it has its end.
    fn head(&mut self) -> Result<(), ProxyError> {
        let size = self.got.len().min(HTTP.len());
        if self.got[..size] != HTTP[..size] {
            return Err(other("HTTP", &self.got));
        }
        if self.got.len() > LONGEST_HEAD {
            return Err(ProxyError::Malformed("with a head that does not end"));
        }
        if !(self.got.ends_with(b"\n\n") || self.got.ends_with(b"\n\r\n")) {
            return Ok(());
        }
        let lines: Vec<&[u8]> = self.got.split(|byte| *byte == b'\n').collect();
        let (status, fields) = (lines[0].trim_ascii_end(), &lines[1..]);
        let code = status.split(|byte| *byte == b' ').nth(1).filter(|code| code.len() == 3);
        let code = code.and_then(|code| std::str::from_utf8(code).ok()?.parse::<u16>().ok());
        match code {
            // What is only on its way is followed by the answer itself.
            Some(100..200) => self.got = Vec::new(),
            // Whatever length it tells of a body, there is none (RFC 9110, section 9.3.6).
            Some(200..300) => self.state = State::Done,
            // The first is what some proxies say to a wrong login.
            Some(401 | 407) => {
                let wants = fields.iter().find_map(|field| {
                    let (name, value) = field.split_at_checked(field.iter().position(|byte| *byte == b':')?)?;
                    name.to_ascii_lowercase().ends_with(b"-authenticate").then_some(value[1..].trim_ascii())
                });
                let with = wants.map(|wants| format!(" ({})", Visible(cut(wants)))).unwrap_or_default();
                return Err(ProxyError::Login(match self.login {
                    Some(_) => format!("refuses the user or the password{with}"),
                    None => format!("wants a login{with}"),
                }));
            }
            Some(_) => return Err(ProxyError::Refused(Visible(cut(status)).to_string())),
            None => return Err(ProxyError::Malformed("with a status line that has no code")),
        }
        Ok(())
    }
}

impl fmt::Debug for ProxyNegotiation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyNegotiation").field("state", &self.state).finish_non_exhaustive()
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

/// Writes the request of SOCKS.
fn request(target: &ProxyTarget) -> Vec<u8> {
    let (address, port) = match target {
        ProxyTarget::Address(address) => match address.ip() {
            IpAddr::V4(ip) => ([&[1][..], &ip.octets()].concat(), address.port()),
            IpAddr::V6(ip) => ([&[4][..], &ip.octets()].concat(), address.port()),
        },
        // It has 255 octets at most.
        ProxyTarget::Name(name, port) => ([&[3, name.len() as u8], name.as_bytes()].concat(), *port),
    };
    [&[5, 1, 0][..], &address, &port.to_be_bytes()].concat()
}

/// Writes the request of HTTP, and says where in it the login stands.
fn connect(target: &ProxyTarget, login: Option<&(String, String)>) -> (Vec<u8>, (usize, usize)) {
    let place = match target {
        ProxyTarget::Address(SocketAddr::V6(address)) => format!("[{}]:{}", address.ip(), address.port()),
        ProxyTarget::Address(address) => address.to_string(),
        ProxyTarget::Name(name, port) => format!("{name}:{port}"),
    };
    let mut head = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n");
    let mut secret = (0, 0);
    if let Some((user, password)) = login {
        head.push_str("Proxy-Authorization: Basic ");
        secret.0 = head.len();
        head.push_str(&base64(format!("{user}:{password}").as_bytes()));
        secret.1 = head.len();
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    (head.into_bytes(), secret)
}

/// Writes octets in base64 ([RFC 4648, section 4](https://www.rfc-editor.org/rfc/rfc4648#section-4)).
fn base64(octets: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    octets.chunks(3).fold(String::new(), |mut text, chunk| {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | u32::from(chunk.get(at).copied().unwrap_or_default()));
        for at in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * at)) as usize & 63];
            text.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
        text
    })
}

/// Says what a reply code of SOCKS means ([RFC 1928, section 6](https://www.rfc-editor.org/rfc/rfc1928#section-6)).
fn refusal(code: u8) -> String {
    let words = match code {
        1 => "it failed, for no reason that it tells",
        2 => "its rules do not allow this connection",
        3 => "the network cannot be reached from it",
        4 => "the host cannot be reached from it, or has no address there",
        5 => "the server refused the connection",
        6 => "the server did not answer in time",
        7 => "it does not know the command",
        8 => "it does not know this kind of address",
        _ => return format!("reply code {code}, which has no meaning"),
    };
    format!("{words} (reply code {code})")
}

fn other(expected: &'static str, got: &[u8]) -> ProxyError {
    ProxyError::OtherProtocol { expected, got: format!("\"{}\"", Visible(cut(got))) }
}

/// Of what a proxy says, as much as is told.
fn cut(text: &[u8]) -> &[u8] {
    &text[..text.len().min(MOST_TOLD)]
}

const NO_LOGIN: u8 = 0;
const PASSWORD: u8 = 2;
const NOTHING_ACCEPTABLE: u8 = 0xff;
const HTTP: &[u8] = b"HTTP/1.";
/// The port of SOCKS.
const SOCKS: u16 = 1080;
/// The head of HTTP's answer, in octets.
const LONGEST_HEAD: usize = 16 * 1024;
const MOST_TOLD: usize = 120;

#[cfg(test)]
mod tests {
    use super::*;

    /// Negotiates with a proxy that says this, handing over a few octets at a time; returns what was sent, how much was
    /// taken of what the proxy said, and how it ended.
    fn with(url: &str, host: &str, says: &[u8], room: usize) -> (Vec<u8>, usize, Result<(), String>) {
        let target = match host.parse() {
            Ok(address) => ProxyTarget::Address(address),
            Err(_) => ProxyTarget::Name(host.to_owned(), 25),
        };
        let (mut sent, mut taken) = (Vec::new(), 0);
        let mut talk = match ProxyNegotiation::new(&url.parse().unwrap(), &target) {
            Ok(talk) => talk,
            Err(error) => return (sent, taken, Err(error.to_string())),
        };
        loop {
            match talk.next() {
                ProxyStep::Done => return (sent, taken, Ok(())),
                ProxyStep::Send(octets, _) => {
                    sent.extend_from_slice(octets);
                    talk.sent();
                }
                ProxyStep::Receive(count) => {
                    assert!(count > 0);
                    let end = says.len().min(taken + count.min(room));
                    let result = talk.received(&says[taken..end]);
                    taken = end;
                    if let Err(error) = result {
                        return (sent, taken, Err(error.to_string()));
                    }
                }
            }
        }
    }

    #[test]
    fn a_proxy_that_grants_is_told_what_to_connect_to_and_keeps_the_octets_of_the_server() {
        let granted = b"\x05\0\0\x01\0\0\0\0\0\0";
        let greeting = b"220 hi\r\n";
        for (url, host, says, sent) in [
            (
                "socks5://p",
                "192.0.2.1:25",
                [b"\x05\0", &granted[..]].concat(),
                &b"\x05\x01\0\x05\x01\0\x01\xc0\0\x02\x01\0\x19"[..],
            ),
            ("socks5h://p", "mx", [b"\x05\0", &granted[..]].concat(), b"\x05\x01\0\x05\x01\0\x03\x02mx\0\x19"),
            ("socks5h://p", "mx", b"\x05\0\x05\0\0\x03\x02ab\0\x01".to_vec(), b"\x05\x01\0\x05\x01\0\x03\x02mx\0\x19"),
            (
                "socks5://p",
                "[::1]:25",
                [b"\x05\0\x05\0\0\x04", &[0; 18][..]].concat(),
                b"\x05\x01\0\x05\x01\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\x19",
            ),
            (
                "socks5h://joe:s%40@p",
                "mx",
                [b"\x05\x02\x01\0", &granted[..]].concat(),
                b"\x05\x02\0\x02\x01\x03joe\x02s@\x05\x01\0\x03\x02mx\0\x19",
            ),
            (
                "http://p:1",
                "mx",
                b"HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n".to_vec(),
                b"CONNECT mx:25 HTTP/1.1\r\nHost: mx:25\r\n\r\n",
            ),
            (
                "http://p:1",
                "[::1]:25",
                b"HTTP/1.1 200\n\n".to_vec(),
                b"CONNECT [::1]:25 HTTP/1.1\r\nHost: [::1]:25\r\n\r\n",
            ),
            (
                "http://joe:sesame@p:1",
                "mx",
                b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 fine\r\nContent-Length: 9\r\n\r\n".to_vec(),
                b"CONNECT mx:25 HTTP/1.1\r\nHost: mx:25\r\nProxy-Authorization: Basic am9lOnNlc2FtZQ==\r\n\r\n",
            ),
        ] {
            for room in [1, 3, usize::MAX] {
                let all = [&says[..], greeting].concat();
                let (told, taken, end) = with(url, host, &all, room);
                assert_eq!((end, taken), (Ok(()), says.len()), "{url}: the greeting stays where it is");
                assert_eq!(told, sent, "{}", told.escape_ascii());
            }
            for cut in 0..says.len() {
                let (_, _, end) = with(url, host, &says[..cut], usize::MAX);
                assert_eq!(end.unwrap_err(), "the proxy closed the connection before it had answered", "{url} {cut}");
            }
        }
    }

    #[test]
    fn a_proxy_that_refuses_or_lies_is_told_in_words() {
        let (socks, secret, http) = ("socks5://p", "socks5://joe:sesame@p", "http://joe:sesame@p:1");
        let long = [b"HTTP/1.1 200 ok\r\nX: ".to_vec(), vec![b'x'; 20_000]].concat();
        for (url, says, told) in [
            (socks, &b"\x04\x5a"[..], "does not speak SOCKS 5: it answers \"\\x04Z\""),
            (socks, b"HT", "does not speak SOCKS 5: it answers \"HT\""),
            (socks, b"\x05\xff", "wants a login"),
            (socks, b"\x05\x02", "wants a user and a password"),
            (socks, b"\x05\x01", "answers with a method of login that was not offered"),
            (secret, b"\x05\xff", "takes neither a password nor a client without one"),
            (secret, b"\x05\x02\x01\x01", "refuses the user or the password"),
            (secret, b"\x05\x02\x05\xff", "refuses the user or the password"),
            (socks, b"\x05\0\x04\0\0\x01", "does not speak SOCKS 5: it answers \"\\x04\\x00\\x00\\x01\""),
            (socks, b"\x05\0\x05\x01\0\x01", "refuses: it failed, for no reason that it tells (reply code 1)"),
            (socks, b"\x05\0\x05\x02\0\x01", "refuses: its rules do not allow this connection (reply code 2)"),
            (socks, b"\x05\0\x05\x05\0\x01", "refuses: the server refused the connection (reply code 5)"),
            (socks, b"\x05\0\x05\xfe\0\x01", "refuses: reply code 254, which has no meaning"),
            (socks, b"\x05\0\x05\0\0\x07", "answers with a kind of address that is unknown"),
            (http, b"220 mx ESMTP\r\n", "does not speak HTTP: it answers \"2\""),
            (http, b"HTTP/2 200\r\n\r\n", "does not speak HTTP: it answers \"HTTP/2\""),
            (http, b"HTTP/1.1 ok\r\n\r\n", "answers with a status line that has no code"),
            (http, b"HTTP/1.1 2000 ok\r\n\r\n", "answers with a status line that has no code"),
            (http, b"HTTP/1.1 403 \x1b[2JAccess\r\n\r\n", "refuses: HTTP/1.1 403 \\x1b[2JAccess"),
            (http, b"HTTP/1.1 500 Unable to connect\r\n\r\n", "refuses: HTTP/1.1 500 Unable to connect"),
            (http, b"HTTP/1.1 302 Found\r\n\r\n", "refuses: HTTP/1.1 302 Found"),
            (
                http,
                b"HTTP/1.1 407 no\r\nproxy-authenticate: Basic realm=\"a\"\r\n\r\n",
                "refuses the user or the password (Basic realm=\"a\")",
            ),
            ("http://p:1", b"HTTP/1.1 407 no\r\n\r\n", "wants a login"),
            (http, b"HTTP/1.0 401 no\r\nWWW-Authenticate: Basic\r\n\r\n", "refuses the user or the password (Basic)"),
            (http, &long, "answers with a head that does not end"),
        ] {
            let (_, _, end) = with(url, "mx", says, 1);
            let end = end.unwrap_err();
            // The octets of a lie that came together are told together.
            let (_, _, whole) = with(url, "mx", says, usize::MAX);
            let whole = whole.unwrap_err();
            let expected = format!("the proxy {told}");
            assert!(end == expected || whole == expected, "{end}; {whole}; expected {expected}");
            assert!(!format!("{end}{whole}").contains("sesame"));
        }
        let name = format!("mx\r\nX: {}", "y");
        assert_eq!(
            with(http, &name, b"", 1).2.unwrap_err(),
            "the proxy cannot be asked for this host: it is no host name"
        );
        let (long, told) =
            ("x".repeat(256), "the proxy cannot be asked for this host: its name is longer than 255 octets");
        assert_eq!(with(socks, &long, b"", 1).2.unwrap_err(), told);
    }

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

    #[test]
    fn base64_has_its_padding() {
        let all = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base64(text.as_bytes()));
        assert_eq!(all, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
    }
}
