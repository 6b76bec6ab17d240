//! What a served dialogue takes for the same.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use mconnect_core::dialogue::{Dialogue, Values};
use mconnect_core::server::Server;

/// Says these lines to a server, each when the one before was answered, and gives how that ended.
fn say(dialogue: &str, values: &Values, lines: &[&str]) -> Result<(), String> {
    let server = Server::play_with(&dialogue.parse::<Dialogue>().unwrap(), values).unwrap();
    let stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    let mut replies = BufReader::new(stream.try_clone().unwrap()).lines();
    for line in lines {
        replies.next();
        if (&stream).write_all(format!("{line}\r\n").as_bytes()).is_err() {
            break;
        }
    }
    replies.next();
    server.join().map(drop).map_err(|error| error.to_string())
}

#[test]
fn keywords_of_a_command_are_the_same_in_any_case_and_the_rest_is_not() {
    let mut values = Values::default();
    values.set("command", "Rcpt To:<b@x.example>");
    let dialogue = "S: 220 x\nC: MAIL FROM:<a@x.example> SIZE=${size}${more}\nS: 250 x\nC: ${command}\nS: 250 x\n\
                    C: AUTH LOGIN\nS: 334 x\nC: dXNlcg==\nS: 235 x\nC: DATA\nS: 354 x\nC: Body text\nC: .\nC: Quit\nS: 250 x\nS: 221 x";
    let right = [
        "mail from:<a@x.example> size=3 Body=8BITMIME",
        "RCPT to:<b@x.example>",
        "auth login",
        "dXNlcg==",
        "data",
        "Body text\r\n.\r\nqUIT",
    ];
    say(dialogue, &values, &right).unwrap();
    for (number, wrong) in [
        (0, "mail from:<A@x.example> size=3 BODY=8BITMIME"),
        (0, "mail  from:<a@x.example> size=3"),
        (1, "RCPT to:<B@x.example>"),
        (3, "dxNlcg=="),
        (5, "body text\r\n.\r\nQUIT"),
    ] {
        let mut lines = right;
        lines[number] = wrong;
        let deviation = say(dialogue, &values, &lines).unwrap_err();
        assert!(deviation.contains("expected `C"), "{wrong}: {deviation}");
    }
}

#[test]
fn a_value_is_taken_as_the_client_wrote_it() {
    let dialogue = "S: 220 x\nC: MAIL FROM:<${sender}> SIZE=${size} BODY=${body}\nS: 250 ${size}\nC: ${sender} ${size} ${body}\nS: 221 x";
    say(dialogue, &Values::default(), &["mail from:<Me@x> size=3 body=8bitMIME", "Me@x 3 8bitMIME"]).unwrap();
    say(dialogue, &Values::default(), &["mail from:<Me@x> size=3 body=8bitMIME", "Me@x 3 8BITMIME"]).unwrap_err();
}
