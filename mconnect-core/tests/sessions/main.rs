//! Sessions over real loopback sockets, with a server that plays what a transcript says.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[cfg(feature = "auth")]
mod auth;
#[cfg(feature = "tokio")]
mod awaited;
mod connecting;
mod content;
mod deliver;
mod driver;
#[cfg(feature = "tokio")]
mod dropped;
mod errors;
mod hello;
mod hostile;
mod observer;
mod replies;
#[cfg(unix)]
mod roads;
mod sending;
mod threads;
#[cfg(feature = "json")]
mod values;

#[path = "../common/mod.rs"]
mod common;

use std::time::Duration;

use common::driven::{Driven, Driver};
use mconnect_core::server::Server;
use mconnect_core::{Connect, Session, Timeouts};

fn play(dialogue: &str) -> (Server, Session) {
    let server = Server::play(dialogue).unwrap();
    let session = connect(&server).open().unwrap();
    (server, session)
}

fn play_by(driver: Driver, dialogue: &str) -> (Server, Driven) {
    let server = Server::play(dialogue).unwrap();
    let session = driver.open(&connect(&server)).unwrap();
    (server, session)
}

fn connect(server: &Server) -> Connect {
    Connect::new("127.0.0.1", server.port())
}

fn short() -> Timeouts {
    Timeouts::default().replies(Duration::from_millis(100)).closing(Duration::from_millis(100))
}
