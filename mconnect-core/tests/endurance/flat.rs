//! Bytes without end through TLS, in memory that does not grow.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use mconnect_core::server::Identity;
use mconnect_core::tls::{Config, TlsStream, rustls};
use mconnect_core::{Connect, Stream};

use super::{Peak, alone};
use crate::common::driven::{DRIVERS, Driver};
use crate::common::foe::Foe;
use crate::common::peer;

#[test]
fn a_quarter_of_a_gigabyte_each_way_at_once_through_an_echo_in_flat_memory() {
    const TOTAL: usize = 256 * 1024 * 1024;
    let _alone = alone();
    let identity = Identity::self_signed(["127.0.0.1"]);
    let config = identity.config();
    let (port, echo) = peer(move |stream| {
        let stream: Arc<dyn Stream> = Arc::new(stream);
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
    let before = Peak::now();
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
    before.require_flat(8 * 1024);
}

fn pattern(at: usize) -> u8 {
    (at ^ (at >> 8) ^ (at >> 16)) as u8
}

#[test]
fn a_server_that_neither_reads_nor_stops_writing_inside_tls_is_given_up_in_little_memory() {
    let _alone = alone();
    for driver in DRIVERS {
        let before = Peak::now();
        let Foe { mut session, here, thread } = Foe::inside_tls(driver, |connection, stream, _| {
            let mut tls = rustls::Stream::new(connection, stream);
            tls.write_all(b"220 hi\r\n")?;
            tls.read_exact(&mut [0; 6])?;
            tls.write_all(b"354 go\r\n")?;
            let words = b"250-more\r\n".repeat(1000);
            loop {
                rustls::Stream::new(connection, stream).write_all(&words)?;
            }
        });
        session.read_reply().unwrap();
        let start = Instant::now();
        let error = session.message(io::repeat(b'x').take(1 << 30)).unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        drop((session, here));
        thread.join().unwrap();

        let Foe { session, here, thread } = Foe::inside_tls(Driver::Blocking, |_, _, gone| {
            let _ = gone.recv();
            Ok(())
        });
        let (_reader, mut writer) = session.blocking().into_raw();
        let block = vec![b'x'; 1 << 20];
        let error = loop {
            if let Err(error) = writer.send(&block) {
                break error;
            }
        };
        assert!(error.is_timeout(), "{error}");
        drop((writer, here));
        thread.join().unwrap();
        before.require_flat(32 * 1024);
    }
}
