//! AUTH: by which mechanism, whether the password may go out, and the exchange before a session is handed over.

use mconnect_core::auth::{Credentials, Exchange, Mechanism, decode};
use mconnect_core::protocol::{Code, Meaning, Request, Visible};
use mconnect_core::sasl::NoMechanism;
use mconnect_core::script::Fault;
use mconnect_core::{Peer, Session};

use super::{Secure, password};
use crate::failure::{Failure, Status};
use crate::options::Auth;
use crate::password::ask as ask_password;
use crate::secret::Secret;
use crate::stderr::note;
use crate::verdict::Verdict;

impl Secure {
    /// Chooses the mechanism: the one that is asked for, or the best that the server advertises; but none that would send
    /// the password to another machine in the clear, or what it can be guessed from.
    ///
    /// # Errors
    /// A sentence that says why there is none.
    pub fn mechanism(&self, asked: Option<Mechanism>, session: &Session) -> Result<Mechanism, String> {
        let peer = session.peer();
        let mechanism = asked.map_or_else(|| self.choose(session), Ok).map_err(|why| {
            let may_be_inside = why == NoMechanism::NotOffered && !self.is_in_tls();
            let hint = if may_be_inside { "; many servers offer it inside TLS only (--starttls)" } else { "" };
            format!("{peer}: {why}{hint}")
        })?;
        // What goes to a proxy leaves this machine, whatever address that is asked for.
        let is_local =
            peer.via().is_none() && peer.address().is_some_and(|address| address.ip().to_canonical().is_loopback());
        let is_hidden = self.is_in_tls() || is_local || self.security.allows_plaintext_auth;
        match mechanism.exposes().filter(|_| !is_hidden) {
            Some(what) => Err(format!(
                "{mechanism} would send {what} in the clear: STARTTLS (--starttls, --tls) hides it, and \
                 --allow-plaintext-auth sends it all the same"
            )),
            None => Ok(mechanism),
        }
    }

    /// Returns the best mechanism that the server advertises.
    fn choose(&self, session: &Session) -> Result<Mechanism, NoMechanism> {
        let (offered, channel) = (session.extensions().unwrap_or_default(), session.channel_bindings());
        Mechanism::choose(&offered, &channel, self.security.certificate.is_some())
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
    pub fn password(&self) -> Result<Option<Secret>, Failure> {
        password::given(&self.security)
    }

    /// Does the exchange with a server that has been told who is there.
    ///
    /// # Errors
    /// A failure that says why the user is not authenticated. The session goes on after an exchange that was refused or
    /// cancelled, but nobody is there to go on with it.
    pub fn log_in(&self, session: &mut Session, auth: &Auth, verdict: &Verdict) -> Result<(), Failure> {
        let peer = session.peer().clone();
        if let (None, Err(why)) = (auth.mechanism, self.choose(session)) {
            verdict.evidence().no_mechanism(&why);
        }
        let chosen = self.mechanism(auth.mechanism, session);
        let mechanism = chosen.map_err(|message| Failure::new(Status::Auth, message))?;
        let secret = match mechanism {
            Mechanism::External => Secret::default(),
            _ => self.password()?.map_or_else(|| ask_password(&auth.user), Ok)?,
        };
        let credentials = Credentials::new(&auth.user, &secret);
        let exchange = self.exchange(mechanism, auth.mechanism.is_some(), &credentials, &peer);
        let ended = session.authenticate_with(exchange, |reply| {
            let challenge = decode(&reply.text()).filter(|text| reply.code() == Code::CHALLENGE && !text.is_empty());
            if let Some(challenge) = challenge {
                note(&format!("  that is: {}", Visible(&challenge)), self.is_quiet);
            }
        });
        match ended {
            Ok(reply) if reply.is_granted() => {
                self.authenticated(&auth.user);
                Ok(())
            }
            Ok(reply) => {
                let told = refused(&auth.user, mechanism, reply.code());
                Err(Failure::new(Fault::of_auth(&reply).into(), told))
            }
            Err(error @ mconnect_core::Error::Auth { .. }) => Err(verdict.failure_of(&error)),
            // Some servers drop the connection when they are to bind to what they do not know.
            Err(error) => {
                let hint = mechanism.unbound().map(|unbound| format!("; {unbound} is not bound to the connection"));
                Err(verdict.failure_of(&error).hint(&hint.unwrap_or_default()))
            }
        }
    }
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
