//! AUTH that leans on TLS: SCRAM that is bound to the connection, and somebody between; certificates of clients.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use mconnect_core::auth::{Credentials, Exchange, Mechanism, decode, encode};
use mconnect_core::server::{Authority, Identity, Server, Setup};
use mconnect_core::tls::{Config, rustls};
use mconnect_core::{Connect, Error};

use super::certificates::kept;
use super::client::{demanding, showing};
use super::{due, peer};
use crate::common::driven::{DRIVERS, Driven, Driver};

const BOUND: [Mechanism; 2] = [Mechanism::ScramSha1Plus, Mechanism::ScramSha256Plus];
const UNBOUND: [Mechanism; 2] = [Mechanism::ScramSha1, Mechanism::ScramSha256];

fn server() -> Server {
    Setup::new().tls(&Identity::self_signed(["127.0.0.1"])).auth([("user", "pencil")]).start().unwrap()
}

fn exchange(mechanism: Mechanism) -> Exchange {
    Exchange::new(mechanism, &Credentials::new("user", "pencil"))
}

/// A session inside TLS, with a server that need not prove itself, after EHLO.
fn inside(driver: Driver, port: u16) -> Driven {
    let (mut session, _) = due(driver, port).upgrade(&Config::new().insecure()).unwrap();
    session.command("EHLO x").unwrap().require(250).unwrap();
    session
}

/// Goes between a client and a server, with TLS of its own on both sides, and takes these words out of what the server
/// says.
fn between(server: &Server, out: &'static str) -> u16 {
    let target = server.port();
    let (port, _) = peer(move |mut client| {
        client.write_all(b"220 hi\r\n").unwrap();
        super::read_some(&mut client);
        client.write_all(b"220 go\r\n").unwrap();
        let identity = Identity::self_signed(["127.0.0.1"]);
        let mut connection = rustls::ServerConnection::new(identity.config()).unwrap();
        let mut tls = rustls::Stream::new(&mut connection, &mut client);
        let (mut session, _) = due(Driver::Blocking, target).upgrade(&Config::new().insecure()).unwrap();
        let mut line = Vec::new();
        loop {
            let mut buffer = [0; 4096];
            match tls.read(&mut buffer) {
                Ok(count @ 1..) => line.extend_from_slice(&buffer[..count]),
                _ => return,
            }
            if line.ends_with(b"\n") {
                let reply = session.command(line.trim_ascii_end()).unwrap();
                let said = String::from_utf8(reply.raw().to_vec()).unwrap().replace(out, "");
                tls.write_all(said.as_bytes()).unwrap();
                line.clear();
            }
        }
    });
    port
}

#[test]
fn what_is_bound_to_tls_is_offered_inside_it_alone_and_is_the_best() {
    for driver in DRIVERS {
        let server = server();
        let mut session = driver.open(&Connect::new("127.0.0.1", server.port())).unwrap();
        session.read_reply().unwrap().require(220).unwrap();
        session.command("EHLO x").unwrap();
        let offered = session.extensions().unwrap();
        assert!(!offered.auth_mechanisms().iter().any(|name| name.ends_with(b"-PLUS")));
        assert_eq!(Mechanism::best(&offered, &session.channel_bindings()), Some(Mechanism::ScramSha256));
        assert_eq!(session.command("AUTH SCRAM-SHA-256-PLUS").unwrap().code(), 504);
        let error = session.authenticate(exchange(Mechanism::ScramSha256Plus)).unwrap_err();
        assert!(error.chain().ends_with(": there is nothing here to bind SCRAM-SHA-256-PLUS to"), "{}", error.chain());
        session.quit().unwrap();

        for mechanism in BOUND.into_iter().chain(UNBOUND) {
            let mut session = inside(driver, server.port());
            let best = Mechanism::best(&session.extensions().unwrap(), &session.channel_bindings());
            assert_eq!(best, Some(Mechanism::ScramSha256Plus));
            session.authenticate(exchange(mechanism)).unwrap().require(235).unwrap();
            let mut session = inside(driver, server.port());
            let wrong = Exchange::new(mechanism, &Credentials::new("user", "crayon"));
            assert_eq!(session.authenticate(wrong).unwrap().code(), 535);
        }
    }
}

#[test]
fn on_tls_1_2_it_goes_to_who_names_it_bound_to_the_certificate() {
    for driver in DRIVERS {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let only_12 = || rustls::ClientConfig::builder_with_provider(Arc::clone(&provider));
        let identity = Authority::new("Our Root").intermediate("Between").issue(["127.0.0.1"]);
        let mut roots = rustls::RootCertStore::empty();
        let root = rustls::pki_types::pem::PemObject::from_pem_slice(&kept("rsa-root")).unwrap();
        roots.add(rustls::pki_types::CertificateDer::clone(&root)).unwrap();
        let theirs = only_12().with_protocol_versions(&[&rustls::version::TLS12]).unwrap();
        let theirs = Config::from_rustls(Arc::new(theirs.with_root_certificates(roots).with_no_client_auth()));
        for shown in [None, Some("rsa"), Some("p384")] {
            let setup = match shown {
                Some(name) => Setup::new().tls_pem(&kept(name), &kept(name)).unwrap(),
                None => Setup::new().tls(&identity),
            };
            let server = setup.auth([("user", "pencil")]).start().unwrap();
            let upgrade = || match shown {
                Some(_) => due(driver, server.port()).upgrade(&theirs.clone().name("mx.example.org")).unwrap(),
                None => due(driver, server.port()).upgrade(&Config::new().insecure()).unwrap(),
            };
            for mechanism in BOUND {
                let (mut session, info) = upgrade();
                let channel = session.channel_bindings();
                assert_eq!(channel.tls_server_end_point.as_ref().unwrap().len(), 32);
                assert_eq!(channel.tls_exporter.is_some(), info.version == "TLS 1.3");
                session.command("EHLO x").unwrap();
                let best = Mechanism::best(&session.extensions().unwrap(), &channel).unwrap();
                assert_eq!(best.unbound().is_some(), info.version == "TLS 1.3", "{info}");
                session.authenticate(exchange(mechanism)).unwrap().require(235).unwrap();
            }
            // Without a bond, it says nothing of one.
            let (mut session, _) = upgrade();
            session.command("EHLO x").unwrap();
            session.authenticate(exchange(Mechanism::ScramSha256)).unwrap().require(235).unwrap();
        }
    }
}

#[test]
fn somebody_between_cannot_relay_it_nor_take_the_offer_out_unnoticed() {
    for driver in DRIVERS {
        let server = server();
        for mechanism in BOUND {
            let mut session = inside(driver, between(&server, "no such words"));
            let best = Mechanism::best(&session.extensions().unwrap(), &session.channel_bindings());
            assert_eq!(best, Some(Mechanism::ScramSha256Plus));
            assert_eq!(session.authenticate(exchange(mechanism)).unwrap().code(), 535);
        }
        // Without a bond it goes through: nobody can tell.
        let mut session = inside(driver, between(&server, "no such words"));
        session.authenticate(exchange(Mechanism::ScramSha256)).unwrap().require(235).unwrap();
        // Where the bond was taken out of the offer, the server hears that none was seen; unless somebody named another.
        let out = " SCRAM-SHA-1-PLUS SCRAM-SHA-256-PLUS";
        for mechanism in UNBOUND {
            let mut session = inside(driver, between(&server, out));
            let best = Mechanism::best(&session.extensions().unwrap(), &session.channel_bindings());
            assert_eq!(best, Some(Mechanism::ScramSha256));
            assert_eq!(session.authenticate(exchange(mechanism)).unwrap().code(), 535);
            let mut session = inside(driver, between(&server, out));
            session.authenticate(exchange(mechanism).named()).unwrap().require(235).unwrap();
        }
        // To a server that offers none, the same is no lie.
        let plain = Setup::new().tls(&Identity::self_signed(["127.0.0.1"]));
        let plain = plain.auth_by([("user", "pencil")], &UNBOUND).start().unwrap();
        let mut session = inside(driver, plain.port());
        session.authenticate(exchange(Mechanism::ScramSha256)).unwrap().require(235).unwrap();
    }
}

#[test]
fn a_server_that_asks_for_few_rounds_gets_no_answer_unless_the_caller_allows_that() {
    for driver in DRIVERS {
        for allows in [false, true] {
            let (port, thread) = peer(move |mut stream: TcpStream| {
                stream.write_all(b"220 hi\r\n").unwrap();
                let first = String::from_utf8(super::read_some(&mut stream)).unwrap();
                let first = decode(first.split_whitespace().last().unwrap().as_bytes()).unwrap();
                let nonce = String::from_utf8(first).unwrap().split("r=").last().unwrap().to_owned();
                let challenge = encode(format!("r={nonce}more,s=c2FsdA==,i=1").as_bytes());
                stream.write_all(format!("334 {challenge}\r\n").as_bytes()).unwrap();
                let answer = super::read_some(&mut stream);
                stream.write_all(b"501 no\r\n").unwrap();
                answer
            });
            let mut session = super::greeted(driver, port);
            let exchange = exchange(Mechanism::ScramSha256);
            let ended = session.authenticate(if allows { exchange.allow_few_rounds() } else { exchange });
            match ended {
                Ok(reply) => assert!(allows && reply.code() == 501),
                Err(Error::Auth { source, .. }) => {
                    assert!(!allows);
                    assert_eq!(
                        source.to_string(),
                        "the server asks for too few rounds, 1: below 4096 they hardly protect the password"
                    );
                }
                Err(error) => panic!("{error}"),
            }
            assert_eq!(thread.join().unwrap() == b"*\r\n", !allows);
        }
    }
}

#[test]
fn external_lets_the_certificate_speak() {
    for driver in DRIVERS {
        let clients = Authority::new("Clients");
        let config = demanding(&clients, &rustls::version::TLS13);
        for (user, command) in
            [("", "AUTH EXTERNAL =\r\n".to_owned()), ("me", format!("AUTH EXTERNAL {}\r\n", encode(b"me")))]
        {
            let config = Arc::clone(&config);
            let (port, thread) = peer(move |mut stream| {
                let mut connection = rustls::ServerConnection::new(config).unwrap();
                let mut tls = rustls::Stream::new(&mut connection, &mut stream);
                tls.write_all(b"220 hi\r\n").unwrap();
                let mut line = vec![0; 100];
                let count = tls.read(&mut line).unwrap();
                line.truncate(count);
                tls.write_all(b"235 welcome\r\n").unwrap();
                assert!(tls.conn.peer_certificates().is_some());
                String::from_utf8(line).unwrap()
            });
            let session = driver.open(&Connect::new("127.0.0.1", port)).unwrap();
            let (mut session, _) = session.upgrade(&showing(&clients.issue(["client.example"]))).unwrap();
            session.read_reply().unwrap().require(220).unwrap();
            let exchange = Exchange::new(Mechanism::External, &Credentials::new(user, ""));
            session.authenticate(exchange).unwrap().require(235).unwrap();
            assert_eq!(thread.join().unwrap(), command);
        }
    }
}
