//! What the DNS says of a domain and its exchangers.

use std::net::IpAddr;

use super::{Findings, place};
use crate::dns::{DnsError, Found, Mx, Security};
use crate::error::chain;
use crate::probe::facts::{Contact, HostFacts};
use crate::probe::finding::{FindingCode, Gravity};
use crate::probe::report::Routing;

impl Findings<'_> {
    pub fn names(&mut self) {
        let report = self.report;
        let target = &report.target;
        if let Some(mx) = &report.mx {
            self.lookup(&format!("the MX records of {target}"), mx, Gravity::Failure);
            if let Ok(found) = mx {
                self.routing(found);
                self.null_among_others(found);
            }
        }
        let hosts = self.hosts();
        let is_reachable = hosts.iter().any(|host| !host.addresses.is_empty());
        for host in hosts {
            self.host(host, is_reachable);
        }
        if report.exchangers_left_out > 0 {
            let what = format!("{target} has {} exchangers more than are asked", report.exchangers_left_out);
            self.add(Gravity::Note, FindingCode::LeftOut, what);
        }
        self.trust();
    }

    /// Says that what was looked up is not known, and why.
    pub fn lookup<T>(&mut self, what: &str, found: &Result<Found<T>, DnsError>, gravity: Gravity) {
        match found {
            Err(error) => {
                let what = format!("{what} could not be looked up");
                self.add(gravity, FindingCode::LookupFailed, what).seen(chain(error));
            }
            Ok(found) if !found.is_known() => {
                let (what, why) = (format!("{what} are bogus"), found.why.as_deref().unwrap_or_default());
                self.add(gravity, FindingCode::Bogus, what).seen(why);
            }
            Ok(_) => {}
        }
    }

    fn routing(&mut self, found: &Found<Mx>) {
        let target = &self.report.target;
        let (gravity, code, what) = match self.report.routing {
            Routing::Nowhere if !found.exists => {
                (Gravity::Failure, FindingCode::NoSuchDomain, format!("{target} does not exist"))
            }
            Routing::Nowhere => {
                let what = format!("{target} takes no mail: it has neither an MX record nor an address");
                (Gravity::Failure, FindingCode::NoExchanger, what)
            }
            Routing::NullMx => {
                let what = format!("{target} takes no mail, and says so by a null MX");
                (Gravity::Note, FindingCode::NullMx, what)
            }
            Routing::Implicit => {
                let what = format!("{target} has no MX record: mail goes to its own address");
                (Gravity::Note, FindingCode::ImplicitMx, what)
            }
            Routing::Exchangers | Routing::Unknown | Routing::Direct => return,
        };
        self.add(gravity, code, what);
    }

    fn null_among_others(&mut self, found: &Found<Mx>) {
        if found.records.len() > 1 && found.records.iter().any(Mx::is_null) {
            let what = format!("{} has a null MX among others, where it means nothing", self.report.target);
            let records: Vec<String> =
                found.records.iter().map(|mx| format!("{} {}.", mx.preference, mx.exchanger)).collect();
            self.add(Gravity::Warning, FindingCode::NullMxWithOthers, what).seen(records.join(", "));
        }
    }

    fn host(&mut self, host: &HostFacts, is_reachable: bool) {
        let others = if is_reachable { Gravity::Warning } else { Gravity::Failure };
        let is_implicit = self.report.routing == Routing::Implicit;
        if let Some(v4) = &host.v4 {
            self.lookup(&format!("the IPv4 addresses of {}", host.name), v4, others);
        }
        if let Some(v6) = &host.v6 {
            self.lookup(&format!("the IPv6 addresses of {}", host.name), v6, others);
        }
        for lookup in &host.tlsa {
            // Whoever asks for them does not send before they are known.
            self.lookup(&format!("the TLSA records of {}", lookup.base), &lookup.found, Gravity::Failure);
        }
        if host.is_looked_up() && host.addresses.is_empty() && !is_implicit {
            let exists = host.v4.as_ref().is_some_and(|v4| v4.as_ref().is_ok_and(|found| found.exists));
            let what = match exists {
                true => format!("{} has no address", host.name),
                false => format!("{} has no address: there is no such name", host.name),
            };
            self.add(others, FindingCode::ExchangerWithoutAddress, what).at(host, &[]);
        }
        if !host.aliases().is_empty() && self.report.routing == Routing::Exchangers {
            let what = format!("{} is an alias of {}", host.name, host.canonical());
            let path = [host.aliases(), &[host.canonical().to_owned()]].concat().join(" -> ");
            self.add(Gravity::Warning, FindingCode::ExchangerIsAlias, what).seen(path).at(host, &[]);
        }
        let those = |is_meant: fn(&Contact) -> bool| -> Vec<IpAddr> {
            let meant = host.addresses.iter().filter(|one| is_meant(&one.contact));
            meant.map(|one| one.address).collect()
        };
        let local = those(|contact| matches!(contact, Contact::NotGlobal));
        if !local.is_empty() {
            let is_all = local.len() == host.addresses.len();
            let gravity = if is_all { Gravity::Failure } else { Gravity::Warning };
            let what = format!("{} has addresses that are not reached from everywhere", place(host, &local));
            let listed: Vec<String> = local.iter().map(ToString::to_string).collect();
            self.add(gravity, FindingCode::AddressNotGlobal, what).seen(listed.join(", ")).at(host, &local);
        }
        for (left_out, words) in [
            (those(|contact| matches!(contact, Contact::Excluded)), "contacted: it is excluded"),
            (those(|contact| matches!(contact, Contact::OutOfTime)), "asked: the other addresses took too long"),
        ] {
            if !left_out.is_empty() {
                let what = format!("{} was not {words}", place(host, &left_out));
                self.add(Gravity::Note, FindingCode::LeftOut, what).at(host, &left_out);
            }
        }
        if host.addresses_left_out > 0 {
            let what = format!("{} has {} addresses more than are asked", host.name, host.addresses_left_out);
            self.add(Gravity::Note, FindingCode::LeftOut, what).at(host, &[]);
        }
    }

    /// Says that the resolver's word on signatures counts nothing.
    fn trust(&mut self) {
        let report = self.report;
        let is_unproven = |security: Option<Security>| security == Some(Security::Unproven);
        let mx = report.mx.as_ref().and_then(|mx| mx.as_ref().ok()).map(|found| found.security);
        if is_unproven(mx) || self.hosts().iter().any(|host| is_unproven(host.security())) {
            let what = "the resolver proves nothing, and so nothing is known of DANE".to_owned();
            self.add(Gravity::Note, FindingCode::ResolverNotTrusted, what).seen(&report.resolver);
        }
    }
}
