//! Whether a server is the one that was asked for: everything that is wrong with what it showed.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

use super::certificate::{Certificate, Fingerprint, date};

/// Something that is wrong with a server's certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCertificate => f.write_str("it showed no certificate"),
            Self::Expired { subject, since } => write!(f, "the certificate of {subject} expired on {}", date(*since)),
            Self::NotYetValid { subject, from } => {
                write!(f, "the certificate of {subject} is not valid before {}", date(*from))
            }
            Self::WrongName { asked, names } if names.is_empty() => {
                write!(f, "the certificate is not for {asked}, and names no host")
            }
            Self::WrongName { asked, names } => {
                write!(f, "the certificate is not for {asked} but for {}", names.join(", "))
            }
            Self::SelfSigned => f.write_str("the certificate is self-signed"),
            Self::UnknownIssuer { issuer } => write!(f, "its issuer is unknown here: {issuer}"),
            Self::OtherKey { key } => write!(f, "its public key is another than the pinned one: {key}"),
            Self::NoTrustStore { reason } => write!(f, "there is no trust store to verify it with: {reason}"),
            Self::Other { reason } => f.write_str(reason),
        }
    }
}

/// Whom to trust.
pub(super) struct Trust<'a> {
    /// What was asked for: the name, or nothing if it cannot be one.
    pub name: Option<&'a ServerName<'a>>,
    pub asked: &'a str,
    pub pins: &'a [Fingerprint],
    /// Certificates that are trusted as they are.
    pub known: &'a [CertificateDer<'static>],
}

/// Gives everything that is wrong; the stores are asked only if that is what it depends on, one after another.
pub(super) fn problems(
    trust: &Trust<'_>,
    shown: &[CertificateDer<'static>],
    certificates: &[Certificate],
    now: SystemTime,
    stores: impl Iterator<Item = Result<Arc<RootCertStore>, String>>,
) -> Vec<Problem> {
    let (Some(leaf_der), Some(leaf)) = (shown.first(), certificates.first()) else {
        return vec![Problem::NoCertificate];
    };
    if !trust.pins.is_empty() {
        // A pin says which key it is: names, times and issuers add nothing to that.
        let is_pinned = trust.pins.contains(&leaf.key_fingerprint);
        return if is_pinned { Vec::new() } else { vec![Problem::OtherKey { key: leaf.key_fingerprint }] };
    }
    let mut problems: Vec<Problem> = certificates.iter().filter_map(|certificate| time(certificate, now)).collect();
    match ParsedCertificate::try_from(leaf_der) {
        Err(error) => problems.push(other(&error)),
        Ok(parsed) => {
            if trust.name.is_none_or(|name| verify_server_name(&parsed, name).is_err()) {
                let (asked, names) = (trust.asked.to_owned(), leaf.names.clone());
                problems.push(Problem::WrongName { asked, names });
            }
            // The stores are read only for what can be in them.
            let is_alone = leaf.is_self_issued();
            let chain = if trust.known.contains(leaf_der) {
                None
            } else if is_alone {
                Some(Problem::SelfSigned)
            } else {
                unless_one_vouches(stores.map(|roots| match roots {
                    Ok(roots) => chain(&parsed, leaf, shown, certificates, &roots, now),
                    Err(reason) => Some(Problem::NoTrustStore { reason }),
                }))
            };
            problems.extend(chain);
        }
    }
    problems
}

/// Gives the last of the problems, or nothing if there is none by one of the stores.
fn unless_one_vouches(verdicts: impl Iterator<Item = Option<Problem>>) -> Option<Problem> {
    let mut problem = None;
    for verdict in verdicts {
        problem = Some(verdict?);
    }
    problem
}

fn time(certificate: &Certificate, now: SystemTime) -> Option<Problem> {
    let subject = certificate.subject.clone();
    match now {
        now if now > certificate.not_after => Some(Problem::Expired { subject, since: certificate.not_after }),
        now if now < certificate.not_before => Some(Problem::NotYetValid { subject, from: certificate.not_before }),
        _ => None,
    }
}

/// Says what is wrong with the chain, its times left aside: those have been looked at.
fn chain(
    parsed: &ParsedCertificate<'_>,
    leaf: &Certificate,
    shown: &[CertificateDer<'static>],
    certificates: &[Certificate],
    roots: &RootCertStore,
    now: SystemTime,
) -> Option<Problem> {
    let latest_start = certificates.iter().map(|certificate| certificate.not_before).max().unwrap_or(now);
    let earliest_end = certificates.iter().map(|certificate| certificate.not_after).min().unwrap_or(now);
    let then = now.max(latest_start).min(earliest_end.max(leaf.not_before));
    let then = UnixTime::since_unix_epoch(then.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO));
    let algorithms = provider().signature_verification_algorithms.all;
    match verify_server_cert_signed_by_trust_anchor(parsed, roots, &shown[1..], then, algorithms) {
        Ok(()) => None,
        Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => {
            let last = last_of_chain(certificates);
            let issuer = last.issuer.clone();
            Some(Problem::UnknownIssuer { issuer })
        }
        Err(error) => Some(other(&error)),
    }
}

/// Follows the issuers from the leaf on, as far as their certificates were shown.
fn last_of_chain(certificates: &[Certificate]) -> &Certificate {
    let mut last = &certificates[0];
    for _ in certificates {
        match certificates.iter().find(|next| next.subject == last.issuer && !last.is_self_issued()) {
            Some(next) => last = next,
            None => break,
        }
    }
    last
}

fn other(error: &Error) -> Problem {
    Problem::Other { reason: error.to_string() }
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: std::sync::LazyLock<Arc<CryptoProvider>> =
        std::sync::LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));
    Arc::clone(&PROVIDER)
}

/// Lets every certificate pass, so that the handshake comes to its end and everything can be shown; but the server has
/// to prove that it holds the certificate's key. What the certificates are worth is looked at after it.
#[derive(Debug)]
pub(super) struct Deferred;

impl ServerCertVerifier for Deferred {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &provider().signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &provider().signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}
