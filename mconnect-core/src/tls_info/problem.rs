//! What may be wrong with certificates.

use std::fmt;
use std::time::SystemTime;

use super::certificate::Fingerprint;
use crate::calendar::date;
use crate::protocol::Visible;

/// Something that is wrong with a server's certificates. All of it is found, not only the first: a certificate may have
/// expired and be for another name, too.
///
/// [`Display`](fmt::Display) has it in plain words, fit for a person and for one line.
///
/// | | who mends it |
/// |---|---|
/// | [`Expired`](Self::Expired), [`NotYetValid`](Self::NotYetValid) | the server's keeper; or the clock here is wrong |
/// | [`WrongName`](Self::WrongName) | the server's keeper; or whoever asked for it by this name |
/// | [`SelfSigned`](Self::SelfSigned), [`UnknownIssuer`](Self::UnknownIssuer) | whoever knows it: `Config::authorities`, `Config::pin` |
/// | [`OtherKey`](Self::OtherKey) | nobody, before it is known why: it may be somebody else |
/// | [`NoTrustStore`](Self::NoTrustStore) | this machine's keeper: `ca-certificates`, in most systems |
#[doc(alias = "certificate error")]
#[doc(alias = "verify")]
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum Problem {
    /// The server showed none.
    NoCertificate,
    /// A certificate's time is over.
    Expired {
        /// Whose: its subject.
        subject: String,
        /// Since when.
        since: SystemTime,
    },
    /// A certificate's time has not come.
    NotYetValid {
        /// Whose: its subject.
        subject: String,
        /// From when on it is valid.
        from: SystemTime,
    },
    /// The certificate is for other hosts.
    WrongName {
        /// The name that was asked for.
        asked: String,
        /// The names that it holds.
        names: Vec<String>,
    },
    /// It is signed with its own key, by nobody else.
    SelfSigned,
    /// Whoever issued it is not trusted here.
    UnknownIssuer {
        /// The issuer of the last certificate that was shown.
        issuer: String,
    },
    /// The public key is another than the one that was pinned.
    OtherKey {
        /// The server's.
        key: Fingerprint,
    },
    /// The system has no trust store that can be read.
    NoTrustStore {
        /// Why.
        reason: String,
    },
    /// Something else.
    Other {
        /// What, in words.
        reason: String,
    },
}

impl fmt::Display for Problem {
    /// Writes it in plain words; what the server may have chosen is made visible in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text: &str| Visible(text.as_bytes()).to_string();
        match self {
            Self::NoCertificate => f.write_str("it showed no certificate"),
            Self::Expired { subject, since } => {
                write!(f, "the certificate of {} expired on {}", shown(subject), date(*since))
            }
            Self::NotYetValid { subject, from } => {
                write!(f, "the certificate of {} is not valid before {}", shown(subject), date(*from))
            }
            Self::WrongName { asked, names } if names.is_empty() => {
                write!(f, "the certificate is not for {}, and names no host", shown(asked))
            }
            Self::WrongName { asked, names } => {
                write!(f, "the certificate is not for {} but for {}", shown(asked), shown(&names.join(", ")))
            }
            Self::SelfSigned => f.write_str("the certificate is self-signed"),
            Self::UnknownIssuer { issuer } => write!(f, "its issuer is unknown here: {}", shown(issuer)),
            Self::OtherKey { key } => write!(f, "its public key is another than the pinned one: {key}"),
            Self::NoTrustStore { reason } => write!(f, "there is no trust store to verify it with: {}", shown(reason)),
            Self::Other { reason } => f.write_str(&shown(reason)),
        }
    }
}
