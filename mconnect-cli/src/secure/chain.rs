//! What TLS agreed on, and the certificates that the server showed: told, and saved.

use std::fs;
use std::time::SystemTime;

use mconnect_core::tls::{Certificate, Info, date};

use super::{Secure, visible};
use crate::verdict::{Verdict, reason, say, status};

impl Secure {
    /// Tells what was agreed, as far as the options ask for it.
    pub(super) fn tell(&self, info: &Info, verdict: &Verdict) {
        self.note(&info.to_string());
        if self.security.is_verbose {
            say(&chain(info));
        }
        if let Some(path) = &self.security.save_chain {
            let pem: String = info.certificates.iter().map(Certificate::to_pem).collect();
            if let Err(error) = fs::write(path, pem) {
                let reason = reason(&error.to_string());
                verdict.complain(status::IO, &format!("cannot write {}: {reason}", path.display()));
            }
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

fn describe(index: usize, certificate: &Certificate) -> [String; 7] {
    let days = certificate.days_left(SystemTime::now());
    [
        format!("certificate {index}: {}", certificate.subject),
        format!("  issuer      {}", certificate.issuer),
        format!("  names       {}", certificate.names.join(" ")),
        format!("  valid       {} to {} ({days} days left)", date(certificate.not_before), date(certificate.not_after)),
        format!("  key         {}, signature {}", certificate.key, certificate.signature),
        format!("  SHA-256     {}", certificate.fingerprint),
        format!("  key SHA-256 {}", certificate.key_fingerprint),
    ]
}
