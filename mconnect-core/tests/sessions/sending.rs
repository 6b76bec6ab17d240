//! Commands, pipelines and messages, on their way to servers that read them and to servers that do not.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use mconnect_core::protocol::{Limits, Phase};
use mconnect_core::server::Server;
use mconnect_core::{Connect, Error, MessageReply, Pair, Session};

use super::{connect, play_by};
use crate::common::driven::DRIVERS;
use crate::common::peer;

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
fn a_message_is_not_sent_into_an_exchange_of_auth() {
    for driver in DRIVERS {
        let (server, mut session) = play_by(driver, "S: 220 hi\nC: AUTH LOGIN\nS: 334 VXNlcg==\nC: *close*");
        session.read_reply().unwrap();
        session.command("AUTH LOGIN").unwrap();
        let error = session.message(&b"hi\n"[..]).unwrap_err();
        assert!(matches!(error, Error::OutOfStep { outstanding: 0, .. }), "{error}");
        session.close().unwrap();
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
fn a_refusal_that_came_before_the_lone_dot_is_the_reply_also_where_that_cannot_be_sent() {
    /// A message that has nothing to give before the server has gone.
    struct Late(Option<JoinHandle<()>>);
    impl Read for Late {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some(server) = self.0.take() else { return Ok(0) };
            server.join().unwrap();
            (&b"hi\n"[..]).read(buffer)
        }
    }
    for driver in DRIVERS {
        let (port, server) = peer(|mut stream| {
            stream.write_all(b"220 hi\r\n").unwrap();
            stream.read_exact(&mut [0; 6]).unwrap();
            stream.write_all(b"354 go\r\n552 full\r\n").unwrap();
            socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        });
        let mut session = driver.open(&Connect::new("127.0.0.1", port)).unwrap();
        session.greeting().unwrap();
        assert_eq!(session.message(Late(Some(server))).unwrap().reply().code(), 552, "{driver:?}");
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

        // Part of this one is out, and nothing goes on with it.
        let (port, came) = peer(|mut stream| {
            stream.write_all(b"220 hi\r\n").unwrap();
            stream.read_exact(&mut [0; 6]).unwrap();
            stream.write_all(b"354 go\r\n").unwrap();
            let mut came = Vec::new();
            stream.read_to_end(&mut came).unwrap();
            came
        });
        let mut session = driver.open(&Connect::new("127.0.0.1", port)).unwrap();
        session.greeting().unwrap();
        let broken = io::repeat(b'x').take(100_000).chain(Broken);
        assert!(matches!(session.message(broken), Err(Error::Message { .. })));
        assert!(matches!(session.message(&b"Subject: another\n"[..]), Err(Error::Unfinished { .. })));
        drop(session);
        let came = came.join().unwrap();
        assert!(came.starts_with(b"xxx") && came.ends_with(b"x"), "{} octets", came.len());
    }
}

#[test]
fn a_server_that_does_not_read_until_it_is_read_from_does_not_block_a_message() {
    for driver in DRIVERS {
        let size = 24 << 20;
        let (port, server) = peer(move |mut stream| {
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
