//! What is to be said of a report: everything that an administrator would want to hear, the gravest first.
//!
//! ```text
//!   names     what the DNS says of the domain and its exchangers
//!   sessions  who answers, and how
//!   security  STARTTLS, certificates, DANE
//!   policy    MTA-STS and TLSRPT
//!   likeness  what differs where nothing should
//! ```
//! Each looks at the report alone, and adds what it finds.

mod likeness;
mod names;
mod policy;
mod security;
mod sessions;

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use super::facts::HostFacts;
use super::finding::{FindingCode, Gravity, ProbeFinding};
use super::report::{ProbeReport, Target};
use crate::protocol::Visible;
use crate::sts::Mode;

/// By what is judged.
pub(super) struct Measures {
    /// Less validity than this is told.
    pub expiring: Duration,
    pub now: SystemTime,
}

/// Returns what is to be said of a report.
pub(super) fn judge(report: &ProbeReport, measures: &Measures) -> Vec<ProbeFinding> {
    let mut findings = Findings { report, measures, found: Vec::new() };
    findings.names();
    findings.sessions();
    findings.security();
    findings.policy();
    findings.likeness();
    let mut found = findings.found;
    found.sort_by_key(|finding| std::cmp::Reverse(finding.gravity));
    found
}

/// What is found of a report, as it is found.
struct Findings<'a> {
    report: &'a ProbeReport,
    measures: &'a Measures,
    found: Vec<ProbeFinding>,
}

impl<'a> Findings<'a> {
    fn add(&mut self, gravity: Gravity, code: FindingCode, what: String) -> &mut ProbeFinding {
        let (evidence, exchanger, addresses) = (String::new(), None, Vec::new());
        let (what, advice) = (shown(&what), code.advice());
        self.found.push(ProbeFinding { gravity, code, what, evidence, advice, exchanger, addresses });
        self.found.last_mut().expect("it has just come")
    }

    /// Returns the hosts, each once.
    fn hosts(&self) -> Vec<&'a HostFacts> {
        let mut hosts: Vec<&HostFacts> = Vec::new();
        for exchanger in &self.report.exchangers {
            if !hosts.iter().any(|host| host.name == exchanger.host.name) {
                hosts.push(&exchanger.host);
            }
        }
        hosts
    }

    /// Returns how the domain's policy is meant, if one counts.
    fn mode(&self) -> Option<Mode> {
        let policy = self.report.sts.as_ref()?.policy()?;
        Some(policy.mode).filter(|mode| *mode != Mode::None)
    }

    /// Returns how grave it is that a policy is not kept to, and else this.
    fn by_policy(&self, otherwise: Gravity) -> Gravity {
        match self.mode() {
            Some(Mode::Enforce) => Gravity::Failure,
            Some(_) => otherwise.max(Gravity::Warning),
            None => otherwise,
        }
    }

    /// Says what a policy makes of it, behind a sentence.
    fn policy_words(&self) -> &'static str {
        match self.mode() {
            Some(Mode::Enforce) => ", and the MTA-STS policy (enforce) keeps mail from it",
            Some(_) => ", and the MTA-STS policy (testing) would keep mail from it",
            None => "",
        }
    }

    /// Returns whether the target is an address, of which no name can be right.
    fn is_address(&self) -> bool {
        matches!(self.report.target, Target::Address(_))
    }
}

impl ProbeFinding {
    fn seen(&mut self, evidence: impl fmt::Display) -> &mut Self {
        self.evidence = shown(&evidence.to_string());
        self
    }

    /// Says which host it is about, and which of its addresses if those are not all.
    fn at(&mut self, host: &HostFacts, addresses: &[IpAddr]) -> &mut Self {
        self.exchanger = Some(host.name.clone());
        if addresses.len() < host.addresses.len() {
            self.addresses = addresses.to_vec();
        }
        self
    }
}

/// Names a host, and those of its addresses that are meant unless they are all.
fn place(host: &HostFacts, addresses: &[IpAddr]) -> String {
    if addresses.len() == host.addresses.len() {
        return host.name.clone();
    }
    let listed: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    format!("{} ({})", host.name, listed.join(", "))
}

/// Makes text of others safe to show, on one line.
fn shown(text: &str) -> String {
    Visible(text.as_bytes()).to_string()
}

/// Puts the same remark on several addresses together: each sentence with its addresses, in order.
fn grouped<K: PartialEq>(remarks: impl IntoIterator<Item = (K, IpAddr)>) -> Vec<(K, Vec<IpAddr>)> {
    let mut groups: Vec<(K, Vec<IpAddr>)> = Vec::new();
    for (remark, address) in remarks {
        match groups.iter_mut().find(|(known, _)| *known == remark) {
            Some((_, addresses)) => addresses.push(address),
            None => groups.push((remark, vec![address])),
        }
    }
    groups
}
