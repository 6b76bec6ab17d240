//! What was found out of a host, whichever domain it is an exchanger of, as plain data.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::session::SessionFacts;
use crate::dns::{DnsError, Found, Security};
use crate::tlsa::Tlsa;

/// A host, by its name: its addresses, its TLSA records, and a session with each address.
#[derive(Debug)]
#[non_exhaustive]
pub struct HostFacts {
    /// Its name; an address in brackets if it has none.
    pub name: String,
    /// Its IPv4 addresses; `None` where none were looked for.
    pub v4: Option<Result<Found<Ipv4Addr>, DnsError>>,
    /// Its IPv6 addresses; `None` where none were looked for.
    pub v6: Option<Result<Found<Ipv6Addr>, DnsError>>,
    /// The lookups of its TLSA records ([RFC 7672](https://www.rfc-editor.org/rfc/rfc7672)), the one that counts last:
    /// none where its addresses are not secure.
    pub tlsa: Vec<TlsaLookup>,
    /// Its addresses, and what came of each.
    pub addresses: Vec<AddressFacts>,
    /// How many addresses more there were than are asked.
    pub addresses_left_out: usize,
}

/// A lookup of TLSA records.
#[derive(Debug)]
#[non_exhaustive]
pub struct TlsaLookup {
    /// The TLSA base domain ([RFC 7672, section 2.2.3](https://www.rfc-editor.org/rfc/rfc7672#section-2.2.3)).
    pub base: String,
    /// What was found at `_port._tcp.` of it.
    pub found: Result<Found<Tlsa>, DnsError>,
}

/// An address, and what came of it.
#[derive(Debug)]
#[non_exhaustive]
pub struct AddressFacts {
    /// Which.
    pub address: IpAddr,
    /// What came of it.
    pub contact: Contact,
}

/// What came of an address.
#[derive(Debug)]
#[non_exhaustive]
pub enum Contact {
    /// It was asked.
    Session(Box<SessionFacts>),
    /// It was not: it is no global address, and so no domain's business here
    /// ([`Probe::allow_private`](super::Probe::allow_private)).
    NotGlobal,
    /// It was not: it is in a network that is never contacted ([`Probe::exclude`](super::Probe::exclude)).
    Excluded,
    /// It was not: it is of the family that is not wanted.
    OtherFamily,
    /// It was not: the addresses before it took too long ([`Probe::deadline`](super::Probe::deadline)).
    OutOfTime,
}

impl HostFacts {
    /// Of a host that nothing is known of.
    pub(super) fn new(name: String) -> Self {
        Self { name, v4: None, v6: None, tlsa: Vec::new(), addresses: Vec::new(), addresses_left_out: 0 }
    }

    /// Returns the sessions, each with its address.
    pub fn sessions(&self) -> impl Iterator<Item = &SessionFacts> {
        self.addresses.iter().filter_map(|address| match &address.contact {
            Contact::Session(facts) => Some(&**facts),
            Contact::NotGlobal | Contact::Excluded | Contact::OtherFamily | Contact::OutOfTime => None,
        })
    }

    /// Returns the weakest security of its addresses; `None` where none could be looked up.
    pub fn security(&self) -> Option<Security> {
        let (v4, v6) = (answer(&self.v4).map(|v4| v4.security), answer(&self.v6).map(|v6| v6.security));
        v4.max(v6)
    }

    /// Returns the names that were passed on the way to its addresses, the one that was asked for first; none if that is
    /// no alias.
    pub fn aliases(&self) -> &[String] {
        let v4 = answer(&self.v4).map(|v4| v4.aliases.as_slice());
        let v6 = answer(&self.v6).map(|v6| v6.aliases.as_slice());
        v4.filter(|aliases| !aliases.is_empty()).or(v6).unwrap_or_default()
    }

    /// Returns what its aliases lead to, or its own name.
    pub fn canonical(&self) -> &str {
        let v4 = answer(&self.v4).map(|v4| v4.name.as_str());
        let v6 = answer(&self.v6).map(|v6| v6.name.as_str());
        v4.or(v6).unwrap_or(&self.name)
    }

    /// Returns whether its addresses of both families are known, or that it has none.
    pub(super) fn is_looked_up(&self) -> bool {
        answer(&self.v4).is_some_and(Found::is_known) && answer(&self.v6).is_some_and(Found::is_known)
    }
}

fn answer<T>(looked_up: &Option<Result<Found<T>, DnsError>>) -> Option<&Found<T>> {
    looked_up.as_ref()?.as_ref().ok()
}
