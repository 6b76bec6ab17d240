//! Sessions over real loopback sockets, with a server that plays what a transcript says.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod driven;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use driven::{DRIVERS, Driven, Driver};
use mconnect_core::protocol::{Limits, Phase, Request};
use mconnect_core::server::{Server, ServerError};
use mconnect_core::{Closer, Connect, Error, Event, Family, MessageReply, Pair, Session, Timeouts, observer_fn};

fn play(dialogue: &str) -> (Server, Session) {
    let server = Server::play(dialogue).unwrap();
    let session = connect(&server).open().unwrap();
    (server, session)
}

fn play_by(driver: Driver, dialogue: &str) -> (Server, Driven) {
    let server = Server::play(dialogue).unwrap();
    let session = driver.open(&connect(&server)).unwrap();
    (server, session)
}

fn connect(server: &Server) -> Connect {
    Connect::new("127.0.0.1", server.port())
}

fn short() -> Timeouts {
    Timeouts::default().replies(Duration::from_millis(100)).closing(Duration::from_millis(100))
}

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
fn an_early_552_is_the_reply_to_a_message_whose_sending_broke_off() {
    for driver in DRIVERS {
        let (server, mut session) =
            play_by(driver, "S: 220 hi\nC: DATA\nS: 354 go\nS: 552 too much\nS: *pause 20 ms*\nS: *reset*");
        session.read_reply().unwrap();
        let endless = io::repeat(b'x').take(1 << 30);
        assert_eq!(session.message(endless).unwrap().reply().code(), 552);
        server.join().unwrap();
    }
}

#[test]
fn a_reply_that_came_before_the_lone_dot_accepts_no_message() {
    for driver in DRIVERS {
        for (early, code) in [("250 queued", None), ("354 go on", None), ("221 bye", Some(221)), ("421 bye", Some(421))]
        {
            let (server, mut session) =
                play_by(driver, &format!("S: 220 hi\nC: DATA\nS> 354 go\\r\\n{early}\\r\\n\nC: *close*"));
            session.read_reply().unwrap();
            match (session.message(&b"Subject: hi\n"[..]), code) {
                (Ok(MessageReply::Sent(replies)), Some(code)) => {
                    let came: Vec<u16> = replies.iter().map(|reply| reply.code().number()).collect();
                    assert_eq!(came, [code], "{early}");
                }
                (Err(Error::Surprise { reply, .. }), None) => assert_eq!(reply.to_string(), early),
                (other, _) => panic!("{early}: {other:?}"),
            }
            drop(session);
            server.join().unwrap();
        }
        let refusal = "S: 220 hi\nC: DATA\nS> 354 go\\r\\n552 full\\r\\n\nC: *body*\nC: QUIT\nS: 221 bye\nC: *close*";
        let (server, mut session) = play_by(driver, refusal);
        session.read_reply().unwrap();
        assert_eq!(session.message(&b"Subject: hi\n"[..]).unwrap().reply().code(), 552, "refused before its end");
        session.quit().unwrap();
        server.join().unwrap();
    }
}

#[test]
fn a_pipeline_looks_at_what_has_come_before_each_of_its_groups() {
    for driver in DRIVERS {
        let noop = format!("NOOP {}", "x".repeat(400));
        let group = 4096 / (noop.len() + 2);
        for (extra, expected) in [("250 extra", "Surprise"), ("421 bye", "Closed")] {
            let replies = format!("{}{extra}\\r\\n", "250 ok\\r\\n".repeat(group));
            let client = format!("C: {noop}\n").repeat(group);
            let (server, mut session) = play_by(driver, &format!("S: 220 hi\n{client}S> {replies}\nC: *close*"));
            session.read_reply().unwrap();
            let Err(Error::Pipeline { answered, source }) = session.pipeline_anyway(vec![&noop; group * 3]) else {
                panic!()
            };
            assert!(format!("{source:?}").starts_with(expected), "{source:?}");
            assert_eq!(answered.len(), group + usize::from(extra.starts_with('4')));
            drop(session);
            server.join().unwrap();
        }
    }
}

#[test]
fn a_refused_data_is_not_followed_by_a_body() {
    for driver in DRIVERS {
        let (server, mut session) = play_by(driver, "S: 220 hi\nC: DATA\nS: 503 no recipients\nC: QUIT\nS: 221 bye");
        session.read_reply().unwrap();
        assert_eq!(session.message(&b"half a thought"[..]).unwrap().reply().code(), 503);
        assert_eq!(session.phase(), Phase::Command);
        session.quit().unwrap();
        server.join().unwrap();
    }
}

#[test]
fn a_message_that_cannot_be_read_is_never_ended_by_a_dot() {
    for driver in DRIVERS {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("disk gone"))
            }
        }
        let (server, mut session) = play_by(driver, "S: 220 hi\nC: DATA\nS: 354 go\nC: *close*");
        session.read_reply().unwrap();
        let error = session.message(b"some\n".chain(Broken)).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot read the message for 127.0.0.1:{}", server.port()));
        session.close().unwrap();
        server.join().unwrap();
    }
}

#[test]
fn messages_arrive_as_they_were_sent() {
    for driver in DRIVERS {
        let server = Server::start().unwrap();
        let mut session = driver.open(&connect(&server)).unwrap();
        session.read_reply().unwrap();
        session.command("EHLO x").unwrap();
        let mut content: Vec<u8> =
            (0..100_000u32).flat_map(|number| format!(".{number}\r\n\r.\r\n").into_bytes()).collect();
        content.extend_from_slice(b"\0\xff\xfe.\r\n..\r\n");
        let envelope =
            ["MAIL FROM:<a@example.org> SIZE=2000000 BODY=8BITMIME", "RCPT TO:<b@example.org>", "RCPT TO:<later@x>"];
        let codes: Vec<u16> = session.pipeline(envelope).unwrap().iter().map(|reply| reply.code().number()).collect();
        assert_eq!(codes, [250, 250, 450]);
        session.message(content.as_slice()).unwrap().require(250).unwrap();
        let message = server.wait_for_message(Duration::from_secs(5)).unwrap();
        assert!(message.content == content);
        assert_eq!(message.sender, "a@example.org");
        assert_eq!(message.recipients, ["b@example.org"]);

        session.pipeline(["MAIL FROM:<>", "RCPT TO:<b@x>"]).unwrap();
        session.send(b"BDAT 7\r\nQUIT\r\n.BDAT 4 LAST\r\n\r\n.\n").unwrap();
        assert_eq!((session.phase(), session.outstanding()), (Phase::Command, 2));
        assert_eq!(session.close().unwrap().len(), 2);
        assert_eq!(server.wait_for_message(Duration::from_secs(5)).unwrap().content, b"QUIT\r\n.\r\n.\n");
        server.join().unwrap();
    }
}

#[test]
fn a_pipeline_of_any_length_blocks_neither_side_and_keeps_what_came() {
    for driver in DRIVERS {
        let server = Server::start().unwrap();
        let mut session = driver.open(&connect(&server)).unwrap();
        session.read_reply().unwrap();
        let lines: Vec<String> = (0..20_000).map(|number| format!("VRFY {number:0100}")).collect();
        let replies = session.pipeline_anyway(&lines).unwrap();
        assert!(replies.len() == lines.len() && replies.iter().all(|reply| reply.code() == 252));

        let (played, mut session) = play_by(driver, "S: 220 hi\nC: A\nC: B\nS: 250 a\nS: *close*");
        session.read_reply().unwrap();
        match session.pipeline_anyway(["A", "B"]).unwrap_err() {
            Error::Pipeline { answered, source } => {
                assert_eq!(answered.len(), 1);
                assert!(matches!(*source, Error::Closed { .. }));
            }
            error => panic!("{error}"),
        }
        played.join().unwrap();
    }
}

#[test]
fn a_server_that_does_not_read_until_it_is_read_from_does_not_block_a_message() {
    for driver in DRIVERS {
        let size = 24 << 20;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"220 hi\r\n").unwrap();
            stream.read_exact(&mut [0; 6]).unwrap();
            stream.write_all(b"354 go\r\n").unwrap();
            // More than the buffers of the system hold, before the first byte is read.
            let chatter = b"250-still there\r\n".repeat(1000);
            for _ in 0..600 {
                stream.write_all(&chatter).unwrap();
            }
            // The end of the reply answers the end of the message.
            let mut received = vec![0; size as usize + "\r\n.\r\n".len()];
            stream.read_exact(&mut received).unwrap();
            stream.write_all(b"250 done\r\n").unwrap();
            stream.read_to_end(&mut received).unwrap();
            received.len()
        });
        let limits = Limits::default().lines(1_000_000).reply(32 << 20);
        let mut session = driver.open(&Connect::new("127.0.0.1", port).limits(limits)).unwrap();
        session.read_reply().unwrap();
        let reply = session.message(io::repeat(b'x').take(size)).unwrap();
        assert_eq!(reply.reply().lines().count(), 600_001);
        session.close().unwrap();
        assert_eq!(server.join().unwrap() as u64, size + "\r\n.\r\n".len() as u64);
    }
}

#[test]
fn a_line_break_in_a_command_is_refused_and_nothing_is_sent() {
    for driver in DRIVERS {
        let (server, mut session) = play_by(driver, "S: 220 hi\nC: QUIT\nS: 221 bye");
        session.read_reply().unwrap();
        for line in ["RCPT TO:<a>\r\nDATA", "NOOP\n", "NOOP\rNOOP"] {
            assert!(matches!(session.command(line), Err(Error::LineBreak { .. })));
            assert!(matches!(session.pipeline([line]), Err(Error::LineBreak { .. })));
        }
        session.quit().unwrap();
        server.join().unwrap();
    }
}

#[test]
fn a_line_goes_out_in_one_write() {
    struct Writes(Arc<Mutex<Vec<Vec<u8>>>>);
    impl Write for Writes {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().push(bytes.to_vec());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let writes = Arc::default();
    let mut session =
        Session::from_stream(Pair::new(&b"220 hi\r\n250 ok\r\n"[..], Writes(Arc::clone(&writes))), "memory");
    session.read_reply().unwrap();
    session.send_line("NOOP").unwrap();
    assert_eq!(*writes.lock().unwrap(), [b"NOOP\r\n"]);
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
fn a_command_is_not_sent_into_a_body() {
    for driver in DRIVERS {
        let (server, mut session) = play_by(driver, "S: 220 hi\nC: DATA\nS: 354 go\nC: *close*");
        session.read_reply().unwrap();
        session.command("DATA").unwrap().require(354).unwrap();
        let error = session.command("NOOP").unwrap_err();
        let told = format!(
            "will not write to 127.0.0.1:{} (DATA phase): the server does not wait for a command",
            server.port()
        );
        assert_eq!(error.to_string(), told);
        assert!(session.pipeline(["NOOP"]).is_err());
        session.close().unwrap();
        server.join().unwrap();
    }
}

#[test]
fn an_observer_sees_everything_but_secrets() {
    for driver in DRIVERS {
        let server = Server::play(
            "S: 220 hi\nC: AUTH PLAIN AGEAYg==\nS: 334 more\nC: c2VjcmV0\nS: 235 ok\nC: DATA\nS: 354 go\nC: *body*\nS: 250 ok\nC: QUIT\nS: 221 bye",
        )
        .unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&seen);
        let connect = connect(&server).observer(observer_fn(move |_, event| {
            let note = match event {
                Event::Connecting { .. } => "connecting".to_owned(),
                Event::Connected { .. } => "connected".to_owned(),
                Event::Sent(bytes) => format!("C {}", bytes.escape_ascii()),
                Event::SentSecret(size) => format!("C [{size} hidden]"),
                Event::Received(line) => format!("S {line}"),
                Event::Replied { answer, outstanding } => {
                    format!("{} to {}, {outstanding} due", answer.code, answer.request.unwrap())
                }
                Event::Phase(phase) => format!("= {phase}"),
                Event::HalfClosed => "half-closed".to_owned(),
                Event::Ended => "ended".to_owned(),
                other => format!("{other:?}"),
            };
            notes.lock().unwrap().push(note);
        }));
        let mut session = driver.open(&connect).unwrap();
        session.read_reply().unwrap();
        session.command("AUTH PLAIN AGEAYg==").unwrap();
        session.command("c2VjcmV0").unwrap();
        session.message(&b"hi\n"[..]).unwrap().require(250).unwrap();
        session.quit().unwrap();
        server.join().unwrap();
        let seen = seen.lock().unwrap().join("\n");
        let expected = "connecting\nconnected\nS 220 hi\n220 to connecting, 0 due\n= command\nC AUTH PLAIN \n= AUTH\n\
             C [10 hidden]\nS 334 more\n334 to AUTH, 0 due\nC [10 hidden]\nS 235 ok\n235 to the answer in AUTH, 0 due\n= command\n\
             C DATA\\r\\n\n= DATA\nS 354 go\n354 to DATA, 0 due\nC hi\\r\\n.\\r\\n\n= command\n\
             S 250 ok\n250 to the end of data, 0 due\nC QUIT\\r\\n\nS 221 bye\n221 to QUIT, 0 due\nhalf-closed\nended\n= closed";
        let alike = |text: &str| text.replace("C [10 hidden]\n= AUTH", "= AUTH\nC [10 hidden]");
        assert_eq!(alike(&seen), alike(expected));
    }
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
fn addresses_are_tried_in_turn_and_each_attempt_is_told() {
    for driver in DRIVERS {
        let server = Server::start().unwrap();
        let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let closed_v6: SocketAddr = (Ipv6Addr::LOCALHOST, closed.port()).into();
        let told = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&told);
        let connect = Connect::new("mx.example.org", server.port()).observer(observer_fn(move |_, event| {
            notes.lock().unwrap().push(match event {
                Event::Connecting { peer } => format!("to {}", peer.address().unwrap()),
                Event::ConnectFailed { error, has_next, .. } => format!("{:?} {has_next}", error.kind()),
                Event::Connected { peer } => peer.to_string(),
                other => format!("{other:?}"),
            });
        }));
        let session = driver.open(&connect.clone().addresses([closed, closed_v6, server.address()])).unwrap();
        assert_eq!(session.peer().address(), Some(server.address()));
        assert_eq!(session.local_address().unwrap().ip(), Ipv4Addr::LOCALHOST);
        let (open, refused) = (server.address(), "ConnectionRefused true");
        assert_eq!(
            told.lock().unwrap().as_slice(),
            [
                format!("to {closed}"),
                refused.into(),
                format!("to {closed_v6}"),
                refused.into(),
                format!("to {open}"),
                format!("mx.example.org ({open})"),
            ]
        );
        drop(session);

        match driver.open(&connect.clone().addresses([closed, closed_v6])).unwrap_err() {
            error @ Error::Connect { .. } => {
                let port = server.port();
                assert_eq!(
                    error.to_string(),
                    format!("cannot connect to mx.example.org, port {port}, at any of its 2 addresses")
                );
                let Error::Connect { attempts, .. } = error else { unreachable!() };
                assert_eq!(attempts.iter().map(|attempt| attempt.address).collect::<Vec<_>>(), [closed, closed_v6]);
            }
            error => panic!("{error}"),
        }
        let session = driver.open(&connect.clone().family(Family::V4).addresses([closed_v6, open])).unwrap();
        assert_eq!(session.peer().address(), Some(open));
        match driver.open(&connect.family(Family::V6).addresses([open])).unwrap_err() {
            Error::Connect { attempts, source, .. } => {
                assert_eq!((attempts.len(), source.to_string().as_str()), (0, "it has no IPv6 address"));
            }
            error => panic!("{error}"),
        }
    }
}

#[test]
fn ipv6_and_a_source_address() {
    for driver in DRIVERS {
        let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let session = driver.open(&Connect::new("[::1]", port).source(Ipv6Addr::LOCALHOST.into())).unwrap();
        assert_eq!(session.peer().to_string(), format!("[::1]:{port}"));

        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let source = Ipv4Addr::new(127, 0, 0, 9);
        // Not every system takes all of 127.0.0.0/8 as its own, as Linux does.
        let Ok(session) = driver.open(&Connect::new("127.0.0.1", port).source(source.into())) else { return };
        assert_eq!(listener.accept().unwrap().1.ip(), source);
        drop(session);
    }
}

#[test]
fn a_name_that_cannot_be_is_an_error_of_resolving() {
    for driver in DRIVERS {
        match driver.open(&Connect::new("no host name", 25)).unwrap_err() {
            error @ Error::Resolve { .. } => assert_eq!(error.to_string(), "cannot resolve no host name"),
            error => panic!("{error}"),
        }
        assert!(matches!(driver.open(&Connect::new("", 25)), Err(Error::Address { .. })));
    }
}

#[test]
fn a_server_that_never_closes_holds_nobody_longer_than_the_grace() {
    for driver in DRIVERS {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (done, told) = std::sync::mpsc::channel::<()>();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
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

#[test]
fn a_deviation_of_the_client_names_the_line_and_what_came() {
    let server = Server::play("S: 220 hi\nC: ehlo x\nS: 250 x\nC: QUIT\n").unwrap();
    let mut session = connect(&server).open().unwrap();
    session.read_reply().unwrap();
    session.command("EHLO x").unwrap();
    session.send_line("NOOP").unwrap();
    let error = server.join().unwrap_err();
    let told = error.to_string();
    assert!(told.starts_with("line 4 of the dialogue: expected `C: QUIT`, got `NOOP\\r\\n`\n"), "{told}");
    assert!(told.ends_with("S: 250 x\n  C: NOOP"), "{told}");
    assert!(matches!(Server::play("X: hi"), Err(ServerError::Syntax(_))));
}

#[test]
fn the_receiver_answers_as_smtp_asks() {
    let server = Server::start().unwrap();
    let mut session = connect(&server).open().unwrap();
    session.read_reply().unwrap().require(220).unwrap();
    let table = [
        ("MAIL FROM:<a@x>", 503),
        ("RCPT TO:<a@x>", 503),
        ("DATA", 503),
        ("EHLO", 501),
        ("HELO x", 250),
        ("EHLO x", 250),
        ("MAIL FROM <a@x>", 501),
        ("MAIL FROM:<a@x> SIZE=99999999999", 552),
        ("MAIL FROM:<a@x> SIZE=x", 501),
        ("MAIL FROM:<a@x> SIZE=+5", 501),
        ("MAIL FROM:<a@x> NOSUCH", 555),
        ("mail from: <a@x> SMTPUTF8 BODY=8BITMIME", 250),
        ("MAIL FROM:<a@x>", 503),
        ("DATA", 554),
        ("RCPT TO:<>", 501),
        ("RCPT TO:<refused@x>", 550),
        ("RCPT TO:<later@x>", 450),
        ("RCPT TO:<a@x> NOTIFY=NEVER", 555),
        ("DATA x", 501),
        ("RSET", 250),
        ("RCPT TO:<a@x>", 503),
        ("BDAT x", 501),
        ("BDAT +5", 501),
        ("BDAT 0 FIRST", 501),
        ("BDAT 0 LAST", 503),
        ("VRFY a@x", 252),
        ("VRFY", 501),
        ("HELP", 214),
        ("NOOP whatever", 250),
        ("", 500),
        ("STARTTLS", 500),
        ("QUIT", 221),
    ];
    for (line, code) in table {
        assert_eq!(session.command(line).unwrap().code(), code, "{line}");
    }
    drop(session);

    let mut session = connect(&server).open().unwrap();
    session.read_reply().unwrap();
    session
        .pipeline_anyway(["LHLO x", "MAIL FROM:<a@x>", "RCPT TO:<b@x>", "RCPT TO:<refused@x>", "RCPT TO:<c@x>"])
        .unwrap();
    let answer = session.message(&b"hi"[..]).unwrap();
    let MessageReply::Sent(replies) = &answer else { panic!("{answer:?}") };
    assert_eq!((replies.len(), session.outstanding()), (2, 0), "one for each recipient that was accepted");
    answer.require(250).unwrap();

    // A client that breaks off in a chunk still gets the replies to what it sent before.
    let mut session = connect(&server).open().unwrap();
    session.send(b"NOOP\r\nBDAT 5\r\nhe").unwrap();
    session.half_close().unwrap();
    let codes = [session.read_reply(), session.read_reply()].map(|reply| reply.unwrap().code().number());
    assert_eq!(codes, [220, 250]);
    assert!(matches!(session.read_reply(), Err(Error::Closed { .. })));
    drop(TcpStream::connect(server.address()));
    server.join().unwrap();
}
