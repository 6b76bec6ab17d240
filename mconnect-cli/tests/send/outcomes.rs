//! What comes of a message, for each recipient and for the exit status.

use mconnect_core::server::{Rule, Server, Setup, Stage};

use crate::common::{MCONNECT, Pty, Scrap, assert_status, complaints, out, talk};
use crate::send;

#[test]
fn the_graver_refusal_sets_the_status_and_the_others_get_the_message() {
    for (more, status, told) in [
        (&[][..], 0, ""),
        (&["--to", "later@x"], 75, "1 of 2 recipients was put off, first: 450"),
        (&["--to", "refused@x"], 69, "1 of 2 recipients was refused, first: 550"),
        (&["--to", "later@x", "--to", "refused@x"], 69, "2 of 3 recipients were refused or put off, first: 450"),
    ] {
        for extensions in [vec![], vec!["PIPELINING"]] {
            let server = Setup::new().extensions(extensions).start().unwrap();
            let output = send(&server, more);
            assert_status(&output, status);
            assert!(complaints(&output).contains(told), "{}", complaints(&output));
            assert_eq!(server.messages()[0].recipients, ["b@x"]);
            assert_eq!(server.sessions()[0].commands().last().unwrap(), "QUIT");
        }
    }
}

#[test]
fn the_first_refusal_is_the_one_that_is_told() {
    let server = Server::start().unwrap();
    let nobody = talk(server.port(), &["--from", "a@x", "--to", "refused@x"], "");
    assert_status(&nobody, 69);
    // The server has said 554 to DATA, too.
    assert!(complaints(&nobody).starts_with("mconnect: refused@x was refused: 550 5.1.1"), "{}", complaints(&nobody));
    assert!(server.messages().is_empty());
    for (stage, reply, status, told) in [
        (Stage::Greeting, "554 no", 69, "mconnect: the greeting grants no session"),
        (Stage::Greeting, "421 busy", 75, "mconnect: the server closes instead of granting the greeting"),
        (Stage::Hello, "450 later", 75, "mconnect: EHLO was refused"),
        (Stage::Hello, "550 no", 69, "mconnect: EHLO was refused"),
        (Stage::Mail, "550 no", 69, "mconnect: MAIL was refused: 550 no"),
        (Stage::Mail, "421 bye", 75, "mconnect: MAIL was refused: 421 bye"),
        (Stage::Recipient, "552 full", 75, "mconnect: b@x was put off: 552 full"),
        (Stage::Data, "451 later", 75, "mconnect: b@x was put off: 451 later"),
        (Stage::Message, "554 spam", 69, "mconnect: b@x was refused: 554 spam"),
        (Stage::Message, "421 bye", 75, "mconnect: b@x was put off: 421 bye"),
    ] {
        let server = Setup::new().rule(Rule::at(stage).reply(reply)).start().unwrap();
        let output = send(&server, &["--no-explain"]);
        assert_status(&output, status);
        assert_eq!(complaints(&output), told);
        assert!(server.messages().is_empty());
    }
}

#[test]
fn a_code_that_grants_nothing_and_a_connection_that_breaks_are_the_servers_fault() {
    for (stage, reply) in [(Stage::Data, "250 ok"), (Stage::Recipient, "354 ok"), (Stage::Message, "235 ok")] {
        let server = Setup::new().rule(Rule::at(stage).reply(reply)).start().unwrap();
        assert_status(&send(&server, &[]), 76);
        assert!(server.messages().is_empty());
    }
    for stage in [Stage::Recipient, Stage::Message] {
        let server = Setup::new().rule(Rule::at(stage).close()).start().unwrap();
        let output = send(&server, &["--to", "c@x"]);
        assert_status(&output, 76);
        assert!(complaints(&output).contains("no reply to "), "{}", complaints(&output));
    }
}

#[test]
fn what_is_needed_and_not_offered_is_said_before_mail() {
    let server = Setup::new().extensions(["SIZE"]).size_limit(400).start().unwrap();
    let octets = Scrap::new(".eml", &b"Subject: x\n\n\xff\n");
    for (args, told) in [
        (&["--to", "j\u{f6}rg@x"][..], "the address <j\u{f6}rg@x> needs SMTPUTF8, which the server has not offered"),
        (
            &["--message", octets.path()],
            "a message with octets over 127 needs 8BITMIME, which the server has not offered",
        ),
        (&["--bdat", "--message", "/dev/null"], "a message in chunks needs CHUNKING, which the server has not offered"),
        (&["--body", &"x".repeat(400)], "octets, and the server takes 400"),
    ] {
        let output = send(&server, args);
        assert_status(&output, 69);
        assert!(complaints(&output).contains(told), "{}", complaints(&output));
    }
    let commands: Vec<String> = server
        .sessions()
        .iter()
        .flat_map(|session| session.commands().iter().map(ToString::to_string).collect::<Vec<_>>())
        .collect();
    assert!(commands.iter().all(|command| command.starts_with("EHLO") || command == "QUIT"), "{commands:?}");
    let forced = send(&server, &["--message", octets.path(), "--mail-param", "BODY=8BITMIME"]);
    assert!(out(&forced).contains("555 "), "{}", out(&forced));
}

#[test]
fn a_table_at_a_terminal_has_a_row_for_each_recipient() {
    let server = Server::start().unwrap();
    let port = server.port().to_string();
    let args =
        ["--from", "a@x", "--to", "b@example.org", "--to", "refused@x", "--to", "later@x", "-p", &port, "127.0.0.1"];
    let mut pty = Pty::start(MCONNECT, &args);
    pty.expect("b@example.org  delivered  250 2.0.0 message of");
    pty.expect("refused@x      refused    550 5.1.1 no such mailbox here");
    pty.expect("later@x        put off    450 4.2.1 the mailbox is busy");
    assert_eq!(pty.wait(), 69);
}
