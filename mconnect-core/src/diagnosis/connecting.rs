//! Why there is no connection: names, routes, firewalls, ports.
//!
//! What the system says of the last attempt is what is told; of earlier ones, only whether they were alike. The same
//! error means different things by where the address is, and so the caller's [`Facts`] decide between a server that
//! does not run, one that listens elsewhere, and a container's own loopback.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr};

use super::record::{Attempt, Failure, Record};
use super::{Cause, Certainty, Facts, Finding, Recognized};
use crate::error::chain;
use crate::proxy::ProxyError;

use Certainty::{Certain, Likely, Possible};

/// Returns why no connection came about, if none did: no address, none that was tried, or the failure of the last.
pub(super) fn finding(record: &Record, facts: &Facts) -> Option<Finding> {
    if record.connected.is_some() {
        return None;
    }
    if let Some((cause, words)) = &record.proxy {
        return Some(Recognized::new(*cause, Certain, words.as_str()).with("name", &record.host).told(facts));
    }
    if let Some(failure) = &record.without_address {
        return Some(at_a_socket(failure, record)?.told(facts));
    }
    let recognized = match (record.attempts.as_slice(), &record.resolved) {
        ([], Some(Err(failure))) => unresolved(failure, record),
        ([], Some(Ok(addresses))) if !addresses.is_empty() => {
            let list: Vec<String> = addresses.iter().take(MOST_TOLD).map(ToString::to_string).collect();
            Recognized::new(Cause::OtherFamily, Certain, "no address was tried")
                .with("name", &record.host)
                .with("addresses", list.join(", "))
        }
        (attempts, _) => unconnected(attempts, record, facts)?,
    };
    Some(searched(recognized, record, facts).told(facts))
}

/// Recognizes why a name has no address: by the resolver's words, since its numbers do not get here.
fn unresolved<'a>(failure: &Failure, record: &Record) -> Recognized<'a> {
    let text = failure.text.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let cause = match failure.kind {
        ErrorKind::TimedOut => Cause::ResolverSilent,
        _ if says(&["temporary", "try again"]) => Cause::ResolverSilent,
        // Some resolvers say so of names that do not exist, too, but none the other way round.
        _ if says(&["no address associated"]) => Cause::NameWithoutAddress,
        _ => Cause::NoSuchName,
    };
    let certainty = if cause == Cause::ResolverSilent { Likely } else { Certain };
    Recognized::new(cause, certainty, &*failure.text).with("name", &record.host)
}

/// Recognizes why the last address could not be connected to.
fn unconnected<'a>(attempts: &[Attempt], record: &Record, facts: &Facts) -> Option<Recognized<'a>> {
    let failed = |attempt: &Attempt| attempt.failure.as_ref().map(|failure| failure.kind);
    let (last, failure) = attempts.last().and_then(|last| Some((last, last.failure.as_ref()?)))?;
    let how = format!("{}: {}, after {:.1} s", last.address, failure.text, last.took.as_secs_f64());
    let evidence = match attempts.len() {
        1 => how,
        count => format!("{count} addresses were tried; the last, {how}"),
    };
    let all = |kind: ErrorKind| attempts.iter().all(|attempt| failed(attempt) == Some(kind));
    let ip = last.address.ip();
    let port = record.port(facts);
    let (cause, certainty) = match failure.kind {
        ErrorKind::ConnectionRefused => match ip {
            _ if facts.also_listening.is_some() => (Cause::OtherLoopback, Certain),
            IpAddr::V4(here) if here.is_loopback() && is_own_name(here, record) => (Cause::OwnName, Likely),
            ip if ip.is_loopback() && facts.is_in_container => (Cause::InContainer, Certain),
            // A firewall that rejects may say the same, from elsewhere.
            ip if facts.is_here(ip) => (Cause::NoListener, Certain),
            _ => (Cause::NoListener, Likely),
        },
        ErrorKind::TimedOut if ip.is_ipv6() && has_other_family(attempts, record) => (Cause::Dead6, Likely),
        ErrorKind::TimedOut if all(ErrorKind::TimedOut) && port == Some(25) && !facts.is_here(ip) => {
            (Cause::Port25Blocked, if attempts.len() > 1 { Likely } else { Possible })
        }
        ErrorKind::TimedOut => (Cause::NoAnswer, Likely),
        ErrorKind::NetworkUnreachable if ip.is_ipv6() && facts.has_route6 != Some(true) => {
            (Cause::NoRoute6, if facts.has_route6 == Some(false) { Certain } else { Likely })
        }
        ErrorKind::NetworkUnreachable => (Cause::NoRoute, Certain),
        ErrorKind::HostUnreachable => (Cause::Unreachable, Certain),
        ErrorKind::PermissionDenied => (Cause::Forbidden, Certain),
        ErrorKind::AddrNotAvailable if facts.source.is_some() => (Cause::SourceNotHere, Certain),
        ErrorKind::AddrNotAvailable if ip.is_ipv6() => (Cause::NoRoute6, Likely),
        ErrorKind::AddrNotAvailable => (Cause::PortsUsedUp, Likely),
        _ if matches!(failure.number, Some(OPEN_FILES | OPEN_FILES_OF_ALL)) => (Cause::FilesUsedUp, Certain),
        _ => return None,
    };
    let recognized = Recognized::new(cause, certainty, evidence)
        .with("address", last.address)
        .with("name", &record.host)
        .with("source", facts.source.map(|source| source.to_string()).unwrap_or_default());
    Some(match facts.also_listening {
        Some(other) => recognized.with("other", other),
        None => recognized,
    })
}

/// Says what is wrong with a proxy, if that is what is, and in which words.
pub(super) fn of_proxy(error: &io::Error) -> Option<(Cause, String)> {
    let error: &ProxyError = error.get_ref()?.downcast_ref()?;
    let cause = match error {
        ProxyError::Unreachable(_) => Cause::ProxyUnreachable,
        ProxyError::Login(_) => Cause::ProxyLogin,
        ProxyError::Refused(_) | ProxyError::Host(_) => Cause::ProxyRefuses,
        ProxyError::Closed | ProxyError::Silent | ProxyError::Lost(_) => Cause::ProxyFails,
        ProxyError::OtherProtocol { .. } | ProxyError::Malformed(_) => Cause::NoProxy,
    };
    Some((cause, chain(error)))
}

/// Recognizes why a UNIX socket could not be connected to.
fn at_a_socket<'a>(failure: &Failure, record: &Record) -> Option<Recognized<'a>> {
    let cause = match failure.kind {
        ErrorKind::NotFound => Cause::NoSocket,
        ErrorKind::ConnectionRefused => Cause::NobodyAtSocket,
        ErrorKind::PermissionDenied => Cause::SocketForbidden,
        _ => return None,
    };
    Some(Recognized::new(cause, Certain, &*failure.text).with("name", &record.host))
}

/// Says whether a name has an address of IPv4, and only those of IPv6 were tried.
fn has_other_family(attempts: &[Attempt], record: &Record) -> bool {
    let has_v4 = record.resolved.iter().flatten().flatten().any(IpAddr::is_ipv4);
    has_v4 && attempts.iter().all(|attempt| attempt.address.is_ipv6())
}

/// Says whether a name was taken for an address of this machine that is not the usual one: 127.0.1.1, as Debian has it.
fn is_own_name(address: Ipv4Addr, record: &Record) -> bool {
    address != Ipv4Addr::LOCALHOST && record.host.parse::<IpAddr>().is_err()
}

/// Where the name that was tried is not the one that was written, that is the likelier cause: a name without a dot is
/// meant to be completed, but `mx.example.orgg` is not.
fn searched<'a>(recognized: Recognized<'a>, record: &Record, facts: &Facts) -> Recognized<'a> {
    let (Some(typed), Some(resolved)) = (&facts.typed_host, &facts.resolved_name) else { return recognized };
    let (typed, resolved) = (typed.trim_end_matches('.'), resolved.trim_end_matches('.'));
    let is_longer = resolved.len() > typed.len()
        && resolved.to_ascii_lowercase().starts_with(&format!("{}.", typed.to_ascii_lowercase()));
    if !is_longer || !typed.contains('.') || record.attempts.is_empty() {
        return recognized;
    }
    Recognized::new(Cause::SearchDomain, Likely, recognized.evidence).with("typed", typed).with("name", resolved)
}

/// Of the addresses of a name, this many are told.
const MOST_TOLD: usize = 3;
/// EMFILE and ENFILE, which are the same on every system that has them.
const OPEN_FILES: i32 = 24;
const OPEN_FILES_OF_ALL: i32 = 23;
