//! The test of somebody's mail client: of a function that sends with lettre, and tries again when it was put off.
use lettre::{Message, SmtpTransport, Transport, message::Mailbox, transport::smtp::Error};
use mconnect_core::server::{Rule, Setup, Stage};

/// The client under test; yours would be another function, or another program.
fn notify(port: u16, recipient: Mailbox) -> Result<(), Error> {
    let message = Message::builder().from("app@example.org".parse().unwrap()).to(recipient).subject("done");
    let message = message.body("It is done.\n.\nReally.".to_owned()).unwrap();
    let mailer = SmtpTransport::builder_dangerous("127.0.0.1").port(port).build();
    let mut sent = mailer.send(&message);
    for _ in 0..2 {
        sent = if sent.as_ref().is_err_and(|error| !error.is_permanent()) { mailer.send(&message) } else { break };
    }
    sent.map(drop)
}

#[test]
fn a_client_that_is_put_off_tries_again() {
    let greylisting = Rule::at(Stage::Recipient).of("new@example.org").first(2).reply("451 4.7.1 try again later");
    let server = Setup::new().rule(greylisting).start().unwrap();
    notify(server.port(), "new@example.org".parse().unwrap()).unwrap();
    assert_eq!(server.messages().len(), 1);
    assert!(server.messages()[0].text().ends_with("It is done.\r\n.\r\nReally.\r\n"), "{:?}", server.messages());
}

#[test]
fn a_recipient_that_is_refused_is_not_tried_again() {
    let refusal = Rule::at(Stage::Recipient).of("gone@example.org").reply("550 5.1.1 no such mailbox");
    let server = Setup::new().rule(refusal).start().unwrap();
    assert!(notify(server.port(), "gone@example.org".parse().unwrap()).unwrap_err().is_permanent());
    assert_eq!(server.sessions()[0].commands().iter().filter(|command| command.starts_with("RCPT")).count(), 1);
}

#[test]
fn a_connection_that_is_lost_loses_no_message() {
    let lost = Rule::at(Stage::Body).nth(1).close();
    let server = Setup::new().rule(Rule::at(Stage::Greeting).nth(1).reply("421 not now")).rule(lost).start().unwrap();
    notify(server.port(), "here@example.org".parse().unwrap()).unwrap();
    assert_eq!(server.messages().len(), 1);
}
