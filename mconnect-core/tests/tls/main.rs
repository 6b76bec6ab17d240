//! TLS over real loopback sockets, with good servers, bad ones, and attackers.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod attacks;

#[cfg(feature = "auth")]
mod auth;
mod certificates;
mod client;
#[cfg(feature = "tokio")]
mod dropped;
mod ends;
mod hostile;
mod inside;
mod verdict;

#[path = "../common/mod.rs"]
mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::driven::{DRIVERS, Driven, Driver};
use common::peer;
use mconnect_core::protocol::Phase;
use mconnect_core::server::{Authority, Identity, Setup};
use mconnect_core::tls::{Config, Info, rustls};
use mconnect_core::{Connect, Error, Timeouts};

fn greeted(driver: Driver, port: u16) -> Driven {
    let mut session = driver.open(&Connect::new("127.0.0.1", port)).unwrap();
    session.read_reply().unwrap().require(220).unwrap();
    session
}

/// A session after STARTTLS and its 220.
fn due(driver: Driver, port: u16) -> Driven {
    let mut session = greeted(driver, port);
    session.command("STARTTLS").unwrap().require(220).unwrap();
    assert_eq!(session.phase(), Phase::StartTls);
    session
}

fn upgrade(driver: Driver, identity: &Identity, config: &Config) -> Result<(Driven, Info), Error> {
    let server = Setup::new().tls(identity).start().unwrap();
    let (mut session, info) = due(driver, server.port()).upgrade(config)?;
    session.command("EHLO x").unwrap().require(250).unwrap();
    Ok((session, info))
}

fn trusting(authority: &Authority) -> Config {
    Config::new().name("mx.example.org").authorities(authority.pem().as_bytes()).unwrap()
}

/// A server inside TLS from the first byte on, whose part is played by a closure.
fn inside_tls<T: Send + 'static>(
    config: Arc<rustls::ServerConfig>,
    act: impl FnOnce(rustls::Stream<'_, rustls::ServerConnection, TcpStream>) -> T + Send + 'static,
) -> (u16, JoinHandle<T>) {
    peer(move |mut socket| {
        let mut connection = rustls::ServerConnection::new(config).unwrap();
        act(rustls::Stream::new(&mut connection, &mut socket))
    })
}

fn read_some(stream: &mut TcpStream) -> Vec<u8> {
    let mut buffer = vec![0; 4096];
    let count = stream.read(&mut buffer).unwrap();
    buffer.truncate(count);
    buffer
}

fn messages(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[test]
fn after_starttls_the_session_goes_on_inside_tls_and_has_forgotten_what_it_learnt() {
    for driver in DRIVERS {
        let identity = Identity::self_signed(["mx.example.org", "127.0.0.1"]);
        let server = Setup::new().tls(&identity).start().unwrap();
        let mut session = greeted(driver, server.port());
        session.command("EHLO client.example").unwrap().require(250).unwrap();
        assert!(session.extensions().unwrap().has("STARTTLS"));
        session.command("STARTTLS").unwrap().require(220).unwrap();
        let (mut session, info) =
            session.upgrade(&Config::new().authorities(identity.pem().as_bytes()).unwrap()).unwrap();
        assert_eq!((session.phase(), session.outstanding()), (Phase::Command, 0));
        assert!(session.extensions().is_none());
        assert!(info.is_verified());
        assert_eq!((info.version.as_str(), info.name.as_str()), ("TLS 1.3", "127.0.0.1"));
        assert_eq!(info.suite, "TLS_AES_256_GCM_SHA384");
        assert_eq!(info.key_exchange.as_deref(), Some("X25519"));
        let [certificate] = info.certificates.as_slice() else { panic!("{info:?}") };
        assert_eq!(certificate.subject, "CN=mx.example.org");
        assert_eq!(certificate.names, ["mx.example.org", "127.0.0.1"]);
        assert_eq!((certificate.key.as_str(), certificate.signature.as_str()), ("ECDSA P-256", "ECDSA with SHA-256"));
        assert_eq!(certificate.key_fingerprint, identity.key_fingerprint());
        assert_eq!(certificate.to_pem(), identity.pem());
        session.command("EHLO client.example").unwrap().require(250).unwrap();
        assert!(!session.extensions().unwrap().has("STARTTLS"));
        session.command("MAIL FROM:<a@example.org>").unwrap().require(250).unwrap();
        session.command("RCPT TO:<b@example.org>").unwrap().require(250).unwrap();
        session.message(&b"Subject: secret\n\nhello\n"[..]).unwrap().require(250).unwrap();
        assert_eq!(session.quit().unwrap().code(), 221);
        assert_eq!(server.messages()[0].content, b"Subject: secret\r\n\r\nhello\r\n");
    }
}

/// What another part of the program has made of it, or has not, decides nothing here.
#[test]
fn no_provider_of_cryptography_is_made_the_default_of_the_process_or_asked_for() {
    let identity = Identity::self_signed(["127.0.0.1"]);
    for config in [Config::new().insecure(), Config::new().authorities(identity.pem().as_bytes()).unwrap()] {
        let (_, info) = upgrade(Driver::Blocking, &identity, &config.name("127.0.0.1")).unwrap();
        assert_eq!(info.certificates.len(), 1);
    }
    // Whoever asks without having installed one would have installed it by that.
    assert!(rustls::crypto::CryptoProvider::get_default().is_none());
}

#[test]
fn tls_from_the_first_byte_on_comes_before_the_greeting() {
    for driver in DRIVERS {
        let identity = Identity::self_signed(["127.0.0.1"]);
        let server = Setup::new().tls(&identity).tls_first().start().unwrap();
        let session = driver.open(&Connect::new("127.0.0.1", server.port())).unwrap();
        let (mut session, _) = session.upgrade(&Config::new().insecure()).unwrap();
        assert_eq!((session.phase(), session.outstanding()), (Phase::Greeting, 1));
        session.read_reply().unwrap().require(220).unwrap();
        let replies = session.pipeline_anyway(["EHLO x", "NOOP", "RSET"]).unwrap();
        assert_eq!(replies.len(), 3);
        session.quit().unwrap();
    }
}

/// A server that speaks one version of TLS only.
fn speaking(identity: &Identity, version: &'static rustls::SupportedProtocolVersion) -> Arc<rustls::ServerConfig> {
    let pem = identity.pem();
    let chain = rustls::pki_types::pem::PemObject::pem_slice_iter(pem.as_bytes());
    let chain: Vec<_> = chain.map(Result::unwrap).collect();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(identity.key().to_vec());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    Arc::new(builder.with_no_client_auth().with_single_cert(chain, key.into()).unwrap())
}

#[test]
fn both_versions_are_spoken_and_a_server_without_a_common_one_sends_an_alert_that_is_named() {
    for driver in DRIVERS {
        let identity = Identity::self_signed(["127.0.0.1"]);
        for (version, name) in [(&rustls::version::TLS12, "TLS 1.2"), (&rustls::version::TLS13, "TLS 1.3")] {
            let server = Setup::new().tls_with(speaking(&identity, version)).start().unwrap();
            let (session, info) = due(driver, server.port()).upgrade(&Config::new().insecure()).unwrap();
            assert_eq!(info.version, name);
            assert_eq!(session.quit().unwrap().code(), 221);
        }
        let server = Setup::new().tls_with(speaking(&identity, &rustls::version::TLS12)).start().unwrap();
        let error = due(driver, server.port()).upgrade(&Config::new().insecure().only_13()).unwrap_err();
        let words = "the server sent the alert protocol_version: the server offers only TLS before 1.3";
        assert!(messages(&error).ends_with(words), "{}", messages(&error));
    }
}

#[test]
fn ones_own_configuration_of_rustls_decides_by_itself() {
    for driver in DRIVERS {
        let authority = Authority::new("Our Root");
        let mut roots = rustls::RootCertStore::empty();
        let pem = authority.pem();
        let certificates = <rustls::pki_types::CertificateDer<'_> as rustls::pki_types::pem::PemObject>::pem_slice_iter(
            pem.as_bytes(),
        );
        roots.add_parsable_certificates(certificates.map(Result::unwrap));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder =
            rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = Config::from_rustls(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()));
        let (_, info) =
            upgrade(driver, &authority.issue(["mx.example.org"]), &config.clone().name("mx.example.org")).unwrap();
        assert!(info.is_verified());
        let error = upgrade(driver, &authority.issue(["other.example"]), &config.name("mx.example.org")).unwrap_err();
        assert!(matches!(error, Error::Tls { .. }), "{error}");
    }
}

#[test]
fn a_handshake_has_a_deadline_and_can_be_closed() {
    for driver in DRIVERS {
        let (port, thread) = peer(|mut stream| {
            stream.write_all(b"220 hi\r\n").unwrap();
            read_some(&mut stream);
            stream.write_all(b"220 go\r\n").unwrap();
            drop(stream.read_to_end(&mut Vec::new()));
        });
        let timeouts = Timeouts::default().command(Duration::from_millis(100));
        let mut session = driver.open(&Connect::new("127.0.0.1", port).timeouts(timeouts)).unwrap();
        session.read_reply().unwrap();
        session.command("STARTTLS").unwrap();
        let error = session.upgrade(&Config::new()).unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert!(error.to_string().starts_with("cannot start TLS with 127.0.0.1:"), "{error}");
        thread.join().unwrap();

        let (hello, is_here) = channel();
        let (port, thread) = peer(move |mut stream| {
            stream.write_all(b"220 hi\r\n").unwrap();
            read_some(&mut stream);
            stream.write_all(b"220 go\r\n").unwrap();
            read_some(&mut stream);
            hello.send(()).unwrap();
            drop(stream.read_to_end(&mut Vec::new()));
        });
        let session = due(driver, port);
        let closer = session.closer();
        let closing = thread::spawn(move || {
            is_here.recv().unwrap();
            closer.close();
        });
        let error = session.upgrade(&Config::new()).unwrap_err();
        assert!(matches!(error, Error::Aborted { .. }), "{error}");
        closing.join().unwrap();
        thread.join().unwrap();
    }
}
