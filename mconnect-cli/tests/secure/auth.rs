//! The option `--auth`.

use std::process::Output;

use crate::common::{MCONNECT, Peer, Pty, Scrap, assert_status, complaints, err, feed, out, talk, tool};
use mconnect_core::auth::{Mechanism, encode};
use mconnect_core::server::{Identity, Server, Setup};

fn self_signed() -> Server {
    Setup::new().tls(&Identity::self_signed(["127.0.0.1"])).auth([("user", "pencil")]).start().unwrap()
}

/// Says QUIT once it is in.
fn with_password(port: u16, options: &[&str], password: &str) -> Output {
    with_password_at("127.0.0.1", port, options, password)
}

fn with_password_at(host: &str, port: u16, options: &[&str], password: &str) -> Output {
    let port = port.to_string();
    let args = [options, &["-p", &port, host]].concat();
    let mut child = tool(&args).env("MCONNECT_PASSWORD", password).spawn().unwrap();
    feed(&mut child, b"QUIT\n".to_vec());
    child.wait_with_output().unwrap()
}

#[test]
fn authentication_takes_the_best_mechanism_and_77_is_a_refusal() {
    let server = self_signed();
    let output = with_password(server.port(), &["--starttls", "-k", "--auth", "user"], "pencil");
    assert_status(&output, 0);
    assert!(err(&output).contains("> AUTH SCRAM-SHA-256-PLUS (answers not shown)\n"), "{}", err(&output));
    assert!(out(&output).contains("235 2.7.0 welcome\r\n"), "{}", out(&output));
    for mechanism in ["PLAIN", "login", "CRAM-MD5", "SCRAM-SHA-1"] {
        let auth = format!("user:{mechanism}");
        assert_status(&with_password(server.port(), &["--auth", &auth], "pencil"), 0);
        let output = with_password(server.port(), &["--auth", &auth], "crayon");
        assert_status(&output, 77);
        assert!(!err(&output).contains("crayon"));
    }
    // Where it is bound to TLS, the mechanism that is not is named; and without TLS there is nothing to bind to.
    let output = with_password(server.port(), &["--starttls", "-k", "--auth", "user"], "crayon");
    assert_status(&output, 77);
    let told = complaints(&output);
    assert!(
        told.contains("authentication as user by SCRAM-SHA-256-PLUS was refused: the password is wrong, "),
        "{told}"
    );
    assert!(told.contains("; SCRAM-SHA-256 is not bound to the connection (user:SCRAM-SHA-256)"), "{told}");
    let output = with_password(server.port(), &["--auth", "user:SCRAM-SHA-1-PLUS"], "pencil");
    assert_status(&output, 77);
    assert!(complaints(&output).contains("there is nothing here to bind SCRAM-SHA-1-PLUS to"), "{}", err(&output));
    let output = with_password(server.port(), &["--auth", "user:GSSAPI"], "");
    assert_status(&output, 64);
}

#[test]
fn a_password_comes_from_a_file_a_command_or_the_terminal_unseen() {
    let server = self_signed();
    // As editors on some systems write it, too: with a byte order mark and CR LF.
    for text in ["pencil\nnot this\n", "\u{feff}pencil\r\nnot this\r\n"] {
        let file = Scrap::new("password", text);
        assert_status(&talk(server.port(), &["--auth", "user", "--password-file", file.path()], "QUIT\n"), 0);
    }
    assert_status(&talk(server.port(), &["--auth", "user", "--password-command", "echo pencil"], "QUIT\n"), 0);
    assert_status(&talk(server.port(), &["--auth", "user", "--password-command", "false"], "QUIT\n"), 66);

    let port = server.port().to_string();
    let mut pty = Pty::start(MCONNECT, &["--auth", "user:PLAIN", "-p", &port, "127.0.0.1"]);
    pty.expect("password of user: ");
    pty.send("pencik\x7fé\x7fl\r");
    pty.expect("235 2.7.0 welcome");
    assert_eq!(pty.settings(), pty.before);
    pty.send("QUIT\n");
    pty.expect("221");
    assert_eq!(pty.wait(), 0);
    assert!(!pty.screen().contains("penci"), "{}", pty.screen());
}

#[test]
fn prompts_that_are_no_base64_ask_for_user_and_password_all_the_same() {
    for prompts in [["334 Username:", "334 Password:"], ["334-one\r\n334 two", "334"]] {
        let [user, password] = prompts.map(|prompt| format!("{prompt}\r\n"));
        let peer = Peer::answers(
            "220 mx ESMTP\r\n",
            &["250-mx\r\n250 AUTH LOGIN\r\n", &user, &password, "235 ok\r\n", "221 bye\r\n"],
        );
        assert_status(&with_password(peer.port, &["--auth", "user"], "pencil"), 0);
        let came = peer.received_text();
        assert_eq!(came[1..], ["AUTH LOGIN\\r\\n", "dXNlcg==\\r\\n", "cGVuY2ls\\r\\n", "QUIT\\r\\n"]);
    }
}

#[test]
fn a_password_command_does_not_get_the_password_of_the_environment() {
    let server = self_signed();
    let command = "printenv MCONNECT_PASSWORD || echo pencil";
    let output = with_password(server.port(), &["--auth", "user", "--password-command", command], "crayon");
    assert_status(&output, 0);
}

#[test]
fn an_empty_password_is_none_and_nothing_is_sent_for_it() {
    let server = self_signed();
    let (empty, blank) = (Scrap::new("empty", ""), Scrap::new("blank", "\r\npencil\n"));
    let told = "mconnect: no password: it is empty";
    for source in [
        ["--password-file", empty.path()],
        ["--password-file", blank.path()],
        ["--password-command", "true"],
        // What the environment has.
        ["--timeout", "60"],
    ] {
        let output = with_password(server.port(), &["--auth", "user", source[0], source[1]], "");
        assert_status(&output, 66);
        assert_eq!(complaints(&output), told);
        assert!(!err(&output).contains("AUTH"), "{}", err(&output));
    }
    let port = server.port().to_string();
    let mut pty = Pty::start(MCONNECT, &["--auth", "user:PLAIN", "-p", &port, "127.0.0.1"]);
    pty.expect("password of user: ");
    pty.send("\r");
    pty.expect(told);
    assert_eq!(pty.wait(), 66);
}

#[test]
fn challenges_are_told_decoded_and_secrets_by_nothing() {
    let server = self_signed();
    let record = Scrap::new("auth-record", "");
    for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-256"] {
        let auth = format!("user:{mechanism}");
        let options = ["--auth", &auth, "--trace", "--record", record.path()];
        let output = with_password(server.port(), &options, "pencil");
        assert_status(&output, 0);
        let words = match mechanism {
            "LOGIN" => "  that is: Username:\n",
            "CRAM-MD5" => "@loopback.mconnect.test>\n",
            "SCRAM-SHA-256" => "  that is: v=",
            _ => "> AUTH PLAIN (answers not shown)\n",
        };
        assert!(err(&output).contains(words), "{}", err(&output));
        let all = out(&output) + &err(&output) + &std::fs::read_to_string(record.path()).unwrap();
        for secret in ["pencil", &encode(b"pencil"), &encode(b"\0user\0pencil")] {
            assert!(!all.contains(secret), "{mechanism}: {secret}: {all}");
        }
    }
}

#[test]
fn a_password_goes_in_the_clear_to_this_machine_only_unless_that_is_allowed() {
    // The system takes 0.0.0.0 for this machine, and nothing leaves it; but it is no loopback address.
    let server = Setup::new().auth([("user", "pencil")]).start().unwrap();
    let sent = |host, options: &[&str]| {
        let output = with_password_at(host, server.port(), options, "pencil");
        (output.status.code(), complaints(&output))
    };
    for mechanism in ["PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"] {
        let auth = format!("user:{mechanism}");
        let what = match mechanism {
            "CRAM-MD5" | "SCRAM-SHA-1" | "SCRAM-SHA-256" => "what the password can be guessed from",
            _ => "the password",
        };
        let refusal = format!(
            "mconnect: {mechanism} would send {what} in the clear: STARTTLS (--starttls, --tls) hides it, and \
             --allow-plaintext-auth sends it all the same"
        );
        assert_eq!(sent("0.0.0.0", &["--auth", &auth]), (Some(77), refusal));
    }
    for (host, options) in [
        ("0.0.0.0", &["--auth", "user:PLAIN", "--allow-plaintext-auth"][..]),
        ("0.0.0.0", &["--auth", "user:CRAM-MD5", "--allow-plaintext-auth"]),
        ("0.0.0.0", &["--auth", "user", "--allow-plaintext-auth"]),
        ("127.0.0.1", &["--auth", "user"]),
        ("127.0.0.1", &["--auth", "user:PLAIN"]),
        ("::ffff:127.0.0.1", &["--auth", "user:PLAIN"]),
    ] {
        assert_eq!(sent(host, options), (Some(0), String::new()), "{host} {options:?}");
    }
    // Inside TLS it is hidden.
    let server = self_signed();
    let output = with_password_at("0.0.0.0", server.port(), &["--starttls", "-k", "--auth", "user:PLAIN"], "pencil");
    assert_status(&output, 0);
    // Where the server is not proven, the session ends before there is a password.
    let output = with_password_at("0.0.0.0", server.port(), &["--starttls", "--auth", "user:PLAIN"], "pencil");
    assert_status(&output, 76);
    assert!(!err(&output).contains("AUTH"), "{}", err(&output));
}

#[test]
fn without_a_mechanism_in_common_nothing_is_sent() {
    for (offered, words, cause) in [
        (
            "250 SIZE",
            "does not offer AUTH here; many servers offer it inside TLS only (--starttls)\n",
            "auth_not_offered",
        ),
        (
            "250 STARTTLS",
            "does not offer AUTH here; many servers offer it inside TLS only (--starttls)\n",
            "tls_for_auth",
        ),
        ("250 AUTH GSSAPI NTLM", "offers no mechanism that takes a password, only GSSAPI NTLM\n", "no_mechanism_fits"),
    ] {
        let play = || {
            let begin = "S: 220 hi\nC: EHLO x\nS: 250-hi\n";
            Server::play(&format!("{begin}S: {offered}\nC: QUIT\nS: 221 bye")).unwrap()
        };
        let server = play();
        let output = with_password(server.port(), &["--helo", "x", "--auth", "user"], "pencil");
        assert_status(&output, 77);
        assert!(complaints(&output).contains(words), "{}", err(&output));
        server.join().unwrap();
        // It is a finding, too.
        let server = play();
        let output = with_password(server.port(), &["--json", "--helo", "x", "--auth", "user"], "pencil");
        assert!(out(&output).contains(&format!("\"finding\",\"cause\":\"{cause}\"")), "{}", out(&output));
        server.join().unwrap();
    }
}

#[test]
fn a_refusal_for_the_time_being_is_75_and_why_a_token_is_refused_is_told() {
    let play = |exchange: &str| {
        let begin = "S: 220 hi\nC: EHLO x\nS: 250-hi\nS: 250 AUTH PLAIN XOAUTH2";
        Server::play(&format!("{begin}\n{exchange}\nC: QUIT\nS: 221 bye")).unwrap()
    };
    let server = play("C: AUTH PLAIN AHVzZXIAcGVuY2ls\nS: 454 4.7.0 later");
    let output = with_password(server.port(), &["--helo", "x", "--auth", "user"], "pencil");
    assert_status(&output, 75);
    server.join().unwrap();

    let command = format!("AUTH XOAUTH2 {}", encode(b"user=user\x01auth=Bearer pencil\x01\x01"));
    let reason = encode(br#"{"status":"401"}"#);
    let server = play(&format!("C: {command}\nS: 334 {reason}\nC:\nS: 535 5.7.8 no"));
    let output = with_password(server.port(), &["--helo", "x", "--auth", "user:XOAUTH2"], "pencil");
    assert_status(&output, 77);
    assert!(err(&output).contains("  that is: {\"status\":\"401\"}\n"), "{}", err(&output));
    server.join().unwrap();
}

#[test]
fn a_server_that_grants_without_proof_is_left() {
    let peer = Peer::answers("220 hi\r\n", &["250-hi\r\n250 AUTH SCRAM-SHA-256\r\n", "235 welcome\r\n", "221 bye\r\n"]);
    let output = with_password(peer.port, &["--auth", "user"], "pencil");
    assert_status(&output, 77);
    assert!(complaints(&output).contains("has not proven that it knows the password"), "{}", err(&output));
    assert_eq!(peer.received().last().unwrap(), b"QUIT\r\n");
}

#[test]
fn the_mechanism_that_is_named_is_taken_also_if_it_is_not_offered() {
    let server = Setup::new().auth_by([("user", "pencil")], &[Mechanism::Plain]).start().unwrap();
    let output = with_password(server.port(), &["--auth", "user:LOGIN"], "pencil");
    assert_status(&output, 77);
    assert!(out(&output).contains("504 5.5.4 no such mechanism here"), "{}", out(&output));
}

#[test]
fn a_server_that_closes_at_auth_is_not_said_to_refuse_it_and_hears_no_quit() {
    for (reply, status) in [("421 later", 75), ("221 bye", 76)] {
        for (mechanism, exchange) in
            [("PLAIN", "C: AUTH PLAIN ${initial}"), ("LOGIN", "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: ${answer}")]
        {
            let dialogue =
                format!("S: 220 hi\nC: EHLO x\nS: 250-hi\nS: 250 AUTH PLAIN LOGIN\n{exchange}\nS: {reply}\nC: *close*");
            let server = Server::play(dialogue.as_str()).unwrap();
            let password = Scrap::new("password", "pencil");
            let user = format!("user:{mechanism}");
            let options = ["--auth", &user, "--password-file", password.path(), "--helo", "x"];
            let output = talk(server.port(), &options, "MAIL FROM:<>\n");
            assert_status(&output, status);
            let told = complaints(&output);
            assert!(told.contains("the server closes instead of granting AUTH"), "{told}");
            assert!(!told.contains("refused"), "{told}");
            server.join().unwrap();
        }
    }
}
