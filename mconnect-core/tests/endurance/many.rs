//! Many targets, in memory that grows with the hosts alone.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;

use mconnect_core::dns::Resolver;
use mconnect_core::probe::{Probe, Target};
use mconnect_core::server::{Identity, Setup};

use super::{Held, Peak, alone};

/// A name server for which every domain `dN` has an exchanger, one of these, and each of those an address.
fn names(exchangers: usize) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((size, client)) = socket.recv_from(&mut buffer) {
            let query = &buffer[..size];
            let end = 12 + query[12..].iter().position(|octet| *octet == 0).unwrap();
            let label = &query[13..13 + usize::from(query[12])];
            let number = str::from_utf8(&label[1..]).ok().and_then(|digits| digits.parse::<usize>().ok());
            let data = match (label[0], number, query[end + 2]) {
                (b'd', Some(number), 15) => {
                    let name = format!("m{:03}", number % exchangers);
                    [&[0, 10, 4][..], name.as_bytes(), &[4], b"test", &[0]].concat()
                }
                (b'm', Some(_), 1) => vec![127, 0, 0, 1],
                _ => Vec::new(),
            };
            let count = u8::from(!data.is_empty());
            let mut answer = [query[0], query[1], 0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0].to_vec();
            answer.extend(&query[12..end + 5]);
            if count == 1 {
                answer.extend([0xc0, 12, 0, query[end + 2], 0, 1, 0, 0, 0, 60, 0]);
                answer.push(u8::try_from(data.len()).unwrap());
                answer.extend(data);
            }
            let _ = socket.send_to(&answer, client);
        }
    });
    address
}

#[test]
#[ignore = "it takes a minute"]
fn thirty_thousand_targets_at_twenty_exchangers_in_flat_memory() {
    const TARGETS: usize = 30_000;
    const EXCHANGERS: usize = 20;
    let _alone = alone();
    let identity = Identity::self_signed(["mx.test"]);
    let server = Setup::new().tls(&identity).start().unwrap();
    let resolver = Resolver::at([names(EXCHANGERS)]);
    let before = Held::now();
    let probe = Probe::new(resolver).port(server.port()).allow_private(true).jobs(200);
    let mut peak = None;
    let mut told = BTreeMap::<String, usize>::new();
    let targets = (0..TARGETS).map(|number| Target::parse(&format!("d{number}.test")));
    for (index, (_, report)) in probe.run(targets).unwrap().enumerate() {
        let host = &report.exchangers[0].host;
        assert!(host.sessions().all(|facts| facts.tls.is_some()), "{report:?}");
        *told.entry(host.name.clone()).or_default() += 1;
        if index == TARGETS / 10 {
            peak = Some(Peak::now());
        }
    }
    peak.unwrap().require_flat(8 * 1024);
    assert_eq!(told.into_values().collect::<Vec<_>>(), [TARGETS / EXCHANGERS; EXCHANGERS]);
    assert_eq!(server.sessions().len(), EXCHANGERS);
    before.require_back(64 * 1024);
}
