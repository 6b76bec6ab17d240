//! Clients that take their time: what a server waits for has an end.

use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mconnect_core::dialogue::{Dialogue, Verdict};
use mconnect_core::server::Server;

use crate::open;

/// A client that sends a byte now and then, until it is let go or the server is gone.
fn drip(server: &Server) -> (Sender<()>, JoinHandle<()>) {
    let mut client = TcpStream::connect(server.address()).unwrap();
    let (here, gone) = channel::<()>();
    let thread = thread::spawn(move || {
        let started = Instant::now();
        while started.elapsed() < LONG && client.write_all(b"x").is_ok() {
            if gone.recv_timeout(Duration::from_millis(20)) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
        }
    });
    (here, thread)
}

#[test]
fn a_client_that_drips_has_no_more_time_for_a_step() {
    for step in
        ["C: A", "C> xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "C: *octets 9000*", "C: *body*", "C: *close*"]
    {
        let started = Instant::now();
        let server = Server::play(&format!("S: 220 x\n*within 200 ms*\n{step}")).unwrap();
        let (here, thread) = drip(&server);
        let error = server.join().unwrap_err().to_string();
        assert!(error.contains(&format!("expected `{step}`, got nothing in 200ms")), "{error}");
        assert!(started.elapsed() < LONG, "{step}: {:?}", started.elapsed());
        drop(here);
        thread.join().unwrap();
    }
}

#[test]
fn a_client_that_drips_does_not_keep_a_server_from_its_end() {
    let started = Instant::now();
    let server = Server::play("S: 221 bye\nS: *close*").unwrap();
    let (here, thread) = drip(&server);
    server.join().unwrap();
    assert!(started.elapsed() < LONG, "{:?}", started.elapsed());
    drop(here);
    thread.join().unwrap();
}

#[test]
fn a_client_that_does_not_read_is_not_spoken_to_for_ever() {
    let server = Server::play("S: 220 x\n*all within 300 ms*\nS: *octets 100000000*").unwrap();
    let client = TcpStream::connect(server.address()).unwrap();
    let error = server.join().unwrap_err().to_string();
    let told = "line 3 of the dialogue: expected `S: *octets 100000000*`, got a client that has not read on in ";
    assert!(error.starts_with(told), "{error}");
    drop(client);
}

#[cfg(feature = "tls")]
#[test]
fn neither_is_one_inside_tls() {
    use mconnect_core::{Connect, tls::Config};

    let server = Server::play("C: *tls*\nS: 220 x\n*all within 300 ms*\nS: *octets 100000000*").unwrap();
    let session = Connect::new("127.0.0.1", server.port()).open().unwrap();
    let (session, _) = session.upgrade(&Config::new().insecure()).unwrap();
    let error = server.join().unwrap_err().to_string();
    assert!(error.contains("got a client that has not read on in "), "{error}");
    drop(session);
}

#[test]
fn the_time_for_all_is_over_for_what_we_do_ourselves_too() {
    for step in ["C: *pause 59 s*", "S: *silence 59 s*", "*within 59 s*\nS: *no reply*", "*within 59 s*\nS? 250"] {
        let started = Instant::now();
        let server = Server::play("S: 220 x\nC: *close*").unwrap();
        let dialogue = format!("S: xyz\n*each within 59 s*\n*all within 200 ms*\n{step}\nC: NOOP");
        let played = open(&server).play(&Dialogue::parse(&dialogue).unwrap());
        let failure = played.failure().unwrap();
        assert_eq!((failure.verdict, &*failure.got), (Verdict::TooLate, "the end of the time for all"), "{step}");
        assert_eq!(failure.step.line, 4 + step.matches('\n').count());
        assert!(started.elapsed() < LONG, "{step}: {:?}", started.elapsed());
        drop(played);
        server.join().unwrap();
    }
    for step in ["S: *pause 59 s*", "S: *silence 59 s*", "C: *silence 59 s*"] {
        let started = Instant::now();
        let server = Server::play(&format!("S: 220 x\n*all within 200 ms*\n{step}\nC: NOOP\nS: 250 x")).unwrap();
        let client = TcpStream::connect(server.address()).unwrap();
        let error = server.join().unwrap_err().to_string();
        let told = format!("line 3 of the dialogue: expected `{step}`, got the end of the time for all");
        assert!(error.starts_with(&told), "{error}");
        assert!(started.elapsed() < LONG, "{step}: {:?}", started.elapsed());
        drop(client);
    }
}

/// What drips does so for this long, and no deadline here is longer than half of it.
const LONG: Duration = Duration::from_secs(5);
