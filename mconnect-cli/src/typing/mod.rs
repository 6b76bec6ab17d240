//! A session that a person types at, with a prompt or without one: what the escapes do with it.

pub mod aside;
#[cfg(feature = "tls")]
pub mod auth;
#[cfg(not(feature = "tls"))]
#[path = "without_auth.rs"]
pub mod auth;
pub mod escapes;
mod files;
mod known;
mod past;
pub mod session_log;

use std::ops::ControlFlow::{self, Continue};

use mconnect_core::Session;
use mconnect_core::protocol::Standing;

pub use files::{FileLines, expand, send_chunk, send_file};
pub use known::Known;
pub use past::{CLOSED, Over, Past};

use crate::progress::Work;

/// A session that a person types at.
pub trait Typing {
    /// Why it is left.
    type Leave;

    fn session(&self) -> &Session;

    fn standing(&self) -> Standing {
        self.session().standing()
    }

    /// Returns the work under way, if it takes long.
    fn work(&mut self) -> &mut Option<Work>;

    /// Sends exactly these octets.
    fn put(&mut self, octets: &[u8]) -> ControlFlow<Self::Leave>;

    /// Sends the lines of a file as typed ones.
    fn put_lines(&mut self, lines: FileLines) -> ControlFlow<Self::Leave>;

    /// Ends the work: all of it went out, or as much as can. What the server says to it is shown.
    fn settle(&mut self) -> ControlFlow<Self::Leave>;

    /// Asks for a line; nothing is an answer of `*`, or the end of the input.
    fn inquire(&mut self, question: &str) -> ControlFlow<Self::Leave, Option<String>>;

    /// Asks whether something is meant, which it is not by itself.
    fn is_meant(&mut self, question: &str) -> ControlFlow<Self::Leave, bool> {
        let answer = self.inquire(&format!("{question} [y/N] "))?;
        Continue(answer.is_some_and(|word| ["y", "yes"].contains(&word.trim().to_ascii_lowercase().as_str())))
    }
}
