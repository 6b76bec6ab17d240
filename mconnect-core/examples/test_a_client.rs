//! A test of somebody's mail client: here of a function that sends with lettre and tries again. The server puts it off,
//! refuses it, and drops it, the same every time; what the client did is looked at afterwards.
//!
//! `cargo run --example test_a_client --features server`

use std::error::Error;

use lettre::{Message, SmtpTransport, Transport as _};
use mconnect_core::server::{Rule, Server, Setup, Stage, Transcript};

type Test = fn() -> Result<(), Box<dyn Error>>;

fn main() -> Result<(), Box<dyn Error>> {
    let tests: [(&str, Test); 4] = [
        ("a client that is put off tries again", a_client_that_is_put_off_tries_again),
        ("a recipient that is refused is not tried again", a_recipient_that_is_refused_is_not_tried_again),
        ("a connection that is lost loses no message", a_connection_that_is_lost_loses_no_message),
        ("every word of the client is as it should be", every_word_of_the_client_is_as_it_should_be),
    ];
    for (name, test) in tests {
        test()?;
        println!("ok: {name}");
    }
    Ok(())
}

/// The client under test; yours would be another function, or another program.
fn notify(port: u16, recipient: &str) -> Result<(), Box<dyn Error>> {
    let message = Message::builder()
        .from("app@example.org".parse()?)
        .to(recipient.parse()?)
        .subject("done")
        .body("It is done.\n.\nReally.".to_owned())?;
    let mailer = SmtpTransport::builder_dangerous("127.0.0.1").port(port).build();
    let mut attempt = 1;
    loop {
        match mailer.send(&message) {
            Ok(_) => return Ok(()),
            Err(error) if error.is_permanent() || attempt == 3 => return Err(error.into()),
            Err(_) => attempt += 1,
        }
    }
}

fn a_client_that_is_put_off_tries_again() -> Result<(), Box<dyn Error>> {
    let greylisting = Rule::at(Stage::Recipient).of("new@example.org").first(2).reply("451 4.7.1 try again later");
    let server = Setup::new().rule(greylisting).start()?;
    notify(server.port(), "new@example.org")?;
    let messages = server.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].recipients, ["new@example.org"]);
    assert!(messages[0].text().ends_with("It is done.\r\n.\r\nReally.\r\n"), "{messages:?}");
    assert_eq!(asked(&server, "RCPT"), 3);
    Ok(())
}

fn a_recipient_that_is_refused_is_not_tried_again() -> Result<(), Box<dyn Error>> {
    let refusal = Rule::at(Stage::Recipient).of("gone@example.org").reply("550 5.1.1 no such mailbox");
    let server = Setup::new().rule(refusal).start()?;
    let error = notify(server.port(), "gone@example.org").expect_err("there is no such mailbox");
    assert!(error.to_string().contains("550"), "{error}");
    assert_eq!(asked(&server, "RCPT"), 1);
    Ok(())
}

fn a_connection_that_is_lost_loses_no_message() -> Result<(), Box<dyn Error>> {
    let server = Setup::new()
        .rule(Rule::at(Stage::Greeting).nth(1).reply("421 4.3.2 not now"))
        .rule(Rule::at(Stage::Body).nth(1).close())
        .start()?;
    notify(server.port(), "here@example.org")?;
    assert_eq!(server.messages().len(), 1);
    Ok(())
}

/// Where every word matters, the whole session is written down.
fn every_word_of_the_client_is_as_it_should_be() -> Result<(), Box<dyn Error>> {
    let server = Server::play(
        "S: 220 mx.example.org
         C: EHLO ${name}
         S: 250-mx.example.org
         S: 250 8BITMIME
         C: MAIL FROM:<app@example.org>
         S: 250 2.1.0 ok
         C: RCPT TO:<here@example.org>
         S: 250 2.1.5 ok
         C: DATA
         S: 354 go
         C: *body*
         S: 250 2.0.0 queued as 7
         C: QUIT
         S: 221 2.0.0 bye",
    )?;
    notify(server.port(), "here@example.org")?;
    // This says so if the client did anything else.
    server.join()?;
    Ok(())
}

/// Counts the commands of the client that begin so.
fn asked(server: &Server, verb: &str) -> usize {
    let sessions = server.sessions();
    sessions.iter().flat_map(Transcript::commands).filter(|command| command.starts_with(verb)).count()
}
