//! A name server on loopback with a zone of a few lines.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;

/// Serves these records, each a line: `example.test MX 10 mx.example.test`, `mx.example.test A 127.0.0.1`,
/// `x.test SERVFAIL`. Whatever else is asked for is not there: no such name if no line has it.
pub fn serve(zone: &str) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = socket.local_addr().unwrap();
    let zone: Vec<Vec<String>> =
        zone.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect();
    thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((size, client)) = socket.recv_from(&mut buffer) {
            let _ = socket.send_to(&answer(&buffer[..size], &zone), client);
        }
    });
    address
}

fn answer(query: &[u8], zone: &[Vec<String>]) -> Vec<u8> {
    let end = 12 + query[12..].iter().position(|octet| *octet == 0).unwrap();
    let (mut labels, mut rest) = (Vec::new(), &query[12..end]);
    while let [length, more @ ..] = rest {
        let (label, after) = more.split_at((*length).into());
        labels.push(String::from_utf8_lossy(label).to_lowercase());
        rest = after;
    }
    let (asked, kind) = (labels.join("."), query[end + 2]);
    let of_name: Vec<&Vec<String>> = zone.iter().filter(|line| line[0] == asked).collect();
    let (mut records, mut count) = (Vec::new(), 0);
    let mut reason = Vec::new();
    let mut code = if of_name.is_empty() { 3 } else { 0 };
    for line in of_name {
        let words: Vec<&str> = line[1..].iter().map(String::as_str).collect();
        let (number, data) = match words.as_slice() {
            ["MX", preference, to] => (15, [&preference.parse::<u16>().unwrap().to_be_bytes()[..], &name(to)].concat()),
            ["A", address] => (1, address.parse::<Ipv4Addr>().unwrap().octets().to_vec()),
            ["BOGUS"] => {
                // An OPT record, and in it an extended error: DNSKEY missing.
                reason = [&[0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 6, 0, 15, 0, 2, 0, 9][..]].concat();
                code = 2;
                continue;
            }
            other => panic!("{other:?}"),
        };
        if number == kind {
            count += 1;
            let length = u16::try_from(data.len()).unwrap().to_be_bytes();
            records.extend([&[0xc0, 12, 0, number, 0, 1, 0, 0, 0, 60][..], &length, &data].concat());
        }
    }
    let header = [query[0], query[1], 0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, u8::from(!reason.is_empty())];
    [&header[..], &query[12..end + 5], &records, &reason].concat()
}

fn name(text: &str) -> Vec<u8> {
    let labels = text.split('.').filter(|label| !label.is_empty());
    let labels = labels.flat_map(|label| [&[u8::try_from(label.len()).unwrap()][..], label.as_bytes()].concat());
    labels.chain([0]).collect()
}
