//! Through proxies: ones that do as they should, that refuse, lie, stall, close, and inject.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mconnect_core::diagnosis::{Evidence, Facts};
use mconnect_core::server::Server;
use mconnect_core::{Closer, Connect, Error, Event, ProxyHeader, Timeouts, Trace, TraceForm, observer_fn};

use super::{Log, patient};
use crate::common::driven::DRIVERS;

/// A proxy for one client, which reads so much before each thing it says, and then goes between.
struct Fake {
    port: u16,
    thread: JoinHandle<Vec<u8>>,
}

impl Fake {
    fn start(turns: Vec<(usize, Vec<u8>)>, then: Then) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = thread::spawn(move || {
            let mut client = listener.accept().unwrap().0;
            client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let mut heard = Vec::new();
            for (count, says) in turns {
                let mut block = vec![0; count];
                client.read_exact(&mut block).unwrap();
                heard.extend(block);
                client.write_all(&says).unwrap();
            }
            match then {
                Then::Close => drop(client),
                Then::Wait => drop(client.read_to_end(&mut heard)),
                Then::Go(port) => between(client, TcpStream::connect(("127.0.0.1", port)).unwrap()),
            }
            heard
        });
        Self { port, thread }
    }

    fn url(&self, start: &str) -> String {
        format!("{start}127.0.0.1:{}", self.port)
    }
}

/// What it does after its turns.
enum Then {
    Close,
    /// Says nothing more.
    Wait,
    Go(u16),
}

fn between(client: TcpStream, server: TcpStream) {
    let copy = |mut from: TcpStream, mut to: TcpStream| {
        thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        })
    };
    let there = copy(client.try_clone().unwrap(), server.try_clone().unwrap());
    copy(server, client).join().unwrap();
    there.join().unwrap();
}

const GRANTED: &[u8] = b"\x05\0\0\x01\0\0\0\0\0\0";
const PASSWORD_ASKED: &[u8] = b"\x05\x02";

#[test]
fn a_session_goes_through_each_kind_of_proxy_and_says_so() {
    for driver in DRIVERS {
        for (start, turns, asked) in [
            ("socks5://", vec![(3, b"\x05\0".to_vec()), (10, GRANTED.to_vec())], &b"\x05\x01\0\x01\x7f\0\0\x01"[..]),
            ("socks5h://", vec![(3, b"\x05\0".to_vec()), (21, GRANTED.to_vec())], b"\x05\x01\0\x03\x0emx.example.org"),
            (
                "socks5h://joe:sesame@",
                vec![(4, PASSWORD_ASKED.to_vec()), (12, b"\x01\0".to_vec()), (21, GRANTED.to_vec())],
                b"\x05\x01\0\x03\x0emx.example.org",
            ),
            ("http://", vec![(0, b"HTTP/1.1 200 ok\r\nX: y\r\n\r\n".to_vec())], b"CONNECT mx.example.org:"),
        ] {
            let server = Server::start().unwrap();
            let mut turns = turns;
            if start == "http://" {
                turns[0].0 = head(server.port());
            }
            let proxy = Fake::start(turns, Then::Go(server.port()));
            let host = if start == "socks5://" { "127.0.0.1" } else { "mx.example.org" };
            let log = Log::default();
            let connect = log.watch(Connect::new(host, server.port())).timeouts(patient());
            let mut session = driver.open(&connect.via(proxy.url(start).parse().unwrap())).unwrap();
            session.greeting().unwrap().require(220).unwrap();
            let shown = format!("{}://127.0.0.1:{}", start.split(':').next().unwrap(), proxy.port);
            assert_eq!(session.peer().via(), Some(shown.as_str()));
            let peer = match start {
                "socks5://" => format!("127.0.0.1:{} (via {shown})", server.port()),
                _ => format!("mx.example.org (via {shown})"),
            };
            assert_eq!(log.0.lock().unwrap()[..], [format!("connecting to {peer}"), format!("connected to {peer}")]);
            session.quit().unwrap().require(221).unwrap();
            let heard = proxy.thread.join().unwrap();
            assert!(heard.windows(asked.len()).any(|part| part == asked), "{}", heard.escape_ascii());
        }
    }
}

/// How many octets ask HTTP's proxies for this port.
fn head(port: u16) -> usize {
    format!("CONNECT mx.example.org:{port} HTTP/1.1\r\nHost: mx.example.org:{port}\r\n\r\n").len()
}

#[test]
fn what_comes_right_behind_the_proxys_answer_is_the_servers_and_belongs_to_the_session() {
    for driver in DRIVERS {
        for (start, turns) in [
            (
                "http://",
                vec![(head(25), b"HTTP/1.1 200 ok\r\nContent-Length: 8\r\n\r\n220 hi\r\n250 early\r\n".to_vec())],
            ),
            ("socks5h://", vec![(3, b"\x05\0".to_vec()), (21, [GRANTED, b"220 hi\r\n250 early\r\n"].concat())]),
        ] {
            let proxy = Fake::start(turns, Then::Wait);
            let connect = Connect::new("mx.example.org", 25).timeouts(patient());
            let mut session = driver.open(&connect.via(proxy.url(start).parse().unwrap())).unwrap();
            assert_eq!(session.greeting().unwrap().text(), b"hi");
            assert_eq!(
                session.read_line().unwrap().unwrap(),
                b"250 early\r\n",
                "what is injected is seen as what it is"
            );
            drop(session);
            proxy.thread.join().unwrap();
        }
    }
}

#[test]
fn proxies_that_refuse_lie_stall_and_close_are_told_apart_and_their_passwords_nowhere() {
    let long = [b"HTTP/1.1 200 ok\r\nX: ".to_vec(), vec![b'x'; 20_000]].concat();
    let http = "CONNECT mx.example.org:25 HTTP/1.1\r\nHost: mx.example.org:25\r\nProxy-Authorization: Basic am9lOnNlc2FtZQ==\r\n\r\n".len();
    for driver in DRIVERS {
        for (start, turns, then, told, cause) in [
            ("socks5h", vec![(4, b"\x04\x5a".to_vec())], Then::Wait, "does not speak SOCKS 5", "no_proxy"),
            ("socks5h", vec![(4, b"220 mx\r\n".to_vec())], Then::Wait, "answers \"22\"", "no_proxy"),
            ("socks5h", vec![(4, b"\x05\x09".to_vec())], Then::Wait, "was not offered", "no_proxy"),
            ("socks5h", vec![(4, b"\x05\xff".to_vec())], Then::Wait, "takes neither", "proxy_login"),
            (
                "socks5h",
                vec![(4, PASSWORD_ASKED.to_vec()), (12, b"\x01\x02".to_vec())],
                Then::Wait,
                "refuses the user",
                "proxy_login",
            ),
            (
                "socks5h",
                vec![(4, b"\x05\0".to_vec()), (21, b"\x05\x05\0\x01".to_vec())],
                Then::Wait,
                "(reply code 5)",
                "proxy_refuses",
            ),
            (
                "socks5h",
                vec![(4, b"\x05\0".to_vec()), (21, b"\x05\x77\0\x01".to_vec())],
                Then::Wait,
                "reply code 119",
                "proxy_refuses",
            ),
            (
                "socks5h",
                vec![(4, b"\x05\0".to_vec()), (21, b"\x05\0\0\x09".to_vec())],
                Then::Wait,
                "address that is unknown",
                "no_proxy",
            ),
            ("socks5h", vec![(4, b"".to_vec())], Then::Close, "closed the connection before", "proxy_fails"),
            ("socks5h", vec![(4, b"\x05".to_vec())], Then::Wait, "did not answer in time", "proxy_fails"),
            (
                "socks5h",
                vec![(4, b"\x05\0".to_vec()), (21, b"\x05\0\0\x03\xff".to_vec())],
                Then::Wait,
                "did not answer in time",
                "proxy_fails",
            ),
            (
                "http",
                vec![(http, b"HTTP/1.1 407 no\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n<html>".to_vec())],
                Then::Wait,
                "refuses the user or the password (Basic realm=\"x\")",
                "proxy_login",
            ),
            (
                "http",
                vec![(http, b"HTTP/1.0 403 Access violation\r\n\r\n<html>".to_vec())],
                Then::Close,
                "refuses: HTTP/1.0 403 Access violation",
                "proxy_refuses",
            ),
            (
                "http",
                vec![(http, b"HTTP/1.1 502 \x1b[31m\r\n\r\n".to_vec())],
                Then::Close,
                "refuses: HTTP/1.1 502 \\x1b[31m",
                "proxy_refuses",
            ),
            ("http", vec![(http, b"\x05\0".to_vec())], Then::Wait, "does not speak HTTP", "no_proxy"),
            ("http", vec![(http, long.clone())], Then::Close, "a head that does not end", "no_proxy"),
            (
                "http",
                vec![(http, b"HTTP/1.1 200 ok\r\nX".to_vec())],
                Then::Close,
                "closed the connection before",
                "proxy_fails",
            ),
            (
                "http",
                vec![(http, b"HTTP/1.1 200 ok\r\nX".to_vec())],
                Then::Wait,
                "did not answer in time",
                "proxy_fails",
            ),
        ] {
            let proxy = Fake::start(turns, then);
            let mut timeouts = Timeouts::default();
            timeouts.attempt =
                if told.contains("in time") { Duration::from_millis(100) } else { Duration::from_secs(10) };
            let (evidence, everything) = (Evidence::new(), Arc::new(Mutex::new(String::new())));
            let (traced, seen) = (Arc::clone(&everything), Arc::clone(&everything));
            let connect = Connect::new("mx.example.org", 25)
                .timeouts(timeouts)
                .observer(evidence.clone())
                .observer(Trace::new(TraceForm::Escaped, move |line: &str| traced.lock().unwrap().push_str(line)))
                .observer(observer_fn(move |_, event: &Event<'_>| seen.lock().unwrap().push_str(&format!("{event:?}"))))
                .via(proxy.url(&format!("{start}://joe:sesame@")).parse().unwrap());
            let error = driver.open(&connect).unwrap_err();
            let chain = error.chain();
            assert!(chain.contains(told), "{driver:?}: {chain}, expected {told}");
            assert!(
                chain.starts_with(&format!("cannot connect to mx.example.org (via {start}://127.0.0.1:")),
                "{chain}"
            );
            evidence.failed(&error);
            let found = evidence.findings(&Facts::new());
            assert_eq!(found[0].cause.id(), cause, "{chain}");
            let everything = everything.lock().unwrap().clone();
            for text in [everything, format!("{connect:?} {error:?} {found:?} {chain}")] {
                for secret in ["sesame", "am9lOnNlc2FtZQ", "[115, 101, 115, 97", "joe"] {
                    assert!(!text.contains(secret), "{secret} in {text}");
                }
            }
            drop(connect);
            let _ = proxy.thread.join();
        }
    }
}

#[test]
fn a_proxy_that_cannot_be_reached_is_what_is_told_and_not_the_server() {
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    for driver in DRIVERS {
        for url in [format!("socks5://127.0.0.1:{nobody}"), format!("http://127.0.0.1:{nobody}")] {
            let evidence = Evidence::new();
            let connect = Connect::new("192.0.2.1", 25).observer(evidence.clone()).via(url.parse().unwrap());
            let error = driver.open(&connect).unwrap_err();
            let told = format!("cannot connect to 192.0.2.1 (via {url}), port 25: the proxy cannot be reached: ");
            assert!(error.chain().starts_with(&told), "{}", error.chain());
            evidence.failed(&error);
            assert_eq!(evidence.findings(&Facts::new())[0].cause.id(), "proxy_unreachable");
        }
    }
}

#[test]
fn the_deadline_of_the_whole_session_holds_for_the_proxy_too_and_a_closer_ends_it() {
    for driver in DRIVERS {
        let proxy = Fake::start(vec![(3, Vec::new())], Then::Wait);
        let connect = Connect::new("mx", 25).deadline(Duration::from_millis(100));
        let error = driver.open(&connect.via(proxy.url("socks5h://").parse().unwrap())).unwrap_err();
        assert!(error.chain().contains("the deadline of the whole session"), "{}", error.chain());
        proxy.thread.join().unwrap();
    }
    let proxy = Fake::start(Vec::new(), Then::Wait);
    let (closer, url) = (Closer::new(), proxy.url("socks5h://"));
    let theirs = closer.clone();
    let (tell, told) = std::sync::mpsc::channel();
    let connect = Connect::new("mx", 25).observer(observer_fn(move |_, event| {
        if let Event::RoadSent(_) = event {
            tell.send(()).unwrap();
        }
    }));
    let waiting = thread::spawn(move || connect.via(url.parse().unwrap()).open_with(&theirs));
    told.recv().unwrap();
    closer.close();
    let Err(Error::Connect { source, .. }) = waiting.join().unwrap() else { panic!() };
    assert_eq!(source.kind(), std::io::ErrorKind::ConnectionAborted);
    proxy.thread.join().unwrap();
}

#[test]
fn a_proxy_header_goes_to_the_server_and_not_to_the_proxy() {
    use mconnect_core::server::Setup;

    for driver in DRIVERS {
        let server = Setup::new().haproxy().start().unwrap();
        let proxy = Fake::start(vec![(3, b"\x05\0".to_vec()), (21, GRANTED.to_vec())], Then::Go(server.port()));
        let header = ProxyHeader::new("192.0.2.66:4711".parse().unwrap());
        let connect = Connect::new("mx.example.org", 25).timeouts(patient()).haproxy(header);
        let mut session = driver.open(&connect.via(proxy.url("socks5h://").parse().unwrap())).unwrap();
        session.greeting().unwrap().require(220).unwrap();
        assert_eq!(server.sessions()[0].proxied.unwrap().from, header.from);
        session.quit().unwrap();
        proxy.thread.join().unwrap();
    }
}
