//! What a target of many comes to: a line in, a line out.

use super::finding::Gravity;
use super::report::{ProbeReport, Routing, Target};
use crate::dns::DnsError;
use crate::error::chain;

/// What is told of a target of many, beside the line that it was read from. With the feature `json` it serialises, as
/// `docs/probe-line.schema.json` describes.
#[derive(Debug)]
#[non_exhaustive]
pub struct ReportLine<'a> {
    /// The target, as it was written.
    pub input: &'a str,
    /// What it comes to, in a word.
    pub status: ReportStatus,
    /// Why the line is no target, if it is none.
    pub error: Option<String>,
    /// What was found out.
    pub report: &'a ProbeReport,
    /// Whether the certificates are written, which are most of a report, and the same in many.
    pub has_certificates: bool,
}

/// What a target comes to, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum ReportStatus {
    /// Nothing is wrong, or nothing that keeps mail away.
    Fine,
    /// It goes well, and not for all, or not for long.
    Warning,
    /// Mail does not arrive, or not from everybody.
    Failure,
    /// The DNS did not say: another try may.
    Unknown,
    /// The line is no target.
    Invalid,
}

impl<'a> ReportLine<'a> {
    /// Makes one of a report, without the certificates; `error` says why the line is no target, where that was seen before.
    #[must_use]
    pub fn new(input: &'a str, error: Option<String>, report: &'a ProbeReport) -> Self {
        let error = error.or_else(|| report.invalid_name().map(|error| chain(error)));
        let status = match (&error, report.routing, report.gravest()) {
            (Some(_), _, _) => ReportStatus::Invalid,
            (None, Routing::Unknown, _) => ReportStatus::Unknown,
            (None, _, Some(Gravity::Failure)) => ReportStatus::Failure,
            (None, _, Some(Gravity::Warning)) => ReportStatus::Warning,
            _ => ReportStatus::Fine,
        };
        Self { input, status, error, report, has_certificates: false }
    }

    /// Returns how grave the gravest is; nobody knowing is as grave as mail that does not arrive.
    #[must_use]
    pub fn gravest(&self) -> Option<Gravity> {
        match self.status {
            ReportStatus::Failure | ReportStatus::Unknown | ReportStatus::Invalid => Some(Gravity::Failure),
            ReportStatus::Fine | ReportStatus::Warning => self.report.gravest(),
        }
    }
}

impl ProbeReport {
    /// Returns what is wrong with the name of the target, if it is none that could be looked up.
    #[must_use]
    pub fn invalid_name(&self) -> Option<&DnsError> {
        let looked_up = match &self.target {
            Target::Host(_) => self.exchangers.iter().find_map(|one| one.host.v4.as_ref()?.as_ref().err()),
            _ => self.mx.as_ref().and_then(|mx| mx.as_ref().err()),
        };
        looked_up.filter(|error| matches!(error, DnsError::Name { .. }))
    }
}
