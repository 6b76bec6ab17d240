//! A report, as serde writes it: an object, which `docs/probe.schema.json` describes.
//!
//! Written by hand, and not derived: what is public in Rust may get better names there, and what is written keeps its own.
//! A field that is not known is null, and every field is there.

use std::net::IpAddr;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::dane::{Dane, DaneStanding};
use super::facts::{AddressFacts, Contact, TlsaLookup};
use super::finding::{FindingCode, Gravity, ProbeFinding};
use super::policy::{ReportingFacts, StsFacts};
use super::report::{Exchanger, ProbeReport, Routing, Target};
use super::report_line::{ReportLine, ReportStatus};
use super::session::{ProbeStep, SessionFacts};
use crate::calendar::timestamp;
use crate::dns::{DnsError, Found, Mx, Security, Txt};
use crate::error::{Error, chain};
use crate::json::{LossyText, ToldInfo};
use crate::protocol::{Delivery, Extensions, Reply};
use crate::tls::dane::DaneVerdict;
use crate::tls_info::{Info, Problem};
use crate::tlsa::Tlsa;

impl Serialize for ProbeReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        told(self, true, serializer)
    }
}

/// A report as serde writes it, but for the certificates: its lists of them are empty. They are most of a report, and the
/// same in many.
#[derive(Debug, Clone, Copy)]
pub struct WithoutCertificates<'a>(&'a ProbeReport);

impl ProbeReport {
    /// Returns it for serde, without the certificates.
    #[must_use]
    pub fn without_certificates(&self) -> WithoutCertificates<'_> {
        WithoutCertificates(self)
    }
}

impl Serialize for WithoutCertificates<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        told(self.0, false, serializer)
    }
}

/// Begins with the input, by which a line is found again.
impl Serialize for ReportLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Told<'a> {
            input: &'a str,
            status: ReportStatus,
            error: Option<&'a str>,
            report: Option<ToldReport<'a>>,
        }

        #[derive(Serialize)]
        #[serde(untagged)]
        enum ToldReport<'a> {
            Whole(&'a ProbeReport),
            Brief(WithoutCertificates<'a>),
        }

        let report = match self.status {
            ReportStatus::Invalid => None,
            _ if self.has_certificates => Some(ToldReport::Whole(self.report)),
            _ => Some(ToldReport::Brief(self.report.without_certificates())),
        };
        let (input, status, error) = (self.input, self.status, self.error.as_deref());
        Told { input, status, error, report }.serialize(serializer)
    }
}

fn told<S: Serializer>(report: &ProbeReport, has_certificates: bool, serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Told<'a> {
        version: u32,
        target: String,
        kind: &'static str,
        port: u16,
        begun: String,
        took_us: u64,
        resolver: &'a str,
        routing: Routing,
        gravest: Option<Gravity>,
        mx: Option<ToldLookup<ToldMx<'a>>>,
        exchangers: Vec<ToldExchanger<'a>>,
        exchangers_left_out: usize,
        mta_sts: Option<ToldSts<'a>>,
        tlsrpt: Option<ToldReporting>,
        findings: &'a [ProbeFinding],
    }

    let told = Told {
        version: VERSION,
        target: report.target.to_string(),
        kind: match report.target {
            Target::Domain(_) => "domain",
            Target::Host(_) => "host",
            Target::Address(_) => "address",
        },
        port: report.port,
        begun: timestamp(report.begun),
        took_us: micros(report.took),
        resolver: &report.resolver,
        routing: report.routing,
        gravest: report.gravest(),
        mx: report.mx.as_ref().map(|mx| looked_up(mx, ToldMx::of)),
        exchangers: report.exchangers.iter().map(|one| ToldExchanger::of(one, has_certificates)).collect(),
        exchangers_left_out: report.exchangers_left_out,
        mta_sts: report.sts.as_deref().map(ToldSts::of),
        tlsrpt: report.reporting.as_ref().map(ToldReporting::of),
        findings: &report.findings,
    };
    told.serialize(serializer)
}

/// What a lookup came to: an answer, or why there is none.
#[derive(Serialize)]
struct ToldLookup<T> {
    name: Option<String>,
    aliases: Vec<String>,
    exists: Option<bool>,
    security: Option<&'static str>,
    why: Option<String>,
    records: Vec<T>,
    error: Option<String>,
    is_temporary: bool,
}

fn looked_up<'a, T, U>(found: &'a Result<Found<T>, DnsError>, of: impl FnMut(&'a T) -> U) -> ToldLookup<U> {
    match found {
        Ok(found) => ToldLookup {
            name: Some(found.name.clone()),
            aliases: found.aliases.clone(),
            exists: Some(found.exists),
            security: Some(match found.security {
                Security::Secure => "secure",
                Security::Insecure => "insecure",
                Security::Unproven => "unproven",
                Security::Bogus => "bogus",
            }),
            why: found.why.clone(),
            records: found.records.iter().map(of).collect(),
            error: None,
            is_temporary: false,
        },
        Err(error) => ToldLookup {
            name: None,
            aliases: Vec::new(),
            exists: None,
            security: None,
            why: None,
            records: Vec::new(),
            error: Some(chain(error)),
            is_temporary: error.is_temporary(),
        },
    }
}

#[derive(Serialize)]
struct ToldMx<'a> {
    preference: u16,
    exchanger: &'a str,
}

impl<'a> ToldMx<'a> {
    fn of(mx: &'a Mx) -> Self {
        Self { preference: mx.preference, exchanger: &mx.exchanger }
    }
}

#[derive(Serialize)]
struct ToldExchanger<'a> {
    name: &'a str,
    preference: Option<u16>,
    is_in_policy: Option<bool>,
    passes_policy: Option<bool>,
    ipv4: Option<ToldLookup<String>>,
    ipv6: Option<ToldLookup<String>>,
    tlsa: Vec<ToldTlsa<'a>>,
    dane: ToldDane<'a>,
    addresses: Vec<ToldAddress<'a>>,
    addresses_left_out: usize,
}

impl<'a> ToldExchanger<'a> {
    fn of(exchanger: &'a Exchanger, has_certificates: bool) -> Self {
        let host = &*exchanger.host;
        Self {
            name: &host.name,
            preference: exchanger.preference,
            is_in_policy: exchanger.is_in_policy,
            passes_policy: exchanger.passes_policy(),
            ipv4: host.v4.as_ref().map(|v4| looked_up(v4, ToString::to_string)),
            ipv6: host.v6.as_ref().map(|v6| looked_up(v6, ToString::to_string)),
            tlsa: host.tlsa.iter().map(ToldTlsa::of).collect(),
            dane: ToldDane { standing: exchanger.dane.standing, why: exchanger.dane.why.as_deref() },
            addresses: host
                .addresses
                .iter()
                .map(|address| ToldAddress::of(address, &exchanger.dane, has_certificates))
                .collect(),
            addresses_left_out: host.addresses_left_out,
        }
    }
}

#[derive(Serialize)]
struct ToldTlsa<'a> {
    base: &'a str,
    lookup: ToldLookup<String>,
}

impl<'a> ToldTlsa<'a> {
    fn of(lookup: &'a TlsaLookup) -> Self {
        Self { base: &lookup.base, lookup: looked_up(&lookup.found, Tlsa::to_string) }
    }
}

#[derive(Serialize)]
struct ToldDane<'a> {
    standing: DaneStanding,
    why: Option<&'a str>,
}

#[derive(Serialize)]
struct ToldAddress<'a> {
    address: IpAddr,
    contact: &'static str,
    dane: Option<ToldVerdict>,
    session: Option<ToldSession<'a>>,
}

impl<'a> ToldAddress<'a> {
    fn of(facts: &'a AddressFacts, dane: &Dane, has_certificates: bool) -> Self {
        let (contact, session) = match &facts.contact {
            Contact::Session(facts) => ("session", Some(ToldSession { facts, has_certificates })),
            Contact::NotGlobal => ("not_global", None),
            Contact::Excluded => ("excluded", None),
            Contact::OtherFamily => ("other_family", None),
            Contact::OutOfTime => ("out_of_time", None),
        };
        Self { address: facts.address, contact, dane: dane.of(facts.address).map(ToldVerdict::of), session }
    }
}

#[derive(Serialize)]
struct ToldVerdict {
    verdict: &'static str,
    record: Option<String>,
    depth: Option<usize>,
    reason: String,
}

impl ToldVerdict {
    fn of(verdict: &DaneVerdict) -> Self {
        let (name, record, depth) = match verdict {
            DaneVerdict::Matched { record, depth } => ("matched", Some(record.to_string()), *depth),
            DaneVerdict::Mismatch { .. } => ("mismatch", None, None),
            DaneVerdict::Unusable { .. } => ("unusable", None, None),
        };
        Self { verdict: name, record, depth, reason: verdict.to_string() }
    }
}

impl Serialize for SessionFacts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ToldSession { facts: self, has_certificates: true }.serialize(serializer)
    }
}

struct ToldSession<'a> {
    facts: &'a SessionFacts,
    has_certificates: bool,
}

impl<'a> ToldSession<'a> {
    fn info(&self, info: &'a Info) -> ToldInfo<'a> {
        let certificates = if self.has_certificates { info.certificates.as_slice() } else { &[] };
        ToldInfo { info, certificates }
    }
}

impl Serialize for ToldSession<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Told<'a> {
            sni: &'a str,
            connect_us: Option<u64>,
            greeting_us: Option<u64>,
            tls_us: Option<u64>,
            took_us: u64,
            attempts: u32,
            greeting: Option<&'a Reply>,
            hello: Option<&'a Reply>,
            offered: Option<&'a Extensions>,
            starttls: Option<&'a Reply>,
            tls: Option<ToldInfo<'a>>,
            problems: &'a [Problem],
            hello_in_tls: Option<&'a Reply>,
            offered_in_tls: Option<&'a Extensions>,
            mail: Option<&'a Reply>,
            recipients: Vec<ToldRecipient<'a>>,
            quit: Option<&'a Reply>,
            reached: ProbeStep,
            error: Option<&'a Error>,
        }

        let facts = self.facts;
        let told = Told {
            sni: &facts.name,
            connect_us: facts.connect_took.map(micros),
            greeting_us: facts.greeting_took.map(micros),
            tls_us: facts.tls_took.map(micros),
            took_us: micros(facts.took),
            attempts: facts.attempts,
            greeting: facts.greeting.as_ref(),
            hello: facts.hello.as_ref(),
            offered: facts.offered.as_ref(),
            starttls: facts.starttls.as_ref(),
            tls: facts.tls.as_ref().map(|info| self.info(info)),
            problems: &facts.problems,
            hello_in_tls: facts.hello_in_tls.as_ref(),
            offered_in_tls: facts.offered_in_tls.as_ref(),
            mail: facts.recipients.as_ref().and_then(|delivery| delivery.mail.as_ref()),
            recipients: facts.recipients.iter().flat_map(ToldRecipient::all_of).collect(),
            quit: facts.quit.as_ref(),
            reached: facts.reached,
            error: facts.error.as_ref(),
        };
        told.serialize(serializer)
    }
}

#[derive(Serialize)]
struct ToldRecipient<'a> {
    address: &'a str,
    reply: Option<&'a Reply>,
}

impl<'a> ToldRecipient<'a> {
    fn all_of(delivery: &'a Delivery) -> impl Iterator<Item = Self> {
        delivery.recipients.iter().map(|one| Self { address: one.address.as_str(), reply: one.reply.as_ref() })
    }
}

#[derive(Serialize)]
struct ToldSts<'a> {
    lookup: ToldLookup<LossyText>,
    id: Option<&'a str>,
    record_error: Option<String>,
    policy: Option<ToldPolicy>,
    policy_error: Option<String>,
    content_type: Option<&'a str>,
}

#[derive(Serialize)]
struct ToldPolicy {
    mode: String,
    max_age_s: u64,
    mx: Vec<String>,
}

impl<'a> ToldSts<'a> {
    fn of(sts: &'a StsFacts) -> Self {
        let policy = sts.policy().map(|policy| ToldPolicy {
            mode: policy.mode.to_string(),
            max_age_s: policy.max_age.as_secs(),
            mx: policy.mx.iter().map(ToString::to_string).collect(),
        });
        Self {
            lookup: looked_up(&sts.texts, text_of),
            id: sts.record.as_ref().ok().and_then(|record| Some(record.as_ref()?.id.as_str())),
            record_error: sts.record.as_ref().err().map(ToString::to_string),
            policy,
            policy_error: sts.policy.as_ref().and_then(|policy| policy.as_ref().err()).map(|failure| chain(failure)),
            content_type: sts.content_type.as_deref(),
        }
    }
}

#[derive(Serialize)]
struct ToldReporting {
    lookup: ToldLookup<LossyText>,
    rua: Vec<String>,
    record_error: Option<String>,
}

impl ToldReporting {
    fn of(reporting: &ReportingFacts) -> Self {
        let record = reporting.record.as_ref().ok().and_then(Option::as_ref);
        Self {
            lookup: looked_up(&reporting.texts, text_of),
            rua: record.iter().flat_map(|record| &record.rua).map(ToString::to_string).collect(),
            record_error: reporting.record.as_ref().err().map(ToString::to_string),
        }
    }
}

impl Serialize for ProbeFinding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Told<'a> {
            gravity: Gravity,
            code: FindingCode,
            what: &'a str,
            evidence: &'a str,
            advice: &'a str,
            exchanger: Option<&'a str>,
            addresses: &'a [IpAddr],
        }

        let Self { gravity, code, what, evidence, advice, exchanger, addresses } = self;
        let (gravity, code, exchanger) = (*gravity, *code, exchanger.as_deref());
        Told { gravity, code, what, evidence, advice, exchanger, addresses }.serialize(serializer)
    }
}

/// Its word.
impl Serialize for FindingCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

fn text_of(text: &Txt) -> LossyText {
    LossyText::new(&text.octets)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The version of what reports hold. It changes when a field goes, or means something else; not when one comes.
const VERSION: u32 = 1;
