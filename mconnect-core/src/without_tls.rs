//! The place of TLS in a library that was built without it.

/// What a handshake agreed on: here there is none.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Info {}
