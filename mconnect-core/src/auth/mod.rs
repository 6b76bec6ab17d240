//! AUTH ([RFC 4954](https://www.rfc-editor.org/rfc/rfc4954)): SASL mechanisms as values that turn challenges into answers.
//!
//! ```text
//!   Credentials ─┐             AUTH name initial ►
//!                ├─ Exchange ─ ◄ 334 challenge        Session::authenticate does this; by hand, ask the Exchange
//!   Mechanism ───┘             answer ►               for its command, and for what comes next
//!                              ◄ 235
//! ```

mod exchange;
mod scram;
#[cfg(feature = "tokio")]
mod tokio;

use std::fmt;

use base64ct::{Base64, Encoding as _};
use zeroize::Zeroizing;

#[cfg_attr(not(feature = "server"), allow(unused_imports, reason = "the server's side needs them, too"))]
pub(crate) use self::{
    exchange::cram_md5,
    scram::{Hash, attributes, nonce},
};

pub use crate::sasl::{AuthError, Mechanism, NoMechanism, UnknownMechanism};
pub use exchange::{AuthStep, Exchange};

use crate::error::{Action, Error};
use crate::protocol::Reply;
use crate::session::{Blocking, Drive, Session, ready};

/// Who one is, and how one proves it. [`Debug`](fmt::Debug) does not show the secret, and it is wiped in the end.
#[derive(Clone)]
pub struct Credentials {
    user: String,
    secret: Zeroizing<String>,
}

impl Credentials {
    /// Takes a user's name and secret: a password or a token.
    pub fn new(user: &str, secret: &str) -> Self {
        Self { user: user.to_owned(), secret: Zeroizing::new(secret.to_owned()) }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Session {
    /// Does an exchange, and returns the reply that ends it: 235, or the one that refuses. It is
    /// [bound](Exchange::bind) to the TLS connection, if its mechanism does that.
    ///
    /// Nothing here keeps a password from going out in the clear: look at [`Mechanism::sends_secret`].
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::auth::{Credentials, Exchange, Mechanism};
    /// use mconnect_core::{Connect, server::Setup};
    ///
    /// let server = Setup::new().auth([("user", "pencil")]).start()?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.read_reply()?.require(220)?;
    /// session.command("EHLO client.example")?.require(250)?;
    /// let extensions = session.extensions().unwrap_or_default();
    /// let mechanism = Mechanism::best(&extensions, &session.channel_bindings()).ok_or("no mechanism in common")?;
    /// assert_eq!(mechanism, Mechanism::ScramSha256);
    /// session.authenticate(Exchange::new(mechanism, &Credentials::new("user", "pencil")))?.require(235)?;
    /// # session.quit()?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Auth`] if there is nothing to bind the exchange to, if a challenge cannot be answered, after cancelling, or
    /// if the server granted without having proven itself; otherwise as [`command`](Self::command).
    #[doc(alias = "AUTH")]
    #[doc(alias = "login")]
    #[doc(alias = "SASL")]
    pub fn authenticate(&mut self, exchange: Exchange) -> Result<Reply, Error> {
        self.authenticate_with(exchange, |_| {})
    }

    /// Does the same, and shows every reply, as it comes.
    ///
    /// # Errors
    /// As [`authenticate`](Self::authenticate).
    pub fn authenticate_with(&mut self, exchange: Exchange, see: impl FnMut(&Reply)) -> Result<Reply, Error> {
        ready(self.authenticate_by(&Blocking, exchange, see))
    }

    async fn authenticate_by(
        &mut self,
        drive: &impl Drive,
        mut exchange: Exchange,
        mut see: impl FnMut(&Reply),
    ) -> Result<Reply, Error> {
        let failed = |session: &Self, problem: AuthError| Error::Auth {
            context: session.context(Action::Authenticate),
            source: problem,
        };
        let offered = self.extensions();
        exchange.bind(&self.channel_bindings(), offered.as_ref()).map_err(|problem| failed(self, problem))?;
        let mut line = exchange.command();
        loop {
            let reply = self.command_by(drive, line.as_bytes()).await?;
            see(&reply);
            match exchange.next(reply.code(), &reply.text()) {
                AuthStep::Answer(answer) => line = answer,
                AuthStep::Granted | AuthStep::NotGranted => return Ok(reply),
                AuthStep::Cancel(problem) => {
                    see(&self.command_by(drive, b"*").await?);
                    return Err(failed(self, problem));
                }
                AuthStep::Unproven(problem) => return Err(failed(self, problem)),
            }
        }
    }
}

/// Reads base64, as challenges are written.
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    Base64::decode_vec(std::str::from_utf8(text.trim_ascii()).ok()?).ok()
}

/// Writes base64.
pub fn encode(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}
