//! TLS over real loopback sockets, with good servers, bad ones, and attackers.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mconnect_core::protocol::Phase;
use mconnect_core::server::{Authority, Identity, Server, Setup};
use mconnect_core::tls::{Config, ConfigError, Fingerprint, Info, Problem, rustls};
use mconnect_core::{Connect, Error, Session, Stream, Timeouts};

fn greeted(port: u16) -> Session {
    let mut session = Connect::new("127.0.0.1", port).open().unwrap();
    session.read_reply().unwrap().require(220).unwrap();
    session
}

/// A session after STARTTLS and its 220.
fn due(port: u16) -> Session {
    let mut session = greeted(port);
    session.command("STARTTLS").unwrap().require(220).unwrap();
    assert_eq!(session.phase(), Phase::StartTls);
    session
}

fn upgrade(identity: &Identity, config: &Config) -> Result<(Session, Info), Error> {
    let server = Setup::new().tls(identity).start().unwrap();
    let (mut session, info) = due(server.port()).upgrade(config)?;
    session.command("EHLO x").unwrap().require(250).unwrap();
    Ok((session, info))
}

fn trusting(authority: &Authority) -> Config {
    Config::new().name("mx.example.org").authorities(authority.pem().as_bytes()).unwrap()
}

/// A server whose part is played by a closure.
fn peer<T: Send + 'static>(act: impl FnOnce(TcpStream) -> T + Send + 'static) -> (u16, JoinHandle<T>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (port, thread::spawn(move || act(listener.accept().unwrap().0)))
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
    let identity = Identity::self_signed(["mx.example.org", "127.0.0.1"]);
    let server = Setup::new().tls(&identity).start().unwrap();
    let mut session = greeted(server.port());
    session.command("EHLO client.example").unwrap().require(250).unwrap();
    assert!(session.extensions().unwrap().has("STARTTLS"));
    session.command("STARTTLS").unwrap().require(220).unwrap();
    let (mut session, info) = session.upgrade(&Config::new().authorities(identity.pem().as_bytes()).unwrap()).unwrap();
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

#[test]
fn tls_from_the_first_byte_on_comes_before_the_greeting() {
    let identity = Identity::self_signed(["127.0.0.1"]);
    let server = Setup::new().tls(&identity).tls_first().start().unwrap();
    let session = Connect::new("127.0.0.1", server.port()).open().unwrap();
    let (mut session, _) = session.upgrade(&Config::new().insecure()).unwrap();
    assert_eq!((session.phase(), session.outstanding()), (Phase::Greeting, 1));
    session.read_reply().unwrap().require(220).unwrap();
    let replies = session.pipeline(["EHLO x", "NOOP", "RSET"]).unwrap();
    assert_eq!(replies.len(), 3);
    session.quit().unwrap();
}

#[test]
fn plaintext_behind_the_220_is_response_injection_and_nothing_more_is_sent() {
    let server = Server::play("S: 220 hi\nC: STARTTLS\nS: 220 go\nS: 250 injected\nC: *close*").unwrap();
    let error = due(server.port()).upgrade(&Config::new()).unwrap_err();
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

#[test]
fn plaintext_that_comes_later_fails_the_handshake_and_is_shown() {
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
    let error = due(port).upgrade(&Config::new()).unwrap_err();
    assert!(matches!(error, Error::Tls { .. }));
    assert!(
        messages(&error).ends_with("the server answered the handshake in plain text, with \"250 injected\""),
        "{}",
        messages(&error)
    );
    assert!(thread.join().unwrap().is_empty());
}

#[test]
fn plaintext_that_comes_while_tls_was_to_be_first_is_no_tls() {
    let server = Server::play("S: 220 hi\nC: *close*").unwrap();
    let session = Connect::new("127.0.0.1", server.port()).open().unwrap();
    let error = session.upgrade(&Config::new().insecure()).unwrap_err();
    assert!(messages(&error).contains("in plain text, with \"220 hi\""), "{}", messages(&error));
    drop(server.join());
}

#[test]
fn a_220_followed_by_closing_is_told() {
    let (port, thread) = peer(|mut stream| {
        stream.write_all(b"220 hi\r\n").unwrap();
        read_some(&mut stream);
        stream.write_all(b"220 go\r\n").unwrap();
        read_some(&mut stream);
    });
    let error = due(port).upgrade(&Config::new()).unwrap_err();
    assert!(messages(&error).ends_with("the server closed instead of shaking hands"), "{}", messages(&error));
    thread.join().unwrap();
}

#[test]
fn a_454_leaves_the_session_as_it_was() {
    let server =
        Server::play("S: 220 hi\nC: STARTTLS\nS: 454 not now\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye").unwrap();
    let mut session = greeted(server.port());
    assert_eq!(session.command("STARTTLS").unwrap().code(), 454);
    assert_eq!(session.phase(), Phase::Command);
    session.command("NOOP").unwrap().require(250).unwrap();
    session.quit().unwrap();
    server.join().unwrap();
}

#[test]
fn an_upgrade_with_replies_due_is_out_of_step() {
    let server = Server::play("S: 220 hi\nC: NOOP\nC: *close*").unwrap();
    let mut session = greeted(server.port());
    session.send_line("NOOP").unwrap();
    let error = session.upgrade(&Config::new()).unwrap_err();
    assert!(matches!(error, Error::OutOfStep { outstanding: 1, .. }), "{error}");
    server.join().unwrap();
}

#[test]
fn what_was_sent_together_with_starttls_does_not_hinder_the_upgrade() {
    let identity = Identity::self_signed(["127.0.0.1"]);
    let server = Setup::new().tls(&identity).start().unwrap();
    let mut session = greeted(server.port());
    session.send(b"STARTTLS\r\nNOOP\r\n").unwrap();
    session.read_reply().unwrap().require(220).unwrap();
    let (mut session, _) = session.upgrade(&Config::new().insecure()).unwrap();
    assert_eq!(session.command("EHLO x").unwrap().require(250).unwrap().request().unwrap().to_string(), "EHLO");
}

#[test]
fn an_authority_that_is_trusted_vouches_for_a_server_also_through_another() {
    let authority = Authority::new("Our Root");
    for identity in
        [authority.issue(["mx.example.org"]), authority.intermediate("Our Intermediate").issue(["*.example.org"])]
    {
        let (_, info) = upgrade(&identity, &trusting(&authority)).unwrap();
        assert!(info.is_verified(), "{info}");
        assert!(info.to_string().ends_with(", expires in 29 days; verified"), "{info}");
    }
}

#[test]
fn each_thing_wrong_with_a_certificate_has_its_own_words() {
    let authority = Authority::new("Our Root");
    let other = Authority::new("Their Root");
    let cases = [
        (authority.issue_for(["mx.example.org"], -30, -3), "the certificate of CN=mx.example.org expired on 20"),
        (authority.issue_for(["mx.example.org"], 2, 9), "the certificate of CN=mx.example.org is not valid before 20"),
        (
            authority.issue(["a.example", "10.1.2.3", "::1"]),
            "the certificate is not for mx.example.org but for a.example, 10.1.2.3, ::1",
        ),
        (authority.issue([]), "the certificate is not for mx.example.org, and names no host"),
        (Identity::self_signed(["mx.example.org"]), "the certificate is self-signed"),
        (other.issue(["mx.example.org"]), "its issuer is unknown here: CN=Their Root"),
        (other.intermediate("Between").issue(["mx.example.org"]), "its issuer is unknown here: CN=Their Root"),
    ];
    for (identity, words) in cases {
        let error = upgrade(&identity, &trusting(&authority)).unwrap_err();
        assert!(matches!(error, Error::Untrusted { .. }), "{error}");
        let text = error.to_string();
        assert!(text.starts_with("cannot trust 127.0.0.1:"), "{text}");
        assert!(text.split(": ").skip(1).collect::<Vec<_>>().join(": ").starts_with(words), "{text}\n{words}");
        // To go on all the same is possible, and what is wrong is still known.
        let (_, info) = upgrade(&identity, &trusting(&authority).insecure()).unwrap();
        assert_eq!(info.problems.len(), 1, "{info:?}");
        assert!(info.to_string().contains(&format!("; NOT verified: {words}")), "{info}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_together() {
    let identity = Authority::new("Nobody").issue_for(["old.example"], -30, -3);
    let config = trusting(&Authority::new("Our Root")).insecure();
    let (_, info) = upgrade(&identity, &config).unwrap();
    assert!(
        matches!(
            info.problems.as_slice(),
            [Problem::Expired { .. }, Problem::WrongName { .. }, Problem::UnknownIssuer { .. }]
        ),
        "{info}"
    );
}

#[test]
fn a_pinned_key_is_trusted_whatever_its_certificate_says_and_no_other_is() {
    let identity = Identity::self_signed(["elsewhere.example"]);
    let (_, info) = upgrade(&identity, &Config::new().pin(identity.key_fingerprint())).unwrap();
    assert!(info.is_verified());
    let error = upgrade(&identity, &Config::new().pin(Fingerprint([7; 32]))).unwrap_err();
    let words = format!("its public key is another than the pinned one: {}", identity.key_fingerprint());
    assert!(error.to_string().ends_with(&words), "{error}");
}

#[test]
fn the_systems_trust_store_does_not_know_our_authority() {
    let authority = Authority::new("Our Root");
    let error = upgrade(&authority.issue(["mx.example.org"]), &Config::new().name("mx.example.org")).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("its issuer is unknown here: CN=Our Root") || text.contains("no trust store"), "{text}");
}

#[test]
fn a_key_of_another_certificate_is_told_before_connecting() {
    let (one, other) = (Identity::self_signed(["a"]), Identity::self_signed(["b"]));
    let key = |identity: &Identity| pem("PRIVATE KEY", identity.key());
    assert!(Config::new().identity(one.pem().as_bytes(), key(&one).as_bytes()).is_ok());
    let error = Config::new().identity(one.pem().as_bytes(), key(&other).as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), "the key does not fit the certificate");
    let error = Config::new().identity(b"nothing", key(&one).as_bytes()).unwrap_err();
    assert!(matches!(error, ConfigError::Pem("certificate")), "{error}");
    assert_eq!(Config::new().authorities(b"").unwrap_err().to_string(), "there is no certificate in it (PEM)");
}

fn pem(kind: &str, der: &[u8]) -> String {
    let mut base64 = String::new();
    for group in der.chunks(3) {
        let all = group.iter().fold(0_u32, |all, byte| all << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            let letter = char::from(letters[(all >> (18 - 6 * place)) as usize & 63]);
            base64.push(if place <= group.len() { letter } else { '=' });
        }
    }
    format!("-----BEGIN {kind}-----\n{base64}\n-----END {kind}-----\n")
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
    let identity = Identity::self_signed(["127.0.0.1"]);
    for (version, name) in [(&rustls::version::TLS12, "TLS 1.2"), (&rustls::version::TLS13, "TLS 1.3")] {
        let server = Setup::new().tls_with(speaking(&identity, version)).start().unwrap();
        let (session, info) = due(server.port()).upgrade(&Config::new().insecure()).unwrap();
        assert_eq!(info.version, name);
        assert_eq!(session.quit().unwrap().code(), 221);
    }
    let server = Setup::new().tls_with(speaking(&identity, &rustls::version::TLS12)).start().unwrap();
    let error = due(server.port()).upgrade(&Config::new().insecure().only_13()).unwrap_err();
    let words = "the server sent the alert protocol_version: it offers only TLS versions that are not spoken here";
    assert!(messages(&error).ends_with(words), "{}", messages(&error));
}

#[test]
fn ones_own_configuration_of_rustls_decides_by_itself() {
    let authority = Authority::new("Our Root");
    let mut roots = rustls::RootCertStore::empty();
    let pem = authority.pem();
    let certificates =
        <rustls::pki_types::CertificateDer<'_> as rustls::pki_types::pem::PemObject>::pem_slice_iter(pem.as_bytes());
    roots.add_parsable_certificates(certificates.map(Result::unwrap));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Config::from_rustls(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()));
    let (_, info) = upgrade(&authority.issue(["mx.example.org"]), &config.clone().name("mx.example.org")).unwrap();
    assert!(info.is_verified());
    let error = upgrade(&authority.issue(["other.example"]), &config.name("mx.example.org")).unwrap_err();
    assert!(matches!(error, Error::Tls { .. }), "{error}");
}

#[test]
fn anybodys_tls_can_be_put_around_the_stream() {
    struct Rot13(Arc<dyn Stream>);
    fn turn(byte: u8) -> u8 {
        match byte {
            b'a'..=b'z' => (byte - b'a' + 13) % 26 + b'a',
            b'A'..=b'Z' => (byte - b'A' + 13) % 26 + b'A',
            other => other,
        }
    }
    impl Stream for Rot13 {
        fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.0.read(buffer)?;
            buffer[..count].iter_mut().for_each(|byte| *byte = turn(*byte));
            Ok(count)
        }
        fn write(&self, bytes: &[u8]) -> io::Result<usize> {
            self.0.write(&bytes.iter().map(|byte| turn(*byte)).collect::<Vec<_>>())
        }
        fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
            self.0.set_read_timeout(timeout)
        }
        fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
            self.0.set_write_timeout(timeout)
        }
        fn half_close(&self) -> io::Result<()> {
            self.0.half_close()
        }
        fn shutdown(&self) -> io::Result<()> {
            self.0.shutdown()
        }
    }
    let server =
        Server::play("S: 220 hi\nC: STARTTLS\nS: 220 go\nC: RUYB k\nS: 250 zk\nC: DHVG\nS: 221 olr\nS: *close*")
            .unwrap();
    let (mut session, ()) = due(server.port()).upgrade_with(|under| Ok((Arc::new(Rot13(under)), ()))).unwrap();
    assert_eq!(session.command("EHLO x").unwrap().text(), b"mx");
    assert_eq!(session.quit().unwrap().text(), b"bye");
    server.join().unwrap();
}

#[test]
fn a_handshake_has_a_deadline_and_can_be_closed() {
    let (port, thread) = peer(|mut stream| {
        stream.write_all(b"220 hi\r\n").unwrap();
        read_some(&mut stream);
        stream.write_all(b"220 go\r\n").unwrap();
        drop(stream.read_to_end(&mut Vec::new()));
    });
    let timeouts = Timeouts { command: Duration::from_millis(100), ..Timeouts::default() };
    let mut session = Connect::new("127.0.0.1", port).timeouts(timeouts).open().unwrap();
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
    let session = due(port);
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

#[test]
fn replies_that_share_a_record_need_no_further_bytes_on_the_socket() {
    let identity = Identity::self_signed(["127.0.0.1"]);
    let config = identity.config();
    let (port, thread) = peer(move |mut stream| {
        let mut connection = rustls::ServerConnection::new(config).unwrap();
        let mut tls = rustls::Stream::new(&mut connection, &mut stream);
        // More than a session reads at once, in one write.
        let many = "220-hi\r\n".repeat(20_000) + "220 there\r\n";
        tls.write_all(many.as_bytes()).unwrap();
        drop(tls.read_to_end(&mut Vec::new()));
    });
    let session = Connect::new("127.0.0.1", port).open().unwrap();
    let (mut session, _) = session.upgrade(&Config::new().insecure()).unwrap();
    let mut lines = 0;
    while session.outstanding() > 0 {
        session.receive(Duration::from_secs(10)).unwrap();
        while session.is_ready() {
            session.read_line().unwrap().unwrap();
            lines += 1;
        }
    }
    assert_eq!(lines, 20_001);
    drop(session);
    thread.join().unwrap();
}
