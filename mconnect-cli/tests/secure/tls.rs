//! The tool inside TLS, and authenticating.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::sync::Arc;
use std::sync::mpsc::channel;

use crate::common::{Peer, Pty, Scrap, assert_status, complaints, err, feed, out, read_once, talk, tool};
use mconnect_core::server::{Identity, Server, Setup};
use mconnect_core::tls::rustls;
use mconnect_core::tls::rustls::pki_types::pem::PemObject as _;
use mconnect_core::tls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn self_signed() -> (Identity, Server) {
    let identity = Identity::self_signed(["127.0.0.1"]);
    let server = Setup::new().tls(&identity).auth([("user", "pencil")]).start().unwrap();
    (identity, server)
}

#[test]
fn a_piped_starttls_goes_on_inside_tls_with_what_was_read_ahead() {
    let (identity, server) = self_signed();
    let ca = Scrap::new("piped.pem", &identity.pem());
    for pace in [&[][..], &["--no-wait"]] {
        let options = [pace, &["--cafile", ca.path()]].concat();
        let output = talk(server.port(), &options, "EHLO x\nSTARTTLS\nEHLO y\nQUIT\n");
        assert_status(&output, 0);
        let (said, told) = (out(&output), err(&output));
        assert_eq!(said.matches("250-PIPELINING").count(), 2, "{said}");
        assert!(said.ends_with("221 2.0.0 goodbye\r\n"), "{said}");
        assert!(told.contains("TLS 1.3, TLS_AES_256_GCM_SHA384, X25519; certificate for 127.0.0.1, "), "{told}");
        assert!(told.contains(", expires in 29 days; verified\n"), "{told}");
    }
}

#[test]
fn a_server_that_is_not_proven_ends_a_piped_session_with_76_and_k_goes_on() {
    let (_, server) = self_signed();
    let script = "STARTTLS\nMAIL FROM:<secret@example.org>\nQUIT\n";
    let output = talk(server.port(), &["--quiet"], script);
    assert_status(&output, 76);
    let complaint = format!(
        "mconnect: cannot trust 127.0.0.1:{}: the certificate is self-signed; -k goes on in spite of it\n\
         mconnect: not sent: 2 lines of the input (36 octets)",
        server.port()
    );
    assert_eq!(complaints(&output), complaint);
    let output = talk(server.port(), &["-k"], "STARTTLS\nEHLO x\nQUIT\n");
    assert_status(&output, 0);
    assert!(err(&output).contains("; NOT verified: the certificate is self-signed\n"), "{}", err(&output));
}

#[test]
fn a_starttls_typed_at_a_terminal_goes_on_unverified() {
    let (_, server) = self_signed();
    let mut pty = Pty::mconnect(server.port(), &[]);
    pty.expect("220 ");
    pty.send("STARTTLS\n");
    pty.expect("the certificate is self-signed; going on UNVERIFIED");
    pty.send("NOOP\n");
    pty.expect("250 2.0.0 nothing done");
    pty.send("QUIT\n");
    pty.expect("221");
    assert_eq!(pty.wait(), 0);
}

#[test]
fn the_option_starttls_shows_every_step() {
    let (_, server) = self_signed();
    let output = talk(server.port(), &["--starttls", "-k", "--helo", "client.example"], "EHLO y\nQUIT\n");
    assert_status(&output, 0);
    let told = err(&output);
    assert!(told.contains("\n> EHLO client.example\n> STARTTLS\nTLS 1.3, "), "{told}");
    assert!(out(&output).contains("220 2.0.0 go ahead\r\n250-"), "{}", out(&output));
}

#[test]
fn a_starttls_that_was_taken_out_of_ehlo_or_refused_is_not_gone_without() {
    let server = Server::play("S: 220 hi\nC: EHLO x\nS: 250 hi\nC: QUIT\nS: 221 bye").unwrap();
    let output = talk(server.port(), &["--starttls", "--helo", "x"], "MAIL FROM:<>\n");
    assert_status(&output, 76);
    assert!(complaints(&output).contains("does not offer STARTTLS: somebody between may have"), "{}", err(&output));
    server.join().unwrap();
    let server =
        Server::play("S: 220 hi\nC: EHLO x\nS: 250-hi\nS: 250 STARTTLS\nC: STARTTLS\nS: 454 no\nC: QUIT\nS: 221 bye");
    let server = server.unwrap();
    let output = talk(server.port(), &["--starttls", "--helo", "x"], "MAIL FROM:<>\n");
    assert_status(&output, 75);
    server.join().unwrap();
}

#[test]
fn a_server_that_closes_at_starttls_is_not_said_to_refuse_it_and_hears_no_quit() {
    for (reply, status) in [("421 later", 75), ("221 bye", 76)] {
        let server = Server::play(&format!(
            "S: 220 hi\nC: EHLO x\nS: 250-hi\nS: 250 STARTTLS\nC: STARTTLS\nS: {reply}\nC: *close*"
        ));
        let server = server.unwrap();
        let output = talk(server.port(), &["--starttls", "--helo", "x"], "MAIL FROM:<>\n");
        assert_status(&output, status);
        let told = complaints(&output);
        assert!(told.contains("the server closes instead of granting STARTTLS"), "{told}");
        assert!(!told.contains("refused"), "{told}");
        server.join().unwrap();
    }
}

#[test]
fn injected_plaintext_ends_the_session_and_is_named() {
    let server = Server::play("S: 220 hi\nC: STARTTLS\nS: 220 go\nS: 250 injected\nC: *close*").unwrap();
    let output = talk(server.port(), &["-k"], "STARTTLS\nQUIT\n");
    assert_status(&output, 76);
    assert_eq!(out(&output), "220 hi\r\n220 go\r\n");
    assert!(complaints(&output).contains("(response injection)"), "{}", err(&output));
    server.join().unwrap();
}

#[test]
fn after_a_failed_handshake_nothing_is_sent_in_the_clear() {
    let peer = Peer::start(|mut stream| {
        stream.write_all(b"220 hi\r\n").unwrap();
        let first = read_once(&mut stream);
        stream.write_all(b"220 go\r\n").unwrap();
        let hello = read_once(&mut stream);
        stream.write_all(b"\x15\x03\x03\x00\x02\x02\x28").unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        vec![first, vec![hello[0]], rest]
    });
    let output = talk(peer.port, &["-k"], "STARTTLS\nMAIL FROM:<>\nQUIT\n");
    assert_status(&output, 76);
    assert!(
        complaints(&output)
            .contains("the server sent the alert handshake_failure: the server offers only what is not spoken here: "),
        "{}",
        err(&output)
    );
    assert_eq!(peer.received(), [&b"STARTTLS\r\n"[..], b"\x16", b""]);
}

#[test]
fn no_upgrade_leaves_starttls_a_command() {
    let server = Server::play(
        "S: 220 hi\nC: STARTTLS\nS: 454 no\nC: STARTTLS\nS: 220 go\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye",
    );
    let server = server.unwrap();
    let output = talk(server.port(), &["--no-upgrade"], "STARTTLS\nSTARTTLS\nNOOP\nQUIT\n");
    assert_status(&output, 0);
    server.join().unwrap();
}

#[test]
fn tls_from_the_first_byte_also_in_raw_mode() {
    let identity = Identity::self_signed(["127.0.0.1"]);
    let server = Setup::new().tls(&identity).tls_first().start().unwrap();
    for options in [&["--tls", "-k"][..], &["--tls", "-k", "-r"]] {
        let output = talk(server.port(), options, "EHLO x\r\nQUIT\r\n");
        assert_status(&output, 0);
        assert!(out(&output).ends_with("221 2.0.0 goodbye\r\n"), "{}", out(&output));
    }
    // A server that speaks first, in plain text, has no TLS there.
    let server = Server::play("S: 220 hi\nC: *close*").unwrap();
    let output = talk(server.port(), &["--tls"], "");
    assert_status(&output, 76);
    assert!(complaints(&output).contains("in plain text, with \"220 hi\""), "{}", err(&output));
    drop(server.join());
}

#[test]
fn a_truncated_end_is_told_and_no_failure_after_221() {
    let identity = Identity::self_signed(["127.0.0.1"]);
    let server = Setup::new().tls_that_truncates(&identity).start().unwrap();
    let output = talk(server.port(), &["--starttls", "-k"], "QUIT\n");
    assert_status(&output, 0);
    assert!(err(&output).contains("ended without TLS's close_notify"), "{}", err(&output));
}

#[test]
fn the_secrets_of_a_session_are_written_where_the_environment_says() {
    let (_, server) = self_signed();
    let log = Scrap::new("keys", "");
    let port = server.port().to_string();
    let mut child =
        tool(&["--starttls", "-k", "-p", &port, "127.0.0.1"]).env("SSLKEYLOGFILE", log.path()).spawn().unwrap();
    feed(&mut child, b"QUIT\n".to_vec());
    assert_status(&child.wait_with_output().unwrap(), 0);
    assert!(fs::read_to_string(log.path()).unwrap().contains("CLIENT_TRAFFIC_SECRET_0 "));
}

#[test]
fn an_interrupt_ends_a_handshake_and_so_does_its_deadline() {
    for (options, input, before) in [
        (&["--tls"][..], "", &[][..]),
        (&[], "STARTTLS\nNOOP\n", &["220 hi\r\n", "220 go\r\n"]),
        (&["--starttls", "--helo", "x"], "", &["220 hi\r\n", "250-hi\r\n250 STARTTLS\r\n", "220 go\r\n"]),
    ] {
        for is_interrupted in [true, false] {
            let (hello, is_here) = channel();
            let peer = Peer::start(move |mut stream| {
                for word in before {
                    stream.write_all(word.as_bytes()).unwrap();
                    read_once(&mut stream);
                }
                if before.is_empty() {
                    read_once(&mut stream);
                }
                hello.send(()).unwrap();
                let mut rest = Vec::new();
                let _ = stream.read_to_end(&mut rest);
                vec![rest]
            });
            let port = peer.port.to_string();
            let timeout: &[&str] = if is_interrupted { &[] } else { &["--timeout", "0.3"] };
            let mut child = tool(&[options, timeout, &["-p", &port, "127.0.0.1"]].concat()).spawn().unwrap();
            child.stdin.as_mut().unwrap().write_all(input.as_bytes()).unwrap();
            is_here.recv().unwrap();
            if is_interrupted {
                kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
                assert_eq!(child.wait_with_output().unwrap().status.signal(), Some(2));
            } else {
                let output = child.wait_with_output().unwrap();
                assert_status(&output, 75);
                assert!(complaints(&output).contains("cannot start TLS with 127.0.0.1:"), "{}", err(&output));
            }
            // No word in the clear after the handshake began.
            assert_eq!(peer.received(), [b""]);
        }
    }
}

#[test]
fn a_220_followed_by_closing_ends_the_session() {
    let peer = Peer::start(|mut stream| {
        stream.write_all(b"220 hi\r\n").unwrap();
        read_once(&mut stream);
        stream.write_all(b"220 go\r\n").unwrap();
        vec![read_once(&mut stream)[..1].to_vec()]
    });
    let output = talk(peer.port, &["-k"], "STARTTLS\nMAIL FROM:<>\nQUIT\n");
    assert_status(&output, 76);
    assert!(complaints(&output).contains(": the server closed instead of shaking hands\n"), "{}", err(&output));
    assert_eq!(peer.received(), [b"\x16"]);
}

#[test]
fn a_server_with_older_versions_only_is_told_of() {
    let identity = Identity::self_signed(["127.0.0.1"]);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = &[&rustls::version::TLS12];
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let key = PrivatePkcs8KeyDer::from(identity.key().to_vec());
    let chain = CertificateDer::pem_slice_iter(identity.pem().as_bytes()).map(Result::unwrap).collect();
    let config = builder.with_no_client_auth().with_single_cert(chain, key.into()).unwrap();
    let server = Setup::new().tls_with(Arc::new(config)).start().unwrap();
    let output = talk(server.port(), &["--starttls", "-k"], "QUIT\n");
    assert_status(&output, 0);
    assert!(err(&output).contains("\nTLS 1.2, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, X25519; "), "{}", err(&output));
    let output = talk(server.port(), &["--starttls", "-k", "--tls-min", "1.3"], "QUIT\n");
    assert_status(&output, 76);
    let words = "the server sent the alert protocol_version: the server offers only TLS before 1.3";
    assert!(complaints(&output).contains(words), "{}", err(&output));
    assert!(complaints(&output).contains("\nmconnect: the server speaks only TLS before 1.3"), "{}", err(&output));
}

#[test]
fn the_demo_offers_tls_and_authentication_and_its_certificate_is_trusted() {
    let mut child =
        tool(&["--demo", "--starttls", "--auth", "user"]).env("MCONNECT_PASSWORD", "pencil").spawn().unwrap();
    feed(&mut child, b"QUIT\n".to_vec());
    let output = child.wait_with_output().unwrap();
    assert_status(&output, 0);
    assert!(err(&output).contains("; verified\n") && out(&output).contains("235 2.7.0 welcome"), "{}", err(&output));
}
