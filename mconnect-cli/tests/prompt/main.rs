//! The tool on a pseudo-terminal, as a terminal emulator shows it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;

mod escapes;
mod lines;
mod long_work;
mod screen;
#[cfg(feature = "tls")]
mod secure;
mod stays;
#[cfg(feature = "tls")]
mod without_a_prompt;
