//! What a handshake agreed on, as serde writes it: `docs/json.md` has every field.
//!
//! Written by hand, and not derived: what is public in Rust may get better names there, and what is written keeps its
//! own.

use serde::{Serialize, Serializer};

use crate::calendar::timestamp;
use crate::pem::pem;
use crate::tls_info::{Certificate, Info, Problem};

/// As the event `tls` is written.
impl Serialize for Info {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        ToldInfo { info: self, certificates: &self.certificates }.serialize(serializer)
    }
}

/// The same, with some of its certificates, or none.
pub(crate) struct ToldInfo<'a> {
    pub info: &'a Info,
    pub certificates: &'a [Certificate],
}

impl Serialize for ToldInfo<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Told<'a> {
            protocol: &'a str,
            cipher_suite: &'a str,
            key_exchange: Option<&'a str>,
            name: &'a str,
            is_verified: bool,
            problems: &'a [Problem],
            certificates: &'a [Certificate],
        }

        let Self { info, certificates } = *self;
        let told = Told {
            protocol: &info.version,
            cipher_suite: &info.suite,
            key_exchange: info.key_exchange.as_deref(),
            name: &info.name,
            is_verified: info.is_verified(),
            problems: &info.problems,
            certificates,
        };
        told.serialize(serializer)
    }
}

/// A name for programs, and the sentence for people. A name stays, as an event's does.
impl Serialize for Problem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Told {
            problem: &'static str,
            reason: String,
        }

        let problem = match self {
            Self::NoCertificate => "no_certificate",
            Self::Expired { .. } => "expired",
            Self::NotYetValid { .. } => "not_yet_valid",
            Self::WrongName { .. } => "wrong_name",
            Self::SelfSigned => "self_signed",
            Self::UnknownIssuer { .. } => "unknown_issuer",
            Self::OtherKey { .. } => "other_key",
            Self::NoTrustStore { .. } => "no_trust_store",
            Self::Other { .. } => "other",
        };
        Told { problem, reason: self.to_string() }.serialize(serializer)
    }
}

/// With its times after [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339), its fingerprints in hexadecimal digits, and
/// the whole of it in PEM.
impl Serialize for Certificate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Told<'a> {
            subject: &'a str,
            issuer: &'a str,
            names: &'a [String],
            not_before: String,
            not_after: String,
            key: &'a str,
            signature: &'a str,
            sha256: String,
            key_sha256: String,
            pem: String,
        }

        let told = Told {
            subject: &self.subject,
            issuer: &self.issuer,
            names: &self.names,
            not_before: timestamp(self.not_before),
            not_after: timestamp(self.not_after),
            key: &self.key,
            signature: &self.signature,
            sha256: self.fingerprint.to_string(),
            key_sha256: self.key_fingerprint.to_string(),
            pem: pem("CERTIFICATE", &self.der),
        };
        told.serialize(serializer)
    }
}
