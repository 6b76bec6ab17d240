//! What somebody else wrote, fit for a message.

use std::fmt;

use crate::protocol::Visible;

/// Writes the beginning of what was found, made visible.
pub(super) struct Excerpt<'a>(pub &'a [u8]);

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.get(..MOST) {
            Some(start) if self.0.len() > MOST => write!(f, "{}...", Visible(start)),
            _ => write!(f, "{}", Visible(self.0)),
        }
    }
}

const MOST: usize = 100;
