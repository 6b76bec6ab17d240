//! What differs where nothing should: the addresses of one host, and the exchangers of one domain.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::{Findings, grouped};
use crate::probe::facts::HostFacts;
use crate::probe::finding::{FindingCode, Gravity};
use crate::probe::session::SessionFacts;
use crate::protocol::Extensions;

impl Findings<'_> {
    pub fn likeness(&mut self) {
        let hosts = self.hosts();
        for host in &hosts {
            self.addresses(host);
        }
        self.exchangers(&hosts);
    }

    fn addresses(&mut self, host: &HostFacts) {
        let names = host.sessions().filter_map(|facts| Some((facts.greeting_name()?, facts.address.ip())));
        self.differ(host, FindingCode::GreetingsDiffer, Gravity::Note, "greet by different names", grouped(names));
        let offers = host.sessions().filter_map(|facts| {
            let offered = listed(facts.extensions()?);
            Some((offered.into_iter().collect::<Vec<_>>().join(" "), facts.address.ip()))
        });
        let words = "offer different extensions";
        self.differ(host, FindingCode::ExtensionsDiffer, Gravity::Warning, words, grouped(offers));
        let certificates = host.sessions().filter_map(|facts| {
            let leaf = facts.tls.as_ref()?.certificates.first()?;
            Some((format!("{}..., {}", &leaf.fingerprint.to_string()[..16], leaf.subject), facts.address.ip()))
        });
        let words = "show different certificates";
        self.differ(host, FindingCode::CertificatesDiffer, Gravity::Note, words, grouped(certificates));
    }

    fn differ(
        &mut self,
        host: &HostFacts,
        code: FindingCode,
        gravity: Gravity,
        words: &str,
        groups: Vec<(String, Vec<IpAddr>)>,
    ) {
        if groups.len() < 2 {
            return;
        }
        let each = groups.iter().map(|(what, addresses)| {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            format!("{}: {what}", addresses.join(", "))
        });
        let evidence = each.collect::<Vec<_>>().join("; ");
        let what = format!("the addresses of {} {words}", host.name);
        self.add(gravity, code, what).seen(evidence).at(host, &[]);
    }

    /// Compares what each exchanger offers at its first address that answers.
    fn exchangers(&mut self, hosts: &[&HostFacts]) {
        let offers: Vec<(&str, BTreeSet<String>)> = hosts
            .iter()
            .filter_map(|host| {
                let offered = host.sessions().find_map(SessionFacts::extensions)?;
                Some((host.name.as_str(), listed(offered)))
            })
            .collect();
        let Some((_, first)) = offers.first() else { return };
        let in_all = offers.iter().skip(1).fold(first.clone(), |all, (_, offered)| &all & offered);
        let each: Vec<String> = offers
            .iter()
            .filter(|(_, offered)| *offered != in_all)
            .map(|(name, offered)| {
                let more: Vec<String> = offered.difference(&in_all).cloned().collect();
                format!("{name} also offers {}", more.join(", "))
            })
            .collect();
        if !each.is_empty() {
            let what = "the exchangers offer different extensions".to_owned();
            self.add(Gravity::Note, FindingCode::ExchangersDiffer, what).seen(each.join("; "));
        }
    }
}

/// Returns the extensions in upper case, each with its parameters; STARTTLS is told of elsewhere.
fn listed(offered: &Extensions) -> BTreeSet<String> {
    let all = offered.iter().map(|extension| String::from_utf8_lossy(extension.raw()).to_ascii_uppercase());
    all.filter(|extension| extension != "STARTTLS").collect()
}
