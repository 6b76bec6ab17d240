//! Only what was granted: every request, answered by every kind of code, in every mode.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;

mod prompt;
mod scripts;
mod typed;
