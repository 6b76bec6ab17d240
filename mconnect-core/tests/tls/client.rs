//! What a client shows: the name that it asks for, and a certificate of its own.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use mconnect_core::server::{Authority, Identity, Server, Setup};
use mconnect_core::tls::rustls::pki_types::CertificateDer;
use mconnect_core::tls::rustls::pki_types::pem::PemObject as _;
use mconnect_core::tls::{Config, ConfigError, rustls};
use mconnect_core::{Connect, Error};

use super::{due, greeted, messages, peer, trusting};
use crate::common::driven::DRIVERS;

#[test]
fn a_key_of_another_certificate_is_told_before_connecting() {
    let (one, other) = (Identity::self_signed(["a"]), Identity::self_signed(["b"]));
    let with = |chain: &str, key: &str| Config::new().identity(chain.as_bytes(), key.as_bytes());
    assert!(with(&one.pem(), &one.key_pem()).is_ok());
    let error = with(&one.pem(), &other.key_pem()).unwrap_err();
    assert_eq!(error.to_string(), "the key does not fit the certificate");
    let error = with("nothing", &one.key_pem()).unwrap_err();
    assert!(matches!(error, ConfigError::Pem("certificate")), "{error}");
    for encrypted in [
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\naGlkZGVu\n-----END ENCRYPTED PRIVATE KEY-----\n",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\naGlkZGVu\n\
         -----END RSA PRIVATE KEY-----\n",
    ] {
        let error = with(&one.pem(), encrypted).unwrap_err();
        assert_eq!(error.to_string(), "the private key is encrypted, and cannot be read");
    }
    assert_eq!(Config::new().authorities(b"").unwrap_err().to_string(), "there is no certificate in it (PEM)");
}

#[test]
fn the_name_that_is_asked_for_is_told_to_the_server_and_no_application_protocol() {
    for driver in DRIVERS {
        for (name, sent) in [("mx.example.org", Some("mx.example.org")), ("MX.example.org.", Some("mx.example.org"))]
            .into_iter()
            .chain([("192.0.2.1", None), ("not a name", None)])
        {
            let (port, thread) = peer(|mut stream| {
                let mut acceptor = rustls::server::Acceptor::default();
                let accepted = loop {
                    acceptor.read_tls(&mut stream).unwrap();
                    if let Some(accepted) = acceptor.accept().map_err(|(error, _)| error).unwrap() {
                        break accepted;
                    }
                };
                let hello = accepted.client_hello();
                assert!(hello.alpn().is_none());
                hello.server_name().map(str::to_ascii_lowercase)
            });
            let session = driver.open(&Connect::new("127.0.0.1", port)).unwrap();
            assert!(session.upgrade(&Config::new().name(name)).is_err());
            assert_eq!(thread.join().unwrap().as_deref(), sent, "{name}");
        }
    }
}

/// A server that demands a certificate of this authority's.
pub fn demanding(clients: &Authority, version: &'static rustls::SupportedProtocolVersion) -> Arc<rustls::ServerConfig> {
    let identity = Identity::self_signed(["127.0.0.1"]);
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(certificates(&clients.pem()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(identity.key().to_vec());
    let builder = builder.with_client_cert_verifier(verifier.build().unwrap());
    Arc::new(builder.with_single_cert(certificates(&identity.pem()), key.into()).unwrap())
}

fn certificates(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap).collect()
}

pub fn showing(identity: &Identity) -> Config {
    Config::new().insecure().identity(identity.pem().as_bytes(), identity.key_pem().as_bytes()).unwrap()
}

#[test]
fn a_server_that_demands_a_certificate_takes_the_one_that_is_shown_and_says_why_it_takes_no_other() {
    for driver in DRIVERS {
        let clients = Authority::new("Clients");
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let server = Setup::new().tls_with(demanding(&clients, version)).start().unwrap();
            // With its whole chain.
            let identity = clients.intermediate("Some Clients").issue(["client.example"]);
            let (mut session, _) = due(driver, server.port()).upgrade(&showing(&identity)).unwrap();
            session.command("NOOP").unwrap().require(250).unwrap();
            session.quit().unwrap();

            let stranger = showing(&Authority::new("Strangers").issue(["client.example"]));
            for (config, words) in [
                (&Config::new().insecure(), ": it asks for a client certificate"),
                (&stranger, "the server sent the alert unknown_ca: it does not accept the client certificate"),
            ] {
                // In TLS 1.3 the client is done with the handshake before the server has looked.
                let error = match due(driver, server.port()).upgrade(config) {
                    Ok((mut session, _)) => session.command("NOOP").unwrap_err(),
                    Err(error) => error,
                };
                assert!(messages(&error).contains(words), "{}", messages(&error));
            }
        }
    }
}

#[test]
fn starttls_is_one_call_that_220_alone_grants() {
    for driver in DRIVERS {
        let authority = Authority::new("Our Root");
        let server = Setup::new().tls(&authority.issue(["mx.example.org"])).start().unwrap();
        let (mut session, info) = greeted(driver, server.port()).starttls(&trusting(&authority)).unwrap();
        assert!(info.is_verified() && session.extensions().is_none());
        session.hello("x").unwrap().require().unwrap();
        session.quit().unwrap();

        for (reply, code) in [("454 not now", Some(454)), ("502 what?", Some(502)), ("250 ok", None)] {
            let server = Server::play(&format!("S: 220 hi\nC: STARTTLS\nS: {reply}\nC: *close*")).unwrap();
            match greeted(driver, server.port()).starttls(&trusting(&authority)).unwrap_err() {
                Error::Unexpected(refused) => assert_eq!(code, Some(refused.reply.code().number())),
                error => assert!(code.is_none() && matches!(error, Error::Surprise { .. }), "{error}"),
            }
            server.join().unwrap();
        }
    }
}

#[test]
fn a_handshake_that_fails_holds_what_rustls_says_and_one_that_takes_too_long_the_deadline() {
    for driver in DRIVERS {
        let (port, thread) = peer(|mut stream| {
            stream.write_all(b"220 hi\r\n").unwrap();
            super::read_some(&mut stream);
            stream.write_all(b"220 go\r\n").unwrap();
            super::read_some(&mut stream);
            // A fatal alert, handshake_failure.
            stream.write_all(&[21, 3, 3, 0, 2, 2, 40]).unwrap();
        });
        let error = greeted(driver, port).starttls(&Config::new()).unwrap_err();
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::HandshakeFailure);
        assert_eq!(error.rustls(), Some(&alert), "{error:?}");
        thread.join().unwrap();

        let (port, thread) = peer(|mut stream| {
            stream.write_all(b"220 hi\r\n").unwrap();
            super::read_some(&mut stream);
            stream.write_all(b"220 go\r\n").unwrap();
            while stream.read(&mut [0; 1000]).is_ok_and(|count| count > 0) {}
        });
        let mut session = driver.open(&Connect::new("127.0.0.1", port).deadline(Duration::from_millis(300))).unwrap();
        session.greeting().unwrap();
        let error = session.starttls(&Config::new()).unwrap_err();
        assert!(matches!(error, Error::Timeout { is_overall: true, .. }), "{error:?}");
        thread.join().unwrap();
    }
}
