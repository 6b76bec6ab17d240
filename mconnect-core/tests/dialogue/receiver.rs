//! The server that takes mail, as a client meets it.

use std::net::TcpStream;

use mconnect_core::server::Server;
use mconnect_core::{Error, MessageReply};

use crate::open;

#[test]
fn the_receiver_answers_as_smtp_asks() {
    let server = Server::start().unwrap();
    let mut session = open(&server);
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

    let mut session = open(&server);
    session.read_reply().unwrap();
    session
        .pipeline_anyway(["LHLO x", "MAIL FROM:<a@x>", "RCPT TO:<b@x>", "RCPT TO:<refused@x>", "RCPT TO:<c@x>"])
        .unwrap();
    let answer = session.message(&b"hi"[..]).unwrap();
    let MessageReply::Sent(replies) = &answer else { panic!("{answer:?}") };
    assert_eq!((replies.len(), session.outstanding()), (2, 0), "one for each recipient that was accepted");
    answer.require(250).unwrap();

    // A client that breaks off in a chunk still gets the replies to what it sent before.
    let mut session = open(&server);
    session.send(b"NOOP\r\nBDAT 5\r\nhe").unwrap();
    session.half_close().unwrap();
    let codes = [session.read_reply(), session.read_reply()].map(|reply| reply.unwrap().code().number());
    assert_eq!(codes, [220, 250]);
    assert!(matches!(session.read_reply(), Err(Error::Closed { .. })));
    drop(TcpStream::connect(server.address()));
    server.join().unwrap();
}
