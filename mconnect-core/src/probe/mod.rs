//! What a domain says of its mail, and what its servers make of it: everything that can be known without sending any.
//!
//! ```text
//!   Target ─► MX ─► exchangers ─► A, AAAA ─► TLSA ─► every address: greeting, EHLO, STARTTLS, EHLO, QUIT
//!               └► MTA-STS, TLSRPT                        │
//!                                                         ▼
//!   ProbeReport: all of it as values, and the findings ◄── judged
//! ```
//! Each name is looked up, and each address asked, once. What fails is a fact of the report: a probe has no error of its
//! own.
//!
//! ```no_run
//! use mconnect_core::dns::Resolver;
//! use mconnect_core::probe::{Gravity, Probe, Target};
//!
//! let probe = Probe::new(Resolver::system()?);
//! let report = probe.probe(&Target::parse("example.org"))?;
//! for (exchanger, facts) in report.sessions() {
//!     println!("{} at {}: {:?}", exchanger.host.name, facts.address, facts.tls.as_ref().map(ToString::to_string));
//! }
//! for finding in &report.findings {
//!     println!("{finding}");
//! }
//! assert!(report.gravest() < Some(Gravity::Failure));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it judges
//! DANE ([RFC 7672](https://www.rfc-editor.org/rfc/rfc7672)): the resolver's word on signatures counts if it is on this
//! machine or trusted ([`Resolver::trusted`]). TLSA records are asked for only where the addresses are secure. Usages 0
//! and 1 cannot be used; where no record can, mail is encrypted and nobody proven. A failure of DANE outweighs MTA-STS.
//!
//! MTA-STS ([RFC 8461](https://www.rfc-editor.org/rfc/rfc8461)): the policy `none` is none, `testing` is told as what would
//! be; of several records none counts; a wildcard is one label.
//!
//! A null MX ([RFC 7505](https://www.rfc-editor.org/rfc/rfc7505)) counts alone. A domain without MX is its own exchanger.
//!
//! # What is sent
//! Nothing that begins a transaction: MAIL and RCPT only where [`Probe::recipients`] asks for them, and never a message.
//! Addresses that are not global are not contacted for a domain, unless [`Probe::allow_private`] says so.

mod concurrently;
mod cores;
mod dane;
mod facts;
mod finding;
mod findings;
mod fine;
mod finished;
mod host;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "idna")]
mod lines;
mod network;
mod places;
mod policy;
mod report;
mod report_line;
mod run;
mod session;
mod shared;
mod tally;
mod text;
mod turns;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

pub use dane::{Dane, DaneStanding};
pub use facts::{AddressFacts, Contact, HostFacts, TlsaLookup};
pub use finding::{FindingCode, Gravity, ProbeFinding};
pub use finished::Finished;
#[cfg(feature = "json")]
pub use json::WithoutCertificates;
#[cfg(feature = "idna")]
pub use lines::{InvalidTarget, TargetLine, TargetLines};
pub use network::{InvalidNetwork, Network};
pub use policy::{ReportingFacts, StsFacts, StsFailure};
pub use report::{Exchanger, ProbeReport, Routing, Target};
pub use report_line::{ReportLine, ReportStatus};
pub use run::{AsyncReports, Reports};
pub use session::{ProbeStep, SessionFacts};
pub use tally::Tally;

use crate::connect::Family;
use crate::dns::{DnsError, Found, Mx, Resolver};
use crate::protocol::Envelope;
use crate::session::Timeouts;
use crate::sts::Mode;
use crate::tls::Config;
use concurrently::{all, both};
use findings::{Measures, judge};
use host::HostPlan;
use network::Networks;
use policy::PolicyPlan;
use run::Many;
use session::SessionPlan;
use shared::Shared;

/// How domains are asked. Nothing happens before one is; keep one for all of them.
///
/// | | by default |
/// |---|---|
/// | [`port`](Self::port), [`family`](Self::family), [`source`](Self::source) | 25, IPv4 and IPv6, any address of this machine |
/// | [`tls`](Self::tls) | the system's trust store, for servers and policies |
/// | [`timeouts`](Self::timeouts), [`deadline`](Self::deadline) | 10 s to connect, 30 s a reply, 2 minutes a session |
/// | [`own_name`](Self::own_name) | that of this machine ([`own_name`](fn@crate::own_name)) |
/// | [`expiring`](Self::expiring) | certificates with less than 14 days are told of |
/// | [`recipients`](Self::recipients) | none: there is no MAIL |
/// | [`exclude`](Self::exclude) | none |
/// | of many: [`jobs`](Self::jobs), [`per_address`](Self::per_address), [`rate`](Self::rate), [`back_off`](Self::back_off) | 100 targets at once, 10 sessions with an address, as fast as it goes, 1 s at first |
#[doc(alias = "testssl")]
#[doc(alias = "checker")]
#[derive(Debug, Clone)]
pub struct Probe {
    resolver: Resolver,
    session: SessionPlan,
    allows_private: bool,
    family: Family,
    port: u16,
    policy_port: u16,
    expiring: Duration,
    excluded: Arc<Networks>,
    many: Many,
}

impl Probe {
    /// Asks about names there.
    #[must_use]
    pub fn new(resolver: Resolver) -> Self {
        let timeouts = Timeouts::default().attempt(Duration::from_secs(10)).replies(Duration::from_secs(30));
        let session = SessionPlan {
            timeouts: timeouts.connect(Duration::from_secs(10)),
            deadline: Duration::from_secs(2 * 60),
            source: None,
            own_name: None,
            tls: Config::new().insecure(),
            envelope: None,
        };
        Self {
            resolver,
            session,
            allows_private: false,
            family: Family::Any,
            port: 25,
            policy_port: 443,
            expiring: Duration::from_secs(14 * DAY),
            excluded: Arc::default(),
            many: Many::default(),
        }
    }

    /// Sets the port of the sessions, and of the names of TLSA records.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// Sets the port that policies are fetched from: one other than 443 is for tests.
    #[must_use]
    pub fn policy_port(mut self, port: u16) -> Self {
        self.policy_port = port;
        self
    }

    /// Asks only addresses of this family. The others are looked up all the same.
    #[must_use]
    pub fn family(mut self, family: Family) -> Self {
        self.family = family;
        self
    }

    /// Connects from this address ([`Connect::source`](crate::Connect::source)).
    #[must_use]
    pub fn source(mut self, source: IpAddr) -> Self {
        self.session.source = Some(source);
        self
    }

    /// Sets whom to trust. A server that is not proven is a fact of the report, and no error.
    #[must_use]
    pub fn tls(mut self, config: &Config) -> Self {
        self.session.tls = config.clone().insecure();
        self
    }

    /// Sets how long each stage of a session may take.
    #[must_use]
    pub fn timeouts(mut self, timeouts: Timeouts) -> Self {
        self.session.timeouts = timeouts;
        self
    }

    /// Sets how long a session may take in all, and fetching a policy. Five times that after the first sessions, no further
    /// address of a host is asked, and no further exchanger of a domain, so that there is an end however slow they are; the
    /// report says what is left out.
    #[must_use]
    pub fn deadline(mut self, all_of_it: Duration) -> Self {
        self.session.deadline = all_of_it;
        self
    }

    /// Sets the name in EHLO.
    #[must_use]
    pub fn own_name(mut self, name: &str) -> Self {
        self.session.own_name = Some(name.to_owned());
        self
    }

    /// Sets how long a certificate is to be valid at least, for nothing to be said of it.
    #[must_use]
    pub fn expiring(mut self, within: Duration) -> Self {
        self.expiring = within;
        self
    }

    /// Asks each address for whom it would take mail, by MAIL and RCPT, and ends that with RSET: there is no message.
    #[must_use]
    pub fn recipients(mut self, envelope: Envelope) -> Self {
        self.session.envelope = Some(envelope);
        self
    }

    /// Contacts addresses that are not global, too, if that is what a domain's records lead to: of this machine, of a
    /// network of one's own. An address that is itself the target is always contacted.
    #[must_use]
    pub fn allow_private(mut self, is_allowed: bool) -> Self {
        self.allows_private = is_allowed;
        self
    }

    /// Never contacts an address in one of these networks, whatever leads there. Set again, it is these alone.
    #[must_use]
    pub fn exclude(mut self, networks: impl IntoIterator<Item = Network>) -> Self {
        self.excluded = Arc::new(Networks::new(networks));
        self
    }

    /// Asks about a domain, a host or an address, in a runtime of its own. It blocks until all is known.
    ///
    /// # Errors
    /// The system has no means for a runtime: what a probe finds is no error.
    ///
    /// # Panics
    /// Within a runtime of tokio's.
    pub fn probe(&self, target: &Target) -> io::Result<ProbeReport> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let report = runtime.block_on(self.probe_async(target));
        // What is left behind has its own deadline.
        runtime.shutdown_background();
        Ok(report)
    }

    /// Asks as [`probe`](Self::probe) does, awaited; dropping the future is the end of it.
    ///
    /// # Panics
    /// Outside of a runtime of tokio's, or in one without its drivers for I/O and time.
    pub async fn probe_async(&self, target: &Target) -> ProbeReport {
        // One target has its own bounds.
        let shared = Shared::new(&self.resolver, usize::MAX, usize::MAX, Duration::ZERO);
        self.report(target, &shared, true).await
    }

    /// Asks about one target, which somebody has named or a list.
    async fn report(&self, target: &Target, shared: &Shared, is_named: bool) -> ProbeReport {
        let (begun, since) = (SystemTime::now(), Instant::now());
        let mut report = ProbeReport {
            target: target.clone(),
            port: self.port,
            begun,
            took: Duration::ZERO,
            resolver: self.resolver.describe(),
            mx: None,
            routing: Routing::Direct,
            exchangers: Vec::new(),
            exchangers_left_out: 0,
            sts: None,
            reporting: None,
            findings: Vec::new(),
        };
        let plan = self.hosts(shared, is_named);
        match target {
            Target::Address(address) => {
                let host = shared.host(&format!("[{address}]"), || plan.address(*address)).await;
                report.exchangers.push(exchanger(None, host, None, begun));
            }
            Target::Host(name) => {
                let host = shared.host(name, || plan.host(name)).await;
                report.exchangers.push(exchanger(None, host, None, begun));
            }
            Target::Domain(domain) => Box::pin(self.domain(domain, shared, &mut report)).await,
        }
        report.findings = judge(&report, &Measures { expiring: self.expiring, now: SystemTime::now() });
        report.took = since.elapsed();
        report
    }

    async fn domain(&self, domain: &str, shared: &Shared, report: &mut ProbeReport) {
        let mx = shared.turns.look_up::<Mx>(domain).await;
        let (routing, named) = route(domain, &mx);
        report.routing = routing;
        // An exchanger that is named twice is asked once.
        let mut seen = BTreeSet::new();
        let names = named.iter().take(MOST_EXCHANGERS).map(|(_, name)| name.as_str());
        let names: Vec<&str> = names.filter(|name| seen.insert(*name)).collect();
        if !names.is_empty() {
            let (plan, begun) = (&self.hosts(shared, false), Instant::now());
            let ask = |name| async move {
                match begun.elapsed() < plan.within {
                    true => Some(shared.host(name, || plan.host(name)).await),
                    false => None,
                }
            };
            let hosts = all(names.iter().copied().map(ask).collect(), HOSTS_AT_ONCE);
            let policies = self.policies(shared);
            let published = both(shared.policy(domain, || policies.policy(domain)), policies.reporting(domain));
            let (hosts, (sts, reporting)) = both(hosts, published).await;
            let hosts: BTreeMap<_, _> =
                names.into_iter().zip(hosts).filter_map(|(name, host)| Some((name, host?))).collect();
            let found = mx.as_ref().ok().map(|found| (domain, found));
            let asked = named.iter().take(MOST_EXCHANGERS).filter_map(|(preference, name)| {
                Some(exchanger(*preference, Arc::clone(hosts.get(name.as_str())?), found, report.begun))
            });
            report.exchangers = asked.collect();
            report.exchangers_left_out = named.len() - report.exchangers.len();
            if let Some(policy) = sts.policy().filter(|policy| policy.mode != Mode::None) {
                report.exchangers.iter_mut().for_each(|one| one.is_in_policy = Some(policy.covers(&one.host.name)));
            }
            (report.sts, report.reporting) = (Some(sts), Some(reporting));
        }
        if let (Routing::Implicit, [itself]) = (routing, report.exchangers.as_slice()) {
            report.routing = implicit(&itself.host);
        }
        if report.routing == Routing::Nowhere {
            report.exchangers.clear();
            (report.sts, report.reporting) = (None, None);
        }
        report.mx = Some(mx);
    }

    fn hosts<'a>(&'a self, shared: &'a Shared, allows_named: bool) -> HostPlan<'a> {
        let Self { session, allows_private, family, port, excluded, .. } = self;
        let (allows_private, family, port) = (*allows_private, *family, *port);
        let Shared { turns, places, .. } = shared;
        let within = session.deadline.saturating_mul(5);
        HostPlan { turns, places, session, allows_private, allows_named, excluded, family, port, within }
    }

    fn policies<'a>(&'a self, shared: &'a Shared) -> PolicyPlan<'a> {
        let (trust, patience) = (&self.session.tls, self.session.deadline.min(PATIENCE_WITH_POLICIES));
        let (excluded, allows_private) = (&self.excluded, self.allows_private);
        PolicyPlan { turns: &shared.turns, allows_private, excluded, port: self.policy_port, trust, patience }
    }
}

/// Says what MX records come to, and names the exchangers in order.
fn route(domain: &str, mx: &Result<Found<Mx>, DnsError>) -> (Routing, Vec<(Option<u16>, String)>) {
    let Some(found) = mx.as_ref().ok().filter(|found| found.is_known()) else {
        return (Routing::Unknown, Vec::new());
    };
    match found.records.as_slice() {
        [] if !found.exists => (Routing::Nowhere, Vec::new()),
        [] => (Routing::Implicit, vec![(None, domain.to_owned())]),
        records if records.iter().all(Mx::is_null) => (Routing::NullMx, Vec::new()),
        records => {
            let mut named: Vec<(Option<u16>, String)> = records
                .iter()
                .filter(|mx| !mx.is_null())
                .map(|mx| (Some(mx.preference), mx.exchanger.clone()))
                .collect();
            // Reports of the same domain are alike: chance is for those who send.
            named.sort();
            named.dedup();
            (Routing::Exchangers, named)
        }
    }
}

/// Says whether the domain itself can take mail, which has no MX.
fn implicit(host: &HostFacts) -> Routing {
    match host.is_looked_up() {
        _ if !host.addresses.is_empty() => Routing::Implicit,
        true => Routing::Nowhere,
        false => Routing::Unknown,
    }
}

fn exchanger(
    preference: Option<u16>,
    host: Arc<HostFacts>,
    domain: Option<(&str, &Found<Mx>)>,
    now: SystemTime,
) -> Exchanger {
    let dane = dane::judge(domain, &host, now);
    Exchanger { preference, host, dane, is_in_policy: None }
}

/// A domain that has more is asked at no more.
const MOST_EXCHANGERS: usize = 64;
/// Exchangers of one domain at the same time.
const HOSTS_AT_ONCE: usize = 8;
/// A minute is what [RFC 8461, section 3.3](https://www.rfc-editor.org/rfc/rfc8461#section-3.3) asks senders to wait.
const PATIENCE_WITH_POLICIES: Duration = Duration::from_secs(60);
/// In seconds.
const DAY: u64 = 24 * 60 * 60;
