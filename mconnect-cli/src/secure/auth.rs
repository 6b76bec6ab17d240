//! AUTH before a session is handed over.

use mconnect_core::auth::{Credentials, Exchange, Mechanism, decode};
use mconnect_core::protocol::{Code, Visible};

use super::{Opening, password};
use crate::args::{Auth, Security};
use crate::failure;
use crate::verdict::status;

/// Looks whether there is such a mechanism, before anything is connected to.
///
/// # Errors
/// An exit status and what is wrong.
pub fn check(security: &Security) -> Result<(), (u8, String)> {
    let Some(name) = security.auth.as_ref().and_then(|auth| auth.mechanism.as_ref()) else { return Ok(()) };
    match Mechanism::from_name(name.as_bytes()) {
        Some(_) => Ok(()),
        None => {
            let known = Mechanism::ALL.map(Mechanism::name).join(", ");
            Err((status::USAGE, format!("{name:?} is no mechanism that is known here: {known}")))
        }
    }
}

impl Opening<'_> {
    /// Does the exchange; nothing if that ended the session, which has been told.
    pub fn authenticate(&mut self, auth: &Auth) -> Option<()> {
        self.greet()?;
        let Some(mechanism) = self.mechanism(auth) else { return self.leave() };
        let is_safe = self.is_encrypted
            || !mechanism.sends_secret()
            || self.secure.security.allows_plaintext_auth
            || self.session.peer().address().is_some_and(|address| address.ip().is_loopback());
        if !is_safe {
            let message = format!(
                "{mechanism} would send the password in the clear: --starttls or --tls hide it, and \
                 --allow-plaintext-auth sends it all the same"
            );
            self.verdict.complain(status::AUTH, &message);
            return self.leave();
        }
        let secret = match mechanism {
            Mechanism::External => String::new(),
            _ => match password::find(&self.secure.security, &auth.user) {
                Ok(secret) => secret,
                Err((status, message)) => {
                    self.verdict.complain(status, &message);
                    return self.leave();
                }
            },
        };
        let host = self.session.peer().name().to_owned();
        let exchange = Exchange::new(mechanism, &Credentials::new(&auth.user, &secret)).host(&host);
        self.secure.note(&format!("> AUTH {mechanism} (answers not shown)"));
        let (screen, secure) = (&mut self.screen, self.secure);
        let ended = self.session.authenticate_with(exchange, |reply| {
            let _ = screen.show(reply.raw());
            let challenge = decode(&reply.text()).filter(|text| reply.code() == Code::CHALLENGE && !text.is_empty());
            if let Some(challenge) = challenge {
                secure.note(&format!("  that is: {}", Visible(&challenge)));
            }
        });
        match ended {
            Ok(reply) if reply.is_positive() => Some(()),
            Ok(reply) => {
                let is_temporary = reply.code().number() / 100 == 4;
                let status = if is_temporary { status::TEMPORARY } else { status::AUTH };
                self.verdict.complain(status, &format!("authentication as {} by {mechanism} was refused", auth.user));
                self.leave()
            }
            Err(error) => {
                let status = match error {
                    mconnect_core::Error::Auth { .. } => status::AUTH,
                    _ => failure::status(&error),
                };
                self.verdict.complain(status, &failure::describe(&error));
                None
            }
        }
    }

    fn mechanism(&self, auth: &Auth) -> Option<Mechanism> {
        let extensions = self.session.extensions().unwrap_or_default();
        let asked = auth.mechanism.as_ref().and_then(|name| Mechanism::from_name(name.as_bytes()));
        let mechanism = asked.or_else(|| Mechanism::best(&extensions));
        if mechanism.is_none() {
            let offered = extensions.auth_mechanisms();
            let peer = self.session.peer();
            let message = match offered.as_slice() {
                [] => format!("{peer} does not offer AUTH here; many servers offer it inside TLS only (--starttls)"),
                offered => {
                    format!("{peer} offers no mechanism that is known here, only {}", Visible(&offered.join(&b' ')))
                }
            };
            self.verdict.complain(status::AUTH, &message);
        }
        mechanism
    }
}
