//! A server that takes a message slowly.

use std::io::{Read, Write};
use std::sync::mpsc::{Sender, channel};

use super::{Peer, read_once};

/// The octets of the message, without the dot that ends it.
pub const SIZE: usize = 16 << 20;

/// A message that takes long.
pub fn message() -> String {
    ("x".repeat(62) + "\r\n").repeat(SIZE / 64)
}

/// Says these, each before a line that comes, and grants DATA; takes the message once it is told to, and answers it once it
/// is told again. What it returns is how many octets came.
pub fn slow(before: &'static [&'static str]) -> (Peer, Sender<()>) {
    let (go, is_time) = channel();
    let peer = Peer::start(move |mut stream| {
        for words in before {
            stream.write_all(words.as_bytes()).unwrap();
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
            let _ = stream.read(&mut buffer);
            let _ = stream.write_all(b"221 bye\r\n");
        }
        vec![count.to_string().into_bytes()]
    });
    (peer, go)
}
