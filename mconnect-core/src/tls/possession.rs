//! Whether a server holds the key of the certificate that it shows: the one thing that is looked at during the handshake.

use std::sync::{Arc, LazyLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, verify_tls12_signature, verify_tls13_signature, verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, PeerMisbehaved, SignatureScheme};
use x509_cert::der::asn1::AnyRef;
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::spki::SubjectPublicKeyInfoOwned as PublicKey;

use super::certificate::Certificate;

/// Lets every certificate pass, so that the handshake comes to its end and everything can be shown, also certificates
/// that are too old or too odd to be verified; but the server has to prove that it holds the key. What the certificates
/// are worth is looked at afterwards.
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
        let proven = match public_key(certificate) {
            Some(key) => tls12(message, &key, signed),
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

/// In TLS 1.2, the scheme says which hash and which kind of key, but not the curve.
fn tls12(message: &[u8], key: &PublicKey, signed: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
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

fn public_key(certificate: &CertificateDer<'_>) -> Option<PublicKey> {
    let certificate = x509_cert::Certificate::from_der(certificate).ok()?;
    Some(certificate.tbs_certificate().subject_public_key_info().clone())
}

/// Says what is wrong with the key, if it is no key that could prove anything here.
fn in_words(error: Error, certificate: &CertificateDer<'_>) -> Error {
    let certificate = Certificate::read(certificate);
    match error {
        Error::InvalidCertificate(_) if !certificate.has_usable_key() => {
            Error::General(format!("the server offers only a key that is not spoken here: {}", certificate.key))
        }
        Error::InvalidCertificate(_) => {
            Error::General("the server has not proven that it holds the key of its certificate".to_owned())
        }
        error => error,
    }
}

pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> =
        LazyLock::new(|| Arc::new(rustls::crypto::ring::default_provider()));
    Arc::clone(&PROVIDER)
}
