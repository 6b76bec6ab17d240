//! The prompt while things break: it stays after the server has gone, says what is late, and shows what comes.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::common::folder::Folder;
use crate::common::keys::{CTRL_C, CTRL_D};
use crate::common::screen::Screen;
use crate::common::told::Told;
use crate::common::{Peer, read_once};
use nix::sys::signal::Signal;

const CLOSED: &str = "mconnect: the connection is closed: ~o opens the session again, QUIT leaves";

/// A server whose sessions are played one after the other.
pub fn sessions(acts: Vec<fn(&mut TcpStream)>) -> (u16, thread::JoinHandle<()>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = thread::spawn(move || {
        for act in acts {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(crate::common::PATIENCE)).unwrap();
            act(&mut stream);
        }
    });
    (port, thread)
}

fn greet(stream: &mut TcpStream) {
    stream.write_all(b"220 again\r\n").unwrap();
}

pub fn say_goodbye(stream: &mut TcpStream) {
    greet(stream);
    assert_eq!(read_once(stream), b"QUIT\r\n");
    stream.write_all(b"221 bye\r\n").unwrap();
}

/// Waits for the client without reading what it sends: the system resets the connection then.
fn reset(stream: &mut TcpStream) {
    greet(stream);
    while stream.peek(&mut [0]).unwrap() == 0 {}
}

pub fn refuse(stream: &mut TcpStream) {
    stream.write_all(b"421 busy\r\n").unwrap();
}

fn spoil_tls(stream: &mut TcpStream) {
    greet(stream);
    read_once(stream);
    stream.write_all(b"220 go\r\n").unwrap();
    read_once(stream);
}

#[test]
fn the_prompt_stays_however_the_session_ends_and_opens_it_again() {
    type Case = (fn(&mut TcpStream), &'static str, &'static str, i32);
    let cases: [Case; 4] = [
        (greet, "", "ended     the server closed", 76),
        (refuse, "", "ended     the server closed after 421", 75),
        (reset, "NOOP\r", "ended     no reply to NOOP from", 76),
        (spoil_tls, "STARTTLS\r", "ended     TLS could not be started", 76),
    ];
    for (act, typed, ended, status) in cases {
        let (port, thread) = sessions(vec![act, say_goodbye]);
        let state = Folder::new();
        let mut screen = Screen::start_with(port, &[], &[("XDG_STATE_HOME", state.text())], (50, 200));
        screen.send(typed);
        screen.expect_last("closed>");
        screen.send("rm -rf x\r");
        screen.expect_row(CLOSED);
        screen.send("\x1b[200~one\rtwo\rthree\x1b[201~");
        screen.expect_last("closed>");
        screen.send("~s\r");
        screen.pty.expect(ended);
        screen.expect_last("closed>");
        for line in ["~64 x", "~v", "~a user", "~x NOOP", "~~", "~r x"] {
            screen.enter(line, "closed>");
        }
        screen.send("~o\r");
        screen.expect_last("smtp>");
        screen.enter("~s", "smtp>");
        screen.pty.expect(&ended.replace("ended ", "before"));
        screen.send("QUIT\r");
        assert_eq!(screen.wait(), status, "{ended}: the first that happened counts");
        thread.join().unwrap();
    }
}

#[test]
fn a_session_that_cannot_be_opened_again_leaves_the_prompt_as_it_is() {
    let (port, thread) = sessions(vec![greet]);
    let mut screen = Screen::start(port, &[]);
    screen.expect_last("closed>");
    thread.join().unwrap();
    screen.enter("~o", "closed>");
    screen.pty.expect("cannot connect");
    screen.expect_last("closed>");
    screen.send(CTRL_C);
    assert_eq!(screen.wait(), 76);
    for leave in [CTRL_D, "quit\r", "~.\r"] {
        let (port, thread) = sessions(vec![greet]);
        let mut screen = Screen::start(port, &[]);
        screen.expect_last("closed>");
        screen.send(leave);
        assert_eq!(screen.wait(), 76);
        thread.join().unwrap();
    }
    // A signal from outside ends it there as everywhere.
    let (port, thread) = sessions(vec![greet]);
    let mut screen = Screen::start(port, &[]);
    screen.expect_last("closed>");
    screen.pty.signal(Signal::SIGTERM);
    assert_eq!(screen.wait(), -(Signal::SIGTERM as i32));
    thread.join().unwrap();
}

#[test]
fn ctrl_c_leaves_the_closed_prompt_also_between_two_readings() {
    for _ in 0..25 {
        let (port, thread) = sessions(vec![refuse]);
        let mut screen = Screen::start(port, &[]);
        screen.expect_last("closed>");
        screen.send("NOOP\r");
        screen.pty.expect(CLOSED);
        screen.send(CTRL_C);
        assert_eq!(screen.wait(), 75);
        thread.join().unwrap();
    }
}

#[test]
fn a_session_that_was_to_end_ends_the_prompt() {
    for keys in ["QUIT\r", CTRL_D, "~.\r"] {
        let peer = Peer::start(|mut stream| {
            greet(&mut stream);
            vec![read_once(&mut stream)]
        });
        let mut screen = Screen::start(peer.port, &[]);
        screen.expect_last("smtp>");
        screen.send(keys);
        assert_eq!(screen.wait(), if keys == "QUIT\r" { 76 } else { 0 }, "{keys:?}");
        peer.received();
    }
}

#[test]
fn a_line_typed_before_the_greeting_waits_for_it_and_a_clock_says_how_long() {
    let (told, state) = (Told::start(), Folder::new());
    let mut screen = Screen::start_with(told.peer.port, &[], &[("XDG_STATE_HOME", state.text())], (24, 100));
    screen.expect_last("greeting, 1 due>");
    screen.expect_row("waiting for the greeting, 2 s; --no-wait and ~x send at once");
    screen.expect_row("waiting for the greeting, 3 s; --no-wait and ~x send at once");
    // These go out at once, and nothing else does.
    screen.send("~x early\\r\\n\r");
    told.expect("early\r\n");
    screen.send("EHLO x\r");
    screen.expect_last("waiting for the greeting, 5 s; --no-wait and ~x send at once");
    told.say("220 hi\r\n500 early\r\n");
    told.expect("early\r\nEHLO x\r\n");
    told.say("250 x\r\n");
    screen.expect_last("smtp>");
    let rows = screen.lines(&screen.pty.raw());
    assert_eq!(rows.last_chunk::<4>().unwrap(), &["220 hi", "500 early", "250 x", "smtp>"], "the clock is gone");
    screen.send(CTRL_C);
    screen.wait();

    // One that is not granted takes the line along.
    let (told, state) = (Told::start(), Folder::new());
    let mut screen = Screen::start_with(told.peer.port, &[], &[("XDG_STATE_HOME", state.text())], (24, 100));
    screen.expect_last("greeting, 1 due>");
    screen.send("EHLO x");
    screen.expect_last("greeting, 1 due> EHLO x");
    screen.send("\r");
    told.say("554 no\r\n");
    screen.expect_row("mconnect: what was typed ahead was dropped");
    screen.expect_last("smtp>");
    screen.send(CTRL_C);
    screen.wait();
    assert_eq!((told.received().as_str(), state.history().as_str()), ("", ""));
}

#[test]
fn ctrl_d_before_the_greeting_waits_for_it() {
    let told = Told::start();
    let mut screen = Screen::start(told.peer.port, &[]);
    screen.expect_last("greeting, 1 due>");
    screen.send(CTRL_D);
    screen.expect_last("waiting for the greeting, 2 s; --no-wait and ~x send at once");
    assert!(told.reads.try_recv().is_err());
    told.say("220 hi\r\n");
    while told.reads.recv_timeout(crate::common::PATIENCE).is_ok() {}
    told.received();
    assert_eq!(screen.wait(), 0);
}

#[test]
fn a_reply_that_is_late_has_a_clock_at_the_open_prompt_and_at_the_shut_one() {
    let (told, mut screen) = Screen::greeted(&[]);
    screen.send("RSET\r");
    screen.expect(&["220 hi", "smtp> RSET", "waiting for the reply to RSET, 2 s", "smtp, 1 due>"]);
    told.say("250 ok\r\n");
    screen.expect(&["220 hi", "smtp> RSET", "250 ok", "smtp>"]);
    screen.send("AUTH LOGIN\r");
    screen.expect_last("waiting for the reply to AUTH, 2 s");
    told.say("503 no\r\n");
    screen.expect(&["220 hi", "smtp> RSET", "250 ok", "smtp> AUTH LOGIN", "503 no", "smtp>"]);
    screen.send("DATA\r");
    told.expect("RSET\r\nAUTH LOGIN\r\nDATA\r\n");
    told.say("354 go\r\n");
    screen.expect_last("data>");
    screen.send(".\r");
    screen.expect_row("waiting for the reply to the message, 2 s");
    // Who types is not disturbed by it.
    screen.send("NOO");
    screen.expect_last("smtp, 1 due> NOO");
    told.say("250 taken\r\n");
    screen.expect_last("smtp> NOO");
    screen.send(CTRL_C);
    screen.wait();
}

#[test]
fn a_timeout_that_was_asked_for_holds_at_the_prompt_and_not_in_a_body() {
    let (in_body, mut body) = Screen::greeted(&["--timeout", "1"]);
    body.send("DATA\r");
    in_body.expect("DATA\r\n");
    in_body.say("354 go\r\n");
    body.expect_last("data>");
    for greets in [true, false] {
        let told = Told::start();
        let mut screen = Screen::start(told.peer.port, &["--timeout", "1"]);
        if greets {
            told.say("220 hi\r\n");
            screen.expect_last("smtp>");
            screen.send("NOOP\r");
        }
        screen.pty.expect("timed out after 1 s");
        screen.expect_last("closed>");
        screen.send("QUIT\r");
        assert_eq!(screen.wait(), 75);
        told.received();
    }
    // Twice that time has passed since the body began: nothing is due there.
    body.expect_last("data>");
    body.send("text\r");
    in_body.expect("DATA\r\ntext\r\n");
    body.interrupt();
}

#[test]
fn with_a_trace_the_prompt_stays_too_and_the_half_typed_line_is_below_what_was_traced() {
    for (words, status) in [("421 too long\r\n", 75), ("", 76)] {
        let told = Told::start();
        let mut screen = Screen::start_with(told.peer.port, &["--trace"], &[], (24, 120));
        told.say("220 hi\r\n");
        screen.expect_last("smtp>");
        screen.send("rm -rf x");
        screen.expect_last("smtp> rm -rf x");
        if !words.is_empty() {
            told.say(words);
            screen.expect_last("closing> rm -rf x");
        }
        assert_eq!(told.received(), "");
        screen.expect_last("closed> rm -rf x");
        let rows = screen.lines(&screen.pty.raw());
        for line in ["220 hi", words.trim_end()].into_iter().filter(|line| !line.is_empty()) {
            let traced = format!("< {line}\\r\\n");
            assert_eq!(rows.iter().filter(|row| row.ends_with(&traced)).count(), 1, "{rows:#?}");
            assert_eq!(rows.iter().filter(|row| *row == line).count(), 1, "{rows:#?}");
        }
        screen.send("\r");
        screen.expect_row(CLOSED);
        screen.send("QUIT\r");
        assert_eq!(screen.wait(), status);
    }
}

#[test]
fn a_line_that_does_not_end_is_shown_above_the_one_that_is_typed_and_counted() {
    let (told, mut screen) = Screen::greeted(&[]);
    screen.send("NOOP ha");
    screen.expect_last("smtp> NOOP ha");
    told.say("250-slow");
    screen.expect(&["220 hi", "250-slow", "smtp> NOOP ha"]);
    told.say("ly\x1b[2J");
    screen.expect(&["220 hi", "250-slowly\\x1b[2J", "smtp> NOOP ha"]);
    screen.send("\x15~s\r");
    screen.expect_row("received  22 octets");
    screen.send("NOOP ha");
    screen.expect_last("smtp> NOOP ha");
    told.say("\r\n");
    screen.expect_row("250-slowly\\x1b[2J");
    screen.expect_last("smtp> NOOP ha");
    told.say("250 unfin");
    screen.expect_row("250 unfin");
    screen.interrupt();
    screen.expect_row("250 unfin");
    told.received();
}

#[test]
fn what_came_of_a_line_is_not_lost_at_an_interrupt_or_a_deadline() {
    for (options, is_interrupted) in [(&[][..], true), (&["--timeout", "2"][..], false)] {
        let told = Told::start();
        let mut screen = Screen::start(told.peer.port, options);
        told.say("220 no line end");
        screen.expect_row("220 no line end");
        if is_interrupted {
            screen.interrupt();
        } else {
            screen.pty.expect("timed out after 2 s");
            screen.expect_last("closed>");
            screen.send(CTRL_C);
            assert_eq!(screen.wait(), 75);
        }
        screen.expect_row("220 no line end");
        told.received();
    }
}
