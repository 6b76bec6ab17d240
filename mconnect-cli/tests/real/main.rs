//! Servers and clients of others: ignored where they are not installed.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;

#[cfg(feature = "tls")]
mod auth;
mod completions;
mod diagnosis;
#[cfg(feature = "probe")]
mod domains;
#[cfg(feature = "probe")]
mod machines;
#[cfg(target_os = "linux")]
mod networks;
#[cfg(feature = "tls")]
mod openssl;
mod roads;
mod rows;
mod sending;
mod servers;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "probe")]
#[path = "../exchangers/zone.rs"]
mod zone;
