//! Sessions written down, and played again.

use std::time::Instant;

use mconnect_core::dialogue::{Dialogue, Directive, Player, Recorder};
use mconnect_core::protocol::ReplyLine;
use mconnect_core::server::Server;
use mconnect_core::{Connect, Event, Observer};

use crate::open;

#[test]
fn what_is_recorded_plays_and_one_changed_code_does_not() {
    let server = Server::start().unwrap();
    let recorder = Recorder::new();
    let mut session = Connect::new("127.0.0.1", server.port()).observer(recorder.clone()).open().unwrap();
    session.read_reply().unwrap();
    session.command("EHLO x").unwrap();
    session.pipeline(["MAIL FROM:<>", "RCPT TO:<refused@x>", "RCPT TO:<a@x>"]).unwrap();
    session.message("Subject: a\n\n\u{e9}\n.b\n".as_bytes()).unwrap().require(250).unwrap();
    session.command("AUTH PLAIN hush").unwrap();
    session.send(b"BDAT 2 LAST\r\n\0x").unwrap();
    session.read_reply().unwrap();
    session.quit().unwrap();
    let text = recorder.text();
    assert!(!text.contains("hush") && text.contains("C: AUTH PLAIN ${secret1}\n"), "{text}");
    assert!(text.contains("# 550 5.1.1 no such mailbox here\nS: 550\n"), "{text}");

    let play = |text: &str| {
        let mut player = Player::new();
        player.set("secret1", "hush");
        player.play(open(&server), &Dialogue::parse(text).unwrap()).require().map(drop)
    };
    play(&text).unwrap();
    let changed = text.replace("S: 550", "S: 551");
    let line = changed.lines().position(|line| line == "S: 551").unwrap() + 1;
    let told = play(&changed).unwrap_err().to_string();
    assert!(
        told.starts_with(&format!("line {line}: expected `S: 551`, got `550 5.1.1 no such mailbox here`, after")),
        "{told}"
    );
}

/// What is recorded of these lines, as a server and a client say them; the client's are secret if they are one letter.
fn record(lines: &[&str], mut after_each: impl FnMut(&Recorder)) -> Recorder {
    let recorder = Recorder::new();
    let tell = |event: Event<'_>| recorder.observe(Instant::now(), &event);
    for line in lines {
        match line.split_once(": ").unwrap() {
            ("S", said) => tell(Event::Received(ReplyLine::new(format!("{said}\r\n").as_bytes()))),
            (_, "x") => tell(Event::SentSecret(3)),
            (_, said) => match said.strip_suffix(" x") {
                Some(said) => {
                    tell(Event::Sent(format!("{said} ").as_bytes()));
                    tell(Event::SentSecret(3));
                }
                None => tell(Event::Sent(format!("{said}\r\n").as_bytes())),
            },
        }
        after_each(&recorder);
    }
    recorder
}

const AUTHENTICATED: [&str; 14] = [
    "S: 220 hi",
    "C: AUTH PLAIN x",
    "S: 235 ok",
    "C: AUTH CRAM-MD5",
    "S: 334 abc",
    "C: x",
    "S: 535 no",
    "C: AUTH CRAM-MD5",
    "S: 334 abc",
    "C: x",
    "S: 235 ok",
    "C: AUTH PLAIN x",
    "S: 235 ok",
    "C: QUIT",
];

#[test]
fn a_record_that_is_taken_in_pieces_says_the_same() {
    let whole = record(&AUTHENTICATED, |_| {}).text();
    let steps = |text: &str| Dialogue::parse(text).unwrap().steps().to_vec();
    let is_name = |step: &mconnect_core::dialogue::Step| matches!(step.directive, Directive::Secret(_));
    assert!(
        whole.starts_with(
            "*secret secret1*\n*secret password1*\n*secret password2*\n*secret password3*\n# 220 hi\nS: 220\n\
             # 235 ok\nC: *authenticate PLAIN ${user1} ${password1}*\n"
        ),
        "{whole}"
    );
    assert!(whole.contains("C: *authenticate CRAM-MD5 ${user2} ${password2}*\n"), "{whole}");
    for cut in 0..AUTHENTICATED.len() {
        for every in [false, true] {
            let (mut taken, mut count) = (String::new(), 0);
            let recorder = record(&AUTHENTICATED, |recorder| {
                if count == cut || every {
                    let piece = recorder.take();
                    assert!(Dialogue::parse(&piece).is_ok(), "{piece}");
                    taken.push_str(&piece);
                }
                count += 1;
            });
            let text = taken + &recorder.text();
            let (names, said): (Vec<_>, Vec<_>) = steps(&text).into_iter().partition(is_name);
            let (all_names, all_said): (Vec<_>, Vec<_>) = steps(&whole).into_iter().partition(is_name);
            assert_eq!(said, all_said, "{cut}\n{text}");
            assert_eq!(names.len(), all_names.len(), "{cut}\n{text}");
            for step in names {
                let Directive::Secret(name) = step.directive else { panic!("{step}") };
                let (named, used) = (text.find(&format!("*secret {name}*")), text.find(&format!("${{{name}}}")));
                assert!(named < used, "{cut}\n{text}");
            }
        }
    }
}

#[test]
fn a_recorder_that_nobody_takes_from_says_what_it_leaves_out() {
    let (line, recorder) = (format!("250 {}\r\n", "x".repeat(1000)), Recorder::new());
    for _ in 0..10_000 {
        recorder.observe(Instant::now(), &Event::Received(ReplyLine::new(line.as_bytes())));
    }
    let text = recorder.text();
    assert!(text.len() < 4 * 1024 * 1024 + 5000, "{}", text.len());
    assert!(text.ends_with("\nS: 250\n# What followed is left out: 4194304 octets are kept.\n"));
    Dialogue::parse(&text).unwrap();
}

#[test]
fn neither_a_line_nor_an_exchange_without_an_end_is_kept() {
    let recorder = Recorder::new();
    let mut text = String::new();
    let mut tell = |event: Event<'_>| {
        recorder.observe(Instant::now(), &event);
        assert!(recorder.size() < 300_000, "{}", recorder.size());
        text.push_str(&recorder.take());
    };
    for _ in 0..100 {
        tell(Event::Sent(&[b'x'; 10_000]));
    }
    tell(Event::Sent(b"\r\nAUTH CRAM-MD5\r\n"));
    for _ in 0..10_000 {
        tell(Event::Received(ReplyLine::new(&[b"334-", &[b'y'; 100][..], b"\r\n"].concat())));
    }
    tell(Event::Received(ReplyLine::new(b"334 abc\r\n")));
    tell(Event::SentSecret(3));
    tell(Event::Received(ReplyLine::new(b"235 ok\r\n")));
    let (start, end) = text.split_once("C: AUTH CRAM-MD5\n").unwrap();
    assert_eq!(start.matches('x').count(), 1_000_000);
    assert!(
        end.ends_with("S: 334\n*secret secret1*\nC: ${secret1}\n# 235 ok\nS: 235\n"),
        "{}",
        &end[end.len() - 200..]
    );
}
