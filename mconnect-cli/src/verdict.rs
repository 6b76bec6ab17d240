//! What is said of a session at its end: error lines as they happen, and an exit status, which the first of them sets.

use std::io::{self, Write};
use std::sync::OnceLock;

/// The exit statuses, after sysexits.h.
pub mod status {
    pub const USAGE: u8 = 64;
    pub const DATA: u8 = 65;
    pub const NO_INPUT: u8 = 66;
    pub const NO_HOST: u8 = 68;
    pub const UNAVAILABLE: u8 = 69;
    pub const IO: u8 = 74;
    pub const TEMPORARY: u8 = 75;
    pub const PROTOCOL: u8 = 76;
    #[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "the status is the same in every build"))]
    pub const AUTH: u8 = 77;
}

/// Remembers the first failure.
#[derive(Debug, Default)]
pub struct Verdict {
    status: OnceLock<u8>,
}

impl Verdict {
    /// Fails the session with this status, unless it has failed before.
    pub fn fail(&self, status: u8) {
        let _ = self.status.set(status);
    }

    /// Says an error, and fails the session.
    pub fn complain(&self, status: u8, message: &str) {
        say(&format!("mconnect: {message}"));
        self.fail(status);
    }

    /// Gives the exit status.
    pub fn status(&self) -> u8 {
        self.status.get().copied().unwrap_or(0)
    }
}

/// Writes a line to standard error. Where nobody can read it, there is nobody to tell.
pub fn say(line: &str) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}
