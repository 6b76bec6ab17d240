//! Servers that mean harm inside TLS.

use std::error::Error as _;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use mconnect_core::tls::Config;
use mconnect_core::{Connect, Error, Timeouts};
use rustls::ServerConnection;

use crate::common::driven::{DRIVERS, Driver};
use crate::common::foe::{Foe, SHORT};
use crate::common::peer;

type Tls<'a> = rustls::Stream<'a, ServerConnection, TcpStream>;

#[test]
fn silence_and_dripping_inside_tls_meet_the_deadline() {
    for driver in DRIVERS {
        let Foe { mut session, here, thread } = Foe::inside_tls(driver, |connection, stream, gone| {
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

        let Foe { mut session, here, thread } = Foe::inside_tls(driver, |connection, stream, _| {
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
}

#[test]
fn keys_that_change_without_end_are_told_in_words() {
    for driver in DRIVERS {
        let Foe { mut session, here, thread } = Foe::inside_tls(driver, |connection, stream, _| {
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
}

#[test]
fn a_handshake_that_drips_meets_the_deadline() {
    for driver in DRIVERS {
        // The beginning of a record, and of a message in one, that would take minutes.
        for begin in [&b"\x16\x03\x03\x40\x00"[..], b"\x16\x03\x03\x3e\x80\x02\0\x3e\x7c"] {
            let (port, thread) = peer(move |mut stream| -> io::Result<()> {
                stream.write_all(begin)?;
                stream.set_read_timeout(Some(Duration::from_millis(10)))?;
                // Another octet whenever nothing has come for a moment, until the client has gone.
                while !stream.read(&mut [0; 4096]).is_ok_and(|count| count == 0) {
                    stream.write_all(b"\0")?;
                }
                Ok(())
            });
            // Before the greeting, the handshake has the greeting's time.
            let timeouts = Timeouts::default().greeting(SHORT);
            let session = driver.open(&Connect::new("127.0.0.1", port).timeouts(timeouts)).unwrap();
            let start = Instant::now();
            let error = session.upgrade(&Config::new()).unwrap_err();
            assert!(error.is_timeout(), "{error}");
            assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
            drop(thread.join().unwrap());
        }
    }
}

#[test]
fn an_end_of_tls_that_drips_meets_the_deadline() {
    let Foe { session, here, thread } = Foe::inside_tls(Driver::Blocking, |_, stream, gone| {
        // A record that never ends.
        stream.write_all(b"\x17\x03\x03\x3e\x80")?;
        while gone.recv_timeout(Duration::from_millis(10)) == Err(RecvTimeoutError::Timeout) {
            stream.write_all(b"\0")?;
        }
        Ok(())
    });
    let start = Instant::now();
    let played = session.blocking().play(&"*within 300 ms*\nS: *end tls*".parse().unwrap());
    assert_eq!(played.failure().unwrap().got, "nothing in 300ms");
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    drop(here);
    thread.join().unwrap();
}
