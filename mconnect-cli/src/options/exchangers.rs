//! The options on the mail exchangers of a domain.

use std::net::{IpAddr, SocketAddr};

use mconnect_core::protocol::Address;

use super::option::{Opt, flag, text};
use super::value::{address, put};
use super::{Host, Target};

/// Whether exchangers are asked for, and whom to ask for them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exchangers {
    pub are_asked_for: bool,
    /// The name server, if it is not the system's.
    pub resolver: Option<SocketAddr>,
    pub is_resolver_trusted: bool,
    /// Addresses that are not on the internet are contacted, too.
    pub allows_private: bool,
}

pub const EXCHANGERS: &[Opt] = &[
    flag("--mx", "connect to a mail exchanger of the domain HOST", |o| o.exchangers.are_asked_for = true).apart(&[
        ("--demo --pipe", "--mx asks for a domain's exchangers: --demo and --pipe have none"),
        ("--play --serve", "--mx goes with neither --play nor --serve"),
        ("--lmtp", "--mx is for SMTP: a domain publishes no LMTP servers"),
    ]),
    text("--resolver ADDRESS[:PORT]", "ask this name server", |o, text| put(&mut o.exchangers.resolver, server(text)))
        .with(ASKS),
    flag("--trust-resolver", "believe what it says of signatures (DNSSEC)", |o| {
        o.exchangers.is_resolver_trusted = true;
    })
    .with(ASKS),
    flag("--allow-private", "connect to addresses that are not global, too", |o| o.exchangers.allows_private = true)
        .with(ASKS),
];

/// Returns the domain whose exchangers are asked for: the host that was given, or else that of the recipients.
///
/// # Errors
/// A sentence that says why there is none.
pub fn domain(given: Option<&Target>, recipients: &[Address]) -> Result<Target, String> {
    let domain = match given {
        Some(target) => target.clone(),
        None => Target::Host(recipients_domain(recipients)?),
    };
    let name = domain.name();
    let is_address = name.parse::<IpAddr>().is_ok() || name.starts_with(['[', '/']) || name.contains([':', '%']);
    if is_address { Err(format!("{name:?} is not a domain: --mx asks for the exchangers of one")) } else { Ok(domain) }
}

fn recipients_domain(recipients: &[Address]) -> Result<Host, String> {
    let mut domains = recipients.iter().map(|to| to.domain().unwrap_or_default());
    let Some(first) = domains.next() else { return Err("--mx goes with a domain, or with --to".to_owned()) };
    if let Some(other) = domains.find(|domain| !domain.eq_ignore_ascii_case(first)) {
        return Err(format!("the recipients are of more than one domain, {first} and {other}: --mx asks for one"));
    }
    match first {
        "" => Err("the recipient is of no domain that --mx could ask for".to_owned()),
        domain => Host::from_name(domain).map_err(|why| format!("{domain:?} is not a domain: {why}")),
    }
}

/// Reads a name server's address, perhaps with a port.
fn server(text: &str) -> Result<SocketAddr, String> {
    match text.parse() {
        Ok(server) => Ok(server),
        Err(_) => address(text).map(|address| SocketAddr::new(address, DOMAIN)),
    }
}

/// The options that ask name servers.
const ASKS: &str = "--mx --probe";
/// The port of the DNS.
const DOMAIN: u16 = 53;

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::super::{Options, Request, parse};

    fn of(args: &[&str]) -> Result<Options, String> {
        match parse(args.iter().map(OsString::from))? {
            Request::Send(options) | Request::Session(options) => Ok(*options),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_domain_is_the_host_or_that_of_the_recipients() {
        for (args, domain) in [
            (&["--mx", "example.org"][..], "example.org"),
            (&["--mx", "b\u{fc}cher.example:2525"], "xn--bcher-kva.example"),
            (&["--mx", "--to", "a@Example.org", "--to", "b@example.org"], "Example.org"),
            (&["--mx", "--to", "j\u{f6}rg@b\u{fc}cher.example"], "xn--bcher-kva.example"),
            (&["--mx", "--to", "a@example.org", "example.net"], "example.net"),
        ] {
            assert_eq!(of(args).unwrap().target.name(), domain, "{args:?}");
        }
    }

    #[test]
    fn what_has_no_exchangers_is_said() {
        for (args, message) in [
            (&["--mx"][..], "--mx goes with a domain, or with --to"),
            (&["--mx", "192.0.2.1"], "\"192.0.2.1\" is not a domain: --mx asks for the exchangers of one"),
            (&["--mx", "[::1]:25"], "\"[::1]\" is not a domain: --mx asks for the exchangers of one"),
            (
                &["--mx", "--to", "a@[192.0.2.1]"],
                "\"[192.0.2.1]\" is not a domain: --mx asks for the exchangers of one",
            ),
            (&["--mx", "--to", "postmaster"], "the recipient is of no domain that --mx could ask for"),
            (
                &["--mx", "--to", "a@x", "--to", "b@y"],
                "the recipients are of more than one domain, x and y: --mx asks for one",
            ),
            (&["--resolver", "::1", "x"], "--resolver goes with --mx or --probe"),
            (&["--mx", "--resolver", "x", "x"], "\"x\" is not an IPv4 or IPv6 address"),
            (&["--mx", "--play", "x", "y"], "--mx goes with neither --play nor --serve"),
        ] {
            assert_eq!(of(args).unwrap_err(), message);
        }
    }

    #[test]
    fn a_name_server_may_have_a_port() {
        for (text, server) in [
            ("192.0.2.1", "192.0.2.1:53"),
            ("192.0.2.1:5353", "192.0.2.1:5353"),
            ("::1", "[::1]:53"),
            ("[::1]", "[::1]:53"),
            ("[::1]:5353", "[::1]:5353"),
        ] {
            let options = of(&["--mx", "--resolver", text, "x"]).unwrap();
            assert_eq!(options.exchangers.resolver, Some(server.parse().unwrap()));
        }
    }
}
