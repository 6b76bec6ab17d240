//! A test of somebody's mail client: it is told to try again, then a recipient is refused, and what it did is looked at.
//!
//! `cargo run --example test_a_client --features server`

use std::error::Error;
use std::io;

use mconnect_core::server::Server;
use mconnect_core::{Connect, Session};

/// What servers do to clients: the first attempt is put off, the second is taken, but for one recipient.
const SCRIPT: &str = "
S: 421 4.3.2 not now
S: *close*
*next session*
S: 220 mx.example.org
C: EHLO ${name}
S: 250-mx.example.org
S: 250 ENHANCEDSTATUSCODES
C: MAIL FROM:<app@example.org>
S: 250 2.1.0 ok
C: RCPT TO:<gone@example.org>
S: 550 5.1.1 no such mailbox
C: RCPT TO:<here@example.org>
S: 250 2.1.5 ok
C: DATA
S: 354 go
C: *body*
S: 250 2.0.0 queued as 7
C: QUIT
S: 221 2.0.0 bye
";

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::play(SCRIPT)?;
    let refused =
        send_with_retries(server.port(), &["gone@example.org", "here@example.org"], b"Subject: hi\n\n.dot\n")?;
    assert_eq!(refused, ["gone@example.org"]);
    assert_eq!(server.messages()[0].content, b"Subject: hi\r\n\r\n.dot\r\n");
    for said in server.said() {
        println!("session {}, {:?}: {}", said.session + 1, said.side, String::from_utf8_lossy(&said.line));
    }
    // This says so if the client did anything else than the script.
    server.join()?;
    println!("ok: the client tries again, and delivers to whom it can");
    Ok(())
}

/// The client under test; yours would be another program, or another library.
fn send_with_retries(port: u16, recipients: &[&str], message: &[u8]) -> Result<Vec<String>, Box<dyn Error>> {
    for _attempt in 0..3 {
        let mut session = Connect::new("127.0.0.1", port).open()?;
        if session.read_reply()?.code() == 220 {
            return send(session, recipients, message);
        }
    }
    Err(io::Error::other("the server does not want to").into())
}

fn send(mut session: Session, recipients: &[&str], message: &[u8]) -> Result<Vec<String>, Box<dyn Error>> {
    session.command("EHLO app.example.org")?.require(250)?;
    session.command("MAIL FROM:<app@example.org>")?.require(250)?;
    let mut refused = Vec::new();
    for recipient in recipients {
        if !session.command(format!("RCPT TO:<{recipient}>"))?.is_positive() {
            refused.push((*recipient).to_owned());
        }
    }
    session.message(message)?.require(250)?;
    session.quit()?.require(221)?;
    Ok(refused)
}
