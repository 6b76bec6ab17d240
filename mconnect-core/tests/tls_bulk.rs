//! TLS in both directions at once.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mconnect_core::server::Identity;
use mconnect_core::tls::{Config, TlsStream, rustls};
use mconnect_core::{Connect, Stream};

/// The most memory that this process has had, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

#[test]
fn a_quarter_of_a_gigabyte_each_way_at_once_through_an_echo_in_flat_memory() {
    const TOTAL: usize = 256 * 1024 * 1024;
    let identity = Identity::self_signed(["127.0.0.1"]);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = identity.config();
    let echo = thread::spawn(move || {
        let stream: Arc<dyn Stream> = Arc::new(listener.accept().unwrap().0);
        let connection = rustls::ServerConnection::new(config).unwrap();
        let stream = TlsStream::handshake(stream, connection, Duration::from_secs(20)).unwrap();
        let mut block = vec![0; 64 * 1024];
        loop {
            let count = match stream.read(&mut block) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result.unwrap(),
            };
            if count == 0 {
                return stream.half_close().unwrap();
            }
            let mut rest = &block[..count];
            while !rest.is_empty() {
                rest = &rest[stream.write(rest).unwrap()..];
            }
        }
    });
    let session = Connect::new("127.0.0.1", port).open().unwrap();
    let (session, _) = session.upgrade(&Config::new().insecure()).unwrap();
    let (mut reader, mut writer) = session.into_raw();
    let before = peak();
    let writing = thread::spawn(move || {
        let mut block = vec![0; 100_003];
        let mut sent = 0;
        while sent < TOTAL {
            for (index, byte) in block.iter_mut().enumerate() {
                *byte = pattern(sent + index);
            }
            let count = block.len().min(TOTAL - sent);
            writer.write_all(&block[..count]).unwrap();
            sent += count;
        }
        writer.half_close().unwrap();
    });
    let (mut block, mut received) = (vec![0; 1 << 16], 0);
    loop {
        let count = reader.read(&mut block).unwrap();
        if count == 0 {
            break;
        }
        assert!(block[..count].iter().enumerate().all(|(index, byte)| *byte == pattern(received + index)));
        received += count;
    }
    assert_eq!(received, TOTAL);
    writing.join().unwrap();
    echo.join().unwrap();
    let grown = peak() - before;
    assert!(grown < 8 * 1024, "memory grew by {grown} KiB");
}

fn pattern(at: usize) -> u8 {
    (at ^ (at >> 8) ^ (at >> 16)) as u8
}

#[test]
fn keys_that_change_underway_disturb_nothing() {
    let identity = Identity::self_signed(["127.0.0.1"]);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = identity.config();
    let server = thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let mut connection = rustls::ServerConnection::new(config).unwrap();
        let mut line = [0; 6];
        rustls::Stream::new(&mut connection, &mut stream).write_all(b"220 hi\r\n").unwrap();
        for _ in 0..100 {
            connection.refresh_traffic_keys().unwrap();
            let mut tls = rustls::Stream::new(&mut connection, &mut stream);
            tls.read_exact(&mut line).unwrap();
            assert_eq!(&line, b"NOOP\r\n");
            tls.write_all(b"250 ok\r\n").unwrap();
        }
    });
    let session = Connect::new("127.0.0.1", port).open().unwrap();
    let (mut session, _) = session.upgrade(&Config::new().insecure()).unwrap();
    session.read_reply().unwrap();
    for _ in 0..100 {
        session.command("NOOP").unwrap().require(250).unwrap();
    }
    drop(session);
    server.join().unwrap();
}
