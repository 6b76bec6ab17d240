//! What a domain publishes of TLS with its servers: MTA-STS and TLSRPT, looked up and fetched.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::concurrently::both;
use super::network::Networks;
use super::turns::Turns;
use crate::closer::Closer;
use crate::dns::{DnsError, Found, Security, Txt, is_global};
use crate::sts::{
    FetchError, InvalidPolicy, InvalidRecord, Policy, PolicyRecord, ReportRecord, fetch_with, policy_record,
    report_record,
};
use crate::tls::Config;

/// What a domain has of MTA-STS ([RFC 8461](https://www.rfc-editor.org/rfc/rfc8461)).
#[derive(Debug)]
#[non_exhaustive]
pub struct StsFacts {
    /// The TXT records of `_mta-sts.` and the domain.
    pub texts: Result<Found<Txt>, DnsError>,
    /// What they announce: nothing, a policy, or nothing although something was meant.
    pub record: Result<Option<PolicyRecord>, InvalidRecord>,
    /// The policy; `None` if none is announced.
    pub policy: Option<Result<Policy, StsFailure>>,
    /// What kind of text the policy's server says that it is.
    pub content_type: Option<String>,
}

/// Where a domain wants reports on TLS ([RFC 8460](https://www.rfc-editor.org/rfc/rfc8460)).
#[derive(Debug)]
#[non_exhaustive]
pub struct ReportingFacts {
    /// The TXT records of `_smtp._tls.` and the domain.
    pub texts: Result<Found<Txt>, DnsError>,
    /// What they say: nothing, where to, or nothing although something was meant.
    pub record: Result<Option<ReportRecord>, InvalidRecord>,
}

/// Why a policy that is announced does not count.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StsFailure {
    /// Its host cannot be looked up.
    #[error("cannot look up the host of the policy")]
    Lookup(#[source] DnsError),
    /// The signatures of its host's addresses are wrong.
    #[error("the addresses of {host} are bogus")]
    Bogus {
        /// The host.
        host: String,
    },
    /// Its host has no address.
    #[error("{host} has no address")]
    NoAddress {
        /// The host.
        host: String,
    },
    /// Its host has no address that is global, and so none is contacted.
    #[error("{host} has no global address")]
    NotGlobal {
        /// The host.
        host: String,
    },
    /// All addresses of its host are in networks that are never contacted ([`Probe::exclude`](super::Probe::exclude)).
    #[error("{host} has no address that is not excluded")]
    Excluded {
        /// The host.
        host: String,
    },
    /// It cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It is none.
    #[error("the policy cannot be read")]
    Invalid(#[from] InvalidPolicy),
}

impl StsFacts {
    /// Returns the policy, if there is one that counts.
    pub fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()?.as_ref().ok()
    }
}

/// What a policy is fetched with.
pub(super) struct PolicyPlan<'a> {
    pub turns: &'a Turns,
    pub allows_private: bool,
    pub excluded: &'a Networks,
    pub port: u16,
    pub trust: &'a Config,
    pub patience: Duration,
}

impl PolicyPlan<'_> {
    /// Looks a domain's policy up, and fetches it if one is announced.
    pub async fn policy(&self, domain: &str) -> StsFacts {
        let texts = self.turns.look_up::<Txt>(&format!("_mta-sts.{domain}")).await;
        let record = match &texts {
            Ok(found) => policy_record(&octets(found)),
            Err(_) => Ok(None),
        };
        let mut facts = StsFacts { texts, record, policy: None, content_type: None };
        if let Ok(Some(_)) = facts.record {
            let fetched = self.fetch(domain).await;
            facts.policy = Some(fetched.and_then(|(body, content_type)| {
                facts.content_type = content_type;
                Ok(Policy::parse(&body)?)
            }));
        }
        facts
    }

    /// Looks up where a domain wants reports.
    pub async fn reporting(&self, domain: &str) -> ReportingFacts {
        let texts = self.turns.look_up::<Txt>(&format!("_smtp._tls.{domain}")).await;
        let record = match &texts {
            Ok(found) => report_record(&octets(found)),
            Err(_) => Ok(None),
        };
        ReportingFacts { texts, record }
    }

    async fn fetch(&self, domain: &str) -> Result<(Vec<u8>, Option<String>), StsFailure> {
        let host = format!("mta-sts.{domain}");
        let (v4, v6) = both(self.turns.look_up::<Ipv4Addr>(&host), self.turns.look_up::<Ipv6Addr>(&host)).await;
        let securities = [v4.as_ref().map(|v4| v4.security), v6.as_ref().map(|v6| v6.security)];
        if securities.iter().any(|security| matches!(security, Ok(Security::Bogus))) {
            return Err(StsFailure::Bogus { host });
        }
        let mut all: Vec<IpAddr> = v4.iter().flat_map(|v4| &v4.records).copied().map(IpAddr::V4).collect();
        all.extend(v6.iter().flat_map(|v6| &v6.records).copied().map(IpAddr::V6));
        if all.is_empty() {
            let failure = v4.err().or(v6.err()).map(StsFailure::Lookup);
            return Err(failure.unwrap_or(StsFailure::NoAddress { host }));
        }
        let global: Vec<IpAddr> =
            all.into_iter().filter(|address| self.allows_private || is_global(*address)).collect();
        if global.is_empty() {
            return Err(StsFailure::NotGlobal { host });
        }
        let wanted = global.into_iter().filter(|address| !self.excluded.contain(*address));
        let addresses: Vec<SocketAddr> =
            wanted.take(MOST_ADDRESSES).map(|address| SocketAddr::new(address, self.port)).collect();
        if addresses.is_empty() {
            return Err(StsFailure::Excluded { host });
        }
        let _turn = self.turns.fetching().await;
        let (domain, trust, patience) = (domain.to_owned(), self.trust.clone(), self.patience);
        let closer = Closer::new();
        // Whoever gives up waiting ends the connection, and so the thread.
        let _end = CloseAtEnd(closer.clone());
        let fetched = tokio::task::spawn_blocking(move || fetch_with(&domain, &addresses, &trust, patience, &closer));
        let fetched = fetched.await.expect("fetching does not panic")?;
        Ok((fetched.body, fetched.content_type))
    }
}

struct CloseAtEnd(Closer);

impl Drop for CloseAtEnd {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn octets(found: &Found<Txt>) -> Vec<&[u8]> {
    found.records.iter().map(|text| text.octets.as_slice()).collect()
}

/// A host of policies that has more is asked at no more.
const MOST_ADDRESSES: usize = 8;
