//! What TLS agreed on, and the certificates that the server showed: told, and saved.

use std::time::SystemTime;

use mconnect_core::tls::{Certificate, Info, date};

use super::{Secure, visible};
use crate::atomic_file;
use crate::stderr::say;
use crate::verdict::Verdict;

impl Secure {
    /// Tells what was agreed, as far as the options ask for it.
    pub(super) fn tell(&self, info: &Info, verdict: &Verdict) {
        self.note(&info.to_string());
        if self.security.is_verbose {
            say(&chain(info));
        }
        if let Some(path) = &self.security.save_chain {
            let pem: String = info.certificates.iter().map(Certificate::to_pem).collect();
            verdict.check(atomic_file::write(path, &pem));
        }
    }

    /// Says what was agreed, and shows every certificate.
    pub fn chain(&self) -> String {
        match &*self.agreed.borrow() {
            Some(info) => format!("{info}\n{}", chain(info)),
            None => "no TLS: STARTTLS starts it".to_owned(),
        }
    }
}

fn chain(info: &Info) -> String {
    let lines = info.certificates.iter().enumerate().flat_map(|(index, certificate)| describe(index, certificate));
    lines.map(|line| visible(&line)).collect::<Vec<_>>().join("\n")
}

fn describe(index: usize, certificate: &Certificate) -> impl Iterator<Item = String> {
    let names = certificate.names.join(" ");
    let left = days_left(certificate.days_left(SystemTime::now()));
    let lines = [
        Some(format!("certificate {index}: {}", certificate.subject)),
        Some(format!("  issuer      {}", certificate.issuer)),
        (!names.is_empty()).then(|| format!("  names       {names}")),
        Some(format!("  valid       {} to {} ({left})", date(certificate.not_before), date(certificate.not_after))),
        Some(format!("  key         {}, signature {}", certificate.key, certificate.signature)),
        Some(format!("  SHA-256     {}", certificate.fingerprint)),
        Some(format!("  key SHA-256 {}", certificate.key_fingerprint)),
    ];
    lines.into_iter().flatten()
}

fn days_left(days: i64) -> String {
    match days {
        1 => "1 day left".to_owned(),
        0.. => format!("{days} days left"),
        -1 => "expired 1 day ago".to_owned(),
        _ => format!("expired {} days ago", days.unsigned_abs()),
    }
}
