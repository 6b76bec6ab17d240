//! The steps before a session is handed over.

use mconnect_core::protocol::{Meaning, Phase, Reply, Request};
use mconnect_core::{Error, Session, own_name};

use super::{Secure, visible};
use crate::failure::{Failure, Status};
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
    pub fn start_tls(mut self) -> Option<Self> {
        self.greet()?;
        let extensions = self.session.extensions().unwrap_or_default();
        if !extensions.has("STARTTLS") {
            let peer = self.session.peer();
            let message = format!("{peer} does not offer STARTTLS: somebody between may have taken it out");
            self.verdict.complain(Failure::new(Status::Protocol, message));
            return self.leave();
        }
        let reply = self.command("STARTTLS")?;
        if self.session.phase() != Phase::StartTls {
            return self.refused("STARTTLS", &reply);
        }
        let session = self.secure.upgrade(self.session, false, self.verdict)?;
        Some(Self { session, ..self })
    }

    /// Reads the greeting if it is due, and says EHLO unless that was said.
    pub fn greet(&mut self) -> Option<()> {
        if self.session.phase() == Phase::Greeting {
            let greeting = self.session.read_reply();
            let greeting = self.shown(greeting)?;
            if !greeting.is_granted() {
                let status = Status::of_refusal(greeting.code());
                self.verdict.complain(Failure::new(status, "the greeting grants no session"));
                return if greeting.meaning().is_refusal() { self.leave() } else { None };
            }
        }
        if self.session.extensions().is_none() {
            let asked = self.secure.security.helo.as_deref();
            let name = asked.map_or_else(|| own_name(self.session.local_address()), str::to_owned);
            let reply = self.command(&format!("EHLO {name}"))?;
            if !reply.is_granted() {
                return self.refused("EHLO", &reply);
            }
        }
        Some(())
    }

    /// Tells that a command was not granted, and takes leave.
    fn refused<T>(&mut self, command: &str, reply: &Reply) -> Option<T> {
        let told = match reply.meaning() {
            Meaning::Closing => format!("the server closes instead of granting {command}"),
            _ => format!("{command} was refused"),
        };
        self.verdict.complain(Failure::new(Status::of_refusal(reply.code()), told));
        self.leave()
    }

    /// Sends a command, and shows it and its reply.
    fn command(&mut self, line: &str) -> Option<Reply> {
        self.secure.note(&format!("> {}", visible(line)));
        let reply = self.session.command(line);
        self.shown(reply)
    }

    fn shown(&mut self, reply: Result<Reply, Error>) -> Option<Reply> {
        match reply {
            Ok(reply) => {
                self.show(&reply);
                Some(reply)
            }
            Err(error) => {
                if let Error::Timeout { partial, .. } | Error::Closed { partial, .. } = &error {
                    let _ = self.screen.show(partial);
                }
                self.verdict.failed(&error);
                None
            }
        }
    }

    /// A reader that has gone is told when the session is handed over.
    fn show(&mut self, reply: &Reply) {
        let _ = self.screen.show(reply.raw());
        if reply.code().number() == 421 && reply.request() != Some(Request::Quit) {
            self.verdict.fail(Status::Temporary);
        }
    }

    /// Takes leave of the server, where that waits for a command.
    pub fn leave<T>(&mut self) -> Option<T> {
        let standing = self.session.standing();
        if standing.phase == Phase::Command && !standing.is_closing {
            let _ = self.command("QUIT");
        }
        None
    }
}
