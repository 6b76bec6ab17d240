//! The tool with pipes and files on its standard streams.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;

mod bodies;
mod commands;
mod diagnosis;
mod ends;
mod files;
mod json;
mod lines;
mod names;
mod raw;
mod sides;
mod text_as_it_comes;
mod timing;
mod unheard;

use mconnect_core::server::Server;

const HI: &str = "220 hi\r\n";
const OK: &str = "250 ok\r\n";
const BYE: &str = "221 bye\r\n";

fn serve(dialogue: &str) -> Server {
    Server::play(dialogue).unwrap()
}
