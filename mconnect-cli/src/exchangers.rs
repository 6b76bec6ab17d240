//! The mail exchangers of a domain: who they are, and a session with the first that is ready for one.

use mconnect_core::dns::{DnsError, Resolver};
use mconnect_core::{Connect, NoExchanger, Session, chain};

use crate::failure::{Failure, Status};
use crate::options::Options;
use crate::stderr::note;
use crate::verdict::Verdict;

/// A domain's exchangers, in the order in which they are tried.
pub struct Exchangers<'a> {
    options: &'a Options,
    found: mconnect_core::Exchangers,
}

impl<'a> Exchangers<'a> {
    /// Looks up those of the domain that the options name, and tells them.
    ///
    /// # Errors
    /// It takes no mail, or nothing is known of it.
    pub fn find(options: &'a Options) -> Result<Self, Failure> {
        let found = mconnect_core::Exchangers::find(resolver(options)?, options.target.name()).map_err(failed)?;
        note(&found.to_string(), options.is_quiet);
        let found = found.family(options.family).allow_private(options.exchangers.allows_private);
        Ok(Self { options, found })
    }

    /// Opens a session with the first with which that can be done, and names the others before it; nothing if there is
    /// none, which has been told.
    pub fn open(
        &self,
        connect: &Connect,
        verdict: &Verdict,
        open: impl Fn(Connect) -> Result<Session, Failure>,
    ) -> Option<Session> {
        let mut rest = self.found.names();
        while let Some(name) = rest.next() {
            match self.reach(connect, name).and_then(&open) {
                Ok(session) => return Some(session),
                Err(failure) if rest.len() > 0 => {
                    note(&format!("{failure}; next exchanger ..."), self.options.is_quiet);
                }
                Err(failure) => verdict.complain(failure),
            }
        }
        None
    }

    /// Returns how to connect to one at those of its addresses that may be contacted, the others told.
    fn reach(&self, connect: &Connect, name: &str) -> Result<Connect, Failure> {
        let port = self.options.port();
        let (addresses, left_out) = self.found.addresses(name, port).map_err(failed)?;
        left_out.iter().for_each(|left_out| note(&format!("{left_out}{ALLOW}"), self.options.is_quiet));
        Ok(connect.clone().to(name, port).addresses(addresses))
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
        None => Resolver::system().map_err(|error| failed(error.into()))?,
    };
    let resolver = if asked.is_resolver_trusted { resolver.trusted(true) } else { resolver };
    Ok(options.timeout.into_iter().fold(resolver, Resolver::timeout))
}

fn failed(error: NoExchanger) -> Failure {
    let status = match &error {
        NoExchanger::NullMx(_) | NoExchanger::NotGlobal(_) => Status::Unavailable,
        NoExchanger::Dns(DnsError::Name { .. }) => Status::Usage,
        error if error.is_temporary() => Status::Temporary,
        _ => Status::NoHost,
    };
    let hint = if matches!(error, NoExchanger::NotGlobal(_)) { ALLOW } else { "" };
    Failure::new(status, chain(&error)).hint(hint)
}

/// What to do about an address that is not global.
const ALLOW: &str = ", see --allow-private";
