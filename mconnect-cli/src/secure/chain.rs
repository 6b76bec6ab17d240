//! What TLS agreed on, and the certificates that the server showed: told, and saved.

use std::time::SystemTime;

use mconnect_core::tls::{Certificate, Info};

use super::Secure;
use crate::atomic_file;
use crate::stderr::say;
use crate::verdict::Verdict;

impl Secure {
    /// Tells what was agreed, as far as the options ask for it.
    pub(super) fn tell(&self, info: &Info, verdict: &Verdict) {
        self.note(&info.to_string());
        if self.security.is_verbose {
            say(&info.describe_chain(SystemTime::now()));
        }
        if let Some(path) = &self.security.save_chain {
            let pem: String = info.certificates.iter().map(Certificate::to_pem).collect();
            verdict.check(atomic_file::write(path, &pem));
        }
    }

    /// Says what was agreed, and shows every certificate.
    pub fn chain(&self) -> String {
        match &*self.agreed.borrow() {
            Some(info) => format!("{info}\n{}", info.describe_chain(SystemTime::now())),
            None => "no TLS: STARTTLS starts it".to_owned(),
        }
    }
}
