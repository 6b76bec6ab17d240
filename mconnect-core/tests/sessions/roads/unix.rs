//! UNIX sockets.

use std::io::Write as _;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use mconnect_core::diagnosis::{Evidence, Facts};
use mconnect_core::{Closer, Connect, Error, Timeouts};
use socket2::{Domain, SockAddr, Socket, Type};

use super::{Log, patient};
use crate::common::driven::DRIVERS;

fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp.sock");
    (folder, path)
}

#[test]
fn a_session_goes_over_a_unix_socket_and_its_path_is_the_name_of_the_other_end() {
    for driver in DRIVERS {
        let (_folder, path) = place();
        let listener = UnixListener::bind(&path).unwrap();
        let server = thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            stream.write_all(b"220 hi\r\n").unwrap();
            stream
        });
        let log = Log::default();
        let name = path.to_str().unwrap();
        let connect = log.watch(Connect::unix(&path)).timeouts(patient()).name_by(|_| Some("process 1".to_owned()));
        // No proxy is on the way, and none is told.
        let connect = connect.via("socks5://127.0.0.1:1080".parse().unwrap());
        let mut session = driver.open(&connect).unwrap();
        session.greeting().unwrap().require(220).unwrap();
        drop(server.join().unwrap());
        let error = session.command("NOOP").unwrap_err().to_string();
        assert!(error.contains(&format!("{name} (process 1)")), "{driver:?}: {error}");
        assert_eq!((session.local_address(), session.peer().address()), (None, None));
        let told = [format!("connecting to {name}"), format!("connected to {name} (process 1)")];
        assert_eq!(*log.0.lock().unwrap(), told);
    }
}

#[test]
fn a_socket_that_is_not_there_that_nobody_listens_at_and_that_is_forbidden_are_told_apart() {
    let (folder, gone) = place();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let silent = folder.path().join("silent");
    drop(UnixListener::bind(&silent).unwrap());
    let long = PathBuf::from(format!("/{}", "x".repeat(200)));
    let below = file.join("lmtp");
    for driver in DRIVERS {
        for (path, cause) in [
            (&gone, Some("no_socket")),
            (&file, Some("nobody_at_socket")),
            (&silent, Some("nobody_at_socket")),
            (&long, None),
            (&below, None),
        ] {
            let (evidence, log) = (Evidence::new(), Log::default());
            let error = driver.open(&log.watch(Connect::unix(path)).observer(evidence.clone())).unwrap_err();
            assert_eq!(error.to_string(), format!("cannot connect to {}", path.display()));
            assert!(matches!(&error, Error::Connect { attempts, port: 0, .. } if attempts.is_empty()));
            evidence.failed(&error);
            let found = evidence.findings(&Facts::new()).first().map(|found| found.cause.id());
            assert_eq!(found, cause, "{driver:?}: {}", error.chain());
            assert!(log.until("failed: ")[1].ends_with(", false"));
        }
    }
}

/// A socket whose place for those who wait to be accepted is full.
fn full(path: &PathBuf) -> (Socket, Vec<Socket>) {
    let (listener, address) = (Socket::new(Domain::UNIX, Type::STREAM, None).unwrap(), SockAddr::unix(path).unwrap());
    listener.bind(&address).unwrap();
    listener.listen(0).unwrap();
    let mut waiting = Vec::new();
    loop {
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        match socket.connect(&address) {
            Ok(()) => waiting.push(socket),
            Err(_) => return (listener, waiting),
        }
        assert!(waiting.len() < 100, "the backlog has no end");
    }
}

#[test]
fn a_server_that_accepts_nothing_is_waited_for_until_the_deadline_or_until_it_does() {
    for driver in DRIVERS {
        let (_folder, path) = place();
        let (listener, waiting) = full(&path);
        let mut timeouts = Timeouts::default();
        timeouts.attempt = Duration::from_millis(50);
        let error = driver.open(&Connect::unix(&path).timeouts(timeouts)).unwrap_err();
        assert!(matches!(&error, Error::Connect { source, .. } if source.kind() == std::io::ErrorKind::TimedOut));
        let late = driver.open(&Connect::unix(&path).deadline(Duration::from_millis(50))).unwrap_err();
        assert!(late.chain().contains("the deadline of the whole session"), "{}", late.chain());
        let accepting = thread::spawn(move || {
            // The clients that wait have to go on waiting, so that there is room for one more.
            let accepted = listener.accept().unwrap();
            (listener, accepted)
        });
        let session = driver.open(&Connect::unix(&path).timeouts(patient())).unwrap();
        drop((session, waiting, accepting.join().unwrap()));
    }
}

#[test]
fn a_closer_ends_the_wait_for_a_full_socket() {
    let (_folder, path) = place();
    let _full = full(&path);
    let closer = Closer::new();
    let theirs = closer.clone();
    let waiting = thread::spawn(move || Connect::unix(path).open_with(&theirs).unwrap_err());
    closer.close();
    let error = waiting.join().unwrap();
    assert!(error.chain().contains("closed from this side"), "{}", error.chain());
}
