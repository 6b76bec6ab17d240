//! A message and its envelope: what is said, what came of it for each recipient, and what the session is good for then. The
//! message itself is beside this, in `content`.

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::thread::JoinHandle;
use std::time::Duration;

use mconnect_core::protocol::{Code, Delivery, Envelope, Meaning, Phase, RecipientOutcome as Outcome, Request, Until};
use mconnect_core::server::{Rule, Server, Setup, Stage};
use mconnect_core::{Connect, Error, Timeouts};

use crate::common::driven::{DRIVERS, Driven, Driver};
use crate::common::peer;

pub const MESSAGE: &[u8] = b"Subject: hi\n\n.dotted\nbody";
const SENT: &str = "Subject: hi\n\n..dotted\nbody";

pub fn envelope(recipients: &[&str]) -> Envelope {
    recipients.iter().fold(Envelope::new(Some("a@x".parse().unwrap())), |envelope, recipient| {
        envelope.to(recipient.parse().unwrap())
    })
}

fn outcomes(delivery: &Delivery) -> Vec<Outcome> {
    delivery.recipients.iter().map(|recipient| recipient.outcome).collect()
}

fn open(driver: Driver, port: u16) -> Driven {
    let timeouts = Timeouts::default().replies(Duration::from_secs(5)).closing(Duration::from_millis(200));
    let mut session = driver.open(&Connect::new("127.0.0.1", port).timeouts(timeouts)).unwrap();
    session.greeting().unwrap().require(220).unwrap();
    session
}

/// A session after EHLO.
pub fn extended(driver: Driver, port: u16) -> Driven {
    let mut session = open(driver, port);
    session.hello("me").unwrap().require().unwrap();
    session
}

/// Plays a dialogue after EHLO, and expects it to be kept to.
pub fn played<T>(driver: Driver, offer: &str, dialogue: &str, deliver: impl FnOnce(&mut Driven) -> T) -> T {
    let server = Server::play(&format!("S: 220 hi\nC: EHLO me\nS: 250-hi\n{offer}S: 250 HELP\n{dialogue}")).unwrap();
    let mut session = extended(driver, server.port());
    let result = deliver(&mut session);
    drop(session);
    server.join().unwrap();
    result
}

#[test]
fn one_refused_recipient_ends_nothing_pipelined_or_not() {
    let in_turn = format!(
        "C: MAIL FROM:<a@x>\nS: 250\nC: RCPT TO:<b@x>\nS: 550 no\nC: RCPT TO:<c@x>\nS: 251 ok\nC: RCPT TO:<d@x>\nS: 450 later\n\
         C: DATA\nS: 354\nC: {}\nC: .\nS: 250 queued\nC: NOOP\nS: 250",
        SENT.replace('\n', "\nC: ")
    );
    let together = format!(
        "C: MAIL FROM:<a@x>\nC: RCPT TO:<b@x>\nC: RCPT TO:<c@x>\nC: RCPT TO:<d@x>\nC: DATA\n\
         S: 250\nS: 550 no\nS: 251 ok\nS: 450 later\nS: 354\nC: {}\nC: .\nS: 250 queued\nC: NOOP\nS: 250",
        SENT.replace('\n', "\nC: ")
    );
    for driver in DRIVERS {
        for (offer, dialogue) in [("", &in_turn), ("S: 250-PIPELINING\n", &together)] {
            let delivery = played(driver, offer, dialogue, |session| {
                let delivery = session.deliver(&envelope(&["b@x", "c@x", "d@x"]), MESSAGE).unwrap();
                session.command("NOOP").unwrap().require(250).unwrap();
                delivery
            });
            assert_eq!(outcomes(&delivery), [Outcome::Permanent, Outcome::Delivered, Outcome::Temporary]);
            assert_eq!(delivery.first_refusal().unwrap().code(), 550);
            assert_eq!(delivery.recipients[1].final_reply.as_ref().unwrap().text_lossy(), "queued");
            assert!(!delivery.is_complete() && delivery.count(Outcome::Delivered) == 1);
        }
    }
}

#[test]
fn a_transaction_that_nothing_else_ends_is_reset_and_the_next_one_goes() {
    let next = "C: MAIL FROM:<a@x>\nS: 550 not you";
    for driver in DRIVERS {
        for (offer, dialogue, expected) in [
            ("", "C: MAIL FROM:<a@x>\nS: 250\nC: RCPT TO:<b@x>\nS: 550\nC: RSET\nS: 250\n", Outcome::Permanent),
            (
                "S: 250-PIPELINING\n",
                "C: MAIL FROM:<a@x>\nC: RCPT TO:<b@x>\nC: DATA\nS: 250\nS: 450\nS: 554\nC: RSET\nS: 250\n",
                Outcome::Temporary,
            ),
            // RFC 2920, section 3.1: the body that nobody is to get is ended at once.
            (
                "S: 250-PIPELINING\n",
                "C: MAIL FROM:<a@x>\nC: RCPT TO:<b@x>\nC: DATA\nS: 250\nS: 550\nS: 354\nC: .\nS: 554\n",
                Outcome::Permanent,
            ),
            (
                "S: 250-PIPELINING\n",
                "C: MAIL FROM:<a@x>\nC: RCPT TO:<b@x>\nC: DATA\nS: 450\nS: 250\nS: 354\nC: .\nS: 554\n",
                Outcome::Temporary,
            ),
            (
                "",
                "C: MAIL FROM:<a@x>\nS: 250\nC: RCPT TO:<b@x>\nS: 250\nC: DATA\nS: 451\nC: RSET\nS: 250\n",
                Outcome::Temporary,
            ),
        ] {
            let together = format!("{next}\nS: 503\nS: 503").replace("\nS: 550", "\nC: RCPT TO:<b@x>\nC: DATA\nS: 550");
            let dialogue = format!("{dialogue}{}", if offer.is_empty() { next } else { &together });
            let (first, second) = played(driver, offer, &dialogue, |session| {
                let mut deliver = || session.deliver(&envelope(&["b@x"]), MESSAGE).unwrap();
                (deliver(), deliver())
            });
            assert_eq!((outcomes(&first), outcomes(&second)), (vec![expected], vec![Outcome::Permanent]), "{dialogue}");
            assert_eq!(second.first_refusal().unwrap().text_lossy(), "not you");
        }
    }
}

/// A server that replies to each command with the reply of its stage, the last for anything else, cut after so many octets;
/// it returns what it has read.
struct Answering {
    offer: &'static str,
    mail: String,
    rcpt: String,
    data: String,
    end: String,
    cut: usize,
}

impl Default for Answering {
    fn default() -> Self {
        let [mail, rcpt, data, end] =
            ["250 mail\r\n", "250-rcpt\r\n250 rcpt\r\n", "354 data\r\n", "250 end\r\n"].map(str::to_owned);
        Self { offer: "250 hi\r\n", mail, rcpt, data, end, cut: 0 }
    }
}

impl Answering {
    fn start(self) -> (u16, JoinHandle<String>) {
        let answer = move |mut stream: TcpStream| -> io::Result<String> {
            stream.set_nodelay(true)?;
            let (mut lines, mut came, mut is_body) = (BufReader::new(stream.try_clone()?), String::new(), false);
            stream.write_all(b"220 hi\r\n")?;
            loop {
                let mut line = Vec::new();
                if lines.read_until(b'\n', &mut line).unwrap_or(0) == 0 {
                    return Ok(came);
                }
                came.push_str(&String::from_utf8_lossy(&line));
                let reply = match line.split(u8::is_ascii_whitespace).next().unwrap() {
                    b"." if is_body => {
                        is_body = false;
                        &self.end
                    }
                    _ if is_body => continue,
                    b"EHLO" => self.offer,
                    b"MAIL" => &self.mail,
                    b"RCPT" => &self.rcpt,
                    b"DATA" => {
                        is_body = self.data.starts_with("354");
                        &self.data
                    }
                    _ => "250 well\r\n",
                };
                let (one, other) = reply.as_bytes().split_at(self.cut.min(reply.len()));
                // Two writes are two segments.
                if stream.write_all(one).and_then(|()| stream.write_all(other)).is_err() {
                    return Ok(came);
                }
            }
        };
        peer(move |stream| answer(stream).unwrap())
    }
}

#[test]
fn only_the_code_that_grants_grants_at_each_stage() {
    let codes =
        [199, 200, 220, 221, 235, 250, 251, 252, 299, 300, 334, 354, 421, 450, 452, 499, 500, 550, 552, 554, 599, 600];
    for driver in DRIVERS {
        for (request, number) in [Request::Mail, Request::Rcpt, Request::Data, Request::EndOfData]
            .into_iter()
            .flat_map(|request| codes.map(|code| (request, code)))
        {
            for offer in ["250 hi\r\n", "250-hi\r\n250 PIPELINING\r\n"] {
                let mut server = Answering { offer, ..Answering::default() };
                *match request {
                    Request::Mail => &mut server.mail,
                    Request::Rcpt => &mut server.rcpt,
                    Request::Data => &mut server.data,
                    _ => &mut server.end,
                } = format!("{number} said\r\n");
                let (port, came) = server.start();
                let mut session = extended(driver, port);
                let result = session.deliver(&envelope(&["b@x"]), MESSAGE);
                let meaning = Meaning::of(Some(request), Code::new(number).unwrap());
                let what = format!("{driver:?} {request:?} {number} {offer:?} {result:?}");
                let expected = match meaning {
                    Meaning::OutOfStep => None,
                    meaning if meaning.is_granted() => Some(Outcome::Delivered),
                    Meaning::Refused if (request, number) != (Request::Rcpt, 552) => Some(Outcome::Permanent),
                    _ => Some(Outcome::Temporary),
                };
                match (result, expected) {
                    (Ok(delivery), Some(expected)) => {
                        assert_eq!(outcomes(&delivery), [expected], "{what}");
                        let refusal = delivery.first_refusal().map(|reply| reply.code().number());
                        assert_eq!(refusal, (expected != Outcome::Delivered).then_some(number), "{what}");
                        assert_eq!(delivery.closing.is_some(), meaning == Meaning::Closing, "{what}");
                    }
                    (Err(Error::Delivery { source, so_far }), None) => {
                        assert!(matches!(*source, Error::Surprise { .. }), "{what}");
                        assert_eq!(outcomes(&so_far), [Outcome::Undecided], "{what}");
                    }
                    (Err(Error::Surprise { .. }), None) => assert_eq!(request, Request::Mail, "{what}"),
                    _ => panic!("{what}"),
                }
                drop(session);
                let came = came.join().unwrap();
                let is_sent = came.contains("Subject");
                assert_eq!(is_sent, meaning.is_granted() || request == Request::EndOfData, "{what}: {came}");
            }
        }
    }
}

#[test]
fn replies_are_read_whole_wherever_they_are_cut() {
    for driver in DRIVERS {
        for offer in ["250-hi\r\n250 SIZE\r\n", "250-hi\r\n250 PIPELINING\r\n"] {
            for cut in 1..22 {
                let (port, came) = Answering { offer, cut, ..Answering::default() }.start();
                let mut session = extended(driver, port);
                assert!(session.deliver(&envelope(&["b@x", "c@x"]), MESSAGE).unwrap().is_complete());
                drop(session);
                assert!(came.join().unwrap().ends_with("..dotted\r\nbody\r\n.\r\n"));
            }
        }
    }
}

#[test]
fn recipients_are_refused_and_deferred_by_pattern_and_the_others_get_the_message() {
    let rules = [
        Rule::at(Stage::Recipient).of("*@gone.example").reply("550 5.1.1 gone"),
        Rule::at(Stage::Recipient).of("new*").first(DRIVERS.len()).reply("451 4.7.1 greylisted"),
    ];
    for extensions in [vec![], vec!["PIPELINING"], vec!["CHUNKING"], vec!["PIPELINING", "CHUNKING"]] {
        let server =
            rules.iter().cloned().fold(Setup::new().extensions(extensions.clone()), Setup::rule).start().unwrap();
        let drivers = DRIVERS.into_iter().map(|driver| (driver, true));
        for (driver, is_new) in drivers.chain([(Driver::Blocking, false)]) {
            let mut session = extended(driver, server.port());
            let envelope = envelope(&["a@gone.example", "new@x", "b@x", "b@gone.example"]);
            let envelope = if extensions.contains(&"CHUNKING") { envelope.chunks(5) } else { envelope };
            let delivery = session.deliver(&envelope, MESSAGE).unwrap();
            let new = if is_new { Outcome::Temporary } else { Outcome::Delivered };
            assert_eq!(outcomes(&delivery), [Outcome::Permanent, new, Outcome::Delivered, Outcome::Permanent]);
            let got = server.messages().pop().unwrap().recipients;
            assert_eq!(got.len(), if is_new { 1 } else { 2 });
            // A thousand more are pipelined in groups.
            let many: Vec<String> = (0..1000).map(|number| format!("{number}@gone.example")).collect();
            let many: Vec<&str> = many.iter().map(String::as_str).collect();
            assert_eq!(session.deliver(&self::envelope(&many), MESSAGE).unwrap().count(Outcome::Permanent), 1000);
            session.quit().unwrap();
        }
    }
}

#[test]
fn a_chunk_that_is_refused_is_the_last_and_the_session_goes_on() {
    for driver in DRIVERS {
        let before = "C: MAIL FROM:<a@x>\nS: 250\nC: RCPT TO:<b@x>\nS: 250\n";
        let refused = format!("{before}C: BDAT 5\nC: *octets 5*\nS: 452 full\nC: RSET\nS: 250\nC: NOOP\nS: 250");
        let delivery = played(driver, "S: 250-CHUNKING\n", &refused, |session| {
            let delivery = session.deliver(&envelope(&["b@x"]).chunks(5), MESSAGE).unwrap();
            session.command("NOOP").unwrap();
            delivery
        });
        assert_eq!(outcomes(&delivery), [Outcome::Temporary]);
        assert_eq!(delivery.first_refusal().unwrap().text_lossy(), "full");

        let closing = format!("{before}C: BDAT 5\nC: *octets 5*\nS: 421 bye\nS: *close*");
        let delivery = played(driver, "S: 250-CHUNKING\n", &closing, |session| {
            session.deliver(&envelope(&["b@x"]).chunks(5), MESSAGE).unwrap()
        });
        assert_eq!((outcomes(&delivery), delivery.closing.unwrap().code().number()), (vec![Outcome::Temporary], 421));
    }
}

#[test]
fn a_server_that_closes_is_that_wherever_it_says_so_and_owes_no_more() {
    let together = "C: MAIL FROM:<a@x>\nC: RCPT TO:<b@x>\nC: RCPT TO:<c@x>\nC: DATA\nS: 250\n";
    let chunk = "C: BDAT 5\nC: *octets 5*\n";
    let refused = [Outcome::Permanent; 2];
    let put_off = [Outcome::Temporary; 2];
    for driver in DRIVERS {
        for (hello, rest, chunks, expected) in [
            ("EHLO", format!("{together}S: 550\nS: 550\nS: 554\nC: RSET\nS: 421"), None, refused),
            // The end of a body for nobody.
            ("EHLO", format!("{together}S: 550\nS: 550\nS: 354\nC: .\nS: 421"), None, refused),
            // For each of the two, there would be a reply.
            ("LHLO", format!("{together}S: 250\nS: 250\nS: 354\nC: *body*\nS: 421"), None, put_off),
            (
                "EHLO",
                format!(
                    "C: MAIL FROM:<a@x>\nC: RCPT TO:<b@x>\nC: RCPT TO:<c@x>\nS: 250\nS: 250\nS: 250\n{}S: 452\nS: 421",
                    chunk.repeat(5)
                ),
                Some(5),
                put_off,
            ),
        ] {
            let dialogue =
                format!("S: 220\nC: {hello} me\nS: 250-hi\nS: 250-PIPELINING\nS: 250 CHUNKING\n{rest} bye\nS: *close*");
            let server = Server::play(&dialogue).unwrap();
            let mut session = open(driver, server.port());
            let granted = if hello == "EHLO" { session.hello("me") } else { session.lhlo("me") };
            granted.unwrap().require().unwrap();
            let envelope = envelope(&["b@x", "c@x"]);
            let envelope = chunks.map_or(envelope.clone(), |octets| envelope.chunks(octets));
            let delivery = session.deliver(&envelope, MESSAGE).unwrap();
            assert_eq!(outcomes(&delivery), expected, "{dialogue}");
            assert_eq!(delivery.closing.unwrap().text_lossy(), "bye", "{dialogue}");
            assert_eq!(delivery.chunk.map(|reply| reply.code().number()), chunks.map(|_| 452));
            drop(session);
            server.join().unwrap();
        }
    }
}

#[test]
fn every_reply_to_a_body_that_is_for_nobody_is_read_in_lmtp_too() {
    for driver in DRIVERS {
        let server = Server::play(
            "S: 220\nC: LHLO me\nS: 250-hi\nS: 250 PIPELINING\n\
             C: MAIL FROM:<a@x>\nC: RCPT TO:<b@x>\nC: RCPT TO:<c@x>\nC: DATA\nS: 450\nS: 250\nS: 250\nS: 354\n\
             C: .\nS: 554\nS: 554\nC: NOOP\nS: 250",
        )
        .unwrap();
        let mut session = open(driver, server.port());
        session.lhlo("me").unwrap().require().unwrap();
        let delivery = session.deliver(&envelope(&["b@x", "c@x"]), MESSAGE).unwrap();
        assert_eq!(outcomes(&delivery), [Outcome::Temporary; 2]);
        session.command("NOOP").unwrap().require(250).unwrap();
        drop(session);
        server.join().unwrap();
    }
}

#[test]
fn in_lmtp_each_recipient_has_a_reply_to_the_message() {
    let server = Setup::new()
        .rule(Rule::at(Stage::Message).of("full@*").reply("452 4.2.2 over quota"))
        .rule(Rule::at(Stage::Message).of("never@*").reply("554 5.6.0 not that"))
        .start()
        .unwrap();
    for driver in DRIVERS {
        let mut session = open(driver, server.port());
        session.lhlo("me").unwrap().require().unwrap();
        for is_chunked in [false, true] {
            let envelope = envelope(&["full@x", "refused@x", "b@x", "never@x", "c@x"]);
            let envelope = if is_chunked { envelope.chunks(10) } else { envelope };
            let delivery = session.deliver(&envelope, MESSAGE).unwrap();
            let expected =
                [Outcome::Temporary, Outcome::Permanent, Outcome::Delivered, Outcome::Permanent, Outcome::Delivered];
            assert_eq!(outcomes(&delivery), expected);
            let codes =
                delivery.recipients.iter().map(|each| each.final_reply.as_ref().map(|reply| reply.code().number()));
            assert_eq!(codes.collect::<Vec<_>>(), [Some(452), None, Some(250), Some(554), Some(250)]);
            assert_eq!(delivery.first_refusal().unwrap().code(), 550, "of RCPT, which came first");
            assert_eq!(server.messages().pop().unwrap().recipients, ["b@x", "c@x"]);
        }
        session.quit().unwrap();
    }
}

#[test]
fn lhlo_is_refused_where_it_is_unknown_and_no_helo_follows() {
    for driver in DRIVERS {
        let server = Server::play("S: 220 hi\nC: LHLO me\nS: 500 what?\nC: QUIT\nS: 221").unwrap();
        let mut session = open(driver, server.port());
        assert_eq!(session.lhlo("me").unwrap().require().unwrap_err().reply.code(), 500);
        session.quit().unwrap();
        server.join().unwrap();
    }
}

#[test]
fn what_breaks_off_keeps_what_was_decided_before() {
    for driver in DRIVERS {
        let mail = "C: MAIL FROM:<a@x>\nS: 250\nC: RCPT TO:<b@x>\nS: 550\nC: RCPT TO:<c@x>\nS: 250\n";
        let body = "C: RCPT TO:<d@x>\nS: 250\nC: DATA\nS: 354\nC: *body*\n";
        for (greeted, rest, expected, chain) in [
            (
                "EHLO",
                "S: *close*",
                [Outcome::Permanent, Outcome::Undecided, Outcome::Undecided],
                "no reply to RCPT TO:<d@x> from",
            ),
            (
                "EHLO",
                &format!("{body}S: *close*"),
                [Outcome::Permanent, Outcome::Undecided, Outcome::Undecided],
                "no reply to the message from",
            ),
            (
                "LHLO",
                &format!("{body}S: 250\nS: *close*"),
                [Outcome::Permanent, Outcome::Delivered, Outcome::Undecided],
                "no reply to the message from",
            ),
        ] {
            let rest = if rest.starts_with('S') { format!("C: RCPT TO:<d@x>\n{rest}") } else { rest.to_owned() };
            let dialogue = format!("S: 220\nC: {greeted} me\nS: 250 x\n{mail}{rest}");
            let server = Server::play(&dialogue).unwrap();
            let mut session = open(driver, server.port());
            let hello = if greeted == "EHLO" { session.hello("me") } else { session.lhlo("me") };
            hello.unwrap().require().unwrap();
            let error = session.deliver(&envelope(&["b@x", "c@x", "d@x"]), MESSAGE).unwrap_err();
            assert!(error.is_temporary() && error.has_sent() && error.context().is_some());
            assert!(error.chain().contains(chain), "{}", error.chain());
            let Error::Delivery { so_far, .. } = error else { panic!("{error}") };
            assert_eq!(outcomes(&so_far), expected, "{dialogue}");
            drop(session);
            server.join().unwrap();
        }
    }
}

#[test]
fn a_transaction_stops_at_the_stage_that_was_named_and_nothing_is_delivered() {
    for driver in DRIVERS {
        for extensions in [vec![], vec!["PIPELINING", "CHUNKING"]] {
            let server = Setup::new().extensions(extensions).start().unwrap();
            let mut session = extended(driver, server.port());
            let envelope = envelope(&["b@x", "refused@x"]);

            let delivery = session.deliver(&envelope.clone().until(Until::Mail), MESSAGE).unwrap();
            assert!(delivery.mail.is_some() && delivery.recipients[0].reply.is_none());
            let delivery = session.deliver(&envelope.clone().until(Until::Rcpt), MESSAGE).unwrap();
            assert_eq!(outcomes(&delivery), [Outcome::Undecided, Outcome::Permanent]);
            assert!(delivery.recipients[0].reply.as_ref().unwrap().is_granted() && delivery.data.is_none());
            let delivery = session.deliver(&envelope.until(Until::Data).chunks(5), MESSAGE).unwrap();
            assert_eq!(delivery.data.unwrap().code(), 354);
            assert_eq!(session.phase(), Phase::Body);
            drop(session);

            let commands = server.sessions()[0].commands().join(" ");
            assert!(commands.contains("RSET MAIL") && commands.ends_with("DATA"), "{commands}");
            assert!(server.messages().is_empty());
        }
    }
}
