//! A report that one reads at a glance: the tree of exchangers and addresses, the findings, and what is fine.
//!
//! ```text
//! example.org: mail goes to 2 exchangers
//!   10 mx1.example.org  DANE secure, in the MTA-STS policy
//!      ✓ 192.0.2.1      TLS 1.3, certificate verified for 61 days, greets after 0.02 s
//!   20 mx2.example.org
//!      ✗ 192.0.2.2      Connection refused
//!
//!   warning  unreachable
//!            mx2.example.org does not answer
//!            Connection refused
//!            > look whether the server runs, ...
//!
//!   fine
//!            DNSSEC, STARTTLS at every address
//!
//!   asked 127.0.0.1:53 (on this machine), in 0.3 s
//! ```

use std::net::IpAddr;
use std::time::SystemTime;

use mconnect_core::probe::{
    AddressFacts, Contact, DaneStanding, Exchanger, Gravity, ProbeFinding, ProbeReport, Routing, SessionFacts, Target,
};
use mconnect_core::protocol::Reply;
use mconnect_core::{Error, chain};

use super::drawing::{Drawing, tone};
use crate::paint::Tone;

/// Returns all of a report, in lines; the target is named as it was written.
pub fn of(report: &ProbeReport, written: &str, drawing: &Drawing) -> String {
    let mut text = format!("{}: {}\n", drawing.paint(written, Tone::Bold), routing(report));
    // The columns of names and addresses, of which most are that short.
    let preferences = report.exchangers.iter().map(|one| preference(one).len()).max().unwrap_or_default();
    let addresses = report.exchangers.iter().flat_map(|one| &one.host.addresses);
    let width = addresses.map(|one| one.address.to_string().len() + 2);
    let names = report.exchangers.iter().map(|one| one.host.name.len());
    let width = width.chain(names).max().unwrap_or_default().min(MOST_COLUMNS);
    for exchanger in &report.exchangers {
        let about = exchanger_words(exchanger);
        let name = format!("{:width$}", exchanger.host.name);
        let line = format!("  {:preferences$} {}  {about}", preference(exchanger), drawing.paint(&name, Tone::Bold));
        text += &format!("{}\n", line.trim_end());
        for address in &exchanger.host.addresses {
            let mark = drawing.mark(gravest(report, exchanger, address.address));
            let (place, inner) = (address.address.to_string(), width.saturating_sub(2));
            let words = drawing.paint(&address_words(address), Tone::Plain);
            text += &format!("  {:preferences$} {mark} {place:inner$}  {words}\n", "");
        }
    }
    for finding in &report.findings {
        text += &finding_lines(finding, drawing);
    }
    let fine = report.fine();
    if !fine.is_empty() {
        text += &format!("\n  {}\n", drawing.paint("fine", Tone::Good));
        text += &drawing.lines(BESIDE, &fine.join(", "), Tone::Plain);
    }
    let took = report.took.as_secs_f64();
    let asked = match report.target {
        // It has no name to ask for.
        Target::Address(_) => format!("in {took:.1} s"),
        _ => format!("asked {}, in {took:.1} s", report.resolver),
    };
    text + "\n" + &drawing.lines("  ", &asked, Tone::Dim)
}

/// Returns a line on a target: the gravest of what is found, or what is fine.
pub fn row(written: &str, error: Option<&str>, report: &ProbeReport, drawing: &Drawing) -> String {
    let first = report.findings.first();
    let (gravest, words) = match (error, first) {
        (Some(error), _) => (Some(Gravity::Failure), error.to_owned()),
        (None, Some(finding)) if finding.gravity > Gravity::Note => (Some(finding.gravity), finding.what.clone()),
        _ => (None, [vec![routing(report)], report.fine()].concat().join(", ")),
    };
    let name = drawing.paint(&format!("{written:30}"), Tone::Bold);
    format!("{} {name} {}\n", drawing.mark(gravest), drawing.paint(&words, Tone::Plain))
}

fn routing(report: &ProbeReport) -> String {
    match (report.routing, report.exchangers.len()) {
        (Routing::Exchangers, 1) => "mail goes to 1 exchanger".to_owned(),
        (Routing::Exchangers, count) => format!("mail goes to {count} exchangers"),
        (Routing::Implicit, _) => "mail goes to its own address: there is no MX".to_owned(),
        (Routing::NullMx, _) => "takes no mail (null MX)".to_owned(),
        (Routing::Nowhere, _) => "takes no mail".to_owned(),
        (Routing::Unknown, _) => "nobody knows where mail goes".to_owned(),
        _ => format!("port {}", report.port),
    }
}

fn preference(exchanger: &Exchanger) -> String {
    exchanger.preference.map(|preference| preference.to_string()).unwrap_or_default()
}

fn exchanger_words(exchanger: &Exchanger) -> String {
    let dane = match exchanger.dane.standing {
        // It is said once, for all of them.
        DaneStanding::Insecure | DaneStanding::Absent | DaneStanding::Unproven => None,
        standing => Some(format!("DANE {}", standing.name())),
    };
    let policy = match (exchanger.is_in_policy, exchanger.passes_policy()) {
        (Some(false), _) => Some("not in the MTA-STS policy"),
        (Some(true), Some(false)) => Some("fails the MTA-STS policy"),
        (Some(true), _) => Some("in the MTA-STS policy"),
        (None, _) => None,
    };
    let none = exchanger.host.addresses.is_empty().then_some("no address");
    [none.map(str::to_owned), dane, policy.map(str::to_owned)].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn address_words(address: &AddressFacts) -> String {
    match &address.contact {
        Contact::Session(facts) => session_words(facts),
        Contact::NotGlobal => "not contacted: no global address".to_owned(),
        Contact::Excluded => "not contacted: excluded".to_owned(),
        Contact::OtherFamily => "not asked".to_owned(),
        _ => String::new(),
    }
}

fn session_words(facts: &SessionFacts) -> String {
    let mut words = Vec::new();
    if let (None, Some(error)) = (facts.connect_took, &facts.error) {
        return match error {
            Error::Connect { source, .. } => chain(source),
            error => error.chain(),
        };
    }
    match (&facts.hello, &facts.greeting) {
        (Some(hello), _) if !hello.is_granted() => words.push(hello.to_string()),
        (None, Some(greeting)) if facts.error.is_none() => words.push(greeting.to_string()),
        _ => {}
    }
    match &facts.tls {
        Some(info) => {
            words.push(info.version.clone());
            let left = info.certificates.first().map(|leaf| leaf.days_left(SystemTime::now()));
            let is_verified = facts.problems.is_empty();
            match left {
                Some(days) if is_verified => words.push(format!("certificate verified for {days} days")),
                _ => words.push("certificate not verified".to_owned()),
            }
        }
        None if facts.hello.as_ref().is_some_and(Reply::is_granted) && facts.starttls.is_none() => {
            words.push("no STARTTLS".to_owned());
        }
        None => {}
    }
    if let Some(error) = facts.error.as_ref().filter(|_| facts.quit.is_none()) {
        words.push(format!("broken off at {}: {}", facts.reached, error.chain()));
    }
    if let Some(took) = facts.greeting_took {
        words.push(format!("greets after {:.2} s", took.as_secs_f64()));
    }
    words.join(", ")
}

/// Returns how grave the gravest is that is said of an address.
fn gravest(report: &ProbeReport, exchanger: &Exchanger, address: IpAddr) -> Option<Gravity> {
    let is_about = |finding: &&ProbeFinding| {
        finding.exchanger.as_ref() == Some(&exchanger.host.name)
            && (finding.addresses.is_empty() || finding.addresses.contains(&address))
    };
    report.findings.iter().filter(is_about).map(|finding| finding.gravity).max()
}

fn finding_lines(finding: &ProbeFinding, drawing: &Drawing) -> String {
    let (gravity, code) = (finding.gravity.to_string(), finding.code.word());
    let gravity = drawing.paint(&format!("{gravity:7}"), tone(finding.gravity));
    let mut lines = format!("\n  {gravity}  {}\n", drawing.paint(code, Tone::Dim));
    lines += &drawing.lines(BESIDE, &finding.what, Tone::Bold);
    if !finding.evidence.is_empty() {
        lines += &drawing.lines(BESIDE, &finding.evidence, Tone::Plain);
    }
    let advice = drawing.lines(&format!("{BESIDE}  "), finding.advice, Tone::Plain);
    // Its further lines stand below its beginning.
    lines + BESIDE + "> " + advice.trim_start()
}

/// Below the code of a finding.
const BESIDE: &str = "           ";
/// Wider than most names and addresses.
const MOST_COLUMNS: usize = 40;
