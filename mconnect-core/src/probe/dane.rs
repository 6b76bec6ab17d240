//! What TLSA records come to for mail to a domain ([RFC 7672](https://www.rfc-editor.org/rfc/rfc7672)).
//!
//! ```text
//!   addresses ── secure ─► TLSA ── secure, some can be used ─► each session: matched or not ─► Secure, Mismatch
//!      │ insecure            │ none: Absent    all unusable: Unusable     no TLS: Unencrypted
//!      ▼                     ▼ bogus, failed: mail waits
//!   Insecure, Bogus, ...   Bogus, Failed
//! ```
//! Where the MX records are not secure, whoever changes them leads mail elsewhere: then all this is Insecure, whatever the
//! records of the host are worth.

use std::net::IpAddr;
use std::time::SystemTime;

use super::facts::HostFacts;
use super::session::SessionFacts;
use crate::dns::{DnsError, Found, Mx, Security};
use crate::error::chain;
use crate::tls::dane::{DaneVerdict, verify};
use crate::tlsa::Tlsa;

/// What the TLSA records of an exchanger come to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dane {
    /// What all of it comes to.
    pub standing: DaneStanding,
    /// What is to be said of that: why it is bogus, what could not be looked up, what is not signed.
    pub why: Option<String>,
    /// The verdict on each address that TLS was started with.
    pub verdicts: Vec<(IpAddr, DaneVerdict)>,
}

/// What DANE comes to with an exchanger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "json", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum DaneStanding {
    /// Each address that was asked is the server that the records speak of.
    Secure,
    /// One at least is not: mail does not go there.
    Mismatch,
    /// There are records, and one address at least does not start TLS: mail does not go there.
    Unencrypted,
    /// There are records, and none that can be used: mail is encrypted, and nobody is proven.
    Unusable,
    /// There is no address that was talked to.
    Untested,
    /// The domain, or the host, is not signed: records do not count.
    Insecure,
    /// The resolver proves nothing: it is neither on this machine nor trusted.
    Unproven,
    /// Signatures are wrong: mail waits.
    Bogus,
    /// A lookup failed: mail waits.
    Failed,
    /// All is signed, and there are no records.
    Absent,
}

impl DaneStanding {
    /// Returns its name, as reports write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Secure => "secure",
            Self::Mismatch => "mismatch",
            Self::Unencrypted => "unencrypted",
            Self::Unusable => "unusable",
            Self::Untested => "untested",
            Self::Insecure => "insecure",
            Self::Unproven => "unproven",
            Self::Bogus => "bogus",
            Self::Failed => "failed",
            Self::Absent => "absent",
        }
    }
}

impl Dane {
    /// Returns the verdict on an address.
    pub fn of(&self, address: IpAddr) -> Option<&DaneVerdict> {
        self.verdicts.iter().find(|(of, _)| *of == address).map(|(_, verdict)| verdict)
    }

    fn new(standing: DaneStanding, why: Option<String>) -> Self {
        Self { standing, why, verdicts: Vec::new() }
    }
}

/// Judges an exchanger for mail to a domain, whose MX records these are, if it is one.
pub(super) fn judge(domain: Option<(&str, &Found<Mx>)>, host: &HostFacts, now: SystemTime) -> Dane {
    let looked_up = [host.v4.as_ref().map(weighed), host.v6.as_ref().map(weighed)];
    let found = |wanted: Option<Security>| looked_up.iter().flatten().find(|(security, _)| *security == wanted);
    if let Some((_, why)) = found(Some(Security::Bogus)) {
        return Dane::new(DaneStanding::Bogus, why.clone());
    }
    if let Some((_, why)) = found(None).filter(|_| host.addresses.is_empty()) {
        return Dane::new(DaneStanding::Failed, why.clone());
    }
    let Some(security) = host.security() else {
        return Dane::new(DaneStanding::Insecure, Some("an address has no records".to_owned()));
    };
    if security == Security::Unproven {
        return Dane::new(DaneStanding::Unproven, None);
    }
    if host.addresses.is_empty() {
        return Dane::new(DaneStanding::Untested, None);
    }
    let Some(lookup) = host.tlsa.last() else {
        return Dane::new(DaneStanding::Insecure, Some(format!("the addresses of {} are not signed", host.name)));
    };
    let records = match &lookup.found {
        Err(error) => return Dane::new(DaneStanding::Failed, Some(chain(error))),
        Ok(found) if found.security == Security::Bogus => return Dane::new(DaneStanding::Bogus, found.why.clone()),
        Ok(found) if found.security != Security::Secure => {
            return Dane::new(DaneStanding::Insecure, Some("the TLSA records are not signed".to_owned()));
        }
        Ok(found) if found.records.is_empty() => return Dane::new(DaneStanding::Absent, None),
        Ok(found) => &found.records,
    };
    let mut names = vec![lookup.base.as_str(), &host.name];
    if let Some((domain, mx)) = domain.filter(|(_, mx)| mx.security == Security::Secure) {
        names.extend([domain, &mx.name]);
    }
    let mut dane = of_sessions(records, host, &names, now);
    if domain.is_some_and(|(_, mx)| mx.security != Security::Secure) {
        dane.standing = DaneStanding::Insecure;
        dane.why = Some("the MX records are not signed".to_owned());
    }
    dane
}

/// Judges each session by the records.
fn of_sessions(records: &[Tlsa], host: &HostFacts, names: &[&str], now: SystemTime) -> Dane {
    let verdicts: Vec<(IpAddr, DaneVerdict)> = host
        .sessions()
        .filter_map(|facts| Some((facts.address.ip(), verify(records, facts.tls.as_ref()?, names, now))))
        .collect();
    let has = |wanted: fn(&DaneVerdict) -> bool| verdicts.iter().any(|(_, verdict)| wanted(verdict));
    let is_plain = host.sessions().any(SessionFacts::is_plain);
    let standing = match () {
        () if has(|verdict| matches!(verdict, DaneVerdict::Mismatch { .. })) => DaneStanding::Mismatch,
        () if is_plain => DaneStanding::Unencrypted,
        () if has(|verdict| matches!(verdict, DaneVerdict::Unusable { .. })) => DaneStanding::Unusable,
        () if verdicts.is_empty() => DaneStanding::Untested,
        () => DaneStanding::Secure,
    };
    Dane { standing, why: None, verdicts }
}

/// Returns what a lookup is worth, nothing if it failed, and what is to be said of that.
fn weighed<T>(looked_up: &Result<Found<T>, DnsError>) -> (Option<Security>, Option<String>) {
    match looked_up {
        Ok(found) => (Some(found.security), found.why.clone()),
        Err(error) => (None, Some(chain(error))),
    }
}
