//! What is said of a session at its end: error lines as they happen, and an exit status, which the first of them sets.

use std::io::{self, Write};
use std::sync::OnceLock;

use mconnect_core::protocol::Escaper;

use crate::progress;
use crate::stamp;

/// The exit statuses, after sysexits.h.
pub mod status {
    /// An expectation of a dialogue was not met.
    pub const UNMET: u8 = 1;
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
    complaint: OnceLock<String>,
}

impl Verdict {
    /// Fails the session with this status, unless it has failed before.
    pub fn fail(&self, status: u8) {
        let _ = self.status.set(status);
    }

    /// Says an error, and fails the session.
    pub fn complain(&self, status: u8, message: &str) {
        say(&format!("mconnect: {message}"));
        self.fail_because(status, message);
    }

    /// Fails the session for an error that is told elsewhere.
    pub fn fail_because(&self, status: u8, message: &str) {
        let _ = self.complaint.set(message.to_owned());
        self.fail(status);
    }

    /// Gives the first error that was said.
    pub fn complaint(&self) -> Option<&str> {
        self.complaint.get().map(String::as_str)
    }

    /// Says that standard input cannot be read.
    pub fn input_failed(&self, error: &io::Error) {
        self.complain(status::IO, &format!("cannot read standard input: {}", reason(&error.to_string())));
    }

    /// Says that standard output cannot be written. A reader that has seen enough is no failure.
    pub fn output_failed(&self, error: &io::Error) {
        if error.kind() != io::ErrorKind::BrokenPipe {
            self.complain(status::IO, &format!("cannot write to standard output: {}", reason(&error.to_string())));
        }
    }

    /// Gives the exit status.
    pub fn status(&self) -> u8 {
        self.status.get().copied().unwrap_or(0)
    }
}

/// Gives the system's words without its number for them.
pub fn reason(text: &str) -> String {
    let words = text.split(" (os error").next().unwrap_or(text);
    words.strip_prefix("failed to lookup address information: ").unwrap_or(words).to_owned()
}

/// Writes a line, or several, to standard error, made visible: whatever is quoted in them steers no terminal. Where nobody
/// can read it, there is nobody to tell.
pub fn say(line: &str) {
    progress::clear();
    let mut text = String::new();
    Escaper::default().push(format!("{line}\n").as_bytes(), &mut text);
    let _ = io::stderr().write_all(stamp::lines(&text).as_bytes());
}
