//! A report that one reads at a glance: the tree of exchangers and addresses, the findings, and what is fine.

use std::fmt;
use std::net::IpAddr;
use std::time::SystemTime;

use super::dane::DaneStanding;
use super::facts::{AddressFacts, Contact};
use super::finding::{Gravity, ProbeFinding};
use super::report::{Exchanger, ProbeReport, Routing, Target};
use super::report_line::ReportLine;
use super::session::SessionFacts;
use crate::error::{Error, chain};
use crate::protocol::{Reply, Visible};

impl ProbeReport {
    /// Returns all of it in lines of 80 columns, for a person; `name` is how the target was written, and colours are the
    /// codes of terminals. What servers and zones say is made visible, and steers no terminal.
    ///
    /// ```text
    /// example.org: mail goes to 2 exchangers
    ///   10 mx1.example.org  DANE secure, in the MTA-STS policy
    ///      ✓ 192.0.2.1      TLS 1.3, certificate verified for 61 days, greets after 0.02 s
    ///   20 mx2.example.org
    ///      ✗ 192.0.2.2      Connection refused
    ///
    ///   warning  unreachable
    ///            mx2.example.org does not answer
    ///            Connection refused
    ///            > look whether the server runs, ...
    ///
    ///   fine
    ///            DNSSEC, STARTTLS at every address
    ///
    ///   asked 127.0.0.1:53 (on this machine), in 0.3 s
    /// ```
    #[must_use]
    pub fn describe(&self, name: &str, has_color: bool) -> String {
        let look = Look { has_color };
        let mut text = format!("{}: {}\n", look.paint(name, BOLD), routing(self));
        // The columns of names and addresses, of which most are that short.
        let preferences = self.exchangers.iter().map(|one| preference(one).len()).max().unwrap_or_default();
        let addresses = self.exchangers.iter().flat_map(|one| &one.host.addresses);
        let width = addresses.map(|one| one.address.to_string().len() + 2);
        let names = self.exchangers.iter().map(|one| one.host.name.len());
        let width = width.chain(names).max().unwrap_or_default().min(MOST_COLUMNS);
        for exchanger in &self.exchangers {
            let about = exchanger_words(exchanger);
            let name = format!("{:width$}", exchanger.host.name);
            let line = format!("  {:preferences$} {}  {about}", preference(exchanger), look.paint(&name, BOLD));
            text += &format!("{}\n", line.trim_end());
            for address in &exchanger.host.addresses {
                let mark = look.mark(gravest(self, exchanger, address.address));
                let (place, inner) = (address.address.to_string(), width.saturating_sub(2));
                let words = look.paint(&address_words(address, self.begun), PLAIN);
                text += &format!("  {:preferences$} {mark} {place:inner$}  {words}\n", "");
            }
        }
        for finding in &self.findings {
            text += &finding_lines(finding, look);
        }
        let fine = self.fine();
        if !fine.is_empty() {
            text += &format!("\n  {}\n", look.paint("fine", GOOD));
            text += &look.lines(BESIDE, &fine.join(", "), PLAIN);
        }
        let took = self.took.as_secs_f64();
        let asked = match self.target {
            // It has no name to ask for.
            Target::Address(_) => format!("in {took:.1} s"),
            _ => format!("asked {}, in {took:.1} s", self.resolver),
        };
        text + "\n" + &look.lines("  ", &asked, DIM)
    }
}

/// Writes [`describe`](ProbeReport::describe) without colours.
impl fmt::Display for ProbeReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.describe(&self.target.to_string(), false).trim_end())
    }
}

impl ReportLine<'_> {
    /// Returns a row for a person: the gravest of what is found, or what is fine. Colours are the codes of terminals.
    #[must_use]
    pub fn row(&self, has_color: bool) -> String {
        let (look, first) = (Look { has_color }, self.report.findings.first());
        let (gravest, words) = match (&self.error, first) {
            (Some(error), _) => (Some(Gravity::Failure), error.clone()),
            (None, Some(finding)) if finding.gravity > Gravity::Note => (Some(finding.gravity), finding.what.clone()),
            _ => (None, [vec![routing(self.report)], self.report.fine()].concat().join(", ")),
        };
        let name = look.paint(&format!("{:30}", self.input), BOLD);
        format!("{} {name} {}\n", look.mark(gravest), look.paint(&words, PLAIN))
    }
}

/// Colours, as far as they are wanted.
#[derive(Clone, Copy)]
struct Look {
    has_color: bool,
}

impl Look {
    /// Returns a text in a colour; what steers terminals in it is made visible.
    fn paint(self, text: &str, color: &str) -> String {
        let text = Visible(text.as_bytes()).to_string();
        if self.has_color && color != PLAIN && !text.is_empty() { format!("\x1b[{color}m{text}\x1b[0m") } else { text }
    }

    /// Returns a text in lines of their own that are wrapped at words and have this before them.
    fn lines(self, before: &str, text: &str, color: &str) -> String {
        let (mut lines, mut line) = (String::new(), String::new());
        let room = COLUMNS.saturating_sub(before.chars().count());
        for word in Visible(text.as_bytes()).to_string().split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
                lines += &format!("{before}{}\n", self.paint(&std::mem::take(&mut line), color));
            }
            line += if line.is_empty() { "" } else { " " };
            line += word;
        }
        lines + &format!("{before}{}\n", self.paint(&line, color))
    }

    /// Returns the mark of what is so grave at most.
    fn mark(self, gravest: Option<Gravity>) -> String {
        match gravest {
            Some(Gravity::Failure) => self.paint("\u{2717}", BAD),
            Some(Gravity::Warning) => self.paint("!", NEAR),
            Some(Gravity::Note) | None => self.paint("\u{2713}", GOOD),
        }
    }
}

fn routing(report: &ProbeReport) -> String {
    match (report.routing, report.exchangers.len()) {
        (Routing::Exchangers, 1) => "mail goes to 1 exchanger".to_owned(),
        (Routing::Exchangers, count) => format!("mail goes to {count} exchangers"),
        (Routing::Implicit, _) => "mail goes to its own address: there is no MX".to_owned(),
        (Routing::NullMx, _) => "takes no mail (null MX)".to_owned(),
        (Routing::Nowhere, _) => "takes no mail".to_owned(),
        (Routing::Unknown, _) => "nobody knows where mail goes".to_owned(),
        (Routing::Direct, _) => format!("port {}", report.port),
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
    let host = &exchanger.host;
    let none = if host.is_looked_up() { "no address" } else { "addresses unknown" };
    let none = host.addresses.is_empty().then_some(none);
    [none.map(str::to_owned), dane, policy.map(str::to_owned)].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn address_words(address: &AddressFacts, now: SystemTime) -> String {
    match &address.contact {
        Contact::Session(facts) => session_words(facts, now),
        Contact::NotGlobal => "not contacted: no global address".to_owned(),
        Contact::Excluded => "not contacted: excluded".to_owned(),
        Contact::OtherFamily => "not asked".to_owned(),
        Contact::OutOfTime => "not asked: the others took too long".to_owned(),
    }
}

fn session_words(facts: &SessionFacts, now: SystemTime) -> String {
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
            let left = info.certificates.first().map(|leaf| leaf.days_left(now));
            match left.filter(|_| facts.problems.is_empty()) {
                Some(days) => words.push(format!("certificate verified for {days} days")),
                None => words.push("certificate not verified".to_owned()),
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

fn finding_lines(finding: &ProbeFinding, look: Look) -> String {
    let color = match finding.gravity {
        Gravity::Failure => BAD,
        Gravity::Warning => NEAR,
        Gravity::Note => ONWARD,
    };
    let gravity = look.paint(&format!("{:7}", finding.gravity.to_string()), color);
    let mut lines = format!("\n  {gravity}  {}\n", look.paint(finding.code.word(), DIM));
    lines += &look.lines(BESIDE, &finding.what, BOLD);
    if !finding.evidence.is_empty() {
        lines += &look.lines(BESIDE, &finding.evidence, PLAIN);
    }
    let advice = look.lines(&format!("{BESIDE}  "), finding.advice, PLAIN);
    // Its further lines stand below its beginning.
    lines + BESIDE + "> " + advice.trim_start()
}

/// Below the code of a finding.
const BESIDE: &str = "           ";
/// Wider than most names and addresses.
const MOST_COLUMNS: usize = 40;
/// What terminals are wide at least, and what is read with ease.
const COLUMNS: usize = 80;

// What terminals take these for, behind ESC and a bracket.
const PLAIN: &str = "";
const BOLD: &str = "1";
const DIM: &str = "2";
const BAD: &str = "31";
const GOOD: &str = "32";
const NEAR: &str = "33";
const ONWARD: &str = "36";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_wrapped_at_words_and_a_long_word_is_left_whole() {
        let (long, look) = ("x".repeat(90), Look { has_color: false });
        let text = format!("{} {long} end", ["word"; 20].join(" "));
        let told = look.lines("    ", &text, PLAIN);
        let lengths: Vec<usize> = told.lines().map(str::len).collect();
        assert_eq!(lengths, [4 + 74, 4 + 24, 4 + 90, 4 + 3], "{told}");
    }

    #[test]
    fn what_others_say_steers_no_terminal_in_colour_or_without() {
        for has_color in [false, true] {
            assert_eq!(Look { has_color }.paint("a\x1b[2Jb", PLAIN), "a\\x1b[2Jb");
        }
        assert_eq!(Look { has_color: true }.mark(Some(Gravity::Failure)), "\x1b[31m\u{2717}\x1b[0m");
    }
}
