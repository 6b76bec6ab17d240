//! Servers, and those between, that answer STARTTLS with something else than TLS.

use std::io::{Read, Write};

use mconnect_core::protocol::Phase;
use mconnect_core::server::{Identity, Server, Setup};
use mconnect_core::tls::Config;
use mconnect_core::{Connect, Error};

use super::{due, greeted, messages, peer, read_some};
use crate::common::driven::DRIVERS;

#[test]
fn plaintext_behind_the_220_is_response_injection_and_nothing_more_is_sent() {
    for driver in DRIVERS {
        let server = Server::play("S: 220 hi\nC: STARTTLS\nS: 220 go\nS: 250 injected\nC: *close*").unwrap();
        let error = due(driver, server.port()).upgrade(&Config::new()).unwrap_err();
        let Error::Injection { octets, .. } = error else { panic!("{error}") };
        assert_eq!(octets, 14);
        assert_eq!(
            error.to_string(),
            format!(
                "will not start TLS with 127.0.0.1:{} (STARTTLS phase): 14 octets of plain text came behind the reply to \
             STARTTLS, and would be taken for answers inside TLS (response injection)",
                server.port()
            )
        );
        server.join().unwrap();
    }
}

#[test]
fn plaintext_that_comes_later_fails_the_handshake_and_is_shown() {
    for driver in DRIVERS {
        let (port, thread) = peer(|mut stream| {
            stream.write_all(b"220 hi\r\n").unwrap();
            assert_eq!(read_some(&mut stream), b"STARTTLS\r\n");
            stream.write_all(b"220 go\r\n").unwrap();
            assert_eq!(read_some(&mut stream)[0], 22);
            stream.write_all(b"250 injected\r\n").unwrap();
            // The client closes, and says nothing in the clear.
            let mut rest = Vec::new();
            drop(stream.read_to_end(&mut rest));
            rest
        });
        let error = due(driver, port).upgrade(&Config::new()).unwrap_err();
        assert!(matches!(error, Error::Tls { .. }));
        assert!(
            messages(&error).ends_with("the server answered the handshake in plain text, with \"250 injected\""),
            "{}",
            messages(&error)
        );
        assert!(thread.join().unwrap().is_empty());
    }
}

#[test]
fn plaintext_that_comes_while_tls_was_to_be_first_is_no_tls() {
    for driver in DRIVERS {
        let server = Server::play("S: 220 hi\nC: *close*").unwrap();
        let session = driver.open(&Connect::new("127.0.0.1", server.port())).unwrap();
        let error = session.upgrade(&Config::new().insecure()).unwrap_err();
        assert!(messages(&error).contains("in plain text, with \"220 hi\""), "{}", messages(&error));
        drop(server.join());
    }
}

#[test]
fn a_220_followed_by_closing_is_told() {
    for driver in DRIVERS {
        let (port, thread) = peer(|mut stream| {
            stream.write_all(b"220 hi\r\n").unwrap();
            read_some(&mut stream);
            stream.write_all(b"220 go\r\n").unwrap();
            read_some(&mut stream);
        });
        let error = due(driver, port).upgrade(&Config::new()).unwrap_err();
        assert!(messages(&error).ends_with("the server closed instead of shaking hands"), "{}", messages(&error));
        thread.join().unwrap();
    }
}

#[test]
fn a_454_leaves_the_session_as_it_was() {
    for driver in DRIVERS {
        let server =
            Server::play("S: 220 hi\nC: STARTTLS\nS: 454 not now\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye").unwrap();
        let mut session = greeted(driver, server.port());
        assert_eq!(session.command("STARTTLS").unwrap().code(), 454);
        assert_eq!(session.phase(), Phase::Command);
        session.command("NOOP").unwrap().require(250).unwrap();
        session.quit().unwrap();
        server.join().unwrap();
    }
}

#[test]
fn an_upgrade_with_replies_due_is_out_of_step() {
    for driver in DRIVERS {
        let server = Server::play("S: 220 hi\nC: NOOP\nC: *close*").unwrap();
        let mut session = greeted(driver, server.port());
        session.send_line("NOOP").unwrap();
        let error = session.upgrade(&Config::new()).unwrap_err();
        assert!(matches!(error, Error::OutOfStep { outstanding: 1, .. }), "{error}");
        server.join().unwrap();
    }
}

#[test]
fn what_was_sent_together_with_starttls_does_not_hinder_the_upgrade() {
    for driver in DRIVERS {
        let identity = Identity::self_signed(["127.0.0.1"]);
        let server = Setup::new().tls(&identity).start().unwrap();
        let mut session = greeted(driver, server.port());
        session.send(b"STARTTLS\r\nNOOP\r\n").unwrap();
        session.read_reply().unwrap().require(220).unwrap();
        let (mut session, _) = session.upgrade(&Config::new().insecure()).unwrap();
        assert_eq!(session.command("EHLO x").unwrap().require(250).unwrap().request().unwrap().to_string(), "EHLO");
    }
}
