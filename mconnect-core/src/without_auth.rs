//! The place of AUTH in a library that was built without it.

/// Why an exchange cannot go on: here there is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {}
