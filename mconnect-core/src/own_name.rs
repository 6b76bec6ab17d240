//! What this machine calls itself, as EHLO wants it.

use std::fs;
use std::net::{IpAddr, SocketAddr};

use crate::protocol::Code;

/// Returns this machine's name for EHLO: its own if that is a domain of more than one label, and otherwise the
/// [`address_literal`] of this end of a session
/// ([RFC 5321, section 4.1.4](https://www.rfc-editor.org/rfc/rfc5321#section-4.1.4)). Where the system has its name in no
/// file, it is the address, too.
///
/// ```
/// # #[cfg(feature = "server")] {
/// use mconnect_core::{Connect, own_name, server::Server};
///
/// let server = Server::start()?;
/// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
/// session.greeting()?.require(220)?;
/// let name = own_name(session.local_address());
/// session.hello(&name)?.require()?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "hostname")]
#[doc(alias = "gethostname")]
#[doc(alias = "EHLO")]
pub fn own_name(local: Option<SocketAddr>) -> String {
    let own = FILES.iter().find_map(|file| fs::read_to_string(file).ok());
    let own = own.as_deref().map(str::trim).filter(|name| is_domain(name));
    own.map_or_else(|| address_literal(local), str::to_owned)
}

/// Returns the address of this end of a session as EHLO wants it, `[192.0.2.1]` or `[IPv6:2001:db8::1]`
/// ([RFC 5321, section 4.1.3](https://www.rfc-editor.org/rfc/rfc5321#section-4.1.3)); `localhost` if it has none.
///
/// ```
/// use mconnect_core::address_literal;
///
/// assert_eq!(address_literal("192.0.2.1:25".parse().ok()), "[192.0.2.1]");
/// assert_eq!(address_literal("[2001:db8::1]:25".parse().ok()), "[IPv6:2001:db8::1]");
/// assert_eq!(address_literal(None), "localhost");
/// ```
pub fn address_literal(local: Option<SocketAddr>) -> String {
    match local.map(|local| local.ip().to_canonical()) {
        Some(IpAddr::V4(ip)) => format!("[{ip}]"),
        Some(IpAddr::V6(ip)) => format!("[IPv6:{ip}]"),
        None => "localhost".to_owned(),
    }
}

/// Says whether a negative reply to EHLO may be about the name in it, and not about EHLO or the server's own state: not
/// if the server is closing (421) or does not know the command (500, 502), which asks for HELO instead. Another name
/// may be worth a try then, [`address_literal`] above all.
///
/// ```
/// use mconnect_core::is_name_blamed;
/// use mconnect_core::protocol::Code;
///
/// assert!(is_name_blamed(Code::try_from(550)?));
/// assert!(!is_name_blamed(Code::NOT_AVAILABLE) && !is_name_blamed(Code::try_from(502)?));
/// # Ok::<(), mconnect_core::protocol::InvalidCode>(())
/// ```
pub fn is_name_blamed(code: Code) -> bool {
    ![421, 500, 502].contains(&code.number())
}

/// Says whether this is a domain of more than one label
/// ([RFC 5321, section 4.1.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.1.2)) and not an IPv4 address.
fn is_domain(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_number = |label: &str| label.bytes().all(|byte| byte.is_ascii_digit());
    let has_top = name.rsplit_once('.').is_some_and(|(_, top)| !is_number(top));
    name.len() <= LONGEST_DOMAIN && has_top && name.split('.').all(is_label)
}

/// In octets ([RFC 1035, section 2.3.4](https://www.rfc-editor.org/rfc/rfc1035#section-2.3.4)).
const LONGEST_LABEL: usize = 63;
/// In octets: two less than on the wire of the DNS, where the first label has its length before it and the last an end.
const LONGEST_DOMAIN: usize = 253;

/// Where systems keep the name of the machine: Linux what it is now, illumos, OpenBSD and others what it is at their start.
const FILES: &[&str] = &["/proc/sys/kernel/hostname", "/etc/nodename", "/etc/myname", "/etc/hostname"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_without_a_whole_name_is_called_by_its_address() {
        let own = own_name(None);
        for (local, expected) in [
            (Some("192.0.2.1:25"), "[192.0.2.1]"),
            (Some("[::ffff:127.0.0.1]:25"), "[127.0.0.1]"),
            (Some("[2001:db8::1]:25"), "[IPv6:2001:db8::1]"),
            (Some("[fe80::1%3]:25"), "[IPv6:fe80::1]"),
            (None, "localhost"),
        ] {
            let local = local.map(|local| local.parse().unwrap());
            assert_eq!(address_literal(local), expected);
            assert_eq!(own_name(local), if is_domain(&own) { &own } else { expected });
        }
    }

    #[test]
    fn the_name_of_a_machine_is_told_if_it_is_a_whole_domain() {
        let (label, long) = ("a".repeat(63), "a.".repeat(126));
        let longest_label = format!("{label}.example");
        let too_long_label = format!("a{label}.example");
        let (longest, too_long) = (format!("{long}b"), format!("{long}bb"));
        for domain in
            ["mx.example.org", "MX-1.Example", "a.b", "3com.example", "1.2.example", "xn--mller-kva.example", "x.a1"]
        {
            assert!(is_domain(domain), "{domain}");
        }
        assert!(is_domain(&longest_label) && is_domain(&longest));
        for none in [
            "",
            ".",
            "localhost",
            "my_app_1.internal",
            "MÜLLER-PC.local",
            "has space.local",
            "a..b",
            ".a.b",
            "a.b.",
            "-a.b",
            "a-.b",
            "a.-b",
            "a.b\r\nQUIT",
            "a.b\0",
            "192.0.2.1",
            "a.1",
            "[192.0.2.1]",
            "2001:db8::1.example",
        ] {
            assert!(!is_domain(none), "{none}");
        }
        assert!(!is_domain(&too_long_label) && !is_domain(&too_long));
    }
}
