//! What a handshake of TLS came to, as plain data: it is in every build, so that events and errors can hold it.
//!
//! ```text
//!   Info ── version, suite, key_exchange, name        what was agreed
//!    ├── certificates: Certificate, ...               what the server showed, its own first
//!    └── problems: Problem, ...                       what is wrong with that; nothing if it is verified
//! ```
//!
//! The feature `tls` makes them: an [`Info`] comes from `Session::upgrade` and `Session::starttls`, in
//! [`Event::Tls`](crate::Event::Tls), and in [`Error::Untrusted`](crate::Error::Untrusted); the module `tls` has the same
//! names. With the feature `json` they serialise.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use crate::calendar::date;
use crate::protocol::Visible;

/// What a handshake agreed on, and what the server showed.
///
/// [`Display`](fmt::Display) has it on one line: `TLS 1.3, TLS_AES_256_GCM_SHA384, X25519; certificate for
/// mx.example.org, issued by CN=Some CA, expires in 29 days; verified`.
///
/// A report of one's own takes what it needs:
///
/// ```
/// use mconnect_core::tls_info::Info;
///
/// fn report(info: &Info) -> String {
///     let expiry = info.certificates.first().map(|leaf| leaf.days_left(std::time::SystemTime::now()));
///     match (info.is_verified(), expiry) {
///         (true, Some(days @ ..14)) => format!("{}: renew it, {days} days are left", info.name),
///         (true, _) => format!("{}: {} with {}", info.name, info.version, info.suite),
///         (false, _) => format!("{}: {}", info.name, info.reason()),
///     }
/// }
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Info {
    /// The protocol: `TLS 1.3` or `TLS 1.2`.
    pub version: String,
    /// The cipher suite, by its name in the registry: `TLS_AES_128_GCM_SHA256`.
    pub suite: String,
    /// The key exchange: `X25519`. `None` if it is not known.
    pub key_exchange: Option<String>,
    /// The name that was asked for, and that the certificate is to hold.
    pub name: String,
    /// The server's certificates, its own first, in the order in which it showed them.
    pub certificates: Vec<Certificate>,
    /// Everything that is wrong with them; nothing if the server is verified.
    pub problems: Vec<Problem>,
}

impl Info {
    /// Says whether the server is the one that was asked for: nothing is wrong.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.problems.is_empty()
    }

    /// Returns every certificate in words, a line for each thing it says, and how long each is valid from `now` on; what the
    /// server has chosen is made visible in it.
    pub fn describe_chain(&self, now: SystemTime) -> String {
        let certificates = self.certificates.iter().enumerate();
        let lines = certificates.flat_map(|(index, certificate)| certificate.describe(index, now));
        lines.map(|line| Visible(line.as_bytes()).to_string()).collect::<Vec<_>>().join("\n")
    }

    /// Returns the server's certificate, the one that signed it, and so on, as far as they were shown: by their names alone.
    pub fn path(&self) -> Vec<&Certificate> {
        path(&self.certificates)
    }

    /// Returns the names along the [`path`](Self::path) as a tree from the server's certificate to the root, of which
    /// `root` says where it comes from; what the server has chosen is made visible in it.
    ///
    /// ```text
    /// CN=mx.example.org
    /// └ CN=Some Intermediate
    ///   └ CN=Some Root (trusted by this system)
    /// ```
    pub fn describe_path(&self, root: &str) -> String {
        let path = self.path();
        // A root needs not be shown.
        let beyond = path.last().filter(|last| !last.is_self_issued()).map(|last| &last.issuer);
        let names: Vec<&String> = path.iter().map(|certificate| &certificate.subject).chain(beyond).collect();
        let mut text = String::new();
        for (level, name) in names.iter().enumerate() {
            let branch = if level == 0 { String::new() } else { "  ".repeat(level - 1) + "\u{2514} " };
            let end = if level + 1 == names.len() { format!(" ({root})") } else { "\n".to_owned() };
            text += &format!("{branch}{}{end}", Visible(name.as_bytes()));
        }
        text
    }

    /// Returns what is wrong, in words, joined by `; `; an empty text if nothing is.
    pub fn reason(&self) -> String {
        self.problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; ")
    }

    /// Returns what [`Display`](fmt::Display) writes, in its parts: what was agreed, when the server's certificate expires,
    /// whether it is verified, and why not.
    pub fn parts(&self) -> [String; 4] {
        let mut agreed = format!("{}, {}", self.version, self.suite);
        agreed.extend(self.key_exchange.iter().map(|key_exchange| format!(", {key_exchange}")));
        let mut expiry = String::new();
        if let Some(leaf) = self.certificates.first() {
            let names = if leaf.names.is_empty() { leaf.subject.clone() } else { leaf.names.join(" ") };
            let (names, issuer) = (Visible(names.as_bytes()), Visible(leaf.issuer.as_bytes()));
            agreed += &format!("; certificate for {names}, issued by {issuer}, ");
            let plural = |days: i64| if days == 1 { "" } else { "s" };
            expiry = match leaf.days_left(SystemTime::now()) {
                days @ 0.. => format!("expires in {days} day{}", plural(days)),
                days => format!("expired {} day{} ago", -days, plural(-days)),
            };
        }
        let (verdict, reason) = match self.is_verified() {
            true => ("verified", String::new()),
            false => ("NOT verified", format!(": {}", self.reason())),
        };
        [agreed, expiry + "; ", verdict.to_owned(), reason]
    }
}

impl fmt::Display for Info {
    /// Writes all of it on one line; what the server has chosen is made visible in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts().iter().try_for_each(|part| f.write_str(part))
    }
}

/// Follows the issuers from the first certificate on, as far as theirs were shown: by their names alone.
pub(crate) fn path(certificates: &[Certificate]) -> Vec<&Certificate> {
    let mut path: Vec<&Certificate> = certificates.iter().take(1).collect();
    while let Some(last) = path.last().filter(|last| path.len() < certificates.len() && !last.is_self_issued()) {
        let Some(next) = certificates.iter().find(|next| next.subject == last.issuer) else { break };
        path.push(next);
    }
    path
}

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
        Self::parse(text).ok_or(InvalidFingerprint(()))
    }
}

/// A text is no [`Fingerprint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a SHA-256 fingerprint has 64 hexadecimal digits")]
pub struct InvalidFingerprint(());

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
}

impl Certificate {
    /// Returns what it says, and how long it is valid from `now` on, in lines.
    fn describe(&self, index: usize, now: SystemTime) -> impl Iterator<Item = String> {
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

/// Something that is wrong with a server's certificates. All of it is found, not only the first: a certificate may have
/// expired and be for another name, too.
///
/// [`Display`](fmt::Display) has it in plain words, fit for a person and for one line.
///
/// | | who mends it |
/// |---|---|
/// | [`Expired`](Self::Expired), [`NotYetValid`](Self::NotYetValid) | the server's keeper; or the clock here is wrong |
/// | [`WrongName`](Self::WrongName) | the server's keeper; or whoever asked for it by this name |
/// | [`SelfSigned`](Self::SelfSigned), [`UnknownIssuer`](Self::UnknownIssuer) | whoever knows it: `Config::authorities`, `Config::pin` |
/// | [`OtherKey`](Self::OtherKey) | nobody, before it is known why: it may be somebody else |
/// | [`NoTrustStore`](Self::NoTrustStore) | this machine's keeper: `ca-certificates`, in most systems |
#[doc(alias = "certificate error")]
#[doc(alias = "verify")]
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
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
    /// Writes it in plain words; what the server may have chosen is made visible in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |text: &str| Visible(text.as_bytes()).to_string();
        match self {
            Self::NoCertificate => f.write_str("it showed no certificate"),
            Self::Expired { subject, since } => {
                write!(f, "the certificate of {} expired on {}", shown(subject), date(*since))
            }
            Self::NotYetValid { subject, from } => {
                write!(f, "the certificate of {} is not valid before {}", shown(subject), date(*from))
            }
            Self::WrongName { asked, names } if names.is_empty() => {
                write!(f, "the certificate is not for {}, and names no host", shown(asked))
            }
            Self::WrongName { asked, names } => {
                write!(f, "the certificate is not for {} but for {}", shown(asked), shown(&names.join(", ")))
            }
            Self::SelfSigned => f.write_str("the certificate is self-signed"),
            Self::UnknownIssuer { issuer } => write!(f, "its issuer is unknown here: {}", shown(issuer)),
            Self::OtherKey { key } => write!(f, "its public key is another than the pinned one: {key}"),
            Self::NoTrustStore { reason } => write!(f, "there is no trust store to verify it with: {}", shown(reason)),
            Self::Other { reason } => f.write_str(&shown(reason)),
        }
    }
}

/// In seconds.
const DAY: u64 = 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_chain_is_described_a_line_for_each_thing_and_steers_no_terminal() {
        let days = |days: u64| UNIX_EPOCH + Duration::from_secs(days * DAY);
        let leaf = Certificate {
            der: Vec::new(),
            subject: "CN=mx.example\x1b[2J".to_owned(),
            issuer: "CN=An Authority".to_owned(),
            names: vec!["mx.example".to_owned(), "192.0.2.1".to_owned()],
            not_before: days(0),
            not_after: days(20),
            key: "ECDSA P-256".to_owned(),
            signature: "ECDSA SHA-256".to_owned(),
            fingerprint: Fingerprint([0; 32]),
            key_fingerprint: Fingerprint([1; 32]),
        };
        let authority = Certificate { names: Vec::new(), ..leaf.clone() };
        let info = Info {
            version: "TLS 1.3".to_owned(),
            suite: String::new(),
            key_exchange: None,
            name: "mx.example".to_owned(),
            certificates: vec![leaf, authority],
            problems: Vec::new(),
        };
        let told = info.describe_chain(days(10));
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines.len(), 7 + 6, "{told}");
        assert_eq!(lines[0], "certificate 0: CN=mx.example\\x1b[2J");
        assert_eq!(lines[2], "  names       mx.example 192.0.2.1");
        assert!(lines[3].ends_with("(10 days left)"), "{told}");
        assert_eq!(lines[6], format!("  key SHA-256 {}", "01".repeat(32)));
        assert_eq!(info.describe_path("a root"), "CN=mx.example\\x1b[2J\n\u{2514} CN=An Authority (a root)");
        for (now, left) in [(19, "1 day left"), (21, "expired 1 day ago"), (22, "expired 2 days ago")] {
            assert!(info.describe_chain(days(now)).contains(left), "{now}");
        }
    }
}
