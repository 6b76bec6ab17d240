//! What a session goes over beside the network, in all the ways in which the tool has one.

mod process;
mod unix;

#[path = "../common/mod.rs"]
mod common;
