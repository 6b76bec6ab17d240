//! A test of somebody's server: every reply is looked at, and a failure says what was expected and what came.
//!
//! `cargo run --example test_a_server --features server`, or `-- HOST PORT` for a server of yours.

use std::env;
use std::error::Error;

use mconnect_core::protocol::Severity;
use mconnect_core::server::Server;
use mconnect_core::{Connect, Session};

/// A test gets a session that has said EHLO, and returns the first thing that was wrong.
type Test = fn(&mut Session) -> Result<(), Box<dyn Error>>;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    // One's own server would be started here, on a port that the system chooses.
    let practice = Server::start()?;
    let (host, port) = match (args.next(), args.next()) {
        (Some(host), Some(port)) => (host, mconnect_core::port(&port)?),
        _ => ("127.0.0.1".to_owned(), practice.port()),
    };
    let tests: [(&str, Test); 3] = [
        ("a recipient without a sender is refused", a_recipient_without_a_sender_is_refused),
        ("a line that begins with a dot arrives", a_line_that_begins_with_a_dot_arrives),
        ("the limit of SIZE is kept", the_limit_of_size_is_kept),
    ];
    for (name, test) in tests {
        let mut session = Connect::new(&host, port).open()?;
        session.read_reply()?.require(220)?;
        session.command("EHLO test.example")?.require(250)?;
        test(&mut session)?;
        session.quit()?;
        println!("ok: {name}");
    }
    Ok(())
}

fn a_recipient_without_a_sender_is_refused(session: &mut Session) -> Result<(), Box<dyn Error>> {
    session.command("RCPT TO:<postmaster>")?.require(503)?;
    Ok(())
}

fn a_line_that_begins_with_a_dot_arrives(session: &mut Session) -> Result<(), Box<dyn Error>> {
    for reply in session.pipeline(["MAIL FROM:<>", "RCPT TO:<postmaster>"])? {
        reply.require_severity(Severity::Completion)?;
    }
    session.message("Subject: dots\n\n.\n..\n.three\n".as_bytes())?.require(250)?;
    Ok(())
}

fn the_limit_of_size_is_kept(session: &mut Session) -> Result<(), Box<dyn Error>> {
    let Some(limit) = session.extensions().and_then(|extensions| extensions.size_limit()) else { return Ok(()) };
    session.command(format!("MAIL FROM:<> SIZE={}", limit + 1))?.require(552)?;
    Ok(())
}
