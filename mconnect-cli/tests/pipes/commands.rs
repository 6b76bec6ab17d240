//! Lines given as arguments, and scripts that end at a refusal.

use std::io::Write;

use crate::common::{Peer, Pty, assert_status, complaints, err, out, read_once, talk};
use mconnect_core::server::Server;

/// What is said of a reply that only puts off.
pub const PUT_OFF: &str = "the server puts this off for now: greylisting, a limit of how much comes, or a filter that fails \
                       may be behind it: try again in some minutes";

#[test]
fn lines_of_the_command_line_go_in_step_and_nothing_is_added() {
    let peer = Peer::answers("220 hi\r\n", &["250 ok\r\n", "221 bye\r\n"]);
    let output = talk(peer.port, &["--quiet", "-c", "NOOP", "--command=quit"], "not read");
    assert_status(&output, 0);
    assert_eq!(out(&output), "220 hi\r\n250 ok\r\n221 bye\r\n");
    assert_eq!(peer.received_text(), ["NOOP\\r\\n", "quit\\r\\n"]);
}

#[test]
fn without_quit_the_sending_side_ends_and_the_last_words_are_shown() {
    let peer = Peer::start(|mut stream| {
        stream.write_all(b"220 hi\r\n").unwrap();
        let line = read_once(&mut stream);
        stream.write_all(b"250 ok\r\n").unwrap();
        let end = read_once(&mut stream);
        stream.write_all(b"421 good night\r\n").unwrap();
        vec![line, end]
    });
    let output = talk(peer.port, &["--quiet", "-c", "NOOP"], "");
    assert_status(&output, 0);
    assert_eq!(out(&output), "220 hi\r\n250 ok\r\n421 good night\r\n");
    assert_eq!(peer.received_text(), ["NOOP\\r\\n", ""]);
}

#[test]
fn a_message_is_given_line_by_line() {
    let server = Server::start().unwrap();
    let lines = ["EHLO a", "MAIL FROM:<>", "RCPT TO:<a@example.org>", "DATA", "Subject: x", "", "..two", ".", "QUIT"];
    let args: Vec<&str> = lines.iter().flat_map(|line| ["-c", line]).collect();
    assert_status(&talk(server.port(), &args, ""), 0);
    assert_eq!(server.messages()[0].content, b"Subject: x\r\n\r\n.two\r\n");
}

#[test]
fn a_refusal_does_not_end_a_script_unless_that_is_asked_for() {
    let server = Server::start().unwrap();
    let args = ["--quiet", "-c", "RCPT TO:<a@example.org>", "-c", "QUIT"];
    assert_status(&talk(server.port(), &args, ""), 0);
    let server = Server::start().unwrap();
    let output = talk(server.port(), &[&args[..], &["--fail"]].concat(), "");
    assert_status(&output, 69);
}

#[test]
fn the_first_negative_reply_ends_it_with_quit_and_its_status() {
    for (reply, status, why) in [
        ("550 no", 69, "550: refused: no such mailbox, no access, or against the server's policy"),
        ("451 later", 75, PUT_OFF),
    ] {
        let peer = Peer::answers("220 hi\r\n", &[&format!("{reply}\r\n"), "221 bye\r\n"]);
        let output = talk(peer.port, &["--fail"], "MAIL FROM:<>\nRCPT TO:<a@example.org>\nQUIT\n");
        assert_status(&output, status);
        assert_eq!(
            complaints(&output),
            format!(
                "mconnect: MAIL was refused, which ends the session: {reply}; \
                 not sent: 2 lines of the input (29 octets)\nmconnect: {why}"
            )
        );
        assert!(err(&output).contains("\n> QUIT\n"), "{}", err(&output));
        assert_eq!(out(&output), format!("220 hi\r\n{reply}\r\n221 bye\r\n"));
        assert_eq!(peer.received_text(), ["MAIL FROM:<>\\r\\n", "QUIT\\r\\n"]);
    }
}

/// A greeting, answers, arguments, what is received, and the status.
type Case<'a> = (&'a str, &'a [&'a str], &'a [&'a str], &'a [&'a str], i32);

#[test]
fn every_kind_of_refusal_counts() {
    let cases: &[Case] = &[
        // A greeting, with QUIT after it; an answer in AUTH, DATA, and a last line without an end.
        ("554 go away\r\n", &["221 bye\r\n"], &["-c", "NOOP"], &["QUIT\\r\\n"], 69),
        (
            "220 hi\r\n",
            &["334 \r\n", "535 no\r\n", "221 bye\r\n"],
            &["-c", "AUTH LOGIN", "-c", "eA==", "-c", "NOOP"],
            &["AUTH LOGIN\\r\\n", "eA==\\r\\n", "QUIT\\r\\n"],
            69,
        ),
        (
            "220 hi\r\n",
            &["452 full\r\n", "221 bye\r\n"],
            &["-c", "DATA", "-c", "text", "-c", "."],
            &["DATA\\r\\n", "QUIT\\r\\n"],
            75,
        ),
        // The last line, and a server that closes.
        ("220 hi\r\n", &["500 what\r\n", "221 bye\r\n"], &["-c", "FOO"], &["FOO\\r\\n", "QUIT\\r\\n"], 69),
        ("220 hi\r\n", &["421 closing\r\n"], &["-c", "NOOP", "-c", "NOOP"], &["NOOP\\r\\n"], 75),
        ("220 hi\r\n", &["500 no\r\n"], &["-c", "QUIT"], &["QUIT\\r\\n"], 69),
    ];
    for (greeting, answers, args, received, status) in cases {
        let peer = Peer::answers(greeting, answers);
        let output = talk(peer.port, &[&["--fail"], *args].concat(), "");
        assert_status(&output, *status);
        assert_eq!(peer.received_text(), *received, "{args:?}");
    }
}

#[test]
fn replies_that_are_due_are_awaited_before_quit() {
    let peer = Peer::start(|mut stream| {
        stream.write_all(b"220 hi\r\n").unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"RSET\r\n") {
            seen.extend(read_once(&mut stream));
        }
        stream.write_all(b"550 no\r\n").unwrap();
        stream.write_all(b"250 ok\r\n").unwrap();
        let leave = read_once(&mut stream);
        stream.write_all(b"221 bye\r\n").unwrap();
        vec![seen, leave]
    });
    let output = talk(peer.port, &["--fail", "--no-wait", "-c", "NOOP", "-c", "RSET"], "");
    assert_status(&output, 69);
    assert_eq!(peer.received_text(), ["NOOP\\r\\nRSET\\r\\n", "QUIT\\r\\n"]);
    assert_eq!(out(&output), "220 hi\r\n550 no\r\n250 ok\r\n221 bye\r\n");
}

#[test]
fn a_last_line_without_its_end_is_judged_too() {
    let peer = Peer::answers("220 hi\r\n", &["500 what\r\n", "221 bye\r\n"]);
    let output = talk(peer.port, &["--fail"], "FOO");
    assert_status(&output, 69);
    assert_eq!(peer.received_text(), ["FOO\\r\\n", "QUIT\\r\\n"]);
}

#[test]
fn at_a_terminal_given_lines_need_no_prompt_and_fail_has_no_place_at_one() {
    let server = Server::start().unwrap();
    let port = server.port().to_string();
    let start = |args: &[&str]| {
        Pty::start_with(crate::common::MCONNECT, &[args, &["-p", &port, "127.0.0.1"]].concat(), &[("TERM", "xterm")])
    };
    let mut pty = start(&["-c", "NOOP", "-c", "QUIT"]);
    assert_eq!(pty.wait(), 0);
    assert!(!pty.screen().contains("smtp>"), "{}", pty.screen());
    let mut pty = start(&["--fail"]);
    assert_eq!(pty.wait(), 64);
    pty.expect("--fail is for piped input and -c");
}

#[test]
fn bytes_of_an_argument_are_sent_as_they_are() {
    use std::os::unix::ffi::OsStrExt as _;

    let peer = Peer::answers("220 hi\r\n", &["250 ok\r\n", "221 bye\r\n"]);
    let mut command = crate::common::tool(&["-p", &peer.port.to_string(), "127.0.0.1", "-c"]);
    command.arg(std::ffi::OsStr::from_bytes(b"NOOP \xe9")).args(["-c", "QUIT"]);
    assert_status(&command.output().unwrap(), 0);
    assert_eq!(peer.received_text(), ["NOOP \\xe9\\r\\n", "QUIT\\r\\n"]);
}
