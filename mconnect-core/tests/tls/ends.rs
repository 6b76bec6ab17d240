//! How sessions inside TLS end.

use std::error::Error as _;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use mconnect_core::server::{Identity, Setup};
use mconnect_core::tls::{Config, rustls};
use mconnect_core::{Connect, Error, Timeouts};

use super::inside_tls;
use crate::common::driven::{DRIVERS, Driven, Driver};

/// A session after the greeting, inside TLS from the first byte on.
fn entered(driver: Driver, port: u16) -> Driven {
    let session = driver.open(&Connect::new("127.0.0.1", port)).unwrap();
    let (mut session, _) = session.upgrade(&Config::new().insecure()).unwrap();
    session.read_reply().unwrap().require(220).unwrap();
    session
}

fn config() -> Arc<rustls::ServerConfig> {
    Identity::self_signed(["127.0.0.1"]).config()
}

fn cause(error: &Error) -> String {
    error.source().unwrap().to_string()
}

#[test]
fn an_end_without_close_notify_is_told_after_everything_that_came() {
    for driver in DRIVERS {
        let identity = Identity::self_signed(["127.0.0.1"]);
        let server = Setup::new().tls_that_truncates(&identity).tls_first().start().unwrap();
        let mut session = entered(driver, server.port());
        session.send_line("QUIT").unwrap();
        session.read_reply().unwrap().require(221).unwrap();
        let error = session.read_line().unwrap_err();
        assert!(error.is_truncation(), "{error:?}");
        assert_eq!(cause(&error), "the connection ended without TLS's close_notify");
        assert!(!matches!(session.read_line(), Ok(Some(_))), "nothing comes after it");

        let server = Setup::new().tls(&identity).tls_first().start().unwrap();
        let mut session = entered(driver, server.port());
        session.command("QUIT").unwrap().require(221).unwrap();
        assert!(session.read_line().unwrap().is_none());
    }
}

/// Exim does so at the end of what it receives.
#[test]
fn a_goodbye_in_plain_text_after_the_other_side_has_ended_is_an_end_without_close_notify() {
    for driver in DRIVERS {
        let (port, thread) = inside_tls(config(), |mut tls| {
            tls.write_all(b"220 hi\r\n").unwrap();
            assert_eq!(tls.read(&mut [0]).unwrap(), 0);
            tls.sock.write_all(b"421 lost input\r\n").unwrap();
        });
        let mut session = entered(driver, port);
        session.half_close().unwrap();
        let error = session.read_line().unwrap_err();
        assert!(error.is_truncation(), "{error:?}");
        let told = cause(&error);
        assert_eq!(told, "the server left TLS without its close_notify, and went on with \"421 lost input\"");
        thread.join().unwrap();
    }
}

#[test]
fn half_closing_says_close_notify_and_what_the_server_still_says_arrives() {
    for driver in DRIVERS {
        let (port, thread) = inside_tls(config(), |mut tls| {
            tls.write_all(b"220 hi\r\n").unwrap();
            let mut sent = Vec::new();
            // Without a close_notify this would be an error.
            tls.read_to_end(&mut sent).unwrap();
            tls.write_all(b"250 after the end\r\n").unwrap();
            tls.conn.send_close_notify();
            tls.conn.complete_io(tls.sock).unwrap();
            sent
        });
        let mut session = entered(driver, port);
        session.send_line("NOOP").unwrap();
        session.half_close().unwrap();
        assert_eq!(session.read_reply().unwrap().text(), b"after the end");
        assert!(session.read_line().unwrap().is_none());
        assert_eq!(thread.join().unwrap(), b"NOOP\r\n");
    }
}

fn config_of(version: &'static rustls::SupportedProtocolVersion) -> Arc<rustls::ServerConfig> {
    super::speaking(&Identity::self_signed(["127.0.0.1"]), version)
}

#[test]
fn a_close_notify_of_tls_1_2_is_answered_at_once_and_nothing_is_sent_after_it() {
    for driver in DRIVERS {
        let (port, thread) = inside_tls(config_of(&rustls::version::TLS12), |mut stream| {
            stream.write_all(b"220 hi\r\n").unwrap();
            stream.conn.send_close_notify();
            // Not before it is answered does this end.
            stream.read_to_end(&mut Vec::new())
        });
        let mut session = entered(driver, port);
        assert!(session.read_line().unwrap().is_none());
        assert_eq!(thread.join().unwrap().unwrap(), 0);
        let error = session.send_line("NOOP").unwrap_err();
        assert_eq!(error.source().unwrap().to_string(), "broken pipe");
    }
}

#[test]
fn a_close_notify_of_tls_1_3_leaves_the_other_direction_open_and_is_answered_at_its_end() {
    for driver in DRIVERS {
        for half_closes in [true, false] {
            let (port, thread) = inside_tls(config_of(&rustls::version::TLS13), |mut stream| {
                stream.write_all(b"220 hi\r\n").unwrap();
                stream.conn.send_close_notify();
                let mut sent = Vec::new();
                stream.read_to_end(&mut sent).map(|_| sent)
            });
            let mut session = entered(driver, port);
            assert!(session.read_line().unwrap().is_none());
            session.send_line("NOOP").unwrap();
            if half_closes {
                session.half_close().unwrap();
            }
            drop(session);
            assert_eq!(thread.join().unwrap().unwrap(), b"NOOP\r\n");
        }
    }
}

#[test]
fn an_end_that_came_with_the_last_words_is_told_while_the_connection_stays_open() {
    for driver in DRIVERS {
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let (port, thread) = inside_tls(config_of(version), |mut stream| {
                stream.conn.complete_io(stream.sock).unwrap();
                stream.conn.writer().write_all(b"220 hi\r\n").unwrap();
                stream.conn.send_close_notify();
                stream.read_to_end(&mut Vec::new())
            });
            let mut session = entered(driver, port);
            assert!(session.read_line().unwrap().is_none());
            drop(session);
            assert_eq!(thread.join().unwrap().unwrap(), 0);
        }
    }
}

#[test]
fn closing_says_close_notify() {
    for driver in DRIVERS {
        let (port, thread) = inside_tls(config(), |mut tls| {
            tls.write_all(b"220 hi\r\n").unwrap();
            let mut sent = Vec::new();
            // A connection that ends without it is an error here.
            tls.read_to_end(&mut sent).map(|_| sent)
        });
        entered(driver, port).close().unwrap();
        assert!(thread.join().unwrap().unwrap().is_empty());
    }
}

#[cfg(unix)]
#[test]
fn a_farewell_for_which_there_is_no_room_is_given_up_in_the_time_of_closing() {
    use std::os::unix::net::UnixStream;

    let closing = Duration::from_millis(200);
    for splits in [false, true] {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let (mut socket, (here, gone)) = (ours.try_clone().unwrap(), channel::<()>());
        let server = thread::spawn(move || {
            let mut connection = rustls::ServerConnection::new(config()).unwrap();
            rustls::Stream::new(&mut connection, &mut theirs).write_all(b"220 hi\r\n").unwrap();
            let _ = gone.recv();
        });
        let session = Connect::new("127.0.0.1", 25).timeouts(Timeouts::default().closing(closing)).over(ours);
        let (mut session, _) = session.upgrade(&Config::new().insecure()).unwrap();
        session.greeting().unwrap();
        let mut end: Box<dyn FnMut() -> Result<(), Error>> = if splits {
            let (_, mut writer) = session.split();
            writer.send_line("NOOP").unwrap();
            Box::new(move || writer.half_close())
        } else {
            session.send_line("NOOP").unwrap();
            Box::new(move || session.half_close())
        };
        // The server reads nothing, until the system takes no more.
        let timeout = socket.write_timeout().unwrap();
        socket.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
        for block in [65536, 1] {
            while socket.write(&vec![0; block]).is_ok() {}
        }
        socket.set_write_timeout(timeout).unwrap();
        let start = Instant::now();
        let error = end().unwrap_err();
        let took = start.elapsed();
        assert!(error.is_timeout() && took >= closing && took < 20 * closing, "{took:?}: {error}");
        drop(here);
        server.join().unwrap();
    }
}
