//! Whether a server is the one that was asked for: everything that is wrong with what it showed.
//!
//! ```text
//!   shown ──► readable? ──► pinned? ── a pin decides alone
//!                              │ no pins
//!                              ├─► its names hold the one that was asked for?       WrongName
//!                              ├─► one of the known certificates?                   its time alone
//!                              └─► self-signed?  a path to a root that is trusted?  SelfSigned, UnknownIssuer, Other
//!                                                the times along it                 Expired, NotYetValid
//! ```
//! A verifier stops at the first thing that is wrong; this one finds all. So the path is verified at a time at which
//! none of its certificates is too old, and their times are looked at by themselves.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};

use super::certificate::algorithm_of;
use super::provider::provider;
use super::{Certificate, Fingerprint, Problem};
use crate::tls_info::path;

/// Whom to trust, of a [`Config`](super::Config), and who was asked for.
pub(super) struct Trust<'a> {
    /// What was asked for: the name, or nothing if it cannot be one.
    pub name: Option<&'a ServerName<'a>>,
    pub asked: &'a str,
    pub pins: &'a [Fingerprint],
    /// Certificates that are trusted as they are.
    pub known: &'a [CertificateDer<'static>],
}

/// Returns everything that is wrong; `roots` is asked only if that is what it depends on.
pub(super) fn problems(
    trust: &Trust<'_>,
    shown: &[CertificateDer<'static>],
    certificates: &[Certificate],
    now: SystemTime,
    roots: impl FnOnce() -> Result<Arc<RootCertStore>, String>,
) -> Vec<Problem> {
    let (Some(leaf_der), Some(leaf)) = (shown.first(), certificates.first()) else {
        return vec![Problem::NoCertificate];
    };
    if !leaf.is_readable() {
        return vec![Problem::Other { reason: "its certificate is not readable".to_owned() }];
    }
    if !trust.pins.is_empty() {
        // A pin says which key it is: names, times and issuers add nothing to that.
        let is_pinned = trust.pins.contains(&leaf.key_fingerprint);
        return if is_pinned { Vec::new() } else { vec![Problem::OtherKey { key: leaf.key_fingerprint }] };
    }
    let mut problems = Vec::new();
    let path = path(certificates);
    let times = || path.iter().filter_map(|certificate| time(certificate, now));
    let parsed = ParsedCertificate::try_from(leaf_der);
    let is_named = match &parsed {
        Ok(parsed) => trust.name.is_some_and(|name| verify_server_name(parsed, name).is_ok()),
        Err(_) => leaf.names.iter().any(|name| name.eq_ignore_ascii_case(trust.asked)),
    };
    if !is_named {
        let (asked, names) = (trust.asked.to_owned(), leaf.names.clone());
        problems.push(Problem::WrongName { asked, names });
    }
    match (parsed, leaf.is_self_issued()) {
        _ if trust.known.contains(leaf_der) => problems.extend(time(leaf, now)),
        // The store is read only for what can be in it.
        (_, true) => problems.extend(times().chain([Problem::SelfSigned])),
        (Err(error), _) => problems.extend(times().chain([other(&error, &path)])),
        (Ok(parsed), _) => match roots() {
            Err(reason) => problems.extend(times().chain([Problem::NoTrustStore { reason }])),
            // What is not needed to come to a root may be of any time.
            Ok(roots) if verify_path(&parsed, shown, &roots, now).is_ok() => {
                problems.extend(untimely_roots(&parsed, shown, trust.known, now));
            }
            Ok(roots) => {
                let then = when_all_are_valid(&path, now);
                let chain = verify_path(&parsed, shown, &roots, then).err().map(|error| other(&error, &path));
                problems.extend(times().chain(chain));
            }
        },
    }
    problems.sort_by_key(|problem| !matches!(problem, Problem::Expired { .. } | Problem::NotYetValid { .. }));
    problems
}

/// Returns what is wrong with the time of a certificate, if anything is.
fn time(certificate: &Certificate, now: SystemTime) -> Option<Problem> {
    let subject = certificate.subject.clone();
    match now {
        now if now > certificate.not_after => Some(Problem::Expired { subject, since: certificate.not_after }),
        now if now < certificate.not_before => Some(Problem::NotYetValid { subject, from: certificate.not_before }),
        _ => None,
    }
}

/// Returns what is wrong with the times of the roots that the certificates which were shown lead to, unless they lead to
/// another one, too: a root in a trust store is a name and a key, and is not looked at for its time.
fn untimely_roots(
    parsed: &ParsedCertificate<'_>,
    shown: &[CertificateDer<'static>],
    known: &[CertificateDer<'static>],
    now: SystemTime,
) -> Vec<Problem> {
    let roots = known.iter().map(|der| (der, time(&Certificate::read(der), now)));
    let (untimely, timely): (Vec<_>, Vec<_>) = roots.partition(|(_, problem)| problem.is_some());
    let leads_to = |roots: &[&CertificateDer<'static>]| {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots.iter().map(|der| (*der).clone()));
        verify_path(parsed, shown, &store, now).is_ok()
    };
    let timely: Vec<_> = timely.into_iter().map(|(der, _)| der).collect();
    if untimely.is_empty() || leads_to(&timely) {
        return Vec::new();
    }
    untimely.into_iter().filter(|(der, _)| leads_to(&[*der])).filter_map(|(_, problem)| problem).collect()
}

/// Verifies that the certificates which were shown lead to a root, at this time; the name is looked at elsewhere.
fn verify_path(
    parsed: &ParsedCertificate<'_>,
    shown: &[CertificateDer<'static>],
    roots: &RootCertStore,
    at: SystemTime,
) -> Result<(), Error> {
    let at = UnixTime::since_unix_epoch(at.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO));
    let algorithms = provider().signature_verification_algorithms.all;
    verify_server_cert_signed_by_trust_anchor(parsed, roots, &shown[1..], at, algorithms)
}

/// Returns a time at which none is too old or too young, or the leaf at least: their times have been looked at. With
/// it, a path that has expired is still seen to lead to a root, or not.
fn when_all_are_valid(path: &[&Certificate], now: SystemTime) -> SystemTime {
    let latest_start = path.iter().map(|certificate| certificate.not_before).max().unwrap_or(now);
    let earliest_end = path.iter().map(|certificate| certificate.not_after).min().unwrap_or(now);
    now.max(latest_start).min(earliest_end.max(path[0].not_before))
}

/// Says in plain words why the certificates do not lead to a root. What webpki has only as a name of its own is matched
/// by that.
fn other(error: &Error, path: &[&Certificate]) -> Problem {
    let Error::InvalidCertificate(error) = error else { return Problem::Other { reason: error.to_string() } };
    let reason = match error {
        CertificateError::UnknownIssuer => {
            let issuer = path.last().map_or_else(String::new, |last| last.issuer.clone());
            return Problem::UnknownIssuer { issuer };
        }
        CertificateError::BadSignature => match path.iter().find(|certificate| !certificate.has_usable_key()) {
            Some(weak) => format!("a key in its chain is of a kind that is not spoken here: {}", weak.key),
            None => "a signature in its chain is wrong, or made with a key that is not spoken here".to_owned(),
        },
        CertificateError::UnsupportedSignatureAlgorithmContext { signature_algorithm_id, .. } => {
            let name = algorithm_of(signature_algorithm_id);
            format!("the server offers only a chain with a signature that is not spoken here: {name}")
        }
        CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { public_key_algorithm_id, .. } => {
            let name = algorithm_of(public_key_algorithm_id);
            format!("the server offers only a chain with a key that is not spoken here: {name}")
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "the certificate is not one for servers".to_owned()
        }
        CertificateError::Other(other) => match other.to_string().as_str() {
            "CaUsedAsEndEntity" => "the certificate is an authority's, not a server's".to_owned(),
            "UnsupportedCertVersion" => "the certificate is of a version before X.509 v3".to_owned(),
            "UnsupportedCriticalExtension" => {
                "the certificate has an extension that nobody here understands".to_owned()
            }
            "EndEntityUsedAsCa" => "a certificate in its chain is not an authority's".to_owned(),
            "NameConstraintViolation" => "an authority in its chain must not speak for this name".to_owned(),
            other => format!("its chain is not valid: {other}"),
        },
        error => format!("its chain is not valid: {error}"),
    };
    Problem::Other { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_cannot_be_read_is_that_and_neither_old_nor_self_signed() {
        let shown = [CertificateDer::from(b"\x30\x03\x02\x01\x00".to_vec())];
        let certificates = [Certificate::read(&shown[0])];
        let pin = certificates[0].key_fingerprint;
        for (pins, known) in [(&[][..], &[][..]), (&[pin], &[]), (&[], &shown)] {
            let trust = Trust { name: None, asked: "mx.example.org", pins, known };
            let told = problems(&trust, &shown, &certificates, SystemTime::now(), || Err("none".to_owned()));
            assert_eq!(told, [Problem::Other { reason: "its certificate is not readable".to_owned() }]);
        }
    }
}
