//! AUTH at the prompt: the exchange that it makes, and the one that is typed.

use std::io::Write;
use std::sync::mpsc::channel;

use super::secure::self_signed;
use crate::common::folder::Folder;
use crate::common::keys::{CTRL_C, CTRL_D};
use crate::common::screen::Screen;
use crate::common::{MCONNECT, Peer, Pty, read_once};
use mconnect_core::auth::{Mechanism, encode};
use mconnect_core::server::{Server, Setup};

#[test]
fn an_exchange_asks_for_what_it_needs_and_shows_no_password() {
    let server = Setup::new().auth([("user", "pencil")]).start().unwrap();
    let folder = Folder::new();
    let record = folder.file("record");
    let options = ["--record", &record, "--trace"];
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
    let recorded = folder.read("record");
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
    screen.enter("STARTTLS", "tls unverified smtp>");
    for answer in ["", "n", "*", "what?"] {
        screen.enter("~a PLAIN user", "authenticate all the same? [y/N]");
        screen.enter(answer, "tls unverified smtp>");
    }
    screen.expect_row("mconnect: the server is not proven: the certificate is self-signed");
    screen.enter("~a PLAIN user", "authenticate all the same? [y/N]");
    screen.enter("y", "password of user:");
    screen.enter("pencil", "tls unverified smtp>");
    screen.expect_row("235 2.7.0 welcome");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);

    // Who said -k has confirmed it.
    let mut screen = Screen::start(server.port(), &["--starttls", "-k"]);
    screen.expect_last("tls unverified smtp>");
    screen.enter("~a PLAIN user", "password of user:");
    screen.enter("pencil", "tls unverified smtp>");
    screen.expect_row("235 2.7.0 welcome");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
}

#[test]
fn a_password_that_would_go_in_the_clear_to_another_machine_is_not_asked_for() {
    // The system takes 0.0.0.0 for this machine, and nothing leaves it; but it is no loopback address.
    let server = Setup::new().auth([("user", "pencil")]).start().unwrap();
    let mut screen = Screen::at("0.0.0.0", server.port(), &[]);
    screen.expect_last("0.0.0.0 smtp>");
    screen.enter("~a PLAIN user", "0.0.0.0 smtp>");
    screen.pty.expect("PLAIN would send the password in the clear: STARTTLS (--starttls, --tls) hides it");
    // These do not send it, but who reads along can guess it at leisure.
    for mechanism in ["CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"] {
        screen.enter(&format!("~a {mechanism} user"), "0.0.0.0 smtp>");
        screen.pty.expect(&format!("{mechanism} would send what the password can be guessed from in the clear"));
    }
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);

    let mut screen = Screen::at("0.0.0.0", server.port(), &["--allow-plaintext-auth"]);
    screen.expect_last("0.0.0.0 smtp>");
    screen.enter("~a PLAIN user", "password of user:");
    screen.enter("pencil", "0.0.0.0 smtp>");
    screen.expect_row("235 2.7.0 welcome");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
}

#[test]
fn a_password_from_a_file_or_a_command_is_not_asked_for() {
    let server = Setup::new().auth_by([("user", "pencil")], &[Mechanism::Plain]).start().unwrap();
    let folder = Folder::new();
    let file = folder.write("password", "pencil\n");
    for source in [["--password-file", file.as_str()], ["--password-command", "echo pencil"]] {
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
    let seen = folder.file("seen");
    let command = format!(
        "grep SigBlk: /proc/self/status >{seen}; printenv MCONNECT_PASSWORD >>{seen}; printf 'which key? ' >/dev/tty; \
         read key </dev/tty; echo $key"
    );
    let variables = [("MCONNECT_PASSWORD", "crayon")];
    let mut screen = Screen::start_with(server.port(), &["--password-command", &command], &variables, (24, 80));
    screen.expect_last("smtp>");
    screen.enter("EHLO x", "smtp>");
    screen.send("~a user\r");
    screen.pty.expect("which key? ");
    screen.send("pencil\r");
    screen.expect_row("235 2.7.0 welcome");
    assert_eq!(folder.read("seen"), "SigBlk:\t0000000000000000\n");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
}

#[test]
fn authenticating_by_hand_is_unseen_and_kept_nowhere() {
    let server = Setup::new().auth([("user", "pencil")]).start().unwrap();
    let folder = Folder::new();
    let record = folder.file("record");
    let options = ["--record", &record];
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
    let (kept, recorded) = (folder.history(), folder.read("record"));
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
