//! The header of the PROXY protocol: who a connection is from, said before anything else on it.
//!
//! ```text
//!   version 1   PROXY TCP4 192.0.2.66 198.51.100.1 4711 25 CR LF          a line of at most 107 octets
//!   version 2   12 octets of signature, command, family, length            16 octets, then
//!               source address, destination address, two ports, TLVs      so many
//! ```
//! [The specification](https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt) is HAProxy's. No I/O is done here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// What is said of a connection before its first octet: where it really comes from, and where it went.
///
/// ```
/// use mconnect_core::{ProxyHeader, ProxyVersion};
///
/// let header = ProxyHeader::new("192.0.2.66:4711".parse()?).to("198.51.100.1:25".parse()?).version(ProxyVersion::V1);
/// assert_eq!(header.encode(), b"PROXY TCP4 192.0.2.66 198.51.100.1 4711 25\r\n");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[doc(alias = "haproxy")]
#[doc(alias = "postscreen")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyHeader {
    /// In which of its two forms it is written.
    pub version: ProxyVersion,
    /// Where the connection comes from; `None` if it is the proxy's own, and the real addresses count (`LOCAL`, and
    /// `UNKNOWN` in version 1, which Postfix refuses).
    pub from: Option<SocketAddr>,
    /// Where it went; `None` if that is not said.
    pub to: Option<SocketAddr>,
}

/// The form of a [`ProxyHeader`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyVersion {
    /// A line of text.
    V1,
    /// Binary.
    #[default]
    V2,
}

/// What was made of octets that should begin with a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyHeaderParse {
    /// A header, and how many octets it took.
    Whole(ProxyHeader, usize),
    /// It goes on: at least so many octets more belong to it.
    Needs(usize),
}

/// Why octets are no header of the PROXY protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidProxyHeader {
    /// They begin otherwise.
    #[error("it does not begin with a PROXY header")]
    Missing,
    /// It has not come to its end within 107 octets, or announces more than 4 KiB.
    #[error("its PROXY header is too long")]
    TooLong,
    /// Its version, command, or family is none that is known.
    #[error("its PROXY header has {0}")]
    Unknown(&'static str),
    /// An address or a port is none.
    #[error("its PROXY header has {0} that is none")]
    Malformed(&'static str),
}

/// A text is no end of a connection: neither an address, nor one with a port.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address with a port, as in 127.0.0.1:{EPHEMERAL} or [::1]:{EPHEMERAL}")]
pub struct InvalidProxyEnd(String);

impl FromStr for ProxyHeader {
    type Err = InvalidProxyEnd;

    /// Reads whom a connection is said to be from, and perhaps where it went: `local`, or one or two addresses with a comma
    /// between. One without a port comes from 49152, and went to 25.
    ///
    /// ```
    /// use mconnect_core::ProxyHeader;
    ///
    /// let header: ProxyHeader = "192.0.2.66,[2001:db8::1]:587".parse()?;
    /// assert_eq!(header.from, Some("192.0.2.66:49152".parse().unwrap()));
    /// assert_eq!(header.to, Some("[2001:db8::1]:587".parse().unwrap()));
    /// assert_eq!("local".parse::<ProxyHeader>()?, ProxyHeader::local());
    /// # Ok::<(), mconnect_core::InvalidProxyEnd>(())
    /// ```
    fn from_str(text: &str) -> Result<Self, InvalidProxyEnd> {
        let end = |text: &str, port| {
            let bare = text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(text);
            let without_port = || bare.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, port));
            text.parse().or_else(|_| without_port()).map_err(|_| InvalidProxyEnd(text.to_owned()))
        };
        match text.split_once(',') {
            None if text == "local" => Ok(Self::local()),
            None => Ok(Self::new(end(text, EPHEMERAL)?)),
            Some((from, to)) => Ok(Self::new(end(from, EPHEMERAL)?).to(end(to, SMTP)?)),
        }
    }
}

impl ProxyHeader {
    /// Says that the connection comes from there, in version 2.
    pub fn new(from: SocketAddr) -> Self {
        Self { version: ProxyVersion::V2, from: Some(from), to: None }
    }

    /// Says that the connection is this side's own, in version 2.
    pub fn local() -> Self {
        Self { version: ProxyVersion::V2, from: None, to: None }
    }

    /// Says where the connection went; otherwise that is the server's address, or a loopback address.
    #[must_use]
    pub fn to(self, to: SocketAddr) -> Self {
        Self { to: Some(to), ..self }
    }

    /// Writes it in this form.
    #[must_use]
    pub fn version(self, version: ProxyVersion) -> Self {
        Self { version, ..self }
    }

    /// Returns the octets. Where one address is of IPv4 and one of IPv6, both are written as IPv6.
    pub fn encode(&self) -> Vec<u8> {
        let ends = self.from.map(|from| (from, self.to.unwrap_or_else(|| loopback(from))));
        match (self.version, ends) {
            (ProxyVersion::V1, None) => b"PROXY UNKNOWN\r\n".to_vec(),
            (ProxyVersion::V1, Some((from, to))) => {
                let (family, from_ip, to_ip) = match (from.ip(), to.ip()) {
                    (from @ IpAddr::V4(_), to @ IpAddr::V4(_)) => ("TCP4", from, to),
                    (from, to) => ("TCP6", IpAddr::V6(six(from)), IpAddr::V6(six(to))),
                };
                format!("PROXY {family} {from_ip} {to_ip} {} {}\r\n", from.port(), to.port()).into_bytes()
            }
            (ProxyVersion::V2, None) => [SIGNATURE, &[0x20, 0, 0, 0]].concat(),
            (ProxyVersion::V2, Some((from, to))) => {
                let ports = [from.port().to_be_bytes(), to.port().to_be_bytes()].concat();
                let (family, addresses) = match (from.ip(), to.ip()) {
                    (IpAddr::V4(from), IpAddr::V4(to)) => (TCP4, [from.octets(), to.octets()].concat()),
                    (from, to) => (TCP6, [six(from).octets(), six(to).octets()].concat()),
                };
                // 12 or 36.
                let size = (addresses.len() + ports.len()) as u8;
                [SIGNATURE, &[0x21, family, 0, size], &addresses, &ports].concat()
            }
        }
    }

    /// Reads a header at the beginning of these octets, which may be cut anywhere.
    ///
    /// ```
    /// use mconnect_core::{InvalidProxyHeader, ProxyHeader, ProxyHeaderParse};
    ///
    /// let octets = [&ProxyHeader::local().encode()[..], b"EHLO me\r\n"].concat();
    /// assert_eq!(ProxyHeader::parse(&octets), Ok(ProxyHeaderParse::Whole(ProxyHeader::local(), 16)));
    /// assert_eq!(ProxyHeader::parse(&octets[..10]), Ok(ProxyHeaderParse::Needs(6)));
    /// assert_eq!(ProxyHeader::parse(b"EHLO me\r\n"), Err(InvalidProxyHeader::Missing));
    /// ```
    ///
    /// # Errors
    /// Why they are none.
    pub fn parse(octets: &[u8]) -> Result<ProxyHeaderParse, InvalidProxyHeader> {
        let begins = |signature: &[u8]| {
            let size = octets.len().min(signature.len());
            octets[..size] == signature[..size]
        };
        if octets.is_empty() {
            // Which of the two it is decides how much there surely is.
            Ok(ProxyHeaderParse::Needs(1))
        } else if begins(SIGNATURE) {
            binary(octets)
        } else if begins(LINE) {
            line(octets)
        } else {
            Err(InvalidProxyHeader::Missing)
        }
    }
}

/// Reads version 2.
fn binary(octets: &[u8]) -> Result<ProxyHeaderParse, InvalidProxyHeader> {
    use InvalidProxyHeader::{Malformed, TooLong, Unknown};
    let Some((fixed, rest)) = octets.split_at_checked(16) else {
        return Ok(ProxyHeaderParse::Needs(16 - octets.len()));
    };
    let size = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    if size > LONGEST {
        return Err(TooLong);
    }
    let is_local = match fixed[12] {
        0x20 => true,
        0x21 => false,
        0x22..=0x2f => return Err(Unknown("an unknown command")),
        _ => return Err(Unknown("an unknown version")),
    };
    let Some(body) = rest.get(..size) else { return Ok(ProxyHeaderParse::Needs(size - rest.len())) };
    let port = |at: usize| Some(u16::from_be_bytes(body.get(at..at + 2)?.try_into().ok()?));
    let four = |at: usize| Some(IpAddr::from(<[u8; 4]>::try_from(body.get(at..at + 4)?).ok()?));
    let sixteen = |at: usize| Some(IpAddr::from(<[u8; 16]>::try_from(body.get(at..at + 16)?).ok()?));
    let end = |ip: Option<IpAddr>, port: Option<u16>| Some(SocketAddr::new(ip?, port?));
    let short = Malformed("an address");
    let (from, to) = match fixed[13] {
        // Whatever is said of such a connection, its own addresses count.
        _ if is_local => (None, None),
        0 => (None, None),
        TCP4 => (Some(end(four(0), port(8)).ok_or(short)?), Some(end(four(4), port(10)).ok_or(short)?)),
        TCP6 => (Some(end(sixteen(0), port(32)).ok_or(short)?), Some(end(sixteen(16), port(34)).ok_or(short)?)),
        _ => return Err(Unknown("another family than TCP over IPv4 or IPv6")),
    };
    Ok(ProxyHeaderParse::Whole(ProxyHeader { version: ProxyVersion::V2, from, to }, 16 + size))
}

/// Reads version 1.
fn line(octets: &[u8]) -> Result<ProxyHeaderParse, InvalidProxyHeader> {
    use InvalidProxyHeader::{Malformed, TooLong, Unknown};
    let head = &octets[..octets.len().min(LONGEST_LINE)];
    let Some(size) = head.windows(2).position(|pair| pair == b"\r\n") else {
        let shortest = if octets.last() == Some(&b'\r') { 1 } else { 2 };
        return if octets.len() < LONGEST_LINE { Ok(ProxyHeaderParse::Needs(shortest)) } else { Err(TooLong) };
    };
    let text = std::str::from_utf8(&head[LINE.len()..size]).map_err(|_| Malformed("a text"))?;
    let words: Vec<&str> = text.split(' ').collect();
    let (from, to) = match *words.as_slice() {
        ["UNKNOWN", ..] => (None, None),
        [family @ ("TCP4" | "TCP6"), from, to, from_port, to_port] => {
            let ip = |text: &str| {
                let ip = text.parse::<IpAddr>().ok().filter(|ip| ip.is_ipv4() == (family == "TCP4"));
                ip.ok_or(Malformed("an address"))
            };
            let port = |text: &str| {
                let digits = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
                text.parse::<u16>().ok().filter(|_| digits).ok_or(Malformed("a port"))
            };
            let from = SocketAddr::new(ip(from)?, port(from_port)?);
            (Some(from), Some(SocketAddr::new(ip(to)?, port(to_port)?)))
        }
        ["TCP4" | "TCP6", ..] => return Err(Malformed("a number of words")),
        _ => return Err(Unknown("another family than TCP over IPv4 or IPv6")),
    };
    Ok(ProxyHeaderParse::Whole(ProxyHeader { version: ProxyVersion::V1, from, to }, size + 2))
}

/// Returns the address as one of IPv6.
fn six(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(four) => four.to_ipv6_mapped(),
        IpAddr::V6(six) => six,
    }
}

/// Returns where a connection from there may have gone, if nobody says.
fn loopback(from: SocketAddr) -> SocketAddr {
    match from {
        SocketAddr::V4(_) => (Ipv4Addr::LOCALHOST, SMTP).into(),
        SocketAddr::V6(_) => (Ipv6Addr::LOCALHOST, SMTP).into(),
    }
}

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const LINE: &[u8] = b"PROXY ";
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;
/// The longest line of version 1, its end with it.
const LONGEST_LINE: usize = 107;
/// What version 2 may announce; the specification has 65,535, of which nobody has use for a tenth.
const LONGEST: usize = 4096;
const SMTP: u16 = 25;
/// Where clients connect from, if nobody says.
const EPHEMERAL: u16 = 49152;

#[cfg(test)]
mod tests {
    use super::*;
    use InvalidProxyHeader::{Malformed, Missing, TooLong, Unknown};

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn headers() -> Vec<ProxyHeader> {
        let ends = [
            ("192.0.2.66:4711", "198.51.100.1:25"),
            ("[2001:db8::1]:65535", "[2001:db8::2]:0"),
            ("[::ffff:192.0.2.1]:1", "[::1]:25"),
        ];
        let with_ends = ends.map(|(from, to)| ProxyHeader::new(at(from)).to(at(to)));
        let all = with_ends.into_iter().chain([ProxyHeader::local()]);
        all.flat_map(|header| [header, header.version(ProxyVersion::V1)]).collect()
    }

    #[test]
    fn a_header_is_read_as_it_was_written_wherever_it_is_cut() {
        for header in headers() {
            let octets = header.encode();
            let more = [&octets[..], b"220 \r\n"].concat();
            assert_eq!(ProxyHeader::parse(&more), Ok(ProxyHeaderParse::Whole(header, octets.len())));
            for cut in 0..octets.len() {
                let Ok(ProxyHeaderParse::Needs(needs)) = ProxyHeader::parse(&octets[..cut]) else {
                    panic!("{header:?} cut at {cut}");
                };
                assert!(needs > 0 && cut + needs <= octets.len(), "{header:?} at {cut} reads {needs}, of what follows");
            }
        }
    }

    #[test]
    fn of_two_families_both_are_written_as_the_wider_one() {
        let header = ProxyHeader::new(at("192.0.2.1:1")).to(at("[::1]:25"));
        let text = String::from_utf8(header.version(ProxyVersion::V1).encode()).unwrap();
        assert_eq!(text, "PROXY TCP6 ::ffff:192.0.2.1 ::1 1 25\r\n");
        let Ok(ProxyHeaderParse::Whole(read, 52)) = ProxyHeader::parse(&header.encode()) else { panic!() };
        assert_eq!(read.from, Some(at("[::ffff:192.0.2.1]:1")));
    }

    #[test]
    fn what_is_no_header_is_told_with_the_reason() {
        let binary = |command: u8, family: u8, size: u16, rest: &[u8]| {
            [SIGNATURE, &[command, family], &size.to_be_bytes(), rest].concat()
        };
        let long = format!("PROXY TCP4 {}", "1".repeat(200));
        for (octets, why) in [
            (b"EHLO me\r\n".to_vec(), Missing),
            (b"proxy TCP4 ".to_vec(), Missing),
            (b"\r\n\r\n\0\r\nQUIT\r".to_vec(), Missing),
            (long.clone().into_bytes(), TooLong),
            (binary(0x21, TCP4, 4097, &[]), TooLong),
            (binary(0x21, TCP4, u16::MAX, &[]), TooLong),
            (binary(0x11, TCP4, 12, &[0; 12]), Unknown("an unknown version")),
            (binary(0x22, TCP4, 12, &[0; 12]), Unknown("an unknown command")),
            (binary(0x21, 0x12, 12, &[0; 12]), Unknown("another family than TCP over IPv4 or IPv6")),
            (binary(0x21, 0x31, 216, &[0; 216]), Unknown("another family than TCP over IPv4 or IPv6")),
            (binary(0x21, TCP4, 11, &[0; 11]), Malformed("an address")),
            (binary(0x21, TCP6, 12, &[0; 12]), Malformed("an address")),
            (b"PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n".to_vec(), Unknown("another family than TCP over IPv4 or IPv6")),
            (b"PROXY TCP4 ::1 ::1 1 2\r\n".to_vec(), Malformed("an address")),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n".to_vec(), Malformed("a port")),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n".to_vec(), Malformed("a port")),
            (b"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n".to_vec(), Malformed("a port")),
            (b"PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n".to_vec(), Malformed("a number of words")),
            (b"PROXY TCP4\r\n".to_vec(), Malformed("a number of words")),
            (b"PROXY \xff\r\n".to_vec(), Malformed("a text")),
        ] {
            assert_eq!(ProxyHeader::parse(&octets), Err(why), "{}", octets.escape_ascii());
        }
    }

    #[test]
    fn what_stands_behind_the_addresses_is_passed_over() {
        let octets = [SIGNATURE, &[0x21, TCP4, 0, 15], &[192, 0, 2, 1, 192, 0, 2, 2, 0, 1, 0, 25, 4, 0, 0]].concat();
        let Ok(ProxyHeaderParse::Whole(header, 31)) = ProxyHeader::parse(&octets) else { panic!() };
        assert_eq!(header, ProxyHeader::new(at("192.0.2.1:1")).to(at("192.0.2.2:25")));
    }
}
