//! The tool as it is without the feature `tls`.
#![cfg(not(feature = "tls"))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{assert_status, complaints, err, run, talk};
use mconnect_core::server::Server;

const WITHOUT: &str = "mconnect: this mconnect was built without TLS and AUTH (the feature tls)";

#[test]
fn what_needs_tls_is_refused_before_connecting() {
    for options in [&["--tls"][..], &["--starttls"], &["-p", "465"], &["--auth", "user"]] {
        let output = run(options, "");
        assert_status(&output, 64);
        assert_eq!(err(&output).trim_end(), WITHOUT);
    }
}

#[test]
fn a_starttls_that_is_granted_ends_the_session_unless_it_is_left_plain() {
    let server = Server::play("S: 220 hi\nC: STARTTLS\nS: 220 go\nC: *close*").unwrap();
    let output = talk(server.port(), &[], "STARTTLS\nQUIT\n");
    assert_status(&output, 76);
    assert!(complaints(&output).starts_with(WITHOUT), "{}", err(&output));
    server.join().unwrap();
    let server = Server::play("S: 220 hi\nC: STARTTLS\nS: 220 go\nC: QUIT\nS: 221 bye").unwrap();
    assert_status(&talk(server.port(), &["--no-upgrade"], "STARTTLS\nQUIT\n"), 0);
    server.join().unwrap();
}
