//! A resolver on loopback that knows one zone: it says of each name how far it is proven, as a validating one would.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::thread;

/// What is known, by name and type.
#[derive(Debug, Clone, Default)]
pub struct Zone {
    records: Vec<(String, u16, Vec<u8>)>,
    /// Names, and all below them, that are not simply signed.
    standing: BTreeMap<String, Standing>,
}

/// How far a name is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Unsigned,
    Bogus,
    /// The name servers fail.
    Failing,
    /// They fail where records of this type are asked for.
    FailingFor(u16),
}

pub const A: u16 = 1;
pub const CNAME: u16 = 5;
pub const MX: u16 = 15;
pub const TXT: u16 = 16;
pub const AAAA: u16 = 28;
pub const TLSA: u16 = 52;

impl Zone {
    /// Adds records as a zone file has them, a line each: `mx1.example.test A 192.0.2.1`.
    pub fn add(&mut self, lines: &str) -> &mut Self {
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let words: Vec<&str> = line.splitn(3, ' ').collect();
            let (kind, data) = match (words[1], words[2]) {
                ("A", text) => (A, text.parse::<Ipv4Addr>().unwrap().octets().to_vec()),
                ("AAAA", text) => (AAAA, text.parse::<Ipv6Addr>().unwrap().octets().to_vec()),
                ("CNAME", text) => (CNAME, wire(text)),
                ("MX", text) => {
                    let (preference, name) = text.split_once(' ').unwrap();
                    (MX, [&preference.parse::<u16>().unwrap().to_be_bytes()[..], &wire(name)].concat())
                }
                ("TXT", text) => (TXT, [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()),
                ("TLSA", text) => {
                    let [usage, selector, matching, data]: [&str; 4] =
                        text.split(' ').collect::<Vec<_>>().try_into().unwrap();
                    let numbers = [usage, selector, matching].map(|number| number.parse::<u8>().unwrap());
                    let data = data.as_bytes().chunks(2).map(|two| std::str::from_utf8(two).unwrap());
                    let data = data.map(|two| u8::from_str_radix(two, 16).unwrap());
                    (TLSA, numbers.into_iter().chain(data).collect())
                }
                other => panic!("{other:?}"),
            };
            self.records.push((words[0].to_owned(), kind, data));
        }
        self
    }

    /// Takes the records of a name away that are of this type.
    pub fn remove(&mut self, name: &str, kind: u16) -> &mut Self {
        self.records.retain(|record| (record.0.as_str(), record.1) != (name, kind));
        self
    }

    /// Sets how far a name is known, and what is below it.
    pub fn stands(&mut self, name: &str, standing: Standing) -> &mut Self {
        self.standing.insert(name.to_owned(), standing);
        self
    }

    /// Serves it until the process ends, and returns where.
    pub fn serve(self) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        thread::spawn(move || {
            let mut query = [0; 1500];
            while let Ok((size, client)) = socket.recv_from(&mut query) {
                socket.send_to(&self.answer(&query[..size]), client).unwrap();
            }
        });
        address
    }

    fn standing_of(&self, name: &str) -> Option<Standing> {
        let is_in = |zone: &str| name == zone || name.ends_with(&format!(".{zone}"));
        self.standing.iter().filter(|(zone, _)| is_in(zone)).max_by_key(|(zone, _)| zone.len()).map(|(_, how)| *how)
    }

    fn answer(&self, query: &[u8]) -> Vec<u8> {
        let (name, end) = read(query);
        let question = &query[12..end + 4];
        let kind = u16::from_be_bytes([query[end], query[end + 1]]);
        let (mut name, mut records, mut is_signed, mut is_failing) = (name, Vec::new(), true, None);
        let exists = loop {
            match self.standing_of(&name) {
                None => {}
                Some(Standing::Unsigned) => is_signed = false,
                Some(Standing::FailingFor(other)) if other != kind => {}
                Some(other) => is_failing = Some(other),
            }
            let of = |kind: u16| self.records.iter().filter(move |record| record.1 == kind);
            records.extend(of(kind).filter(|record| record.0 == name).cloned());
            match of(CNAME).find(|record| record.0 == name && kind != CNAME) {
                Some(alias) => {
                    records.push(alias.clone());
                    let next = read(&[&[0; 12], alias.2.as_slice()].concat()).0;
                    name = next;
                }
                None => {
                    let below = format!(".{name}");
                    break self.records.iter().any(|record| record.0 == name || record.0.ends_with(&below));
                }
            }
        };
        let code = match (is_failing, exists) {
            (Some(_), _) => 2,
            (None, false) => 3,
            (None, true) => 0,
        };
        if is_failing.is_some() {
            records.clear();
        }
        let ad = if is_signed && is_failing.is_none() { 0x20 } else { 0 };
        let reason: &[u8] = match is_failing {
            Some(Standing::Bogus) => b"\0\x06signature expired",
            _ => b"",
        };
        let has_reason = u16::from(!reason.is_empty());
        let mut answer = [&query[..2], &[0x81, 0x80 | ad | code]].concat();
        // One question, the answers, one authority, and the record of EDNS.
        for count in [1, u16::try_from(records.len()).unwrap(), 1, 1] {
            answer.extend(count.to_be_bytes());
        }
        answer.extend(question);
        for (owner, kind, data) in &records {
            push(&mut answer, owner, *kind, data);
        }
        let soa = [wire("ns.test"), wire("host.test"), vec![0; 20]].concat();
        push(&mut answer, "test", 6, &soa);
        // The code of RFC 8914 and its text are one option, 15.
        answer.extend([0, 0, 41, 4, 208, 0, 0, 0, 0]);
        let length = u16::try_from(reason.len()).unwrap();
        answer.extend((length + 4 * has_reason).to_be_bytes());
        if has_reason == 1 {
            answer.extend([0, 15]);
            answer.extend(length.to_be_bytes());
            answer.extend(reason);
        }
        answer
    }
}

fn push(answer: &mut Vec<u8>, owner: &str, kind: u16, data: &[u8]) {
    answer.extend(wire(owner));
    answer.extend(kind.to_be_bytes());
    answer.extend([0, 1, 0, 0, 0, 60]);
    answer.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    answer.extend(data);
}

/// Returns a name as it stands in a message; `.` is the root.
fn wire(name: &str) -> Vec<u8> {
    let labels = name.split('.').filter(|label| !label.is_empty());
    let labels = labels.flat_map(|label| [&[u8::try_from(label.len()).unwrap()], label.as_bytes()].concat());
    labels.chain([0]).collect()
}

/// Returns the name behind the header of a message, and where it ends.
fn read(message: &[u8]) -> (String, usize) {
    let (mut labels, mut at) = (Vec::new(), 12);
    while message[at] != 0 {
        let end = at + 1 + usize::from(message[at]);
        labels.push(String::from_utf8_lossy(&message[at + 1..end]).to_ascii_lowercase());
        at = end;
    }
    (labels.join("."), at + 1)
}
