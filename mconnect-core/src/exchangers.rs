//! The mail exchangers of a domain: who they are, in the order in which they are tried, and where.
//!
//! ```text
//!   domain ─► MX ─► names, by preference ─► A, AAAA of one ─► the addresses that may be contacted ─► Connect
//! ```

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use crate::connect::Family;
use crate::dns::{DnsError, Found, Mx, Record, Resolver, is_global};

/// Who takes the mail of a domain ([RFC 5321, section 5.1](https://www.rfc-editor.org/rfc/rfc5321#section-5.1)).
///
/// [`Display`](fmt::Display) names them: `mail exchangers of example.org: mx1.example.org (10), mx2.example.org (20)`.
///
/// ```no_run
/// use mconnect_core::dns::Resolver;
/// use mconnect_core::{Connect, Exchangers};
///
/// let exchangers = Exchangers::find(Resolver::system()?, "example.org")?;
/// for name in exchangers.names() {
///     let (addresses, _) = exchangers.addresses(name, 25)?;
///     match Connect::new(name, 25).addresses(addresses).open() {
///         Ok(mut session) => {
///             println!("{}", session.greeting()?);
///             break;
///         }
///         Err(error) => eprintln!("{}", error.chain()),
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "MX")]
#[derive(Debug, Clone)]
pub struct Exchangers {
    resolver: Resolver,
    domain: String,
    /// In their order; one without a preference is the domain itself.
    order: Vec<(Option<u16>, String)>,
    family: Family,
    allows_private: bool,
}

/// Why a domain has no mail exchanger, or one of them no address that is contacted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoExchanger {
    /// There is no such domain.
    #[error("there is no domain {0}")]
    NoDomain(String),
    /// The domain takes no mail ([RFC 7505](https://www.rfc-editor.org/rfc/rfc7505)).
    #[error("{0} takes no mail: its MX record is null (RFC 7505)")]
    NullMx(String),
    /// What was found is not to be believed.
    #[error("what the DNS says of {name} is bogus, its signatures are not right: {why}")]
    Bogus {
        /// The name that was asked for.
        name: String,
        /// What the resolver says beside it.
        why: String,
    },
    /// An exchanger has no address, or none of the family that is wanted.
    #[error("{0} has no address")]
    NoAddress(String),
    /// It has none that is contacted.
    #[error(transparent)]
    NotGlobal(#[from] NotGlobal),
    /// Nothing could be looked up.
    #[error(transparent)]
    Dns(#[from] DnsError),
}

/// Addresses that are not contacted for a domain, which may publish any: they are not on the internet ([`is_global`]).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} ({}) is not contacted: that is no global address", Listed(addresses))]
#[non_exhaustive]
pub struct NotGlobal {
    /// The exchanger.
    pub name: String,
    /// Those of its addresses.
    pub addresses: Vec<IpAddr>,
}

impl NoExchanger {
    /// Says whether the same may go better later.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Bogus { .. } => true,
            Self::Dns(error) => error.is_temporary(),
            _ => false,
        }
    }
}

impl Exchangers {
    /// Looks up those of a domain; one without MX records is its own exchanger. This blocks.
    ///
    /// # Errors
    /// [`NoExchanger`]: it takes no mail, or nothing is known of it.
    pub fn find(resolver: Resolver, domain: &str) -> Result<Self, NoExchanger> {
        let found = ask::<Mx>(&resolver, domain)?;
        let order = match found.records.as_slice() {
            _ if !found.exists => return Err(NoExchanger::NoDomain(domain.to_owned())),
            [] => vec![(None, found.name)],
            records if records.iter().all(Mx::is_null) => return Err(NoExchanger::NullMx(domain.to_owned())),
            _ => Mx::in_order(found.records).into_iter().map(|mx| (Some(mx.preference), mx.exchanger)).collect(),
        };
        Ok(Self { resolver, domain: domain.to_owned(), order, family: Family::Any, allows_private: false })
    }

    /// Looks for addresses of this family alone.
    #[must_use]
    pub fn family(mut self, family: Family) -> Self {
        self.family = family;
        self
    }

    /// Takes addresses that are not global, too.
    #[must_use]
    pub fn allow_private(mut self, is_allowed: bool) -> Self {
        self.allows_private = is_allowed;
        self
    }

    /// Returns their names, in the order in which they are to be tried.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        self.order.iter().map(|(_, name)| name.as_str())
    }

    /// Looks up the addresses of one of them, for [`Connect::addresses`](crate::Connect::addresses), and says which are left
    /// out. Those of a family that this machine has no way to come last; a family that cannot be looked up is passed over if
    /// the other has some. This blocks.
    ///
    /// # Errors
    /// [`NoExchanger`]: there is none that may be contacted.
    pub fn addresses(&self, name: &str, port: u16) -> Result<(Vec<SocketAddr>, Option<NotGlobal>), NoExchanger> {
        let v6 = (self.family != Family::V4).then(|| self.look_up::<Ipv6Addr>(name));
        let v4 = (self.family != Family::V6).then(|| self.look_up::<Ipv4Addr>(name));
        let (mut addresses, mut failure) = (Vec::new(), None);
        for looked_up in [v6, v4].into_iter().flatten() {
            match looked_up {
                Ok(found) => addresses.extend(found),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        if addresses.is_empty() {
            return Err(failure.unwrap_or_else(|| NoExchanger::NoAddress(name.to_owned())));
        }
        let (contacted, others): (Vec<IpAddr>, Vec<IpAddr>) =
            addresses.into_iter().partition(|address| self.allows_private || is_global(*address));
        let left_out = (!others.is_empty()).then(|| NotGlobal { name: name.to_owned(), addresses: others });
        match left_out {
            Some(none) if contacted.is_empty() => Err(none.into()),
            left_out => {
                let mut contacted: Vec<SocketAddr> = contacted.into_iter().map(|it| (it, port).into()).collect();
                contacted.sort_by_key(|address| !has_route(*address));
                Ok((contacted, left_out))
            }
        }
    }

    fn look_up<A: Record + Into<IpAddr>>(&self, name: &str) -> Result<Vec<IpAddr>, NoExchanger> {
        Ok(ask::<A>(&self.resolver, name)?.records.into_iter().map(Into::into).collect())
    }
}

impl fmt::Display for Exchangers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let domain = &self.domain;
        for (index, (preference, name)) in self.order.iter().enumerate() {
            match preference {
                None => write!(f, "{domain} has no MX record: it is its own exchanger (RFC 5321, section 5.1)")?,
                Some(preference) if index == 0 => write!(f, "mail exchangers of {domain}: {name} ({preference})")?,
                Some(preference) => write!(f, ", {name} ({preference})")?,
            }
        }
        Ok(())
    }
}

struct Listed<'a>(&'a [IpAddr]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", "))
    }
}

/// Returns what is found, unless that is not to be believed.
fn ask<R: Record>(resolver: &Resolver, name: &str) -> Result<Found<R>, NoExchanger> {
    let found = resolver.ask::<R>(name)?;
    if found.is_known() {
        return Ok(found);
    }
    Err(NoExchanger::Bogus { name: name.to_owned(), why: found.why.unwrap_or_default() })
}

/// Says whether the system knows a way to an address, which takes no packet.
fn has_route(address: SocketAddr) -> bool {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    UdpSocket::bind((any, 0)).and_then(|socket| socket.connect(address)).is_ok()
}
