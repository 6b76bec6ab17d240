//! The steps before a session is handed over.

use mconnect_core::protocol::{Meaning, Phase, Reply};
use mconnect_core::script::Fault;
use mconnect_core::{Error, Session, own_name};

use super::{Secure, visible};
use crate::failure::{Failure, Status};
use crate::options::{Auth, Start};
use crate::screen::Screen;
use crate::verdict::Verdict;

/// The steps before a session is handed over.
pub struct Opening<'a> {
    pub secure: &'a Secure,
    pub session: Session,
    pub screen: Screen,
    pub verdict: &'a Verdict,
}

impl Opening<'_> {
    /// Does those that the options ask for; nothing if one of them ended the session, which has been told.
    pub fn run(mut self) -> Option<Session> {
        let security = &self.secure.security;
        if security.start == Start::Upgrade {
            self.attempt(Self::ask_for_tls)?;
            self.session = self.verdict.check(self.secure.upgrade(self.session, false, self.verdict))?;
        }
        match &security.auth {
            Some(auth) => self.log_in(auth),
            None => Some(self.session),
        }
    }

    /// Logs in.
    pub fn log_in(mut self, auth: &Auth) -> Option<Session> {
        self.attempt(|opening| opening.authenticate(auth))?;
        Some(self.session)
    }

    /// Does a step. If it fails, that is told, and leave is taken of the server, where that waits for a command.
    fn attempt(&mut self, step: impl FnOnce(&mut Self) -> Result<(), Failure>) -> Option<()> {
        let done = self.verdict.check(step(self));
        let standing = self.session.standing();
        let is_asked = standing.phase == Phase::Command && standing.outstanding == 0;
        if done.is_none() && is_asked && !standing.is_closing && standing.surprise.is_none() {
            let _ = self.command("QUIT");
        }
        done
    }

    fn ask_for_tls(&mut self) -> Result<(), Failure> {
        self.greet()?;
        if !self.session.extensions().unwrap_or_default().has("STARTTLS") {
            let peer = self.session.peer();
            let message = format!("{peer} does not offer STARTTLS: somebody between may have taken it out");
            return Err(Failure::new(Status::Protocol, message));
        }
        let reply = self.command("STARTTLS")?;
        if self.session.phase() == Phase::StartTls { Ok(()) } else { Err(refused("STARTTLS", &reply)) }
    }

    /// Reads the greeting if it is due, and says EHLO unless that was said.
    pub fn greet(&mut self) -> Result<(), Failure> {
        if self.session.phase() == Phase::Greeting {
            let greeting = self.session.read_reply();
            let greeting = self.shown(greeting)?;
            if !greeting.is_granted() {
                let fault = Fault::of_refusal(greeting.code());
                return Err(Failure::new(fault.into(), "the greeting grants no session"));
            }
        }
        if self.session.extensions().is_none() {
            let asked = self.secure.security.helo.as_deref();
            let name = asked.map_or_else(|| own_name(self.session.local_address()), str::to_owned);
            let reply = self.command(&format!("EHLO {name}"))?;
            if !reply.is_granted() {
                return Err(refused("EHLO", &reply));
            }
        }
        Ok(())
    }

    /// Sends a command, and shows it and its reply.
    fn command(&mut self, line: &str) -> Result<Reply, Failure> {
        self.secure.note_command(&visible(line).to_string());
        let reply = self.session.command(line);
        self.shown(reply)
    }

    /// Shows a reply, or what came of it. A reader that has gone is told when the session is handed over.
    fn shown(&mut self, reply: Result<Reply, Error>) -> Result<Reply, Failure> {
        match &reply {
            Ok(reply) => drop(self.screen.show(reply.raw())),
            Err(Error::Timeout { partial, .. } | Error::Closed { partial, .. }) => {
                drop(self.screen.show(partial));
                self.screen.show_rest(partial);
            }
            Err(_) => {}
        }
        reply.map_err(|error| self.verdict.failure_of(&error))
    }
}

/// Returns that a command was not granted.
fn refused(command: &str, reply: &Reply) -> Failure {
    let told = match reply.meaning() {
        Meaning::Closing => format!("the server closes instead of granting {command}"),
        _ => format!("{command} was refused"),
    };
    Failure::new(Fault::of_refusal(reply.code()).into(), told)
}
