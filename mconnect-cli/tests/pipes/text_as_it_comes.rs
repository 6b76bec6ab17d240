//! What the server says is shown as it comes, whether or not its line has ended.

use std::io::{Read, Write};
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::thread;

use crate::common::told::Told;
use crate::common::{MCONNECT, PATIENCE, Pty, assert_status, complaints, out, tool};

/// Runs the tool with an input that stays open, and waits for each part of its output after it was said.
#[test]
fn half_a_line_is_in_the_pipe_before_the_rest_of_it_is_said() {
    let told = Told::start();
    let port = told.peer.port.to_string();
    let mut child = tool(&["-p", &port, "127.0.0.1"]).spawn().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    let (piece, pieces) = channel();
    let reading = thread::spawn(move || {
        let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(count @ 1..) = stdout.read(&mut buffer) {
            all.extend_from_slice(&buffer[..count]);
            let _ = piece.send(all.clone());
        }
        all
    });
    let mut whole = String::new();
    for words in ["220 ha", "lf\r", "\n220-bare\rCR", "\r\n22", "0 end\r\n", "250-unasked"] {
        told.say(words);
        whole.push_str(words);
        while pieces.recv_timeout(PATIENCE).expect(words) != whole.as_bytes() {}
    }
    drop(child.stdin.take());
    told.received();
    child.wait().unwrap();
    assert_eq!(reading.join().unwrap(), whole.as_bytes());
}

#[test]
fn at_a_deadline_and_at_an_interrupt_what_came_is_there_once() {
    let told = Told::start();
    let port = told.peer.port.to_string();
    let mut child = tool(&["--timeout", "1", "-p", &port, "127.0.0.1"]).spawn().unwrap();
    told.say("220 hi\r\n250 unfin");
    child.stdin.take().unwrap().write_all(b"NOOP\n").unwrap();
    let output = child.wait_with_output().unwrap();
    assert_status(&output, 75);
    assert_eq!(out(&output), "220 hi\r\n250 unfin");
    assert!(complaints(&output).contains("no reply to NOOP"), "{}", complaints(&output));
    told.received();
}

#[test]
fn on_a_terminal_without_a_prompt_half_a_line_is_shown_and_what_is_said_next_has_its_own() {
    let told = Told::start();
    let mut pty = Pty::mconnect(told.peer.port, &["--quiet", "--timeout", "2"]);
    told.say("220 ha\x1b[2J");
    pty.expect("220 ha\\x1b[2J");
    pty.expect("\r\nmconnect: ");
    pty.expect("closed> ");
    pty.send("QUIT\n");
    assert_eq!(pty.wait(), 75);
    told.received();
}

#[test]
fn a_clock_says_what_is_late_where_standard_error_is_a_terminal() {
    // Typed at a terminal without a prompt, and piped.
    let told = Told::start();
    let mut pty = Pty::mconnect(told.peer.port, &["--quiet"]);
    pty.send("EHLO x\n");
    pty.expect("waiting for the greeting, 2 s");
    told.say("220 hi\r\n");
    pty.expect("\r220 hi");
    told.expect("EHLO x\r\n");
    pty.send("\x03");
    pty.wait();
    told.received();

    let told = Told::start();
    let port = told.peer.port;
    let script = format!("echo RSET | {MCONNECT} --quiet -p {port} 127.0.0.1");
    let mut pty = Pty::start_with("sh", &["-c", &script], &[("TERM", "xterm")]);
    told.say("220 hi\r\n");
    pty.expect("waiting for the reply to RSET, 2 s");
    told.say("250 ok\r\n");
    pty.expect("250 ok");
    told.received();
    assert_eq!(pty.wait(), 0);

    // Nowhere else.
    let told = Told::start();
    let port = told.peer.port.to_string();
    let mut child = tool(&["--timeout", "3", "-p", &port, "127.0.0.1"]).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdin.take());
    let output = child.wait_with_output().unwrap();
    assert!(!crate::common::err(&output).contains("waiting"), "{}", crate::common::err(&output));
    told.received();
}
