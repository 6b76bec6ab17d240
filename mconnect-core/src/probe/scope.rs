//! Which addresses may be contacted for somebody else's domain.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a domain's records may lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// Addresses that are global.
    Global,
    /// Any.
    Any,
}

impl Scope {
    pub fn admits(self, address: IpAddr) -> bool {
        match self {
            Self::Global => is_global(address),
            Self::Any => true,
        }
    }
}

/// Says whether an address can be anywhere, and is not one of this machine, of a network of one's own, or of nobody: as the
/// registries of special-purpose addresses have them ([RFC 6890](https://www.rfc-editor.org/rfc/rfc6890)). One of IPv6 that
/// holds one of IPv4 is what that is.
fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !V4.iter().any(|(net, length)| is_in_4(v4, *net, *length)),
        IpAddr::V6(v6) => match embedded(v6) {
            Some(v4) => is_global(IpAddr::V4(v4)),
            None => is_in_6(v6, GLOBAL_UNICAST) && !V6.iter().any(|net| is_in_6(v6, *net)),
        },
    }
}

/// Returns the IPv4 address that an IPv6 address stands for: mapped, translated
/// ([RFC 6052](https://www.rfc-editor.org/rfc/rfc6052)), by 6to4 ([RFC 3056](https://www.rfc-editor.org/rfc/rfc3056)).
fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, .., g, h] = v6.segments();
    let of = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match () {
        () if is_in_6(v6, ([0, 0, 0, 0, 0, 0xffff, 0, 0], 96)) => Some(of(g, h)),
        () if is_in_6(v6, ([0x64, 0xff9b, 0, 0, 0, 0, 0, 0], 96)) => Some(of(g, h)),
        () if a == 0x2002 => Some(of(b, v6.segments()[2])),
        () => None,
    }
}

fn is_in_4(address: Ipv4Addr, net: [u8; 4], length: u32) -> bool {
    (u32::from(address) ^ u32::from_be_bytes(net)) >> (32 - length) == 0
}

fn is_in_6(address: Ipv6Addr, (net, length): ([u16; 8], u32)) -> bool {
    (u128::from(address) ^ u128::from(Ipv6Addr::from(net))) >> (128 - length) == 0
}

const V4: &[([u8; 4], u32)] = &[
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    // Multicast, and what nobody has.
    ([224, 0, 0, 0], 3),
];
const GLOBAL_UNICAST: ([u16; 8], u32) = ([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);
const V6: &[([u16; 8], u32)] = &[
    // Protocols, Teredo and benchmarks among them.
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_of_this_machine_of_a_network_of_ones_own_or_of_nobody_is_not_global() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.168.1.1",
            "198.19.0.1",
            "203.0.113.9",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "64:ff9b::10.0.0.1",
            "2002:7f00:1::1",
            "2001:db8::1",
            "2001::1",
            "fc00::1",
            "fe80::1",
            "ff02::1",
            "3fff::1",
        ] {
            assert!(!Scope::Global.admits(address.parse().unwrap()), "{address}");
            assert!(Scope::Any.admits(address.parse().unwrap()), "{address}");
        }
        for address in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
            "2001:4860:4860::8888",
            "2a00:1450::1",
            "2600::",
        ] {
            assert!(Scope::Global.admits(address.parse().unwrap()), "{address}");
        }
    }
}
