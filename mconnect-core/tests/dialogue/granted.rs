//! What is granted by no code or by the wrong one: what follows must not go out.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mconnect_core::Connect;
use mconnect_core::dialogue::{Dialogue, Played, Player, Verdict};
use mconnect_core::server::Server;

use crate::open;

/// Greets, answers each verb as it is told and all others with 250, and keeps the lines that come.
fn answers(replies: &[(&str, &str)]) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let replies: Vec<(String, String)> =
        replies.iter().map(|(verb, reply)| (verb.to_string(), reply.to_string())).collect();
    let server = thread::spawn(move || {
        let mut stream: TcpStream = listener.accept().unwrap().0;
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let reader = BufReader::new(stream.try_clone().unwrap());
        stream.write_all(b"220 ready\r\n").unwrap();
        let mut came = Vec::new();
        for line in reader.split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            let verb = line.split(' ').next().unwrap_or_default().to_owned();
            let reply = replies.iter().find(|(known, _)| *known == verb).map_or("250 ok", |(_, reply)| reply);
            came.push(line);
            if stream.write_all(format!("{reply}\r\n").as_bytes()).is_err() {
                break;
            }
        }
        came
    });
    (port, server)
}

/// Plays a dialogue, and gives what came of it and what the server got.
#[track_caller]
fn played(replies: &[(&str, &str)], dialogue: &str, keeps_going: bool) -> (Played, Vec<String>) {
    let (port, server) = answers(replies);
    let session = Connect::new("127.0.0.1", port).open().unwrap();
    let mut player = Player::new();
    if keeps_going {
        player.keep_going();
    }
    let start = Instant::now();
    let mut played = player.play(session, &Dialogue::parse(dialogue).unwrap());
    assert!(start.elapsed() < Duration::from_secs(8), "{dialogue}: {:?}", start.elapsed());
    let had_session = played.session.take();
    assert!(!dialogue.contains("*starttls*") || had_session.is_none(), "nobody can go on in the clear");
    drop(had_session);
    (played, server.join().unwrap())
}

fn failures(played: &Played) -> Vec<String> {
    played.outcomes.iter().filter(|it| it.verdict != Verdict::Met).map(ToString::to_string).collect()
}

#[test]
fn a_starttls_that_is_not_met_ends_the_session_keep_going_or_not() {
    for start in ["C: *starttls*", "C: STARTTLS\nS: 220\nC: *tls*"] {
        let dialogue = format!(
            "S: 220\nC: EHLO me\nS: 250\n{start}\nC: EHLO me\nS: 250\nC: *authenticate PLAIN user s3cr3t*\n\
             C: AUTH PLAIN AHVzZXIAczNjcjN0\nS: 235\nC: QUIT\nS: 221"
        );
        for reply in ["454 4.7.0 no", "501 no", "250 ok", "354 go", "334 x", "221 bye", "421 closing", "235 in"] {
            for keeps_going in [false, true] {
                let (played, came) = played(&[("STARTTLS", reply)], &dialogue, keeps_going);
                let is_left_out = came.iter().all(|line| !line.contains("AUTH") && !line.contains("QUIT"));
                assert!(is_left_out && came.len() <= 2, "{reply} {start}: {came:?}");
                assert_eq!(failures(&played).len(), 1, "{reply} {start}");
            }
        }
    }
}

#[test]
fn where_data_is_refused_the_steps_of_its_body_are_passed_over() {
    for body in [
        "C: Subject: hi\nC:\x20\nC: RCPT TO:<boss@x>\nC: quit\nC: .\nS: 250",
        "C: *body*\nS: 250",
        "C: half\nC: *pause 1 ms*\nC> \\r\\n.\\r\\n\nS: 250\nS: 250",
        "C: *octets 128*\nC: *silence 1 ms*\nC> .\\r\\n\nS? 250\nS: 250",
        "C: *body no such file*\nS: 250",
    ] {
        let body = body.replace("C:\\x20", "C: ");
        let dialogue = format!("S: 220\nC: EHLO me\nS: 250\nC: DATA\nS: 354\n{body}\nC: RSET\nS: 250\nC: QUIT\nS: 221");
        for reply in ["451 4.3.2 not now", "554 no", "503 no"] {
            let (played, came) = played(&[("DATA", reply), ("QUIT", "221 bye")], &dialogue, true);
            assert_eq!(came, ["EHLO me", "DATA", "RSET", "QUIT"], "{reply} {body}");
            let told = failures(&played);
            assert!(told.len() == 1 && told[0].contains("; the steps of its body are passed over"), "{told:?}");
        }
        for reply in ["250 2.1.0 ok", "235 in", "220 hi", "334 x", "199 x", "221 bye", "421 closing"] {
            let (played, came) = played(&[("DATA", reply), ("QUIT", "221 bye")], &dialogue, true);
            assert_eq!((came, failures(&played).len()), (vec!["EHLO me".to_owned(), "DATA".to_owned()], 1), "{reply}");
        }
    }
    // What was sent together with DATA has gone; what the server says to it is no reply to what follows.
    let dialogue = "S: 220\nC: DATA\nC: hi\nC: .\nS: 354\nS: 250\nC: QUIT\nS: 221";
    let (played, came) = played(&[("DATA", "451 no"), ("hi", "500 what?"), (".", "500 what?")], dialogue, true);
    assert_eq!((came.len(), failures(&played).len()), (3, 3), "{played:?}");
}

#[test]
fn an_auth_that_is_refused_with_answers_to_follow_ends_it() {
    let login =
        "S: 220\nC: EHLO me\nS: 250\nC: AUTH LOGIN\nS: 334\nC: dXNlcg==\nS: 334\nC: cGVuY2ls\nS: 235\nC: QUIT\nS: 221";
    for reply in ["504 no", "454 later", "250 ok", "235 in", "354 go", "220 hi", "221 bye", "421 closing", "199 x"] {
        let (first, came) = played(&[("AUTH", reply)], login, true);
        assert_eq!((came, failures(&first).len()), (vec!["EHLO me".to_owned(), "AUTH LOGIN".to_owned()], 1), "{reply}");
        let (_, came) = played(&[("AUTH", "334 x"), ("dXNlcg==", reply)], login, true);
        assert_eq!(came.last().unwrap(), "dXNlcg==", "{reply}");
    }
    // One that has said everything leaves nothing that could go out.
    let plain = "S: 220\nC: AUTH PLAIN AHVzZXIAcGVuY2ls\nS: 235\nC: QUIT\nS: 221";
    for (reply, is_end) in [("535 no", false), ("454 later", false), ("334 x", true), ("250 ok", true)] {
        let (_, came) = played(&[("AUTH", reply), ("QUIT", "221 bye")], plain, true);
        assert_eq!(came.last().unwrap() == "QUIT", !is_end, "{reply}: {came:?}");
    }
}

#[test]
fn another_code_that_opens_a_body_or_an_exchange_ends_it() {
    for (request, reply, expected) in
        [("DATA", "354 go", "451"), ("AUTH LOGIN", "334 x", "504"), ("STARTTLS", "220 go", "454")]
    {
        let dialogue = format!("S: 220\nC: {request}\nS: {expected}\nC: QUIT\nS: 221");
        let verb = request.split(' ').next().unwrap();
        let (_, came) = played(&[(verb, reply)], &dialogue, true);
        assert_eq!(came, [request], "{reply}");
        // The same code with another text is what was to be followed by more.
        let dialogue = format!("S: 220\nC: {request}\nS: {} other\nC: QUIT\n*within 50 ms*\nS: 221", &reply[..3]);
        let (_, came) = played(&[(verb, reply)], &dialogue, true);
        assert_eq!(came, [request, "QUIT"], "{reply}");
    }
}

#[test]
fn an_odd_reply_that_a_dialogue_expects_is_met() {
    let table = [
        ("DATA", "250 ok", "C: DATA\nS: 250"),
        ("DATA", "451 no", "C: DATA\nS: 451\nC: hi\nS: 250"),
        ("AUTH", "250 ok", "C: AUTH LOGIN\nS: 250\nC: dXNlcg==\nS: 250"),
        ("EHLO", "250 a\r\n250 b", "C: EHLO me\nS: 250 a\nS: 250 b"),
        ("EHLO", "250 a\r\n250 b", "C: EHLO me\nS> 250 a\\r\\n\nS> 250 b\\r\\n"),
        ("EHLO", "250 a\r\n250 b", "C: EHLO me\nS* 250"),
        ("MAIL", "354 go", "C: MAIL FROM:<>\nS: 354\nC: .\nS: 250"),
        ("STARTTLS", "454 no", "C: STARTTLS\nS: 454"),
    ];
    for (verb, reply, steps) in table {
        let dialogue = format!("S: 220\n{steps}\nC: QUIT\nS: 221");
        let (played, came) = played(&[(verb, reply), ("QUIT", "221 bye")], &dialogue, false);
        assert_eq!((failures(&played), came.last().unwrap().as_str()), (Vec::new(), "QUIT"), "{steps}");
    }
}

#[test]
fn a_reply_too_many_is_found_before_the_next_line_goes_out() {
    let dialogue =
        "S: 220\nC: EHLO me\nS: 250\n*within 200 ms*\nC: *pause 200 ms*\nC: MAIL FROM:<>\nS: 250\nC: QUIT\nS: 221";
    for many in ["250 a\r\n250 b", "250 a\r\n354 b", "250 a\r\n250-b\r\n250 c", "250 a\r\n550 b"] {
        for keeps_going in [false, true] {
            let (played, came) = played(&[("EHLO", many)], dialogue, keeps_going);
            assert_eq!(came, ["EHLO me"], "{many}");
            let told = failures(&played);
            assert!(
                told.len() == 1 && told[0].contains("`, which nobody asked for; nothing more was sent, after"),
                "{told:?}"
            );
        }
    }
    // That the server closes may be what a later step expects.
    let dialogue = "S: 220\nC: EHLO me\nS: 250\nC: *pause 100 ms*\nC: NOOP\nS: 421";
    assert_eq!(failures(&played(&[("EHLO", "250 a\r\n421 idle")], dialogue, false).0), [""; 0]);
}

#[test]
fn a_second_reply_that_comes_late_opens_no_body() {
    let served = "S: 220 mx ESMTP\nC: EHLO x\nS: 250 mx\nS: *pause 60 ms*\nS: 250 SIZE 1000\nC: MAIL FROM:<a@x>\n\
        S: *pause 40 ms*\nS: 250 ok\nC: RCPT TO:<good@x>\nS: *pause 40 ms*\nS: 250 ok\nC: DATA\nS: *pause 40 ms*\n\
        S: 451 not now\nC: *close*";
    let dialogue = "S: 220\nC: EHLO x\nS: 250\nC: MAIL FROM:<a@x>\nS: 250\nC: RCPT TO:<good@x>\nS: 250\nC: DATA\nS: 354\n\
        C: Subject: hi\nC: RCPT TO:<boss@x>\nC: .\nS: 250\nC: QUIT\nS: 221";
    for keeps_going in [false, true] {
        let server = Server::play(served).unwrap();
        let mut player = Player::new();
        if keeps_going {
            player.keep_going();
        }
        let played = player.play(open(&server), &dialogue.parse().unwrap());
        assert_eq!(failures(&played).len(), 1, "{played:?}");
        drop(played);
        server.join().unwrap();
    }
}

#[test]
fn a_reply_that_never_came_is_told_once_quit_is_answered() {
    for (steps, failed) in [("S: 250\nS: 250\nS: 221", "S: 250"), ("S: 250\nS: 2yz\nS: 2yz", "S: 2yz")] {
        for keeps_going in [false, true] {
            let dialogue = format!("S: 220\nC: MAIL FROM:<>\nC: RSET\nC: QUIT\n{steps}");
            let server =
                Server::play("S: 220 x\nC: MAIL FROM:<>\nC: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye\nC: *close*").unwrap();
            let mut player = Player::new();
            if keeps_going {
                player.keep_going();
            }
            let start = Instant::now();
            let played = player.play(open(&server), &dialogue.parse().unwrap());
            assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
            let told = failures(&played);
            assert!(told[0].contains(&format!("expected `{failed}`")), "{told:?}");
            assert!(
                told[0].contains("; QUIT was answered, and replies due before it never came: 1, after"),
                "{told:?}"
            );
            drop(played);
            server.join().unwrap();
        }
    }
}

#[cfg(feature = "auth")]
#[test]
fn authentication_is_met_by_235_alone() {
    let step = |mechanism: &str| format!("S: 220\nC: *authenticate {mechanism} user pencil*\nC: QUIT\nS: 221");
    for (replies, verdict) in [
        (["235 in", "", ""], Verdict::Met),
        (["334 Username:", "334 Password:", "235 in"], Verdict::Met),
        (["334-one\r\n334 two", "334 !!", "235 in"], Verdict::Met),
        (["250 ok", "", ""], Verdict::Other),
        (["334 x", "250 ok", ""], Verdict::Other),
        (["354 go", "", ""], Verdict::Other),
        (["334 x", "334 x", "220 in"], Verdict::Other),
        (["535 no", "", ""], Verdict::Refused),
        (["334 x", "334 x", "535 no"], Verdict::Refused),
        (["454 later", "", ""], Verdict::Refused),
    ] {
        let replies = [("AUTH", replies[0]), ("dXNlcg==", replies[1]), ("cGVuY2ls", replies[2]), ("QUIT", "221 bye")];
        for keeps_going in [false, true] {
            let (played, came) = played(&replies, &step("LOGIN"), keeps_going);
            assert_eq!(played.outcomes[1].verdict, verdict, "{replies:?}");
            let goes_on = verdict == Verdict::Met || (keeps_going && verdict == Verdict::Refused);
            assert_eq!(came.last().unwrap() == "QUIT", goes_on, "{replies:?} {came:?}");
        }
    }
    for (reply, verdict) in [("235 in", Verdict::Met), ("250 ok", Verdict::Other), ("535 no", Verdict::Refused)] {
        let (played, _) = played(&[("AUTH", reply), ("QUIT", "221 bye")], &step("PLAIN"), false);
        assert_eq!(played.outcomes[1].verdict, verdict, "{reply}");
    }
}

#[test]
fn a_reply_that_came_before_the_lone_dot_accepts_no_message() {
    for body in ["C: hi\nC: .", "C> hi\\r\\n.\\r\\n", "C: *octets 200000*\nC: ."] {
        let dialogue = format!("S: 220\nC: DATA\nS: 354\n{body}\nS: 250");
        let (played, came) = played(&[("DATA", "354 go\r\n250 queued")], &dialogue, true);
        assert_eq!(came, ["DATA"], "{body}");
        assert_eq!(played.failure().unwrap().verdict, Verdict::Other, "{body}");
        let failures = failures(&played);
        assert!(failures.len() == 1 && failures[0].contains("`250 queued`, which nobody asked for"), "{failures:?}");
    }
}

#[test]
fn a_221_that_came_before_quit_does_not_answer_it() {
    let (played, came) = played(&[("RSET", "250 ok\r\n221 bye")], "S: 220\nC: RSET\nS: 250\nC: QUIT\nS: 221", false);
    assert_eq!(came, ["RSET"]);
    let failures = failures(&played);
    assert!(failures.len() == 1 && failures[0].contains("`221 bye`, which nobody asked for"), "{failures:?}");
}

#[test]
fn a_reply_too_many_behind_the_last_step_is_found() {
    for (said, dialogue, got) in [
        ("S: 250 ok\nS: 250 again", "S: 220\nC: NOOP\nS: 250", Some("`250 again\\r\\n`, which nobody asked for")),
        ("S: 250 ok\nS> 25", "S: 220\nC: NOOP\nS: 250", Some("`25`, which nobody asked for")),
        ("S: 250 ok\nS: 421 bye", "S: 220\nC: NOOP\nS: 250\nS? 250", Some("`421 bye`, which nobody asked for")),
        ("S: 250 ok\nS: 421 bye", "S: 220\nC: NOOP\nS: 250\nS: 421", None),
        ("S: 250 ok", "S: 220\nC: NOOP", None),
        ("S: 250 ok", "S: 220\nC: NOOP\nS: 250\nC: *close*", None),
    ] {
        let server = Server::play(format!("S: 220 hi\nC: NOOP\n{said}\nC: *close*").as_str()).unwrap();
        let session = Connect::new("127.0.0.1", server.port()).open().unwrap();
        let mut played = session.play(&Dialogue::parse(dialogue).unwrap());
        drop(played.session.take());
        server.join().unwrap();
        match (failures(&played).as_slice(), got) {
            ([], None) => {}
            ([told], Some(got)) => {
                assert!(told.contains(&format!("expected `the end of the dialogue`, got {got}")), "{told}");
            }
            (failures, _) => panic!("{said} {dialogue}: {failures:?}"),
        }
    }
}

#[test]
fn what_a_client_sends_behind_the_last_step_is_found() {
    for (dialogue, sent, got) in [
        ("C: NOOP\nS: 250 ok", "NOOP\r\nRSET\r\n", Some("`RSET\\r\\n`, which nothing asked for")),
        ("C: NOOP", "NOOP\r\nRS", Some("`RS`, which nothing asked for")),
        ("C: NOOP\nS: 250 ok\nS: *close*", "NOOP\r\nRSET\r\n", None),
        ("C: NOOP\nS: 250 ok\nS: *pause 1 ms*", "NOOP\r\nRSET\r\n", None),
        ("C: NOOP\nS: 250 ok", "NOOP\r\n", None),
    ] {
        let server = Server::play(format!("S: 220 hi\n{dialogue}").as_str()).unwrap();
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        reader.read_line(&mut String::new()).unwrap();
        stream.write_all(sent.as_bytes()).unwrap();
        let mut reply = String::new();
        reader.read_line(&mut reply).unwrap();
        assert_eq!(reply == "250 ok\r\n", dialogue.contains("S: 250"), "the last reply is heard all the same");
        drop((stream, reader));
        match (server.join(), got) {
            (Ok(_), None) => {}
            (Err(error), Some(got)) => {
                let told = error.to_string();
                assert!(told.contains(&format!("expected `the end of the dialogue`, got {got}")), "{told}");
            }
            (joined, _) => panic!("{dialogue}: {joined:?}"),
        }
    }
}
