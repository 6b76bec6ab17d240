//! The tool authenticating with real servers: Postfix, with Cyrus SASL, and Exim, with its own authenticators; `servers/`
//! has what starts them.

use std::process::{Command, Stdio};

use crate::common::assert_status;
use crate::common::folder::{Folder, serve};
use crate::common::real::{DOVECOT, EHLO, EXIM, Kind, OPENSMTPD, POSTFIX, RealServer, Topic, delivery, message, talk};

#[test]
#[ignore = "needs Debian's mail servers and root: .ci/run installs and runs them"]
fn postfix_lets_users_in() {
    POSTFIX.serves(TOPICS);
}

#[test]
#[ignore = "needs Debian's mail servers and root: .ci/run installs and runs them"]
fn exim_lets_users_in() {
    let external = ("a client certificate is shown, and EXTERNAL authenticates by it", client_certificate as fn(&_));
    EXIM.serves(&[TOPICS, &[external]].concat());
}

#[test]
#[ignore = "needs Debian's mail servers and root: .ci/run installs and runs them"]
fn dovecot_lets_users_in_by_what_is_bound_to_tls() {
    inside_tls(DOVECOT, "SCRAM-SHA-256-PLUS");
}

#[test]
#[ignore = "needs Debian's mail servers and root: .ci/run installs and runs them"]
fn opensmtpd_lets_users_in_inside_tls() {
    inside_tls(OPENSMTPD, "PLAIN");
}

fn inside_tls(kind: Kind, best: &'static str) {
    let server = RealServer::start(kind);
    let (right, wrong) = (server.password("pencil"), server.tls_file("wrong"));
    std::fs::write(&wrong, "crayon").unwrap();
    let root = server.root();
    let named = server.kind.mechanisms.iter().map(|mechanism| (format!("user:{mechanism}"), *mechanism));
    for (who, mechanism) in named.chain([("user".to_owned(), best)]) {
        for (start, port) in [("--starttls", server.port), ("--tls", server.tls_port)] {
            let options = [start, "--cafile", &root, "--auth", &who, "--password-file", &right];
            let granted = talk(port, "127.0.0.1", &options, "QUIT\n");
            assert_eq!(granted.status, Some(0), "{granted:?}");
            granted.must_tell(&format!("> AUTH {mechanism} (answers not shown)\n"));
            assert!(granted.out.contains(server.kind.authenticated), "{granted:?}");
        }
    }
    let options = ["--starttls", "--cafile", &root, "--auth", "user", "--password-file", &wrong];
    let refused = server.talk("127.0.0.1", &options, "QUIT\n");
    assert_eq!(refused.status, Some(77), "{refused:?}");
}

#[test]
#[ignore = "needs Debian's gsasl: .ci/run installs and runs it"]
fn gnu_sasl_is_let_in_by_what_is_bound_to_tls() {
    let folder = Folder::new();
    for mechanism in ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS"] {
        for (password, is_right) in [("pencil", true), ("crayon", false)] {
            let dialogue = format!(
                "S: 220 hi\nC: *starttls*\nC: EHLO ${{name}}\nS: 250 AUTH {mechanism}\n\
                C: *authenticate {mechanism} user pencil*\nC: QUIT\nS: 221 bye\n"
            );
            let (file, chain) = (folder.write("served.txt", &dialogue), folder.file("chain.pem"));
            let (server, port, _out) = serve(&["--serve", &file, "--once", "--save-chain", &chain]);
            let client = Command::new("gsasl")
                .args(["--smtp", "--starttls", "--connect", &format!("localhost:{port}")])
                .args([&format!("--x509-ca-file={chain}"), "-m", mechanism, "-a", "user", "-p", password])
                .stdin(Stdio::null())
                .output()
                .unwrap();
            assert_eq!(client.status.success(), is_right, "{}", String::from_utf8_lossy(&client.stdout));
            assert_status(&server.wait_with_output().unwrap(), u8::from(!is_right).into());
        }
    }
}

const TOPICS: &[Topic] = &[
    ("every mechanism authenticates, in the clear and inside TLS", mechanisms),
    ("a wrong password is 77, and the server still takes leave", wrong_password),
    ("AUTH LOGIN by hand at a prompt, with nothing of it on the screen", by_hand),
    ("~a at a prompt, refused and granted", by_escape),
    ("a piped AUTH is one command among others", piped_auth),
];

fn mechanisms(server: &RealServer) {
    let password = server.password("pencil");
    for mechanism in server.kind.mechanisms {
        let who = format!("user:{mechanism}");
        for start in [&["--no-tls"][..], &["--starttls", "--cafile", &server.root()]] {
            let options = [start, &["--auth", &who, "--password-file", &password]].concat();
            let talk = server.talk("127.0.0.1", &options, "NOOP\nQUIT\n");
            assert_eq!(talk.status, Some(0), "{talk:?}");
            assert!(talk.out.contains(server.kind.authenticated), "{talk:?}");
            talk.must_tell(&format!("> AUTH {mechanism} (answers not shown)\n"));
        }
    }
    let options = ["--tls", "-k", "--auth", "user", "--password-file", &password];
    let talk = talk(server.tls_port, "127.0.0.1", &options, "QUIT\n");
    assert_eq!(talk.status, Some(0), "{talk:?}");
    let best = server.kind.mechanisms.last().unwrap();
    talk.must_tell(&format!("> AUTH {best} (answers not shown)\n"));
}

fn wrong_password(server: &RealServer) {
    let password = server.password("crayon");
    for mechanism in server.kind.mechanisms {
        let who = format!("user:{mechanism}");
        let options = ["--starttls", "-k", "--auth", &who, "--password-file", &password];
        let talk = server.talk("127.0.0.1", &options, "MAIL FROM:<never@example.org>\n");
        assert_eq!(talk.status, Some(77), "{talk:?}");
        assert_eq!(talk.codes().pop(), Some("221"), "{talk:?}");
        talk.must_tell(&format!("authentication as user by {mechanism} was refused\n"));
        talk.must_be_whole();
        assert!(!format!("{talk:?}").contains("crayon"), "{talk:?}");
    }
}

fn by_hand(server: &RealServer) {
    for terminal in ["dumb", "xterm"] {
        let mut pty = server.prompt(terminal, &["--starttls", "--cafile", &server.root()]);
        pty.expect("; verified");
        pty.send(EHLO);
        pty.expect("250-AUTH ");
        pty.send("AUTH LOGIN\n");
        pty.expect("334 VXNlcm5hbWU6");
        pty.send("dXNlcg==\n");
        pty.expect("334 UGFzc3dvcmQ6");
        pty.send("cGVuY2ls\n");
        pty.expect(server.kind.authenticated);
        pty.send("NOOP\n");
        pty.expect("250 ");
        pty.send("QUIT\n");
        pty.expect("221 ");
        assert_eq!(pty.wait(), 0, "{}", pty.screen());
        assert_eq!(pty.settings(), pty.before);
        let screen = pty.screen();
        assert!(["dXNlcg==", "cGVuY2ls"].iter().all(|answer| !screen.contains(answer)), "{screen}");
    }
}

fn by_escape(server: &RealServer) {
    let mut pty = server.prompt("xterm", &["--starttls", "--cafile", &server.root()]);
    pty.expect("tls smtp> ");
    pty.send("EHLO client.example\r");
    pty.expect("250-AUTH ");
    pty.expect("tls smtp> ");
    let best = server.kind.mechanisms.last().unwrap();
    for (escape, mechanism, password, reply) in [
        ("~a LOGIN user", "LOGIN", "crayon", "535 "),
        ("~a CRAM-MD5 user", "CRAM-MD5", "crayon", "535 "),
        ("~a user", best, "pencil", server.kind.authenticated),
    ] {
        pty.send(format!("{escape}\r"));
        pty.expect("password of user: ");
        pty.send(format!("{password}\r"));
        pty.expect(&format!("> AUTH {mechanism} (answers not shown)"));
        pty.expect(reply);
        pty.expect("tls smtp> ");
    }
    pty.send("QUIT\r");
    pty.expect("221 ");
    assert_eq!(pty.wait(), 0, "{}", pty.screen());
    let screen = pty.screen();
    assert!(!screen.contains("crayon") && !screen.contains("pencil"), "{screen}");
}

fn piped_auth(server: &RealServer) {
    let [wrong, right] = ["AHVzZXIAY3JheW9u", "AHVzZXIAcGVuY2ls"];
    let script = format!(
        "{EHLO}AUTH PLAIN {wrong}\nAUTH PLAIN\n{right}\nAUTH PLAIN {right}\n{}QUIT\n",
        delivery(&["one"], &message("from a user\n"))
    );
    let options = ["--starttls", "--cafile", &server.root()];
    let talk = server.talk("127.0.0.1", &options, script);
    // Who has authenticated may not do so again (RFC 4954, section 4).
    let codes = ["220", "250", "220", "250", "535", "334", "235", "503", "250", "250", "354", "250", "221"];
    assert_eq!(talk.codes(), codes, "{talk:?}");
    server.must_store(1, message("from a user\n"));
}

fn client_certificate(server: &RealServer) {
    let [certificate, key] = ["client.pem", "client.key"].map(|name| server.tls_file(name));
    let root = server.root();
    for (start, port) in [("--starttls", server.port), ("--tls", server.tls_port)] {
        for (user, status) in [("user@example.com", 0), ("other@example.com", 77)] {
            let who = format!("{user}:EXTERNAL");
            let options = [start, "--cafile", &root, "--cert", &certificate, "--key", &key, "--auth", &who];
            let talk = talk(port, "127.0.0.1", &options, "QUIT\n");
            assert_eq!(talk.status, Some(status), "{talk:?}");
            assert_eq!(talk.out.contains(server.kind.authenticated), status == 0, "{talk:?}");
        }
    }
    let talk = server.talk("127.0.0.1", &["--starttls", "-k"], format!("{EHLO}AUTH EXTERNAL =\nQUIT\n"));
    assert_eq!(
        talk.codes(),
        ["220", "250", "220", "250", "504", "221"],
        "it is for who showed a certificate: {talk:?}"
    );
    let options = ["--cert", &certificate, "--key", &server.tls_file("server.key")];
    let talk = server.talk("127.0.0.1", &options, "QUIT\n");
    assert_eq!((talk.status, talk.out.as_str()), (Some(64), ""), "{talk:?}");
    talk.must_tell("the key does not fit the certificate\n");
}
