//! Why a session failed: what this machine and the options know, and the words for what can be done here.

use std::net::SocketAddr;

use mconnect_core::diagnosis::{Act, Facts, Finding};

use crate::options::{Mode, Options, Start};
use crate::paint::Tone;
use crate::stderr::say_in_parts;
use crate::verdict::Verdict;

/// Returns whether the options leave room for it.
pub fn is_wanted(options: &Options) -> bool {
    options.prompt.explains && !options.is_quiet
}

/// Returns why a reply refused what was asked, by its last line, if it did and that is wanted.
pub fn refusal(line: &[u8], options: &Options, verdict: &Verdict) -> Option<Finding> {
    is_wanted(options).then(|| verdict.evidence().refusal(line, &facts(options, None))).flatten()
}

/// Returns who speaks there, by the first line that came, if it is no SMTP server and that is wanted.
pub fn speaker(options: &Options, verdict: &Verdict) -> Option<Finding> {
    is_wanted(options).then(|| verdict.evidence().ending(&facts(options, None))).flatten()
}

/// Tells what was found, if that is wanted.
pub fn tell(found: Option<&Finding>, options: &Options) {
    if let Some(found) = found.filter(|_| is_wanted(options)) {
        say_in_parts(&[(&format!("mconnect: {found}"), Tone::Plain)], false);
    }
}

/// Returns what the options say, and what the machine does, also of an address that could not be connected to.
pub fn facts(options: &Options, unreached: Option<SocketAddr>) -> Facts {
    let security = &options.security;
    let facts = Facts::new()
        .naming(in_options)
        .tls_first(security.start == Start::First)
        .tls_asked(security.start == Start::Upgrade)
        .sends_at_once(options.mode == Mode::Blind)
        .sends_header(options.roads.header.is_some())
        .accepts_any_certificate(security.is_insecure)
        .has_certificate(security.certificate.is_some());
    let facts = match options.source {
        Some(source) => facts.source(source),
        None => facts,
    };
    facts.of_this_machine(options.target.name(), unreached)
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
        Act::Header => "--haproxy local sends one",
        Act::Certificate => "--cert and --key give it",
        act => act.in_words(),
    }
}
