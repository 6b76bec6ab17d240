//! The mail exchangers of a domain: who they are, and a session with the first that is ready for one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use mconnect_core::dns::{DnsError, Found, Mx, Resolver, Security, is_global};
use mconnect_core::{Connect, Family, Session};

use crate::failure::{Failure, Status};
use crate::options::Options;
use crate::stderr::say;
use crate::verdict::Verdict;

/// A domain's exchangers, in the order in which they are tried.
pub struct Exchangers<'a> {
    options: &'a Options,
    resolver: Resolver,
    names: Vec<String>,
}

impl<'a> Exchangers<'a> {
    /// Looks up those of the domain that the options name, and tells them.
    ///
    /// # Errors
    /// It takes no mail, or nothing is known of it.
    pub fn find(options: &'a Options) -> Result<Self, Failure> {
        let resolver = resolver(options)?;
        let domain = options.target.name();
        let found = known(resolver.ask::<Mx>(domain), domain)?;
        let names = match found.records.as_slice() {
            _ if !found.exists => return Err(Failure::new(Status::NoHost, format!("there is no domain {domain}"))),
            [] => {
                note(options, &format!("{domain} has no MX record: it is its own exchanger (RFC 5321, section 5.1)"));
                vec![found.name]
            }
            records if records.iter().all(Mx::is_null) => {
                let message = format!("{domain} takes no mail: its MX record is null (RFC 7505)");
                return Err(Failure::new(Status::Unavailable, message));
            }
            _ => {
                let order = Mx::in_order(found.records);
                let told: Vec<String> =
                    order.iter().map(|mx| format!("{} ({})", mx.exchanger, mx.preference)).collect();
                note(options, &format!("mail exchangers of {domain}: {}", told.join(", ")));
                order.into_iter().map(|mx| mx.exchanger).collect()
            }
        };
        Ok(Self { options, resolver, names })
    }

    /// Opens a session with the first with which that can be done, and names the others before it; nothing if there is
    /// none, which has been told.
    pub fn open(
        &self,
        connect: &Connect,
        verdict: &Verdict,
        open: impl Fn(Connect) -> Result<Session, Failure>,
    ) -> Option<Session> {
        let mut rest = self.names.iter().peekable();
        while let Some(name) = rest.next() {
            match self
                .addresses_of(name)
                .map(|found| connect.clone().to(name, self.options.port()).addresses(found))
                .and_then(&open)
            {
                Ok(session) => return Some(session),
                Err(failure) if rest.peek().is_some() => {
                    note(self.options, &format!("{failure}; next exchanger ..."));
                }
                Err(failure) => verdict.complain(failure),
            }
        }
        None
    }

    /// Returns those of its addresses that may be contacted, the others told.
    fn addresses_of(&self, name: &str) -> Result<Vec<SocketAddr>, Failure> {
        let port = self.options.port();
        let mut addresses = self.addresses(name)?;
        if addresses.is_empty() {
            return Err(Failure::new(Status::NoHost, format!("{name} has no address")));
        }
        if !self.options.exchangers.allows_private {
            let (global, others): (Vec<IpAddr>, Vec<IpAddr>) = addresses.into_iter().partition(|it| is_global(*it));
            let told = others.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
            let message = format!("{name} ({told}) is not contacted: that is no global address, see --allow-private");
            match (global.is_empty(), others.is_empty()) {
                (true, _) => return Err(Failure::new(Status::Unavailable, message)),
                (false, false) => note(self.options, &message),
                (false, true) => {}
            }
            addresses = global;
        }
        let mut addresses: Vec<SocketAddr> = addresses.into_iter().map(|it| SocketAddr::new(it, port)).collect();
        addresses.sort_by_key(|address| !has_route(*address));
        Ok(addresses)
    }

    fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Failure> {
        let mut addresses = Vec::new();
        if self.options.family != Family::V4 {
            let found = known(self.resolver.ask::<Ipv6Addr>(name), name)?;
            addresses.extend(found.records.into_iter().map(IpAddr::V6));
        }
        if self.options.family != Family::V6 {
            let found = known(self.resolver.ask::<Ipv4Addr>(name), name)?;
            addresses.extend(found.records.into_iter().map(IpAddr::V4));
        }
        Ok(addresses)
    }
}

/// Reads the greeting of a server. A server that is not ready is left.
///
/// # Errors
/// It is another greeting than 220, or none.
pub fn greeted(mut session: Session, verdict: &Verdict) -> Result<Session, Failure> {
    let greeting = session.greeting().map_err(|error| verdict.failure_of(&error))?;
    if greeting.is_granted() {
        return Ok(session);
    }
    let message = format!("{} is not ready: its greeting is {greeting}", session.peer());
    let failure = Failure::new(mconnect_core::script::Fault::of_refusal(greeting.code()).into(), message);
    if !session.standing().is_closing {
        drop(session.quit());
    }
    Err(failure)
}

/// Returns whom the options have asked about names.
///
/// # Errors
/// The system says of nobody.
pub fn resolver(options: &Options) -> Result<Resolver, Failure> {
    let asked = &options.exchangers;
    let resolver = match asked.resolver {
        Some(server) => Resolver::at([server]),
        None => Resolver::system().map_err(|error| failed(&error))?,
    };
    let resolver = if asked.is_resolver_trusted { resolver.trusted(true) } else { resolver };
    Ok(options.timeout.into_iter().fold(resolver, Resolver::timeout))
}

/// Returns what was found, unless that is not to be believed.
fn known<R>(result: Result<Found<R>, DnsError>, name: &str) -> Result<Found<R>, Failure> {
    let found = result.map_err(|error| failed(&error))?;
    match found.security {
        Security::Bogus => {
            let why = found.why.unwrap_or_default();
            let message = format!("what the DNS says of {name} is bogus, its signatures are not right: {why}");
            Err(Failure::new(Status::Temporary, message))
        }
        _ => Ok(found),
    }
}

fn failed(error: &DnsError) -> Failure {
    let status = match error {
        DnsError::Name { .. } => Status::Usage,
        error if error.is_temporary() => Status::Temporary,
        _ => Status::NoHost,
    };
    Failure::new(status, mconnect_core::chain(error))
}

/// Says whether the system knows a way to an address, which takes no packet: addresses of a family that this machine has
/// no network for come last.
fn has_route(address: SocketAddr) -> bool {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    UdpSocket::bind((any, 0)).and_then(|socket| socket.connect(address)).is_ok()
}

fn note(options: &Options, message: &str) {
    if !options.is_quiet {
        say(message);
    }
}
