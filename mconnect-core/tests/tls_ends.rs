//! How sessions inside TLS end.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod driven;

use std::error::Error as _;
use std::future::{Future, poll_fn};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::mpsc::channel;
use std::task::Poll;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use driven::{DRIVERS, Driven, Driver};
use mconnect_core::server::{Identity, Setup};
use mconnect_core::tls::{Config, rustls};
use mconnect_core::{AsyncSession, Connect, Error, Timeouts};
use tokio::runtime::Builder;

/// A session after the greeting, inside TLS from the first byte on.
fn inside_tls(driver: Driver, port: u16) -> Driven {
    let session = driver.open(&Connect::new("127.0.0.1", port)).unwrap();
    let (mut session, _) = session.upgrade(&Config::new().insecure()).unwrap();
    session.read_reply().unwrap().require(220).unwrap();
    session
}

/// A server whose part is played by a closure.
fn peer<T: Send + 'static>(act: impl FnOnce(TcpStream) -> T + Send + 'static) -> (u16, JoinHandle<T>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    (port, thread::spawn(move || act(listener.accept().unwrap().0)))
}

fn cause(error: &Error) -> String {
    error.source().unwrap().to_string()
}

#[test]
fn an_end_without_close_notify_is_told_after_everything_that_came() {
    for driver in DRIVERS {
        let identity = Identity::self_signed(["127.0.0.1"]);
        let server = Setup::new().tls_that_truncates(&identity).tls_first().start().unwrap();
        let mut session = inside_tls(driver, server.port());
        session.send_line("QUIT").unwrap();
        session.read_reply().unwrap().require(221).unwrap();
        let error = session.read_line().unwrap_err();
        assert!(error.is_truncation(), "{error:?}");
        assert_eq!(cause(&error), "the connection ended without TLS's close_notify");
        assert!(session.read_line().is_err() || session.read_line().unwrap().is_none());

        let server = Setup::new().tls(&identity).tls_first().start().unwrap();
        let mut session = inside_tls(driver, server.port());
        session.command("QUIT").unwrap().require(221).unwrap();
        assert!(session.read_line().unwrap().is_none());
    }
}

/// Polls a future so often, and says whether it waits still.
async fn waits(mut work: Pin<&mut dyn Future<Output = ()>>, times: usize) -> bool {
    for _ in 0..times {
        if poll_fn(|context| Poll::Ready(work.as_mut().poll(context).is_ready())).await {
            return false;
        }
        tokio::task::yield_now().await;
    }
    true
}

#[test]
fn a_future_dropped_while_a_record_is_on_its_way_leaves_a_session_that_says_so_and_never_sends_the_rest() {
    let identity = Identity::self_signed(["127.0.0.1"]);
    type Send = for<'a> fn(&'a mut AsyncSession) -> Pin<Box<dyn Future<Output = ()> + 'a>>;
    let cases: [(&str, Send); 3] = [
        ("send", |session| Box::pin(async { drop(session.send(&vec![b'x'; 32 << 20]).await) })),
        ("a group", |session| Box::pin(async { drop(session.pipeline_anyway([vec![b'x'; 32 << 20]]).await) })),
        ("a message", |session| Box::pin(async { drop(session.message(&vec![b'x'; 32 << 20][..]).await) })),
    ];
    for (what, send) in cases {
        let (config, (here, gone)) = (identity.config(), channel::<()>());
        let (port, thread) = peer(move |mut stream| {
            let mut connection = rustls::ServerConnection::new(config).unwrap();
            let mut tls = rustls::Stream::new(&mut connection, &mut stream);
            tls.write_all(b"220 hi\r\n").unwrap();
            let mut came = Vec::new();
            if what == "a message" {
                tls.read_exact(&mut [0; 6]).unwrap();
                tls.write_all(b"354 go\r\n").unwrap();
            }
            let _ = gone.recv();
            (tls.read_to_end(&mut came).map_err(|error| error.kind()), came)
        });
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let timeouts = Timeouts::default().closing(Duration::from_millis(200));
            let session = Connect::new("127.0.0.1", port).timeouts(timeouts).open_async().await.unwrap();
            let (mut session, _) = session.upgrade(&Config::new().insecure()).await.unwrap();
            session.greeting().await.unwrap();
            if what == "a message" {
                session.command("DATA").await.unwrap().require(354).unwrap();
            }
            assert!(waits(send(&mut session).as_mut(), 100).await, "{what}: the server reads nothing");
            let is_unfinished = |error| matches!(error, Error::Unfinished { .. });
            assert!(is_unfinished(session.command("NOOP").await.unwrap_err()), "{what}");
            assert!(is_unfinished(session.send(b"\r\n.\r\n").await.unwrap_err()), "{what}");
            assert!(is_unfinished(session.message(&b"hi\n"[..]).await.unwrap_err()), "{what}");
            drop(here);
            drop(session.close().await);
        });
        let (end, came) = thread.join().unwrap();
        assert_eq!(end, Err(io::ErrorKind::UnexpectedEof), "{what}: the end came without TLS's farewell");
        assert!(came.len() < 32 << 20 && came.iter().all(|byte| *byte == b'x'), "{what}: {} octets", came.len());
    }
}

#[test]
fn a_handshake_dropped_on_its_way_ends_the_connection_and_nothing_follows_in_the_clear() {
    type Start = fn(AsyncSession) -> Pin<Box<dyn Future<Output = ()>>>;
    let cases: [(&str, Start); 2] = [
        ("STARTTLS", |session| Box::pin(async { drop(session.starttls(&Config::new().insecure()).await) })),
        ("", |session| Box::pin(async { drop(session.upgrade(&Config::new().insecure()).await) })),
    ];
    for (command, start) in cases {
        let (is_there, all_read) = channel();
        let (port, thread) = peer(move |mut stream| {
            if !command.is_empty() {
                stream.write_all(b"220 hi\r\n").unwrap();
                stream.read_exact(&mut [0; 10]).unwrap();
                stream.write_all(b"220 go\r\n").unwrap();
            }
            // The ClientHello, to which nothing is said.
            let mut hello = [0; 5];
            stream.read_exact(&mut hello).unwrap();
            let mut rest = vec![0; usize::from(u16::from_be_bytes([hello[3], hello[4]]))];
            stream.read_exact(&mut rest).unwrap();
            is_there.send(()).unwrap();
            let mut after = Vec::new();
            stream.read_to_end(&mut after).map(|_| after)
        });
        Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let mut session = Connect::new("127.0.0.1", port).open_async().await.unwrap();
            if !command.is_empty() {
                session.greeting().await.unwrap();
            }
            let mut starting = start(session);
            while all_read.try_recv().is_err() {
                assert!(waits(starting.as_mut(), 1).await, "the server does not shake hands");
            }
        });
        assert!(thread.join().unwrap().unwrap().is_empty(), "{command}");
    }
}

/// Exim does so at the end of what it receives.
#[test]
fn a_goodbye_in_plain_text_after_the_other_side_has_ended_is_an_end_without_close_notify() {
    for driver in DRIVERS {
        let identity = Identity::self_signed(["127.0.0.1"]);
        let config = identity.config();
        let (port, thread) = peer(move |mut socket| {
            let mut connection = rustls::ServerConnection::new(config).unwrap();
            let mut stream = rustls::Stream::new(&mut connection, &mut socket);
            stream.write_all(b"220 hi\r\n").unwrap();
            assert_eq!(stream.read(&mut [0]).unwrap(), 0);
            socket.write_all(b"421 lost input\r\n").unwrap();
        });
        let mut session = inside_tls(driver, port);
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
        let identity = Identity::self_signed(["127.0.0.1"]);
        let config = identity.config();
        let (port, thread) = peer(move |mut stream| {
            let mut connection = rustls::ServerConnection::new(config).unwrap();
            let mut tls = rustls::Stream::new(&mut connection, &mut stream);
            tls.write_all(b"220 hi\r\n").unwrap();
            let mut sent = Vec::new();
            // Without a close_notify this would be an error.
            tls.read_to_end(&mut sent).unwrap();
            tls.write_all(b"250 after the end\r\n").unwrap();
            connection.send_close_notify();
            connection.complete_io(&mut stream).unwrap();
            sent
        });
        let mut session = inside_tls(driver, port);
        session.send_line("NOOP").unwrap();
        session.half_close().unwrap();
        assert_eq!(session.read_reply().unwrap().text(), b"after the end");
        assert!(session.read_line().unwrap().is_none());
        assert_eq!(thread.join().unwrap(), b"NOOP\r\n");
    }
}

/// A server that speaks one version of TLS, and whose part is played by a closure.
fn speaking<T: Send + 'static>(
    version: &'static rustls::SupportedProtocolVersion,
    act: impl FnOnce(rustls::Stream<'_, rustls::ServerConnection, TcpStream>) -> T + Send + 'static,
) -> (u16, JoinHandle<T>) {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

    let identity = Identity::self_signed(["127.0.0.1"]);
    let chain = CertificateDer::pem_slice_iter(identity.pem().as_bytes()).map(Result::unwrap).collect();
    let key = PrivatePkcs8KeyDer::from(identity.key().to_vec());
    let provider = rustls::crypto::ring::default_provider().into();
    let builder = rustls::ServerConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    let config = builder.with_no_client_auth().with_single_cert(chain, key.into()).unwrap();
    peer(move |mut socket| {
        let mut connection = rustls::ServerConnection::new(config.into()).unwrap();
        act(rustls::Stream::new(&mut connection, &mut socket))
    })
}

#[test]
fn a_close_notify_of_tls_1_2_is_answered_at_once_and_nothing_is_sent_after_it() {
    for driver in DRIVERS {
        let (port, thread) = speaking(&rustls::version::TLS12, |mut stream| {
            stream.write_all(b"220 hi\r\n").unwrap();
            stream.conn.send_close_notify();
            // Not before it is answered does this end.
            stream.read_to_end(&mut Vec::new())
        });
        let mut session = inside_tls(driver, port);
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
            let (port, thread) = speaking(&rustls::version::TLS13, |mut stream| {
                stream.write_all(b"220 hi\r\n").unwrap();
                stream.conn.send_close_notify();
                let mut sent = Vec::new();
                stream.read_to_end(&mut sent).map(|_| sent)
            });
            let mut session = inside_tls(driver, port);
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
            let (port, thread) = speaking(version, |mut stream| {
                stream.conn.complete_io(stream.sock).unwrap();
                stream.conn.writer().write_all(b"220 hi\r\n").unwrap();
                stream.conn.send_close_notify();
                stream.read_to_end(&mut Vec::new())
            });
            let mut session = inside_tls(driver, port);
            assert!(session.read_line().unwrap().is_none());
            drop(session);
            assert_eq!(thread.join().unwrap().unwrap(), 0);
        }
    }
}
