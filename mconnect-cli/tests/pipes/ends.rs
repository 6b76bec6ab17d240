//! How sessions through pipes end, by which side, by which clock or signal, and what is told of it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use super::{BYE, HI, serve};
use crate::common::{Peer, assert_status, complaints, err, out, read_once, talk, tool};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use socket2::{Domain, Socket, Type};

#[test]
fn the_end_of_the_input_half_closes_after_everything_was_sent_and_all_that_follows_is_shown() {
    let server = serve("S: 220 hi\nC: EHLO x\nS: 250 x\nC: NOOP\nC: *close*\nS: 250 ok\nS: 421 goodbye\nS: *close*");
    let output = talk(server.port(), &["--no-wait"], "EHLO x\nNOOP");
    assert_eq!(out(&output), "220 hi\r\n250 x\r\n250 ok\r\n421 goodbye\r\n");
    assert_status(&output, 0);
    server.join().unwrap();
    let server = serve("S: 220 hi\nC: *close*\nS: 421 goodbye\nS: *close*");
    let output = talk(server.port(), &[], "");
    assert_status(&output, 0);
    assert_eq!(out(&output), "220 hi\r\n421 goodbye\r\n");
    server.join().unwrap();
}

#[test]
fn quit_ends_it_even_if_the_server_never_closes() {
    let (done, told) = channel::<()>();
    let peer = Peer::start(move |mut stream| {
        stream.write_all(HI.as_bytes()).unwrap();
        let read = read_once(&mut stream);
        stream.write_all(BYE.as_bytes()).unwrap();
        let _ = told.recv();
        vec![read]
    });
    let mut child = tool(&["-p", &peer.port.to_string(), "127.0.0.1"]).spawn().unwrap();
    // The input stays open all the while.
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"quit\n").unwrap();
    let output = child.wait_with_output().unwrap();
    drop(done);
    assert_status(&output, 0);
    assert_eq!(peer.received_text(), ["quit\\r\\n"]);
}

#[test]
fn whoever_keeps_the_input_open_is_not_kept_waiting_after_quit() {
    let least = (0..10).map(|_| {
        let server = serve("S: 220 hi\nC: QUIT\nS: 221 bye");
        let mut child = tool(&["-p", &server.port().to_string(), "127.0.0.1"]).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let start = Instant::now();
        stdin.write_all(b"QUIT\n").unwrap();
        assert_status(&child.wait_with_output().unwrap(), 0);
        start.elapsed()
    });
    // It was a tenth of a second, every time.
    assert!(least.min().unwrap() < Duration::from_millis(100));
}

#[test]
fn after_quit_nothing_is_sent_and_what_was_not_is_told() {
    let server = serve("S: 220 hi\nC: QUIT\nS: 221 bye\nC: *close*");
    let output = talk(server.port(), &[], "QUIT\n\n \nNOOP\nNOOP");
    assert_status(&output, 0);
    assert_eq!(complaints(&output), "mconnect: not sent: 2 lines of the input (9 octets): QUIT had ended the session");
    server.join().unwrap();
    let output = talk(serve("S: 220 hi\nC: QUIT\nS: 221 bye").port(), &[], "QUIT\n\n\n");
    assert_eq!(complaints(&output), "");
}

#[test]
fn endless_input_after_the_end_of_the_session_is_not_read_for_ever() {
    let server = serve("S: 220 hi\nC: QUIT\nS: 221 bye");
    let port = server.port().to_string();
    let mut script = Command::new("sh").args(["-c", "echo QUIT; exec yes ''"]).stdout(Stdio::piped()).spawn().unwrap();
    let child = tool(&["-p", &port, "127.0.0.1"]).stdin(Stdio::from(script.stdout.take().unwrap())).spawn().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_status(&output, 0);
    script.kill().unwrap();
    script.wait().unwrap();
    server.join().unwrap();
}

#[test]
fn a_server_that_stays_silent_after_the_end_of_the_input_is_told() {
    let (done, told) = channel::<()>();
    let peer = Peer::start(move |mut stream| {
        stream.write_all(HI.as_bytes()).unwrap();
        let _ = told.recv();
        Vec::new()
    });
    let port = peer.port;
    let output = talk(port, &["--timeout", "0.2"], "");
    drop(done);
    assert_status(&output, 75);
    let told =
        format!("mconnect: 127.0.0.1:{port} said nothing for 0.2 s after the end of the input, and did not close");
    assert!(complaints(&output).starts_with(&told), "{}", err(&output));
    peer.received();
}

#[test]
fn a_server_that_closes_early_is_told_with_what_was_not_sent() {
    let server = serve("S: 220 hi\nC: NOOP\nS: 421 closing\nS: *close*");
    let port = server.port();
    let output = talk(port, &[], "NOOP\nMAIL FROM:<>\nQUIT\n");
    assert_status(&output, 75);
    assert_eq!(out(&output), "220 hi\r\n421 closing\r\n");
    let told = format!(
        "mconnect: 127.0.0.1:{port} closed the connection\nmconnect: not sent: 2 lines of the input (18 octets): the server was closing\n\
         mconnect: 421: the server cannot go on now, and closes the connection; try again later"
    );
    assert_eq!(complaints(&output), told);
}

#[test]
fn a_reset_loses_nothing_of_what_was_said_before() {
    let server = serve("S: 220 hi\nC: NOOP\nS: 250-last\nS> words\nS: *pause 50 ms*\nS: *reset*");
    let port = server.port();
    let output = talk(port, &[], "NOOP\nQUIT\n");
    assert_status(&output, 76);
    assert_eq!(out(&output), "220 hi\r\n250-last\r\nwords");
    let told = format!("mconnect: no reply to NOOP from 127.0.0.1:{port} (command phase): Connection reset by peer");
    assert!(complaints(&output).starts_with(&told), "{}", err(&output));
}

#[test]
fn a_reply_that_does_not_come_in_time_is_told_and_what_was_said_is_shown() {
    let peer = Peer::start(|mut stream| {
        stream.write_all(b"220 hi\r\n").unwrap();
        let read = read_once(&mut stream);
        stream.write_all(b"250-unfini").unwrap();
        vec![read, read_once(&mut stream)]
    });
    let port = peer.port;
    let output = talk(port, &["--timeout", "0.3"], "NOOP\nQUIT\n");
    assert_status(&output, 75);
    assert_eq!(out(&output), "220 hi\r\n250-unfini");
    let told = format!("mconnect: no reply to NOOP from 127.0.0.1:{port} (command phase): timed out after 0.3 s");
    assert!(complaints(&output).starts_with(&told), "{}", err(&output));
    peer.received();
}

#[test]
fn a_server_that_never_reads_is_given_up() {
    let (done, told) = channel::<()>();
    let peer = Peer::start(move |mut stream| {
        stream.write_all(b"220 hi\r\n").unwrap();
        stream.read_exact(&mut [0; 6]).unwrap();
        stream.write_all(b"354 go\r\n").unwrap();
        // What the tool sends stays unread until it has gone.
        let _ = told.recv();
        Vec::new()
    });
    let script = [b"DATA\n".to_vec(), b"x".repeat(64 << 20)].concat();
    let output = talk(peer.port, &["--timeout", "0.5"], script);
    drop(done);
    assert_status(&output, 75);
    assert!(complaints(&output).contains("cannot write to 127.0.0.1:"), "{}", err(&output));
    peer.received();
}

#[test]
fn the_tool_ends_when_the_server_closes_though_its_input_is_still_open() {
    let server = serve("S: 220 hi\nS: 421 idle\nS: *close*");
    let mut child = tool(&["-p", &server.port().to_string(), "127.0.0.1"]).spawn().unwrap();
    let stdin = child.stdin.take().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_status(&output, 75);
    assert_eq!(out(&output), "220 hi\r\n421 idle\r\n");
    drop(stdin);
}

#[test]
fn a_reader_that_goes_away_ends_it_where_nothing_remains_to_be_sent() {
    let peer = Peer::start(|mut stream| {
        let mut sent = Vec::new();
        stream.write_all(HI.as_bytes()).unwrap();
        stream.read_to_end(&mut sent).unwrap();
        while stream.write_all(b"250 still here\r\n").is_ok() {}
        vec![sent]
    });
    let mut child = tool(&["-p", &peer.port.to_string(), "127.0.0.1"]).spawn().unwrap();
    drop((child.stdin.take(), child.stdout.take()));
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::SIGPIPE as i32));
    peer.received();
}

#[test]
fn the_deadline_of_replies_bounds_connecting_unless_that_has_its_own() {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    // Its queue is full then, and the system lets the next ones wait.
    let _queued: Vec<TcpStream> =
        (0..8).map_while(|_| TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok()).collect();
    for options in [&["--timeout", "0.3"][..], &["--timeout", "60", "--connect-timeout", "0.3"]] {
        let start = Instant::now();
        let output = talk(address.port(), options, "");
        assert_status(&output, 69);
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        assert!(complaints(&output).contains(": timed out"), "{}", err(&output));
    }
}

#[test]
fn signals_end_it_at_once_and_as_signals() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let peer = Peer::start(|mut stream| {
            stream.write_all(HI.as_bytes()).unwrap();
            vec![read_once(&mut stream)]
        });
        // Whoever runs the tests may have had signals ignored.
        let mut command = Command::new("env");
        command.args(["--default-signal", crate::common::MCONNECT, "-p", &peer.port.to_string(), "127.0.0.1"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut said = [0; 8];
        child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        let start = Instant::now();
        kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(signal as i32));
        assert!(start.elapsed() < Duration::from_secs(5));
        assert_eq!(peer.received_text(), [""]);
    }
}
