//! The tool on a pseudo-terminal, as a terminal emulator shows it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;

#[cfg(feature = "tls")]
mod auth;
#[cfg(feature = "probe")]
mod documents;
mod editing;
mod escapes;
mod first_minute;
mod history;
mod lines;
mod long_work;
mod moments;
#[cfg(feature = "tls")]
mod picture;
mod screen;
#[cfg(feature = "tls")]
mod secure;
mod stays;
#[cfg(feature = "probe")]
mod transcript;
mod ways_out;
#[cfg(feature = "tls")]
mod without_a_prompt;
#[cfg(feature = "probe")]
#[path = "../exchangers/zone.rs"]
mod zone;
