//! Who answers, and how.

use std::io::ErrorKind;
use std::net::IpAddr;

use super::{Findings, grouped, place};
use crate::error::{Error, chain};
use crate::probe::facts::HostFacts;
use crate::probe::finding::{FindingCode, Gravity};
use crate::probe::report::Target;
use crate::probe::session::{ProbeStep, SessionFacts};
use crate::protocol::{Code, Severity};
use crate::sts::is_host;

impl Findings<'_> {
    pub fn sessions(&mut self) {
        let hosts = self.hosts();
        let is_answered = hosts.iter().any(|host| host.sessions().any(SessionFacts::has_connected));
        let is_heard_out = hosts.iter().any(|host| host.sessions().any(|facts| broken_by(facts).is_none()));
        let mut has_ipv6 = true;
        for host in hosts {
            has_ipv6 &= self.reach(host, is_answered);
            self.broken(host, is_heard_out);
            self.refusals(host);
            self.greeting_names(host);
            self.auth(host);
            self.recipients(host);
        }
        if !has_ipv6 {
            let what = "this machine reaches nothing by IPv6: those addresses were not seen".to_owned();
            self.add(Gravity::Note, FindingCode::NoIpv6Here, what);
        }
    }

    /// Says which addresses do not answer. Returns whether this machine has IPv6, as far as is seen.
    fn reach(&mut self, host: &HostFacts, is_answered: bool) -> bool {
        let (dead, alive): (Vec<&SessionFacts>, Vec<&SessionFacts>) =
            host.sessions().partition(|facts| !facts.has_connected());
        let (unknown, dead): (Vec<&SessionFacts>, Vec<&SessionFacts>) =
            dead.into_iter().partition(|facts| facts.address.is_ipv6() && has_no_route(facts));
        let (dead6, dead4): (Vec<&SessionFacts>, Vec<&SessionFacts>) =
            dead.into_iter().partition(|facts| facts.address.is_ipv6());
        let is_ipv4_alive = !alive.is_empty() && alive.iter().all(|facts| facts.address.is_ipv4());
        if let (true, [], [first, ..]) = (is_ipv4_alive, dead4.as_slice(), dead6.as_slice()) {
            let addresses: Vec<IpAddr> = dead6.iter().map(|facts| facts.address.ip()).collect();
            let what = format!("{} publishes IPv6 that does not answer", host.name);
            let evidence = format!("{}: {}", addresses[0], cause(first));
            self.add(Gravity::Warning, FindingCode::Ipv6Dead, what).seen(evidence).at(host, &addresses);
        } else {
            let gravity = if is_answered { Gravity::Warning } else { Gravity::Failure };
            let remarks = dead4.iter().chain(&dead6).map(|facts| (cause(facts), facts.address.ip()));
            for (cause, addresses) in grouped(remarks) {
                let what = format!("{} does not answer", place(host, &addresses));
                self.add(gravity, FindingCode::Unreachable, what).seen(cause).at(host, &addresses);
            }
        }
        unknown.is_empty()
    }

    /// Says which sessions broke off; what happened before, or in a handshake, is for others to say.
    fn broken(&mut self, host: &HostFacts, is_heard_out: bool) {
        let remarks = host.sessions().filter_map(|facts| {
            let is_told = !matches!(facts.reached, ProbeStep::Connect | ProbeStep::Handshake);
            let error = broken_by(facts).filter(|_| is_told)?;
            Some(((facts.reached, error.chain()), facts.address.ip()))
        });
        let gravity = if is_heard_out { Gravity::Warning } else { Gravity::Failure };
        for ((step, error), addresses) in grouped(remarks) {
            let what = format!("{} breaks off at {step}", place(host, &addresses));
            self.add(gravity, FindingCode::SessionFailed, what).seen(error).at(host, &addresses);
        }
    }

    fn refusals(&mut self, host: &HostFacts) {
        let remarks = host.sessions().filter_map(|facts| {
            let greeting = facts.greeting.as_ref().filter(|greeting| greeting.code() != Code::READY);
            let hello = facts.hello_in_tls.as_ref().or(facts.hello.as_ref()).filter(|hello| !hello.is_granted());
            let (reply, step) = match (greeting, hello) {
                (Some(greeting), _) => (greeting, ProbeStep::Greeting),
                (None, hello) => (hello?, ProbeStep::Hello),
            };
            Some(((step, reply.to_string(), reply.code().severity()), facts.address.ip()))
        });
        for ((step, reply, severity), addresses) in grouped(remarks) {
            let (gravity, words) = match severity {
                Severity::Permanent => (Gravity::Failure, "refuses this client"),
                _ => (Gravity::Warning, "refuses this client for now"),
            };
            let what = format!("{} {words}, at {step}", place(host, &addresses));
            self.add(gravity, FindingCode::Refused, what).seen(reply).at(host, &addresses);
        }
    }

    fn greeting_names(&mut self, host: &HostFacts) {
        let remarks = host.sessions().filter_map(|facts| {
            let name = facts.greeting_name().filter(|name| !is_full_name(name))?;
            Some((name, facts.address.ip()))
        });
        for (name, addresses) in grouped(remarks) {
            let by = if name.is_empty() { "no name" } else { &format!("\"{name}\", which is no full host name") };
            let what = format!("{} greets by {by}", place(host, &addresses));
            self.add(Gravity::Warning, FindingCode::GreetingName, what).at(host, &addresses);
        }
    }

    fn auth(&mut self, host: &HostFacts) {
        let remarks = host.sessions().filter_map(|facts| {
            let mechanisms = facts.offered.as_ref().filter(|offered| offered.has("AUTH"))?.auth_mechanisms();
            let listed: Vec<_> = mechanisms.into_iter().map(String::from_utf8_lossy).collect();
            Some((listed.join(" "), facts.address.ip()))
        });
        for (mechanisms, addresses) in grouped(remarks) {
            let what = format!("{} offers AUTH without TLS", place(host, &addresses));
            let evidence = format!("AUTH {mechanisms}");
            self.add(Gravity::Warning, FindingCode::AuthWithoutTls, what).seen(evidence).at(host, &addresses);
        }
    }

    fn recipients(&mut self, host: &HostFacts) {
        let remarks = host.sessions().flat_map(|facts| {
            let delivery = facts.recipients.iter();
            let refusals = delivery.flat_map(|delivery| {
                let mail = delivery.mail.iter().map(|reply| (None, reply));
                let each = delivery.recipients.iter();
                mail.chain(each.filter_map(|one| Some((Some(one.address.as_str()), one.reply.as_ref()?))))
            });
            let refusals = refusals.filter(|(_, reply)| !reply.is_granted());
            refusals.map(|(recipient, reply)| ((recipient, reply.to_string(), reply.code()), facts.address.ip()))
        });
        for ((recipient, reply, code), addresses) in grouped(remarks) {
            let whom = recipient.map_or("any mail of the sender".to_owned(), |one| format!("mail for {one}"));
            let gravity = if code.severity() == Severity::Permanent { Gravity::Failure } else { Gravity::Warning };
            let what = format!("{} would not take {whom}", place(host, &addresses));
            self.add(gravity, FindingCode::RecipientRefused, what).seen(reply).at(host, &addresses);
        }
    }
}

/// Returns what broke a session off; at QUIT nothing is lost.
fn broken_by(facts: &SessionFacts) -> Option<&Error> {
    facts.error.as_ref().filter(|_| facts.reached != ProbeStep::Quit)
}

/// Says why there was no connection, without the address, so that several can be told together.
fn cause(facts: &SessionFacts) -> String {
    match &facts.error {
        Some(Error::Connect { source, .. }) => chain(source),
        Some(error) => error.chain(),
        None => String::new(),
    }
}

/// Says whether this machine has no way there at all.
fn has_no_route(facts: &SessionFacts) -> bool {
    let Some(Error::Connect { source, .. }) = &facts.error else { return false };
    matches!(source.kind(), ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable)
}

/// Says whether a server may greet by it: a name of two labels at least, or an address in brackets.
fn is_full_name(name: &str) -> bool {
    if name.starts_with('[') {
        return matches!(Target::parse(name), Target::Address(_));
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let Some((_, last)) = name.rsplit_once('.') else { return false };
    let is_local =
        ["localdomain", "local", "localhost", "lan", "internal"].contains(&last.to_ascii_lowercase().as_str());
    is_host(name) && !is_local && last.parse::<u8>().is_err()
}

#[cfg(test)]
mod tests {
    use super::is_full_name;

    #[test]
    fn a_greeting_name_is_a_name_with_a_dot_or_an_address_in_brackets() {
        for name in ["mx.example.org", "MX-1.example.org.", "[192.0.2.1]", "[ipv6:2001:db8::1]", "a.test"] {
            assert!(is_full_name(name), "{name}");
        }
        for name in
            ["", "mx", "localhost", "localhost.localdomain", "192.0.2.1", "***", "-a.b", "a..b", "[mx]", "a b.c"]
        {
            assert!(!is_full_name(name), "{name}");
        }
    }
}
