//! Connections that do not come about: real ones on this machine, and events as the system would have them told.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::time::Instant;

use mconnect_core::diagnosis::{Evidence, Facts, Finding};
use mconnect_core::server::Server;
use mconnect_core::{Connect, Event, Family, Observer, Peer};

/// Connects, and returns what is found.
fn found(connect: Connect, facts: &Facts) -> Vec<Finding> {
    let evidence = Evidence::new();
    match connect.observer(evidence.clone()).open() {
        Ok(_) => {}
        Err(error) => evidence.failed(&error),
    }
    evidence.findings(facts)
}

/// Returns what is found of attempts that fail so, one after the other.
fn of_attempts(host: &str, attempts: &[(&str, io::ErrorKind)], facts: &Facts) -> Vec<Finding> {
    let evidence = Evidence::new();
    let mut rest = attempts.iter().peekable();
    while let Some((address, kind)) = rest.next() {
        let peer = Peer::new(host, Some(address.parse().unwrap()));
        evidence.observe(Instant::now(), &Event::Connecting { peer: &peer });
        let (error, has_next) = (io::Error::from(*kind), rest.peek().is_some());
        evidence.observe(Instant::now(), &Event::ConnectFailed { peer: &peer, error: &error, has_next });
    }
    evidence.findings(facts)
}

fn one(findings: &[Finding]) -> (&'static str, String) {
    assert_eq!(findings.len(), 1, "{findings:?}");
    (findings[0].cause.id(), findings[0].to_string())
}

/// A port of this machine that nothing listens on.
fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

#[test]
fn nothing_is_found_of_a_connection_that_came_about() {
    let server = Server::start().unwrap();
    let facts = Facts::new().port(25).in_container(true).has_route6(false);
    assert_eq!(found(Connect::new("127.0.0.1", server.port()), &facts), []);
    // One of two addresses answers: that is what several are for.
    let dead = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
    assert_eq!(found(Connect::new("mx", 25).addresses([dead, server.address()]), &facts), []);
}

#[test]
fn a_port_that_nothing_listens_on_is_told() {
    let port = free_port();
    let (id, told) = one(&found(Connect::new("127.0.0.1", port), &Facts::new()));
    assert_eq!(id, "no_listener");
    assert_eq!(told, format!("nothing listens on 127.0.0.1:{port}: is the server running, and on this port?"));
    assert!(!told.contains("source"));
    let (_, told) = one(&of_attempts("mx", &[("192.0.2.1:25", io::ErrorKind::ConnectionRefused)], &Facts::new()));
    assert!(told.starts_with("probably nothing listens"), "a firewall may say so, too: {told}");
}

#[test]
fn the_other_loopback_is_named_where_it_answers() {
    let other = SocketAddr::from((Ipv4Addr::LOCALHOST, 25));
    let refused = [("[::1]:25", io::ErrorKind::ConnectionRefused)];
    let (id, told) = one(&of_attempts("localhost", &refused, &Facts::new().also_listening(other)));
    assert_eq!(id, "other_loopback");
    assert!(told.contains("127.0.0.1:25 answers"), "{told}");
    assert_eq!(one(&of_attempts("localhost", &refused, &Facts::new())).0, "no_listener");
}

#[test]
fn the_name_of_this_machine_may_stand_for_an_address_that_nothing_listens_on() {
    let refused = [("127.0.1.1:25", io::ErrorKind::ConnectionRefused)];
    let (id, told) = one(&of_attempts("mail", &refused, &Facts::new()));
    assert_eq!(id, "own_name");
    assert!(told.contains("mail is 127.0.1.1:25"), "{told}");
    assert_eq!(one(&of_attempts("127.0.1.1", &refused, &Facts::new())).0, "no_listener", "it was written so");
}

#[test]
fn a_container_is_told_that_it_is_one() {
    let refused = [("127.0.0.1:25", io::ErrorKind::ConnectionRefused)];
    assert_eq!(one(&of_attempts("localhost", &refused, &Facts::new().in_container(true))).0, "in_container");
    let far = [("192.0.2.1:25", io::ErrorKind::ConnectionRefused)];
    assert_eq!(one(&of_attempts("mx", &far, &Facts::new().in_container(true))).0, "no_listener");
}

#[test]
fn all_of_port_25_timing_out_is_the_networks_doing() {
    let silent = [("192.0.2.1:25", io::ErrorKind::TimedOut), ("192.0.2.2:25", io::ErrorKind::TimedOut)];
    let (id, told) = one(&of_attempts("mx", &silent, &Facts::new()));
    assert_eq!(id, "port_25_blocked");
    assert!(told.starts_with("probably ") && told.contains("587"), "{told}");
    assert!(one(&of_attempts("mx", &silent[..1], &Facts::new())).1.starts_with("perhaps "), "one says little");
    let other_port = [("192.0.2.1:587", io::ErrorKind::TimedOut)];
    assert_eq!(one(&of_attempts("mx", &other_port, &Facts::new())).0, "no_answer");
    let mixed = [("192.0.2.1:25", io::ErrorKind::ConnectionRefused), ("192.0.2.2:25", io::ErrorKind::TimedOut)];
    assert_eq!(one(&of_attempts("mx", &mixed, &Facts::new())).0, "no_answer", "the port is not blocked");
    let here = Facts::new().local_addresses(["192.0.2.1".parse().unwrap()]);
    assert_eq!(one(&of_attempts("mx", &silent[..1], &here)).0, "no_answer", "no network is between");
}

#[test]
fn routes_and_firewalls_are_told_apart() {
    let tried = |address: &str, kind| [(address.to_owned(), kind)];
    let of = |address: &str, kind, facts: &Facts| {
        let tried = tried(address, kind);
        one(&of_attempts("mx", &[(tried[0].0.as_str(), tried[0].1)], facts)).0
    };
    let none = Facts::new();
    assert_eq!(of("[2001:db8::1]:25", io::ErrorKind::NetworkUnreachable, &none), "no_route_6");
    assert_eq!(of("[2001:db8::1]:25", io::ErrorKind::NetworkUnreachable, &Facts::new().has_route6(true)), "no_route");
    assert_eq!(of("192.0.2.1:25", io::ErrorKind::NetworkUnreachable, &none), "no_route");
    assert_eq!(of("192.0.2.1:25", io::ErrorKind::HostUnreachable, &none), "unreachable");
    assert_eq!(of("192.0.2.1:25", io::ErrorKind::PermissionDenied, &none), "forbidden");
    assert_eq!(of("192.0.2.1:25", io::ErrorKind::AddrNotAvailable, &none), "ports_used_up");
}

#[test]
fn a_source_is_spoken_of_only_where_one_was_given() {
    let source: IpAddr = "192.0.2.77".parse().unwrap();
    let connect = Connect::new("127.0.0.1", free_port()).source(source);
    let (id, told) = one(&found(connect, &Facts::new().source(source)));
    assert_eq!(id, "source_not_here");
    assert!(told.starts_with("192.0.2.77 is no address of this machine"), "{told}");
}

#[test]
fn addresses_that_were_ruled_out_are_told() {
    let evidence = Evidence::new();
    let addresses = ["192.0.2.1:25".parse().unwrap()];
    let error = Connect::new("mx.example.org", 25).addresses(addresses).family(Family::V6).open().unwrap_err();
    evidence.observe(Instant::now(), &Event::Resolved { host: "mx.example.org", result: Ok(&addresses) });
    evidence.observe(Instant::now(), &Event::Resolving { host: "mx.example.org" });
    evidence.failed(&error);
    let (id, told) = one(&evidence.findings(&Facts::new()));
    assert_eq!(id, "other_family");
    assert_eq!(
        told,
        "mx.example.org has no address of the kind that was asked for; it has 192.0.2.1: allow IPv4 and IPv6"
    );
}

#[test]
fn an_address_of_the_other_family_is_told() {
    let (id, told) = one(&found(Connect::new("127.0.0.1", 25).family(Family::V6), &Facts::new()));
    assert_eq!(id, "other_family");
    assert!(told.starts_with("127.0.0.1 has no address of the kind"), "{told}");
}

#[test]
fn names_are_told_apart_by_what_the_resolver_says() {
    let of = |error: io::Error| {
        let evidence = Evidence::new();
        evidence.observe(Instant::now(), &Event::Resolving { host: "mx.exmaple.org" });
        evidence.observe(Instant::now(), &Event::Resolved { host: "mx.exmaple.org", result: Err(&error) });
        one(&evidence.findings(&Facts::new()))
    };
    let (id, told) = of(io::Error::other("failed to lookup address information: Name or service not known"));
    assert_eq!((id, told.split(": ").next().unwrap()), ("no_such_name", "there is no host mx.exmaple.org"));
    let (id, _) = of(io::Error::other("failed to lookup address information: No address associated with hostname"));
    assert_eq!(id, "name_without_address");
    let (id, told) = of(io::Error::other("failed to lookup address information: Temporary failure in name resolution"));
    assert_eq!(id, "resolver_silent");
    assert!(!told.contains("spelt"), "{told}");
    assert_eq!(of(io::ErrorKind::TimedOut.into()).0, "resolver_silent");
}

#[test]
fn a_search_domain_that_makes_another_name_is_told() {
    let refused = [("192.0.2.9:25", io::ErrorKind::ConnectionRefused)];
    let facts = Facts::new().host("mx.exmaple.org", Some("mx.exmaple.org.corp.example."));
    let (id, told) = one(&of_attempts("mx.exmaple.org", &refused, &facts));
    assert_eq!(id, "search_domain");
    assert!(told.contains("mx.exmaple.org was taken for mx.exmaple.org.corp.example"), "{told}");
    // A short name is meant to be completed.
    let facts = Facts::new().host("mx", Some("mx.corp.example"));
    assert_eq!(one(&of_attempts("mx", &refused, &facts)).0, "no_listener");
    let facts = Facts::new().host("mx.example.org", Some("mx.example.org."));
    assert_eq!(one(&of_attempts("mx.example.org", &refused, &facts)).0, "no_listener");
}
