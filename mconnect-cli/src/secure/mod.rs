//! TLS and AUTH: what the options ask for before a session is handed over, and STARTTLS during it.

mod auth;
mod chain;
mod password;
mod played;

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::thread;

use mconnect_core::dialogue::Player;
use mconnect_core::protocol::Visible;
use mconnect_core::server::{Identity, Server, ServerError, Setup};
use mconnect_core::tls::{Config, ConfigError, Info};
use mconnect_core::{Error, Session};

pub use mconnect_core::auth::decode;

use crate::atomic_file;
use crate::failure::{Failure, Status};
use crate::options::{Options, Security, Start};
use crate::paint::{Mark, Tone};
use crate::stderr::{self, say};
use crate::terminal::is_color_wanted;
use crate::verdict::Verdict;
pub use auth::refused;

/// What was asked for, made ready.
pub struct Secure {
    /// A server that is not proven is a failure, unless the options say otherwise.
    config: Config,
    security: Security,
    is_quiet: bool,
    has_color: bool,
    is_demo: bool,
    /// What TLS agreed on, if it was started.
    agreed: RefCell<Option<Info>>,
    user: RefCell<Option<String>>,
}

impl Secure {
    /// Reads the files that the options name, before anything is connected to.
    ///
    /// # Errors
    /// A failure that says what is wrong.
    pub fn prepare(options: &Options) -> Result<Self, Failure> {
        let security = options.security.clone();
        let mut config = security.pin.into_iter().fold(Config::new().log_keys(), Config::pin);
        config = security.name.iter().fold(config, |config, name| config.name(&name.name));
        if security.is_13_only {
            config = config.only_13();
        }
        if let Some(path) = &security.authorities {
            config = config.authorities(&read(path)?).map_err(|error| wrong(path, &error))?;
        }
        if let Some((path, key_path)) = identity(&security) {
            let (chain, key) = (read(path)?, read(key_path)?);
            config = config.identity(&chain, &key).map_err(|error| match error {
                ConfigError::Pem("certificate") => wrong(path, &error),
                error => wrong(key_path, &error),
            })?;
        }
        if security.is_insecure {
            config = config.insecure();
        }
        let has_color = stderr::is_shown() && is_color_wanted(options.prompt.color);
        Ok(Self {
            config,
            security,
            is_quiet: options.is_quiet,
            has_color,
            is_demo: false,
            agreed: RefCell::default(),
            user: RefCell::default(),
        })
    }

    /// Starts the demo's server, whose certificate is trusted then.
    ///
    /// # Errors
    /// What the server says.
    pub fn demo(&mut self) -> Result<Server, ServerError> {
        self.is_demo = true;
        let identity = Identity::self_signed(["127.0.0.1", "localhost"]);
        if self.security.authorities.is_none()
            && let Ok(config) = self.config.clone().authorities(identity.pem().as_bytes())
        {
            self.config = config;
        }
        let setup = Setup::new().tls(&identity).auth([("user", "pencil")]);
        if self.security.start == Start::First { setup.tls_first().start() } else { setup.start() }
    }

    /// Reads the trust store beside connecting, since it is a hundred files and more: if an option speaks of TLS, and none of
    /// whom to trust. To be called after signals are watched.
    pub fn read_ahead(&self) {
        let Security { start, is_insecure, is_13_only, name, authorities, pin, .. } = &self.security;
        let is_expected = *start != Start::ByHand || *is_insecure || *is_13_only || name.is_some();
        if is_expected && authorities.is_none() && pin.is_none() && !self.is_demo {
            let config = self.config.clone();
            // Without a thread it is read when it is asked.
            let _ = thread::Builder::new().name("trust store".to_owned()).spawn(move || config.read_trust_store());
        }
    }

    /// Forgets the session before.
    pub fn forget(&self) {
        self.agreed.take();
        self.user.take();
    }

    /// Starts TLS if it is to start with the first byte.
    ///
    /// # Errors
    /// A failure that says what is wrong.
    pub fn begin_tls(&self, session: Session, verdict: &Verdict) -> Result<Session, Failure> {
        if self.security.start == Start::First { self.upgrade(session, false, verdict) } else { Ok(session) }
    }

    /// Returns how TLS is to be, and whom to trust.
    #[cfg_attr(not(feature = "probe"), allow(dead_code, reason = "who probes asks for it"))]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Tells a player whom to trust.
    pub fn prepare_player(&self, player: &mut Player<'_>) {
        player.tls(&self.config);
    }

    /// Returns as whom a session was authenticated, as far as that was done here.
    pub fn user(&self) -> Option<String> {
        self.user.borrow().clone()
    }

    /// Notes as whom a session was authenticated.
    pub fn authenticated(&self, user: &str) {
        self.user.replace(Some(Visible(user.as_bytes()).to_string()));
    }

    /// Says how the connection is protected, if it is: for the prompt.
    pub fn mark(&self) -> Mark {
        match &*self.agreed.borrow() {
            None => Mark::default(),
            Some(info) if info.is_verified() => Mark { words: "tls", tone: chain::tone(info) },
            Some(_) => Mark { words: "tls unverified", tone: Tone::Bad },
        }
    }

    /// Returns whether the session is inside TLS.
    pub fn is_in_tls(&self) -> bool {
        self.agreed.borrow().is_some()
    }

    /// Returns whether STARTTLS starts TLS.
    pub fn upgrades(&self) -> bool {
        !self.security.is_left_plain
    }

    /// Starts TLS, and says what was agreed. At a terminal, a server that is not proven is no failure, unless a client
    /// certificate would go to it.
    ///
    /// # Errors
    /// A failure that says what is wrong. The session is over then.
    pub fn upgrade(&self, session: Session, is_typed: bool, verdict: &Verdict) -> Result<Session, Failure> {
        let peer = session.peer().clone();
        let mut config = self.config.clone();
        if is_typed && self.security.certificate.is_none() {
            config = config.insecure();
        }
        let (session, info) = session.upgrade(&config).map_err(|error| {
            let failure = verdict.failure_of(&error);
            let Error::Untrusted { info, .. } = &error else { return failure };
            self.tell(info, false, verdict);
            Failure { message: self.told_in_full(failure.message), ..failure }.hint("; -k goes on in spite of it")
        })?;
        self.tell(&info, self.security.is_insecure, verdict);
        if !info.is_verified() && !self.security.is_insecure {
            let reason = self.told_in_full(info.reason());
            say(&format!("mconnect: cannot trust {peer}: {reason}; going on UNVERIFIED"));
        }
        self.agreed.replace(Some(info));
        Ok(session)
    }

    /// Tells a name that was asked for instead of the host's as it was written, too.
    fn told_in_full(&self, words: String) -> String {
        match &self.security.name {
            Some(name) => name.tell_in(words),
            None => words,
        }
    }
}

/// Sets up a server that plays: with the certificate that the options name, or one that is made for it.
///
/// # Errors
/// A failure that says what is wrong.
pub fn serving(security: &Security) -> Result<Setup, Failure> {
    let (setup, pem) = match identity(security) {
        Some((path, key_path)) => {
            let (chain, key) = (read(path)?, read(key_path)?);
            let setup = Setup::new().tls_pem(&chain, &key).map_err(|error| wrong(key_path, &error))?;
            (setup, String::from_utf8_lossy(&chain).into_owned())
        }
        None => {
            let identity = Identity::self_signed(["localhost", "127.0.0.1", "::1"]);
            (Setup::new().tls(&identity), identity.pem())
        }
    };
    if let Some(path) = &security.save_chain {
        atomic_file::write(path, &pem)?;
    }
    Ok(if security.start == Start::First { setup.tls_first() } else { setup })
}

/// Returns the files of the certificate that the options name, and of its key.
fn identity(security: &Security) -> Option<(&Path, &Path)> {
    let path = security.certificate.as_deref()?;
    Some((path, security.key.as_deref().unwrap_or(path)))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    fs::read(path).map_err(|error| Failure::cannot_read(path, &error))
}

fn wrong(path: &Path, error: &ConfigError) -> Failure {
    Failure::because(Status::Usage, format!("cannot use {}", path.display()), error)
}

/// TLS can be started.
pub const HAS_TLS: bool = true;
