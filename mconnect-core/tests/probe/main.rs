//! Domains that are probed: everything as values, and what is to be said of it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod findings;
mod lab;
mod run;
#[cfg(feature = "json")]
mod schema;
mod verdicts;
mod zone;
