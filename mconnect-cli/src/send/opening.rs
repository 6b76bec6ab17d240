//! The way to MAIL: the greeting, who is there, TLS, and AUTH.

use mconnect_core::protocol::Phase;
use mconnect_core::{Connect, Session};

use super::Client;
use crate::exchangers::greeted;
use crate::failure::Failure;
use crate::opening::{Opening, leave};
use crate::options::{SendStage, Start};
use crate::secure::HAS_TLS;

impl Client<'_> {
    /// Does what comes before MAIL, and returns the session and the name that was given in it; nothing if it ended there,
    /// because it was to, or for a reason that has been told.
    pub fn open(&self, session: Session) -> Option<(Session, String)> {
        let Self { secure, verdict, .. } = *self;
        let opening = self.opening();
        let mut session = self.go_on_after(SendStage::Connect, session)?;
        if session.phase() == Phase::Greeting {
            session = verdict.check(opening.reach(session))?;
            session = opening.attempt(session, |session| opening.greet(session))?;
        }
        let session = self.go_on_after(SendStage::Greeting, session)?;
        let name = opening.name(&session);
        let session = opening.attempt(session, |session| self.hello(&opening, session, &name))?;
        let mut session = self.go_on_after(SendStage::Ehlo, session)?;
        if self.starts_tls(&session) {
            session = opening.attempt(session, |session| opening.ask_for_tls(session))?;
            session = verdict.check(secure.upgrade(session, false, verdict))?;
            session = opening.attempt(session, |session| self.hello(&opening, session, &name))?;
        }
        session = self.go_on_after(SendStage::StartTls, session)?;
        let hello = |session: &mut Session| self.hello(&opening, session, &name);
        session = opening.attempt(session, |session| opening.present(session, hello))?;
        if let Some(auth) = &self.options.security.auth {
            session = opening.attempt(session, |session| secure.log_in(session, auth, verdict))?;
        }
        Some((self.go_on_after(SendStage::Auth, session)?, name))
    }

    /// Connects to one of several servers, and goes on until it is known whether it is ready.
    ///
    /// # Errors
    /// It is not.
    pub fn greet(&self, connect: &Connect) -> Result<Session, Failure> {
        let session = connect.open().map_err(|error| self.verdict.failure_of(&error))?;
        if self.options.sending.until == Some(SendStage::Connect) {
            return Ok(session);
        }
        greeted(self.opening().reach(session)?, self.verdict)
    }

    fn opening(&self) -> Opening<'_> {
        Opening { options: self.options, secure: self.secure, verdict: self.verdict }
    }

    fn hello(&self, opening: &Opening<'_>, session: &mut Session, name: &str) -> Result<(), Failure> {
        let is_lmtp = self.options.sending.is_lmtp;
        let hello = if is_lmtp { session.lhlo(name) } else { session.hello(name) };
        opening.granted(if is_lmtp { "LHLO" } else { "EHLO" }, hello.map(|hello| hello.reply().clone()))
    }

    /// Says whether TLS starts now: if it is offered, or was asked for.
    fn starts_tls(&self, session: &Session) -> bool {
        let Self { options, secure, .. } = *self;
        let is_demanded =
            options.security.start == Start::Upgrade || options.sending.until == Some(SendStage::StartTls);
        let is_offered = session.extensions().is_some_and(|offered| offered.has("STARTTLS"));
        !secure.is_in_tls() && (is_demanded || (is_offered && HAS_TLS && secure.upgrades()))
    }

    /// Returns the session, unless it was to go no further than this.
    fn go_on_after(&self, stage: SendStage, session: Session) -> Option<Session> {
        if self.options.sending.until != Some(stage) {
            return Some(session);
        }
        // Who has not been greeted closes.
        leave(session);
        None
    }
}
