//! AUTH ([RFC 4954](https://www.rfc-editor.org/rfc/rfc4954)): SASL mechanisms as values that turn challenges into answers.
//!
//! ```text
//!   Credentials ─┐             AUTH name initial ►
//!                ├─ Exchange ─ ◄ 334 challenge        Session::authenticate does this; by hand, ask the Exchange
//!   Mechanism ───┘             answer ►               for its initial response and its answers
//!                              ◄ 235
//! ```

mod scram;

use std::fmt;

use base64ct::{Base64, Encoding as _};
use zeroize::Zeroizing;

#[cfg_attr(not(feature = "server"), allow(unused_imports, reason = "the server's side needs them, too"))]
pub(crate) use scram::{Hash, field, nonce};

use crate::error::{Action, Error, Scene};
use crate::protocol::{Code, Extensions, Reply};
use crate::session::Session;
use scram::Scram;

/// How a client proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mechanism {
    /// [RFC 4616](https://www.rfc-editor.org/rfc/rfc4616): the password itself.
    Plain,
    /// The password itself, in answer to two questions.
    Login,
    /// [RFC 2195](https://www.rfc-editor.org/rfc/rfc2195): an HMAC of a challenge.
    CramMd5,
    /// [RFC 5802](https://www.rfc-editor.org/rfc/rfc5802).
    ScramSha1,
    /// [RFC 7677](https://www.rfc-editor.org/rfc/rfc7677).
    ScramSha256,
    /// Google's form of a bearer token; the secret is the token.
    XOAuth2,
    /// [RFC 7628](https://www.rfc-editor.org/rfc/rfc7628); the secret is the token.
    OAuthBearer,
    /// [RFC 4422, appendix A](https://www.rfc-editor.org/rfc/rfc4422#appendix-A): the client certificate, or the like.
    External,
}

/// Who one is, and how one proves it. [`Debug`](fmt::Debug) does not show the secret, and it is wiped in the end.
#[derive(Clone)]
pub struct Credentials {
    user: String,
    secret: Zeroizing<String>,
}

/// An exchange under way.
pub struct Exchange {
    mechanism: Mechanism,
    credentials: Credentials,
    round: usize,
    scram: Option<Scram>,
    host: String,
}

/// Why an exchange cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// The challenge is not what the mechanism has there.
    #[error("the server's challenge is none of {0}")]
    Challenge(Mechanism),
    /// The server does not know the password, or is not the one that does.
    #[error("the server has not proven that it knows the password, too")]
    Server,
    /// The server says that it refuses.
    #[error("the server refuses: {0}")]
    Refused(String),
    /// It would take too long.
    #[error("the server asks for {0} rounds, which is too many")]
    Rounds(u32),
}

impl Mechanism {
    /// Every mechanism, the better ones first.
    pub const ALL: [Self; 8] = [
        Self::ScramSha256,
        Self::ScramSha1,
        Self::CramMd5,
        Self::Plain,
        Self::Login,
        Self::OAuthBearer,
        Self::XOAuth2,
        Self::External,
    ];

    /// Gives its name, as AUTH has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::CramMd5 => "CRAM-MD5",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::XOAuth2 => "XOAUTH2",
            Self::OAuthBearer => "OAUTHBEARER",
            Self::External => "EXTERNAL",
        }
    }

    /// Finds a mechanism by its name, in any case.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// Gives the best of what the server advertises that goes with a password.
    pub fn best(extensions: &Extensions) -> Option<Self> {
        let offered = extensions.auth_mechanisms();
        let is_offered = |mechanism: &Self| offered.iter().any(|name| Self::from_name(name) == Some(*mechanism));
        Self::ALL.into_iter().filter(|mechanism| mechanism.takes_password()).find(is_offered)
    }

    /// Says whether the secret is a password: neither a token nor nothing.
    pub fn takes_password(self) -> bool {
        !matches!(self, Self::XOAuth2 | Self::OAuthBearer | Self::External)
    }

    /// Says whether the secret itself goes over the wire.
    pub fn sends_secret(self) -> bool {
        matches!(self, Self::Plain | Self::Login | Self::XOAuth2 | Self::OAuthBearer)
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
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

impl Exchange {
    /// Begins an exchange.
    pub fn new(mechanism: Mechanism, credentials: &Credentials) -> Self {
        let hash = match mechanism {
            Mechanism::ScramSha1 => Some(Hash::Sha1),
            Mechanism::ScramSha256 => Some(Hash::Sha256),
            _ => None,
        };
        let scram = hash.map(|hash| Scram::new(hash, &credentials.user, nonce()));
        Self { mechanism, credentials: credentials.clone(), round: 0, scram, host: String::new() }
    }

    /// Names the host that OAUTHBEARER tells.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.host = host.to_owned();
        self
    }

    /// Gives the mechanism.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Gives the initial response, if the mechanism has one.
    pub fn initial(&self) -> Option<Zeroizing<Vec<u8>>> {
        let Credentials { user, secret } = &self.credentials;
        let response = match self.mechanism {
            Mechanism::Plain => format!("\0{user}\0{}", secret.as_str()),
            Mechanism::XOAuth2 => format!("user={user}\x01auth=Bearer {}\x01\x01", secret.as_str()),
            Mechanism::OAuthBearer => {
                let host = if self.host.is_empty() { String::new() } else { format!("host={}\x01", self.host) };
                format!("n,a={},\x01{host}auth=Bearer {}\x01\x01", scram::escape(user), secret.as_str())
            }
            Mechanism::External => user.clone(),
            Mechanism::ScramSha1 | Mechanism::ScramSha256 => self.scram.as_ref()?.first(),
            Mechanism::Login | Mechanism::CramMd5 => return None,
        };
        Some(Zeroizing::new(response.into_bytes()))
    }

    /// Gives the answer to a challenge.
    ///
    /// # Errors
    /// [`AuthError`]: the exchange has to be cancelled, with `*`.
    pub fn answer(&mut self, challenge: &[u8]) -> Result<Zeroizing<Vec<u8>>, AuthError> {
        let Credentials { user, secret } = &self.credentials;
        self.round += 1;
        let answer = match (self.mechanism, self.round) {
            (Mechanism::Login, 1) => user.as_bytes().to_vec(),
            (Mechanism::Login, 2) => secret.as_bytes().to_vec(),
            (Mechanism::CramMd5, 1) => cram_md5(user, secret, challenge).into_bytes(),
            (Mechanism::ScramSha1 | Mechanism::ScramSha256, _) => {
                let unexpected = AuthError::Challenge(self.mechanism);
                let scram = self.scram.as_mut().ok_or_else(|| unexpected.clone())?;
                scram.answer(self.round, secret, challenge, unexpected)?.into_bytes()
            }
            // The challenge tells what is wrong; an empty answer lets the server end with its reply.
            (Mechanism::XOAuth2, 1) => Vec::new(),
            (Mechanism::OAuthBearer, 1) => b"\x01".to_vec(),
            _ => return Err(AuthError::Challenge(self.mechanism)),
        };
        Ok(Zeroizing::new(answer))
    }

    /// Says whether the server may grant now: with SCRAM it has to prove itself first.
    ///
    /// # Errors
    /// [`AuthError::Server`] if it did not.
    pub fn granted(&self) -> Result<(), AuthError> {
        if self.scram.as_ref().is_none_or(Scram::is_proven) { Ok(()) } else { Err(AuthError::Server) }
    }
}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("mechanism", &self.mechanism)
            .field("round", &self.round)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// Does an exchange, and gives the reply that ends it: 235, or the one that refuses.
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
    /// let mechanism = Mechanism::best(&extensions).ok_or("no mechanism in common")?;
    /// assert_eq!(mechanism, Mechanism::ScramSha256);
    /// session.authenticate(Exchange::new(mechanism, &Credentials::new("user", "pencil")))?.require(235)?;
    /// # session.quit()?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Auth`] if a challenge cannot be answered, after cancelling, or if the server granted without having
    /// proven itself; otherwise as [`command`](Self::command).
    pub fn authenticate(&mut self, exchange: Exchange) -> Result<Reply, Error> {
        self.authenticate_with(exchange, |_| {})
    }

    /// Does the same, and shows every reply, as it comes.
    ///
    /// # Errors
    /// As [`authenticate`](Self::authenticate).
    pub fn authenticate_with(&mut self, mut exchange: Exchange, mut see: impl FnMut(&Reply)) -> Result<Reply, Error> {
        let mut line = Zeroizing::new(format!("AUTH {}", exchange.mechanism));
        if let Some(initial) = exchange.initial() {
            line.push(' ');
            // An empty initial response is an equals sign (RFC 4954, section 4).
            line.push_str(if initial.is_empty() { "=" } else { "" });
            line.push_str(&Zeroizing::new(encode(&initial)));
        }
        loop {
            let reply = self.command(line.as_bytes())?;
            see(&reply);
            let problem = match reply.code() {
                Code::CHALLENGE => {
                    let challenge = decode(&reply.text()).ok_or(AuthError::Challenge(exchange.mechanism));
                    match challenge.and_then(|challenge| exchange.answer(&challenge)) {
                        Ok(answer) => {
                            line = Zeroizing::new(encode(&answer));
                            continue;
                        }
                        Err(problem) => problem,
                    }
                }
                code if code.is_positive() => match exchange.granted() {
                    Ok(()) => return Ok(reply),
                    Err(problem) => problem,
                },
                _ => return Ok(reply),
            };
            if reply.code() == Code::CHALLENGE {
                see(&self.command("*")?);
            }
            let scene =
                Scene { action: Action::Authenticate, peer: self.peer().clone(), phase: self.phase(), has_sent: true };
            return Err(Error::Auth { scene, reason: problem.to_string() });
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

/// Gives the answer of [RFC 2195](https://www.rfc-editor.org/rfc/rfc2195).
pub(crate) fn cram_md5(user: &str, secret: &str, challenge: &[u8]) -> String {
    format!("{user} {:x}", md5::Digest(hmac_md5(secret.as_bytes(), challenge)))
}

/// HMAC ([RFC 2104](https://www.rfc-editor.org/rfc/rfc2104)) with MD5, which ring does not have.
fn hmac_md5(key: &[u8], message: &[u8]) -> [u8; 16] {
    let mut block = Zeroizing::new([0; 64]);
    match key.len() {
        0..=64 => block[..key.len()].copy_from_slice(key),
        _ => block[..16].copy_from_slice(&md5::compute(key).0),
    }
    let padded = |pad: u8, rest: &[u8]| {
        let mut bytes = Zeroizing::new(block.map(|byte| byte ^ pad).to_vec());
        bytes.extend_from_slice(rest);
        md5::compute(bytes.as_slice()).0
    };
    padded(0x5c, &padded(0x36, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> String {
        bytes.escape_ascii().to_string()
    }

    #[test]
    fn hmac_md5_is_that_of_rfc_2202() {
        let hex = |bytes: [u8; 16]| format!("{:x}", md5::Digest(bytes));
        assert_eq!(hex(hmac_md5(&[0x0b; 16], b"Hi There")), "9294727a3638bb1c13f48ef8158bfc9d");
        assert_eq!(hex(hmac_md5(b"Jefe", b"what do ya want for nothing?")), "750c783e6ab0b503eaa86e310a5db738");
        let message = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(hex(hmac_md5(&[0xaa; 80], message)), "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
    }

    #[test]
    fn cram_md5_answers_as_in_rfc_2195() {
        let mut exchange = Exchange::new(Mechanism::CramMd5, &Credentials::new("tim", "tanstaaftanstaaf"));
        assert!(exchange.initial().is_none());
        let answer = exchange.answer(b"<1896.697170952@postoffice.reston.mci.net>").unwrap();
        assert_eq!(text(&answer), "tim b913a602c7eda7a495b4e6e7334d3890");
        assert_eq!(exchange.answer(b"more").unwrap_err(), AuthError::Challenge(Mechanism::CramMd5));
    }

    #[test]
    fn the_mechanisms_that_send_their_secret_send_it_as_their_rfcs_say() {
        let first = |mechanism| text(&Exchange::new(mechanism, &Credentials::new("tim", "tan,=")).initial().unwrap());
        assert_eq!(first(Mechanism::Plain), "\\x00tim\\x00tan,=");
        assert_eq!(first(Mechanism::XOAuth2), "user=tim\\x01auth=Bearer tan,=\\x01\\x01");
        assert_eq!(first(Mechanism::OAuthBearer), "n,a=tim,\\x01auth=Bearer tan,=\\x01\\x01");
        let exchange = Exchange::new(Mechanism::OAuthBearer, &Credentials::new("u", "t")).host("mx.example");
        assert_eq!(text(&exchange.initial().unwrap()), "n,a=u,\\x01host=mx.example\\x01auth=Bearer t\\x01\\x01");
        let mut login = Exchange::new(Mechanism::Login, &Credentials::new("tim", "tan"));
        assert_eq!(text(&login.answer(b"anything").unwrap()), "tim");
        assert_eq!(text(&login.answer(b"").unwrap()), "tan");
        assert!(login.answer(b"").is_err());
    }

    #[test]
    fn no_secret_is_shown() {
        let credentials = Credentials::new("tim", "tanstaaf");
        let exchange = Exchange::new(Mechanism::Plain, &credentials);
        let shown = format!("{credentials:?} {exchange:?} {:?}", Exchange::new(Mechanism::ScramSha256, &credentials));
        assert!(!shown.contains("tanstaaf"), "{shown}");
    }
}
