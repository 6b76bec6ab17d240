//! Certificates made on the spot, good ones and bad ones, for tests and for practice: ECDSA with P-256 and SHA-256.
//!
//! ```text
//!    Authority::new("Root") ── issue ──────────────► Identity     for a Setup: certificate, chain and key
//!         │                  └ issue_for(-30, -3) ─► Identity     expired
//!         └ intermediate("Between") ── issue ──────► Identity     with Between's certificate behind its own
//!    Identity::self_signed ────────────────────────► Identity     without an authority
//! ```
//!
//! They are written here, octet by octet, and say the least that makes them valid: names, a time, a key, and whether
//! they are an authority's. No crate has to be built for that.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::pem::pem;
use crate::tls::{Certificate, Fingerprint};

/// A certificate, its chain, and its key, as a server shows them ([`Setup::tls`](super::Setup)) or a client does
/// ([`tls::Config::identity`](crate::tls::Config)).
///
/// ```
/// use mconnect_core::server::{Authority, Identity};
/// use mconnect_core::tls::Config;
///
/// let own = Identity::self_signed(["mx.example.org", "127.0.0.1"]);
/// assert!(own.pem().starts_with("-----BEGIN CERTIFICATE-----"));
/// assert_ne!(own.key_fingerprint(), Authority::new("A Root").issue(["mx.example.org"]).key_fingerprint());
/// // A client that shows it.
/// let config = Config::new().identity(own.pem().as_bytes(), own.key_pem().as_bytes())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Each has a key of its own, made when it is; [`Debug`](std::fmt::Debug) shows nothing of it.
#[derive(Clone)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: Arc<Key>,
}

/// An authority that issues certificates, and whose own is for the client that is to trust them.
///
/// ```
/// use mconnect_core::server::{Authority, Setup};
/// use mconnect_core::{Connect, tls};
///
/// let authority = Authority::new("A Root of Ours");
/// let expired = authority.issue_for(["localhost"], -30, -3);
/// let server = Setup::new().tls(&expired).tls_first().start()?;
///
/// let config = tls::Config::new().name("localhost").insecure().authorities(authority.pem().as_bytes())?;
/// let (session, info) = Connect::new("127.0.0.1", server.port()).open()?.upgrade(&config)?;
/// assert_eq!(info.problems.len(), 1, "it is expired, and nothing else: {:?}", info.problems);
/// # drop(session);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Authority {
    name: String,
    certificate: CertificateDer<'static>,
    /// Its own issuers, without the root.
    intermediates: Vec<CertificateDer<'static>>,
    key: Arc<Key>,
}

/// A key of P-256, as it is written down and as it signs.
struct Key {
    pkcs8: Vec<u8>,
    pair: EcdsaKeyPair,
}

impl Identity {
    /// Makes a certificate for these hosts, names or addresses, signed with its own key; valid from yesterday until 30
    /// days from today. The first of them is its subject, too. No client trusts it that was not told to.
    pub fn self_signed<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let (key, names) = (Arc::new(Key::generate()), Vec::from_iter(names));
        let name = names.first().copied().unwrap_or("nobody");
        let request =
            Request { subject: name, issuer: name, names: &names, days: (-1, 30), is_authority: false, key: &key };
        Self { chain: vec![request.sign(&key)], key }
    }

    /// Returns its certificates in PEM, its own first, then those of the authorities between it and the root; the
    /// root's is not among them.
    pub fn pem(&self) -> String {
        self.chain.iter().map(|der| Certificate::read(der).to_pem()).collect()
    }

    /// Returns its key, in PKCS #8 and DER ([RFC 5208](https://www.rfc-editor.org/rfc/rfc5208)).
    pub fn key(&self) -> &[u8] {
        &self.key.pkcs8
    }

    /// Returns its key in PEM, not encrypted.
    pub fn key_pem(&self) -> String {
        pem("PRIVATE KEY", &self.key.pkcs8)
    }

    /// Returns the fingerprint of its public key, for a client that pins it ([`tls::Config`](crate::tls::Config)).
    pub fn key_fingerprint(&self) -> Fingerprint {
        Certificate::read(&self.chain[0]).key_fingerprint
    }

    /// Returns a configuration of rustls for a server that shows it, with TLS 1.2 and 1.3, and without certificates of
    /// clients: to be served by a program of one's own.
    pub fn config(&self) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.pkcs8.clone()));
        let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().expect("the provider has the default versions");
        let config = builder.with_no_client_auth().with_single_cert(self.chain.clone(), key);
        Arc::new(config.expect("the key is the certificate's"))
    }
}

impl Authority {
    /// Makes an authority that nobody knows yet: a root by this name, valid for a year.
    pub fn new(name: &str) -> Self {
        let key = Arc::new(Key::generate());
        let request =
            Request { subject: name, issuer: name, names: &[], days: (-1, 365), is_authority: true, key: &key };
        Self { name: name.to_owned(), certificate: request.sign(&key), intermediates: Vec::new(), key }
    }

    /// Makes an authority below this one: what it issues comes with its certificate, and those of the others between it
    /// and the root.
    ///
    /// ```
    /// # use mconnect_core::server::{Authority, Setup};
    /// # use mconnect_core::{Connect, tls};
    /// let root = Authority::new("Root");
    /// let identity = root.intermediate("Between").issue(["mx.example.org"]);
    /// assert_eq!(identity.pem().matches("BEGIN CERTIFICATE").count(), 2);
    ///
    /// let server = Setup::new().tls(&identity).tls_first().start()?;
    /// let trust = tls::Config::new().name("mx.example.org").authorities(root.pem().as_bytes())?;
    /// let (session, info) = Connect::new("127.0.0.1", server.port()).open()?.upgrade(&trust)?;
    /// assert!(info.is_verified());
    /// # drop(session);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn intermediate(&self, name: &str) -> Self {
        let key = Arc::new(Key::generate());
        let request =
            Request { subject: name, issuer: &self.name, names: &[], days: (-1, 365), is_authority: true, key: &key };
        let certificate = request.sign(&self.key);
        let intermediates = [std::slice::from_ref(&certificate), &self.intermediates].concat();
        Self { name: name.to_owned(), certificate, intermediates, key }
    }

    /// Issues a certificate for these hosts, names or addresses, valid from yesterday until 30 days from today.
    pub fn issue<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Identity {
        self.issue_for(names, -1, 30)
    }

    /// Issues a certificate that is valid from and until so many days from today, at most from 1970 to the year 9999:
    /// one that has expired, `-30, -3`, or is not valid before next week, `7, 30`.
    pub fn issue_for<'a>(&self, names: impl IntoIterator<Item = &'a str>, from: i64, until: i64) -> Identity {
        let (key, names) = (Arc::new(Key::generate()), Vec::from_iter(names));
        let subject = names.first().copied().unwrap_or("nobody");
        let request =
            Request { subject, issuer: &self.name, names: &names, days: (from, until), is_authority: false, key: &key };
        let chain = [&[request.sign(&self.key)][..], &self.intermediates].concat();
        Identity { chain, key }
    }

    /// Returns its certificate in PEM.
    pub fn pem(&self) -> String {
        Certificate::read(&self.certificate).to_pem()
    }
}

impl Key {
    fn generate() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random);
        let pkcs8 = pkcs8.expect("the system has random numbers").as_ref().to_vec();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &pkcs8, &random);
        Self { pair: pair.expect("a key that was just made is one"), pkcs8 }
    }
}

/// What a certificate is to say ([RFC 5280, section 4.1](https://www.rfc-editor.org/rfc/rfc5280#section-4.1)).
struct Request<'a> {
    subject: &'a str,
    issuer: &'a str,
    names: &'a [&'a str],
    days: (i64, i64),
    is_authority: bool,
    key: &'a Key,
}

impl Request<'_> {
    /// Writes the certificate, and signs it with this key: the issuer's.
    fn sign(&self, issuer: &Key) -> CertificateDer<'static> {
        let body = self.body();
        let signature = issuer.pair.sign(&SystemRandom::new(), &body).expect("the system has random numbers");
        let signature = tlv(BIT_STRING, &[&[0], signature.as_ref()]);
        CertificateDer::from(tlv(SEQUENCE, &[&body, &tlv(SEQUENCE, &[ECDSA_WITH_SHA256]), &signature]))
    }

    /// Writes what is signed.
    fn body(&self) -> Vec<u8> {
        let point = self.key.pair.public_key().as_ref();
        let validity = tlv(SEQUENCE, &[&day(self.days.0), &day(self.days.1)]);
        let key = tlv(SEQUENCE, &[EC_PUBLIC_KEY, P_256]);
        let key = tlv(SEQUENCE, &[&key, &tlv(BIT_STRING, &[&[0], point])]);
        // A serial number that no other certificate of the issuer has, and that is positive.
        let serial = [&[1][..], &point[1..16]].concat();
        tlv(
            SEQUENCE,
            &[
                &tlv(CONTEXT_0, &[&tlv(INTEGER, &[&[2]])]),
                &tlv(INTEGER, &[&serial]),
                &tlv(SEQUENCE, &[ECDSA_WITH_SHA256]),
                &common_name(self.issuer),
                &validity,
                &common_name(self.subject),
                &key,
                &tlv(CONTEXT_3, &[&tlv(SEQUENCE, &[&self.extensions()])]),
            ],
        )
    }

    /// Writes what the certificate is for: an authority's says that it is one, and every other which hosts it is for.
    fn extensions(&self) -> Vec<u8> {
        if self.is_authority {
            let constraints = tlv(SEQUENCE, &[&tlv(BOOLEAN, &[&[0xff]])]);
            let critical = tlv(BOOLEAN, &[&[0xff]]);
            return tlv(SEQUENCE, &[BASIC_CONSTRAINTS, &critical, &tlv(OCTET_STRING, &[&constraints])]);
        }
        let names: Vec<u8> = self
            .names
            .iter()
            .flat_map(|name| match name.parse() {
                Ok(IpAddr::V4(address)) => tlv(IP_ADDRESS, &[&address.octets()]),
                Ok(IpAddr::V6(address)) => tlv(IP_ADDRESS, &[&address.octets()]),
                Err(_) => tlv(DNS_NAME, &[name.as_bytes()]),
            })
            .collect();
        tlv(SEQUENCE, &[SUBJECT_ALT_NAME, &tlv(OCTET_STRING, &[&tlv(SEQUENCE, &[&names])])])
    }
}

/// Writes a name that has one attribute.
fn common_name(name: &str) -> Vec<u8> {
    let attribute = tlv(SEQUENCE, &[COMMON_NAME, &tlv(UTF8_STRING, &[name.as_bytes()])]);
    tlv(SEQUENCE, &[&tlv(SET, &[&attribute])])
}

/// The beginning of the day so many days from today, or the nearest one that a certificate can name.
fn day(days: i64) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let span = Duration::from_secs(days.unsigned_abs().saturating_mul(24 * 60 * 60));
    let since = if days < 0 { now.saturating_sub(span) } else { now.saturating_add(span) };
    let day = UNIX_EPOCH + since.min(LAST_DAY);
    let digits: String = crate::tls::date(day).split('-').collect();
    tlv(GENERALIZED_TIME, &[digits.as_bytes(), b"000000Z"])
}

/// Years have four digits ([RFC 5280, section 4.1.2.5.2](https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.5.2)):
/// this is 9999-12-31.
const LAST_DAY: Duration = Duration::from_secs(253_402_214_400);

/// Writes a value in DER: its tag, the length of its parts together, and its parts.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let size = content.len().to_be_bytes();
    let size = &size[size.iter().take_while(|byte| **byte == 0).count()..];
    let mut value = vec![tag];
    match content.len() {
        short @ 0..128 => value.push(u8::try_from(short).expect("below 128")),
        _ => {
            value.push(0x80 | u8::try_from(size.len()).expect("a length has few octets"));
            value.extend_from_slice(size);
        }
    }
    value.extend_from_slice(&content);
    value
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("name", &self.name).finish_non_exhaustive()
    }
}

const BOOLEAN: u8 = 0x01;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
const UTF8_STRING: u8 = 0x0c;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const DNS_NAME: u8 = 0x82;
const IP_ADDRESS: u8 = 0x87;
const CONTEXT_0: u8 = 0xa0;
const CONTEXT_3: u8 = 0xa3;
/// Object identifiers, tag and length included.
const EC_PUBLIC_KEY: &[u8] = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01";
const P_256: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
const ECDSA_WITH_SHA256: &[u8] = b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
const COMMON_NAME: &[u8] = b"\x06\x03\x55\x04\x03";
const SUBJECT_ALT_NAME: &[u8] = b"\x06\x03\x55\x1d\x11";
const BASIC_CONSTRAINTS: &[u8] = b"\x06\x03\x55\x1d\x13";
