//! The mechanisms by name, and which of them is best.

use std::fmt;

use crate::protocol::Extensions;

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
