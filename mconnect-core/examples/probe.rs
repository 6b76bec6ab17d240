//! Probes servers: what they advertise, and what they think of a recipient. No message is sent.
//!
//! `cargo run --example probe -- RECIPIENT HOST[:PORT] ...`, or without arguments against a loopback server:
//! `cargo run --example probe --features server`

use std::env;
use std::error::Error;
use std::time::Duration;

use mconnect_core::protocol::Meaning;
use mconnect_core::{Connect, Timeouts, port};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let Some(recipient) = args.next() else { return practice() };
    for target in args {
        if target.parse::<u16>().is_ok() {
            return Err(format!("{target:?} is not a host: write HOST:{target}").into());
        }
        let (host, port) = match target.rsplit_once(':') {
            Some((host, number)) if !host.contains(':') || host.ends_with(']') => (host.to_owned(), port(number)?),
            _ => (target.clone(), 25),
        };
        match probe(&host, port, &recipient) {
            Ok(verdict) => println!("{target}: {verdict}"),
            Err(error) => println!("{target}: {}", error.chain()),
        }
    }
    Ok(())
}

/// Says what the server thinks of the recipient. A refusal is an answer; only what keeps it from answering is an error.
fn probe(host: &str, port: u16, recipient: &str) -> Result<String, mconnect_core::Error> {
    let timeouts = Timeouts::default().replies(Duration::from_secs(20));
    let mut session = Connect::new(host, port).timeouts(timeouts).open()?;
    session.greeting()?.require(220)?;
    session.hello("probe.example")?.require()?;
    let size = session.extensions().and_then(|extensions| extensions.size_limit());

    let replies = session.pipeline(["MAIL FROM:<>", &format!("RCPT TO:<{recipient}>")])?;
    let verdict = match replies[1].meaning() {
        Meaning::Granted | Meaning::Unusual => "takes it".to_owned(),
        Meaning::Deferred | Meaning::Closing => format!("not now: {}", replies[1]),
        _ => format!("refuses: {}", replies[1]),
    };
    session.quit()?;
    Ok(format!(
        "{verdict} (messages of up to {} octets)",
        size.map_or("any number of".to_owned(), |size| size.to_string())
    ))
}

#[cfg(feature = "server")]
fn practice() -> Result<(), Box<dyn Error>> {
    let server = mconnect_core::server::Server::start()?;
    for recipient in ["somebody@example.org", "later@example.org", "refused@example.org"] {
        println!("{recipient}: {}", probe("127.0.0.1", server.port(), recipient)?);
    }
    Ok(())
}

#[cfg(not(feature = "server"))]
fn practice() -> Result<(), Box<dyn Error>> {
    Err("usage: probe RECIPIENT HOST[:PORT] ...".into())
}
