//! What is wrong with a server's certificates, and with a handshake, in the words of the cure.
//!
//! The verdict itself is `tls`'s, in the words of what was found; here it is looked at for what somebody has to do: who
//! has to send what, and whether that is the server's owner or whoever connects.

use super::record::{Failed, Record};
use super::{Cause, Certainty, Facts, Finding, Recognized};
use crate::calendar::date;
use crate::error::TlsFailure;
use crate::tls_info::{Certificate, Info, Problem};

use Certainty::{Certain, Likely};

/// Returns why a handshake failed, if it did: what the other side's alert says, or that it spoke no TLS.
pub(super) fn handshake(record: &Record, facts: &Facts) -> Option<Finding> {
    match &record.error {
        Some(Failed::Tls { failure: Some(failure), source, .. }) => {
            failed(failure, &source.text, record, facts).map(|recognized| recognized.told(facts))
        }
        _ => None,
    }
}

/// Returns what is wrong with the certificates: nothing, where any was to be accepted. There may be several, in the
/// order of the verdict but for one that is signed by itself, which comes first.
pub(super) fn problems(record: &Record, facts: &Facts) -> Vec<Finding> {
    match &record.tls {
        Some(info) if !facts.accepts_any_certificate => {
            let problems = info.problems.iter().filter_map(|problem| certificate(problem, info));
            let mut all: Vec<Finding> = problems.map(|found| found.told(facts)).collect();
            // Of a certificate that vouches for itself, the names are worth as little as the rest.
            all.sort_by_key(|found| found.cause != Cause::SelfSigned);
            all
        }
        _ => Vec::new(),
    }
}

/// Recognizes the failure of a handshake; one that says nothing of its own is left to how the session ended.
fn failed<'a>(failure: &TlsFailure, words: &str, record: &Record, facts: &Facts) -> Option<Recognized<'a>> {
    let cause = match failure {
        TlsFailure::NoTls => Cause::NotTls,
        TlsFailure::OldVersion { .. } => Cause::OldTls,
        TlsFailure::NothingInCommon => Cause::NothingInCommon,
        TlsFailure::CertificateWanted if facts.has_certificate => Cause::CertificateRefused,
        TlsFailure::CertificateWanted => Cause::CertificateWanted,
        // Without one, a server cannot mean ours.
        TlsFailure::CertificateRefused if facts.has_certificate => Cause::CertificateRefused,
        TlsFailure::UnknownName => Cause::NameNotServed,
        TlsFailure::ServerFault => Cause::TlsFault,
        TlsFailure::UnusableKey => Cause::CertificateUnfit,
        _ => return None,
    };
    let certainty = match cause {
        Cause::NothingInCommon | Cause::CertificateRefused => Likely,
        _ => Certain,
    };
    let least = if let TlsFailure::OldVersion { least } = failure { least } else { "" };
    Some(
        Recognized::new(cause, certainty, words).with("asked", &record.host).with("least", least).with("reason", words),
    )
}

/// Recognizes one problem with the certificates.
fn certificate<'a>(problem: &Problem, info: &Info) -> Option<Recognized<'a>> {
    let told = |cause, certainty| Recognized::new(cause, certainty, problem.to_string());
    Some(match problem {
        Problem::Expired { subject, since } => {
            told(Cause::CertificateExpired, Certain).with("subject", subject).with("date", date(*since))
        }
        Problem::NotYetValid { subject, from } => {
            told(Cause::CertificateEarly, Certain).with("subject", subject).with("date", date(*from))
        }
        Problem::WrongName { names, .. } if names.is_empty() => told(Cause::NoNames, Certain),
        Problem::WrongName { asked, names } => {
            let is_address = asked.parse::<std::net::IpAddr>().is_ok();
            let cause = if is_address { Cause::NameOfAddress } else { Cause::WrongName };
            told(cause, Certain).with("asked", asked).with("nearest", nearest(asked, names))
        }
        Problem::SelfSigned => told(Cause::SelfSigned, Certain),
        Problem::UnknownIssuer { issuer } => {
            let (cause, certainty) = match info.certificates.as_slice() {
                [leaf] if names_its_issuer(leaf) => (Cause::ChainIncomplete, Likely),
                [_] => (Cause::IssuerUnknown, Certain),
                // A root that was sent is not trusted; one that was not may be either.
                [.., last] if last.is_self_issued() => (Cause::PrivateAuthority, Certain),
                _ => (Cause::PrivateAuthority, Likely),
            };
            told(cause, certainty).with("issuer", issuer)
        }
        Problem::OtherKey { .. } => told(Cause::OtherKey, Certain),
        Problem::Other { reason } => told(Cause::CertificateUnfit, Certain).with("reason", reason),
        Problem::NoTrustStore { .. } => told(Cause::NoTrustStore, Certain),
        _ => return None,
    })
}

/// Says whether a certificate says where its issuer's is to be had, as those of public authorities do
/// ([RFC 5280, section 4.2.2.1](https://www.rfc-editor.org/rfc/rfc5280#section-4.2.2.1)).
fn names_its_issuer(certificate: &Certificate) -> bool {
    certificate.der.windows(CA_ISSUERS.len()).any(|part| part == CA_ISSUERS)
}

/// Returns the name that has most in common with the one that was asked for, from the end on: of a certificate with a
/// hundred names, the one that the server is most likely to be meant by.
fn nearest<'a>(asked: &str, names: &'a [String]) -> &'a str {
    let common = |name: &&String| {
        let labels = asked.rsplit('.').zip(name.rsplit('.'));
        labels.take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count()
    };
    // Of several, the first.
    names.iter().rev().max_by_key(common).map_or("", String::as_str)
}

/// The object identifier of caIssuers, 1.3.6.1.5.5.7.48.2, in DER.
const CA_ISSUERS: &[u8] = &[0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_is_not_spoken_wants_another_certificate() {
        let words = "the server offers only a key that is not spoken here: RSA 1024";
        let found = failed(&TlsFailure::UnusableKey, words, &Record::default(), &Facts::new()).unwrap();
        assert_eq!(found.told(&Facts::new()).to_string(), format!("{words}: the server needs another certificate"));
    }

    #[test]
    fn the_nearest_name_has_most_labels_in_common() {
        let names = ["www.example.org", "mail.example.com", "mx1.example.org"].map(str::to_owned);
        assert_eq!(nearest("mx.example.com", &names), "mail.example.com");
        assert_eq!(nearest("mx.example.org", &names), "www.example.org");
        assert_eq!(nearest("192.0.2.1", &names), "www.example.org");
    }
}
