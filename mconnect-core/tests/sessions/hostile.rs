//! Servers that mean harm, met by the library: every wait ends, memory stays small, and nothing is taken for what it is
//! not.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc::Receiver;
use std::thread::{self};
use std::time::{Duration, Instant};

use mconnect_core::protocol::Limits;
use mconnect_core::server::Server;
use mconnect_core::{Action, Connect, Error, Timeouts};
use socket2::{Domain, Socket, Type};

use crate::common::driven::{DRIVERS, Driven, Driver};
use crate::common::foe::{Foe, SHORT};

fn flood(stream: &mut TcpStream, words: &[u8]) -> io::Result<()> {
    let words = words.repeat(10_000);
    loop {
        stream.write_all(&words)?;
    }
}

/// An address at which connecting hangs: what listens there has no room for one more.
pub struct Hang {
    pub address: SocketAddr,
    _open: (Socket, Vec<TcpStream>),
}

impl Hang {
    pub fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let mut open = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            open.push(stream);
        }
        Self { address, _open: (socket, open) }
    }
}

#[test]
fn forty_addresses_that_all_hang_take_no_longer_than_the_deadline_of_all() {
    for driver in DRIVERS {
        let hang = Hang::new();
        let timeouts = Timeouts::default().attempt(Duration::from_millis(50)).connect(Duration::from_secs(1));
        let connect = Connect::new("mx.example.org", 25).timeouts(timeouts);
        let start = Instant::now();
        let error = connect.clone().addresses([hang.address; 40]).open().unwrap_err();
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(900) && took < Duration::from_secs(5), "{took:?}");
        let Error::Connect { attempts, source, .. } = error else { panic!("{error}") };
        assert!((2..40).contains(&attempts.len()), "{}", attempts.len());
        assert_eq!(source.kind(), io::ErrorKind::TimedOut);

        // With time enough, the one after them is reached.
        let server = Server::start().unwrap();
        let mut addresses = vec![hang.address; 40];
        addresses.push(server.address());
        let timeouts = Timeouts::default().attempt(Duration::from_millis(20));
        let mut session = driver.open(&connect.timeouts(timeouts).addresses(addresses)).unwrap();
        assert_eq!(session.read_reply().unwrap().code(), 220);
    }
}

#[test]
fn a_reset_right_after_connecting_loses_nothing_that_was_said_and_is_one() {
    for driver in DRIVERS {
        for _ in 0..20 {
            let mut foe = Foe::new(driver, |stream, _| {
                stream.write_all(b"554 go away\r\n")?;
                socket2::SockRef::from(&*stream).set_linger(Some(Duration::ZERO))
            });
            assert_eq!(foe.session.read_reply().unwrap().code(), 554);
            let error = foe.session.read_line().unwrap_err();
            let Error::Io { source, .. } = &error else { panic!("{driver:?}: {error}") };
            assert_eq!(source.kind(), io::ErrorKind::ConnectionReset, "{driver:?}");
            foe.end();
        }
    }
}

/// Does something to a session, which fails.
type Act = fn(&mut Driven) -> Result<(), Error>;

#[test]
fn a_reset_that_a_look_or_a_write_has_found_is_none_the_less_told_by_the_next_read() {
    let acts: [(&str, Act); 3] = [
        ("a look before a command", |session| session.command("NOOP").map(drop)),
        ("a look before a group", |session| match session.pipeline(["NOOP", "NOOP"]).map(drop) {
            Err(Error::Pipeline { source, .. }) => Err(*source),
            result => result,
        }),
        ("a write", |session| {
            session.send_line("NOOP").unwrap_err();
            session.read_line().map(drop)
        }),
    ];
    for driver in DRIVERS {
        for (name, act) in &acts {
            let mut foe = Foe::new(driver, |stream, gone| {
                stream.write_all(b"220 hi\r\n")?;
                let _ = gone.recv();
                socket2::SockRef::from(&*stream).set_linger(Some(Duration::ZERO))
            });
            assert_eq!(foe.session.greeting().unwrap().code(), 220);
            drop(foe.here);
            foe.thread.join().unwrap();
            let error = act(&mut foe.session).unwrap_err();
            let Error::Io { context, source } = &error else { panic!("{driver:?}, {name}: {error}") };
            assert_eq!((context.action, source.kind()), (Action::Read, io::ErrorKind::ConnectionReset), "{name}");
        }
    }
}

#[test]
fn what_never_ends_meets_a_limit_or_the_deadline() {
    for driver in DRIVERS {
        for words in [&b"250-x\r\n"[..], b"x", b"250-", b"\r\n", b"\0"] {
            let mut foe = Foe::new(driver, move |stream, _| flood(stream, words));
            let start = Instant::now();
            let error = foe.session.read_reply().unwrap_err();
            assert!(matches!(error, Error::Limit { .. }) || error.is_timeout(), "{error}");
            assert!(start.elapsed() < Duration::from_secs(5));
            foe.end();
        }
    }
}

#[test]
fn a_server_that_neither_reads_nor_stops_writing_is_given_up_and_a_250_from_it_accepts_nothing() {
    for driver in DRIVERS {
        for (words, code) in [(&b"250 fine\r\n"[..], None), (b"250-more\r\n", None), (b"552 full\r\n", Some(552))] {
            let limits = Limits::default().reply(64 * 1024);
            let mut foe = Foe::limited(driver, limits, move |stream, _| {
                stream.write_all(b"220 hi\r\n")?;
                stream.read_exact(&mut [0; 6])?;
                stream.write_all(b"354 go\r\n")?;
                flood(stream, words)
            });
            foe.session.read_reply().unwrap();
            let start = Instant::now();
            let answer = foe.session.message(io::repeat(b'x').take(1 << 30));
            assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
            match (answer, code) {
                (Ok(reply), Some(code)) => assert_eq!(reply.reply().code(), code),
                (Err(error), None) => assert!(error.is_timeout(), "{error}"),
                (answer, _) => panic!("{words:?}: {answer:?}"),
            }
            foe.end();
        }
    }
}

#[test]
fn halves_and_raw_streams_give_up_a_server_that_never_reads() {
    let silent = |stream: &mut TcpStream, gone: &Receiver<()>| {
        stream.write_all(b"220 hi\r\n")?;
        let _ = gone.recv();
        Ok(())
    };
    let block = vec![b'x'; 64 << 20];
    let Foe { session, here, thread } = Foe::new(Driver::Blocking, silent);
    let (mut reader, mut writer) = session.blocking().split();
    let reading = thread::spawn(move || while let Ok(Some(_)) = reader.read_line() {});
    let error = writer.send(&block).unwrap_err();
    assert!(error.is_timeout(), "{error}");
    writer.closer().close();
    reading.join().unwrap();
    drop((writer, here));
    thread.join().unwrap();

    let Foe { session, here, thread } = Foe::new(Driver::Blocking, silent);
    let (_reader, mut writer) = session.blocking().into_raw();
    let error = writer.send(&block).unwrap_err();
    assert!(error.is_timeout(), "{error}");
    drop((writer, here));
    thread.join().unwrap();
}

#[test]
fn silence_counts_from_when_it_is_waited_for() {
    let Foe { session, here, thread } = Foe::new(Driver::Blocking, |stream, gone| {
        stream.write_all(b"220 hi\r\n")?;
        let _ = gone.recv();
        Ok(())
    });
    let (mut reader, mut writer) = session.blocking().into_raw();
    let reading = thread::spawn(move || while reader.read(&mut [0; 100]).is_ok_and(|count| count > 0) {});
    for _ in 0..2 {
        let start = Instant::now();
        assert!(!writer.wait_end(SHORT));
        assert!(start.elapsed() >= SHORT, "{:?}", start.elapsed());
    }
    drop(here);
    thread.join().unwrap();
    assert!(writer.wait_end(SHORT));
    reading.join().unwrap();
}
