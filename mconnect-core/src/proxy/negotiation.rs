//! What is said to a proxy for a connection through it: SOCKS 5
//! ([RFC 1928](https://www.rfc-editor.org/rfc/rfc1928), [RFC 1929](https://www.rfc-editor.org/rfc/rfc1929)), or what `http`
//! writes and reads.
//!
//! ```text
//!   SOCKS 5   05 methods ──► method ──► (user, password ──► granted) ──► 05 CONNECT address ──► reply with an address
//!   CONNECT   request line, Host, Proxy-Authorization ──► status line, fields, an empty line
//!
//!   ProxyNegotiation::next ── Send(octets) ──► sent
//!                          ── Receive(n) ────► received(at most n octets)
//!                          ── Done
//! ```
//! No I/O is done here. It is never asked for more octets than the proxy's answer surely has, so that those behind it, which
//! are the server's first, stay where they are. What a proxy says is made visible in every text, and a password is in none.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::http::{self, Head};
use super::{Proxy, ProxyError, ProxyKind, other};

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
    /// To send these octets; of them, those from the first of the two numbers up to the second are secret.
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
                (new.out, new.secret) = http::request(&place(target), new.login.as_ref());
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

    /// Notes that all that was to be sent has gone out.
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

    /// Looks at what came of the head of HTTP's answer.
    fn head(&mut self) -> Result<(), ProxyError> {
        match http::answer(&self.got, self.login.is_some())? {
            Head::Unfinished => {}
            Head::Interim => self.got.clear(),
            Head::Granted => self.state = State::Done,
        }
        Ok(())
    }
}

impl fmt::Debug for ProxyNegotiation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxyNegotiation").field("state", &self.state).finish_non_exhaustive()
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

/// Writes a host and a port as a URL has them.
fn place(target: &ProxyTarget) -> String {
    match target {
        ProxyTarget::Address(SocketAddr::V6(address)) => format!("[{}]:{}", address.ip(), address.port()),
        ProxyTarget::Address(address) => address.to_string(),
        ProxyTarget::Name(name, port) => format!("{name}:{port}"),
    }
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

const NO_LOGIN: u8 = 0;
const PASSWORD: u8 = 2;
const NOTHING_ACCEPTABLE: u8 = 0xff;

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
}
