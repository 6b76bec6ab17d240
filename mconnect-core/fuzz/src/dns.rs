//! Lookups: whatever name servers answer, a lookup comes to an end, and what it says can be shown.

use std::io;
use std::time::Duration;

use mconnect_core::dns::{Found, RecordData, RecordKind, Resolver, Security, Transport};

use crate::is_fit_to_show;

/// The first octet chooses the type of record, and by its highest bit a server that is believed. Then there are answers,
/// each behind its length: one with the highest bit set is received as it is, and another gets the id and the question of
/// the query.
pub fn holds(data: &[u8]) {
    let Some((first, mut rest)) = data.split_first() else { return };
    let kind = KINDS[usize::from(first & 0x0f) % KINDS.len()];
    let is_believed = first & 0x80 != 0;
    let servers = ["192.0.2.1:53", "192.0.2.2:53"].map(|server| server.parse().expect("these are addresses"));
    let resolver = Resolver::at(servers).trusted(is_believed);
    let mut lookup = resolver.lookup("a.test", kind).expect("this is a name");
    let (mut queries, mut connections) = (0, 0);
    while let Some(query) = lookup.query(Duration::from_secs(9)) {
        queries += 1;
        connections += usize::from(query.transport == Transport::Tcp);
        assert!(!query.wait.is_zero() && query.wait <= Duration::from_secs(5));
        // Four tries for each of the names on the way, each by datagram, without EDNS and over a connection.
        assert!(queries <= 18 * 4 * 4 && connections <= queries);
        match answer(&mut rest, &query.octets) {
            Some(octets) if lookup.received(&octets) => {}
            _ => lookup.failed(io::ErrorKind::TimedOut.into()),
        }
    }
    match lookup.finish(Duration::ZERO) {
        Ok(found) => check(&found, is_believed),
        Err(error) => assert!(is_fit_to_show(&error.to_string())),
    }
}

/// Takes the next answer to a query.
fn answer(rest: &mut &[u8], query: &[u8]) -> Option<Vec<u8>> {
    let (length, more) = rest.split_first_chunk::<2>()?;
    let length = u16::from_be_bytes(*length);
    let (octets, more) = more.split_at(usize::from(length & 0x7fff).min(more.len()));
    *rest = more;
    let is_raw = length & 0x8000 != 0;
    let (Some((head, body)), false) = (octets.split_first_chunk::<8>(), is_raw) else { return Some(octets.to_vec()) };
    // The question ends with the root, a type and a class.
    let end = 12 + query[12..].iter().position(|octet| *octet == 0)? + 5;
    Some([&query[..2], &head[..2], &[0, 1], &head[2..], &query[12..end], body].concat())
}

fn check(found: &Found<RecordData>, is_believed: bool) {
    assert!(found.aliases.len() <= 16 && (found.exists || found.records.is_empty()));
    assert_eq!(is_believed, found.security != Security::Unproven);
    assert!(found.security != Security::Bogus || found.records.is_empty() && found.why.is_some());
    assert!(found.why.iter().all(|why| is_fit_to_show(why) && why.len() < 16 * 1024));
    let names = found.aliases.iter().chain([&found.name]);
    let targets = found.records.iter().filter_map(|record| match record {
        RecordData::Mx(mx) => Some(&mx.exchanger),
        RecordData::Srv(srv) => Some(&srv.target),
        RecordData::Cname(cname) => Some(&cname.target),
        _ => None,
    });
    for name in names.chain(targets) {
        assert!(name.bytes().all(|octet| matches!(octet, b' '..=b'~') && !octet.is_ascii_uppercase()), "{name:?}");
        assert!(name.is_empty() || Resolver::at([]).lookup(name, RecordKind::A).is_ok(), "{name:?} is a name again");
    }
}

const KINDS: [RecordKind; 7] = [
    RecordKind::Mx,
    RecordKind::A,
    RecordKind::Aaaa,
    RecordKind::Tlsa,
    RecordKind::Txt,
    RecordKind::Srv,
    RecordKind::Cname,
];
