//! The tool with pipes and files on its standard streams.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;

mod commands;
mod diagnosis;
mod files;
mod json;
mod lines;
mod names;
mod text_as_it_comes;
mod timing;
mod unheard;
