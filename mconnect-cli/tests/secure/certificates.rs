//! The server's certificate, and one's own.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use crate::common::{Peer, Pty, Scrap, assert_status, complaints, err, feed, out, read_once, talk, tool};
use mconnect_core::server::{Authority, Identity, Setup};
use mconnect_core::tls::rustls;
use mconnect_core::tls::rustls::pki_types::pem::PemObject as _;
use mconnect_core::tls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use mconnect_core::tls::rustls::server::ClientCertVerifierBuilder;

#[test]
fn the_chain_is_shown_and_saved_names_and_pins_hold() {
    let authority = Authority::new("Our Root");
    let identity = authority.intermediate("Our Intermediate").issue(["mx.example.org"]);
    let server = Setup::new().tls(&identity).start().unwrap();
    let (ca, saved) = (Scrap::new("root.pem", &authority.pem()), Scrap::new("saved.pem", ""));
    let options = [
        "--starttls",
        "--cafile",
        ca.path(),
        "--tls-name",
        "mx.example.org",
        "--tls-verbose",
        "--save-chain",
        saved.path(),
        "--tls-min",
        "1.3",
    ];
    let output = talk(server.port(), &options, "QUIT\n");
    assert_status(&output, 0);
    assert!(
        err(&output).contains("certificate 1: CN=Our Intermediate\n  issuer      CN=Our Root\n"),
        "{}",
        err(&output)
    );
    assert_eq!(fs::read_to_string(saved.path()).unwrap(), identity.pem());

    let output = talk(server.port(), &["--starttls", "--cafile", ca.path()], "QUIT\n");
    assert_status(&output, 76);
    assert!(complaints(&output).contains("not for 127.0.0.1 but for mx.example.org;"), "{}", err(&output));
    let pin = identity.key_fingerprint().to_string();
    assert_status(&talk(server.port(), &["--starttls", "--pin", &pin], "QUIT\n"), 0);
    assert_status(&talk(server.port(), &["--starttls", "--pin", &"0".repeat(64)], "QUIT\n"), 76);
}

#[test]
fn a_certificate_that_has_expired_is_shown_so_and_none_has_a_row_of_no_names() {
    let identity = Authority::new("Our Root").issue_for(["127.0.0.1"], -30, -3);
    let server = Setup::new().tls(&identity).start().unwrap();
    let output = talk(server.port(), &["--starttls", "-k", "--tls-verbose"], "QUIT\n");
    assert_status(&output, 0);
    assert!(err(&output).contains(" days ago)\n") && !err(&output).contains("(-"), "{}", err(&output));
    let nameless = Identity::self_signed([]);
    let server = Setup::new().tls(&nameless).start().unwrap();
    let output = talk(server.port(), &["--starttls", "-k", "--tls-verbose"], "QUIT\n");
    assert_status(&output, 0);
    assert!(!err(&output).contains("  names"), "{}", err(&output));
}

#[test]
fn files_that_do_not_serve_are_told_before_connecting() {
    let output = talk(1, &["--cafile", "/nonexistent"], "");
    assert_status(&output, 66);
    assert_eq!(err(&output), "mconnect: cannot read /nonexistent: No such file or directory\n");
    let empty = Scrap::new("empty.pem", "");
    let output = talk(1, &["--cert", empty.path()], "");
    assert_status(&output, 64);
    assert_eq!(err(&output), format!("mconnect: cannot use {}: there is no private key in it (PEM)\n", empty.path()));
}

#[test]
fn each_failure_of_verification_has_its_own_words() {
    let (authority, other) = (Authority::new("Our Root"), Authority::new("Their Root"));
    let ca = Scrap::new("failures.pem", &authority.pem());
    let pinned = Identity::self_signed(["127.0.0.1"]);
    let other_key = format!("its public key is another than the pinned one: {}", pinned.key_fingerprint());
    let (pin, trusting) = (["--pin", &"0".repeat(64)], ["--cafile", ca.path()]);
    for (identity, options, words) in [
        (authority.issue_for(["127.0.0.1"], -30, -3), trusting, "the certificate of CN=127.0.0.1 expired on 20"),
        (authority.issue_for(["127.0.0.1"], 2, 9), trusting, "the certificate of CN=127.0.0.1 is not valid before 20"),
        (authority.issue(["mx.example.org"]), trusting, "the certificate is not for 127.0.0.1 but for mx.example.org;"),
        (other.issue(["127.0.0.1"]), trusting, "its issuer is unknown here: CN=Their Root;"),
        (Identity::self_signed(["127.0.0.1"]), trusting, "the certificate is self-signed;"),
        (pinned, pin, other_key.as_str()),
    ] {
        let server = Setup::new().tls(&identity).start().unwrap();
        let talk = |more: &[&str]| talk(server.port(), &[&["--starttls"], &options[..], more].concat(), "QUIT\n");
        let output = talk(&[]);
        assert_status(&output, 76);
        let begin = format!("mconnect: cannot trust 127.0.0.1:{}: {words}", server.port());
        assert!(complaints(&output).starts_with(&begin), "{}", err(&output));
        // Insisted upon, it is told as well, and is no failure.
        let output = talk(&["-k"]);
        assert_status(&output, 0);
        assert!(err(&output).contains(&format!("; NOT verified: {}", words.trim_end_matches(';'))), "{}", err(&output));
    }
}

#[test]
fn the_systems_authorities_are_trusted_unless_others_are_named() {
    let authority = Authority::new("The System's");
    let server = Setup::new().tls(&authority.issue(["127.0.0.1"])).start().unwrap();
    let (system, other) =
        (Scrap::new("system.pem", &authority.pem()), Scrap::new("other.pem", &Authority::new("x").pem()));
    let port = server.port().to_string();
    for (more, status) in [(&[][..], 0), (&["--cafile", other.path()], 76), (&["--tls-name", "mx.example.org"], 76)] {
        let args = [&["--starttls", "-p", &port], more, &["127.0.0.1"]].concat();
        let mut child = tool(&args).env("SSL_CERT_FILE", system.path()).spawn().unwrap();
        feed(&mut child, b"QUIT\n".to_vec());
        assert_status(&child.wait_with_output().unwrap(), status);
    }
}

#[test]
fn a_certificate_of_ones_own_is_shown_if_it_is_asked_for() {
    let (clients, identity) = (Authority::new("Clients"), Identity::self_signed(["127.0.0.1"]));
    let client = clients.issue(["client.example"]);
    let server = Setup::new().tls_with(demanding(&clients, &identity)).start().unwrap();
    let (cert, key) = (Scrap::new("client.pem", &client.pem()), Scrap::new("client.key", &client.key_pem()));
    let both = Scrap::new("both.pem", &(client.key_pem() + &client.pem()));
    for options in [&["--cert", cert.path(), "--key", key.path()][..], &["--cert", both.path()]] {
        let output = talk(server.port(), &[&["--starttls", "-k"], options].concat(), "NOOP\nQUIT\n");
        assert_status(&output, 0);
        assert!(out(&output).contains("250 2.0.0 nothing done"), "{}", out(&output));
    }
    let output = talk(server.port(), &["--starttls", "-k"], "NOOP\nQUIT\n");
    assert_status(&output, 76);
    assert!(complaints(&output).contains("certificate_required: it asks for a client certificate"), "{}", err(&output));

    // What does not fit is told before anything is connected to, with the file that it is about.
    let output = talk(server.port(), &["--cert", key.path(), "--key", key.path()], "");
    assert_status(&output, 64);
    assert_eq!(err(&output), format!("mconnect: cannot use {}: there is no certificate in it (PEM)\n", key.path()));
    let other = Scrap::new("other.key", &identity.key_pem());
    let output = talk(server.port(), &["--cert", cert.path(), "--key", other.path()], "");
    assert_status(&output, 64);
    let message = format!("mconnect: cannot use {}: the key does not fit the certificate\n", other.path());
    assert_eq!(err(&output), message);
}

#[test]
fn a_certificate_of_ones_own_goes_to_nobody_who_is_not_proven_and_the_chain_is_shown_all_the_same() {
    let (clients, identity) = (Authority::new("Clients"), Identity::self_signed(["127.0.0.1"]));
    let client = clients.issue(["client.example"]);
    let both = Scrap::new("early.pem", &(client.key_pem() + &client.pem()));
    let (ca, saved) = (Scrap::new("early-ca.pem", &identity.pem()), Scrap::new("early-saved.pem", ""));
    let options = ["--cert", both.path(), "--tls-verbose", "--save-chain", saved.path()];
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for trust in [&[][..], &["-k"], &["--cafile", ca.path()]] {
            for way in [Way::Typed, Way::Piped, Way::Option, Way::First] {
                fs::write(saved.path(), "").unwrap();
                let config = taking(&clients, &identity, version);
                let peer = Peer::start(move |stream| meet(stream, config, way));
                let options = [&options[..], trust].concat();
                let (status, told) = match way {
                    Way::Typed => {
                        let mut pty = Pty::mconnect(peer.port, &options);
                        pty.expect("220 ");
                        pty.send("STARTTLS\n");
                        if !trust.is_empty() {
                            pty.expect("key SHA-256");
                        } else {
                            pty.expect("closed> ");
                        }
                        pty.send("QUIT\n");
                        (pty.wait(), pty.screen())
                    }
                    _ => {
                        let (more, script) = match way {
                            Way::Option => (&["--starttls", "--helo", "x"][..], "QUIT\n"),
                            Way::First => (&["--tls"][..], "QUIT\n"),
                            _ => (&[][..], "STARTTLS\nQUIT\n"),
                        };
                        let output = talk(peer.port, &[&options, more].concat(), script);
                        (output.status.code().unwrap(), err(&output))
                    }
                };
                let which = format!("{way:?} {trust:?} {version:?}: {told}");
                assert_eq!(status, if trust.is_empty() { 76 } else { 0 }, "{which}");
                assert!(told.contains("certificate 0: CN=127.0.0.1"), "{which}");
                assert_eq!(fs::read_to_string(saved.path()).unwrap(), identity.pem(), "{which}");
                let refused = "the certificate is self-signed; -k goes on in spite of it";
                assert_eq!(told.replace(['\r', '\n'], "").contains(refused), trust.is_empty(), "{which}");
                let shown = if trust.is_empty() { "no certificate" } else { "a certificate" };
                assert_eq!(peer.received(), [shown.as_bytes()], "{which}");
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Typed,
    Piped,
    Option,
    First,
}

/// Starts TLS with a client, and says whether that has shown a certificate.
fn meet(mut stream: TcpStream, config: Arc<rustls::ServerConfig>, way: Way) -> Vec<Vec<u8>> {
    let words: &[&str] = match way {
        Way::First => &[],
        Way::Option => &["220 hi\r\n", "250-hi\r\n250 STARTTLS\r\n", "220 go\r\n"],
        Way::Typed | Way::Piped => &["220 hi\r\n", "220 go\r\n"],
    };
    for (index, word) in words.iter().enumerate() {
        stream.write_all(word.as_bytes()).unwrap();
        if index + 1 < words.len() {
            read_once(&mut stream);
        }
    }
    let mut connection = rustls::ServerConnection::new(config).unwrap();
    let mut tls = rustls::Stream::new(&mut connection, &mut stream);
    let greeting: &[u8] = if way == Way::First { b"220 hi\r\n" } else { b"" };
    let is_met = tls.write_all(greeting).and_then(|()| tls.read(&mut [0; 100])).is_ok_and(|count| count > 0);
    if is_met {
        tls.write_all(b"221 bye\r\n").unwrap();
        let _ = tls.read_to_end(&mut Vec::new());
    }
    let shown = if connection.peer_certificates().is_some() { "a certificate" } else { "no certificate" };
    vec![shown.into()]
}

#[test]
fn external_lets_the_certificate_speak() {
    let (clients, identity) = (Authority::new("Clients"), Identity::self_signed(["127.0.0.1"]));
    let config = demanding(&clients, &identity);
    let client = clients.issue(["client.example"]);
    let both = Scrap::new("external.pem", &(client.key_pem() + &client.pem()));
    let peer = Peer::start(move |mut stream| {
        let mut connection = rustls::ServerConnection::new(config).unwrap();
        let mut tls = rustls::Stream::new(&mut connection, &mut stream);
        let mut reads = Vec::new();
        let words = ["220 hi\r\n", "250-hi\r\n250 AUTH EXTERNAL\r\n", "235 welcome\r\n", "221 bye\r\n"];
        for word in words {
            tls.write_all(word.as_bytes()).unwrap();
            let mut line = vec![0; 1000];
            let count = tls.read(&mut line).unwrap();
            line.truncate(count);
            reads.push(line);
        }
        // The end of the connection is said in TLS: without close_notify the last read would have failed.
        reads
    });
    let options = ["--tls", "-k", "--cert", both.path(), "--helo", "x", "--auth", "me"];
    let output = talk(peer.port, &options, "QUIT\n");
    assert_status(&output, 0);
    assert_eq!(peer.received(), [&b"EHLO x\r\n"[..], b"AUTH EXTERNAL bWU=\r\n", b"QUIT\r\n", b""]);
}

/// A configuration for a server that demands a certificate of this authority's.
fn demanding(clients: &Authority, identity: &Identity) -> Arc<rustls::ServerConfig> {
    configured(clients, identity, rustls::DEFAULT_VERSIONS, |verifier| verifier)
}

/// A configuration for a server that asks for one, in one version of TLS.
fn taking(
    clients: &Authority,
    identity: &Identity,
    version: &'static rustls::SupportedProtocolVersion,
) -> Arc<rustls::ServerConfig> {
    configured(clients, identity, &[version], ClientCertVerifierBuilder::allow_unauthenticated)
}

fn configured(
    clients: &Authority,
    identity: &Identity,
    versions: &[&'static rustls::SupportedProtocolVersion],
    ask: impl FnOnce(ClientCertVerifierBuilder) -> ClientCertVerifierBuilder,
) -> Arc<rustls::ServerConfig> {
    let certificates = |pem: &str| -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap).collect()
    };
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(certificates(&clients.pem()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(&provider));
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let key = PrivatePkcs8KeyDer::from(identity.key().to_vec());
    let builder = builder.with_client_cert_verifier(ask(verifier).build().unwrap());
    Arc::new(builder.with_single_cert(certificates(&identity.pem()), key.into()).unwrap())
}
