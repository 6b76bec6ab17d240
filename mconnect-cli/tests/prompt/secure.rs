//! TLS and AUTH at the prompt, on a real pseudo-terminal.

use std::fs;
use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, channel};

use crate::common::keys::{CTRL_C, CTRL_D};
use crate::common::screen::{Folder, Screen};
use crate::common::{MCONNECT, Peer, Pty, read_once};
use mconnect_core::auth::{Mechanism, encode};
use mconnect_core::server::{Authority, Identity, Server, Setup};

fn self_signed() -> Server {
    Setup::new().tls(&Identity::self_signed(["127.0.0.1"])).auth([("user", "pencil")]).start().unwrap()
}

#[test]
fn after_a_typed_starttls_the_prompt_says_so_and_what_was_learnt_is_forgotten() {
    let authority = Authority::new("Our Root");
    let server = Setup::new().tls(&authority.issue(["127.0.0.1"])).start().unwrap();
    let folder = Folder::new();
    let ca = folder.path().join("root.pem");
    fs::write(&ca, authority.pem()).unwrap();
    let mut screen = Screen::start(server.port(), &["--cafile", ca.to_str().unwrap()]);
    screen.expect_last("smtp>");
    screen.enter("EHLO x", "smtp>");
    screen.enter("~e", "smtp>");
    screen.expect_row("STARTTLS");
    screen.enter("STARTTLS", "smtp, tls>");
    screen.enter("~e", "smtp, tls>");
    screen.expect_row("nothing is advertised: EHLO asks for it");
    screen.enter("~s", "smtp, tls>");
    screen.expect_row("tls       tls");
    screen.send("EHLO y\r");
    screen.pty.expect("250 HELP");
    screen.enter("QUIT", "221 2.0.0 goodbye");
    assert_eq!(screen.wait(), 0);
}

#[test]
fn what_is_sent_together_with_starttls_is_forgotten_with_the_clear() {
    let server = self_signed();
    let mut screen = Screen::start(server.port(), &[]);
    screen.expect_last("smtp>");
    screen.enter("~x STARTTLS\\r\\nNOOP\\r\\n", "smtp, tls unverified>");
    screen.enter("EHLO y", "smtp, tls unverified>");
    screen.expect_row("250 AUTH PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-1-PLUS SCRAM-S");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
    assert!(!screen.pty.screen().contains("nothing done"), "{}", screen.pty.screen());
}

#[test]
fn the_next_command_is_ehlo_again_with_the_name_that_was_asked_for() {
    let server = self_signed();
    let mut screen = Screen::start(server.port(), &["--color", "always", "--helo", "client.example"]);
    screen.expect_last("smtp> EHLO client.example");
    // The right arrow key takes the hint.
    screen.enter("\x1b[C", "smtp> MAIL FROM:<");
    screen.enter("STARTTLS", "smtp, tls unverified> EHLO client.example");
    screen.enter("\x1b[C", "smtp, tls unverified> MAIL FROM:<");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
}

#[test]
fn the_chain_is_shown_on_demand() {
    let authority = Authority::new("Our Root");
    let identity = authority.intermediate("Our Intermediate").issue(["127.0.0.1"]);
    let server = Setup::new().tls(&identity).start().unwrap();
    let mut screen = Screen::start_with(server.port(), &[], &[], (50, 100));
    screen.expect_last("smtp>");
    screen.enter("~t", "smtp>");
    screen.expect_row("no TLS: STARTTLS starts it");
    screen.enter("STARTTLS", "smtp, tls unverified>");
    screen.enter("~t", "smtp, tls unverified>");
    for row in [
        "certificate 0: CN=127.0.0.1",
        "  issuer      CN=Our Intermediate",
        "  names       127.0.0.1",
        "  key         ECDSA P-256, signature ECDSA with SHA-256",
        &format!("  key SHA-256 {}", identity.key_fingerprint()),
        "certificate 1: CN=Our Intermediate",
        "  issuer      CN=Our Root",
    ] {
        screen.expect_row(row);
    }
    let seen = screen.pty.screen();
    assert!(seen.contains("TLS 1.3, TLS_AES_256_GCM_SHA384, X25519; certificate for 127.0.0.1, issued by"), "{seen}");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
}

#[test]
fn an_exchange_asks_for_what_it_needs_and_shows_no_password() {
    let server = Setup::new().auth([("user", "pencil")]).start().unwrap();
    let folder = Folder::new();
    let record = folder.path().join("record");
    let options = ["--record", record.to_str().unwrap(), "--trace"];
    let variables = [("XDG_STATE_HOME", folder.text())];
    let mut screen = Screen::start_with(server.port(), &options, &variables, (200, 200));
    screen.expect_last("smtp>");
    // The best mechanism is known from EHLO only.
    screen.enter("~a user", "smtp>");
    screen.expect_row("mconnect: EHLO comes first: its reply says by which mechanisms");
    screen.enter("EHLO x", "smtp>");
    for (line, question) in
        [("~a", "user:"), ("~a user", "password of user:"), ("~a CRAM-MD5 user", "password of user:")]
    {
        screen.enter(line, question);
        // A star cancels, and so does the end of the input.
        screen.enter("*", "smtp>");
        screen.enter(line, question);
        screen.send(CTRL_D);
        screen.expect_last("smtp>");
    }
    screen.enter("~a PLAIN user crayon", "smtp>");
    screen.expect_row("mconnect: ~a takes a mechanism and a user; the password is asked for");
    screen.enter("~a", "user:");
    screen.enter("user", "password of user:");
    screen.enter("crayon", "smtp>");
    screen.expect_row("mconnect: authentication as user by SCRAM-SHA-256 was refused");
    screen.enter("~a login user", "password of user:");
    screen.enter("pencik\x7fl", "smtp>");
    screen.expect_row("235 2.7.0 welcome");
    screen.expect_row("334 UGFzc3dvcmQ6");
    // What EHLO said still holds.
    screen.enter("~e", "smtp>");
    screen.expect_row("AUTH PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
    screen.expect_row("221 2.0.0 goodbye");
    let seen = screen.pty.screen();
    let kept = folder.history();
    let recorded = fs::read_to_string(&record).unwrap();
    assert!(kept.contains("~a login user") && recorded.contains("*authenticate LOGIN "), "{kept}\n{recorded}");
    for secret in ["penci", &encode(b"pencil"), &encode(b"\0user\0pencil")] {
        for text in [&seen, &kept, &recorded] {
            assert!(!text.contains(secret), "{secret} is in:\n{text}");
        }
    }
    assert!(!kept.contains("crayon") && !recorded.contains("crayon"), "{kept}\n{recorded}");
}

#[test]
fn challenges_are_shown_decoded() {
    let server = Setup::new().auth([("user", "pencil")]).start().unwrap();
    let mut screen = Screen::loud(server.port(), &[]);
    screen.expect_last("smtp>");
    screen.enter("~a LOGIN user", "password of user:");
    screen.enter("pencil", "smtp>");
    screen.expect_row("> AUTH LOGIN (answers not shown)");
    screen.expect_row("  that is: Username:");
    screen.expect_row("authenticated as user by LOGIN");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
}

#[test]
fn to_a_server_that_is_not_proven_a_password_goes_only_once_confirmed() {
    let server = self_signed();
    let mut screen = Screen::start(server.port(), &[]);
    screen.expect_last("smtp>");
    screen.enter("STARTTLS", "smtp, tls unverified>");
    for answer in ["", "n", "*", "what?"] {
        screen.enter("~a PLAIN user", "authenticate all the same? [y/N]");
        screen.enter(answer, "smtp, tls unverified>");
    }
    screen.expect_row("mconnect: the server is not proven: the certificate is self-signed");
    screen.enter("~a PLAIN user", "authenticate all the same? [y/N]");
    screen.enter("y", "password of user:");
    screen.enter("pencil", "smtp, tls unverified>");
    screen.expect_row("235 2.7.0 welcome");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);

    // Who said -k has confirmed it.
    let mut screen = Screen::start(server.port(), &["--starttls", "-k"]);
    screen.expect_last("smtp, tls unverified>");
    screen.enter("~a PLAIN user", "password of user:");
    screen.enter("pencil", "smtp, tls unverified>");
    screen.expect_row("235 2.7.0 welcome");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
}

#[test]
fn a_password_that_would_go_in_the_clear_to_another_machine_is_not_asked_for() {
    // The system takes 0.0.0.0 for this machine, and nothing leaves it; but it is no loopback address.
    let server = Setup::new().auth([("user", "pencil")]).start().unwrap();
    let mut screen = Screen::at("0.0.0.0", server.port(), &[]);
    screen.expect_last("smtp>");
    screen.enter("~a PLAIN user", "smtp>");
    screen.pty.expect("PLAIN would send the password in the clear: STARTTLS (--starttls, --tls) hides it");
    // These do not send it, but who reads along can guess it at leisure.
    for mechanism in ["CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"] {
        screen.enter(&format!("~a {mechanism} user"), "smtp>");
        screen.pty.expect(&format!("{mechanism} would send what the password can be guessed from in the clear"));
    }
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);

    let mut screen = Screen::at("0.0.0.0", server.port(), &["--allow-plaintext-auth"]);
    screen.expect_last("smtp>");
    screen.enter("~a PLAIN user", "password of user:");
    screen.enter("pencil", "smtp>");
    screen.expect_row("235 2.7.0 welcome");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
}

#[test]
fn a_password_from_a_file_or_a_command_is_not_asked_for() {
    let server = Setup::new().auth_by([("user", "pencil")], &[Mechanism::Plain]).start().unwrap();
    let folder = Folder::new();
    let file = folder.path().join("password");
    fs::write(&file, "pencil\n").unwrap();
    for source in [["--password-file", file.to_str().unwrap()], ["--password-command", "echo pencil"]] {
        let mut screen = Screen::start(server.port(), &source);
        screen.expect_last("smtp>");
        screen.enter("EHLO x", "smtp>");
        screen.enter("~a user", "smtp>");
        screen.expect_row("235 2.7.0 welcome");
        screen.send("QUIT\r");
        assert_eq!(screen.wait(), 0);
    }
}

#[test]
fn a_password_command_has_the_terminal_and_neither_blocked_signals_nor_the_password_of_the_environment() {
    let server = Setup::new().auth_by([("user", "pencil")], &[Mechanism::Plain]).start().unwrap();
    let folder = Folder::new();
    let seen = folder.path().join("seen");
    let command = format!(
        "grep SigBlk: /proc/self/status >{0}; printenv MCONNECT_PASSWORD >>{0}; printf 'which key? ' >/dev/tty; \
         read key </dev/tty; echo $key",
        seen.display()
    );
    let variables = [("MCONNECT_PASSWORD", "crayon")];
    let mut screen = Screen::start_with(server.port(), &["--password-command", &command], &variables, (24, 80));
    screen.expect_last("smtp>");
    screen.enter("EHLO x", "smtp>");
    screen.send("~a user\r");
    screen.pty.expect("which key? ");
    screen.send("pencil\r");
    screen.expect_row("235 2.7.0 welcome");
    assert_eq!(fs::read_to_string(&seen).unwrap(), "SigBlk:\t0000000000000000\n");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
}

#[test]
fn authenticating_by_hand_is_unseen_and_kept_nowhere() {
    let server = Setup::new().auth([("user", "pencil")]).start().unwrap();
    let folder = Folder::new();
    let record = folder.path().join("record");
    let options = ["--record", record.to_str().unwrap()];
    let variables = [("XDG_STATE_HOME", folder.text())];
    let mut screen = Screen::start_with(server.port(), &options, &variables, (60, 100));
    screen.expect_last("smtp>");
    screen.enter("AUTH LOGIN", "auth, hidden>");
    screen.enter("*", "smtp>");
    screen.expect_row("501 5.7.0 cancelled");
    screen.enter("AUTH LOGIN", "auth, hidden>");
    screen.enter(&encode(b"user"), "auth, hidden>");
    // Encoded on the way, and unseen as well.
    screen.enter("~64 pencil", "smtp>");
    screen.expect_row("235 2.7.0 welcome");
    screen.enter("~64 \\0user\\0crayon", "smtp>");
    screen.expect_row(&encode(b"\0user\0crayon"));
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
    screen.expect_row("221 2.0.0 goodbye");
    let seen = screen.pty.screen();
    let (kept, recorded) = (folder.history(), fs::read_to_string(&record).unwrap());
    assert_eq!(kept.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>(), ["AUTH LOGIN", "QUIT"]);
    for secret in ["pencil", &encode(b"pencil"), &encode(b"user")] {
        assert!(!seen.contains(secret) && !recorded.contains(secret), "{secret}:\n{seen}\n{recorded}");
    }
    assert!(!recorded.contains("crayon"), "{recorded}");
}

#[test]
fn a_challenge_that_cannot_be_answered_cancels_the_exchange() {
    let server = Server::play(
        "S: 220 hi\nC: AUTH CRAM-MD5\nS: 334 !\nC: *\nS: 501 cancelled\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye",
    );
    let server = server.unwrap();
    let mut screen = Screen::start(server.port(), &[]);
    screen.expect_last("smtp>");
    screen.enter("~a CRAM-MD5 user", "password of user:");
    screen.enter("pencil", "smtp>");
    screen.pty.expect("the server's challenge is none of CRAM-MD5");
    screen.expect_row("501 cancelled");
    screen.enter("NOOP", "smtp>");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
    server.join().unwrap();
}

#[test]
fn an_exchange_waits_until_nothing_else_is_due() {
    let (late, is_late) = channel();
    let peer = Peer::start(move |mut stream| {
        stream.write_all(b"220 hi\r\n").unwrap();
        let mut reads = vec![read_once(&mut stream)];
        is_late.recv().unwrap();
        for word in ["250 ok\r\n", "235 welcome\r\n", "221 bye\r\n"] {
            stream.write_all(word.as_bytes()).unwrap();
            reads.push(read_once(&mut stream));
        }
        reads
    });
    let mut screen = Screen::start(peer.port, &[]);
    screen.expect_last("smtp>");
    screen.enter("NOOP", "smtp, 1 due>");
    screen.enter("~a PLAIN user", "smtp, 1 due>");
    screen.expect_row("mconnect: ~a goes where a command can be given and no reply is due");
    late.send(()).unwrap();
    screen.expect_last("smtp>");
    screen.enter("~a PLAIN user", "password of user:");
    screen.enter("pencil", "smtp>");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
    let plain = format!("AUTH PLAIN {}\r\n", encode(b"\0user\0pencil"));
    assert_eq!(peer.received(), [&b"NOOP\r\n"[..], plain.as_bytes(), b"QUIT\r\n", b""]);
}

#[test]
fn what_is_typed_of_an_answer_when_the_server_closes_is_dropped_up_to_enter() {
    for (line, question) in [("~a", "user:"), ("~a user", "password of user:")] {
        let (late, is_late) = channel();
        let peer = Peer::start(move |mut stream| {
            stream.write_all(b"220 hi\r\n").unwrap();
            let hello = read_once(&mut stream);
            stream.write_all(b"250-hi\r\n250 AUTH PLAIN\r\n").unwrap();
            is_late.recv().unwrap();
            stream.write_all(b"421 too late\r\n").unwrap();
            vec![hello]
        });
        let folder = Folder::new();
        let variables = [("XDG_STATE_HOME", folder.text())];
        let mut screen = Screen::start_with(peer.port, &[], &variables, (24, 80));
        screen.expect_last("smtp>");
        screen.enter("EHLO x", "smtp>");
        screen.enter(line, question);
        screen.send("penc");
        late.send(()).unwrap();
        screen.expect_row("421 too late");
        screen.expect_last("closed>");
        screen.send("il-box\rQUIT\r");
        assert_eq!(screen.wait(), 75);
        assert!(!folder.history().contains("penc"), "{}", folder.history());
        assert!(!screen.seen().contains("il-box") && !folder.history().contains("il-box"));
        assert_eq!(peer.received(), [b"EHLO x\r\n"]);
    }
}

#[test]
fn a_refused_starttls_leaves_the_session_and_one_that_is_left_plain_starts_nothing() {
    let server = Server::play(
        "S: 220 hi\nC: EHLO x\nS: 250-hi\nS: 250 DSN\nC: STARTTLS\nS: 454 no\nC: STARTTLS\nS: 501 no\nC: QUIT\nS: 221 bye",
    );
    let server = server.unwrap();
    let mut screen = Screen::start(server.port(), &[]);
    screen.expect_last("smtp>");
    for line in ["EHLO x", "STARTTLS", "STARTTLS", "~e"] {
        screen.enter(line, "smtp>");
    }
    screen.expect_row("DSN");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
    server.join().unwrap();

    let server = Server::play("S: 220 hi\nC: STARTTLS\nS: 220 go\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye").unwrap();
    let mut screen = Screen::start(server.port(), &["--no-upgrade"]);
    screen.expect_last("smtp>");
    screen.enter("STARTTLS", "smtp>");
    screen.enter("NOOP", "smtp>");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
    server.join().unwrap();
}

#[test]
fn a_starttls_under_attack_ends_the_session_and_nothing_more_is_sent() {
    for (answer, words) in [
        ("220 go\r\n250 injected\r\n", "(response injection)"),
        ("220 go\r\n", "the server closed instead of shaking hands"),
    ] {
        let peer = Peer::start(move |mut stream| {
            stream.write_all(b"220 hi\r\n").unwrap();
            let line = read_once(&mut stream);
            stream.write_all(answer.as_bytes()).unwrap();
            if answer.contains("injected") {
                return vec![line, read_once(&mut stream)];
            }
            vec![line, read_once(&mut stream)[..1].to_vec()]
        });
        let mut screen = Screen::start_with(peer.port, &[], &[], (24, 200));
        screen.expect_last("smtp>");
        screen.send("STARTTLS\rMAIL FROM:<>\rQUIT\r");
        screen.expect_row("mconnect: what was typed ahead was dropped");
        screen.expect_last("closed>");
        screen.send("QUIT\r");
        assert_eq!(screen.wait(), 76);
        screen.pty.wait_for(words, |bytes| String::from_utf8_lossy(bytes).contains(words));
        assert!(!screen.pty.screen().contains("injected"), "{}", screen.pty.screen());
        let hello: &[u8] = if answer.contains("injected") { b"" } else { b"\x16" };
        assert_eq!(peer.received(), [b"STARTTLS\r\n", hello]);
    }
}

/// A server that grants STARTTLS, and then says nothing any more.
fn silent_after(words: &'static [&'static str]) -> (Peer, Receiver<()>) {
    let (hello, is_here) = channel();
    let peer = Peer::start(move |mut stream| {
        for word in words {
            stream.write_all(word.as_bytes()).unwrap();
            read_once(&mut stream);
        }
        hello.send(()).unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
        vec![rest]
    });
    (peer, is_here)
}

#[test]
fn ctrl_c_during_a_handshake_ends_the_tool_at_once() {
    let (peer, is_here) = silent_after(&["220 hi\r\n", "220 go\r\n"]);
    let mut screen = Screen::start(peer.port, &[]);
    screen.expect_last("smtp>");
    screen.send("STARTTLS\r");
    is_here.recv().unwrap();
    screen.send(CTRL_C);
    assert_eq!(screen.wait(), -2);
    // Nothing in the clear after the handshake began.
    assert_eq!(peer.received(), [b""]);

    // Before there is a prompt, too, and on a terminal that can have none.
    for (mode, term) in [("--tls", "xterm"), ("--tls", "dumb"), ("-r", "xterm")] {
        let (peer, is_here) = silent_after(&[""]);
        let port = peer.port.to_string();
        let mut pty = Pty::start_with(MCONNECT, &[mode, "--tls", "-p", &port, "127.0.0.1"], &[("TERM", term)]);
        is_here.recv().unwrap();
        pty.send(CTRL_C);
        assert_eq!(pty.wait(), -2);
        assert_eq!(pty.settings(), pty.before);
        assert_eq!(peer.received(), [b""]);
    }
    let (peer, is_here) = silent_after(&["220 hi\r\n", "220 go\r\n"]);
    let mut pty = Pty::mconnect(peer.port, &[]);
    pty.send("STARTTLS\n");
    is_here.recv().unwrap();
    pty.send(CTRL_C);
    assert_eq!(pty.wait(), -2);
    assert_eq!(peer.received(), [b""]);
}

#[test]
fn ctrl_c_at_a_question_ends_the_tool_with_the_terminal_as_it_was() {
    let server = Setup::new().auth([("user", "pencil")]).start().unwrap();
    let mut screen = Screen::start(server.port(), &[]);
    screen.expect_last("smtp>");
    screen.enter("~a PLAIN user", "password of user:");
    screen.send(format!("pen{CTRL_C}"));
    assert_eq!(screen.wait(), -2);
    // The question that the option asks comes before the prompt, with signals watched and without.
    for term in ["xterm", "dumb"] {
        let port = server.port().to_string();
        let args = ["--auth", "user:PLAIN", "-p", &port, "127.0.0.1"];
        let mut pty = Pty::start_with(MCONNECT, &args, &[("TERM", term)]);
        pty.expect("password of user: ");
        pty.send(CTRL_C);
        assert_eq!(pty.wait(), -2);
        assert_eq!(pty.settings(), pty.before);
    }
}

#[test]
fn only_a_235_grants_an_exchange() {
    for code in ["250", "220", "354", "200", "535", "454", "334 !"] {
        let dialogue = format!(
            "S: 220 hi\nC: AUTH LOGIN\nS: 334 Username: please\nC: {}\nS: 334\nC: {}\nS: {code} =\nC: NOOP\nS: 250 ok",
            encode(b"user"),
            encode(b"pencil")
        );
        // A third challenge is one too many.
        let dialogue = match code {
            "334 !" => dialogue.replace("S: 334 ! =\n", "S: 334 !\nC: *\nS: 501 cancelled\n"),
            _ => dialogue,
        };
        let server = Server::play(&dialogue).unwrap();
        let mut screen = Screen::loud(server.port(), &["--helo", "x"]);
        screen.expect_last("smtp>");
        screen.enter("~a LOGIN user", "password of user:");
        screen.send("pencil\r");
        screen.pty.expect(if code == "334 !" {
            "cannot authenticate"
        } else {
            "authentication as user by LOGIN was refused"
        });
        if code == "334 !" {
            screen.pty.expect("501 cancelled");
        }
        screen.pty.expect("> ");
        screen.send("NOOP\r");
        screen.pty.expect("250 ok");
        server.join().unwrap();
        assert!(!screen.pty.screen().contains("authenticated as"), "{}", screen.pty.screen());
    }
}

#[test]
fn a_session_that_is_opened_again_has_the_tls_and_the_auth_that_were_asked_for() {
    let server = Setup::new().tls(&Identity::self_signed(["127.0.0.1"])).auth([("user", "pencil")]).start().unwrap();
    let folder = Folder::new();
    let file = folder.path().join("password");
    fs::write(&file, "pencil\n").unwrap();
    let options = ["--starttls", "-k", "--auth", "user", "--password-file", file.to_str().unwrap()];
    let mut screen = Screen::start_with(server.port(), &options, &[], (60, 120));
    for _ in 0..2 {
        screen.expect_last("smtp, tls unverified>");
        screen.pty.look_from_here();
        screen.send("~o\r");
        screen.pty.expect("235 2.7.0 welcome");
    }
    screen.expect_last("smtp, tls unverified>");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
}
