//! What takes long shows itself, and says at an interrupt what became of it.

use std::io::{Read, Write};
use std::sync::mpsc::{Sender, channel};

use nix::sys::signal::Signal;

use crate::TO;
use crate::common::keys::CTRL_C;
use crate::common::{MCONNECT, Peer, Pty, Scrap, read_once};

const SIZE: usize = 16 << 20;

/// A server that takes one message once it is told to, and answers it once it is told again.
fn slow() -> (Peer, Sender<()>) {
    let (go, is_time) = channel();
    let peer = Peer::start(move |mut stream| {
        for answer in ["220 hi\r\n", "250 hi\r\n", "250 a\r\n", "250 b\r\n"] {
            stream.write_all(answer.as_bytes()).unwrap();
            read_once(&mut stream);
        }
        stream.write_all(b"354 go\r\n").unwrap();
        if is_time.recv().is_err() {
            return Vec::new();
        }
        let (mut count, mut end, mut buffer) = (0, Vec::new(), vec![0; 1 << 20]);
        while !end.ends_with(b"\r\n.\r\n") {
            let Ok(read @ 1..) = stream.read(&mut buffer) else { return Vec::new() };
            count += read;
            end.extend_from_slice(&buffer[read.saturating_sub(5)..read]);
            end.drain(..end.len().saturating_sub(5));
        }
        if is_time.recv().is_ok() {
            stream.write_all(b"250 taken\r\n").unwrap();
            read_once(&mut stream);
            let _ = stream.write_all(b"221 bye\r\n");
        }
        vec![count.to_string().into_bytes()]
    });
    (peer, go)
}

fn start(port: u16, file: &str) -> Pty {
    let port = port.to_string();
    Pty::start(MCONNECT, &[&TO[..], &["--message", file, "-p", &port, "127.0.0.1"]].concat())
}

#[test]
fn a_long_message_shows_how_far_it_is_and_what_went_out() {
    let file = Scrap::new("mail.eml", &("x".repeat(62) + "\r\n").repeat(SIZE / 64));
    let (peer, go) = slow();
    let mut pty = start(peer.port, file.path());
    // The system takes some of it by itself, and then one write blocks: the line is drawn all the same, and again.
    for _ in 0..3 {
        pty.expect("mail.eml: ");
        pty.expect(" MB of 16.8 MB, ");
        pty.expect(" s left");
    }
    go.send(()).unwrap();
    go.send(()).unwrap();
    pty.expect(&format!("{}: 16.8 MB sent in ", file.path()));
    pty.expect("b@x  delivered  250 taken");
    assert_eq!(pty.wait(), 0);
    assert_eq!(peer.received(), [(SIZE + 3).to_string().as_bytes()]);
}

#[test]
fn interrupted_it_says_how_much_went_out_and_whether_the_message_can_have_been_taken() {
    let file = Scrap::new("mail.eml", &("x".repeat(62) + "\r\n").repeat(SIZE / 64));
    for is_whole in [false, true] {
        let (peer, go) = slow();
        let mut pty = start(peer.port, file.path());
        pty.expect(" s left");
        if is_whole {
            go.send(()).unwrap();
            pty.expect("> a message of 16777216 octets, and the dot that ends it");
        }
        pty.send(CTRL_C);
        assert_eq!(pty.wait(), -(Signal::SIGINT as i32));
        pty.expect("mconnect: interrupted: ");
        pty.expect(if is_whole { "it may have been taken" } else { "it cannot have been taken" });
        drop(go);
        peer.received();
    }
}
