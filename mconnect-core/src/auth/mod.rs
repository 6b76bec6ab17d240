//! AUTH ([RFC 4954](https://www.rfc-editor.org/rfc/rfc4954)): SASL mechanisms as values that turn challenges into
//! answers.
//!
//! ```text
//!   Credentials ─┐             AUTH name initial ►
//!                ├─ Exchange ─ ◄ 334 challenge        Session::authenticate does this; by hand, ask the Exchange
//!   Mechanism ───┘             answer ►               for its command, and for what comes next
//!                              ◄ 235
//! ```
//!
//! Which mechanisms there are, and what each of them gives away, is in [`Mechanism`] and in the table of
//! [`sasl`](crate::sasl).
//!
//! # What is kept secret, and what is not
//! * Passwords and tokens are overwritten when they have served, and so are the lines that hold them. Observers, errors
//!   and [`Debug`](fmt::Debug) do not show them.
//! * PLAIN, LOGIN, XOAUTH2 and OAUTHBEARER send the secret itself. Nothing here keeps it from going out in the clear:
//!   [`Mechanism::sends_secret`] says so, and whether there is TLS the caller knows.
//! * Names and passwords of SCRAM go through SASLprep ([RFC 4013](https://www.rfc-editor.org/rfc/rfc4013)), those of
//!   the others go as they are.
//!
//! # What ends an exchange
//! | the server says | it ends with | the session |
//! |---|---|---|
//! | 235 | the reply; for SCRAM, only if the server has proven that it knows the password, too | may go on |
//! | 4yz, 5yz | the reply, a value | may go on, with another mechanism, say |
//! | a challenge that is none, or one that is refused here | `*`, and [`Error::Auth`] | may go on |
//! | 235 without a proof | [`Error::Auth`] | is not to be trusted: close it |
//!
//! Users and passwords for a test are those of `server::Setup::auth` (feature `server`).

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
use crate::session::Session;
use crate::session::drive::{Blocking, Drive, ready};

/// Who one is, and how one proves it. [`Debug`](fmt::Debug) does not show the secret, and it is wiped in the end, in
/// every clone.
///
/// ```
/// use mconnect_core::auth::Credentials;
///
/// let credentials = Credentials::new("tim", "tanstaaftanstaaf");
/// assert_eq!(format!("{credentials:?}"), r#"Credentials { user: "tim", .. }"#);
/// ```
#[doc(alias = "password")]
#[doc(alias = "token")]
#[doc(alias = "user")]
#[derive(Clone)]
pub struct Credentials {
    user: String,
    secret: Zeroizing<String>,
}

impl Credentials {
    /// Takes a user's name and secret: a password or, for XOAUTH2 and OAUTHBEARER, a token. EXTERNAL takes none: an
    /// empty one. The caller's own copy is the caller's to wipe.
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
    /// Each reply has the time of a command. After it, the session goes on as before: no security layer of SASL's is
    /// spoken.
    ///
    /// # Errors
    /// [`Error::Auth`] if there is nothing to bind the exchange to, with nothing sent; if a challenge cannot be
    /// answered, after cancelling; or if the server granted without having proven itself. Otherwise as
    /// [`command`](Self::command).
    #[doc(alias = "AUTH")]
    #[doc(alias = "login")]
    #[doc(alias = "SASL")]
    pub fn authenticate(&mut self, exchange: Exchange) -> Result<Reply, Error> {
        self.authenticate_with(exchange, |_| {})
    }

    /// Does the same, and shows every reply, as it comes, the one to a `*` with them: for a program that tells what is
    /// going on. Challenges are in base64 ([`decode`]).
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::auth::{Credentials, Exchange, Mechanism};
    /// use mconnect_core::{Connect, server::Setup};
    ///
    /// let server = Setup::new().auth([("user", "pencil")]).start()?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.greeting()?.require(220)?;
    /// session.hello("client.example")?.require()?;
    /// let exchange = Exchange::new(Mechanism::CramMd5, &Credentials::new("user", "wrong"));
    /// let mut codes = Vec::new();
    /// let refused = session.authenticate_with(exchange, |reply| codes.push(reply.code().number()))?;
    /// assert_eq!((codes, refused.code().number()), (vec![334, 535], 535));
    /// # session.quit()?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`authenticate`](Self::authenticate).
    pub fn authenticate_with(&mut self, exchange: Exchange, see: impl FnMut(&Reply)) -> Result<Reply, Error> {
        ready(self.authenticate_by(&Blocking, exchange, see))
    }

    /// Each line of the exchange is a command, and its reply says what comes next.
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

/// Reads base64 ([RFC 4648](https://www.rfc-editor.org/rfc/rfc4648)), as challenges are written, with its padding;
/// white space around it is left out. `None` if it is none.
///
/// ```
/// use mconnect_core::auth::{decode, encode};
///
/// assert_eq!(decode(b"VXNlcm5hbWU6").as_deref(), Some(&b"Username:"[..]));
/// assert_eq!(decode(b"Username:"), None);
/// assert_eq!(encode(b"Username:"), "VXNlcm5hbWU6");
/// ```
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    Base64::decode_vec(std::str::from_utf8(text.trim_ascii()).ok()?).ok()
}

/// Writes base64, in one line, with its padding.
pub fn encode(bytes: &[u8]) -> String {
    Base64::encode_string(bytes)
}
