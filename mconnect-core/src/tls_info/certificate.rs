//! A certificate as it was shown, and fingerprints.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use crate::calendar::date;

/// A certificate that a server showed: what it says, and its bytes.
#[doc(alias = "X.509")]
#[doc(alias = "x509")]
#[doc(alias = "pem")]
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Certificate {
    /// Its bytes, in DER.
    pub der: Vec<u8>,
    /// Whom it names, as [RFC 4514](https://www.rfc-editor.org/rfc/rfc4514) writes names.
    pub subject: String,
    /// Who signed it, as [`subject`](Self::subject) is written. That it did is not proven by this.
    pub issuer: String,
    /// The hosts it is for: names and addresses of its subjectAltName, `*.example.org` as it stands there. A host in
    /// the subject alone does not count ([RFC 9525](https://www.rfc-editor.org/rfc/rfc9525)).
    pub names: Vec<String>,
    /// The beginning of its validity.
    pub not_before: SystemTime,
    /// The end of its validity.
    pub not_after: SystemTime,
    /// The kind and size of its public key: `RSA 2048`, `ECDSA P-256`, `Ed25519`.
    pub key: String,
    /// The algorithm of the signature on it: `ECDSA with SHA-256`, `RSA with SHA-256`.
    pub signature: String,
    /// The SHA-256 fingerprint of the whole.
    pub fingerprint: Fingerprint,
    /// The SHA-256 fingerprint of its public key (of the SubjectPublicKeyInfo), as TLSA records and pins have it.
    pub key_fingerprint: Fingerprint,
}

/// A SHA-256 fingerprint, written as 64 hexadecimal digits, and read with or without colons between.
///
/// ```
/// use mconnect_core::tls_info::Fingerprint;
///
/// let colons = ["a0"; 32].join(":");
/// let fingerprint: Fingerprint = colons.parse()?;
/// assert_eq!(fingerprint.to_string(), "a0".repeat(32));
/// # Ok::<(), mconnect_core::tls_info::InvalidFingerprint>(())
/// ```
#[doc(alias = "sha256")]
#[doc(alias = "TLSA")]
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Reads 64 hexadecimal digits, with or without colons between.
    pub fn parse(text: &str) -> Option<Self> {
        let mut digits = text.chars().filter(|c| *c != ':');
        let mut bytes = [0; 32];
        for byte in &mut bytes {
            let (high, low) = (digits.next()?.to_digit(16)?, digits.next()?.to_digit(16)?);
            *byte = u8::try_from(high * 16 + low).ok()?;
        }
        digits.next().is_none().then_some(Self(bytes))
    }
}

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    fn from_str(text: &str) -> Result<Self, InvalidFingerprint> {
        Self::parse(text).ok_or(InvalidFingerprint(text.to_owned()))
    }
}

/// A text is no [`Fingerprint`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no SHA-256 fingerprint: 64 hexadecimal digits, with or without colons")]
pub struct InvalidFingerprint(String);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Certificate {
    /// Says whether it names itself as its issuer, as roots do, and what is self-signed.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// Returns how many whole days are left of its validity, below zero if it has expired: a warning below 14, say,
    /// comes in time. On its last day that is 0.
    ///
    /// ```
    /// # #[cfg(all(feature = "server", feature = "tls"))] {
    /// # use mconnect_core::server::Authority;
    /// # use mconnect_core::tls::rustls::pki_types::{CertificateDer, pem::PemObject as _};
    /// use std::time::Duration;
    ///
    /// use mconnect_core::tls::Certificate;
    ///
    /// let pem = Authority::new("Our Root").issue(["mx.example.org"]).pem();
    /// let certificate = Certificate::from_der(&CertificateDer::from_pem_slice(pem.as_bytes())?);
    /// let hour = Duration::from_secs(60 * 60);
    /// assert_eq!(certificate.days_left(certificate.not_after - 25 * hour), 1);
    /// assert_eq!(certificate.days_left(certificate.not_after - hour), 0);
    /// assert_eq!(certificate.days_left(certificate.not_after + hour), -1);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn days_left(&self, now: SystemTime) -> i64 {
        match self.not_after.duration_since(now) {
            Ok(left) => i64::try_from(left.as_secs() / DAY).unwrap_or(i64::MAX),
            Err(over) => -i64::try_from(over.duration().as_secs().div_ceil(DAY)).unwrap_or(i64::MAX),
        }
    }

    /// Returns what it says, and how long it is valid from `now` on, in lines.
    pub(super) fn describe(&self, index: usize, now: SystemTime) -> impl Iterator<Item = String> {
        let left = match self.days_left(now) {
            1 => "1 day left".to_owned(),
            days @ 0.. => format!("{days} days left"),
            -1 => "expired 1 day ago".to_owned(),
            days => format!("expired {} days ago", days.unsigned_abs()),
        };
        let names = self.names.join(" ");
        let lines = [
            Some(format!("certificate {index}: {}", self.subject)),
            Some(format!("  issuer      {}", self.issuer)),
            (!names.is_empty()).then(|| format!("  names       {names}")),
            Some(format!("  valid       {} to {} ({left})", date(self.not_before), date(self.not_after))),
            Some(format!("  key         {}, signature {}", self.key, self.signature)),
            Some(format!("  SHA-256     {}", self.fingerprint)),
            Some(format!("  key SHA-256 {}", self.key_fingerprint)),
        ];
        lines.into_iter().flatten()
    }
}

/// In seconds.
const DAY: u64 = 24 * 60 * 60;
