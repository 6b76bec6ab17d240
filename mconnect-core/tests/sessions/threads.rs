//! What takes two threads, or none of its own: halves, closers, raw bytes, other streams.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::thread;
use std::time::Duration;

use mconnect_core::protocol::Phase;
use mconnect_core::server::Server;
use mconnect_core::{Closer, Connect, Error, Session};

use super::{connect, play, short};

#[test]
fn two_threads_read_and_write_and_the_one_that_waits_keeps_the_deadline() {
    let server = Server::play("S: 220 hi\nC: NOOP\nS: 250 ok\nC: NOOP\nC: *close*").unwrap();
    let session = connect(&server).timeouts(short()).open().unwrap();
    let (mut reader, mut writer) = session.split();
    let reading = thread::spawn(move || {
        let mut said = Vec::new();
        let end = loop {
            match reader.read_line() {
                Ok(Some(line)) => said.extend_from_slice(line.raw()),
                Ok(None) => panic!("the end was ours"),
                Err(error) => break error,
            }
        };
        (said, end, reader)
    });
    assert_eq!(writer.wait().unwrap(), Phase::Command);
    writer.send_line("NOOP").unwrap();
    assert_eq!(writer.wait().unwrap(), Phase::Command);
    assert_eq!(writer.standing().last_answer.unwrap().code, 250);
    writer.send_line("NOOP").unwrap();
    let error = writer.wait().unwrap_err();
    assert!(error.is_timeout() && error.has_sent(), "{error}");
    let (said, end, reader) = reading.join().unwrap();
    assert_eq!(said, b"220 hi\r\n250 ok\r\n");
    assert!(matches!(end, Error::Aborted { .. }), "{end}");
    let mut session = Session::unsplit(reader, writer);
    assert!(matches!(session.send(b"x"), Err(Error::Aborted { .. })));
    server.join().unwrap();
}

#[test]
fn a_closer_ends_a_blocked_read_a_blocked_write_and_connecting() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let connect = Connect::new("127.0.0.1", port);

    let (mut reader, mut writer) = connect.open().unwrap().split();
    let closer = writer.closer();
    let reading = thread::spawn(move || reader.read_reply().unwrap_err());
    let writing = thread::spawn(move || {
        let block = vec![b'x'; 1 << 20];
        loop {
            if let Err(error) = writer.send(&block) {
                break error;
            }
        }
    });
    // The server takes nothing, so both threads come to block; closing works as well before they do.
    closer.close();
    assert!(matches!(reading.join().unwrap(), Error::Aborted { .. }));
    assert!(matches!(writing.join().unwrap(), Error::Aborted { .. }));

    let closer = Closer::new();
    closer.close();
    match connect.open_with(&closer) {
        Err(Error::Connect { source, .. }) => assert_eq!(source.kind(), io::ErrorKind::ConnectionAborted),
        other => panic!("{other:?}"),
    }
    connect.open().unwrap();
}

#[test]
fn a_closer_closes_its_own_session_alone_and_keeps_none_open() {
    let server = Server::start().unwrap();
    let connect = connect(&server);
    let (mut first, mut second) = (connect.open().unwrap(), connect.clone().open().unwrap());
    first.closer().close();
    // The greeting may have been here before that.
    assert!(first.read_reply().and_then(|_| first.read_reply()).is_err());
    assert_eq!(second.read_reply().unwrap().code(), 220);

    let peer = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let session = Connect::new("127.0.0.1", peer.local_addr().unwrap().port()).open().unwrap();
    let closer = session.closer();
    drop(session);
    let (mut stream, _) = peer.accept().unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    assert!(!closer.is_closed());
}

#[test]
fn raw_mode_hands_over_what_was_read_already() {
    let (server, mut session) =
        play("S> 220 hi\\r\\nmore\\0\nC> a\\nb\\x04\nS> \\xff\\n\nC: *close*\nS> last\nS: *close*");
    session.read_reply().unwrap();
    let (mut reader, mut writer) = session.into_raw();
    writer.send(b"a\nb\x04").unwrap();
    let mut said = [0; 7];
    reader.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"more\0\xff\n");
    writer.half_close().unwrap();
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"last");
    assert!(writer.wait_end(Duration::from_secs(5)));
    server.join().unwrap();
}

#[test]
fn in_raw_mode_the_time_in_which_the_reader_is_busy_is_no_silence_of_the_servers() {
    let (server, session) = play("S> 220 hi\\r\\n\nC: *close*\nS: *close*");
    let (mut reader, mut writer) = session.into_raw();
    let mut said = [0; 8];
    reader.read_exact(&mut said).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let waiting = thread::spawn(move || {
        writer.half_close().unwrap();
        tell.send(writer.wait_end(Duration::from_millis(100))).unwrap();
    });
    // The server closes at once, which nobody has read yet.
    assert!(told.recv_timeout(Duration::from_millis(500)).is_err(), "it was given up");
    assert_eq!(reader.read(&mut said).unwrap(), 0);
    assert!(told.recv_timeout(Duration::from_secs(5)).unwrap());
    waiting.join().unwrap();
    server.join().unwrap();
}

#[cfg(unix)]
#[test]
fn a_unix_socket_is_a_stream_too() {
    use std::os::unix::net::UnixStream;
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.write_all(b"220 hi\r\n").unwrap();
    let mut session = Connect::new("socket", 25).timeouts(short()).over(ours);
    assert_eq!(session.read_reply().unwrap().code(), 220);
    assert!(session.command("NOOP").unwrap_err().is_timeout());
    session.half_close().unwrap();
    let mut sent = String::new();
    theirs.read_to_string(&mut sent).unwrap();
    assert_eq!(sent, "NOOP\r\n");
}
