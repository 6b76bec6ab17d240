//! Why a session failed: what this machine and the options know, and the words for what can be done here.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use mconnect_core::diagnosis::{Act, Facts, Finding};
use mconnect_core::protocol::Reply;

use crate::options::{Mode, Options, Start};
use crate::stderr::say;
use crate::verdict::Verdict;

/// Returns whether the options leave room for it.
pub fn is_wanted(options: &Options) -> bool {
    options.prompt.explains && !options.is_quiet
}

/// Says why the session under way failed, if it did and that is known, and returns all that was found.
pub fn session(options: &Options, verdict: &Verdict) -> Vec<Finding> {
    let findings = verdict.transcript().findings(&all_facts(options, verdict));
    told(findings.first(), options);
    findings
}

/// Says why the session under way ended, whatever was refused before.
pub fn end(options: &Options, verdict: &Verdict) {
    told(verdict.transcript().ending(&facts(options)).as_ref(), options);
}

/// Says why a step of a dialogue was not met: by the reply that came, or else by how the session ended.
pub fn step(reply: Option<&Reply>, options: &Options, verdict: &Verdict) -> Option<Finding> {
    let facts = all_facts(options, verdict);
    let transcript = verdict.transcript();
    let refusal = reply.and_then(|reply| transcript.refusal(reply.raw(), &facts));
    let found = refusal.or_else(|| transcript.ending(&facts));
    if !options.play.is_tap {
        told(found.as_ref(), options);
    }
    found
}

/// Returns why a reply refused what was asked, by its last line, if it did and that is wanted.
pub fn refusal(line: &[u8], options: &Options, verdict: &Verdict) -> Option<Finding> {
    is_wanted(options).then(|| verdict.transcript().refusal(line, &facts(options))).flatten()
}

fn told(found: Option<&Finding>, options: &Options) {
    if let Some(found) = found.filter(|_| is_wanted(options)) {
        say(&format!("mconnect: {found}"));
    }
}

fn all_facts(options: &Options, verdict: &Verdict) -> Facts {
    match verdict.transcript().unreached() {
        Some(address) => of_the_machine(facts(options), address),
        None => facts(options),
    }
}

/// Returns what the options say, and what the machine does where that takes no time.
fn facts(options: &Options) -> Facts {
    let security = &options.security;
    let facts = Facts::new()
        .naming(in_options)
        .tls_first(security.start == Start::First)
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
