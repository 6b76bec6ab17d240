//! TLS and AUTH.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;

#[cfg(feature = "tls")]
mod auth;
#[cfg(feature = "tls")]
mod certificates;
mod secrets;
#[cfg(feature = "tls")]
mod tls;
#[cfg(all(target_os = "linux", feature = "tls"))]
mod wiped;
#[cfg(feature = "tls")]
mod written;
