//! TLS at the prompt, on a real pseudo-terminal.

use std::io::{Read, Write};
use std::sync::mpsc::{Receiver, channel};

use crate::common::folder::Folder;
use crate::common::keys::CTRL_C;
use crate::common::screen::Screen;
use crate::common::{MCONNECT, Peer, Pty, read_once};
use mconnect_core::server::{Authority, Identity, Server, Setup};

pub fn self_signed() -> Server {
    Setup::new().tls(&Identity::self_signed(["127.0.0.1"])).auth([("user", "pencil")]).start().unwrap()
}

#[test]
fn after_a_typed_starttls_the_prompt_says_so_and_what_was_learnt_is_forgotten() {
    let authority = Authority::new("Our Root");
    let server = Setup::new().tls(&authority.issue(["127.0.0.1"])).start().unwrap();
    let folder = Folder::new();
    let ca = folder.write("root.pem", &authority.pem());
    let mut screen = Screen::start(server.port(), &["--cafile", ca.as_str()]);
    screen.expect_last("smtp>");
    screen.enter("EHLO x", "smtp>");
    screen.enter("~e", "smtp>");
    screen.expect_row("STARTTLS             STARTTLS encrypts the rest of the session");
    screen.enter("STARTTLS", "tls smtp>");
    screen.enter("~e", "tls smtp>");
    screen.expect_row("nothing is advertised: EHLO asks for it");
    screen.enter("~s", "tls smtp>");
    screen.expect_row("tls       tls");
    screen.enter("~t", "tls smtp>");
    screen.pty.expect(&format!("\u{2514} CN=Our Root (trusted by --cafile {ca})"));
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
    screen.enter("~x STARTTLS\\r\\nNOOP\\r\\n", "tls unverified smtp>");
    screen.enter("EHLO y", "tls unverified smtp>");
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
    screen.enter("\x1b[C", "smtp> MAIL FROM:<SENDER> [PARAMETERS]");
    screen.enter("STARTTLS", "tls unverified smtp> EHLO client.example");
    screen.enter("\x1b[C", "tls unverified smtp> MAIL FROM:<SENDER> [PARAMETERS]");
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
    screen.enter("STARTTLS", "tls unverified smtp>");
    screen.enter("~t", "tls unverified smtp>");
    for row in [
        "\u{2514} CN=Our Intermediate",
        "  \u{2514} CN=Our Root (not trusted here)",
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
    screen.expect_row("DSN                  MAIL and RCPT may ask for reports of delivery");
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
fn a_session_that_is_opened_again_has_the_tls_and_the_auth_that_were_asked_for() {
    let server = Setup::new().tls(&Identity::self_signed(["127.0.0.1"])).auth([("user", "pencil")]).start().unwrap();
    let folder = Folder::new();
    let file = folder.write("password", "pencil\n");
    let options = ["--starttls", "-k", "--auth", "user", "--password-file", file.as_str()];
    let mut screen = Screen::start_with(server.port(), &options, &[], (60, 120));
    for _ in 0..2 {
        screen.expect_last("tls unverified smtp>");
        screen.pty.look_from_here();
        screen.send("~o\r");
        screen.pty.expect("235 2.7.0 welcome");
    }
    screen.expect_last("tls unverified smtp>");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
}

#[test]
fn whom_one_talks_to_and_how_far_that_is_proven_stands_before_the_line_in_its_colour() {
    use vt100::Color::{Default, Idx};
    let (red, green, yellow) = (Idx(1), Idx(2), Idx(3));
    let authority = Authority::new("Our Root");
    let folder = Folder::new();
    let ca = folder.write("root.pem", &authority.pem());
    let short = authority.issue_for(["0.0.0.0"], -1, 3);
    let long = authority.issue_for(["0.0.0.0"], -1, 40);
    for (identity, options, label, color, told) in [
        (&long, &["--cafile", ca.as_str()][..], "0.0.0.0 tls smtp>", green, "verified"),
        (&short, &["--cafile", ca.as_str()], "0.0.0.0 tls smtp>", yellow, "verified"),
        (&long, &[], "0.0.0.0 tls unverified smtp>", red, "NOT verified"),
    ] {
        let server = Setup::new().tls(identity).start().unwrap();
        let always = ["--color", "always", "--helo", "x.example"];
        let mut screen = Screen::at_loudly("0.0.0.0", server.port(), &[&always, options].concat());
        screen.expect_last("0.0.0.0 smtp> EHLO x.example");
        let last = format!("{label} EHLO x.example");
        screen.enter("STARTTLS", &last);
        let shown = screen.shown_with_last(&last);
        let shown = shown.screen();
        let row = shown.cursor_position().0;
        let cell = |row, column| shown.cell(row, column).unwrap();
        assert!(cell(row, 0).dim() && cell(row, 0).fgcolor() == Default, "the host stands aside");
        assert_eq!(cell(row, 8).fgcolor(), color, "{label}");
        assert!(cell(row, u16::try_from(label.len()).unwrap() - 5).bold());
        // What was agreed on is wrapped at words, and the verdict on it coloured.
        let rows: Vec<String> = shown.rows(0, 80).collect();
        let end = rows.iter().rposition(|row| row.trim_end().ends_with(told)).expect(told);
        let begin = rows.iter().position(|row| row.starts_with("TLS 1.3, ")).unwrap();
        assert!(end > begin, "{rows:?}");
        let column = rows[end].trim_end().len() - told.len();
        let verdict = if told == "verified" { green } else { red };
        assert_eq!(cell(end.try_into().unwrap(), column.try_into().unwrap()).fgcolor(), verdict, "{rows:?}");
        let reason = rows.iter().filter(|row| row.contains("its issuer is unknown here")).count();
        assert_eq!(reason, usize::from(color == red), "{rows:?}");
        screen.interrupt();
    }
}
