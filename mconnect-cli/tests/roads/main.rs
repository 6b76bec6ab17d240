//! What a session goes over beside the network, in all the ways in which the tool has one.

mod introduced;
mod process;
mod proxied;
mod unix;
mod via;

#[path = "../common/mod.rs"]
mod common;
