//! An exchange, from the AUTH command to the last answer.

use std::fmt;

use zeroize::Zeroizing;

use super::scram::{self, Binding, Hash, Scram, nonce};
use super::{AuthError, Credentials, Mechanism, decode, encode};
use crate::protocol::{Code, Extensions};
use crate::stream::ChannelBindings;

/// An exchange under way: for a loop of one's own; [`Session::authenticate`](crate::Session::authenticate) does all of
/// it. It serves once.
///
/// ```text
///   command ──► AUTH MECHANISM [initial]
///   next(334, challenge) ──► Answer ──► the line that answers it, and again
///   next(235, _)         ──► Granted, or Unproven: the server has not shown that it knows the secret
///   next(4yz, 5yz, ...)  ──► NotGranted
///   next(334, nonsense)  ──► Cancel: send `*`, and the server ends with a 501
/// ```
///
/// ```
/// use mconnect_core::auth::{AuthStep, Credentials, Exchange, Mechanism, encode};
/// use mconnect_core::protocol::Code;
///
/// let mut exchange = Exchange::new(Mechanism::Login, &Credentials::new("user", "pencil"));
/// assert_eq!(*exchange.command(), "AUTH LOGIN");
/// let AuthStep::Answer(user) = exchange.next(Code::CHALLENGE, encode(b"Username:").as_bytes()) else { panic!() };
/// assert_eq!(*user, encode(b"user"));
/// let AuthStep::Answer(password) = exchange.next(Code::CHALLENGE, encode(b"Password:").as_bytes()) else { panic!() };
/// assert_eq!(*password, encode(b"pencil"));
/// assert_eq!(exchange.next(Code::AUTHENTICATED, b"welcome"), AuthStep::Granted);
/// ```
///
/// For another protocol than SMTP, [`initial`](Self::initial) and [`answer`](Self::answer) are the messages of the
/// mechanism by themselves, without base64.
#[doc(alias = "SASL")]
#[doc(alias = "SCRAM")]
pub struct Exchange {
    mechanism: Mechanism,
    credentials: Credentials,
    round: usize,
    /// The initial response did not fit into the command: it answers the first challenge.
    owes_initial: bool,
    scram: Option<Scram>,
    /// What binds it is settled.
    is_settled: bool,
    host: String,
}

/// What is to be done next in an exchange.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub enum AuthStep {
    /// This line answers the challenge; it may be a secret, and is wiped when it is dropped. Its CR LF is not in it.
    Answer(Zeroizing<String>),
    /// It has been granted, by 235.
    Granted,
    /// It has been refused, or answered by something else.
    NotGranted,
    /// The challenge cannot be answered: `*` cancels the exchange.
    Cancel(AuthError),
    /// The server has granted without having proven itself: it is not to be trusted.
    Unproven(AuthError),
}

impl Exchange {
    /// Begins an exchange. Nothing is looked at: whether the server offers the mechanism, and whether there is TLS, is
    /// the caller's to know.
    pub fn new(mechanism: Mechanism, credentials: &Credentials) -> Self {
        let scram = Hash::of(mechanism).map(|hash| Scram::new(hash, &credentials.user, nonce()));
        Self {
            mechanism,
            credentials: credentials.clone(),
            round: 0,
            owes_initial: false,
            scram,
            is_settled: false,
            host: String::new(),
        }
    }

    /// Says that somebody has named this mechanism: SCRAM without a bond to the TLS connection does not claim then that
    /// the server offers none. Without this, such an exchange fails with a server that offers one, as it should if that
    /// was taken out of the offer on the way.
    #[must_use]
    pub fn named(mut self) -> Self {
        self.is_settled = self.mechanism.unbound().is_none();
        self
    }

    /// Lets SCRAM answer a server that asks for fewer than 4,096 rounds, on which passwords are easily tried out
    /// ([RFC 7677, section 4](https://www.rfc-editor.org/rfc/rfc7677#section-4)): inside TLS with a server that is
    /// verified, say. More than 2,000,000 rounds, about a second of work, are never answered.
    #[must_use]
    pub fn allow_few_rounds(mut self) -> Self {
        if let Some(scram) = &mut self.scram {
            scram.fewest_rounds = 1;
        }
        self
    }

    /// Binds the exchange to the TLS connection, if its mechanism does that; a relay between cannot make use of it
    /// then. SCRAM without a bond tells the server that it would have been possible, if it was and the server has
    /// offered none: a server that did offer one knows then that somebody took it out
    /// ([RFC 5802, section 6](https://www.rfc-editor.org/rfc/rfc5802#section-6)). Sessions do this themselves. A second
    /// call does nothing, and neither does one for another mechanism than SCRAM.
    ///
    /// | mechanism | `channel` has | the first message begins with |
    /// |---|---|---|
    /// | -PLUS | tls-exporter | `p=tls-exporter` |
    /// | -PLUS | tls-server-end-point alone | `p=tls-server-end-point` |
    /// | -PLUS | nothing | it is an error |
    /// | the others | tls-exporter, and no -PLUS was offered | `y` |
    /// | the others | anything else, or it was [named](Self::named) | `n` |
    ///
    /// # Errors
    /// [`AuthError::Unbindable`] if there is nothing to bind to.
    #[doc(alias = "channel binding")]
    #[doc(alias = "-PLUS")]
    pub fn bind(&mut self, channel: &ChannelBindings, offered: Option<&Extensions>) -> Result<(), AuthError> {
        let Some(scram) = self.scram.as_mut().filter(|_| !self.is_settled) else { return Ok(()) };
        let is_any_offered =
            |offered: &Extensions| Mechanism::ALL.iter().any(|one| one.unbound().is_some() && one.is_offered(offered));
        scram.binding = match (self.mechanism.unbound(), channel.iter().next()) {
            (Some(_), Some((name, data))) => Binding::To { name, data: data.to_vec() },
            (Some(_), None) => return Err(AuthError::Unbindable(self.mechanism)),
            (None, Some(("tls-exporter", _))) if offered.is_some_and(|offered| !is_any_offered(offered)) => {
                Binding::NotOffered
            }
            (None, _) => Binding::Nothing,
        };
        self.is_settled = true;
        Ok(())
    }

    /// Names the host that OAUTHBEARER tells
    /// ([RFC 7628, section 3.1](https://www.rfc-editor.org/rfc/rfc7628#section-3.1)); the others tell none.
    #[must_use]
    pub fn host(mut self, host: &str) -> Self {
        self.host = host.to_owned();
        self
    }

    /// Returns the mechanism.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Returns the initial response, if the mechanism has one: all but LOGIN and CRAM-MD5. It is what it is before
    /// base64.
    ///
    /// ```
    /// use mconnect_core::auth::{Credentials, Exchange, Mechanism};
    ///
    /// let exchange = Exchange::new(Mechanism::Plain, &Credentials::new("tim", "tanstaaftanstaaf"));
    /// assert_eq!(exchange.initial().unwrap().as_slice(), b"\0tim\0tanstaaftanstaaf");
    /// ```
    pub fn initial(&self) -> Option<Zeroizing<Vec<u8>>> {
        let Credentials { user, secret } = &self.credentials;
        let response = match self.mechanism {
            // Each in one piece of memory: what a growing text leaves behind is not wiped.
            Mechanism::Plain => ["\0", user, "\0", secret].concat(),
            Mechanism::XOAuth2 => ["user=", user, "\x01auth=Bearer ", secret, "\x01\x01"].concat(),
            Mechanism::OAuthBearer => {
                let host = if self.host.is_empty() { String::new() } else { format!("host={}\x01", self.host) };
                ["n,a=", &scram::escape(user), ",\x01", &host, "auth=Bearer ", secret, "\x01\x01"].concat()
            }
            Mechanism::External => user.clone(),
            Mechanism::ScramSha1 | Mechanism::ScramSha256 | Mechanism::ScramSha1Plus | Mechanism::ScramSha256Plus => {
                self.scram.as_ref()?.first()
            }
            Mechanism::Login | Mechanism::CramMd5 => return None,
        };
        Some(Zeroizing::new(response.into_bytes()))
    }

    /// Returns the answer to a challenge, both without base64. Each call is one round. SCRAM and CRAM-MD5 look at the
    /// challenge; to XOAUTH2 and OAUTHBEARER it is why the server refuses, and the answer lets it end with its reply.
    ///
    /// # Errors
    /// [`AuthError`]: the exchange has to be cancelled, with `*`.
    pub fn answer(&mut self, challenge: &[u8]) -> Result<Zeroizing<Vec<u8>>, AuthError> {
        let Credentials { user, secret } = &self.credentials;
        self.round += 1;
        if let Some(scram) = &mut self.scram {
            let unexpected = AuthError::Challenge(self.mechanism);
            return scram.answer(self.round, secret, challenge, unexpected).map(|answer| Zeroizing::new(answer.into()));
        }
        let answer = match (self.mechanism, self.round) {
            (Mechanism::Login, 1) => user.as_bytes().to_vec(),
            (Mechanism::Login, 2) => secret.as_bytes().to_vec(),
            (Mechanism::CramMd5, 1) => cram_md5(user, secret, challenge).into_bytes(),
            // The challenge tells what is wrong; an empty answer lets the server end with its reply.
            (Mechanism::XOAuth2, 1) => Vec::new(),
            (Mechanism::OAuthBearer, 1) => b"\x01".to_vec(),
            _ => return Err(AuthError::Challenge(self.mechanism)),
        };
        Ok(Zeroizing::new(answer))
    }

    /// Returns the command that begins: AUTH, the mechanism, and the initial response if there is one, in base64 and
    /// without CR LF. One that is too long for a command, of more than 510 octets, answers the first challenge instead
    /// ([RFC 4954, section 4](https://www.rfc-editor.org/rfc/rfc4954#section-4)); an empty one is `=`.
    ///
    /// ```
    /// use mconnect_core::auth::{Credentials, Exchange, Mechanism};
    ///
    /// let mut exchange = Exchange::new(Mechanism::Plain, &Credentials::new("tim", "tan"));
    /// assert_eq!(*exchange.command(), "AUTH PLAIN AHRpbQB0YW4=");
    /// ```
    pub fn command(&mut self) -> Zeroizing<String> {
        let name = self.mechanism.name();
        let Some(initial) = self.initial() else { return Zeroizing::new(format!("AUTH {name}")) };
        let initial = Zeroizing::new(if initial.is_empty() { "=".to_owned() } else { encode(&initial) });
        let command = Zeroizing::new(["AUTH ", name, " ", &initial].concat());
        self.owes_initial = command.len() > LONGEST_COMMAND;
        if self.owes_initial { Zeroizing::new(format!("AUTH {name}")) } else { command }
    }

    /// Says what is to be done after a reply to the line before, from its code and its text. The text is that of the
    /// reply's lines, in base64 for a 334; of any other it is not looked at.
    pub fn next(&mut self, code: Code, text: &[u8]) -> AuthStep {
        let is_unproven = self.scram.as_ref().is_some_and(|scram| !scram.is_proven());
        match code {
            Code::CHALLENGE => match self.answer_to(text) {
                Ok(answer) => AuthStep::Answer(Zeroizing::new(encode(&answer))),
                Err(problem) => AuthStep::Cancel(problem),
            },
            Code::AUTHENTICATED if is_unproven => AuthStep::Unproven(AuthError::Server),
            Code::AUTHENTICATED => AuthStep::Granted,
            _ => AuthStep::NotGranted,
        }
    }

    /// Returns the answer to the text of a challenge, which some mechanisms do not look at.
    fn answer_to(&mut self, text: &[u8]) -> Result<Zeroizing<Vec<u8>>, AuthError> {
        let initial = if std::mem::take(&mut self.owes_initial) { self.initial() } else { None };
        match (initial, decode(text)) {
            (Some(initial), _) => Ok(initial),
            (None, Some(challenge)) => self.answer(&challenge),
            (None, None) if self.mechanism.sends_secret() => self.answer(b""),
            (None, None) => Err(AuthError::Challenge(self.mechanism)),
        }
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

/// Returns the answer of [RFC 2195](https://www.rfc-editor.org/rfc/rfc2195).
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

/// A command has 512 octets, its CR LF among them
/// ([RFC 5321, section 4.5.3.1.4](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.4)).
const LONGEST_COMMAND: usize = 510;

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
    fn an_initial_response_too_long_for_a_command_answers_the_first_challenge() {
        let token = "x".repeat(400);
        let mut exchange = Exchange::new(Mechanism::XOAuth2, &Credentials::new("tim", &token));
        let initial = encode(&exchange.initial().unwrap());
        assert_eq!(*exchange.command(), "AUTH XOAUTH2");
        let answer = |text: &str| AuthStep::Answer(Zeroizing::new(text.to_owned()));
        assert_eq!(exchange.next(Code::CHALLENGE, b""), answer(&initial));
        assert_eq!(exchange.next(Code::CHALLENGE, b"e30="), answer(""), "the server explains its refusal");
        assert!(matches!(exchange.next(Code::CHALLENGE, b"e30="), AuthStep::Cancel(_)));
        let mut exchange = Exchange::new(Mechanism::External, &Credentials::new("", ""));
        assert_eq!(*exchange.command(), "AUTH EXTERNAL =");
        assert_eq!(exchange.next(Code::AUTHENTICATED, b""), AuthStep::Granted);
    }

    #[test]
    fn no_secret_is_shown() {
        let credentials = Credentials::new("tim", "tanstaaf");
        let exchange = Exchange::new(Mechanism::Plain, &credentials);
        let shown = format!("{credentials:?} {exchange:?} {:?}", Exchange::new(Mechanism::ScramSha256, &credentials));
        assert!(!shown.contains("tanstaaf"), "{shown}");
    }
}
