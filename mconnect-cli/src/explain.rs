//! Why a session failed: what this machine and the options know, and the words for what can be done here.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use mconnect_core::diagnosis::{Act, Facts, Finding};
use mconnect_core::protocol::Reply;

use crate::options::{Mode, Options, Start, Target};
use crate::stderr::say;
use crate::verdict::Verdict;

/// Returns whether the options leave room for it.
pub fn is_wanted(options: &Options) -> bool {
    options.prompt.explains && !options.is_quiet
}

/// Says why the session under way failed, if it did and that is known, and returns all that was found.
pub fn session(options: &Options, verdict: &Verdict) -> Vec<Finding> {
    let findings = verdict.evidence().findings(&all_facts(options, verdict));
    told(findings.first(), options);
    findings
}

/// Says why the session under way ended, whatever was refused before.
pub fn end(options: &Options, verdict: &Verdict) {
    told(verdict.evidence().ending(&facts(options)).as_ref(), options);
}

/// Says why a step of a dialogue was not met: by the reply that came, or else by how the session ended.
pub fn step(reply: Option<&Reply>, options: &Options, verdict: &Verdict) -> Option<Finding> {
    let facts = all_facts(options, verdict);
    let evidence = verdict.evidence();
    let refusal = reply.and_then(|reply| evidence.refusal(reply.raw(), &facts));
    let found = refusal.or_else(|| evidence.ending(&facts));
    if !options.play.is_tap {
        told(found.as_ref(), options);
    }
    found
}

/// Returns why a reply refused what was asked, by its last line, if it did and that is wanted.
pub fn refusal(line: &[u8], options: &Options, verdict: &Verdict) -> Option<Finding> {
    is_wanted(options).then(|| verdict.evidence().refusal(line, &facts(options))).flatten()
}

/// Returns who speaks there, by the first line that came, if it is no SMTP server and that is wanted.
pub fn speaker(options: &Options, verdict: &Verdict) -> Option<Finding> {
    is_wanted(options).then(|| verdict.evidence().ending(&facts(options))).flatten()
}

fn told(found: Option<&Finding>, options: &Options) {
    if let Some(found) = found.filter(|_| is_wanted(options)) {
        say(&format!("mconnect: {found}"));
    }
}

fn all_facts(options: &Options, verdict: &Verdict) -> Facts {
    match verdict.evidence().unreached() {
        Some(address) => with_name_searched(of_the_machine(facts(options), address), options, address),
        None => facts(options),
    }
}

/// Returns what the options say, and what the machine does where that takes no time.
fn facts(options: &Options) -> Facts {
    let security = &options.security;
    let facts = Facts::new()
        .naming(in_options)
        .tls_first(security.start == Start::First)
        .tls_asked(security.start == Start::Upgrade)
        .sends_at_once(options.mode == Mode::Blind)
        .accepts_any_certificate(security.is_insecure)
        .has_certificate(security.certificate.is_some())
        .in_container(is_in_container());
    match options.source {
        Some(source) => facts.source(source),
        None => facts,
    }
}

/// Adds what this machine has to do with an address that could not be connected to.
fn of_the_machine(facts: Facts, address: SocketAddr) -> Facts {
    let facts = if is_here(address.ip()) { facts.local_addresses([address.ip()]) } else { facts };
    match address {
        SocketAddr::V6(v6) if v6.ip().is_loopback() => {
            let other = SocketAddr::from((Ipv4Addr::LOCALHOST, v6.port()));
            match TcpStream::connect_timeout(&other, LOOPBACK_PATIENCE) {
                Ok(_) => facts.also_listening(other),
                Err(_) => facts,
            }
        }
        SocketAddr::V6(v6) => facts.has_route6(has_route(SocketAddr::V6(v6))),
        SocketAddr::V4(_) => facts,
    }
}

/// Says whether an address is one of this machine's: only those can be bound to.
fn is_here(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

/// Adds what the resolver made of the host, if that is another name: one that is not there as it was written, but is with a
/// search domain of this machine behind it.
fn with_name_searched(facts: Facts, options: &Options, address: SocketAddr) -> Facts {
    let Target::Host(host) = &options.target else { return facts };
    let name = host.name.as_str();
    if name.parse::<IpAddr>().is_ok() || name.ends_with('.') || !name.contains('.') {
        return facts;
    }
    let domains = fs::read_to_string(RESOLVER).map(|text| search_domains(&text)).unwrap_or_default();
    let names = domains.iter().map(|domain| format!("{name}.{domain}"));
    let is_at = |name: &str| resolved(name).is_some_and(|addresses| addresses.contains(&address.ip()));
    match names.take(MOST_DOMAINS).find(|name| is_at(&format!("{name}."))) {
        Some(searched) if resolved(&format!("{name}.")).is_some_and(|addresses| addresses.is_empty()) => {
            facts.host(name, Some(&searched))
        }
        _ => facts,
    }
}

/// Returns the addresses of a name, if the resolver is quick: this is for a sentence, and not worth a wait.
fn resolved(name: &str) -> Option<Vec<IpAddr>> {
    let (tell, told) = mpsc::channel();
    let name = name.to_owned();
    thread::spawn(move || {
        let addresses = (name.as_str(), 0).to_socket_addrs();
        let _ = tell.send(addresses.map(|all| all.map(|address| address.ip()).collect()).unwrap_or_default());
    });
    told.recv_timeout(RESOLVER_PATIENCE).ok()
}

/// Returns the domains that are tried behind a name: of several lines, the last counts.
fn search_domains(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let mut domains = lines.filter_map(|words| match words.split_first() {
        Some((&("search" | "domain"), domains)) => Some(domains.iter().map(|domain| (*domain).to_owned()).collect()),
        _ => None,
    });
    domains.next_back().unwrap_or_default()
}

fn has_route(address: SocketAddr) -> bool {
    // Connecting a datagram socket sends nothing.
    UdpSocket::bind("[::]:0").and_then(|socket| socket.connect(address)).is_ok()
}

fn is_in_container() -> bool {
    ["/.dockerenv", "/run/.containerenv"].iter().any(|mark| fs::exists(mark).unwrap_or_default())
}

fn in_options(act: Act) -> &'static str {
    match act {
        Act::AnyFamily => "leave out -4, -6 and --source, or choose the other family",
        Act::V4 => "-4 uses IPv4",
        Act::Source => "--source takes one that is",
        Act::Tls => "--tls begins with it",
        Act::StartTls => "--starttls starts it, or the command STARTTLS",
        Act::Helo => "--helo gives another",
        Act::Wait => "leave out --no-wait",
        Act::Auth => "--auth USER logs in",
        Act::Trust => "if it is the right server, --save-chain keeps its certificates, and --cafile trusts them",
        Act::TlsName => "--tls-name verifies another name",
        Act::Certificate => "--cert and --key give it",
        act => act.in_words(),
    }
}

const LOOPBACK_PATIENCE: Duration = Duration::from_millis(200);
const RESOLVER_PATIENCE: Duration = Duration::from_millis(500);
/// Where systems keep what their resolver does.
const RESOLVER: &str = "/etc/resolv.conf";
const MOST_DOMAINS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_domains_are_those_of_the_last_line_that_has_them() {
        let text =
            "# search no\nsearch a.example\nnameserver 192.0.2.1\nsearch b.example  c.example\noptions ndots:5\n";
        assert_eq!(search_domains(text), ["b.example", "c.example"]);
        assert_eq!(search_domains("domain d.example\n"), ["d.example"]);
        assert_eq!(search_domains(""), [""; 0]);
    }

    #[test]
    fn an_address_of_this_machine_is_told_from_another() {
        assert!(is_here(Ipv4Addr::LOCALHOST.into()));
        assert!(!is_here(Ipv4Addr::new(192, 0, 2, 1).into()));
    }
}
