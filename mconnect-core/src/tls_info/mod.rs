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

mod certificate;
mod problem;

use std::fmt;
use std::time::SystemTime;

pub use certificate::{Certificate, Fingerprint, InvalidFingerprint};
pub use problem::Problem;

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

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_chain_is_described_a_line_for_each_thing_and_steers_no_terminal() {
        let days = |days: u64| UNIX_EPOCH + Duration::from_secs(days * 24 * 60 * 60);
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
