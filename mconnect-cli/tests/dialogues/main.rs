//! Dialogues: played, recorded and served.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;

mod played;
#[cfg(feature = "tls")]
mod records;
#[cfg(feature = "tls")]
mod secure;
mod served;
mod traces;
