//! The message of a delivery: its octets, what is declared of it, what it needs, and what becomes of one that cannot be read
//! on.

use std::io::{self, Read};

use mconnect_core::Error;
use mconnect_core::protocol::{Content, CrlfEncoder, Envelope, Need};
use mconnect_core::server::{Server, Setup};

use super::deliver::{MESSAGE, envelope, extended, played};
use crate::common::driven::DRIVERS;

/// Lines of every octet, some of them of dots, at the borders of the blocks, too.
fn every_octet(size: usize) -> Vec<u8> {
    let mut message = b"Subject: octets\n\n".to_vec();
    while message.len() < size {
        let at = message.len();
        match at % 65536 {
            65530.. => message.extend_from_slice(b"\n.\n..\r\n.\n\r\n"),
            _ if at % 77 == 76 => message.extend_from_slice(b"\n.\r\n"),
            _ => message.push(match at % 251 {
                10 | 13 => b' ',
                octet => u8::try_from(octet).unwrap(),
            }),
        }
    }
    message.extend_from_slice(b"\n.");
    message
}

/// How a message is stored: every line ends in CR LF.
fn stored(message: &[u8]) -> Vec<u8> {
    let (mut encoder, mut stored) = (CrlfEncoder::default(), Vec::new());
    encoder.encode(message, &mut stored);
    if !stored.ends_with(b"\n") {
        stored.extend_from_slice(b"\r\n");
    }
    stored
}

#[test]
fn a_message_of_any_size_arrives_octet_for_octet_by_data_and_in_chunks_of_any_size() {
    for driver in DRIVERS {
        let server = Server::start().unwrap();
        let mut session = extended(driver, server.port());
        let long = every_octet(300_000);
        for (message, chunks) in [
            (&b""[..], vec![None, Some(1), Some(9)]),
            (b".", vec![None, Some(1), Some(3), Some(4)]),
            (b"\n.\n", vec![None, Some(2), Some(5), Some(6)]),
            (MESSAGE, vec![None, Some(1), Some(7), Some(30)]),
            (&long[..65_536], vec![None, Some(65_536)]),
            (&long[..65_535], vec![None, Some(4096)]),
            (&long, vec![None, Some(1000), Some(65_536), Some(100_000), Some(1 << 20), Some(usize::MAX)]),
        ] {
            for chunk in chunks {
                let envelope = envelope(&["b@x"]);
                let envelope = chunk.map_or(envelope.clone(), |octets| envelope.chunks(octets));
                let delivery = session.deliver(&envelope, message).unwrap();
                assert!(delivery.is_complete(), "{delivery:?}");
                let came = server.messages().pop().unwrap();
                let expected = if message.is_empty() { Vec::new() } else { stored(message) };
                assert!(came.content == expected, "{chunk:?}: {} of {} octets", came.content.len(), expected.len());
                let size = (message.len() < 65_536).then(|| expected.len().to_string());
                assert_eq!(came.sender.parameter("SIZE").map(str::to_owned), size);
                let is_8bit = message.len() >= 65_536 || !message.is_ascii();
                assert_eq!(came.sender.parameter("BODY"), is_8bit.then_some("8BITMIME"));
            }
        }
        let last = server.sessions()[0].commands().iter().rev().take(2).map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(last[0].split(' ').next_back(), Some("LAST"), "{last:?}");
    }
}

#[test]
fn what_is_known_of_a_long_message_is_declared() {
    let (server, long) = (Server::start().unwrap(), "x\n".repeat(100_000));
    let mut content = Content::default();
    content.add(long.as_bytes());
    content.end();
    for driver in DRIVERS {
        let mut session = extended(driver, server.port());
        let envelope = envelope(&["b@x"]).content(content.clone());
        assert!(session.deliver(&envelope, long.as_bytes()).unwrap().is_complete());
        let sender = server.messages().pop().unwrap().sender;
        assert_eq!((sender.parameter("SIZE"), sender.parameter("BODY")), (Some("300000"), None));
    }
}

#[test]
fn a_binary_message_goes_octet_for_octet() {
    let server = Setup::new().extensions(["PIPELINING", "CHUNKING", "BINARYMIME", "8BITMIME"]).start().unwrap();
    let message = every_octet(70_000);
    for driver in DRIVERS {
        let mut session = extended(driver, server.port());
        let envelope = envelope(&["b@x"]).parameter("BODY=BINARYMIME".parse().unwrap()).chunks(1000);
        assert!(session.deliver(&envelope, &message[..]).unwrap().is_complete());
        assert!(server.messages().pop().unwrap().content == message);
    }
}

#[test]
fn what_is_needed_and_not_offered_is_an_error_before_mail_unless_a_parameter_says_so() {
    let utf8 = "Subject: gr\u{fc}n\n\nbody\n".as_bytes();
    let extension = |name| move |need: &Need| matches!(need, Need::Extension { extension, .. } if *extension == name);
    type IsIt = Box<dyn Fn(&Need) -> bool>;
    for driver in DRIVERS {
        let cases: [(Envelope, &[u8], IsIt); 6] = [
            (envelope(&["j\u{f6}rg@x"]), MESSAGE, Box::new(extension("SMTPUTF8"))),
            (envelope(&["b@x"]).parameter("BODY=8BITMIME".parse().unwrap()), utf8, Box::new(extension("SMTPUTF8"))),
            (envelope(&["b@x"]).parameter("X=\u{e9}".parse().unwrap()), MESSAGE, Box::new(extension("SMTPUTF8"))),
            (envelope(&["b@x"]), b"\n\xff", Box::new(extension("8BITMIME"))),
            (envelope(&["b@x"]).chunks(5), MESSAGE, Box::new(extension("CHUNKING"))),
            (envelope(&["b@x"]), &[b'x'; 200], Box::new(|need| matches!(need, Need::Room { octets: 202, limit: 100 }))),
        ];
        for (envelope, message, is_it) in cases {
            played(driver, "S: 250-SIZE 100\n", "C: NOOP\nS: 250", |session| {
                let error = session.deliver(&envelope, message).unwrap_err();
                let Error::Need { need, .. } = &error else { panic!("{error}") };
                assert!(is_it(need) && !error.is_temporary() && error.hint().is_some(), "{error}");
                session.command("NOOP").unwrap();
            });
        }
        let forced = ["SMTPUTF8", "BODY=8BITMIME", "SIZE=1"];
        let forced = forced
            .into_iter()
            .fold(envelope(&["j\u{f6}rg@x"]), |envelope, parameter| envelope.parameter(parameter.parse().unwrap()));
        let mail = "C: MAIL FROM:<a@x> SMTPUTF8 BODY=8BITMIME SIZE=1\nS: 555 no";
        let refused =
            played(driver, "S: 250-SIZE 100\n", mail, |session| session.deliver(&forced, &[0xff; 200][..]).unwrap());
        let all = "C: MAIL FROM:<a@x> SIZE=24 BODY=8BITMIME SMTPUTF8\nS: 555 no";
        let offer = "S: 250-SIZE 100\nS: 250-8bitmime\nS: 250-SMTPUTF8\n";
        let other = played(driver, offer, all, |session| session.deliver(&envelope(&["b@x"]), utf8).unwrap());
        assert_eq!([refused, other].map(|delivery| delivery.mail.unwrap().code().number()), [555; 2]);
    }
}

#[test]
fn a_message_that_cannot_be_read_on_or_turns_out_to_need_more_is_not_finished() {
    struct Breaks(usize);
    impl Read for Breaks {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = buffer.len().min(self.0);
            buffer[..count].fill(b'x');
            self.0 -= count;
            if count == 0 { Err(io::Error::other("torn")) } else { Ok(count) }
        }
    }
    for driver in DRIVERS {
        let server = Setup::new().extensions(["PIPELINING", "CHUNKING"]).start().unwrap();
        for is_chunked in [false, true] {
            let envelope = envelope(&["b@x"]);
            let envelope = if is_chunked { envelope.chunks(5000) } else { envelope };
            let mut late = vec![b'x'; 100_000];
            late.push(0xff);
            let mut session = extended(driver, server.port());
            let before = session.deliver(&envelope, Breaks(5)).unwrap_err();
            assert!(matches!(before, Error::Message { .. }), "{before}");
            let error = session.deliver(&envelope, Breaks(200_000)).unwrap_err();
            assert!(error.chain().ends_with(": torn"), "{}", error.chain());
            // Of chunks, the last one was not sent; a body has no end but the lone dot.
            assert_eq!(session.deliver(&envelope, MESSAGE).is_ok(), is_chunked);
            drop(session);

            let mut session = extended(driver, server.port());
            let error = session.deliver(&envelope, &late[..]).unwrap_err();
            assert!(error.chain().ends_with("need 8BITMIME, which the server has not offered"), "{}", error.chain());
            drop(session);
        }
        let came: Vec<usize> = server.messages().iter().map(|message| message.content.len()).collect();
        assert_eq!(came, [stored(MESSAGE).len()]);
    }
}

#[test]
fn a_message_that_has_become_shorter_or_longer_since_it_was_looked_into_is_not_finished() {
    let content = |octets: usize| {
        let mut content = Content::default();
        content.add(&vec![b'x'; octets]);
        content.end();
        content
    };
    for driver in DRIVERS {
        let server = Setup::new().extensions(["PIPELINING", "CHUNKING", "SIZE"]).start().unwrap();
        for (seen, now, how) in [
            (200_000, 100_000, "shorter"),
            (200_000, 131_072, "shorter"),
            (200_000, 10, "shorter"),
            (200_000, 200_001, "longer"),
            (65_536, 65_537, "longer"),
            (10, 11, "longer"),
        ] {
            for envelope in [envelope(&["b@x"]), envelope(&["b@x"]).chunks(5000)] {
                let mut session = extended(driver, server.port());
                let error = session.deliver(&envelope.content(content(seen)), &vec![b'x'; now][..]).unwrap_err();
                let told = format!(": it is {how} now than the {seen} octets seen before");
                assert!(error.chain().ends_with(&told), "{}", error.chain());
            }
        }
        let mut session = extended(driver, server.port());
        let same = envelope(&["b@x"]).content(content(131_072));
        assert!(session.deliver(&same, &[b'x'; 131_072][..]).unwrap().is_complete());
        drop(session);
        assert_eq!(server.messages().len(), 1);
    }
}
