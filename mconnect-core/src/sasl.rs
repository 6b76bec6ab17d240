//! The mechanisms of SASL by name, which of them is best, and why an exchange cannot go on: plain data, in every build.
//!
//! The exchanges themselves are in the module `auth` (feature `auth`), which has the same names. Without it, a program
//! still says what a server offers:
//!
//! ```
//! # #[cfg(feature = "server")] {
//! # let server = mconnect_core::server::Server::start()?;
//! # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
//! # session.greeting()?;
//! use mconnect_core::sasl::Mechanism;
//!
//! session.hello("client.example")?.require()?;
//! let extensions = session.extensions().unwrap_or_default();
//! for name in extensions.auth_mechanisms() {
//!     let sends_secret = Mechanism::from_name(name).map(Mechanism::sends_secret);
//!     println!("{}: {sends_secret:?}", name.escape_ascii());
//! }
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | mechanism | the secret | goes over the wire | proves the server, too |
//! |---|---|---|---|
//! | PLAIN, LOGIN | password | as it is | no |
//! | CRAM-MD5 | password | hashed with a challenge | no |
//! | SCRAM-SHA-1, SCRAM-SHA-256 | password | hashed and salted, in rounds | yes |
//! | the same with -PLUS | password | and bound to the TLS connection | yes, and that nobody is between |
//! | XOAUTH2, OAUTHBEARER | token | as it is | no |
//! | EXTERNAL | none | the name alone: TLS has proven the client | no |

use std::fmt;
use std::str::FromStr;

use crate::protocol::{Extensions, Visible};
use crate::stream::ChannelBindings;

/// How a client proves who it is.
///
/// ```
/// use mconnect_core::sasl::Mechanism;
///
/// let mechanism = Mechanism::from_name(b"scram-sha-256").unwrap();
/// assert_eq!(mechanism, Mechanism::ScramSha256);
/// assert!(mechanism.takes_password() && !mechanism.sends_secret());
/// assert_eq!(Mechanism::from_name(b"GSSAPI"), None);
/// ```
/// What is not here is not spoken: DIGEST-MD5, which is historic, GSSAPI, NTLM.
#[doc(alias = "SASL")]
#[doc(alias = "AUTH")]
#[doc(alias = "OAuth")]
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
    /// [RFC 5802](https://www.rfc-editor.org/rfc/rfc5802), bound to the TLS connection.
    ScramSha1Plus,
    /// [RFC 7677](https://www.rfc-editor.org/rfc/rfc7677), bound to the TLS connection.
    ScramSha256Plus,
    /// Google's form of a bearer token; the secret is the token.
    XOAuth2,
    /// [RFC 7628](https://www.rfc-editor.org/rfc/rfc7628); the secret is the token.
    OAuthBearer,
    /// [RFC 4422, appendix A](https://www.rfc-editor.org/rfc/rfc4422#appendix-A): the client certificate, or the like.
    External,
}

impl Mechanism {
    /// Every mechanism, the better ones first: those that bind themselves to TLS, those that do not send the password,
    /// those that do; then those for tokens, and EXTERNAL.
    pub const ALL: &'static [Self] = &[
        Self::ScramSha256Plus,
        Self::ScramSha1Plus,
        Self::ScramSha256,
        Self::ScramSha1,
        Self::CramMd5,
        Self::Plain,
        Self::Login,
        Self::OAuthBearer,
        Self::XOAuth2,
        Self::External,
    ];

    /// Returns its name, as AUTH has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::CramMd5 => "CRAM-MD5",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::XOAuth2 => "XOAUTH2",
            Self::OAuthBearer => "OAUTHBEARER",
            Self::External => "EXTERNAL",
        }
    }

    /// Finds a mechanism by its name, in any case; `None` if it is not spoken here.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Self::ALL.iter().copied().find(|mechanism| mechanism.name().as_bytes().eq_ignore_ascii_case(name))
    }

    /// Returns the best of what the server advertises that goes with a password. One that is bound to the TLS
    /// connection is the best where there is a tls-exporter; to tls-server-end-point, which few servers know, an
    /// exchange is bound only where its mechanism is named.
    ///
    /// ```
    /// use mconnect_core::ChannelBindings;
    /// use mconnect_core::protocol::{Extensions, Limits, ReplyBuilder, ReplyLine};
    /// use mconnect_core::sasl::Mechanism;
    ///
    /// let mut builder = ReplyBuilder::new(Limits::default());
    /// builder.push(ReplyLine::new(b"250-mx.example.org\r\n"))?;
    /// let offer = ReplyLine::new(b"250 AUTH PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS\r\n");
    /// let offered = Extensions::from_reply(&builder.push(offer)?.unwrap());
    /// assert_eq!(Mechanism::best(&offered, &ChannelBindings::default()), Some(Mechanism::ScramSha256));
    ///
    /// let mut in_tls = ChannelBindings::default();
    /// in_tls.tls_exporter = Some(vec![0; 32]);
    /// assert_eq!(Mechanism::best(&offered, &in_tls), Some(Mechanism::ScramSha256Plus));
    /// # Ok::<(), mconnect_core::protocol::LimitExceeded>(())
    /// ```
    ///
    /// That may be PLAIN: whether a password may go over this wire, [`sends_secret`](Self::sends_secret) is to be
    /// asked.
    pub fn best(extensions: &Extensions, channel: &ChannelBindings) -> Option<Self> {
        let fits = |mechanism: &Self| {
            mechanism.takes_password() && (channel.tls_exporter.is_some() || mechanism.unbound().is_none())
        };
        let mut fitting = Self::ALL.iter().copied().filter(fits);
        fitting.find(|mechanism| mechanism.is_offered(extensions))
    }

    /// Chooses the [`best`](Self::best) of what the server advertises; where there is none, EXTERNAL, with a client
    /// certificate that the server may have seen.
    ///
    /// ```
    /// use mconnect_core::ChannelBindings;
    /// use mconnect_core::protocol::Extensions;
    /// use mconnect_core::sasl::{Mechanism, NoMechanism};
    ///
    /// let (offered, channel) = (Extensions::default(), ChannelBindings::default());
    /// assert_eq!(Mechanism::choose(&offered, &channel, true), Err(NoMechanism::NotOffered));
    /// ```
    ///
    /// # Errors
    /// [`NoMechanism`].
    pub fn choose(
        extensions: &Extensions,
        channel: &ChannelBindings,
        has_certificate: bool,
    ) -> Result<Self, NoMechanism> {
        let by_certificate = || Some(Self::External).filter(|it| has_certificate && it.is_offered(extensions));
        Self::best(extensions, channel).or_else(by_certificate).ok_or_else(|| {
            match extensions.auth_mechanisms().as_slice() {
                [] => NoMechanism::NotOffered,
                names => NoMechanism::NoneFits(String::from_utf8_lossy(&names.join(&b' ')).into_owned()),
            }
        })
    }

    /// Says what an exchange gives to whoever listens outside TLS, if it is something of the password.
    pub fn exposes(self) -> Option<&'static str> {
        match self {
            Self::External => None,
            it if it.sends_secret() => Some("the password"),
            _ => Some("what the password can be guessed from"),
        }
    }

    /// Says whether the server advertises it.
    pub(crate) fn is_offered(self, extensions: &Extensions) -> bool {
        extensions.auth_mechanisms().into_iter().any(|name| Self::from_name(name) == Some(self))
    }

    /// Returns the same mechanism without a bond to the TLS connection, if it is one that has it.
    pub fn unbound(self) -> Option<Self> {
        match self {
            Self::ScramSha1Plus => Some(Self::ScramSha1),
            Self::ScramSha256Plus => Some(Self::ScramSha256),
            _ => None,
        }
    }

    /// Says whether the secret is a password: neither a token nor nothing.
    #[must_use]
    pub fn takes_password(self) -> bool {
        !matches!(self, Self::XOAuth2 | Self::OAuthBearer | Self::External)
    }

    /// Says whether the secret itself goes over the wire: outside TLS, whoever listens has it then.
    #[must_use]
    pub fn sends_secret(self) -> bool {
        matches!(self, Self::Plain | Self::Login | Self::XOAuth2 | Self::OAuthBearer)
    }
}

impl FromStr for Mechanism {
    type Err = UnknownMechanism;

    fn from_str(name: &str) -> Result<Self, UnknownMechanism> {
        Self::from_name(name.as_bytes()).ok_or_else(|| UnknownMechanism(name.to_owned()))
    }
}

/// No mechanism that is known here has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no mechanism that is known here: {known}", known = known())]
#[non_exhaustive]
pub struct UnknownMechanism(pub String);

fn known() -> String {
    Mechanism::ALL.iter().map(|mechanism| mechanism.name()).collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why there is no mechanism to authenticate by.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoMechanism {
    /// The server advertises none. Many do so inside TLS only.
    #[error("the server does not offer AUTH here")]
    NotOffered,
    /// It advertises these, and none of them takes a password.
    #[error("the server offers no mechanism that takes a password, only {}", Visible(.0.as_bytes()))]
    NoneFits(String),
}

/// Why an exchange cannot go on: the cause of an [`Error::Auth`](crate::Error::Auth). What the server says in it is
/// made visible where it is shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AuthError {
    /// The challenge is not what the mechanism has there.
    #[error("the server's challenge is none of {0}")]
    Challenge(Mechanism),
    /// The server does not know the password, or is not the one that does.
    #[error("the server has not proven that it knows the password, too")]
    Server,
    /// The server says that it refuses: SCRAM's `e=`, such as `unknown-user`.
    #[error("the server refuses: {}", Visible(.0.as_bytes()))]
    Refused(String),
    /// It would take too long: more than 2,000,000 rounds.
    #[error("the server asks for {0} rounds, which is too many")]
    Rounds(u64),
    /// Who hears the answer could try passwords out on it: fewer than 4,096 rounds
    /// ([RFC 7677, section 4](https://www.rfc-editor.org/rfc/rfc7677#section-4)). `Exchange::allow_few_rounds` lets
    /// them pass.
    #[error("the server asks for too few rounds, {0}: below {FEWEST_ROUNDS} they hardly protect the password")]
    FewRounds(u64),
    /// There is no TLS, or none of which both ends know something that is spoken here.
    #[error("there is nothing here to bind {0} to")]
    Unbindable(Mechanism),
}

/// Below this, passwords are easily tried out ([RFC 7677, section 4](https://www.rfc-editor.org/rfc/rfc7677#section-4)).
pub(crate) const FEWEST_ROUNDS: u32 = 4096;
