//! A message in one command: what is sent, what comes of it for each recipient, and where it stops.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;

mod outcomes;
mod progress;
mod stages;

use std::fs::File;
use std::process::Stdio;

use common::{Scrap, assert_status, complaints, err, out, run, talk, tool};
use mconnect_core::server::{Server, Setup};

/// The options of most tests: TLS has its own.
const TO: [&str; 4] = ["--from", "a@x", "--to", "b@x"];

fn send(server: &Server, options: &[&str]) -> std::process::Output {
    talk(server.port(), &[&TO, options].concat(), "")
}

#[test]
fn a_small_message_is_made_and_sent_by_one_command() {
    let server = Server::start().unwrap();
    let output = talk(server.port(), &["--from", "a@x", "--to", "b@x", "--to", "<c d@x>", "--helo", "me.example"], "");
    assert_status(&output, 0);
    let message = server.messages().pop().unwrap();
    assert!(message.sender == "a@x" && message.recipients == ["b@x", "\"c d\"@x"], "{message:?}");
    let text = message.text();
    let (header, body) = text.split_once("\r\n\r\n").unwrap();
    let names: Vec<&str> = header.split("\r\n").map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(names, ["Date", "Message-ID", "From", "To", "\t\"c d\"@x", "Subject"]);
    assert!(
        header.contains(" +0000\r\nMessage-ID: <") && header.contains("@me.example>\r\nFrom: a@x\r\nTo: b@x,\r\n\t")
    );
    assert!(body.contains("from me.example to 127.0.0.1"), "{body}");
    let commands = server.sessions()[0].commands().join(", ");
    let size = message.content.len();
    assert_eq!(
        commands,
        format!("EHLO me.example, MAIL FROM:<a@x> SIZE={size}, RCPT TO:<b@x>, RCPT TO:<\"c d\"@x>, DATA, QUIT")
    );
    assert!(
        out(&output).starts_with("220 ") && out(&output).contains("\n354 ") && out(&output).ends_with("goodbye\r\n")
    );
    let told = format!(
        "> MAIL FROM:<a@x> SIZE={size}\n> RCPT TO:<b@x>\n> RCPT TO:<\"c d\"@x>\n> DATA\n> a message of {size} octets, and the dot that ends it\n"
    );
    assert!(err(&output).contains(&told), "{}", err(&output));
    assert_eq!(err(&send(&server, &["--quiet"])), "");
}

#[test]
fn headers_and_a_body_that_are_given_stand_for_the_usual_ones() {
    let server = Server::start().unwrap();
    let args = ["--header", "SUBJECT: x: y", "--header", "X-A: 1", "--header", "X-A: 2", "--header", "To:", "--body"];
    assert_status(&send(&server, &[&args[..], &[".dot\nsecond"]].concat()), 0);
    let message = server.messages().pop().unwrap();
    let text = message.text();
    let (header, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(header.ends_with("\r\nFrom: a@x\r\nSUBJECT: x: y\r\nX-A: 1\r\nX-A: 2\r\nTo:"), "{header}");
    assert!(!header.contains("Subject"));
    assert_eq!(body, ".dot\r\nsecond\r\n");
}

#[test]
fn a_file_goes_as_it_is_from_wherever_it_is_read() {
    let mut message = b"Subject: octets\n\n.dot\r\n..\n".to_vec();
    message.extend((0..200_000_u32).map(|at| match at % 251 {
        13 => b'\n',
        octet => u8::try_from(octet).unwrap(),
    }));
    let file = Scrap::new(".eml", &message);
    let mut stored = Vec::new();
    mconnect_core::protocol::CrlfEncoder::default().encode(&message, &mut stored);
    stored.extend_from_slice(b"\r\n");
    let server = Server::start().unwrap();
    for bdat in [&[][..], &["--bdat"], &["--bdat=1000"]] {
        for is_named in [true, false] {
            let source = ["--message", if is_named { file.path() } else { "-" }];
            let port = server.port().to_string();
            let args = [&TO[..], &source, bdat, &["-p", &port, "127.0.0.1"]].concat();
            let input = if is_named { Stdio::null() } else { File::open(file.path()).unwrap().into() };
            assert_status(&tool(&args).stdin(input).output().unwrap(), 0);
            let came = server.messages().pop().unwrap();
            assert!(came.content == stored, "{bdat:?}: {} of {} octets", came.content.len(), stored.len());
            assert_eq!(came.sender.parameter("SIZE"), Some(stored.len().to_string().as_str()));
            assert_eq!(came.sender.parameter("BODY"), Some("8BITMIME"));
        }
        // Of a pipe, the size is not known before.
        let piped = talk(server.port(), &[&TO[..], &["--message", "-"], bdat].concat(), &message);
        assert_status(&piped, 0);
        let came = server.messages().pop().unwrap();
        assert!(came.content == stored && came.sender.parameter("SIZE").is_none());
    }
    let gone = send(&server, &["--message", "/nonexistent/mail"]);
    assert_status(&gone, 66);
    assert_eq!(complaints(&gone), "mconnect: cannot read /nonexistent/mail: No such file or directory");
}

#[test]
fn parameters_go_out_as_they_are_offered_or_not() {
    let server = Server::play(
        "S: 220 hi\nC: EHLO me\nS: 250 hi\n\
         C: MAIL FROM:<> RET=HDRS ENVID=a+20b REQUIRETLS\nS: 250\nC: RCPT TO:<b@x> NOTIFY=SUCCESS ORCPT=rfc822;b+2Bc@x\n\
         S: 250\nC: RCPT TO:<c@x> NOTIFY=SUCCESS ORCPT=rfc822;b+2Bc@x\nS: 250\nC: DATA\nS: 354\nC: *body*\nS: 250\n\
         C: QUIT\nS: 221",
    )
    .unwrap();
    let args =
        ["--helo", "me", "--from", "<>", "--to", "b@x", "--to", "c@x", "--mail-param", "RET=HDRS", "--mail-param"];
    let more = ["ENVID=a b", "--mail-param", "REQUIRETLS", "--rcpt-param", "NOTIFY=SUCCESS", "--rcpt-param"];
    assert_status(&talk(server.port(), &[&args[..], &more, &["ORCPT=rfc822;b+c@x"]].concat(), ""), 0);
    server.join().unwrap();
}

#[test]
fn messages_go_one_after_the_other_in_one_session_and_their_times_are_told() {
    let server = Server::start().unwrap();
    let file = Scrap::new(".eml", "Subject: again\n\nhi\n");
    for source in [&[][..], &["--message", file.path()]] {
        let output = send(&server, &[&["--repeat", "3"], source].concat());
        assert_status(&output, 0);
        assert!(err(&output).contains("\nsent 3 times in 0."), "{}", err(&output));
    }
    assert_eq!((server.messages().len(), server.sessions().len()), (6, 2));
    let piped = talk(server.port(), &[&TO[..], &["--repeat", "2", "--message", "-"]].concat(), "hi\n");
    assert_status(&piped, 64);
    assert_eq!(complaints(&piped), "mconnect: standard input can be read once, and --repeat needs it again");
}

#[test]
fn a_session_that_was_recorded_plays() {
    let folder = common::folder::Folder::new();
    let record = folder.file("talk.txt");
    let server = Setup::new().start().unwrap();
    assert_status(&send(&server, &["--record", &record, "--trace", "--timing", "--timestamps"]), 0);
    assert_status(&talk(server.port(), &["--play", &record], ""), 0);
    assert_eq!(server.messages().len(), 2);
    assert_eq!(server.messages()[0].content, server.messages()[1].content);
}

#[test]
fn lmtp_counts_its_replies_one_by_one() {
    use mconnect_core::server::{Rule, Stage};
    let rule = Rule::at(Stage::Message).of("full@x").reply("452 4.2.2 over quota");
    let server = Setup::new().rule(rule).start().unwrap();
    let output = send(&server, &["--lmtp", "--to", "full@x", "--helo", "me"]);
    assert_status(&output, 75);
    assert!(complaints(&output).contains("1 of 2 recipients was put off, first: 452 4.2.2 over quota"));
    assert_eq!(server.sessions()[0].commands()[0], "LHLO me");
    assert_eq!(server.messages()[0].recipients, ["b@x"]);
}

#[test]
fn a_message_to_a_socket_that_is_not_there_is_an_attempt_without_a_port() {
    let gone = run(&[&TO[..], &["--lmtp", "--json", "/nonexistent/lmtp"]].concat(), "");
    assert_status(&gone, 69);
    let attempt = "\"event\":\"attempt\",\"host\":\"/nonexistent/lmtp\",\"address\":null,\"port\":null}";
    assert!(out(&gone).contains(attempt), "{}", out(&gone));
    let told =
        "mconnect: cannot connect to /nonexistent/lmtp: No such file or directory\nmconnect: there is no socket ";
    assert!(complaints(&gone).starts_with(told), "{}", err(&gone));
}
