//! DANE: whether a server is the one that its domain's TLSA records speak of
//! ([RFC 7671](https://www.rfc-editor.org/rfc/rfc7671), for SMTP
//! [RFC 7672](https://www.rfc-editor.org/rfc/rfc7672)).
//!
//! ```text
//!   Tlsa, ... ──► usable? ── none is ──────────────────────────► Unusable: encrypted, and nobody proven
//!                   │
//!                   ├ 3: the server's own certificate or key ─┐
//!                   ├ 2: an authority that its chain leads    ├─► one holds ──► Matched
//!                   │    to, a name that was asked for, and   │
//!                   │    the times along it                  ─┴─► none does ──► Mismatch, with why for each
//!   Info ───────────┘
//! ```
//! The records are believed: whether they came by DNSSEC is for whoever looked them up to say.
//!
//! # What the handshake has proven
//! That a record names a key is one half; the other is that the server holds it. In a handshake that came to its end, it
//! has signed with the key of the first certificate it showed, and the signature is always verified, also where
//! [`Config::insecure`](super::Config::insecure) lets every certificate pass: otherwise there is no [`Info`]. Two
//! handshakes are no such proof: one of a configuration of the caller's own
//! ([`Config::from_rustls`](super::Config::from_rustls)) whose verifier does not look at signatures, and one that ended
//! early, with [`Error::Untrusted`](crate::Error::Untrusted), since the client had a certificate of its own to show
//! ([`Config::identity`](super::Config::identity)). A probe uses neither.

mod words;

use std::sync::Arc;
use std::time::SystemTime;

use ring::digest::{SHA256, SHA512, digest};
use rustls::RootCertStore;
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, Der, ServerName, TrustAnchor};
use rustls::server::ParsedCertificate;
use x509_cert::der::asn1::AnyRef;
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::spki::SubjectPublicKeyInfoOwned as PublicKey;

use super::verify::{Trust, problems};
use super::{Certificate, Info, Problem};
use crate::tlsa::Tlsa;

/// What TLSA records say of a server. [`Display`](std::fmt::Display) has it in words that an administrator acts on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum DaneVerdict {
    /// The server is the one that this record names.
    Matched {
        /// The first that holds.
        record: Tlsa,
        /// Which certificate it names, of those that were shown: 0 is the server's own. `None` if it is an authority that
        /// was not shown, since the record has all of it.
        depth: Option<usize>,
    },
    /// Some records can be used, and the server is none that they name.
    Mismatch {
        /// Why, for each record in turn.
        unmet: Vec<UnmetRecord>,
    },
    /// No record can be used. What is sent is encrypted, and nobody knows to whom
    /// ([RFC 7672, section 2.2](https://www.rfc-editor.org/rfc/rfc7672#section-2.2)).
    Unusable {
        /// Why, for each record in turn.
        unmet: Vec<UnmetRecord>,
    },
}

/// A TLSA record that proves nobody, and why. [`Display`](std::fmt::Display) has it in words: `published 3 1 1 ab..., shown
/// would be 3 1 1 cd...`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnmetRecord {
    /// The record.
    pub record: Tlsa,
    /// Why not.
    pub reason: UnmetReason,
    /// The record that its data would be right for, if other first numbers make it so: it was published as the wrong kind.
    pub fits_as: Option<Tlsa>,
}

/// Why a TLSA record proves nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum UnmetReason {
    /// It cannot be used: its usage is not 2 or 3, the only ones for SMTP
    /// ([RFC 7672, section 3.1.3](https://www.rfc-editor.org/rfc/rfc7672#section-3.1.3)).
    Usage,
    /// It cannot be used: its selector is not 0 or 1.
    Selector,
    /// It cannot be used: its matching type is not 0, 1 or 2.
    Matching,
    /// It cannot be used: a hash of its kind has another length.
    Length {
        /// The octets of such a hash.
        wanted: usize,
    },
    /// It cannot be used: its data is not the certificate, or the key, that it is to be.
    Malformed,
    /// A stronger hash of the same kind is published, and that alone counts
    /// ([RFC 7671, section 9](https://www.rfc-editor.org/rfc/rfc7671#section-9)).
    Outdone,
    /// Nothing that was shown is what it names.
    Differs {
        /// What the record would be of each certificate that it could have named; of the first ten.
        shown: Vec<Tlsa>,
    },
    /// It names an authority that was shown, or has it whole, and that does not prove the server.
    Untrusted {
        /// What is wrong.
        problems: Vec<Problem>,
    },
}

/// Judges a server by TLSA records, after a handshake. `names` are those that the certificate may be for where an
/// authority is named: that of the server, at which the records are, and that of the domain, before and after CNAMEs
/// ([RFC 7672, section 3.2.2](https://www.rfc-editor.org/rfc/rfc7672#section-3.2.2)). As everywhere here, the names of its
/// subjectAltName count. Of more than a hundred records, the first hundred are judged.
///
/// ```
/// # #[cfg(feature = "server")] {
/// # use mconnect_core::server::{Identity, Setup};
/// # let identity = Identity::self_signed(["somebody.else.example"]);
/// # let server = Setup::new().tls(&identity).tls_first().start()?;
/// use std::time::SystemTime;
///
/// use mconnect_core::tls::{Config, dane};
/// use mconnect_core::{Connect, Tlsa};
///
/// let record = Tlsa::new(3, 1, 1, identity.key_fingerprint().0);
/// let session = Connect::new("127.0.0.1", server.port()).open()?;
/// // Whatever is wrong with the certificate: the record is to say who it is.
/// let (_session, info) = session.upgrade(&Config::new().insecure())?;
/// let verdict = dane::verify(&[record], &info, &["mx.example.org"], SystemTime::now());
/// assert!(matches!(verdict, dane::DaneVerdict::Matched { depth: Some(0), .. }));
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "DANE")]
#[doc(alias = "TLSA")]
pub fn verify(records: &[Tlsa], info: &Info, names: &[&str], now: SystemTime) -> DaneVerdict {
    let shown: Vec<Shown<'_>> = info.certificates.iter().map(Shown::new).collect();
    let records = &records[..records.len().min(MOST_RECORDS)];
    let mut unmet = Vec::new();
    for record in records {
        match judge(record, records, &shown, names, now) {
            Ok(depth) => return DaneVerdict::Matched { record: record.clone(), depth },
            Err(reason) => {
                unmet.push(UnmetRecord { record: record.clone(), reason, fits_as: fitting(record, &shown) });
            }
        }
    }
    match records.iter().any(|record| unusable(record).is_none()) {
        true => DaneVerdict::Mismatch { unmet },
        false => DaneVerdict::Unusable { unmet },
    }
}

/// Returns which certificate a record proves the server by, or why it does not.
fn judge(
    record: &Tlsa,
    records: &[Tlsa],
    shown: &[Shown<'_>],
    names: &[&str],
    now: SystemTime,
) -> Result<Option<usize>, UnmetReason> {
    if let Some(reason) = unusable(record) {
        return Err(reason);
    }
    if records.iter().any(|other| outdoes(other, record)) {
        return Err(UnmetReason::Outdone);
    }
    let differs = |could_be: &[Shown<'_>]| {
        Err(UnmetReason::Differs {
            shown: could_be.iter().filter_map(|shown| shown.record(record)).take(MOST_SHOWN).collect(),
        })
    };
    let Some((leaf, authorities)) = shown.split_first() else { return differs(&[]) };
    if record.usage == END_ENTITY {
        return if leaf.is(record) { Ok(Some(0)) } else { differs(&shown[..1]) };
    }
    // A server's own certificate is no authority, also if it is shown a second time.
    let is_named = |shown: &Shown<'_>| shown.certificate.der != leaf.certificate.der && shown.is(record);
    let depth = shown.iter().position(is_named);
    if depth.is_none() && record.matching != EXACT {
        return differs(authorities);
    }
    match untrusted(record, shown, names, now) {
        problems if problems.is_empty() => Ok(depth),
        problems if depth.is_some() || problems.iter().all(is_beside_the_chain) => {
            Err(UnmetReason::Untrusted { problems })
        }
        _ => differs(authorities),
    }
}

/// Returns what is wrong with the server's certificates, if the authority that a record names is believed, and no other.
fn untrusted(record: &Tlsa, shown: &[Shown<'_>], names: &[&str], now: SystemTime) -> Vec<Problem> {
    let certificates: Vec<Certificate> = shown.iter().map(|shown| shown.certificate.clone()).collect();
    let chain: Vec<_> = certificates.iter().map(|certificate| CertificateDer::from(certificate.der.clone())).collect();
    let mut known: Vec<_> = match (record.selector, record.matching) {
        (WHOLE, EXACT) => vec![CertificateDer::from(record.data.clone())],
        _ => shown.iter().zip(&chain).filter(|(shown, _)| shown.is(record)).map(|(_, der)| der.clone()).collect(),
    };
    known.retain(|authority| *authority != chain[0]);
    known.dedup();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(known.iter().cloned());
    if (record.selector, record.matching) == (KEY, EXACT) {
        // The key itself stands in the DNS, and whoever is said to have signed with it needs not be shown.
        roots.roots.extend(certificates.iter().filter_map(issuer).map(|issuer| TrustAnchor {
            subject: Der::from(issuer),
            subject_public_key_info: Der::from(content(&record.data)),
            name_constraints: None,
        }));
    }
    let parsed = ParsedCertificate::try_from(&chain[0]);
    let names: Vec<&str> = names.iter().map(|name| name.trim_end_matches('.')).collect();
    let mut asked = names.iter().filter_map(|name| ServerName::try_from(*name).ok());
    let name = asked.find(|name| parsed.as_ref().is_ok_and(|leaf| verify_server_name(leaf, name).is_ok()));
    let trust = Trust { name: name.as_ref(), asked: &names.join(" or "), pins: &[], known: &known };
    problems(&trust, &chain, &certificates, now, || Ok(Arc::new(roots)))
}

/// Says whether a problem is another than that the certificates do not lead to an authority.
fn is_beside_the_chain(problem: &Problem) -> bool {
    matches!(problem, Problem::Expired { .. } | Problem::NotYetValid { .. } | Problem::WrongName { .. })
}

/// Returns why a record cannot be used, if that is so
/// ([RFC 7671, section 4.1](https://www.rfc-editor.org/rfc/rfc7671#section-4.1)).
fn unusable(record: &Tlsa) -> Option<UnmetReason> {
    let has = |wanted| (record.data.len() != wanted).then_some(UnmetReason::Length { wanted });
    match (record.usage, record.selector, record.matching) {
        (AUTHORITY | END_ENTITY, WHOLE, EXACT) => {
            (!Certificate::from_der(&record.data).is_readable()).then_some(UnmetReason::Malformed)
        }
        (AUTHORITY | END_ENTITY, KEY, EXACT) => {
            PublicKey::from_der(&record.data).is_err().then_some(UnmetReason::Malformed)
        }
        (AUTHORITY | END_ENTITY, WHOLE | KEY, BY_SHA256) => has(SHA256.output_len()),
        (AUTHORITY | END_ENTITY, WHOLE | KEY, BY_SHA512) => has(SHA512.output_len()),
        (AUTHORITY | END_ENTITY, WHOLE | KEY, _) => Some(UnmetReason::Matching),
        (AUTHORITY | END_ENTITY, _, _) => Some(UnmetReason::Selector),
        _ => Some(UnmetReason::Usage),
    }
}

/// Says whether a record is one by a stronger hash, in whose presence the other does not count: who could forge the weaker
/// one would gain nothing by it.
fn outdoes(stronger: &Tlsa, record: &Tlsa) -> bool {
    let is_of_its_kind = (stronger.usage, stronger.selector) == (record.usage, record.selector);
    is_of_its_kind && (stronger.matching, record.matching) == (BY_SHA512, BY_SHA256) && unusable(stronger).is_none()
}

/// A certificate that was shown, with the data that records may have of it, by selector and matching type: hashed once,
/// however many records there are.
struct Shown<'a> {
    certificate: &'a Certificate,
    data: Vec<(u8, u8, Vec<u8>)>,
}

impl<'a> Shown<'a> {
    fn new(certificate: &'a Certificate) -> Self {
        let key = x509_cert::Certificate::from_der(&certificate.der).ok();
        let key = key.and_then(|read| read.tbs_certificate().subject_public_key_info().to_der().ok());
        let selected = [key.map(|key| (KEY, key)), Some((WHOLE, certificate.der.clone()))];
        let data = selected.into_iter().flatten().flat_map(|(selector, bytes)| {
            let [short, long] = [&SHA256, &SHA512].map(|hash| digest(hash, &bytes).as_ref().to_vec());
            [(selector, BY_SHA256, short), (selector, BY_SHA512, long), (selector, EXACT, bytes)]
        });
        Self { certificate, data: data.collect() }
    }

    /// Says whether a record has the right data for it, whatever its usage.
    fn is(&self, record: &Tlsa) -> bool {
        let Tlsa { selector, matching, data, .. } = record;
        self.data.iter().any(|own| (own.0, own.1, &own.2) == (*selector, *matching, data))
    }

    /// Returns the record with these first three numbers that names it; none if that is of its key, which cannot be read.
    fn record(&self, kind: &Tlsa) -> Option<Tlsa> {
        let data = self.data.iter().find(|own| (own.0, own.1) == (kind.selector, kind.matching))?;
        Some(Tlsa::new(kind.usage, kind.selector, kind.matching, data.2.clone()))
    }
}

/// Returns the record of another kind that the data of this one is right for.
fn fitting(record: &Tlsa, shown: &[Shown<'_>]) -> Option<Tlsa> {
    let fits = shown.iter().enumerate().find_map(|(depth, shown)| {
        let usage = if depth == 0 { END_ENTITY } else { AUTHORITY };
        let (selector, matching, data) = shown.data.iter().find(|own| own.2 == record.data)?;
        Some(Tlsa::new(usage, *selector, *matching, data.clone()))
    });
    fits.filter(|fits| fits != record)
}

/// Returns the name of whoever is said to have signed a certificate, as trust anchors have it.
fn issuer(certificate: &Certificate) -> Option<Vec<u8>> {
    let certificate = x509_cert::Certificate::from_der(&certificate.der).ok()?;
    Some(content(&certificate.tbs_certificate().issuer().to_der().ok()?))
}

/// Returns what is inside a sequence, without its tag and length.
fn content(der: &[u8]) -> Vec<u8> {
    AnyRef::from_der(der).map_or_else(|_| Vec::new(), |sequence| sequence.value().to_vec())
}

/// The numbers of [RFC 7218](https://www.rfc-editor.org/rfc/rfc7218): DANE-TA and DANE-EE, Cert and SPKI, Full, SHA2-256
/// and SHA2-512.
const AUTHORITY: u8 = 2;
const END_ENTITY: u8 = 3;
const WHOLE: u8 = 0;
const KEY: u8 = 1;
const EXACT: u8 = 0;
const BY_SHA256: u8 = 1;
const BY_SHA512: u8 = 2;

/// A domain has a few. Of more, the first are judged.
const MOST_RECORDS: usize = 100;

/// A chain has fewer.
const MOST_SHOWN: usize = 10;
