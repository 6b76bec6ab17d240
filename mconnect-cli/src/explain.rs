//! Why a session failed: what this machine and the options know, and the words for what can be done here.

use std::net::SocketAddr;

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
    let evidence = verdict.evidence();
    let findings = evidence.findings(&facts(options, evidence.unreached()));
    told(findings.first(), options);
    findings
}

/// Says why the session under way ended, whatever was refused before.
pub fn end(options: &Options, verdict: &Verdict) {
    told(verdict.evidence().ending(&facts(options, None)).as_ref(), options);
}

/// Says why a step of a dialogue was not met: by the reply that came, or else by how the session ended.
pub fn step(reply: Option<&Reply>, options: &Options, verdict: &Verdict) -> Option<Finding> {
    let evidence = verdict.evidence();
    let facts = facts(options, evidence.unreached());
    let refusal = reply.and_then(|reply| evidence.refusal(reply.raw(), &facts));
    let found = refusal.or_else(|| evidence.ending(&facts));
    if !options.play.is_tap {
        told(found.as_ref(), options);
    }
    found
}

/// Returns why a reply refused what was asked, by its last line, if it did and that is wanted.
pub fn refusal(line: &[u8], options: &Options, verdict: &Verdict) -> Option<Finding> {
    is_wanted(options).then(|| verdict.evidence().refusal(line, &facts(options, None))).flatten()
}

fn told(found: Option<&Finding>, options: &Options) {
    if let Some(found) = found.filter(|_| is_wanted(options)) {
        say(&format!("mconnect: {found}"));
    }
}

/// Returns what the options say, and what the machine does, also of an address that could not be connected to.
fn facts(options: &Options, unreached: Option<SocketAddr>) -> Facts {
    let security = &options.security;
    let facts = Facts::new()
        .naming(in_options)
        .tls_first(security.start == Start::First)
        .sends_at_once(options.mode == Mode::Blind)
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
        Act::Certificate => "--cert and --key give it",
        act => act.in_words(),
    }
}
