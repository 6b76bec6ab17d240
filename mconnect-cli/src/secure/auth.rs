//! AUTH: by which mechanism, whether the password may go out, and the exchange before a session is handed over.

use mconnect_core::auth::{Credentials, Exchange, Mechanism, decode};
use mconnect_core::protocol::{Code, Extensions, Meaning, Request, Visible};
use mconnect_core::{ChannelBindings, Peer};

use super::opening::Opening;
use super::{Secure, password};
use crate::failure::{Failure, Status};
use crate::options::{Auth, Security};

/// Looks whether there is such a mechanism, before anything is connected to.
///
/// # Errors
/// A failure that says what is wrong.
pub fn check(security: &Security) -> Result<(), Failure> {
    match security.auth.as_ref().and_then(|auth| auth.mechanism.as_ref()) {
        Some(name) => named(name).map(drop).map_err(|message| Failure::new(Status::Usage, message)),
        None => Ok(()),
    }
}

fn named(name: &str) -> Result<Mechanism, String> {
    Mechanism::from_name(name.as_bytes()).ok_or_else(|| {
        let known = Mechanism::ALL.iter().map(|mechanism| mechanism.name()).collect::<Vec<_>>().join(", ");
        format!("{name:?} is no mechanism that is known here: {known}")
    })
}

impl Secure {
    /// Chooses the mechanism: the one that is asked for, or the best that the server advertises.
    ///
    /// # Errors
    /// A sentence that says why there is none.
    pub fn mechanism(
        &self,
        asked: Option<&str>,
        offered: &Extensions,
        channel: &ChannelBindings,
        peer: &Peer,
    ) -> Result<Mechanism, String> {
        if let Some(name) = asked {
            return named(name);
        }
        let names = offered.auth_mechanisms();
        let is_external = |name: &&[u8]| Mechanism::from_name(name) == Some(Mechanism::External);
        let by_certificate = || names.iter().copied().find(is_external).filter(|_| self.security.certificate.is_some());
        match (Mechanism::best(offered, channel), names.as_slice()) {
            (Some(mechanism), _) => Ok(mechanism),
            (None, []) => {
                Err(format!("{peer} does not offer AUTH here; many servers offer it inside TLS only (--starttls)"))
            }
            (None, _) if by_certificate().is_some() => Ok(Mechanism::External),
            (None, names) => {
                Err(format!("{peer} offers no mechanism that takes a password, only {}", Visible(&names.join(&b' '))))
            }
        }
    }

    /// Looks whether the mechanism would send the password to another machine in the clear, or what it can be guessed
    /// from.
    ///
    /// # Errors
    /// A sentence that says so.
    pub fn require_hidden(&self, mechanism: Mechanism, peer: &Peer) -> Result<(), String> {
        let is_local = peer.address().is_some_and(|address| address.ip().to_canonical().is_loopback());
        let is_hidden = self.agreed.borrow().is_some() || mechanism == Mechanism::External || is_local;
        if is_hidden || self.security.allows_plaintext_auth {
            return Ok(());
        }
        let what = if mechanism.sends_secret() { "the password" } else { "what the password can be guessed from" };
        Err(format!(
            "{mechanism} would send {what} in the clear: STARTTLS (--starttls, --tls) hides it, and \
             --allow-plaintext-auth sends it all the same"
        ))
    }

    /// Begins an exchange by a mechanism that was named, or chosen.
    pub fn exchange(&self, mechanism: Mechanism, is_named: bool, credentials: &Credentials, peer: &Peer) -> Exchange {
        let exchange = Exchange::new(mechanism, credentials).host(peer.name());
        let exchange = if is_named { exchange.named() } else { exchange };
        if self.security.allows_plaintext_auth { exchange.allow_few_rounds() } else { exchange }
    }

    /// Says why the server may be another than the one that was asked for, if TLS could not prove it and nobody has said
    /// yet that this does not matter.
    pub fn doubt(&self) -> Option<String> {
        let agreed = self.agreed.borrow();
        let info = agreed.as_ref().filter(|info| !info.is_verified() && !self.security.is_insecure)?;
        Some(self.told_in_full(info.reason()))
    }

    /// Returns whether a command gives the password: it may ask for something at the terminal.
    pub fn has_password_command(&self) -> bool {
        self.security.password_command.is_some()
    }

    /// Returns the password, if an option or the environment has it.
    ///
    /// # Errors
    /// A failure that says what is wrong.
    pub fn password(&self) -> Result<Option<password::Secret>, Failure> {
        password::given(&self.security)
    }
}

/// Returns whether a word names a mechanism.
pub fn is_mechanism(word: &str) -> bool {
    Mechanism::from_name(word.as_bytes()).is_some()
}

/// Says that an exchange was refused by this code, and by which mechanism it is not for want of a bond to the TLS
/// connection; or that the server closes instead.
pub fn refused(user: &str, mechanism: Mechanism, code: Code) -> String {
    if Meaning::of(Some(Request::Auth), code) == Meaning::Closing {
        return "the server closes instead of granting AUTH".to_owned();
    }
    let refused = format!("authentication as {user} by {mechanism} was refused");
    match mechanism.unbound() {
        None => refused,
        Some(unbound) => format!(
            "{refused}: the password is wrong, the server binds to something else, or somebody between has another TLS \
             connection with it; {unbound} is not bound to the connection ({user}:{unbound})"
        ),
    }
}

impl Opening<'_> {
    /// Does the exchange; nothing if that ended the session, which has been told.
    pub fn authenticate(&mut self, auth: &Auth) -> Option<()> {
        self.greet()?;
        let (secure, peer) = (self.secure, self.session.peer().clone());
        let offered = self.session.extensions().unwrap_or_default();
        let mechanism = secure
            .mechanism(auth.mechanism.as_deref(), &offered, &self.session.channel_bindings(), &peer)
            .and_then(|mechanism| secure.require_hidden(mechanism, &peer).map(|()| mechanism))
            .map_err(|message| Failure::new(Status::Auth, message));
        let prepared = mechanism.and_then(|mechanism| {
            let secret = match mechanism {
                Mechanism::External => password::Secret::default(),
                _ => match secure.password()? {
                    Some(secret) => secret,
                    None => password::ask(&auth.user)?,
                },
            };
            Ok((mechanism, secret))
        });
        let (mechanism, secret) = match prepared {
            Ok(prepared) => prepared,
            Err(failure) => {
                self.verdict.complain(failure);
                return self.leave();
            }
        };
        let credentials = Credentials::new(&auth.user, &secret);
        let exchange = secure.exchange(mechanism, auth.mechanism.is_some(), &credentials, &peer);
        secure.note(&format!("> AUTH {mechanism} (answers not shown)"));
        let screen = &mut self.screen;
        let ended = self.session.authenticate_with(exchange, |reply| {
            let _ = screen.show(reply.raw());
            let challenge = decode(&reply.text()).filter(|text| reply.code() == Code::CHALLENGE && !text.is_empty());
            if let Some(challenge) = challenge {
                secure.note(&format!("  that is: {}", Visible(&challenge)));
            }
        });
        match ended {
            Ok(reply) if reply.is_granted() => Some(()),
            Ok(reply) => {
                let status = match reply.meaning() {
                    Meaning::Closing => Status::of_refusal(reply.code()),
                    _ => Status::of_refused_auth(reply.code()),
                };
                self.verdict.complain(Failure::new(status, refused(&auth.user, mechanism, reply.code())));
                self.leave()
            }
            // The session goes on after an exchange that was cancelled, but nobody is there to go on with it.
            Err(error @ mconnect_core::Error::Auth { .. }) => {
                self.verdict.complain(Failure { status: Status::Auth, ..self.verdict.failure_of(&error) });
                self.leave()
            }
            // Some servers drop the connection when they are to bind to what they do not know.
            Err(error) => {
                let hint = mechanism.unbound().map(|unbound| format!("; {unbound} is not bound to the connection"));
                self.verdict.complain(self.verdict.failure_of(&error).hint(&hint.unwrap_or_default()));
                None
            }
        }
    }
}
