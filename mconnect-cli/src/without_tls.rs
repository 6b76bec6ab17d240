//! The place of TLS and AUTH in a tool that was built without them.

use mconnect_core::Session;
use mconnect_core::dialogue::{Dialogue, Player, Values};
use mconnect_core::server::{Server, ServerError, Setup};

use crate::failure::{Failure, Status};
use crate::options::{Auth, Options, Security, Start};
use crate::paint::Mark;
use crate::secret::Secret;
use crate::stderr::say;
use crate::verdict::Verdict;

pub struct Secure {
    is_left_plain: bool,
}

impl Secure {
    /// # Errors
    /// The options ask for TLS or AUTH.
    pub fn prepare(options: &Options) -> Result<Self, Failure> {
        let security = &options.security;
        match security.start {
            Start::ByHand if security.auth.is_none() => Ok(Self { is_left_plain: security.is_left_plain }),
            _ => Err(Failure::new(Status::Usage, WITHOUT)),
        }
    }

    pub fn demo(&mut self) -> Result<Server, ServerError> {
        Server::start()
    }

    pub fn read_ahead(&self) {}

    pub fn forget(&self) {}

    /// # Errors
    /// There is no AUTH here.
    pub fn log_in(&self, _: &mut Session, _: &Auth, _: &Verdict) -> Result<(), Failure> {
        Err(Failure::new(Status::Auth, WITHOUT))
    }

    /// # Errors
    /// None: the options ask for no TLS.
    pub fn begin_tls(&self, session: Session, _: &Verdict) -> Result<Session, Failure> {
        Ok(session)
    }

    /// # Errors
    /// None: no password is taken from anywhere.
    pub fn passwords<'a>(
        &self,
        _: impl IntoIterator<Item = &'a Dialogue>,
        _: &Values,
    ) -> Result<Vec<(String, Secret)>, Failure> {
        Ok(Vec::new())
    }

    pub fn prepare_player(&self, _: &mut Player<'_>) {}

    pub fn mark(&self) -> Mark {
        Mark::default()
    }

    pub fn user(&self) -> Option<String> {
        None
    }

    pub fn is_in_tls(&self) -> bool {
        false
    }

    pub fn upgrades(&self) -> bool {
        !self.is_left_plain
    }

    /// # Errors
    /// There is no TLS here.
    pub fn upgrade(&self, _: Session, _: bool, _: &Verdict) -> Result<Session, Failure> {
        Err(Failure::new(Status::Protocol, WITHOUT))
    }

    pub fn tell_chain(&self) {
        say(WITHOUT);
    }
}

/// # Errors
/// The options ask for TLS.
pub fn serving(security: &Security) -> Result<Setup, Failure> {
    match security.start {
        Start::First => Err(Failure::new(Status::Usage, WITHOUT)),
        Start::Upgrade | Start::ByHand => Ok(Setup::new()),
    }
}

pub fn decode(_: &[u8]) -> Option<Vec<u8>> {
    None
}

pub const HAS_TLS: bool = false;

pub const WITHOUT: &str = "this mconnect was built without TLS and AUTH (the feature tls)";
