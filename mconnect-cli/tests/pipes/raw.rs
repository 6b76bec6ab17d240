//! Raw mode with pipes: bytes, and nothing known of SMTP.

use std::fs::File;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use super::serve;
use crate::common::{Peer, Scrap, assert_status, complaints, out, pause, read_once, talk, tool};

#[test]
fn raw_mode_passes_every_byte_both_ways_and_half_closes() {
    let every: Vec<u8> = (0..=255u8).chain([b'\n', b'\r', b'\n', b'.']).collect();
    let count = every.len();
    let peer = Peer::start(move |mut stream| {
        let mut sent = vec![0; count];
        stream.read_exact(&mut sent).unwrap();
        stream.write_all(&sent).unwrap();
        assert_eq!(read_once(&mut stream), b"");
        stream.write_all(b"\0after the end").unwrap();
        vec![sent]
    });
    let output = talk(peer.port, &["-r"], &every);
    assert_status(&output, 0);
    assert!(output.stdout == [every.as_slice(), b"\0after the end"].concat());
    assert_eq!(peer.received(), [every]);
}

#[test]
fn raw_mode_tells_what_the_server_did_not_take() {
    let peer = Peer::start(|mut stream| {
        stream.read_exact(&mut [0; 1000]).unwrap();
        stream.write_all(b"552 enough\r\n").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        // Nothing more is read until the tool has gone.
        Vec::new()
    });
    let port = peer.port;
    let output = talk(port, &["-r"], vec![b'x'; 64 << 20]);
    assert_status(&output, 76);
    assert_eq!(out(&output), "552 enough\r\n");
    peer.received();
}

#[test]
fn a_server_that_has_said_all_it_says_is_sent_the_rest_of_the_input() {
    let input: Vec<u8> = (0..32u32 << 20).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let peer = Peer::start(|mut stream| {
        stream.shutdown(Shutdown::Write).unwrap();
        let (mut came, mut block) = (Vec::new(), vec![0; 1 << 20]);
        // It takes longer over it than input is waited for that is silent.
        while stream.read_exact(&mut block).is_ok() {
            came.extend_from_slice(&block);
            pause(Duration::from_millis(10));
        }
        vec![came]
    });
    // From a file: a pipe might be silent for a moment, and that is not waited for.
    let file = Scrap::new("rest-of-the-input", &input);
    let mut command = tool(&["-r", "-p", &peer.port.to_string(), "127.0.0.1"]);
    let output = command.stdin(File::open(file.path()).unwrap()).output().unwrap();
    assert_status(&output, 0);
    assert!(peer.received() == [input]);
}

#[test]
fn a_reset_in_raw_mode_is_told_after_everything_that_came_before_it() {
    let server = serve("S> 220 hi\nS: *pause 50 ms*\nS: *reset*");
    let port = server.port();
    let mut child = tool(&["-r", "-p", &port.to_string(), "127.0.0.1"]).spawn().unwrap();
    let stdin = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    assert_status(&output, 76);
    assert_eq!(out(&output), "220 hi");
    let told = format!("mconnect: cannot read from 127.0.0.1:{port} (raw phase): Connection reset by peer");
    assert_eq!(complaints(&output), told);
}

#[test]
fn raw_mode_does_not_deadlock_when_both_directions_are_full() {
    let peer = Peer::start(|stream| {
        let (mut reader, mut writer) = (stream.try_clone().unwrap(), stream);
        std::io::copy(&mut reader, &mut writer).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
        Vec::new()
    });
    let input: Vec<u8> = (0..48u32 << 20).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let output = talk(peer.port, &["-r"], &input);
    assert_status(&output, 0);
    assert!(output.stdout == input);
    peer.received();
}
