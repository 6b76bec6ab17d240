//! STARTTLS, certificates, and DANE.

use std::net::IpAddr;

use super::{Findings, grouped, place};
use crate::calendar::date;
use crate::probe::dane::{Dane, DaneStanding};
use crate::probe::facts::HostFacts;
use crate::probe::finding::{FindingCode, Gravity};
use crate::probe::report::{Exchanger, Routing};
use crate::probe::session::{ProbeStep, SessionFacts};
use crate::tls::dane::DaneVerdict;
use crate::tls_info::Problem;

impl<'a> Findings<'a> {
    pub fn security(&mut self) {
        let is_offered = self.report.sessions().any(|(_, facts)| facts.offers_starttls());
        for host in self.hosts() {
            // It outweighs what a policy says, and stands before it.
            self.dane(host);
            self.starttls(host, is_offered);
            self.handshakes(host);
            self.certificates(host);
            self.expiry(host);
        }
        self.protection();
    }

    fn dane_of(&self, host: &HostFacts) -> &'a Dane {
        let exchanger = self.report.exchangers.iter().find(|one| one.host.name == host.name);
        &exchanger.expect("a host comes of an exchanger").dane
    }

    fn starttls(&mut self, host: &HostFacts, is_offered: bool) {
        let missing: Vec<IpAddr> = host
            .sessions()
            .filter(|facts| facts.is_plain() && !facts.offers_starttls())
            .map(|facts| facts.address.ip())
            .collect();
        if !missing.is_empty() {
            let others = if is_offered { ", and others do" } else { "" };
            let what = format!("{} does not offer STARTTLS{others}{}", place(host, &missing), self.policy_words());
            let gravity = self.by_policy(Gravity::Warning);
            self.add(gravity, FindingCode::StartTlsMissing, what).at(host, &missing);
        }
        let refused = host.sessions().filter_map(|facts| {
            let reply = facts.starttls.as_ref().filter(|reply| !reply.is_granted())?;
            Some((reply.to_string(), facts.address.ip()))
        });
        for (reply, addresses) in grouped(refused) {
            let what = format!("{} offers STARTTLS, and refuses it", place(host, &addresses)) + self.policy_words();
            let gravity = self.by_policy(Gravity::Warning);
            self.add(gravity, FindingCode::StartTlsRefused, what).seen(reply).at(host, &addresses);
        }
    }

    fn handshakes(&mut self, host: &HostFacts) {
        let failed = host.sessions().filter(|facts| facts.reached == ProbeStep::Handshake).filter_map(|facts| {
            let error = facts.error.as_ref()?;
            let cause = std::error::Error::source(error).map_or_else(|| error.to_string(), crate::error::chain);
            Some((cause, facts.address.ip()))
        });
        for (cause, addresses) in grouped(failed) {
            let what = format!("{} offers STARTTLS, and the handshake fails", place(host, &addresses));
            let what = what + self.policy_words();
            // Who falls back to clear text is rare, and who gives up is not.
            self.add(Gravity::Failure, FindingCode::TlsFailed, what).seen(cause).at(host, &addresses);
        }
    }

    fn expiry(&mut self, host: &HostFacts) {
        let now = self.measures.now;
        let soon = host.sessions().filter_map(|facts| {
            let end = facts.tls.as_ref()?.certificates.first()?.not_after;
            let left = end.duration_since(now).ok().filter(|left| *left < self.measures.expiring)?;
            Some(((left.as_secs() / DAY, date(end)), facts.address.ip()))
        });
        for ((days, end), addresses) in grouped(soon) {
            let when = match days {
                0 => "today, or tomorrow".to_owned(),
                1 => "in 1 day".to_owned(),
                days => format!("in {days} days"),
            };
            let what = format!("the certificate of {} expires {when}", place(host, &addresses));
            let evidence = format!("valid to {end}");
            self.add(Gravity::Warning, FindingCode::CertificateExpiring, what).seen(evidence).at(host, &addresses);
        }
    }

    /// Says what is wrong with certificates. Where TLSA records prove the server and there is no policy, nobody looks at the
    /// rest.
    fn certificates(&mut self, host: &HostFacts) {
        if self.dane_of(host).standing == DaneStanding::Secure && self.mode().is_none() {
            return;
        }
        let is_address = self.is_address();
        let wrong = host.sessions().flat_map(|facts| {
            let problems = facts.problems.iter().filter_map(move |problem| {
                Some((kind(problem).filter(|(code, _)| *code != FindingCode::CertificateName || !is_address)?, problem))
            });
            problems.map(|(kind, problem)| ((kind, problem.to_string()), facts.address.ip()))
        });
        for (((code, words), problem), addresses) in grouped(wrong) {
            let otherwise = if code == FindingCode::CertificateUntrusted { Gravity::Note } else { Gravity::Warning };
            let what = format!("the certificate of {} {words}", place(host, &addresses)) + self.policy_words();
            let gravity = self.by_policy(otherwise);
            self.add(gravity, code, what).seen(problem).at(host, &addresses);
        }
    }

    fn dane(&mut self, host: &HostFacts) {
        let dane = self.dane_of(host);
        match dane.standing {
            DaneStanding::Mismatch => {
                let of = |facts: &SessionFacts| match dane.of(facts.address.ip())? {
                    DaneVerdict::Mismatch { unmet } => {
                        let each = unmet.iter().map(ToString::to_string);
                        Some((each.collect::<Vec<_>>().join("; "), facts.address.ip()))
                    }
                    _ => None,
                };
                for (why, addresses) in grouped(host.sessions().filter_map(of)) {
                    let what = format!("{} is none that its TLSA records name", place(host, &addresses));
                    self.add(Gravity::Failure, FindingCode::DaneMismatch, what).seen(why).at(host, &addresses);
                }
            }
            DaneStanding::Unusable => {
                let records = host.tlsa.last().and_then(|lookup| lookup.found.as_ref().ok());
                let records: Vec<String> =
                    records.iter().flat_map(|found| &found.records).map(ToString::to_string).collect();
                let what = format!("{} has TLSA records, and none of them can be used", host.name);
                let add = self.add(Gravity::Warning, FindingCode::DaneUnusable, what);
                add.seen(records.join("; ")).at(host, &[]);
            }
            DaneStanding::Insecure if !dane.verdicts.is_empty() => {
                let what = format!("{} has TLSA records, and {}", host.name, dane.why.as_deref().unwrap_or_default());
                self.add(Gravity::Note, FindingCode::DaneNotSigned, what).at(host, &[]);
            }
            _ => {}
        }
        let has_records = matches!(
            dane.standing,
            DaneStanding::Mismatch | DaneStanding::Unencrypted | DaneStanding::Secure | DaneStanding::Unusable
        );
        let plain: Vec<IpAddr> =
            host.sessions().filter(|facts| has_records && facts.is_plain()).map(|facts| facts.address.ip()).collect();
        if !plain.is_empty() {
            let what = format!("{} has TLSA records, and does not start TLS", place(host, &plain));
            self.add(Gravity::Failure, FindingCode::DaneWithoutTls, what).at(host, &plain);
        }
    }

    /// Says that whoever stands in between can have mail sent in the clear.
    fn protection(&mut self) {
        let is_domain = matches!(self.report.routing, Routing::Exchangers | Routing::Implicit);
        let is_dane = |one: &Exchanger| !matches!(one.dane.standing, DaneStanding::Insecure | DaneStanding::Absent);
        let is_talked_to = self.report.sessions().any(|(_, facts)| facts.hello.is_some());
        if is_domain && is_talked_to && self.mode().is_none() && !self.report.exchangers.iter().any(is_dane) {
            let target = &self.report.target;
            let what = format!("nothing keeps mail to {target} from being sent in the clear: neither DANE nor MTA-STS");
            self.add(Gravity::Note, FindingCode::Unprotected, what);
        }
    }
}

/// Says what kind of problem it is, and the end of a sentence about it. That there is none, or no trust store, is not the
/// server's.
fn kind(problem: &Problem) -> Option<(FindingCode, &'static str)> {
    Some(match problem {
        Problem::Expired { .. } => (FindingCode::CertificateExpired, "has expired"),
        Problem::NotYetValid { .. } => (FindingCode::CertificateExpired, "is not valid yet"),
        Problem::WrongName { .. } => (FindingCode::CertificateName, "is for another name"),
        Problem::SelfSigned | Problem::UnknownIssuer { .. } | Problem::NoCertificate | Problem::Other { .. } => {
            (FindingCode::CertificateUntrusted, "is of no authority that is trusted here")
        }
        Problem::OtherKey { .. } => (FindingCode::CertificateUntrusted, "has another key than the pinned one"),
        Problem::NoTrustStore { .. } => return None,
    })
}

/// In seconds.
const DAY: u64 = 24 * 60 * 60;
