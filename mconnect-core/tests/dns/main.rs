//! Lookups at a name server that tells the truth, lies, fails or says nothing: by calls that block, and awaited.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod answers;
mod server;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use domain::base::iana::{Rcode, Rtype};
use mconnect_core::dns::{Cname, DnsError, Found, Mx, Record, Resolver, Security, Srv, Txt};
use mconnect_core::{Exchangers, Family, NoExchanger, Tlsa};

use server::{Act, Data, Reply, serve};

/// Asks by calls that block and, where it can be, awaited.
fn ask<R: Record + Send + 'static>(resolver: &Resolver, name: &str) -> Vec<Result<Found<R>, DnsError>> {
    #[allow(unused_mut, reason = "the feature tokio adds to it")]
    let mut results = vec![resolver.ask(name)];
    #[cfg(feature = "tokio")]
    {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        results.push(runtime.block_on(resolver.ask_async(name)));
    }
    results
}

fn answer(answers: &[(&'static str, Data)]) -> Act {
    Act::Say(Reply { answers: answers.to_vec(), ..Reply::default() })
}

#[test]
fn every_type_of_record_is_read() {
    let resolver = |data: Data| Resolver::at([serve(vec![answer(&[("a.test", data)])]).0]);
    for found in ask::<Mx>(&resolver(Data::Mx(10, "MX.Test")), "A.test.") {
        let found = found.unwrap();
        assert_eq!((found.name.as_str(), found.exists, found.security), ("a.test", true, Security::Insecure));
        assert_eq!(found.records, [Mx::new(10, "mx.test.")]);
        assert!(!found.records[0].is_null());
    }
    for found in ask::<Mx>(&resolver(Data::Mx(0, ".")), "a.test") {
        assert!(found.unwrap().records[0].is_null());
    }
    for found in ask::<Ipv4Addr>(&resolver(Data::A([192, 0, 2, 1])), "a.test") {
        assert_eq!(found.unwrap().records, [Ipv4Addr::new(192, 0, 2, 1)]);
    }
    let address = Ipv6Addr::LOCALHOST;
    for found in ask::<Ipv6Addr>(&resolver(Data::Other(Rtype::AAAA, address.octets().into())), "a.test") {
        assert_eq!(found.unwrap().records, [address]);
    }
    let tlsa = Data::Other(Rtype::TLSA, vec![3, 1, 1, 0xab, 0xcd]);
    for found in ask::<Tlsa>(&resolver(tlsa), "a.test") {
        assert_eq!(found.unwrap().records, [Tlsa::new(3, 1, 1, [0xab, 0xcd])]);
    }
    // Longer than one character string.
    static TEXT: [u8; 300] = [b'x'; 300];
    for found in ask::<Txt>(&resolver(Data::Txt(&TEXT)), "a.test") {
        assert_eq!(found.unwrap().records[0].octets, TEXT);
    }
    for found in ask::<Srv>(&resolver(Data::Srv(1, 2, 465, "mx.test")), "a.test") {
        let Srv { priority, weight, port, target, .. } = found.unwrap().records.remove(0);
        assert_eq!((priority, weight, port, target.as_str()), (1, 2, 465, "mx.test"));
    }
    for found in ask::<Cname>(&resolver(Data::Cname("b.test")), "a.test") {
        let found = found.unwrap();
        assert_eq!((found.name.as_str(), found.records[0].target.as_str()), ("a.test", "b.test"));
    }
}

#[test]
fn exchangers_are_in_their_order_and_no_address_is_contacted_that_is_not_global() {
    let acts = vec![
        answer(&[("a.test", Data::Mx(20, "second.test")), ("a.test", Data::Mx(10, "First.Test"))]),
        answer(&[("first.test", Data::A([10, 0, 0, 1])), ("first.test", Data::A([1, 1, 1, 1]))]),
        answer(&[("second.test", Data::A([127, 0, 0, 1]))]),
    ];
    let exchangers = Exchangers::find(Resolver::at([serve(acts).0]), "a.test").unwrap().family(Family::V4);
    assert_eq!(exchangers.to_string(), "mail exchangers of a.test: first.test (10), second.test (20)");
    assert_eq!(exchangers.names().collect::<Vec<_>>(), ["first.test", "second.test"]);
    let (addresses, left_out) = exchangers.addresses("first.test", 25).unwrap();
    assert_eq!(addresses, ["1.1.1.1:25".parse().unwrap()]);
    assert_eq!(left_out.unwrap().addresses, [Ipv4Addr::new(10, 0, 0, 1)]);
    let none = exchangers.addresses("second.test", 25).unwrap_err();
    assert_eq!(none.to_string(), "second.test (127.0.0.1) is not contacted: that is no global address");
    let null = serve(vec![answer(&[("a.test", Data::Mx(0, "."))])]).0;
    assert!(matches!(Exchangers::find(Resolver::at([null]), "a.test"), Err(NoExchanger::NullMx(_))));
}

#[test]
fn a_family_that_cannot_be_looked_up_is_passed_over_if_the_other_has_an_address() {
    let refused = || Act::Say(Reply { code: Some(Rcode::REFUSED), ..Reply::default() });
    let mx = || answer(&[("a.test", Data::Mx(10, "mx.test"))]);
    // Each question is asked twice of a server that refuses.
    let addresses = |acts: Vec<Act>| {
        let exchangers = Exchangers::find(Resolver::at([serve(acts).0]), "a.test").unwrap();
        exchangers.addresses("mx.test", 25).map(|(addresses, _)| addresses)
    };
    let v4 = answer(&[("mx.test", Data::A([1, 1, 1, 1]))]);
    let found = addresses(vec![mx(), refused(), refused(), v4]);
    assert_eq!(found.unwrap(), ["1.1.1.1:25".parse().unwrap()]);
    assert!(matches!(addresses(vec![mx(), refused()]), Err(NoExchanger::Dns(DnsError::Failed { .. }))));
}

#[test]
fn what_is_no_name_is_not_asked_for() {
    let (address, asked) = serve(vec![Act::Drop]);
    let long = "a.".repeat(127) + "a";
    for name in ["", ".", "a..test", "b\u{fc}cher.test", "a\nb", long.as_str(), &"a".repeat(64)] {
        for result in ask::<Mx>(&Resolver::at([address]), name) {
            assert!(matches!(&result, Err(DnsError::Name { .. })), "{name:?}: {result:?}");
        }
    }
    assert!(asked.lock().unwrap().is_empty());
}

#[test]
fn the_next_server_is_asked_and_the_first_one_again() {
    let found = || answer(&[("a.test", Data::Mx(1, "b.test"))]);
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (first, rounds) in [(vec![Act::Drop], 1), (vec![Act::Drop, found()], 2)] {
        let second = if rounds == 1 { found() } else { Act::Drop };
        let (first, second) = (serve(first), serve(vec![second]));
        let resolver = Resolver::at([nobody, first.0, second.0]).timeout(Duration::from_secs(9));
        assert_eq!(resolver.ask::<Mx>("a.test").unwrap().records, [Mx::new(1, "b.test")]);
        assert_eq!((first.1.lock().unwrap().len(), second.1.lock().unwrap().len()), (rounds, 1));
    }
}

#[test]
fn all_of_a_lookup_is_over_in_its_time() {
    for (servers, acts) in [(0, Vec::new()), (1, vec![Act::Drop]), (3, vec![Act::Raw(vec![0x81])])] {
        let addresses: Vec<SocketAddr> = (0..servers).map(|_| serve(acts.clone()).0).collect();
        let resolver = Resolver::at(addresses).timeout(Duration::from_millis(300));
        let start = Instant::now();
        let results = ask::<Mx>(&resolver, "a.test");
        let took = start.elapsed().as_millis();
        let least = if servers == 0 { 0 } else { 300 };
        assert!((least..10_000).contains(&(took / results.len() as u128)), "{took}");
        for error in results.into_iter().map(Result::unwrap_err) {
            assert!(matches!(error, DnsError::Timeout { .. }) && error.is_temporary(), "{error}");
        }
    }
}

#[test]
fn a_resolver_that_is_not_believed_proves_nothing() {
    let elsewhere: SocketAddr = "192.0.2.1:53".parse().unwrap();
    let here: SocketAddr = "127.0.0.1:53".parse().unwrap();
    let described =
        "192.0.2.1:53 (neither on this machine nor trusted: it proves nothing), 127.0.0.1:53 (on this machine)";
    assert_eq!(Resolver::at([elsewhere, here]).describe(), described);
    assert_eq!(Resolver::at([elsewhere]).trusted(true).describe(), "192.0.2.1:53 (trusted to validate)");
    assert_eq!(Resolver::at([elsewhere, here]).servers().collect::<Vec<_>>(), [elsewhere, here]);
}

#[cfg(feature = "tokio")]
#[test]
fn a_lookup_that_is_awaited_may_go_to_another_thread() {
    fn may_go(_: impl Send) {}
    may_go(Resolver::at([]).ask_async::<Mx>("a.test"));
}

#[test]
fn a_lookup_may_be_driven_by_hand() {
    let resolver = Resolver::at(["192.0.2.1:53".parse().unwrap()]);
    let octets = |lookup: &mut mconnect_core::dns::Lookup, code: u8| {
        let query = lookup.query(Duration::from_secs(4)).unwrap();
        assert_eq!((query.server.to_string().as_str(), query.wait), ("192.0.2.1:53", Duration::from_secs(2)));
        // Authentic data, from a server that nobody believes.
        [&query.octets[..2], &[0x81, 0xa0 | code], &query.octets[4..6], &[0, 0, 0, 0, 0, 0], &query.octets[12..24]]
            .concat()
    };
    let mut lookup = resolver.lookup("a.test", mconnect_core::dns::RecordKind::Mx).unwrap();
    let denial = octets(&mut lookup, 3);
    assert!(!lookup.received(&[]) && !lookup.received(&denial[2..]));
    assert!(lookup.received(&denial));
    assert!(lookup.query(Duration::from_secs(4)).is_none());
    let found = lookup.finish(Duration::ZERO).unwrap();
    assert_eq!((found.exists, found.records.len(), found.security), (false, 0, Security::Unproven));
}
