//! Scripts from files, which give more at once than a pipe does, so that the tool reads ahead.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::Output;

use common::{Peer, assert_status, complaints, out, tool};
use mconnect_core::server::Server;

/// A script of some mebioctets, gone after the test.
struct Script(PathBuf);

impl Script {
    fn new(name: &str, content: &[u8]) -> Self {
        let path = std::env::temp_dir().join(format!("mconnect-{}-{name}", std::process::id()));
        fs::write(&path, content).unwrap();
        Self(path)
    }

    fn run(&self, port: u16, options: &[&str]) -> Output {
        let port = port.to_string();
        let args = [options, &["-p", &port, "127.0.0.1"]].concat();
        tool(&args).stdin(File::open(&self.0).unwrap()).output().unwrap()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

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
    let script = Script::new("long", &[BEFORE, &body, b".\nNOOP\nQUIT\n"].concat());
    let sent = String::from_utf8(body).unwrap().replace('\n', "\r\n");
    for (number, options) in [&[][..], &["--no-wait"], &["--no-wait", "--quiet"]].iter().enumerate() {
        let output = script.run(server.port(), options);
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
    let script = Script::new("cut", &[BEFORE, &body(400_000), b".\nQUIT\n"].concat());
    let output = script.run(peer.port, &[]);
    assert_status(&output, 75);
    assert!(out(&output).ends_with("354 go\r\n421 enough\r\n"), "{}", out(&output));
    assert!(complaints(&output).contains("mconnect: not sent: "), "{}", complaints(&output));
    peer.received();
}
