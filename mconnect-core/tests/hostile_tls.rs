//! Servers that mean harm inside TLS.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::error::Error as _;
use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mconnect_core::protocol::Limits;
use mconnect_core::server::Identity;
use mconnect_core::tls::Config;
use mconnect_core::{Connect, Error, Session, Timeouts};
use rustls::ServerConnection;

const SHORT: Duration = Duration::from_millis(300);

type Tls<'a> = rustls::Stream<'a, ServerConnection, TcpStream>;

/// A session inside TLS with a server that behaves so, until the receiver fails.
fn foe(
    act: impl FnOnce(&mut ServerConnection, &mut TcpStream, &Receiver<()>) -> io::Result<()> + Send + 'static,
) -> (Session, Sender<()>, JoinHandle<()>) {
    let identity = Identity::self_signed(["127.0.0.1"]);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (here, gone) = channel();
    let thread = thread::spawn(move || {
        let mut stream = listener.accept().unwrap().0;
        let mut connection = ServerConnection::new(identity.config()).unwrap();
        connection.complete_io(&mut stream).unwrap();
        // That the connection breaks is none of the server's business.
        let _ = act(&mut connection, &mut stream, &gone);
    });
    let timeouts = Timeouts::default().replies(SHORT).closing(SHORT);
    let limits = Limits::default().reply(256 * 1024);
    let session = Connect::new("127.0.0.1", port).timeouts(timeouts).limits(limits).open().unwrap();
    let (session, _) = session.upgrade(&Config::new().insecure()).unwrap();
    (session, here, thread)
}

/// The most memory that the process has held, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn silence_and_dripping_inside_tls_meet_the_deadline() {
    let (mut session, here, thread) = foe(|connection, stream, gone| {
        Tls::new(connection, stream).write_all(b"220-hi\r\n220 ")?;
        let _ = gone.recv();
        Ok(())
    });
    match session.read_reply().unwrap_err() {
        Error::Timeout { partial, .. } => assert_eq!(partial, b"220-hi\r\n220 "),
        error => panic!("{error}"),
    }
    drop((session, here));
    thread.join().unwrap();

    let (mut session, here, thread) = foe(|connection, stream, _| {
        stream.set_read_timeout(Some(Duration::from_millis(10)))?;
        loop {
            // A record for each byte.
            Tls::new(connection, stream).write_all(b"x")?;
            if stream.read(&mut [0; 100]).is_ok_and(|count| count == 0) {
                return Ok(());
            }
        }
    });
    let start = Instant::now();
    assert!(session.read_reply().unwrap_err().is_timeout());
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    drop((session, here));
    thread.join().unwrap();
}

#[test]
fn a_server_that_neither_reads_nor_stops_writing_inside_tls_is_given_up_in_little_memory() {
    let before = peak();
    let (mut session, here, thread) = foe(|connection, stream, _| {
        let mut tls = Tls::new(connection, stream);
        tls.write_all(b"220 hi\r\n")?;
        tls.read_exact(&mut [0; 6])?;
        tls.write_all(b"354 go\r\n")?;
        let words = b"250-more\r\n".repeat(1000);
        loop {
            Tls::new(connection, stream).write_all(&words)?;
        }
    });
    session.read_reply().unwrap();
    let start = Instant::now();
    let error = session.message(io::repeat(b'x').take(1 << 30)).unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    drop((session, here));
    thread.join().unwrap();

    let (session, here, thread) = foe(|_, _, gone| {
        let _ = gone.recv();
        Ok(())
    });
    let (_reader, mut writer) = session.into_raw();
    let block = vec![b'x'; 1 << 20];
    let error = loop {
        if let Err(error) = writer.send(&block) {
            break error;
        }
    };
    assert!(error.is_timeout(), "{error}");
    drop((writer, here));
    thread.join().unwrap();
    assert!(peak() - before < 32 * 1024, "{} KiB", peak() - before);
}

#[test]
fn keys_that_change_without_end_are_told_in_words() {
    let (mut session, here, thread) = foe(|connection, stream, _| {
        Tls::new(connection, stream).write_all(b"220 hi\r\n")?;
        loop {
            connection.refresh_traffic_keys().map_err(io::Error::other)?;
            while connection.wants_write() {
                connection.write_tls(stream)?;
            }
        }
    });
    session.read_reply().unwrap().require(220).unwrap();
    let error = session.read_reply().unwrap_err();
    let cause = error.source().map(ToString::to_string);
    assert_eq!(cause.as_deref(), Some("the server changes its keys without end"), "{error}");
    drop((session, here));
    thread.join().unwrap();
}

#[test]
fn a_handshake_that_drips_meets_the_deadline() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let thread = thread::spawn(move || -> io::Result<()> {
        let mut stream = listener.accept()?.0;
        stream.read(&mut [0; 4096]).map(drop)?;
        stream.set_read_timeout(Some(Duration::from_millis(10)))?;
        // A record of 16,000 octets, one after the other.
        stream.write_all(b"\x16\x03\x03\x3e\x80\x02\0\x3e\x7c")?;
        while !stream.read(&mut [0; 4096]).is_ok_and(|count| count == 0) {
            stream.write_all(b"\0")?;
        }
        Ok(())
    });
    let session = Connect::new("127.0.0.1", port).timeouts(Timeouts::default().replies(SHORT)).open().unwrap();
    let start = Instant::now();
    let error = session.upgrade(&Config::new()).unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    drop(thread.join().unwrap());
}

#[test]
fn an_end_of_tls_that_drips_meets_the_deadline() {
    let (session, here, thread) = foe(|_, stream, gone| {
        // A record that never ends.
        stream.write_all(b"\x17\x03\x03\x3e\x80")?;
        while gone.recv_timeout(Duration::from_millis(10)) == Err(RecvTimeoutError::Timeout) {
            stream.write_all(b"\0")?;
        }
        Ok(())
    });
    let start = Instant::now();
    let played = session.play(&"*within 300 ms*\nS: *end tls*".parse().unwrap());
    assert_eq!(played.failure().unwrap().got, "nothing in 300ms");
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    drop(here);
    thread.join().unwrap();
}
