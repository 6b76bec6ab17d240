//! The way to MAIL: the greeting, who is there, TLS, and AUTH.

use mconnect_core::protocol::{Meaning, Phase, Reply};
use mconnect_core::script::Fault;
use mconnect_core::{Connect, Session, own_name};

use super::Client;
use crate::exchangers::greeted;
use crate::failure::{Failure, Status};
use crate::options::{SendStage, Start};
use crate::secure::HAS_TLS;

impl Client<'_> {
    /// Does what comes before MAIL, and returns the session and the name that was given in it; nothing if it ended there,
    /// because it was to, or for a reason that has been told.
    pub fn open(&self, session: Session) -> Option<(Session, String)> {
        let mut session = self.go_on_after(SendStage::Connect, session)?;
        if session.phase() == Phase::Greeting {
            session = self.verdict.check(self.secure.begin_tls(session, self.verdict))?;
            let greeting = self.verdict.known(session.greeting())?;
            if !greeting.is_granted() {
                return self.refused(session, "the greeting", &greeting);
            }
        }
        let session = self.go_on_after(SendStage::Greeting, session)?;
        let asked = self.options.security.helo.as_deref();
        let name = asked.map_or_else(|| own_name(session.local_address()), str::to_owned);
        let session = self.hello(session, &name)?;
        let session = self.go_on_after(SendStage::Ehlo, session)?;
        let session = self.start_tls(session, &name)?;
        let session = self.go_on_after(SendStage::StartTls, session)?;
        let session = match &self.options.security.auth {
            Some(auth) => {
                let _muted = self.transcript.mute();
                self.secure.authenticate(session, auth, self.verdict)?
            }
            None => session,
        };
        Some((self.go_on_after(SendStage::Auth, session)?, name))
    }

    /// Connects to one of several servers, and goes on until it is known whether it is ready.
    ///
    /// # Errors
    /// It is not.
    pub fn greet(&self, connect: Connect) -> Result<Session, Failure> {
        let session = connect.open().map_err(|error| self.verdict.failure_of(&error))?;
        if self.options.sending.until == Some(SendStage::Connect) {
            return Ok(session);
        }
        greeted(self.secure.reach(session, self.verdict)?, self.verdict, |_| {})
    }

    fn hello(&self, mut session: Session, name: &str) -> Option<Session> {
        let is_lmtp = self.options.sending.is_lmtp;
        let hello = self.verdict.known(if is_lmtp { session.lhlo(name) } else { session.hello(name) })?;
        match hello.require() {
            Ok(_) => Some(session),
            Err(refusal) => self.refused(session, if is_lmtp { "LHLO" } else { "EHLO" }, &refusal.reply),
        }
    }

    /// Starts TLS if it is offered, or was asked for.
    fn start_tls(&self, mut session: Session, name: &str) -> Option<Session> {
        let is_demanded =
            self.options.security.start == Start::Upgrade || self.options.sending.until == Some(SendStage::StartTls);
        let is_offered = session.extensions().is_some_and(|offered| offered.has("STARTTLS"));
        if self.secure.is_in_tls() || !(is_demanded || (is_offered && HAS_TLS && self.secure.upgrades())) {
            return Some(session);
        }
        if !is_offered {
            let peer = session.peer();
            let message = format!("{peer} does not offer STARTTLS: somebody between may have taken it out");
            self.verdict.complain(Failure::new(Status::Protocol, message));
            self.leave(session);
            return None;
        }
        let reply = self.verdict.known(session.command("STARTTLS"))?;
        if session.phase() != Phase::StartTls {
            return self.refused(session, "STARTTLS", &reply);
        }
        let session = self.verdict.check(self.secure.upgrade(session, false, self.verdict))?;
        self.hello(session, name)
    }

    /// Tells that something was not granted, and takes leave.
    fn refused<T>(&self, session: Session, what: &str, reply: &Reply) -> Option<T> {
        let told = match reply.meaning() {
            Meaning::Closing => format!("the server closes instead of granting {what}"),
            _ if session.extensions().is_none() && what == "the greeting" => {
                "the greeting grants no session".to_owned()
            }
            _ => format!("{what} was refused"),
        };
        self.verdict.complain(Failure::new(Fault::of_refusal(reply.code()).into(), told));
        self.leave(session);
        None
    }

    /// Returns the session, unless it was to go no further than this.
    fn go_on_after(&self, stage: SendStage, session: Session) -> Option<Session> {
        if self.options.sending.until != Some(stage) {
            return Some(session);
        }
        // Who has not been greeted closes.
        self.leave(session);
        None
    }
}
