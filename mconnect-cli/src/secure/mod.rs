//! TLS and AUTH: what the options ask for before a session is handed over, and STARTTLS during it.

mod auth;
mod password;

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use mconnect_core::protocol::{Phase, Reply, Request, Visible};
use mconnect_core::server::{Identity, Server, ServerError, Setup};
use mconnect_core::tls::{Certificate, Config, Fingerprint, Info, date};
use mconnect_core::{Error, Session};

use crate::args::{Options, Security, Start};
use crate::failure;
use crate::screen::Screen;
use crate::verdict::{Verdict, reason, say, status};

/// What was asked for, made ready.
pub struct Secure {
    config: Config,
    security: Security,
    is_quiet: bool,
    /// What the prompt says of the connection.
    mark: Cell<&'static str>,
}

impl Secure {
    /// Reads the files that the options name, before anything is connected to.
    ///
    /// # Errors
    /// An exit status and what is wrong.
    pub fn prepare(options: &Options) -> Result<Self, (u8, String)> {
        let security = options.security.clone();
        // What is wrong is known and shown either way; what comes of it is decided here.
        let mut config = Config::new().insecure().log_keys();
        if let Some(name) = &security.name {
            config = config.name(name);
        }
        if security.is_13_only {
            config = config.only_13();
        }
        if let Some(pin) = security.pin.as_deref().and_then(Fingerprint::parse) {
            config = config.pin(pin);
        }
        if let Some(path) = &security.authorities {
            config = config.authorities(&read(path)?).map_err(|error| wrong(path, &error.to_string()))?;
        }
        if let Some(path) = &security.certificate {
            let key_path = security.key.as_ref().unwrap_or(path);
            let (chain, key) = (read(path)?, read(key_path)?);
            config = config.identity(&chain, &key).map_err(|error| wrong(key_path, &error.to_string()))?;
        }
        if security.key.is_some() && security.certificate.is_none() {
            return Err((status::USAGE, "--key goes with --cert".to_owned()));
        }
        auth::check(&security)?;
        Ok(Self { config, security, is_quiet: options.is_quiet, mark: Cell::new("") })
    }

    /// Starts the demo's server, whose certificate is trusted then.
    ///
    /// # Errors
    /// What the server says.
    pub fn demo(&mut self) -> Result<Server, ServerError> {
        let identity = Identity::self_signed(["127.0.0.1", "localhost"]);
        if self.security.authorities.is_none()
            && let Ok(config) = self.config.clone().authorities(identity.pem().as_bytes())
        {
            self.config = config;
        }
        let setup = Setup::new().tls(&identity).auth([("user", "pencil")]);
        if self.security.start == Start::First { setup.tls_first().start() } else { setup.start() }
    }

    /// Does what is to be done before the session is handed over; nothing if that ended it, which has been told.
    pub fn begin(&self, session: Session, verdict: &Verdict) -> Option<Session> {
        self.mark.set("");
        if self.security.start == Start::ByHand && self.security.auth.is_none() {
            return Some(session);
        }
        let is_encrypted = self.security.start == Start::First;
        let session = match self.security.start {
            Start::First => self.upgrade(session, false, verdict)?,
            _ => session,
        };
        let mut opening = Opening { secure: self, session, screen: Screen::new(), verdict, is_encrypted };
        match self.security.start {
            Start::Upgrade => opening = opening.start_tls()?,
            Start::ByHand | Start::First => {}
        }
        if let Some(auth) = &self.security.auth {
            opening.authenticate(auth)?;
        }
        Some(opening.session)
    }

    /// Says how the connection is protected, if it is: for the prompt.
    pub fn mark(&self) -> &'static str {
        self.mark.get()
    }

    /// Says whether STARTTLS starts TLS.
    pub fn upgrades(&self) -> bool {
        !self.security.is_left_plain
    }

    /// Starts TLS, and says what was agreed; nothing if that ended the session, which has been told. At a terminal, a
    /// server that is not proven does not end it.
    pub fn upgrade(&self, session: Session, is_typed: bool, verdict: &Verdict) -> Option<Session> {
        let peer = session.peer().clone();
        let (session, info) = match session.upgrade(&self.config) {
            Ok(upgraded) => upgraded,
            Err(error) => {
                verdict.complain(failure::status(&error), &failure::describe(&error));
                return None;
            }
        };
        self.tell(&info, verdict);
        self.mark.set(if info.is_verified() { ", tls" } else { ", tls unverified" });
        if info.is_verified() || self.security.is_insecure {
            return Some(session);
        }
        let reason = visible(&format!("cannot trust {peer}: {}", info.reason()));
        if is_typed {
            say(&format!("mconnect: {reason}; going on UNVERIFIED"));
            return Some(session);
        }
        verdict.complain(status::PROTOCOL, &format!("{reason}; -k goes on in spite of it"));
        let mut session = session;
        // TLS's farewell; nothing is waited for.
        let _ = session.half_close();
        None
    }

    /// Says something that is no error.
    pub fn note(&self, message: &str) {
        if !self.is_quiet {
            say(message);
        }
    }

    fn tell(&self, info: &Info, verdict: &Verdict) {
        self.note(&visible(&info.to_string()));
        if self.security.is_verbose {
            for (index, certificate) in info.certificates.iter().enumerate() {
                for line in describe(index, certificate) {
                    say(&visible(&line));
                }
            }
        }
        if let Some(path) = &self.security.save_chain {
            let pem: String = info.certificates.iter().map(Certificate::to_pem).collect();
            if let Err(error) = fs::write(path, pem) {
                let reason = reason(&error.to_string());
                verdict.complain(status::IO, &format!("cannot write {}: {reason}", path.display()));
            }
        }
    }
}

/// The steps before a session is handed over.
struct Opening<'a> {
    secure: &'a Secure,
    session: Session,
    screen: Screen,
    verdict: &'a Verdict,
    is_encrypted: bool,
}

impl Opening<'_> {
    fn start_tls(mut self) -> Option<Self> {
        self.greet()?;
        let extensions = self.session.extensions().unwrap_or_default();
        if !extensions.has("STARTTLS") {
            let peer = self.session.peer();
            let message = format!("{peer} does not offer STARTTLS: somebody between may have taken it out");
            self.verdict.complain(status::PROTOCOL, &message);
            return self.leave();
        }
        let reply = self.command("STARTTLS")?;
        if self.session.phase() != Phase::StartTls {
            self.verdict.complain(failure::status_of_refusal(reply.code()), "STARTTLS was refused");
            return self.leave();
        }
        let session = self.secure.upgrade(self.session, false, self.verdict)?;
        Some(Self { session, is_encrypted: true, ..self })
    }

    /// Reads the greeting if it is due, and says EHLO unless that was said.
    fn greet(&mut self) -> Option<()> {
        if self.session.phase() == Phase::Greeting {
            let greeting = self.session.read_reply();
            let greeting = self.shown(greeting)?;
            if !greeting.is_positive() {
                self.verdict.fail(failure::status_of_refusal(greeting.code()));
                return None;
            }
        }
        if self.session.extensions().is_none() {
            let name = self.secure.security.helo.clone().unwrap_or_else(|| own_name(&self.session));
            let reply = self.command(&format!("EHLO {name}"))?;
            if !reply.is_positive() {
                self.verdict.complain(failure::status_of_refusal(reply.code()), "EHLO was refused");
                return self.leave();
            }
        }
        Some(())
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
                self.verdict.complain(failure::status(&error), &failure::describe(&error));
                None
            }
        }
    }

    /// A reader that has gone is told when the session is handed over.
    fn show(&mut self, reply: &Reply) {
        let _ = self.screen.show(reply.raw());
        if reply.code().number() == 421 && reply.request() != Some(Request::Quit) {
            self.verdict.fail(status::TEMPORARY);
        }
    }

    /// Takes leave of the server.
    fn leave<T>(&mut self) -> Option<T> {
        if self.session.phase() == Phase::Command {
            let _ = self.command("QUIT");
        }
        None
    }
}

fn describe(index: usize, certificate: &Certificate) -> [String; 7] {
    let days = certificate.days_left(SystemTime::now());
    [
        format!("certificate {index}: {}", certificate.subject),
        format!("  issuer      {}", certificate.issuer),
        format!("  names       {}", certificate.names.join(" ")),
        format!("  valid       {} to {} ({days} days left)", date(certificate.not_before), date(certificate.not_after)),
        format!("  key         {}, signature {}", certificate.key, certificate.signature),
        format!("  SHA-256     {}", certificate.fingerprint),
        format!("  key SHA-256 {}", certificate.key_fingerprint),
    ]
}

/// The name of this machine if it is a whole one, and otherwise its address
/// ([RFC 5321, section 4.1.4](https://www.rfc-editor.org/rfc/rfc5321#section-4.1.4)).
fn own_name(session: &Session) -> String {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    match (name.filter(|name| name.contains('.')), session.local_address()) {
        (Some(name), _) => name,
        (None, Some(address)) if address.is_ipv4() => format!("[{}]", address.ip()),
        (None, Some(address)) => format!("[IPv6:{}]", address.ip()),
        (None, None) => "localhost".to_owned(),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, (u8, String)> {
    fs::read(path)
        .map_err(|error| (status::NO_INPUT, format!("cannot read {}: {}", path.display(), reason(&error.to_string()))))
}

fn wrong(path: &Path, reason: &str) -> (u8, String) {
    (status::USAGE, format!("cannot use {}: {reason}", path.display()))
}

/// What comes from the server must not steer the terminal.
fn visible(text: &str) -> String {
    Visible(text.as_bytes()).to_string()
}
