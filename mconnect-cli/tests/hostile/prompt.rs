//! Hostile servers at the prompt: it comes back or ends, in little memory, with the terminal as it was.

use std::io::{self, Write};
use std::net::TcpStream;

use crate::common::attack::{Attacker, LIMITED, flood, for_each, hear, until_gone};
use crate::common::keys::CTRL_C;
use crate::common::{MCONNECT, Pty};
use nix::sys::signal::Signal;

/// The tool at a prompt, in little memory, against a server that behaves so.
fn at_prompt(options: &[&str], act: impl FnOnce(&mut TcpStream) -> io::Result<()> + Send + 'static) -> (Pty, Attacker) {
    let attacker = Attacker::start(act);
    let port = attacker.peer.port.to_string();
    let args = [&["-c", LIMITED, "sh", MCONNECT, "--timeout", "1", "-p", &port], options, &["127.0.0.1"]].concat();
    (Pty::start_with("sh", &args, &[("TERM", "xterm")]), attacker)
}

#[track_caller]
fn ends(mut pty: Pty, attacker: Attacker, status: i32) -> String {
    assert_eq!(pty.wait(), status, "{}", pty.screen());
    assert_eq!(pty.settings(), pty.before, "the terminal is restored");
    let screen = pty.screen();
    assert!(!screen.contains("panicked"), "{screen}");
    attacker.end();
    screen
}

#[test]
fn a_server_that_never_stops_writing_keeps_nobody_from_leaving() {
    for words in [&b"250-x\r\n"[..], b"250 x\r\n", b"x", b"\r\n", b"\x1b[2J"] {
        let (mut pty, attacker) = at_prompt(&[], move |stream| {
            stream.write_all(b"220 hi\r\n")?;
            flood(stream, words)
        });
        pty.expect("220 hi");
        pty.expect(if words == b"x" { "x" } else { "\r\n" });
        pty.send(CTRL_C);
        ends(pty, attacker, -(Signal::SIGINT as i32));
    }
}

#[test]
fn an_endless_answer_to_quit_ends_with_the_grace_or_the_deadline() {
    for_each(&[(&b"250 x\r\n"[..], 76), (b"250-x\r\n", 75), (b"x", 75), (b"221 x\r\n", 0)], |&(words, status)| {
        let (mut pty, attacker) = at_prompt(&[], move |stream| {
            stream.write_all(b"220 hi\r\n")?;
            hear(stream)?;
            flood(stream, words)
        });
        pty.expect("220 hi");
        pty.send("QUIT\r");
        if status == 75 {
            pty.expect("timed out after 1 s");
        }
        ends(pty, attacker, status);
    });
}

#[test]
fn half_a_line_is_shown_when_it_is_waited_for_no_longer() {
    let (mut pty, attacker) = at_prompt(&[], |stream| {
        stream.write_all(b"220 hi\r\n")?;
        hear(stream)?;
        stream.write_all(b"221-so long\r\n221 and tha")?;
        until_gone(stream)
    });
    pty.expect("220 hi");
    pty.send("QUIT\r");
    pty.expect("221 and tha");
    ends(pty, attacker, 75);
}

#[test]
fn a_long_line_of_escapes_is_shown_harmless() {
    let (mut pty, attacker) = at_prompt(&["--quiet"], |stream| {
        stream.write_all(b"220 hi\r\n")?;
        stream.write_all(&b"\x1b]0;\x07\x9b2J\0\xff".repeat(1 << 14))?;
        stream.write_all(b"\r\n250 after\r\n")?;
        hear(stream)?;
        stream.write_all(b"221 bye\r\n")
    });
    pty.expect("220 hi");
    pty.expect("250 after");
    // Nobody had asked for it: what is typed before the prompt says so is dropped.
    pty.expect("smtp, out of step> ");
    pty.send("QUIT\r");
    let screen = ends(pty, attacker, 76);
    assert!(screen.contains("\\x1b]0;\\x07\\x9b2J\\x00\\xff") && !screen.contains("\x1b]0;"));
}

#[test]
fn what_nobody_sees_is_made_visible_at_the_prompt_and_in_plain_lines() {
    for term in ["xterm", "dumb"] {
        let attacker = Attacker::start(|stream| {
            let marks = "\u{301}".repeat(3000);
            stream.write_all(format!("220 a\u{200b}b\u{e0041}c\u{ad}d\u{3164} e{marks}f\r\n").as_bytes())?;
            hear(stream)?;
            stream.write_all(b"221 bye\r\n")
        });
        let port = attacker.peer.port.to_string();
        let args = ["--quiet", "--no-history", "-p", &port, "127.0.0.1"];
        let mut pty = Pty::start_with(MCONNECT, &args, &[("TERM", term)]);
        pty.expect("220 a\\u{200b}b\\u{e0041}c\\u{ad}d\\u{3164} e");
        pty.expect("\\u{301}f");
        pty.send("QUIT\r");
        let screen = ends(pty, attacker, 0);
        assert_eq!(screen.matches('\u{301}').count(), 8, "{term}");
        assert!(!screen.contains(['\u{200b}', '\u{e0041}', '\u{ad}', '\u{3164}']), "{term}");
    }
}
