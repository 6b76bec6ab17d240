//! What TLS agreed on, and the certificates that the server showed: told, and saved.

use std::time::SystemTime;

use mconnect_core::tls::{Certificate, Info, Problem};

use super::Secure;
use crate::atomic_file;
use crate::paint::Tone;
use crate::stderr::{self, say};
use crate::verdict::Verdict;

/// Returns how to show that a server is verified.
pub(super) fn tone(info: &Info) -> Tone {
    if is_near(info) { Tone::Near } else { Tone::Good }
}

/// Says whether the server's own certificate expires soon.
fn is_near(info: &Info) -> bool {
    info.certificates.first().is_some_and(|leaf| (0..SOON).contains(&leaf.days_left(SystemTime::now())))
}

impl Secure {
    /// Tells what was agreed, as far as the options ask for it; `has_reason` says that what is wrong is told nowhere else.
    pub(super) fn tell(&self, info: &Info, has_reason: bool, verdict: &Verdict) {
        if !self.manner.is_quiet {
            self.tell_agreed(info, has_reason);
        }
        if self.security.is_verbose {
            say(&info.describe_chain(SystemTime::now()));
        }
        if let Some(path) = &self.security.save_chain {
            let pem: String = info.certificates.iter().map(Certificate::to_pem).collect();
            verdict.check(atomic_file::write(path, &pem));
        }
    }

    /// Says what was agreed, in its colours, and wrapped at words where a terminal shows it.
    fn tell_agreed(&self, info: &Info, has_reason: bool) {
        let whole = info.to_string();
        let (words, reason) = match info.reason() {
            reason if reason.is_empty() => ("verified", String::new()),
            reason => ("NOT verified", format!(": {reason}")),
        };
        let agreed = whole.strip_suffix(&format!("{words}{reason}")).unwrap_or(&whole);
        let (agreed, expiry) = agreed.split_at(agreed.rfind(", expires in ").map_or(agreed.len(), |at| at + 2));
        let expiry_tone = if is_near(info) { Tone::Near } else { Tone::Plain };
        let verdict_tone = if info.is_verified() { Tone::Good } else { Tone::Bad };
        let reason = if has_reason { &*reason } else { "" };
        let parts = [(agreed, Tone::Plain), (expiry, expiry_tone), (words, verdict_tone), (reason, Tone::Plain)];
        stderr::say_in_parts(&parts, self.has_color);
    }

    /// Says where the root comes from to which the certificates lead.
    fn root(&self, info: &Info) -> String {
        let is_rooted = |problem: &Problem| {
            matches!(problem, Problem::Expired { .. } | Problem::NotYetValid { .. } | Problem::WrongName { .. })
        };
        match (&self.security.pin, &self.security.authorities) {
            _ if !info.problems.iter().all(is_rooted) => "not trusted here".to_owned(),
            (Some(_), _) => "not looked at: --pin trusts the server's key".to_owned(),
            (None, Some(path)) => format!("trusted by --cafile {}", path.display()),
            (None, None) if self.is_demo => "made for the demo".to_owned(),
            (None, None) => "trusted by this system".to_owned(),
        }
    }

    /// Tells what was agreed, and of every certificate what it says and what it is signed by.
    pub fn tell_chain(&self) {
        match &*self.agreed.borrow() {
            Some(info) => {
                self.tell_agreed(info, true);
                say(&format!("{}\n{}", info.describe_path(&self.root(info)), info.describe_chain(SystemTime::now())));
            }
            None => say("no TLS: STARTTLS starts it"),
        }
    }
}

/// A certificate that has fewer days left is to be renewed.
const SOON: i64 = 14;
