//! Networks that are never contacted.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// A network, or one address, as people write it: `192.0.2.0/24`, `2001:db8::/32`, `198.51.100.7`.
///
/// ```
/// use mconnect_core::probe::Network;
///
/// let network: Network = "192.0.2.0/24".parse()?;
/// assert!(network.contains("192.0.2.255".parse()?) && !network.contains("192.0.3.0".parse()?));
/// assert!("192.0.2.7/24".parse::<Network>().is_ok_and(|same| same == network));
/// assert!("192.0.2.0/33".parse::<Network>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

/// A text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is neither an address nor a network such as 192.0.2.0/24")]
pub struct InvalidNetwork {
    text: String,
}

impl Network {
    /// Returns whether an address is in it. An IPv4 address is the same inside of IPv6 (`::ffff:192.0.2.1`).
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let (first, last) = self.range();
        (first..=last).contains(&number(address))
    }

    /// Its first and its last address, as numbers.
    fn range(&self) -> (u128, u128) {
        let whole = if self.first.is_ipv4() { 32 } else { 128 };
        let hosts = u128::MAX.checked_shr(128 - whole + u32::from(self.prefix)).unwrap_or(0);
        let first = number(self.first) & !hosts;
        (first, first | hosts)
    }
}

/// Takes an address for the network of itself alone. What stands behind the prefix need not be zero.
impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidNetwork { text: text.chars().take(LONGEST).collect() };
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(prefix) if !prefix.starts_with('+') => prefix.parse().map_err(|_| invalid())?,
            Some(_) => return Err(invalid()),
            None => whole,
        };
        if prefix > whole {
            return Err(invalid());
        }
        let (first, _) = Self { first: address, prefix }.range();
        let first = Ipv6Addr::from(first);
        let first = if address.is_ipv4() { first.to_canonical() } else { IpAddr::V6(first) };
        Ok(Self { first, prefix })
    }
}

/// Writes it as it is read: `192.0.2.0/24`.
impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

/// Many networks, among which one is found by halves.
#[derive(Debug, Clone, Default)]
pub(super) struct Networks {
    /// In order, and apart from each other.
    ranges: Vec<(u128, u128)>,
}

impl Networks {
    pub fn new(networks: impl IntoIterator<Item = Network>) -> Self {
        let mut all: Vec<(u128, u128)> = networks.into_iter().map(|network| network.range()).collect();
        all.sort_unstable();
        let mut ranges: Vec<(u128, u128)> = Vec::new();
        for (first, last) in all {
            match ranges.last_mut() {
                Some(before) if first <= before.1 => before.1 = before.1.max(last),
                _ => ranges.push((first, last)),
            }
        }
        Self { ranges }
    }

    pub fn contain(&self, address: IpAddr) -> bool {
        let address = number(address);
        let behind = self.ranges.partition_point(|(first, _)| *first <= address);
        behind.checked_sub(1).is_some_and(|at| address <= self.ranges[at].1)
    }
}

/// Both families as numbers that do not meet: IPv4 is where IPv6 has it.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().into(),
        IpAddr::V6(address) => address.into(),
    }
}

/// Of a text that is none, so much is told.
const LONGEST: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_begins_and_ends_where_its_prefix_says() {
        for (text, inside, outside) in [
            (
                "192.0.2.0/24",
                &["192.0.2.0", "192.0.2.255", "::ffff:192.0.2.7"][..],
                &["192.0.1.255", "192.0.3.0", "::"][..],
            ),
            ("192.0.2.77", &["192.0.2.77"], &["192.0.2.76", "192.0.2.78"]),
            ("0.0.0.0/0", &["0.0.0.0", "255.255.255.255"], &["::", "2001:db8::1"]),
            ("2001:db8::/32", &["2001:db8::", "2001:db8:ffff::1"], &["2001:db7:ffff::", "2001:db9::", "192.0.2.1"]),
            ("::1", &["::1"], &["::", "::2"]),
            ("::/0", &["::", "ffff::", "192.0.2.1"], &[]),
        ] {
            let (one, many) = (network(text), Networks::new([network(text), network("203.0.113.9")]));
            for address in inside.iter().map(|address| address.parse().unwrap()) {
                assert!(one.contains(address) && many.contain(address), "{text} {address}");
            }
            for address in outside.iter().map(|address| address.parse().unwrap()) {
                assert!(!one.contains(address) && !many.contain(address), "{text} {address}");
            }
        }
    }

    #[test]
    fn what_is_none_is_said_and_what_is_one_is_written_the_same_way() {
        for text in
            ["", "/", "192.0.2.0/", "192.0.2.0/33", "::/129", "192.0.2.0/+8", "192.0.2/24", "example.org", "1/2/3"]
        {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        assert_eq!(network("192.0.2.99/24").to_string(), "192.0.2.0/24");
        assert_eq!(network("2001:db8::1").to_string(), "2001:db8::1/128");
        assert_eq!(network("::ffff:192.0.2.1/120").to_string(), "::ffff:192.0.2.0/120");
    }

    #[test]
    fn networks_that_lie_in_others_are_found_as_well() {
        let many = Networks::new(["10.0.0.0/8", "10.1.0.0/16", "10.255.255.0/24", "11.0.0.0/32"].map(network));
        assert_eq!(many.ranges.len(), 2);
        assert!(many.contain("10.200.0.1".parse().unwrap()) && many.contain("11.0.0.0".parse().unwrap()));
        assert!(!many.contain("11.0.0.1".parse().unwrap()) && !many.contain("9.255.255.255".parse().unwrap()));
        assert!(!Networks::default().contain("::".parse().unwrap()));
    }
}
