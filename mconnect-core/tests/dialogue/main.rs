//! Dialogues, played by both sides at once and by each against the other, over real loopback sockets; and the server, to
//! whose rules and settings a client is a dialogue, too.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod bounds;
mod case;
mod constructs;
mod deadlines;
mod failures;
mod files;
mod granted;
mod notation;
mod receiver;
mod recorded;
mod rules;
#[cfg(all(feature = "tls", feature = "auth"))]
mod secure;
mod setup;

use std::fs;
use std::path::{Path, PathBuf};

use mconnect_core::dialogue::{Dialogue, Values};
use mconnect_core::server::Server;
use mconnect_core::{Connect, Session};

fn open(server: &Server) -> Session {
    Connect::new("127.0.0.1", server.port()).open().unwrap()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues")
}

/// The examples of the RFCs: their files look like the RFCs.
fn examples() -> Vec<Dialogue> {
    fs::read_dir(folder()).unwrap().map(|entry| Dialogue::load(entry.unwrap().path()).unwrap()).collect()
}

#[test]
fn the_examples_of_the_rfcs_play_against_themselves() {
    let in_the_clear = examples().into_iter().filter(|dialogue| !dialogue.to_string().contains("*tls*"));
    let mut count = 0;
    for dialogue in in_the_clear {
        let server = Server::play_with(&dialogue, &Values::default()).unwrap();
        for session in dialogue.sessions() {
            open(&server).play(&session).require().unwrap();
        }
        server.join().unwrap();
        count += 1;
    }
    assert_eq!(count, 6);
}
