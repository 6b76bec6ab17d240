//! The steps before a session is handed over, with TLS and AUTH.

use mconnect_core::Session;
use mconnect_core::protocol::Phase;

use super::Secure;
use crate::failure::{Failure, Status};
use crate::options::{Auth, Start};
use crate::steps::{Steps, refused};

/// The steps before a session is handed over.
pub struct Opening<'a> {
    pub secure: &'a Secure,
    pub steps: Steps<'a>,
}

impl Opening<'_> {
    /// Does those that the options ask for; nothing if one of them ended the session, which has been told.
    pub fn run(mut self) -> Option<Session> {
        let security = &self.secure.security;
        if security.start == Start::Upgrade {
            self.attempt(Self::ask_for_tls)?;
            let upgraded = self.secure.upgrade(self.steps.session, false, self.steps.verdict);
            self.steps.session = self.steps.verdict.check(upgraded)?;
        }
        self.steps = self.steps.introduced()?;
        match &security.auth {
            Some(auth) => self.log_in(auth),
            None => Some(self.steps.session),
        }
    }

    /// Logs in.
    pub fn log_in(mut self, auth: &Auth) -> Option<Session> {
        self.attempt(|opening| opening.authenticate(auth))?;
        Some(self.steps.session)
    }

    /// Does a step.
    fn attempt(&mut self, step: impl FnOnce(&mut Self) -> Result<(), Failure>) -> Option<()> {
        let done = step(self);
        self.steps.check(done)
    }

    fn ask_for_tls(&mut self) -> Result<(), Failure> {
        self.steps.greet()?;
        if !self.steps.session.extensions().unwrap_or_default().has("STARTTLS") {
            let peer = self.steps.session.peer();
            let message = format!("{peer} does not offer STARTTLS: somebody between may have taken it out");
            return Err(Failure::new(Status::Protocol, message));
        }
        let reply = self.steps.command("STARTTLS")?;
        if self.steps.session.phase() == Phase::StartTls { Ok(()) } else { Err(refused("STARTTLS", &reply)) }
    }
}
