//! What DANE and MTA-STS come to, in the words that stay.

use std::io::Read as _;
use std::net::TcpListener;

use mconnect_core::dns::Resolver;
use mconnect_core::probe::{Probe, ProbeReport, ProbeStep, Routing, Target};
use mconnect_core::server::Server;

use super::lab::Lab;
use super::zone::{A, Standing, TLSA, Zone};

/// Returns what DANE comes to with each exchanger.
fn standings(report: &ProbeReport) -> String {
    report.exchangers.iter().map(|one| one.dane.standing.name()).collect::<Vec<_>>().join(" ")
}

/// A domain with one thing changed, and the standings of its two exchangers.
fn after(change: impl FnOnce(&mut Lab)) -> String {
    let mut lab = Lab::new();
    change(&mut lab);
    standings(&lab.probe())
}

#[test]
fn dane_has_the_right_word_for_each_exchanger() {
    assert_eq!(after(|_| {}), "secure secure");
    assert_eq!(
        after(|lab| {
            lab.without_dane();
        }),
        "absent absent"
    );
    assert_eq!(
        after(|lab| {
            lab.zone.stands("example.test", Standing::Unsigned);
        }),
        "insecure insecure"
    );
    assert_eq!(
        after(|lab| {
            lab.zone.stands("mx2.example.test", Standing::Unsigned);
        }),
        "secure insecure"
    );
    assert_eq!(
        after(|lab| {
            lab.zone.stands("mx2.example.test", Standing::Bogus);
        }),
        "secure bogus"
    );
    assert_eq!(
        after(|lab| {
            lab.zone.stands("mx2.example.test", Standing::Failing);
        }),
        "secure failed"
    );
    assert_eq!(
        after(|lab| {
            lab.zone.stands("mx2.example.test", Standing::FailingFor(A));
        }),
        "secure failed"
    );
    assert_eq!(after(|lab| lab.servers.retain(|(at, ..)| *at != "127.0.0.2")), "secure untested");
    assert_eq!(after(|lab| lab.has_far_resolver = true), "unproven unproven");
    for (record, word) in [
        (format!("3 1 1 {}", "11".repeat(32)), "mismatch"),
        (format!("2 1 1 {}", "11".repeat(32)), "mismatch"),
        (format!("0 1 1 {}", "11".repeat(32)), "unusable"),
        ("3 1 9 00".to_owned(), "unusable"),
    ] {
        assert_eq!(
            after(|lab| {
                lab.tlsa("mx2.example.test", &record);
            }),
            format!("secure {word}"),
            "{record}"
        );
    }
}

#[test]
fn tlsa_records_are_asked_for_only_where_the_addresses_are_secure() {
    let mut lab = Lab::new();
    lab.zone.stands("mx2.example.test", Standing::Unsigned);
    let report = lab.probe();
    let asked: Vec<usize> = report.exchangers.iter().map(|one| one.host.tlsa.len()).collect();
    assert_eq!(asked, [1, 0]);
}

#[test]
fn an_alias_is_asked_for_its_records_at_what_it_leads_to_and_then_at_its_own_name() {
    let alias = |lab: &mut Lab| {
        lab.zone.remove("mx2.example.test", A).add("mx2.example.test CNAME real.other.test");
        lab.zone.add("real.other.test A 127.0.0.2");
    };
    let bases = |lab: Lab| {
        let report = lab.probe();
        let bases = report.exchangers[1].host.tlsa.iter().map(|lookup| lookup.base.as_str());
        (bases.collect::<Vec<_>>().join(" "), standings(&report))
    };

    let mut lab = Lab::new();
    alias(&mut lab);
    assert_eq!(bases(lab), ("real.other.test mx2.example.test".to_owned(), "secure secure".to_owned()));

    let mut lab = Lab::new();
    alias(&mut lab);
    let record = format!("3 1 1 {}", lab.identities["mx2.example.test"].key_fingerprint());
    let own = format!("_{}._tcp.mx2.example.test", lab.port);
    lab.tlsa("real.other.test", &record).zone.remove(&own, TLSA);
    assert_eq!(bases(lab), ("real.other.test".to_owned(), "secure secure".to_owned()));

    // The alias is signed, and what it leads to is not.
    let mut lab = Lab::new();
    alias(&mut lab);
    lab.zone.stands("other.test", Standing::Unsigned);
    assert_eq!(bases(lab), ("mx2.example.test".to_owned(), "secure secure".to_owned()));

    let mut lab = Lab::new();
    alias(&mut lab);
    lab.zone.stands("mx2.example.test", Standing::Unsigned);
    assert_eq!(bases(lab), (String::new(), "secure insecure".to_owned()));
}

#[test]
fn each_address_of_an_exchanger_is_asked_once_however_often_that_is_named() {
    let mut lab = Lab::new();
    lab.zone.add("example.test MX 30 mx1.example.test");
    let report = lab.probe();
    let hosts: Vec<&str> = report.exchangers.iter().map(|one| one.host.name.as_str()).collect();
    assert_eq!(hosts, ["mx1.example.test", "mx2.example.test", "mx1.example.test"]);
    assert!(std::ptr::eq(&*report.exchangers[0].host, &*report.exchangers[2].host));
    assert_eq!(report.routing, Routing::Exchangers);
}

#[test]
fn probes_may_go_on_together_and_to_other_threads_and_end_when_they_are_dropped() {
    fn may_go<T: Send>(future: T) -> T {
        future
    }
    // It takes connections, and never says anything.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::start().unwrap();
    let resolver = Resolver::at([Zone::default().serve()]);
    let probe = |port| Probe::new(resolver.clone()).port(port).own_name("probe.example");
    let (slow, fast) = (probe(silent.local_addr().unwrap().port()), probe(server.port()));
    let target = Target::parse("127.0.0.1");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let report = runtime.block_on(async {
        let waiting = tokio::spawn({
            let target = target.clone();
            may_go(async move { slow.probe_async(&target).await.findings.len() })
        });
        let (one, other) = tokio::join!(may_go(fast.probe_async(&target)), fast.probe_async(&target));
        assert_eq!(server.sessions().len(), 2);
        assert_eq!(one.sessions().count() + other.sessions().count(), 2);
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        one
    });
    // What was dropped has let its connection go.
    let mut socket = silent.accept().unwrap().0;
    assert_eq!(socket.read(&mut [0]).unwrap_or_default(), 0);
    let facts = report.sessions().next().unwrap().1;
    assert_eq!((facts.reached, facts.quit.as_ref().unwrap().code().number()), (ProbeStep::Quit, 221));
}
