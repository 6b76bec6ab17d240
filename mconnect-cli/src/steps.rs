//! The steps of a session before it is handed over, as far as they need no TLS: greeting, EHLO, XCLIENT, XFORWARD.

use mconnect_core::protocol::{Meaning, Phase, Reply, Visible};
use mconnect_core::script::Fault;
use mconnect_core::{Error, Session, own_name};

use crate::failure::{Failure, Status};
use crate::introduction;
use crate::options::{Options, Output, Roads};
use crate::screen::Screen;
use crate::stderr::say;
use crate::verdict::Verdict;

/// How the steps are done, and shown.
pub struct Manner {
    pub helo: Option<String>,
    pub roads: Roads,
    pub is_quiet: bool,
    pub output: Output,
}

impl Manner {
    pub fn of(options: &Options) -> Self {
        let (helo, roads) = (options.security.helo.clone(), options.roads.clone());
        Self { helo, roads, is_quiet: options.is_quiet, output: options.output }
    }

    /// Says something that is no error.
    pub fn note(&self, message: &str) {
        if !self.is_quiet {
            say(message);
        }
    }

    /// Says what is sent in the client's stead, unless all that is sent is shown.
    pub fn note_command(&self, line: &str) {
        if !self.output.has_sides {
            self.note(&format!("> {line}"));
        }
    }
}

/// A session that is not handed over yet.
pub struct Steps<'a> {
    pub manner: &'a Manner,
    pub session: Session,
    pub screen: Screen,
    pub verdict: &'a Verdict,
}

impl<'a> Steps<'a> {
    pub fn new(manner: &'a Manner, session: Session, verdict: &'a Verdict) -> Self {
        Self { manner, session, screen: Screen::of(manner.output), verdict }
    }

    /// Says whom the server is to take the client for, if the options do; nothing if that ended the session, which has
    /// been told.
    pub fn introduced(mut self) -> Option<Self> {
        if self.manner.roads.introduces() {
            let done = self.introduce();
            self.check(done)?;
        }
        Some(self)
    }

    fn introduce(&mut self) -> Result<(), Failure> {
        self.greet()?;
        if let Some(line) = introduction::xclient(&self.manner.roads, &self.session)? {
            self.granted(&line, "XCLIENT")?;
            self.greet()?;
        }
        if let Some(line) = introduction::xforward(&self.manner.roads, &self.session)? {
            self.granted(&line, "XFORWARD")?;
        }
        Ok(())
    }

    /// Returns what a step came to, if anything. If it failed, that is told, and leave is taken of the server, where that
    /// waits for a command.
    pub fn check<T>(&mut self, done: Result<T, Failure>) -> Option<T> {
        let done = self.verdict.check(done);
        let standing = self.session.standing();
        let is_asked = standing.phase == Phase::Command && standing.outstanding == 0;
        if done.is_none() && is_asked && !standing.is_closing && standing.surprise.is_none() {
            let _ = self.command("QUIT");
        }
        done
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
            let asked = self.manner.helo.as_deref();
            let name = asked.map_or_else(|| own_name(self.session.local_address()), str::to_owned);
            self.granted(&format!("EHLO {name}"), "EHLO")?;
        }
        Ok(())
    }

    /// Sends a command, which has to be granted.
    pub fn granted(&mut self, line: &str, name: &str) -> Result<(), Failure> {
        let reply = self.command(line)?;
        if reply.is_granted() { Ok(()) } else { Err(refused(name, &reply)) }
    }

    /// Sends a command, and shows it and its reply.
    pub fn command(&mut self, line: &str) -> Result<Reply, Failure> {
        self.manner.note_command(&Visible(line.as_bytes()).to_string());
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
pub fn refused(command: &str, reply: &Reply) -> Failure {
    let told = match reply.meaning() {
        Meaning::Closing => format!("the server closes instead of granting {command}"),
        Meaning::OutOfStep => {
            return Failure::new(Status::Protocol, format!("out of step: {command} was answered by {}", reply.code()));
        }
        _ => format!("{command} was refused"),
    };
    Failure::new(Fault::of_refusal(reply.code()).into(), told)
}
