//! What a session goes over beside the network, in all the ways in which the tool has one.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod introduced;
mod process;
mod proxied;
mod unix;
mod via;

#[path = "../common/mod.rs"]
mod common;
