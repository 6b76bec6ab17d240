//! Every construct of the notation, from both sides.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener};
use std::thread;
use std::time::Duration;

use mconnect_core::Connect;
use mconnect_core::dialogue::{Dialogue, Player};
use mconnect_core::server::Server;

use crate::{folder, open};

#[test]
fn each_construct_does_what_it_says_in_both_roles() {
    let file = folder().join("rfc2920.txt");
    let file = file.display();
    let table = [
        ("classes", "S: 220 hi\nC: A\nS: 251 x", "S: 2yz\nC: A\nS: 25z"),
        ("any code", "S: 199 hi", "S: xyz"),
        ("lines in between", "S: 250-a\nS: 250-b\nS: 250-c\nS: 250 d", "S: 250-b\nS: 250 d"),
        ("exact", "S= 250-a\nS= 250 b", "S= 250-a\nS= 250 b"),
        ("the last line", "S: 250-a\nS: 250 b", "S: 250-b\nS: 250"),
        ("pattern", "S: 250 Ok: Queued as 7", "S~ 250 ok*queued as ?"),
        ("first of two", "S: 250 a\nS| 550 b", "S: 250\nS| 550"),
        ("second of two", "S: 550 5.1.1 b", "S: 250\nS| 550-5.1.1\nS| 550"),
        ("optional, there", "S: 220 hi\nS? 250\nS: 421 x", "S: 220\nS? 421\nC: *close*"),
        ("optional, absent", "S: 220 hi\nS: 250 x", "S: 220\nS? 421\nS* 5yz\nS: 250"),
        (
            "optional, and half of another",
            "S: 220 hi\nS: 250-a\nS: *pause 40 ms*\nS: 250 b",
            "S: 220\n*within 10 ms*\nS? 550\nS= 250-a\nS= 250 b",
        ),
        ("any number", "S: 220 hi\nS: 250 x\nS: 250 x\nS: 221 x", "S: 220\nS* 250\nS: 221"),
        ("optional, silence", "S: 220 hi\nC: A\nS: 250 x", "S: 220\n*within 1 ms*\nS? 421\nC: A\nS: 250"),
        ("a value", "S: 220 hi\nC: EHLO me", "S: 220\nC: EHLO ${no_such_name:-me}"),
        ("a capture", "S: 250 as 7, ok\nC: X 7", "S: 250 as ${id}, ok\nC: X ${id}"),
        ("a capture, served", "C: X ${id}\nS: 250 ${id}", "C: X a b\nS: 250 a b"),
        ("bytes", "S> 250-a\\r\\n25\nS> 0 b\\n\nC> x\\0\nC: y", "S: 250-a\nS: 250\nC> x\\x00y\\r\\n"),
        (
            "bytes awaited",
            "S: 250-a\nS> 250 b\nS: *pause 5 ms*\nS> c\\r\\n",
            "S> 250-\nS> a\\r\\n250\nS> \\x20bc\\r\\n",
        ),
        ("bytes, not a line", "S> 250\nC: A\nS> \\x20x\\r\\n", "S> 25\nS> 0\nC: A\nS> \\x20x\\r\\n"),
        ("a cut line", "C: NOOP", "C> NO\nC: *pause 5 ms*\nC> OP\\r\\n"),
        ("a pause of the server's", "S: *pause 5 ms*\nS: 250 x", "S: *pause 5 ms*\nS: 250"),
        ("a body", "C: *body*\nS: 250 x", "C: *body*\nS: 250"),
        ("a body from a file", &format!("C: *body {file}*"), &format!("C: *body {file}*")),
        ("a file as it is", &format!("C: *file {file}*"), &format!("C: *file {file}*")),
        ("a file from the server", &format!("S: *file {file}*"), &format!("S: *file {file}*")),
        ("octets", "C: *octets 200000*\nS: 250 x", "C: *octets 200000*\nS: 250"),
        ("octets from the server", "S: *octets 70000*", "S: *octets 70000*"),
        ("silence", "C: A\nS: *silence 2 ms*\nS: 250 x", "S: *silence 2 ms*\nC: A\nS: 250"),
        (
            "the client's silence",
            "S: 250 x\nC: *silence 2 ms*\nS: 251 x\nC: A",
            "S: 250\nC: *silence 2 ms*\nS: 251\nC: A",
        ),
        (
            "the client's silence before a line",
            "S: 250 x\nC: *silence 10 ms*\nC: A",
            "S: 250\nC: *silence 200 ms*\nC: A",
        ),
        ("a pause inside a reply", "S: 250-a\nS: *pause 5 ms*\nS: 250 b", "S: 250-a\nS: *pause 5 ms*\nS: 250 b"),
        ("bytes that end a reply", "S: 250-a\nS: 250-b\nS> 250 c\\r\\n\nC: A", "S: 250-b\nS> 250 c\\r\\n\nC: A"),
        ("a capture of a whole line", "S= 250-a b\nS= 250 7\nC: X 7", "S= 250-${name}\nS= 250 ${id}\nC: X ${id}"),
        ("a reset for a close", "S: 220 x\nC: A\nS: *reset*", "S: 220\nC: A\nS: *close*"),
        ("a secret", "*secret id*\nS: 250 as 7\nC: X ${id:-7}", "*secret id*\nS: 250 as ${id}\nC: X ${id}"),
        ("a place", "S: 250 x\n*place here*\nC: A", "S: 250\n*place here*\nC: A"),
        ("an indented one", "  S: 250-a\n\tS: 250 b\n  # so\n  C: A", " S: 250-a\n S: 250\n C: A"),
        ("no reply", "C: A\nS: *no reply*\nC: B\nS: 250 x", "C: A\n*within 5 ms*\nS: *no reply*\nC: B\nS: 250"),
        ("half-close", "C: *half-close*\nS: 250 x", "C: *half-close*\nS: 250\nS: *close*"),
        ("half-close of the server", "S: *half-close*\nC: A", "S: *half-close*\nC: A"),
        ("close of the client", "S: 220 x\nC: *close*", "S: 220\nC: *close*"),
        ("reset of the client", "S: 220 x\nC: *reset*", "S: 220\nC: *reset*"),
        ("reset of the server", "S: 220 x\nC: A\nS: *reset*", "S: 220\nC: A\nS: *reset*"),
        ("a literal direction", "C: \\*close*\nS: 250 x", "C: \\*close*\nS: 250"),
        ("a literal name", "C: $${x}\nS: 250 x", "C: $${x}\nS: 250"),
        (
            "deadlines",
            "*each within 9 s*\n*all within 9 s*\nC: A\nS: 250 x",
            "*each within 9 s*\nC: A\n*within 8 s*\nS: 250",
        ),
    ];
    for (name, served, played) in table {
        let server = Server::play(served).unwrap();
        let played = open(&server).play(&Dialogue::parse(played).unwrap());
        drop(played.require().unwrap_or_else(|failure| panic!("{name}: {failure}")));
        server.join().unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn a_reset_that_is_here_before_a_line_goes_out_is_still_one_after_it() {
    for (then, is_met) in
        [("C: A\nS: *reset*", true), ("C: A\nC: B\nS: *reset*", true), ("C: A\nS: *half-close*", false)]
    {
        let server = Server::play("S: 220 x\nS: *reset*").unwrap();
        let session = open(&server).play(&Dialogue::parse("S: 220").unwrap()).require().unwrap().session.unwrap();
        server.join().unwrap();
        let played = session.play(&Dialogue::parse(then).unwrap());
        assert_eq!(played.failure().is_none(), is_met, "{then}: {played:?}");
    }
}

#[test]
fn playing_stops_at_a_place_with_quit_or_at_once() {
    let dialogue = "S: 220\nC: A\n*place sent*\nS: 250\n*place replied*\nC: never".parse().unwrap();
    for (served, stop) in [
        ("S: 220 x\nC: A\nS: 250 x\nC: QUIT\nS: 221 x", 0),
        ("S: 220 x\nC: A\nC: *close*", 1),
        ("S: 220 x\nC: A\nS: 250 x\nC: *close*", 2),
    ] {
        let server = Server::play(served).unwrap();
        let mut player = Player::new();
        match stop {
            0 => player.quit_at("replied"),
            1 => player.drop_at("sent"),
            _ => player.drop_at("replied"),
        };
        player.play(open(&server), &dialogue).require().unwrap();
        server.join().unwrap();
    }
}

#[test]
fn playing_stops_without_quit_where_no_command_is_due() {
    for steps in
        ["C: DATA\nS: 354 go\nC: text", "C> BDAT 9\\r\\ntext", "C: AUTH LOGIN\nS: 334 x", "C: STARTTLS\nS: 220 x"]
    {
        let server = Server::play(&format!("S: 220 x\n{steps}\nC: *close*")).unwrap();
        let mut player = Player::new();
        player.quit_at("inside");
        let dialogue = format!("S: 220\n{steps}\n*place inside*\nC: never").parse().unwrap();
        player.play(open(&server), &dialogue).require().unwrap();
        server.join().unwrap_or_else(|error| panic!("{steps}: {error}"));
    }
}

#[test]
fn several_sessions_are_played_in_order_and_said_as_data() {
    let server = Server::play("S: 421 later\nS: *close*\n*next session*\nS: 220 now\nC: QUIT\nS: 221 bye").unwrap();
    let dialogue = Dialogue::parse("S: 421\nS: *close*\n*next session*\nS: 220\nC: QUIT\nS: 221\nS: *close*").unwrap();
    for session in dialogue.sessions() {
        open(&server).play(&session).require().unwrap();
    }
    let said: Vec<String> = server.sessions().iter().map(|session| format!("{session:?}")).collect();
    assert_eq!(said, ["S: 421 later\n", "S: 220 now\nC: QUIT\nS: 221 bye\n"]);
    server.join().unwrap();
}

#[test]
fn a_refusal_in_the_middle_of_a_message_is_what_the_reply_is() {
    for end in ["S: *close*", "S: *reset*"] {
        let server =
            Server::play(&format!("S: 220 x\nC: DATA\nS: 354 go\nS: 552 too much\nS: *pause 20 ms*\n{end}")).unwrap();
        let played =
            open(&server).play(&"S: 220\nC: DATA\nS: 354\nC: *octets 90000000*\nC: .\nS: 552".parse().unwrap());
        played.require().unwrap();
        drop(server.join());
    }
}

#[test]
fn bytes_cut_anywhere_are_the_same_replies() {
    let said = b"220-hi\r\n220 there\r\n250 x\r\n";
    let dialogue = Dialogue::parse("S: 220-hi\nS: 220\nS> 250\nS> \\x20x\\r\\n\nS: *close*").unwrap();
    for cut in 1..said.len() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            stream.write_all(&said[..cut]).unwrap();
            stream.write_all(&said[cut..]).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let session = Connect::new("127.0.0.1", port).open().unwrap();
        drop(session.play(&dialogue).require().unwrap());
        server.join().unwrap();
    }
}

#[test]
fn lmtp_has_a_reply_for_each_recipient() {
    let dialogue = "S: 220 lmtp\nC: LHLO x\nS: 250 hi\nC: MAIL FROM:<>\nC: RCPT TO:<a@x>\nC: RCPT TO:<b@x>\nC: DATA\nS: 250 ok\n\
        S: 250 ok\nS: 250 ok\nS: 354 go\nC: *body*\nS: 250 a\nS: 552 b\nC: QUIT\nS: 221 bye\nS: *close*";
    let server = Server::play(dialogue).unwrap();
    open(&server).play(&dialogue.parse().unwrap()).require().unwrap();
    assert_eq!(server.messages()[0].content, b"Subject: test\r\n\r\nThis is a test.\r\n");
    server.join().unwrap();
}

#[test]
fn what_a_server_does_to_clients_is_written_down_and_always_the_same() {
    // The first attempt is put off, the second dropped after DATA, the third delayed and refused at the third message.
    let messages = |last: &str| {
        ["250 ok", "250 ok", last]
            .map(|reply| format!("C: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<a@x>\nS: {reply}\n"))
            .concat()
    };
    let served = format!(
        "S: 421 4.7.0 too many\nS: *close*\n*next session*\nS: 220 x\nC: DATA\nS: *reset*\n*next session*\n\
         S: *pause 10 ms*\nS: 220 x\n{}C: *close*",
        messages("452 4.3.1 full")
    );
    let played = format!(
        "S: 421\nS: *close*\n*next session*\nS: 220\nC: DATA\nS: *reset*\n*next session*\nS: 220\n{}C: *close*",
        messages("452 4.3.1")
    );
    for _ in 0..3 {
        let server = Server::play(&served).unwrap();
        for session in Dialogue::parse(&played).unwrap().sessions() {
            drop(open(&server).play(&session).require().unwrap());
        }
        server.join().unwrap();
    }
}
