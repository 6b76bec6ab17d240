//! The prompt on a real pseudo-terminal, as a terminal emulator shows it.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::common::folder::Folder;
use crate::common::keys::{CTRL_C, CTRL_D, LEFT};
use crate::common::screen::Screen;
use crate::common::told::Told;
use crate::common::{MCONNECT, Pty};
use mconnect_core::server::Server;

#[test]
fn a_session_is_typed_and_the_prompt_follows_its_phase() {
    let server = Server::start().unwrap();
    let mut screen = Screen::start(server.port(), &[]);
    screen.expect_last("smtp>");
    for (line, prompt) in [
        ("EHLO client.example", "smtp>"),
        ("MAIL FROM:<a@example.org>", "smtp>"),
        ("RCPT TO:<b@example.org>", "smtp>"),
        ("DATA", "data>"),
        ("quit", "data>"),
        ("a\ttab", "data>"),
        (".", "smtp>"),
    ] {
        screen.send(format!("{line}\r"));
        screen.pty.expect("\r\n");
        screen.expect_last(prompt);
    }
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
    screen.expect_row("221 2.0.0 goodbye");
    assert_eq!(server.messages()[0].content, b"quit\r\na\ttab\r\n");
}

#[test]
fn what_the_server_says_appears_above_a_half_typed_line_with_the_cursor_where_it_was() {
    let told = Told::start();
    let mut screen = Screen::start(told.peer.port, &[]);
    told.say("220 hi\r\n");
    screen.expect(&["220 hi", "smtp>"]);
    screen.send(format!("NOOP half{LEFT}{LEFT}"));
    screen.expect(&["220 hi", "smtp> NOOP half"]);
    screen.pty.wait_for("the cursor moved", |bytes| screen.parse(bytes).screen().cursor_position() == (1, 13));
    told.say("250-unasked\r\n250-all of it\r\n");
    screen.expect(&["220 hi", "250-unasked", "250-all of it", "smtp> NOOP half"]);
    screen.pty.wait_for("the cursor back", |bytes| screen.parse(bytes).screen().cursor_position() == (3, 13));
    screen.send("X\r");
    told.expect("NOOP haXlf\r\n");
    told.say("421 closing\r\n");
    screen.expect_last("closing>");
    assert_eq!(told.received(), "NOOP haXlf\r\n");
    screen.expect_last("closed>");
    screen.send(CTRL_D);
    assert_eq!(screen.wait(), 75);
}

#[test]
fn when_the_server_closes_its_last_words_are_shown_and_the_line_stays_at_the_prompt() {
    for (words, status) in [("421 too long\r\n", 75), ("", 76)] {
        let state = Folder::new();
        let variables = [("XDG_STATE_HOME", state.text())];
        let (told, mut screen) = Screen::greeted_with(&[], &variables, (24, 80));
        screen.send("MAIL FROM:<half");
        screen.expect_last("smtp> MAIL FROM:<half");
        if !words.is_empty() {
            told.say(words);
        }
        told.received();
        screen.expect_last("closed> MAIL FROM:<half");
        if !words.is_empty() {
            screen.expect_row(words.trim_end());
        }
        screen.send("\r");
        screen.expect_row("mconnect: the connection is closed: ~o opens the session again, QUIT leaves");
        screen.send(CTRL_C);
        assert_eq!(screen.wait(), status);
        let rows = screen.lines(&screen.pty.raw());
        assert_eq!(rows.iter().filter(|row| row.as_str() == words.trim_end()).count(), usize::from(!words.is_empty()));
        assert!(state.history().contains("MAIL FROM:<half\n"), "{:?}", state.history());
    }
}

#[test]
fn a_slow_reply_does_not_keep_the_prompt_and_the_prompt_says_that_it_is_due() {
    let told = Told::start();
    let mut screen = Screen::start(told.peer.port, &[]);
    screen.expect_last("greeting, 1 due>");
    told.say("220 hi\r\n");
    screen.expect(&["220 hi", "smtp>"]);
    screen.send("NOOP 1\r");
    screen.expect_last("smtp, 1 due>");
    screen.send("NOOP 2\r");
    screen.expect_last("smtp, 2 due>");
    told.expect("NOOP 1\r\nNOOP 2\r\n");
    told.say("250 1\r\n250 2\r\n");
    screen.expect(&["220 hi", "smtp> NOOP 1", "smtp, 1 due> NOOP 2", "250 1", "250 2", "smtp>"]);
    screen.send(CTRL_D);
    told.received();
    assert_eq!(screen.wait(), 0);
}

#[test]
fn type_ahead_is_neither_lost_nor_shown_twice() {
    let told = Told::start();
    let mut screen = Screen::start(told.peer.port, &[]);
    screen.expect_last("greeting, 1 due>");
    screen.send("NOOP 1\rNOOP 2\rNO");
    screen.expect_row("greeting, 1 due> NOOP 1");
    told.say("220 hi\r\n");
    told.expect("NOOP 1\r\nNOOP 2\r\n");
    told.say("250 1\r\n250 2\r\n");
    screen.expect_last("smtp> NO");
    let shown = screen.lines(&screen.pty.raw()).join("\n");
    assert_eq!(shown.matches("NOOP 1").count() + shown.matches("NOOP 2").count(), 2, "{shown}");
    screen.send("OP 3\r");
    told.expect("NOOP 1\r\nNOOP 2\r\nNOOP 3\r\n");
    screen.interrupt();
}

#[test]
fn chunks_are_typed_and_the_prompt_counts_them_down() {
    let (told, mut screen) = Screen::greeted(&[]);
    screen.send("BDAT 12\r");
    screen.expect_last("bdat, 12 left>");
    screen.send("quit\r");
    screen.expect_last("bdat, 6 left>");
    screen.send("1234\r");
    told.expect("BDAT 12\r\nquit\r\n1234\r\n");
    told.say("250 ok\r\n");
    screen.expect_last("smtp>");
    screen.send("BDAT 1\r");
    screen.expect_last("bdat, 1 left>");
    screen.send("éx\r");
    screen.expect_row("mconnect: the chunk ended inside a character: the rest of that was not sent");
    told.expect(b"BDAT 12\r\nquit\r\n1234\r\nBDAT 1\r\n\xc3");
    told.say("250 ok\r\n");
    screen.expect_last("smtp> x");
    screen.send(CTRL_C);
    screen.wait();
}

#[test]
fn starttls_keeps_the_prompt_shut_until_its_reply() {
    let (told, mut screen) = Screen::greeted(&[]);
    screen.send("STARTTLS\rNOOP too early\r");
    told.expect("STARTTLS\r\n");
    told.say("454 not now\r\n");
    screen.expect_row("mconnect: what was typed ahead was dropped");
    screen.send("NOOP in time\r");
    told.expect("STARTTLS\r\nNOOP in time\r\n");
    screen.send(CTRL_C);
    screen.wait();
}

#[test]
fn the_prompt_is_shut_whatever_else_is_due_before_the_reply_that_matters() {
    for (line, replies) in [
        ("STARTTLS", ["250 STARTTLS", "454 not now"]),
        ("AUTH LOGIN", ["250 AUTH LOGIN", "502 no"]),
        ("QUIT", ["250 ok", "500 never"]),
    ] {
        let (told, mut screen) = Screen::greeted(&[]);
        screen.send("EHLO x\r");
        // A slow reply does not keep the prompt.
        screen.expect_last("smtp, 1 due>");
        let sent = format!("EHLO x\r\n{line}\r\n");
        screen.send(format!("{line}\r"));
        told.expect(&sent);
        screen.send("cGFzc3dvcmQ=\r");
        told.say(&format!("{}\r\n", replies[0]));
        screen.expect_row(replies[0]);
        told.say(&format!("{}\r\n", replies[1]));
        screen.expect_row(replies[1]);
        if line != "QUIT" {
            screen.expect_row("mconnect: what was typed ahead was dropped");
            screen.send(CTRL_C);
        }
        screen.wait();
        assert_eq!(told.received(), sent);
    }
}

#[test]
fn a_session_is_opened_again_after_a_421() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let mut screen = Screen::start(listener.local_addr().unwrap().port(), &[]);
    let (mut first, _) = listener.accept().unwrap();
    first.write_all(b"421 busy\r\n").unwrap();
    screen.expect_last("closing>");
    screen.send("NOOP\r");
    screen.expect_row("mconnect: the server is closing: ~o opens the session again");
    screen.send("~o\r");
    let (mut second, _) = listener.accept().unwrap();
    assert_eq!(first.read(&mut [0; 10]).unwrap(), 0, "nothing was sent after the 421");
    second.write_all(b"220 again\r\n").unwrap();
    screen.expect_row("220 again");
    screen.expect_last("smtp>");
    screen.send("QUIT\r");
    let mut line = [0; 6];
    second.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"QUIT\r\n");
    second.write_all(b"221 bye\r\n").unwrap();
    drop(second);
    assert_eq!(screen.wait(), 75, "the first that happened counts");
}

#[test]
fn negative_replies_are_explained_and_told_apart_by_colour() {
    let told = Told::start();
    let mut screen = Screen::start(told.peer.port, &["--color", "always", "--quiet"]);
    told.say("220 hi\r\n");
    screen.expect_row("220 hi");
    screen.send("X\r");
    told.expect("X\r\n");
    told.say("550 5.1.1 no\r\n");
    screen.expect_row("550 5.1.1 no");
    screen.send(CTRL_C);
    screen.wait();
    let shown = screen.shown();
    let color = |row| shown.screen().cell(row, 0).unwrap().fgcolor();
    assert_eq!((color(0), color(2)), (vt100::Color::Idx(2), vt100::Color::Idx(1)));

    for (options, is_explained) in [(&[][..], true), (&["--no-explain"], false)] {
        let told = Told::start();
        let port = told.peer.port.to_string();
        let args = [options, &["-p", &port, "127.0.0.1"]].concat();
        let mut pty = Pty::start_with(MCONNECT, &args, &[("TERM", "xterm"), ("NO_COLOR", "1")]);
        told.say("220 hi\r\n");
        pty.expect("smtp> ");
        pty.send("X\r");
        told.expect("X\r\n");
        told.say("550-5.1.1 no\r\n550 5.1.1 no\r\n");
        pty.expect("550 5.1.1 no");
        pty.expect("smtp> ");
        pty.send(CTRL_C);
        pty.wait();
        let screen = pty.screen();
        assert_eq!(screen.matches("5.1.1: the recipient's mailbox does not exist").count(), usize::from(is_explained));
        assert!(!screen.contains("\x1b[3") && !screen.contains("\x1b[1m"), "{screen:?}");
    }
}
