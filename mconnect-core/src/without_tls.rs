//! The place of TLS in a library that was built without it.

use std::fmt;

/// What a handshake agreed on: here there is none.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "json", derive(serde::Serialize))]
pub enum Info {}

impl Info {
    /// Returns what is wrong, in words.
    pub fn reason(&self) -> String {
        match *self {}
    }
}

impl fmt::Display for Info {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}
