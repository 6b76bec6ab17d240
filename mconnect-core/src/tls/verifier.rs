//! What is looked at during the handshake: whether the server holds the key of the certificate that it shows, and what
//! the certificates are worth.
//!
//! The two are not the same. That it holds the key is proven by a signature, and a handshake in which that fails is
//! over, whatever the caller wants. What the certificates are worth is found, kept, and judged after the handshake.
//!
//! The signature is verified with the key as `x509-cert` reads it, and not through webpki: webpki refuses certificates
//! that are too old or too odd (X.509 v1, unknown critical extensions) before it comes to their key, and a prober that
//! has said [`insecure`](Config::insecure) wants to see those above all. Which kinds of keys and signatures count is
//! the provider's to say in both ways.

use std::sync::OnceLock;
use std::time::SystemTime;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{verify_tls12_signature, verify_tls13_signature, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, SignatureScheme};
use x509_cert::der::asn1::AnyRef;
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::spki::SubjectPublicKeyInfoOwned as PublicKey;

use super::errors::UNUSABLE_KEY;
use super::provider::provider;
use super::verify::{Trust, problems};
use super::{Certificate, Config, Problem};

/// Keeps what the server shows and what is wrong with it, for one handshake. Every certificate may pass, so that the
/// handshake comes to its end, also certificates that are too old or too odd to be verified; but where the client has one
/// of its own to show, the handshake ends before that, unless the server is proven.
#[derive(Debug)]
pub(super) struct Verifier {
    config: Config,
    asked: String,
    name: Option<ServerName<'static>>,
    found: OnceLock<Found>,
}

/// What the server showed, and everything that is wrong with it: what becomes of it is an [`Info`](super::Info).
#[derive(Debug, Clone, Default)]
pub(super) struct Found {
    pub certificates: Vec<Certificate>,
    pub problems: Vec<Problem>,
}

impl Verifier {
    /// Begins a handshake with this name.
    pub fn new(config: &Config, asked: &str) -> Self {
        // A name that cannot be one is not sent; no certificate is for it.
        let name = ServerName::try_from(asked.to_owned()).ok();
        Self { config: config.clone(), asked: asked.to_owned(), name, found: OnceLock::new() }
    }

    /// Returns the name to send. One that cannot be a name is not sent at all: an address stands in its place, which
    /// SNI does not have.
    pub fn server_name(&self) -> ServerName<'static> {
        self.name.clone().unwrap_or(ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into()))
    }

    /// Returns what certificates say, and everything that is wrong with them.
    pub fn look_at(&self, shown: &[CertificateDer<'static>]) -> Found {
        let certificates: Vec<Certificate> = shown.iter().map(Certificate::read).collect();
        let config = &self.config;
        let trust = Trust { name: self.name.as_ref(), asked: &self.asked, pins: &config.pins, known: &config.known };
        let problems = problems(&trust, shown, &certificates, SystemTime::now(), || config.roots());
        Found { certificates, problems }
    }

    /// Returns what the server has shown so far.
    pub fn found(&self) -> Option<&Found> {
        self.found.get()
    }

    /// Says whether the handshake was ended here.
    pub fn has_refused(&self) -> bool {
        self.config.refuses_early() && self.found().is_some_and(|found| !found.problems.is_empty())
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown: Vec<_> = std::iter::once(leaf).chain(chain).map(|der| der.clone().into_owned()).collect();
        let found = self.found.get_or_init(|| self.look_at(&shown));
        if self.has_refused() { Err(alert(found.problems.first()).into()) } else { Ok(ServerCertVerified::assertion()) }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let proven = match public_key(certificate) {
            Some(key) => verify_tls12(message, &key, signed),
            // What one reader of certificates does not take, the other may.
            None => verify_tls12_signature(message, certificate, signed, &provider().signature_verification_algorithms),
        };
        proven.map_err(|error| in_words(error, certificate))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &provider().signature_verification_algorithms;
        let proven = match public_key(certificate).and_then(|key| key.to_der().ok()) {
            Some(key) => {
                let key = SubjectPublicKeyInfoDer::from(key);
                verify_tls13_signature_with_raw_key(message, &key, signed, algorithms)
            }
            None => verify_tls13_signature(message, certificate, signed, algorithms),
        };
        proven.map_err(|error| in_words(error, certificate))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

/// Returns the error whose alert tells the server about what is wrong.
fn alert(problem: Option<&Problem>) -> CertificateError {
    match problem {
        Some(Problem::Expired { .. }) => CertificateError::Expired,
        Some(Problem::NotYetValid { .. }) => CertificateError::NotValidYet,
        Some(Problem::WrongName { .. }) => CertificateError::NotValidForName,
        Some(Problem::SelfSigned | Problem::UnknownIssuer { .. }) => CertificateError::UnknownIssuer,
        _ => CertificateError::ApplicationVerificationFailure,
    }
}

/// Verifies a signature of TLS 1.2, whose scheme says which hash and which kind of key, but not the curve.
fn verify_tls12(
    message: &[u8],
    key: &PublicKey,
    signed: &DigitallySignedStruct,
) -> Result<HandshakeSignatureValid, Error> {
    let kind = key.algorithm.to_der().map_err(|_| CertificateError::BadEncoding)?;
    let kind = AnyRef::from_der(&kind).map_err(|_| CertificateError::BadEncoding)?;
    let algorithms = provider().signature_verification_algorithms;
    let fitting = algorithms.mapping.iter().find(|(scheme, _)| *scheme == signed.scheme);
    let (_, fitting) = fitting.ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
    let fitting = fitting.iter().find(|algorithm| algorithm.public_key_alg_id().as_ref() == kind.value());
    let bits = key.subject_public_key.raw_bytes();
    match fitting.map(|algorithm| algorithm.verify_signature(bits, message, signed.signature())) {
        Some(Ok(())) => Ok(HandshakeSignatureValid::assertion()),
        _ => Err(CertificateError::BadSignature.into()),
    }
}

/// Returns the key of a certificate, also of one that webpki does not take.
fn public_key(certificate: &CertificateDer<'_>) -> Option<PublicKey> {
    let certificate = x509_cert::Certificate::from_der(certificate).ok()?;
    Some(certificate.tbs_certificate().subject_public_key_info().clone())
}

/// Says what is wrong with the key, if it is no key that could prove anything here; otherwise that the proof failed.
fn in_words(error: Error, certificate: &CertificateDer<'_>) -> Error {
    let certificate = Certificate::read(certificate);
    match error {
        Error::InvalidCertificate(_) if !certificate.has_usable_key() => {
            Error::General(format!("{UNUSABLE_KEY}: {}", certificate.key))
        }
        Error::InvalidCertificate(_) => {
            Error::General("the server has not proven that it holds the key of its certificate".to_owned())
        }
        error => error,
    }
}
