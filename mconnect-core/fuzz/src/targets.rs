//! The lines of a file of targets, and networks: each line is echoed or passed over, however it is read, and nothing is
//! shown that is unfit; networks contain what a slow look says.

use std::io::{BufReader, Read};
use std::net::IpAddr;

use mconnect_core::probe::{Network, Target, TargetLine, TargetLines};

use crate::{is_fit_to_show, parts};

/// `data` is a file of targets; and one of networks.
pub fn holds(data: &[u8]) {
    let lines = all(data);
    assert_eq!(all(Pieces(parts(data))), lines);
    let total: u64 = lines.iter().map(|line| line.octets).sum();
    assert!(total <= data.len() as u64);
    for line in &lines {
        assert!(!line.written.is_empty() && line.written.trim() == line.written);
        match &line.error {
            None => {
                let target = line.as_ref();
                assert_eq!(Target::read(&line.written).as_ref(), Ok(target));
                assert!(target.to_string().is_ascii(), "{line:?}");
                assert_eq!(Target::parse(&target.to_string()), *target);
            }
            Some(why) => assert!(is_fit_to_show(why), "{why:?}"),
        }
    }
    match Network::list(data) {
        Ok(networks) => networks.iter().for_each(|network| check(*network)),
        Err((number, why)) => {
            assert!(number >= 1 && number <= data.split(|octet| *octet == b'\n').count());
            assert!(is_fit_to_show(&why.to_string()), "{why:?}");
        }
    }
}

fn all(read: impl Read) -> Vec<TargetLine> {
    let lines = TargetLines::new(BufReader::with_capacity(64, read));
    lines.map(|line| line.expect("memory can be read")).collect()
}

fn check(network: Network) {
    let text = network.to_string();
    assert_eq!(text.parse(), Ok(network));
    let (address, prefix) = text.split_once('/').expect("it has a prefix");
    let address: IpAddr = address.parse().expect("it is one");
    let prefix: u32 = prefix.parse().expect("it is a number");
    assert!(network.contains(address), "{text}");
    let (whole, number) = match address {
        IpAddr::V4(address) => (32, u128::from(u32::from(address))),
        IpAddr::V6(address) => (128, u128::from(address)),
    };
    for bit in 0..whole {
        let other = number ^ (1 << (whole - 1 - bit));
        let other = match address {
            IpAddr::V4(_) => IpAddr::from((other as u32).to_be_bytes()),
            IpAddr::V6(_) => IpAddr::from(other.to_be_bytes()),
        };
        assert_eq!(network.contains(other), bit >= prefix, "{text} {other}");
    }
}

/// Octets that come in pieces.
struct Pieces<'a>(Vec<&'a [u8]>);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.0.first().is_some_and(|piece| piece.is_empty()) {
            self.0.remove(0);
        }
        let Some(piece) = self.0.first_mut() else { return Ok(0) };
        piece.read(buffer)
    }
}
