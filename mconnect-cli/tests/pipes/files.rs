//! Scripts from files, which give more at once than a pipe does, so that the tool reads ahead; and how texts begin.

use std::fs::File;
use std::io::{Read, Write};
use std::process::{Child, Output, Stdio};

use crate::common::{Peer, Scrap, assert_status, complaints, err, out, talk, tool};
use mconnect_core::server::Server;
use nix::fcntl::OFlag;
use nix::unistd::pipe2;

/// Lines that tell where they are from.
fn body(lines: usize) -> Vec<u8> {
    (0..lines)
        .flat_map(|line| format!("line {line} of a message that is read ahead of what is sent\n").into_bytes())
        .collect()
}

const BEFORE: &[u8] = b"EHLO x\nMAIL FROM:<a@x>\nRCPT TO:<b@x>\nDATA\n";

#[test]
fn a_long_script_arrives_whole_in_step_and_blindly() {
    let server = Server::start().unwrap();
    let body = body(60_000);
    let script = Scrap::new("long", &[BEFORE, &body, b".\nNOOP\nQUIT\n"].concat());
    let sent = String::from_utf8(body).unwrap().replace('\n', "\r\n");
    for (number, options) in [&[][..], &["--no-wait"], &["--no-wait", "--quiet"]].iter().enumerate() {
        let output = talk_from(&script, server.port(), options);
        assert_status(&output, 0);
        assert!(out(&output).ends_with("250 2.0.0 nothing done\r\n221 2.0.0 goodbye\r\n"), "{}", out(&output));
        assert!(server.messages()[number].content == sent.as_bytes());
    }
}

#[test]
fn what_was_read_ahead_and_not_sent_is_counted() {
    let peer = Peer::start(|mut stream| {
        for reply in ["220 hi", "250 a", "250 b", "250 c", "354 go"] {
            stream.write_all(format!("{reply}\r\n").as_bytes()).unwrap();
            let mut byte = [0];
            while reply != "354 go" && byte != *b"\n" {
                stream.read_exact(&mut byte).unwrap();
            }
        }
        stream.read_exact(&mut vec![0; 1 << 20]).unwrap();
        stream.write_all(b"421 enough\r\n").unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
        Vec::new()
    });
    let script = Scrap::new("cut", &[BEFORE, &body(400_000), b".\nQUIT\n"].concat());
    let output = talk_from(&script, peer.port, &[]);
    assert_status(&output, 75);
    assert!(out(&output).ends_with("354 go\r\n421 enough\r\n"), "{}", out(&output));
    assert!(complaints(&output).contains("mconnect: not sent: "), "{}", complaints(&output));
    peer.received();
}

#[test]
fn a_byte_order_mark_before_a_script_is_skipped_wherever_it_is_cut() {
    let script = "\u{feff}NOOP\n\u{feff}QUIT\n";
    // In another place it is a character as all others.
    let transcript = "S: 220 hi\nC: NOOP\nS: 250 ok\nC> \\xef\\xbb\\xbfQUIT\\r\\n\nS: 221 bye\nS: *close*";
    let file = Scrap::new("marked", script);
    for pace in [&[][..], &["--no-wait"], &["--json"]] {
        let server = Server::play(transcript).unwrap();
        let output = talk_from(&file, server.port(), pace);
        server.join().unwrap_or_else(|error| panic!("{error} {}", err(&output)));
    }
    let server = Server::play(transcript).unwrap();
    drop(talk(server.port(), &["-c", "\u{feff}NOOP", "-c", "\u{feff}QUIT"], ""));
    server.join().unwrap();
    for cut in 1..=3 {
        let server = Server::play(transcript).unwrap();
        // What is written at once is read at once, and nothing with it.
        let (read, write) = pipe2(OFlag::O_DIRECT).unwrap();
        let mut write = File::from(write);
        write.write_all(&script.as_bytes()[..cut]).unwrap();
        write.write_all(&script.as_bytes()[cut..]).unwrap();
        drop(write);
        drop(start(server.port(), &[], Stdio::from(read)).wait_with_output().unwrap());
        server.join().unwrap();
    }
    // What only begins like one is the script.
    let server = Server::play("S: 220 hi\nC> \\xef\\xbb\\r\\n\nS: 250 ok\nS: *close*").unwrap();
    drop(talk(server.port(), &[], b"\xef\xbb"));
    server.join().unwrap();
}

/// Reads the lines from a file.
fn talk_from(script: &Scrap, port: u16, options: &[&str]) -> Output {
    start(port, options, Stdio::from(File::open(script.path()).unwrap())).wait_with_output().unwrap()
}

fn start(port: u16, options: &[&str], input: Stdio) -> Child {
    let port = port.to_string();
    tool(&[options, &["-p", &port, "127.0.0.1"]].concat()).stdin(input).spawn().unwrap()
}
