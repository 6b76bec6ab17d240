//! MTA-STS and TLSRPT.

use std::time::Duration;

use super::Findings;
use crate::error::chain;
use crate::probe::finding::{FindingCode, Gravity};
use crate::probe::policy::StsFacts;
use crate::protocol::Visible;
use crate::sts::{Mode, Policy};

impl Findings<'_> {
    pub fn policy(&mut self) {
        if let Some(sts) = &self.report.sts {
            let what = format!("the TXT records of _mta-sts.{}", self.report.target);
            self.lookup(&what, &sts.texts, Gravity::Warning);
            self.sts(sts);
        }
        if let Some(reporting) = &self.report.reporting {
            let what = format!("the TXT records of _smtp._tls.{}", self.report.target);
            self.lookup(&what, &reporting.texts, Gravity::Warning);
            if let Err(error) = &reporting.record {
                let what = format!("the TLSRPT record of {} does not count: {error}", self.report.target);
                self.add(Gravity::Warning, FindingCode::ReportingRecord, what);
            }
        }
    }

    fn sts(&mut self, sts: &StsFacts) {
        let target = &self.report.target;
        if let Err(error) = &sts.record {
            let what = format!("the MTA-STS record of {target} does not count: {error}");
            let texts = sts.texts.iter().flat_map(|found| &found.records);
            let texts: Vec<String> = texts.map(|text| Visible(&text.octets).to_string()).collect();
            self.add(Gravity::Warning, FindingCode::StsRecord, what).seen(texts.join(" | "));
        }
        match &sts.policy {
            None => return,
            Some(Err(failure)) => {
                let what = format!("{target} announces an MTA-STS policy that is not there");
                self.add(Gravity::Warning, FindingCode::StsPolicyMissing, what).seen(chain(failure));
            }
            Some(Ok(policy)) => self.held_to(policy),
        }
        let kind = sts.content_type.as_deref().map(|kind| kind.split(';').next().unwrap_or_default().trim());
        if sts.policy().is_some() && !kind.is_some_and(|kind| kind.eq_ignore_ascii_case("text/plain")) {
            let kind = kind.unwrap_or("no kind of text");
            let what = format!("the MTA-STS policy of {target} comes as {kind}, not as text/plain");
            self.add(Gravity::Warning, FindingCode::StsContentType, what);
        }
    }

    fn held_to(&mut self, policy: &Policy) {
        let target = &self.report.target;
        match policy.mode {
            Mode::None => {
                let what = format!("the MTA-STS policy of {target} is none: it protects nothing");
                self.add(Gravity::Note, FindingCode::StsNone, what);
                return;
            }
            Mode::Testing => {
                let what = format!("the MTA-STS policy of {target} is only being tried (testing)");
                self.add(Gravity::Note, FindingCode::StsTesting, what);
            }
            Mode::Enforce => {}
        }
        if policy.max_age < A_DAY {
            let what = format!("the MTA-STS policy of {target} is forgotten within a day");
            let evidence = format!("max_age: {}", policy.max_age.as_secs());
            self.add(Gravity::Note, FindingCode::StsMaxAge, what).seen(evidence);
        }
        for host in self.hosts() {
            if !policy.covers(&host.name) {
                let what = match policy.mode {
                    Mode::Enforce => format!("{} is not in the MTA-STS policy: mail does not go there", host.name),
                    _ => format!("{} is not in the MTA-STS policy, which is being tried", host.name),
                };
                let patterns: Vec<String> = policy.mx.iter().map(|pattern| format!("mx: {pattern}")).collect();
                let gravity = self.by_policy(Gravity::Warning);
                self.add(gravity, FindingCode::StsNotInPolicy, what).seen(patterns.join(", ")).at(host, &[]);
            }
        }
    }
}

const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);
