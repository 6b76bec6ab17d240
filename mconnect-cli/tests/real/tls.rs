//! The tool inside TLS with real servers: Postfix (OpenSSL, RSA), Exim (GnuTLS, ECDSA), and OpenSMTPD (OpenSSL, RSA);
//! `servers/` has what starts them.

use std::fs;
use std::process::Command;

use crate::common::real::{EHLO, EXIM, OPENSMTPD, POSTFIX, RealServer, Talk, Topic, delivery, message, quit_raw, talk};
use crate::common::{MCONNECT, Scrap};
use mconnect_core::server::Authority;

#[test]
#[ignore = "needs Debian's mail servers and root: .ci/run installs and runs them"]
fn postfix_is_understood_inside_tls() {
    POSTFIX.serves(TOPICS);
}

#[test]
#[ignore = "needs Debian's mail servers and root: .ci/run installs and runs them"]
fn exim_is_understood_inside_tls() {
    EXIM.serves(TOPICS);
}

#[test]
#[ignore = "needs Debian's mail servers and root: .ci/run installs and runs them"]
fn opensmtpd_is_understood_inside_tls() {
    OPENSMTPD.serves(TOPICS);
}

const TOPICS: &[Topic] = &[
    ("a piped STARTTLS goes on inside TLS, and a message arrives", piped),
    ("STARTTLS by option, over both families", by_option),
    ("STARTTLS typed at a terminal", typed),
    ("a STARTTLS typed at a terminal goes on unverified", typed_unverified),
    ("TLS from the first byte on, with one version, and the chain is shown", first),
    ("a long message arrives through TLS", bulk),
    ("a server that is not proven is 76, and why is told", not_proven),
    ("the system's trust store is where it is said to be", system_store),
    ("the end of the input ends the session, and how the server ends it is told", end_of_input),
    ("raw mode inside TLS", raw),
];

fn piped(server: &RealServer) {
    let content = message("through TLS\n");
    let script = format!("{EHLO}STARTTLS\n{EHLO}{}QUIT\n", delivery(&["one"], &content));
    let talk = server.talk("127.0.0.1", &["--cafile", &server.root()], script);
    talk.must_be(0, &["220", "250", "220", "250", "250", "250", "354", "250", "221"]);
    server.must_be_proven(&talk);
    talk.must_tell("TLS 1.3, ");
    let hello = "250-STARTTLS";
    assert_eq!(talk.out.matches(hello).count(), 1, "it is offered before, and not inside: {talk:?}");
    server.must_store(1, content);
}

fn by_option(server: &RealServer) {
    for host in ["127.0.0.1", "::1", "localhost"] {
        let options = ["--starttls", "--cafile", &server.root(), "--helo", "client.example"];
        let talk = server.talk(host, &options, format!("{EHLO}NOOP\nQUIT\n"));
        talk.must_be(0, &["220", "250", "220", "250", "250", "221"]);
        server.must_be_proven(&talk);
        talk.must_tell("\n> EHLO client.example\n> STARTTLS\nTLS 1.3, ");
    }
}

fn typed(server: &RealServer) {
    for terminal in ["dumb", "xterm"] {
        let mut pty = server.prompt(terminal, &["--cafile", &server.root()]);
        pty.send(EHLO);
        pty.expect("250-STARTTLS");
        pty.send("STARTTLS\n");
        pty.expect("; verified");
        pty.send(EHLO);
        pty.expect("250-AUTH ");
        pty.send("QUIT\n");
        pty.expect("221 ");
        assert_eq!(pty.wait(), 0, "{}", pty.screen());
    }
}

fn typed_unverified(server: &RealServer) {
    let mut pty = server.prompt("xterm", &["--cafile", &server.root(), "--tls-name", "mx.example.com"]);
    pty.send("EHLO me\n");
    pty.expect("250-STARTTLS");
    pty.send("STARTTLS\n");
    pty.expect("not for mx.example.com but for localhost, 127.0.0.1, ::1; going on UNVERIFIED");
    pty.expect("tls unverified smtp> ");
    pty.send("QUIT\n");
    pty.expect("221 ");
    assert_eq!(pty.wait(), 0, "{}", pty.screen());
}

fn first(server: &RealServer) {
    let saved = server.dir.join("saved.pem");
    let options = ["--tls", "--tls-verbose", "--cafile", &server.root(), "--save-chain", saved.to_str().unwrap()];
    let talk = talk(server.tls_port, "::1", &options, format!("{EHLO}QUIT\n"));
    talk.must_be(0, &["220", "250", "221"]);
    server.must_be_proven(&talk);
    talk.must_tell(&format!("\n{}", server.kind.tls_port_has));
    for certificate in [
        "certificate 0: CN=localhost\n  issuer      CN=Intermediate of a test\n  names       localhost 127.0.0.1 ::1\n",
        "certificate 1: CN=Intermediate of a test\n  issuer      CN=Root of a test\n",
    ] {
        talk.must_tell(certificate);
    }
    assert_eq!(talk.err.matches(&format!("  key         {}\n", server.kind.key)).count(), 2, "{talk:?}");
    let shown = fs::read_to_string(server.tls_file("server.pem")).unwrap();
    assert_eq!(fs::read_to_string(saved).unwrap(), shown);
}

fn bulk(server: &RealServer) {
    let content = message(&"A line of a message that is not short, with a number of words in it.\n".repeat(150_000));
    let script = format!("{EHLO}{}QUIT\n", delivery(&["one", "two"], &content));
    let talk = server.talk("127.0.0.1", &["--starttls", "--cafile", &server.root()], script);
    talk.must_be(0, &["220", "250", "220", "250", "250", "250", "250", "354", "250", "221"]);
    server.must_be_proven(&talk);
    server.must_store(2, content);
}

fn not_proven(server: &RealServer) {
    let [fits, differs] = [fingerprint(server), "0".repeat(64)];
    let root = server.root();
    for (options, reason) in [
        (vec!["--cafile", &root], None),
        (vec!["--pin", &fits], None),
        (vec!["--pin", &fits, "--tls-name", "mx.example.com"], None),
        (vec!["--cafile", &root, "--tls-name", "localhost"], None),
        (
            vec!["--cafile", &root, "--tls-name", "mx.example.com"],
            Some("the certificate is not for mx.example.com but for localhost, 127.0.0.1, ::1"),
        ),
        (vec!["--pin", &differs], Some("its public key is another than the pinned one: ")),
    ] {
        for start in ["--starttls", "--tls"] {
            let port = if start == "--tls" { server.tls_port } else { server.port };
            let done = talk(port, "127.0.0.1", &[&options[..], &[start]].concat(), "QUIT\n");
            let Some(reason) = reason else {
                assert_eq!(done.status, Some(0), "{done:?}");
                server.must_be_proven(&done);
                continue;
            };
            assert_eq!(done.status, Some(76), "{done:?}");
            assert!(!done.out.contains("221"), "{done:?}");
            done.must_tell(&format!("mconnect: cannot trust 127.0.0.1:{port}: {reason}"));
            done.must_tell("; -k goes on in spite of it\n");
            let done = talk(port, "127.0.0.1", &[&options[..], &[start, "-k"]].concat(), "QUIT\n");
            assert_eq!(done.status, Some(0), "{done:?}");
            done.must_tell(&format!("; NOT verified: {reason}"));
        }
    }
}

fn system_store(server: &RealServer) {
    let other = Scrap::new("other.pem", &Authority::new("Somebody else").pem());
    let unknown = "its issuer is unknown here: CN=Root of a test; -k goes on in spite of it\n";
    for (store, reason) in [(server.root(), None), (other.path().to_owned(), Some(unknown))] {
        let [store, port] = [format!("SSL_CERT_FILE={store}"), server.port.to_string()];
        let command = ["env", &store, "SSL_CERT_DIR=/nonexistent", MCONNECT, "--starttls", "-p", &port, "127.0.0.1"];
        let talk = Talk::of(&command, b"QUIT\n");
        match reason {
            None => server.must_be_proven(&talk),
            Some(reason) => talk.must_tell(reason),
        }
        assert_eq!(talk.status, Some(if reason.is_some() { 76 } else { 0 }), "{talk:?}");
    }
}

fn end_of_input(server: &RealServer) {
    for (port, start) in [(server.port, "--starttls"), (server.tls_port, "--tls")] {
        let talk = talk(port, "127.0.0.1", &[start, "--cafile", &server.root()], format!("{EHLO}NOOP"));
        assert_eq!(talk.status, Some(0), "{talk:?}");
        assert!(talk.codes().ends_with(&["250", "250"]), "{talk:?}");
        talk.must_tell(&format!("127.0.0.1:{port}: {}; every reply had come\n", server.kind.farewell));
    }
}

fn raw(server: &RealServer) {
    // Raw mode knows no replies: without a close_notify it cannot tell whether the last one was whole.
    let status = if server.kind.name == "opensmtpd" { 76 } else { 0 };
    quit_raw(server.tls_port, "127.0.0.1", &["--tls", "--cafile", &server.root()], status);
}

/// Gives the SHA-256 fingerprint of the server's public key, as openssl sees it.
fn fingerprint(server: &RealServer) -> String {
    let script = "openssl x509 -in \"$0\" -noout -pubkey | openssl pkey -pubin -outform DER | sha256sum";
    let done = Command::new("sh").args(["-c", script, &server.tls_file("server.pem")]).output().unwrap();
    String::from_utf8(done.stdout).unwrap()[..64].to_owned()
}
