//! The steps before a session is handed over, or a message sent: the greeting, who is there, TLS, AUTH.

use mconnect_core::protocol::{ClientAttribute, Meaning, Phase, Reply};
use mconnect_core::script::Fault;
use mconnect_core::{Error, Session, own_name};

use crate::failure::{Failure, Status};
use crate::options::{Options, Start};
use crate::screen::Screen;
use crate::secure::Secure;
use crate::verdict::Verdict;

/// What a session is opened by. What passes is shown by whoever observes it.
pub struct Opening<'a> {
    pub options: &'a Options,
    pub secure: &'a Secure,
    pub verdict: &'a Verdict,
}

impl Opening<'_> {
    /// Returns whether the options ask for steps that are commands.
    pub fn is_asked_for(options: &Options) -> bool {
        options.security.start != Start::ByHand || options.security.auth.is_some() || options.roads.introduces()
    }

    /// Begins another session: starts TLS if it is to start with the first byte.
    ///
    /// # Errors
    /// A failure that says what is wrong.
    pub fn reach(&self, session: Session) -> Result<Session, Failure> {
        self.secure.forget();
        self.secure.begin_tls(session, self.verdict)
    }

    /// Does the commands that the options ask for; nothing if one of them ended the session, which has been told.
    pub fn run(&self, mut session: Session) -> Option<Session> {
        let security = &self.options.security;
        if security.start == Start::Upgrade {
            session = self.attempt(session, |session| {
                self.introduce(session)?;
                self.ask_for_tls(session)
            })?;
            session = self.verdict.check(self.secure.upgrade(session, false, self.verdict))?;
        }
        if self.options.roads.introduces() {
            session = self.attempt(session, |session| {
                self.introduce(session)?;
                self.present(session, |session| self.introduce(session))
            })?;
        }
        match &security.auth {
            Some(auth) => self.attempt(session, |session| {
                self.introduce(session)?;
                self.secure.log_in(session, auth, self.verdict)
            }),
            None => Some(session),
        }
    }

    /// Does a step. If it fails, that is told, and leave is taken of the server.
    pub fn attempt(
        &self,
        mut session: Session,
        step: impl FnOnce(&mut Session) -> Result<(), Failure>,
    ) -> Option<Session> {
        match self.verdict.check(step(&mut session)) {
            Some(()) => Some(session),
            None => {
                leave(session);
                None
            }
        }
    }

    /// Reads the greeting.
    pub fn greet(&self, session: &mut Session) -> Result<(), Failure> {
        let greeting = session.greeting();
        self.granted("the greeting", greeting)
    }

    /// Asks for TLS.
    pub fn ask_for_tls(&self, session: &mut Session) -> Result<(), Failure> {
        if !session.extensions().unwrap_or_default().has("STARTTLS") {
            let peer = session.peer();
            let message = format!("{peer} does not offer STARTTLS: somebody between may have taken it out");
            return Err(Failure::new(Status::Protocol, message));
        }
        let reply = session.command("STARTTLS");
        self.granted("STARTTLS", reply)
    }

    /// Says whom the server is to take the client for, if the options do. XCLIENT begins the session anew, with `hello`.
    pub fn present(
        &self,
        session: &mut Session,
        hello: impl FnOnce(&mut Session) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.say_of_client("XCLIENT", &self.options.roads.xclient, session)? {
            hello(session)?;
        }
        self.say_of_client("XFORWARD", &self.options.roads.xforward, session).map(drop)
    }

    /// Says a command of these attributes if there are any, and returns whether there were.
    fn say_of_client(
        &self,
        verb: &'static str,
        attributes: &[ClientAttribute],
        session: &mut Session,
    ) -> Result<bool, Failure> {
        if attributes.is_empty() {
            return Ok(false);
        }
        match ClientAttribute::require(verb, attributes, &session.extensions().unwrap_or_default()) {
            Err(need) if !self.options.roads.is_forced => {
                let message = format!("will not say {verb} to {}: {need}", session.peer());
                Err(Failure::new(Status::Unavailable, message).hint("; --xclient-anyway says it all the same"))
            }
            _ => {
                let reply = session.command(ClientAttribute::command(verb, attributes));
                self.granted(verb, reply).map(|()| true)
            }
        }
    }

    /// Returns the name of this machine, as the options or the address have it.
    pub fn name(&self, session: &Session) -> String {
        let asked = self.options.security.helo.as_deref();
        asked.map_or_else(|| own_name(session.local_address()), str::to_owned)
    }

    /// Reads the greeting if it is due, and says EHLO unless that was said.
    fn introduce(&self, session: &mut Session) -> Result<(), Failure> {
        if session.phase() == Phase::Greeting {
            self.greet(session)?;
        }
        if session.extensions().is_some() {
            return Ok(());
        }
        let reply = session.command(format!("EHLO {}", self.name(session)));
        self.granted("EHLO", reply)
    }

    /// Has something granted by the reply to it, or makes a failure of that.
    pub fn granted(&self, what: &str, reply: Result<Reply, Error>) -> Result<(), Failure> {
        let reply = reply.map_err(|error| self.failed(&error))?;
        let told = match reply.meaning() {
            Meaning::Granted | Meaning::Unusual => return Ok(()),
            Meaning::Closing => format!("the server closes instead of granting {what}"),
            _ if what == "the greeting" => "the greeting grants no session".to_owned(),
            Meaning::OutOfStep => {
                let message = format!("out of step: {what} was answered by {}", reply.code());
                return Err(Failure::new(Status::Protocol, message));
            }
            _ => format!("{what} was refused"),
        };
        Err(Failure::new(Fault::of_refusal(reply.code()).into(), told))
    }

    /// Makes a failure of an error, and shows what came of a line that did not end.
    pub fn failed(&self, error: &Error) -> Failure {
        if let Error::Timeout { partial, .. } = error {
            let rest = partial.rsplit(|octet| *octet == b'\n').next().unwrap_or_default();
            let mut screen = Screen::of(self.options.output);
            let _ = screen.show(rest);
            screen.show_rest(rest);
        }
        self.verdict.failure_of(error)
    }
}

/// Says QUIT where the server waits for a command. What is wrong then is told no more.
pub fn leave(session: Session) {
    if session.standing().takes_command() {
        drop(session.quit());
    }
}
