//! Sessions inside TLS, and inside what is none.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use mconnect_core::server::{Identity, Server};
use mconnect_core::tls::Config;
use mconnect_core::{Connect, Stream};

use super::{due, inside_tls};
use crate::common::driven::Driver;

#[test]
fn replies_that_share_a_record_need_no_further_bytes_on_the_socket() {
    let identity = Identity::self_signed(["127.0.0.1"]);
    let (port, thread) = inside_tls(identity.config(), |mut tls| {
        // More than a session reads at once, in one write.
        let many = "220-hi\r\n".repeat(20_000) + "220 there\r\n";
        tls.write_all(many.as_bytes()).unwrap();
        drop(tls.read_to_end(&mut Vec::new()));
    });
    let session = Connect::new("127.0.0.1", port).open().unwrap();
    let (mut session, _) = session.upgrade(&Config::new().insecure()).unwrap();
    let mut lines = 0;
    while session.outstanding() > 0 {
        session.receive(Duration::from_secs(10)).unwrap();
        while session.is_ready() {
            session.read_line().unwrap().unwrap();
            lines += 1;
        }
    }
    assert_eq!(lines, 20_001);
    drop(session);
    thread.join().unwrap();
}

#[test]
fn keys_that_change_underway_disturb_nothing() {
    let identity = Identity::self_signed(["127.0.0.1"]);
    let (port, server) = inside_tls(identity.config(), |mut tls| {
        let mut line = [0; 6];
        tls.write_all(b"220 hi\r\n").unwrap();
        for _ in 0..100 {
            tls.conn.refresh_traffic_keys().unwrap();
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

#[test]
fn anybodys_tls_can_be_put_around_the_stream() {
    struct Rot13(Arc<dyn Stream>);
    fn turn(byte: u8) -> u8 {
        match byte {
            b'a'..=b'z' => (byte - b'a' + 13) % 26 + b'a',
            b'A'..=b'Z' => (byte - b'A' + 13) % 26 + b'A',
            other => other,
        }
    }
    impl Stream for Rot13 {
        fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.0.read(buffer)?;
            buffer[..count].iter_mut().for_each(|byte| *byte = turn(*byte));
            Ok(count)
        }
        fn write(&self, bytes: &[u8]) -> io::Result<usize> {
            self.0.write(&bytes.iter().map(|byte| turn(*byte)).collect::<Vec<_>>())
        }
        fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
            self.0.set_read_timeout(timeout)
        }
        fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
            self.0.set_write_timeout(timeout)
        }
        fn half_close(&self) -> io::Result<()> {
            self.0.half_close()
        }
        fn shutdown(&self) -> io::Result<()> {
            self.0.shutdown()
        }
    }
    let server =
        Server::play("S: 220 hi\nC: STARTTLS\nS: 220 go\nC: RUYB k\nS: 250 zk\nC: DHVG\nS: 221 olr\nS: *close*")
            .unwrap();
    let (mut session, ()) =
        due(Driver::Blocking, server.port()).blocking().upgrade_with(|under| Ok((Arc::new(Rot13(under)), ()))).unwrap();
    assert_eq!(session.command("EHLO x").unwrap().text(), b"mx");
    assert_eq!(session.quit().unwrap().text(), b"bye");
    server.join().unwrap();
}
