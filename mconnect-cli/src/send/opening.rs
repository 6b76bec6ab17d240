//! The way to MAIL: the greeting, who is there, TLS, and AUTH.

use mconnect_core::protocol::{Meaning, Phase, Reply};
use mconnect_core::script::Fault;
use mconnect_core::{Session, own_name};

use super::Client;
use crate::failure::{Failure, Status};
use crate::introduction;
use crate::options::{SendStage, Start};
use crate::secure::HAS_TLS;

impl Client<'_> {
    /// Does what comes before MAIL, and returns the session and the name that was given in it; nothing if it ended there,
    /// because it was to, or for a reason that has been told.
    pub fn open(&self, session: Session) -> Option<(Session, String)> {
        let session = self.go_on_after(SendStage::Connect, session)?;
        let mut session = match self.options.security.start {
            Start::First => self.verdict.check(self.secure.upgrade(session, false, self.verdict))?,
            Start::ByHand | Start::Upgrade => session,
        };
        let greeting = self.verdict.known(session.greeting())?;
        if !greeting.is_granted() {
            return self.refused(session, "the greeting", &greeting);
        }
        let session = self.go_on_after(SendStage::Greeting, session)?;
        let asked = self.options.security.helo.as_deref();
        let name = asked.map_or_else(|| own_name(session.local_address()), str::to_owned);
        let session = self.hello(session, &name)?;
        let session = self.go_on_after(SendStage::Ehlo, session)?;
        let session = self.start_tls(session, &name)?;
        let session = self.go_on_after(SendStage::StartTls, session)?;
        let session = self.introduce(session, &name)?;
        let session = match &self.options.security.auth {
            Some(auth) => {
                let _muted = self.transcript.mute();
                self.secure.authenticate(session, auth, self.verdict)?
            }
            None => session,
        };
        Some((self.go_on_after(SendStage::Auth, session)?, name))
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

    /// Says whom the server is to take the client for, if the options do. XCLIENT begins the session anew.
    fn introduce(&self, session: Session, name: &str) -> Option<Session> {
        let roads = &self.options.roads;
        let session = match self.verdict.check(introduction::xclient(roads, &session)) {
            Some(None) => session,
            Some(Some(line)) => {
                let session = self.say(session, &line, "XCLIENT")?;
                self.hello(session, name)?
            }
            None => return self.left(session),
        };
        match self.verdict.check(introduction::xforward(roads, &session)) {
            Some(None) => Some(session),
            Some(Some(line)) => self.say(session, &line, "XFORWARD"),
            None => self.left(session),
        }
    }

    fn say(&self, mut session: Session, line: &str, what: &str) -> Option<Session> {
        let reply = self.verdict.known(session.command(line))?;
        if reply.is_granted() { Some(session) } else { self.refused(session, what, &reply) }
    }

    fn left<T>(&self, session: Session) -> Option<T> {
        self.leave(session);
        None
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
