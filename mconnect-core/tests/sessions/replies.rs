//! Replies as they come: whole, late, too long, or cut off by the end of the session.

use std::io::{self, Read, Write};
use std::time::Duration;

use mconnect_core::protocol::{Limits, Phase, Request};
use mconnect_core::server::Server;
use mconnect_core::{Connect, Error, Pair, Session};

use super::{connect, play_by, short};
use crate::common::driven::DRIVERS;
use crate::common::peer;

#[test]
fn a_whole_session_is_replies_as_values() {
    for driver in DRIVERS {
        let (server, mut session) = play_by(
            driver,
            "S: 220 mx.example.org\nC: EHLO client.example\nS: 250-mx.example.org\nS: 250-SIZE 1000\nS: 250 X-ODD a b\n\
         C: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<nobody@example.org>\nS: 550 5.1.1 no\nC: QUIT\nS: 221 bye\nS: *close*",
        );
        assert_eq!(session.phase(), Phase::Greeting);
        assert_eq!(session.read_reply().unwrap().request(), Some(Request::Greeting));
        session.command("EHLO client.example").unwrap().require(250).unwrap();
        assert_eq!(session.extensions().unwrap().size_limit(), Some(1000));
        session.command("MAIL FROM:<>").unwrap().require(250).unwrap();
        let error = session.command("RCPT TO:<nobody@example.org>").unwrap().require(250).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("expected 250 in reply to RCPT from 127.0.0.1:{}, got \"550 5.1.1 no\"", server.port())
        );
        assert_eq!(session.quit().unwrap().code(), 221);
        server.join().unwrap();
    }
}

#[test]
fn replies_cut_at_every_byte_are_the_same_replies() {
    let said = b"220-hi\r\n220 \x00there\n250-mx\r\n250-SIZE 7\r\n250 \r\n250-a\r\n251 b\r\nnoise\r\n421 bye";
    for cut in 1..said.len() {
        let (front, back) = said.split_at(cut);
        let mut session = Session::from_stream(Pair::new(front.chain(back), io::sink()), "memory");
        assert_eq!(session.read_reply().unwrap().text(), b"hi\n\0there");
        // They are all there before they are asked for, which a command would not stand for.
        let mut ask = |line| session.send_line(line).and_then(|()| session.read_reply());
        assert_eq!(ask("EHLO x").unwrap().lines().count(), 3);
        assert!(ask("NOOP").unwrap().flaws().codes_differ);
        let error = ask("NOOP").unwrap_err();
        assert_eq!(session.extensions().unwrap().size_limit(), Some(7));
        match error {
            Error::Closed { partial, .. } => assert_eq!(partial, b"noise\r\n421 bye"),
            error => panic!("{error}"),
        }
    }
}

#[test]
fn a_server_that_drips_a_byte_at_a_time_meets_the_deadline_of_the_whole_reply() {
    for driver in DRIVERS {
        let drip = "S> 2\nS: *pause 40 ms*\n".repeat(50);
        let server = Server::play(&drip).unwrap();
        let mut session = driver.open(&connect(&server).timeouts(short())).unwrap();
        let error = session.read_reply().unwrap_err();
        assert!(error.is_timeout() && error.is_temporary() && !error.has_sent());
        assert_eq!(
            error.to_string(),
            format!("no greeting from 127.0.0.1:{} (greeting phase): timed out after 0.1 s", server.port())
        );
        let Error::Timeout { partial, .. } = error else { panic!("{error}") };
        assert!(partial.iter().all(|byte| *byte == b'2') && !partial.is_empty());
        session.closer().close();
        drop(server.join());
    }
}

#[test]
fn after_a_deadline_no_late_reply_is_taken_for_the_next_commands() {
    for driver in DRIVERS {
        let server = Server::play("S: 220 hi\nC: NOOP\nC: *close*\nS: 250 late\n").unwrap();
        let mut session = driver.open(&connect(&server).timeouts(short())).unwrap();
        session.read_reply().unwrap();
        assert!(session.command("NOOP").unwrap_err().is_timeout());
        match session.command("MAIL FROM:<>").unwrap_err() {
            Error::OutOfStep { outstanding: 1, .. } => {}
            error => panic!("{error}"),
        }
        session.half_close().unwrap();
        assert_eq!(session.read_reply().unwrap().text(), b"late");
        server.join().unwrap();
    }
}

#[test]
fn nothing_is_sent_while_half_a_reply_is_here_that_nobody_asked_for() {
    let server = Server::play("S: 220 hi\nS> 250-half\\r\\n\nC: *close*").unwrap();
    let mut session = connect(&server).timeouts(short()).open().unwrap();
    session.greeting().unwrap();
    while session.buffered().is_empty() {
        session.receive(Duration::from_secs(5)).unwrap();
    }
    for _ in 0..2 {
        let error = session.command("NOOP").unwrap_err();
        assert!(error.is_timeout() && !error.has_sent(), "{error}");
    }
    drop(session);
    server.join().unwrap();
}

#[test]
fn what_the_server_said_before_it_closed_is_the_reply_even_if_writing_failed() {
    for driver in DRIVERS {
        let (server, mut session) = play_by(driver, "S: 220 hi\nS: 421 no more\nS: *close*");
        session.read_reply().unwrap();
        assert_eq!(session.command("EHLO x").unwrap().code(), 421);
        assert!(matches!(session.command("NOOP").unwrap_err(), Error::Closed { .. } | Error::Io { .. }));
        server.join().unwrap();
    }
}

#[test]
fn limits_end_in_errors_that_keep_what_was_read_and_long_lines_can_be_read_in_pieces() {
    for driver in DRIVERS {
        let limits = Limits::default().line(100).lines(10).reply(500);
        let long = format!("220 {}", "x".repeat(1000));
        let server = Server::play(&format!("S: {long}\n")).unwrap();
        let mut session = driver.open(&connect(&server).limits(limits)).unwrap();
        match session.read_reply().unwrap_err() {
            error @ Error::Limit { .. } => {
                assert!(error.to_string().ends_with("(greeting phase)"), "{error}");
                let Error::Limit { partial, source, .. } = error else { unreachable!() };
                assert_eq!((partial.len(), source.to_string().as_str()), (100, "a line is longer than 100 octets"));
            }
            error => panic!("{error}"),
        }
        drop(session);
        server.join().unwrap();

        let server = Server::play(&format!("S: {long}\nS> 250 unfini\n")).unwrap();
        let mut session = driver.open(&connect(&server).limits(limits)).unwrap();
        let (mut all, mut pieces) = (Vec::new(), 0);
        while let Some(line) = session.read_line().unwrap() {
            all.extend_from_slice(&line);
            pieces += 1;
        }
        assert_eq!((all, pieces), (format!("{long}\r\n250 unfini").into_bytes(), 12));
        drop(session);
        server.join().unwrap();
    }
}

#[test]
fn half_close_lets_the_server_finish() {
    for driver in DRIVERS {
        let (server, mut session) =
            play_by(driver, "S: 220 hi\nC: NOOP\nC: *close*\nS: 250 ok\nS: 421 bye\nS: *close*");
        session.read_reply().unwrap();
        session.send_line("NOOP").unwrap();
        session.half_close().unwrap();
        assert_eq!(session.read_reply().unwrap().code(), 250);
        assert_eq!(session.read_reply().unwrap().code(), 421);
        assert!(matches!(session.read_reply(), Err(Error::Closed { .. })));
        assert!(matches!(session.send(b"x"), Err(Error::Io { .. })));
        server.join().unwrap();
    }
}

#[test]
fn a_reset_is_an_error_after_everything_that_came_before_it() {
    for driver in DRIVERS {
        let (server, mut session) = play_by(driver, "S: 220 hi\nS> 250-half\nS: *pause 20 ms*\nS: *reset*");
        assert_eq!(session.read_reply().unwrap().code(), 220);
        let mut said = Vec::new();
        let error = loop {
            match session.read_line() {
                Ok(Some(line)) => said.extend_from_slice(&line),
                Ok(None) => panic!("the end was no reset"),
                Err(error) => break error,
            }
        };
        assert_eq!(said, b"250-half");
        assert_eq!(error.to_string(), format!("cannot read from 127.0.0.1:{} (command phase)", server.port()));
        assert!(matches!(error, Error::Io { source, .. } if source.kind() == io::ErrorKind::ConnectionReset));
        server.join().unwrap();
    }
}

#[test]
fn a_server_that_never_closes_holds_nobody_longer_than_the_grace() {
    for driver in DRIVERS {
        let (done, told) = std::sync::mpsc::channel::<()>();
        let (port, server) = peer(move |mut stream| {
            let mut endless = || stream.write_all(b"250-and another line\r\n");
            while endless().is_ok() {}
            told.recv().unwrap();
        });
        let mut session = driver.open(&Connect::new("127.0.0.1", port).timeouts(short())).unwrap();
        session.read_line().unwrap();
        assert!(session.close().is_err());
        done.send(()).unwrap();
        server.join().unwrap();
    }
}
