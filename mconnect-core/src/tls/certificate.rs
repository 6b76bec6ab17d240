//! Reading certificates: what people ask of one, and not all that stands in it.

use std::net::IpAddr;
use std::time::UNIX_EPOCH;

use ring::digest::{SHA256, SHA384, SHA512, digest};
use rustls::pki_types::CertificateDer;
use x509_cert::der::asn1::AnyRef;
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{Decode, Encode, SliceReader, Tag, TagNumber, Tagged};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use super::name::in_words;
use super::{Certificate, Fingerprint};
use crate::pem::pem;

impl Fingerprint {
    /// Returns the SHA-256 of some bytes.
    fn of(bytes: &[u8]) -> Self {
        let mut print = [0; 32];
        print.copy_from_slice(digest(&SHA256, bytes).as_ref());
        Self(print)
    }
}

impl Certificate {
    /// Reads a certificate in DER. This never fails: one that cannot be read keeps its bytes and says so as its
    /// subject, `(not readable)`; what it is worth, [`Config::problems`](super::Config::problems) says.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use std::time::SystemTime;
    ///
    /// use mconnect_core::server::Identity;
    /// use mconnect_core::tls::Certificate;
    /// use mconnect_core::tls::rustls::pki_types::{CertificateDer, pem::PemObject as _};
    ///
    /// let pem = Identity::self_signed(["mx.example.org"]).pem();
    /// let certificate = Certificate::from_der(&CertificateDer::from_pem_slice(pem.as_bytes())?);
    /// assert_eq!(certificate.names, ["mx.example.org"]);
    /// assert_eq!(certificate.key, "ECDSA P-256");
    /// assert!(certificate.is_self_issued() && certificate.days_left(SystemTime::now()) >= 28);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_der(der: &[u8]) -> Self {
        Self::read(&CertificateDer::from(der))
    }

    /// Reads one of rustls's certificates; every field of one that cannot be read says so.
    pub(crate) fn read(der: &CertificateDer<'_>) -> Self {
        Self::parse(der).unwrap_or_else(|| Self {
            der: der.to_vec(),
            subject: NOT_READABLE.to_owned(),
            issuer: NOT_READABLE.to_owned(),
            names: Vec::new(),
            not_before: UNIX_EPOCH,
            not_after: UNIX_EPOCH,
            key: NOT_READABLE.to_owned(),
            signature: NOT_READABLE.to_owned(),
            fingerprint: Fingerprint::of(der),
            key_fingerprint: Fingerprint::of(&[]),
        })
    }

    /// Reads what it says; none if it is no certificate.
    fn parse(der: &[u8]) -> Option<Self> {
        let certificate = x509_cert::Certificate::from_der(der).ok()?;
        let body = certificate.tbs_certificate();
        let alternatives = body.get_extension::<SubjectAltName>().ok().flatten();
        let names = alternatives.map(|(_, names)| names.0.iter().filter_map(host).collect()).unwrap_or_default();
        let public_key = body.subject_public_key_info();
        Some(Self {
            der: der.to_vec(),
            subject: in_words(body.subject()),
            issuer: in_words(body.issuer()),
            names,
            not_before: body.validity().not_before.to_system_time(),
            not_after: body.validity().not_after.to_system_time(),
            key: key(public_key),
            signature: algorithm(certificate.signature_algorithm().oid),
            fingerprint: Fingerprint::of(der),
            key_fingerprint: Fingerprint::of(&public_key.to_der().ok()?),
        })
    }

    /// Says whether it could be read; what it names tells nothing of that.
    pub(super) fn is_readable(&self) -> bool {
        self.key != NOT_READABLE
    }

    /// Says whether its key is of a kind that can be verified with.
    pub(super) fn has_usable_key(&self) -> bool {
        match self.key.split_once(' ') {
            Some(("RSA", bits)) => bits.parse().is_ok_and(|bits: u32| (2048..=8192).contains(&bits)),
            _ => ["ECDSA P-256", "ECDSA P-384", "Ed25519"].contains(&self.key.as_str()),
        }
    }

    /// Returns it as PEM ([RFC 7468](https://www.rfc-editor.org/rfc/rfc7468)): what `openssl x509` reads.
    pub fn to_pem(&self) -> String {
        pem("CERTIFICATE", &self.der)
    }
}

/// Returns the hash of a certificate that an authentication is bound to, tls-server-end-point, if it has one
/// ([RFC 5929, section 4.1](https://www.rfc-editor.org/rfc/rfc5929#section-4.1)): by the hash of the signature on it,
/// or by SHA-256 where that is MD5 or SHA-1. Ed25519 has no hash of its own, and so there is none.
pub(super) fn end_point(der: &[u8]) -> Option<Vec<u8>> {
    let certificate = x509_cert::Certificate::from_der(der).ok()?;
    let signature = certificate.signature_algorithm();
    let name = match algorithm(signature.oid).as_str() {
        "RSA-PSS" => match signature.parameters.as_ref()?.value() {
            // The default (RFC 4055, section 3.1).
            [] => "SHA-1".to_owned(),
            parameters => {
                let first = AnyRef::decode(&mut SliceReader::new(parameters).ok()?).ok()?;
                let is_hash = first.tag() == Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
                let hash = if is_hash { Some(AnyRef::from_der(first.value()).ok()?) } else { None };
                hash.map_or_else(|| "SHA-1".to_owned(), |hash| algorithm_of(hash.value()))
            }
        },
        name => name.to_owned(),
    };
    let hash = match name.rsplit(' ').next()? {
        "MD5" | "SHA-1" | "SHA-256" => &SHA256,
        "SHA-384" => &SHA384,
        "SHA-512" => &SHA512,
        _ => return None,
    };
    Some(digest(hash, der).as_ref().to_vec())
}

/// Returns a name that may be a host's: of DNS, or an address.
fn host(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::IpAddress(address) => {
            let bytes = address.as_bytes();
            let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
            four.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

/// Returns kind and size of a key, as people write them.
fn key(info: &x509_cert::spki::SubjectPublicKeyInfoOwned) -> String {
    let bits = info.subject_public_key.raw_bytes();
    let parameters =
        || info.algorithm.parameters.as_ref().and_then(|any| any.decode_as::<ObjectIdentifier>().ok()).map(algorithm);
    match algorithm(info.algorithm.oid).as_str() {
        "RSA" => format!("RSA {}", rsa_size(bits).unwrap_or_default()),
        "ECDSA" => format!("ECDSA {}", parameters().unwrap_or_default()),
        other => other.to_owned(),
    }
}

/// Returns the bits of the modulus of an RSAPublicKey.
fn rsa_size(bytes: &[u8]) -> Option<usize> {
    let keys = Vec::<x509_cert::der::asn1::Int>::from_der(bytes).ok()?;
    let modulus: Vec<u8> = keys.first()?.as_bytes().iter().copied().skip_while(|byte| *byte == 0).collect();
    Some(modulus.len() * 8 - usize::try_from(modulus.first()?.leading_zeros()).ok()?)
}

/// Names an algorithm, and its curve, from the content of an AlgorithmIdentifier.
pub(super) fn algorithm_of(identifier: &[u8]) -> String {
    let Ok(mut reader) = SliceReader::new(identifier) else { return NOT_READABLE.to_owned() };
    let oids = [ObjectIdentifier::decode(&mut reader), ObjectIdentifier::decode(&mut reader)];
    oids.into_iter().flatten().map(algorithm).collect::<Vec<_>>().join(" ")
}

/// Names an algorithm; one that is not known stays a number.
fn algorithm(oid: ObjectIdentifier) -> String {
    let text = oid.to_string();
    let name = ALGORITHMS.iter().find(|(known, _)| *known == text).map(|(_, name)| *name);
    name.map_or(text, str::to_owned)
}

/// Object identifiers by the names that people know, as the registries of ITU and IETF have them.
const ALGORITHMS: &[(&str, &str)] = &[
    ("1.2.840.113549.1.1.1", "RSA"),
    ("1.2.840.113549.1.1.4", "RSA with MD5"),
    ("1.2.840.113549.1.1.5", "RSA with SHA-1"),
    ("1.2.840.113549.1.1.10", "RSA-PSS"),
    ("1.2.840.113549.1.1.11", "RSA with SHA-256"),
    ("1.2.840.113549.1.1.12", "RSA with SHA-384"),
    ("1.2.840.113549.1.1.13", "RSA with SHA-512"),
    ("1.2.840.10045.2.1", "ECDSA"),
    ("1.2.840.10045.3.1.7", "P-256"),
    ("1.3.132.0.34", "P-384"),
    ("1.3.132.0.35", "P-521"),
    ("1.2.840.10045.4.1", "ECDSA with SHA-1"),
    ("1.2.840.10045.4.3.2", "ECDSA with SHA-256"),
    ("1.2.840.10045.4.3.3", "ECDSA with SHA-384"),
    ("1.2.840.10045.4.3.4", "ECDSA with SHA-512"),
    ("1.3.101.112", "Ed25519"),
    ("1.3.14.3.2.26", "SHA-1"),
    ("2.16.840.1.101.3.4.2.1", "SHA-256"),
    ("2.16.840.1.101.3.4.2.2", "SHA-384"),
    ("2.16.840.1.101.3.4.2.3", "SHA-512"),
];

/// What stands in the place of what could not be read.
const NOT_READABLE: &str = "(not readable)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_as_they_are_written() {
        let print = Fingerprint::of(b"abc");
        assert_eq!(print.to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(Fingerprint::parse(&print.to_string()), Some(print));
        assert_eq!(Fingerprint::parse("ba:78"), None);
        assert_eq!(Fingerprint::parse(&format!("{print}0")), None);
    }
}
