//! What this machine has to do with a connection that did not come about.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use crate::diagnosis::Facts;

impl Facts {
    /// Adds what this machine says: whether the process is in a container and, of an address of `host` that could not be
    /// connected to ([`Evidence::unreached`](crate::diagnosis::Evidence::unreached)), whether it is one of this machine's
    /// own, whether there is a route to it, who answers on the same port by IPv4 if nobody does by IPv6, and whether the
    /// resolver has found it only with a search domain behind the name.
    ///
    /// Nothing is sent to another machine but questions to the resolver, and it takes two seconds at most, as a rule a few
    /// milliseconds; without an address, no time.
    ///
    /// ```
    /// use mconnect_core::Connect;
    /// use mconnect_core::diagnosis::{Evidence, Facts};
    ///
    /// // Nobody listens there.
    /// let nobody = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    /// let evidence = Evidence::new();
    /// let connect = Connect::new("127.0.0.1", nobody.port()).observer(evidence.clone());
    /// evidence.failed(&connect.open().unwrap_err());
    /// let facts = Facts::new().of_this_machine("127.0.0.1", evidence.unreached());
    /// assert_eq!(facts.local_addresses, [nobody.ip()]);
    /// for finding in evidence.findings(&facts) {
    ///     println!("{finding}");
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn of_this_machine(self, host: &str, unreached: Option<SocketAddr>) -> Self {
        let facts = self.in_container(CONTAINER.iter().any(|mark| fs::exists(mark).unwrap_or_default()));
        let Some(address) = unreached else { return facts };
        let facts = if is_here(address.ip()) { facts.local_addresses([address.ip()]) } else { facts };
        with_name_searched(with_other_family(facts, address), host, address)
    }
}

/// Adds what is known of an IPv6 address: who answers by IPv4, if it is the loopback's, and otherwise whether there is a
/// route.
fn with_other_family(facts: Facts, address: SocketAddr) -> Facts {
    match address {
        SocketAddr::V6(v6) if v6.ip().is_loopback() => {
            let other = SocketAddr::from((Ipv4Addr::LOCALHOST, v6.port()));
            match TcpStream::connect_timeout(&other, LOOPBACK_PATIENCE) {
                Ok(_) => facts.also_listening(other),
                Err(_) => facts,
            }
        }
        SocketAddr::V6(_) => facts.has_route6(has_route6(address)),
        SocketAddr::V4(_) => facts,
    }
}

/// Says whether an address is one of this machine's: only those can be bound to.
fn is_here(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

fn has_route6(address: SocketAddr) -> bool {
    // Connecting a datagram socket sends nothing.
    UdpSocket::bind("[::]:0").and_then(|socket| socket.connect(address)).is_ok()
}

/// Adds what the resolver made of the host, if that is another name: one that is not there as it was written, but is with a
/// search domain of this machine behind it.
fn with_name_searched(facts: Facts, name: &str, address: SocketAddr) -> Facts {
    if name.parse::<IpAddr>().is_ok() || name.ends_with('.') || !name.contains('.') {
        return facts;
    }
    let domains = fs::read_to_string(RESOLVER).map(|text| search_domains(&text)).unwrap_or_default();
    let names = domains.iter().map(|domain| format!("{name}.{domain}"));
    let is_at = |name: &str| resolved(name).is_some_and(|addresses| addresses.contains(&address.ip()));
    match names.take(MOST_DOMAINS).find(|name| is_at(&format!("{name}."))) {
        Some(searched) if resolved(&format!("{name}.")).is_some_and(|addresses| addresses.is_empty()) => {
            facts.host(name, Some(&searched))
        }
        _ => facts,
    }
}

/// Returns the addresses of a name, if the resolver is quick: this is for a sentence, and not worth a wait.
fn resolved(name: &str) -> Option<Vec<IpAddr>> {
    let (tell, told) = mpsc::channel();
    let name = name.to_owned();
    let asked = thread::Builder::new().name("resolver".to_owned()).spawn(move || {
        let addresses = (name.as_str(), 0).to_socket_addrs();
        let _ = tell.send(addresses.map(|all| all.map(|address| address.ip()).collect()).unwrap_or_default());
    });
    asked.ok()?;
    told.recv_timeout(RESOLVER_PATIENCE).ok()
}

/// Returns the domains that are tried behind a name: of several lines, the last counts.
fn search_domains(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    let mut domains = lines.filter_map(|words| match words.split_first() {
        Some((&("search" | "domain"), domains)) => Some(domains.iter().map(|domain| (*domain).to_owned()).collect()),
        _ => None,
    });
    domains.next_back().unwrap_or_default()
}

const LOOPBACK_PATIENCE: Duration = Duration::from_millis(200);
const RESOLVER_PATIENCE: Duration = Duration::from_millis(500);
/// Where systems keep what their resolver does.
const RESOLVER: &str = "/etc/resolv.conf";
const MOST_DOMAINS: usize = 3;
/// What those that make containers leave in them.
const CONTAINER: [&str; 2] = ["/.dockerenv", "/run/.containerenv"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_domains_are_those_of_the_last_line_that_has_them() {
        let text =
            "# search no\nsearch a.example\nnameserver 192.0.2.1\nsearch b.example  c.example\noptions ndots:5\n";
        assert_eq!(search_domains(text), ["b.example", "c.example"]);
        assert_eq!(search_domains("domain d.example\n"), ["d.example"]);
        assert_eq!(search_domains(""), [""; 0]);
    }

    #[test]
    fn an_address_of_this_machine_is_told_from_another() {
        assert!(is_here(Ipv4Addr::LOCALHOST.into()));
        assert!(!is_here(Ipv4Addr::new(192, 0, 2, 1).into()));
    }

    #[test]
    fn without_an_address_only_what_is_known_at_once_is_added() {
        let facts = Facts::new().of_this_machine("mx.example", None);
        assert!(facts.local_addresses.is_empty() && facts.has_route6.is_none() && facts.typed_host.is_none());
    }

    #[test]
    fn who_listens_by_the_other_family_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let heard = listener.local_addr().unwrap();
        let unreached = SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, heard.port()));
        let facts = Facts::new().of_this_machine("localhost", Some(unreached));
        assert_eq!(facts.also_listening, Some(heard));
    }
}
