//! A host: its addresses, its TLSA records if those count, and a session with each address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use super::concurrently::{all, both};
use super::facts::{AddressFacts, Contact, HostFacts, TlsaLookup};
use super::network::Networks;
use super::places::Places;
use super::session::{SessionFacts, SessionPlan};
use super::turns::Turns;
use crate::connect::Family;
use crate::dns::{Cname, Security, is_global};
use crate::tlsa::Tlsa;

/// How hosts are asked.
pub(super) struct HostPlan<'a> {
    pub turns: &'a Turns,
    pub places: &'a Places,
    pub session: &'a SessionPlan,
    pub allows_private: bool,
    /// An address that is itself the target is contacted whatever it is, unless it is excluded.
    pub allows_named: bool,
    pub excluded: &'a Networks,
    pub family: Family,
    pub port: u16,
    /// So long after the first, no other of several is begun.
    pub within: Duration,
}

impl HostPlan<'_> {
    /// Asks one address, which has no name.
    pub async fn address(&self, address: IpAddr) -> HostFacts {
        let mut facts = HostFacts::new(format!("[{address}]"));
        let name = address.to_string();
        let contact = match address {
            _ if self.excluded.contain(address) => Contact::Excluded,
            _ if !self.allows_named && !self.allows_private && !is_global(address) => Contact::NotGlobal,
            _ => self.session(&name, &name, address).await,
        };
        facts.addresses.push(AddressFacts { address, contact });
        facts
    }

    /// Looks a host up, and asks each of its addresses.
    pub async fn host(&self, name: &str) -> HostFacts {
        let mut facts = HostFacts::new(name.to_owned());
        let (v4, v6) = both(self.turns.look_up::<Ipv4Addr>(name), self.turns.look_up::<Ipv6Addr>(name)).await;
        let mut addresses: Vec<IpAddr> = Vec::new();
        // Nothing is known by what is bogus.
        addresses.extend(v4.iter().filter(|v4| v4.is_known()).flat_map(|v4| &v4.records).copied().map(IpAddr::V4));
        addresses.extend(v6.iter().filter(|v6| v6.is_known()).flat_map(|v6| &v6.records).copied().map(IpAddr::V6));
        (facts.v4, facts.v6) = (Some(v4), Some(v6));
        // Name servers turn them, and reports on the same host are alike.
        addresses.sort_unstable();
        facts.addresses_left_out = addresses.len().saturating_sub(MOST_ADDRESSES);
        addresses.truncate(MOST_ADDRESSES);
        if !addresses.is_empty() {
            self.look_up_tlsa(&mut facts).await;
        }
        // Where DANE counts, it is the base domain that TLS asks for (RFC 7672, section 8.1).
        let is_dane = |lookup: &&TlsaLookup| lookup.found.as_ref().is_ok_and(|found| !found.records.is_empty());
        let sni = facts.tlsa.last().filter(is_dane).map_or(name, |lookup| &lookup.base).to_owned();
        let begun = Instant::now();
        let asked: Vec<_> = addresses.into_iter().map(|address| self.contact(name, &sni, address, begun)).collect();
        facts.addresses = all(asked, AT_ONCE).await;
        facts
    }

    async fn contact(&self, name: &str, sni: &str, address: IpAddr, begun: Instant) -> AddressFacts {
        let contact = match (self.family, address) {
            (Family::V4, IpAddr::V6(_)) | (Family::V6, IpAddr::V4(_)) => Contact::OtherFamily,
            _ if self.excluded.contain(address) => Contact::Excluded,
            _ if !self.allows_private && !is_global(address) => Contact::NotGlobal,
            _ if begun.elapsed() >= self.within => Contact::OutOfTime,
            _ => self.session(name, sni, address).await,
        };
        AddressFacts { address, contact }
    }

    async fn session(&self, name: &str, sni: &str, address: IpAddr) -> Contact {
        let address = SocketAddr::new(address, self.port);
        let ask = || async {
            let _turn = self.turns.session().await;
            Box::pin(self.session.ask(name, sni, address)).await
        };
        Contact::Session(Box::new(
            self.places.visit(address.ip(), ask, || SessionFacts::given_up(name, sni, address)).await,
        ))
    }

    /// Looks TLSA records up where the addresses are secure, at what an alias leads to first, and otherwise at its own name
    /// ([RFC 7672, section 2.2.2](https://www.rfc-editor.org/rfc/rfc7672#section-2.2.2)).
    async fn look_up_tlsa(&self, facts: &mut HostFacts) {
        let is_alias = !facts.aliases().is_empty();
        let bases = match facts.security() {
            Some(Security::Secure) if is_alias => vec![facts.canonical().to_owned(), facts.name.clone()],
            Some(Security::Secure) => vec![facts.name.clone()],
            // The alias may be signed, though what it leads to is not.
            Some(Security::Insecure) if is_alias => {
                let alias = self.turns.look_up::<Cname>(&facts.name).await;
                let is_signed =
                    alias.is_ok_and(|alias| alias.security == Security::Secure && !alias.records.is_empty());
                if is_signed { vec![facts.name.clone()] } else { Vec::new() }
            }
            _ => Vec::new(),
        };
        for base in bases {
            let found = self.turns.look_up::<Tlsa>(&format!("_{}._tcp.{base}", self.port)).await;
            let is_the_last = !found.as_ref().is_ok_and(|found| found.records.is_empty() && found.is_known());
            facts.tlsa.push(TlsaLookup { base, found });
            if is_the_last {
                return;
            }
        }
    }
}

/// No host needs more to be known.
const MOST_ADDRESSES: usize = 64;
/// Sessions with one host at the same time.
const AT_ONCE: usize = 8;
