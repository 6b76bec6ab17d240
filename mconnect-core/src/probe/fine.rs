//! What is as it should be, for the last line of a report.

use super::dane::DaneStanding;
use super::report::{ProbeReport, Routing};
use super::session::SessionFacts;
use crate::dns::Security;
use crate::sts::Mode;

impl ProbeReport {
    /// Returns what is as it should be, a few words for each: `STARTTLS at every address`, `MTA-STS is enforced`.
    #[must_use]
    pub fn fine(&self) -> Vec<String> {
        let sessions: Vec<&SessionFacts> = self.sessions().map(|(_, facts)| facts).collect();
        let count = self.exchangers.iter().map(|exchanger| exchanger.host.addresses.len()).sum::<usize>();
        let all = |holds: fn(&&SessionFacts) -> bool| !sessions.is_empty() && sessions.iter().all(holds);
        let is_whole = sessions.len() == count && all(|facts| facts.hello.is_some());
        let has = |family: fn(&&&SessionFacts) -> bool| sessions.iter().filter(family).any(|one| one.has_connected());
        let families = (has(|one| one.address.is_ipv4()), has(|one| one.address.is_ipv6()));
        let is_dane = self.exchangers.iter().all(|one| one.dane.standing == DaneStanding::Secure);
        let mode = self.sts.as_ref().and_then(|sts| sts.policy()).map(|policy| policy.mode);
        let passes = self.exchangers.iter().all(|one| one.passes_policy() == Some(true));
        let days = sessions.iter().filter_map(|one| {
            Some(one.tls.as_ref()?.certificates.first()?.days_left(self.begun)).filter(|_| one.problems.is_empty())
        });
        let is_verified = all(|facts| facts.tls.is_some() && facts.problems.is_empty());
        let reports = self.reporting.as_ref().and_then(|one| one.record.as_ref().ok()).and_then(Option::as_ref);
        let everywhere = if count == 1 { "" } else { " at every address" };
        [
            (self.is_signed(), "DNSSEC".to_owned()),
            (is_whole && count > 1, format!("{count} addresses answer")),
            (families == (true, true), "IPv4 and IPv6".to_owned()),
            (all(|facts| facts.tls.is_some()), format!("STARTTLS{everywhere}")),
            (is_verified, format!("certificates verified for {} days at least", days.min().unwrap_or_default())),
            (is_dane && !self.exchangers.is_empty(), "DANE".to_owned()),
            (mode == Some(Mode::Enforce) && passes, "MTA-STS is enforced".to_owned()),
            (reports.is_some(), "reports on TLS are wanted (TLSRPT)".to_owned()),
        ]
        .into_iter()
        .filter(|(is_so, _)| *is_so)
        .map(|(_, words)| words)
        .collect()
    }

    /// Returns whether signatures prove all that was looked up on the way to the addresses.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        let is_mx_secure = match (&self.mx, self.routing) {
            (Some(Ok(found)), _) => found.security == Security::Secure,
            (Some(Err(_)), _) => false,
            (None, routing) => routing == Routing::Direct,
        };
        let hosts = self.exchangers.iter().map(|exchanger| exchanger.host.security());
        is_mx_secure && !self.exchangers.is_empty() && hosts.into_iter().all(|one| one == Some(Security::Secure))
    }
}
