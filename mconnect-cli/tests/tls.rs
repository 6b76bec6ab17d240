//! The tool inside TLS, and authenticating.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use common::{MCONNECT, Peer, Pty, assert_status, complaints, err, feed, out, read_once, talk, tool};
use mconnect_core::server::{Authority, Identity, Server, Setup};

/// A file for one test, gone after it.
struct Scrap(PathBuf);

impl Scrap {
    fn new(name: &str, content: &str) -> Self {
        let path = std::env::temp_dir().join(format!("mconnect-{}-{name}", std::process::id()));
        fs::write(&path, content).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scrap {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn self_signed() -> (Identity, Server) {
    let identity = Identity::self_signed(["127.0.0.1"]);
    let server = Setup::new().tls(&identity).auth([("user", "pencil")]).start().unwrap();
    (identity, server)
}

fn with_password(port: u16, options: &[&str], password: &str) -> Output {
    let port = port.to_string();
    let args = [options, &["-p", &port, "127.0.0.1"]].concat();
    let mut child = tool(&args).env("MCONNECT_PASSWORD", password).spawn().unwrap();
    feed(&mut child, b"QUIT\n".to_vec());
    child.wait_with_output().unwrap()
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
        complaints(&output).contains("the server sent the alert handshake_failure: it has no "),
        "{}",
        err(&output)
    );
    assert_eq!(peer.received(), [&b"STARTTLS\r\n"[..], b"\x16", b""]);
}

#[test]
fn no_upgrade_leaves_starttls_a_command_and_a_refusal_leaves_the_session() {
    let server = Server::play(
        "S: 220 hi\nC: STARTTLS\nS: 454 no\nC: STARTTLS\nS: 220 go\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye",
    );
    let server = server.unwrap();
    let output = talk(server.port(), &["--no-upgrade"], "STARTTLS\nSTARTTLS\nNOOP\nQUIT\n");
    assert_status(&output, 0);
    server.join().unwrap();
    let server = Server::play("S: 220 hi\nC: STARTTLS\nS: 501 no\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye").unwrap();
    assert_status(&talk(server.port(), &[], "STARTTLS\nNOOP\nQUIT\n"), 0);
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
    assert_eq!(fs::read_to_string(&saved.0).unwrap(), identity.pem());

    let output = talk(server.port(), &["--starttls", "--cafile", ca.path()], "QUIT\n");
    assert_status(&output, 76);
    assert!(complaints(&output).contains("not for 127.0.0.1 but for mx.example.org;"), "{}", err(&output));
    let pin = identity.key_fingerprint().to_string();
    assert_status(&talk(server.port(), &["--starttls", "--pin", &pin], "QUIT\n"), 0);
    assert_status(&talk(server.port(), &["--starttls", "--pin", &"0".repeat(64)], "QUIT\n"), 76);
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
fn authentication_takes_the_best_mechanism_and_77_is_a_refusal() {
    let (_, server) = self_signed();
    let output = with_password(server.port(), &["--starttls", "-k", "--auth", "user"], "pencil");
    assert_status(&output, 0);
    assert!(err(&output).contains("> AUTH SCRAM-SHA-256 (answers not shown)\n"), "{}", err(&output));
    assert!(out(&output).contains("235 2.7.0 welcome\r\n"), "{}", out(&output));
    for mechanism in ["PLAIN", "login", "CRAM-MD5", "SCRAM-SHA-1"] {
        let auth = format!("user:{mechanism}");
        assert_status(&with_password(server.port(), &["--auth", &auth], "pencil"), 0);
        let output = with_password(server.port(), &["--auth", &auth], "crayon");
        assert_status(&output, 77);
        assert!(!err(&output).contains("crayon"));
    }
    let output = with_password(server.port(), &["--auth", "user:GSSAPI"], "");
    assert_status(&output, 64);
}

#[test]
fn a_password_comes_from_a_file_a_command_or_the_terminal_unseen() {
    let (_, server) = self_signed();
    let file = Scrap::new("password", "pencil\nnot this\n");
    assert_status(&talk(server.port(), &["--auth", "user", "--password-file", file.path()], "QUIT\n"), 0);
    assert_status(&talk(server.port(), &["--auth", "user", "--password-command", "echo pencil"], "QUIT\n"), 0);
    assert_status(&talk(server.port(), &["--auth", "user", "--password-command", "false"], "QUIT\n"), 66);

    let port = server.port().to_string();
    let mut pty = Pty::start(MCONNECT, &["--auth", "user:PLAIN", "-p", &port, "127.0.0.1"]);
    pty.expect("password of user: ");
    pty.send("pencik\x7fl\r");
    pty.expect("235 2.7.0 welcome");
    assert_eq!(pty.settings(), pty.before);
    pty.send("QUIT\n");
    pty.expect("221");
    assert_eq!(pty.wait(), 0);
    assert!(!pty.screen().contains("penci"), "{}", pty.screen());
}

#[test]
fn a_truncated_end_is_told_and_no_failure_after_221() {
    let identity = Identity::self_signed(["127.0.0.1"]);
    let server = Setup::new().tls_that_truncates(&identity).start().unwrap();
    let output = talk(server.port(), &["--starttls", "-k"], "QUIT\n");
    assert_status(&output, 0);
    assert!(err(&output).contains("ended without TLS's close_notify"), "{}", err(&output));
}

/// Another implementation of TLS, RSA, and either version. Passed over where there is no Python or no openssl.
#[test]
fn pythons_ssl_is_understood_with_rsa_in_both_versions() {
    let (cert, key) = (Scrap::new("rsa.pem", ""), Scrap::new("rsa.key", ""));
    let arguments = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "5", "-subj", "/CN=localhost"];
    let made = Command::new("openssl")
        .args(arguments)
        .args(["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key.path(), "-out", cert.path()])
        .stderr(Stdio::null())
        .status();
    let has_python = Command::new("python3").args(["-c", "import ssl"]).status();
    if !made.is_ok_and(|status| status.success()) || !has_python.is_ok_and(|status| status.success()) {
        return;
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/servers/python_ssl.py");
    for version in ["1.2", "1.3"] {
        let mut python = Command::new("python3");
        python.args([script, version, cert.path(), key.path()]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut server = python.spawn().unwrap();
        let mut port = String::new();
        BufReader::new(server.stdout.as_mut().unwrap()).read_line(&mut port).unwrap();
        let port = port.trim().parse().unwrap();
        let words = format!("TLS {version}, ");
        let output = talk(port, &["--cafile", cert.path()], "STARTTLS\nEHLO x\nQUIT\n");
        assert_status(&output, 0);
        assert!(err(&output).contains(&words) && err(&output).ends_with("; verified\n"), "{}", err(&output));
        assert!(out(&output).contains(&format!("250-TLSv{version}\r\n")), "{}", out(&output));
        let output = talk(port, &["--starttls", "-k"], "QUIT\n");
        assert_status(&output, 0);
        drop(server.stdin.take());
        server.wait().unwrap();
    }
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
    assert!(fs::read_to_string(&log.0).unwrap().contains("CLIENT_TRAFFIC_SECRET_0 "));
}
