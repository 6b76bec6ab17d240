//! Records, as plain data.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::random;
use crate::tlsa::Tlsa;

/// A type of record that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecordKind {
    /// Who takes mail for a domain.
    Mx,
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Which certificates are to be believed.
    Tlsa,
    /// Texts.
    Txt,
    /// Who serves a service.
    Srv,
    /// What a name is an alias of. Aliases are not followed for it.
    Cname,
}

/// Writes it as zone files do: `MX`.
impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mx => "MX",
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Tlsa => "TLSA",
            Self::Txt => "TXT",
            Self::Srv => "SRV",
            Self::Cname => "CNAME",
        })
    }
}

/// A record of any of the types.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordData {
    /// Who takes mail for a domain.
    Mx(Mx),
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// Which certificate is to be believed.
    Tlsa(Tlsa),
    /// A text.
    Txt(Txt),
    /// Who serves a service.
    Srv(Srv),
    /// What a name is an alias of.
    Cname(Cname),
}

/// What [`Resolver::ask`](super::Resolver::ask) can be asked for: [`Mx`], [`Ipv4Addr`], [`Ipv6Addr`], [`Tlsa`],
/// [`Txt`], [`Srv`] and [`Cname`].
pub trait Record: Sized + sealed::Sealed {
    /// The type of record that it is.
    const KIND: RecordKind;

    /// Returns it, if the data is of its type.
    fn from_data(data: RecordData) -> Option<Self>;
}

/// A mail exchanger ([RFC 5321, section 5.1](https://www.rfc-editor.org/rfc/rfc5321#section-5.1)).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Mx {
    /// The lower ones are tried first.
    pub preference: u16,
    /// Its name; empty in a null MX.
    pub exchanger: String,
}

impl Mx {
    /// Makes one of its two fields. The name is taken in lower case and without its last dot.
    #[must_use]
    pub fn new(preference: u16, exchanger: &str) -> Mx {
        let exchanger = exchanger.strip_suffix('.').unwrap_or(exchanger).to_ascii_lowercase();
        Mx { preference, exchanger }
    }

    /// Says whether it is a null MX: the domain takes no mail
    /// ([RFC 7505](https://www.rfc-editor.org/rfc/rfc7505)), if this is the only one that it has.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.exchanger.is_empty()
    }

    /// Returns them as they are to be tried: by preference, equal ones in random order
    /// ([RFC 5321, section 5.1](https://www.rfc-editor.org/rfc/rfc5321#section-5.1)). Null ones are left out: beside
    /// others they mean nothing.
    #[must_use]
    pub fn in_order(records: Vec<Mx>) -> Vec<Mx> {
        let mut drawn: Vec<(u64, Mx)> =
            records.into_iter().filter(|mx| !mx.is_null()).map(|mx| (random::number(), mx)).collect();
        drawn.sort_by_key(|(lot, mx)| (mx.preference, *lot));
        drawn.into_iter().map(|(_, mx)| mx).collect()
    }
}

/// Where a service is served ([RFC 2782](https://www.rfc-editor.org/rfc/rfc2782)).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Srv {
    /// The lower ones are tried first.
    pub priority: u16,
    /// How often it is chosen among those of its priority.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// Who serves it; empty if nobody does.
    pub target: String,
}

/// A text: the character strings of a TXT record, put together
/// ([RFC 7208, section 3.3](https://www.rfc-editor.org/rfc/rfc7208#section-3.3)).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Txt {
    /// Its octets, as they are: escape them before they are shown.
    pub octets: Vec<u8>,
}

/// What a name is an alias of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Cname {
    /// The other name.
    pub target: String,
}

macro_rules! records {
    ($($kind:ident: $record:ty,)*) => {$(
        impl sealed::Sealed for $record {}
        impl Record for $record {
            const KIND: RecordKind = RecordKind::$kind;

            fn from_data(data: RecordData) -> Option<Self> {
                if let RecordData::$kind(record) = data { Some(record) } else { None }
            }
        }
    )*};
}

records! {
    Mx: Mx,
    A: Ipv4Addr,
    Aaaa: Ipv6Addr,
    Tlsa: Tlsa,
    Txt: Txt,
    Srv: Srv,
    Cname: Cname,
}

mod sealed {
    pub trait Sealed {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchangers_of_one_preference_are_in_any_order_and_the_others_in_theirs() {
        let records: Vec<Mx> = [(20, "c."), (10, "A"), (10, "b"), (0, ".")].map(|(p, name)| Mx::new(p, name)).into();
        let orders: std::collections::BTreeSet<String> = (0..200)
            .map(|_| Mx::in_order(records.clone()).into_iter().map(|mx| mx.exchanger).collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(orders.into_iter().collect::<Vec<_>>(), ["a b c", "b a c"]);
    }
}
