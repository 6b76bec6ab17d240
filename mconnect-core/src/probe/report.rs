//! What was found out of a domain, as plain data.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::dane::Dane;
use super::facts::HostFacts;
use super::finding::{Gravity, ProbeFinding};
use super::policy::{ReportingFacts, StsFacts};
use super::session::SessionFacts;
use crate::dns::{DnsError, Found, Mx};

/// Whom a probe is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Target {
    /// A domain: whoever takes its mail.
    Domain(String),
    /// One server, by its name, whatever its MX records say: `[mx.example.org]`.
    Host(String),
    /// One address: `[192.0.2.1]`, with or without brackets.
    Address(IpAddr),
}

impl Target {
    /// Reads what people write: a domain, a host in brackets, or an address with or without them. A name is taken in
    /// lower case and without its last dot, and has to be in A-labels; whether it can be one is seen when it is looked
    /// up.
    ///
    /// ```
    /// use mconnect_core::probe::Target;
    ///
    /// assert_eq!(Target::parse("Example.ORG."), Target::Domain("example.org".to_owned()));
    /// assert_eq!(Target::parse("[mx.example.org]"), Target::Host("mx.example.org".to_owned()));
    /// assert_eq!(Target::parse("[192.0.2.1]"), Target::parse("192.0.2.1."));
    /// assert_eq!(Target::parse("[IPv6:2001:db8::1]").to_string(), "[2001:db8::1]");
    /// ```
    pub fn parse(text: &str) -> Self {
        let inner = text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
        let bare = inner.unwrap_or(text);
        let bare = bare.get(..5).filter(|tag| tag.eq_ignore_ascii_case("IPv6:")).map_or(bare, |_| &bare[5..]);
        let bare = bare.strip_suffix('.').unwrap_or(bare);
        if let Ok(address) = bare.parse() {
            return Self::Address(address);
        }
        let name = bare.to_ascii_lowercase();
        if inner.is_some() { Self::Host(name) } else { Self::Domain(name) }
    }
}

impl AsRef<Target> for Target {
    fn as_ref(&self) -> &Target {
        self
    }
}

/// Writes it as [`parse`](Target::parse) reads it.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(name) => f.write_str(name),
            Self::Host(name) => write!(f, "[{name}]"),
            Self::Address(address) => write!(f, "[{address}]"),
        }
    }
}

/// What a probe found out, and what is to be said of it.
#[derive(Debug)]
#[non_exhaustive]
pub struct ProbeReport {
    /// Whom it is about.
    pub target: Target,
    /// The port of the sessions.
    pub port: u16,
    /// When it was begun.
    pub begun: SystemTime,
    /// How long all of it took.
    pub took: Duration,
    /// Who was asked about names, and what its word on signatures is worth.
    pub resolver: String,
    /// The MX records of a domain; `None` where they do not count.
    pub mx: Option<Result<Found<Mx>, DnsError>>,
    /// What they come to.
    pub routing: Routing,
    /// Who takes the mail, in the order of preference.
    pub exchangers: Vec<Exchanger>,
    /// How many exchangers more there were than were asked: too many, or too slow
    /// ([`Probe::deadline`](super::Probe::deadline)).
    pub exchangers_left_out: usize,
    /// MTA-STS of a domain that takes mail ([RFC 8461](https://www.rfc-editor.org/rfc/rfc8461)).
    pub sts: Option<Arc<StsFacts>>,
    /// Where reports on TLS are sent ([RFC 8460](https://www.rfc-editor.org/rfc/rfc8460)), of a domain that takes mail.
    pub reporting: Option<ReportingFacts>,
    /// What is to be said of all this, the gravest first.
    pub findings: Vec<ProbeFinding>,
}

/// How mail finds its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Routing {
    /// By MX records.
    Exchangers,
    /// To the address of the domain itself, which has no MX
    /// ([RFC 5321, section 5.1](https://www.rfc-editor.org/rfc/rfc5321#section-5.1)).
    Implicit,
    /// Not at all: the domain says that it takes none ([RFC 7505](https://www.rfc-editor.org/rfc/rfc7505)).
    NullMx,
    /// Not at all: there is neither an MX nor an address.
    Nowhere,
    /// Nobody knows: the MX records, or the addresses in their place, could not be looked up.
    Unknown,
    /// To the host or address that was named.
    Direct,
}

/// Whoever takes mail for a domain, and what that domain makes of it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Exchanger {
    /// The preference of its MX record, if there is one: the lower ones are tried first.
    pub preference: Option<u16>,
    /// The host, which may be an exchanger of other domains, too: what is here is the same for all of them.
    pub host: Arc<HostFacts>,
    /// What its TLSA records come to for mail to this domain.
    pub dane: Dane,
    /// Whether the MTA-STS policy of the domain has it; `None` without a policy.
    pub is_in_policy: Option<bool>,
}

impl Exchanger {
    /// Returns whether it keeps to the MTA-STS policy of the domain, as far as is seen: it is in it, and each address that
    /// was talked to starts TLS with a certificate for its name. `None` without a policy, and if none was talked to.
    pub fn passes_policy(&self) -> Option<bool> {
        let is_in_policy = self.is_in_policy?;
        let mut talked_to = self.host.sessions().filter(|facts| facts.hello.is_some()).peekable();
        talked_to.peek()?;
        Some(is_in_policy && talked_to.all(|facts| facts.tls.is_some() && facts.problems.is_empty()))
    }
}

impl ProbeReport {
    /// Returns every session, with the exchanger that it was with.
    pub fn sessions(&self) -> impl Iterator<Item = (&Exchanger, &SessionFacts)> {
        self.exchangers.iter().flat_map(|exchanger| exchanger.host.sessions().map(move |facts| (exchanger, facts)))
    }

    /// Returns the gravest that is to be said, if anything is.
    pub fn gravest(&self) -> Option<Gravity> {
        self.findings.first().map(|finding| finding.gravity)
    }
}
