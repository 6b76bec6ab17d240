//! AUTH over real loopback sockets.

use std::sync::{Arc, Mutex};

use mconnect_core::auth::{Credentials, Exchange, Mechanism, encode};
use mconnect_core::protocol::Phase;
use mconnect_core::server::{Server, Setup};
use mconnect_core::{Connect, Error, Event, observer_fn};

use crate::common::driven::{DRIVERS, Driven, Driver};

const MECHANISMS: [Mechanism; 5] =
    [Mechanism::Plain, Mechanism::Login, Mechanism::CramMd5, Mechanism::ScramSha1, Mechanism::ScramSha256];

fn greeted(driver: Driver, server: &Server) -> Driven {
    let mut session = driver.open(&Connect::new("127.0.0.1", server.port())).unwrap();
    session.read_reply().unwrap().require(220).unwrap();
    session
}

#[test]
fn every_mechanism_lets_the_right_password_in_and_no_other() {
    for driver in DRIVERS {
        let server = Setup::new().auth([("user", "pencil"), ("a,b=c", "pen=,cil")]).start().unwrap();
        for mechanism in MECHANISMS {
            for (user, password, code) in [
                ("user", "pencil", 235),
                ("a,b=c", "pen=,cil", 235),
                ("user", "crayon", 535),
                ("nobody", "pencil", 535),
            ] {
                let mut session = greeted(driver, &server);
                let exchange = Exchange::new(mechanism, &Credentials::new(user, password));
                assert_eq!(session.authenticate(exchange).unwrap().code(), code, "{mechanism} {user} {password}");
                assert_eq!(session.phase(), Phase::Command);
                session.quit().unwrap();
            }
        }
    }
}

#[test]
fn the_best_mechanism_that_is_advertised_is_chosen() {
    for driver in DRIVERS {
        for (offered, best) in [
            (&[Mechanism::Plain, Mechanism::ScramSha1][..], Some(Mechanism::ScramSha1)),
            (&[Mechanism::Login, Mechanism::Plain], Some(Mechanism::Plain)),
            (&[], None),
        ] {
            let server = Setup::new().auth_by([("user", "pencil")], offered).start().unwrap();
            let mut session = greeted(driver, &server);
            session.command("EHLO x").unwrap();
            assert_eq!(Mechanism::best(&session.extensions().unwrap(), &session.channel_bindings()), best);
        }
    }
}

#[test]
fn a_challenge_that_is_none_is_cancelled() {
    for driver in DRIVERS {
        let server =
            Server::play("S: 220 hi\nC: AUTH CRAM-MD5\nS: 334 !\nC: *\nS: 501 cancelled\nC: QUIT\nS: 221 bye").unwrap();
        let mut session = greeted(driver, &server);
        let exchange = Exchange::new(Mechanism::CramMd5, &Credentials::new("user", "pencil"));
        let error = session.authenticate(exchange).unwrap_err();
        assert!(matches!(error, Error::Auth { .. }));
        let words = format!(
            "cannot authenticate with 127.0.0.1:{} (command phase): the server's challenge is none of CRAM-MD5",
            server.port()
        );
        assert_eq!(error.chain(), words);
        session.quit().unwrap();
        server.join().unwrap();
    }
}

#[test]
fn tokens_and_names_go_as_their_mechanisms_have_them_and_a_refusal_is_heard_out() {
    for driver in DRIVERS {
        let token = "t".repeat(500);
        let long = encode(format!("n,a=user,\x01host=127.0.0.1\x01auth=Bearer {token}\x01\x01").as_bytes());
        let reason = encode(br#"{"status":"invalid_token"}"#);
        for (mechanism, user, secret, exchange, code) in [
            (
                Mechanism::XOAuth2,
                "user",
                "token",
                format!("AUTH XOAUTH2 {}\nS: 235 ok", encode(b"user=user\x01auth=Bearer token\x01\x01")),
                235,
            ),
            // Too long for a command: it answers the first challenge. The server's reason is acknowledged.
            (
                Mechanism::OAuthBearer,
                "user",
                &token,
                format!("AUTH OAUTHBEARER\nS: 334\nC: {long}\nS: 334 {reason}\nC: AQ==\nS: 535 no"),
                535,
            ),
            (Mechanism::External, "", "", "AUTH EXTERNAL =\nS: 235 ok".to_owned(), 235),
        ] {
            let server = Server::play(&format!("S: 220 hi\nC: {exchange}\nC: QUIT\nS: 221 bye")).unwrap();
            let mut session = greeted(driver, &server);
            let exchange = Exchange::new(mechanism, &Credentials::new(user, secret)).host("127.0.0.1");
            assert_eq!(session.authenticate(exchange).unwrap().code(), code);
            session.quit().unwrap();
            server.join().unwrap();
        }
    }
}

#[test]
fn a_password_beyond_ascii_may_be_typed_in_either_way() {
    for driver in DRIVERS {
        let server = Setup::new().auth([("user", "caf\u{e9}")]).start().unwrap();
        for typed in ["caf\u{e9}", "cafe\u{301}"] {
            for mechanism in [Mechanism::ScramSha1, Mechanism::ScramSha256] {
                let mut session = greeted(driver, &server);
                let exchange = Exchange::new(mechanism, &Credentials::new("user", typed));
                session.authenticate(exchange).unwrap().require(235).unwrap();
            }
        }
    }
}

#[test]
fn a_server_that_grants_scram_without_having_proven_itself_is_not_believed() {
    for driver in DRIVERS {
        // What the client sends has a nonce in it.
        let server = Server::play("S: 220 hi\nC: AUTH SCRAM-SHA-256 ${first}\nS: 235 welcome").unwrap();
        let mut session = greeted(driver, &server);
        let exchange = Exchange::new(Mechanism::ScramSha256, &Credentials::new("user", "pencil"));
        let error = session.authenticate(exchange).unwrap_err();
        assert!(
            error.chain().ends_with(": the server has not proven that it knows the password, too"),
            "{}",
            error.chain()
        );
        drop(session);
        server.join().unwrap();
    }
}

#[test]
fn no_observer_sees_a_secret() {
    for driver in DRIVERS {
        let seen = Arc::new(Mutex::new(String::new()));
        let theirs = Arc::clone(&seen);
        let server = Setup::new().auth([("user", "pencil")]).start().unwrap();
        for mechanism in MECHANISMS {
            let theirs = Arc::clone(&theirs);
            let observer = observer_fn(move |_, event| {
                if let Event::Sent(bytes) = event {
                    theirs.lock().unwrap().push_str(&String::from_utf8_lossy(bytes));
                }
            });
            let mut session = driver.open(&Connect::new("127.0.0.1", server.port()).observer(observer)).unwrap();
            session.read_reply().unwrap();
            session
                .authenticate(Exchange::new(mechanism, &Credentials::new("user", "pencil")))
                .unwrap()
                .require(235)
                .unwrap();
        }
        let seen = seen.lock().unwrap();
        assert_eq!(*seen, "AUTH PLAIN AUTH LOGIN\r\nAUTH CRAM-MD5\r\nAUTH SCRAM-SHA-1 AUTH SCRAM-SHA-256 ", "{seen}");
    }
}
