//! Servers that mean harm, or are broken.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;

mod bounds;
#[cfg(feature = "tls")]
mod escapes;
mod prompt;
mod servers;
#[cfg(feature = "tls")]
mod tls;
