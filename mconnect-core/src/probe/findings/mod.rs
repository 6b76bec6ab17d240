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

mod code;
mod likeness;
mod names;
mod policy;
mod security;
mod sessions;

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime};

pub use code::FindingCode;

use super::report::{HostFacts, ProbeReport, Target};
use crate::protocol::Visible;
use crate::sts::Mode;

/// Something that is to be said of a domain's mail.
///
/// [`Display`](fmt::Display) writes its sentence and what to do: `mx2.example.org does not offer STARTTLS: offer it at
/// every address of every exchanger`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProbeFinding {
    /// How grave it is.
    pub gravity: Gravity,
    /// What it is, for programs to tell apart.
    pub code: FindingCode,
    /// What it is, in a sentence; what servers and zones say is made visible in it.
    pub what: String,
    /// What shows it, made visible and on one line; empty where the sentence says it all.
    pub evidence: String,
    /// What to do about it.
    pub advice: &'static str,
    /// The exchanger that it is about, if it is about one.
    pub exchanger: Option<String>,
    /// The addresses that it is about; none if it is about all of them, or not about addresses.
    pub addresses: Vec<IpAddr>,
}

/// How grave a finding is. The graver one is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Gravity {
    /// It is good to know.
    Note,
    /// It goes well, and not for all, or not for long.
    Warning,
    /// Mail does not arrive, or not from everybody.
    Failure,
}

impl fmt::Display for ProbeFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.advice)
    }
}

impl fmt::Display for Gravity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Failure => "failure",
        })
    }
}

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
        let advice = code.advice();
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
