//! Says what a server's TLS is like, and how fast sessions with it are: EHLO, STARTTLS, EHLO, QUIT, one after another.
//!
//! `cargo run --release --example starttls --features tls -- HOST PORT [SESSIONS]`

use std::env;
use std::error::Error;
use std::time::Instant;

use mconnect_core::Connect;
use mconnect_core::tls::{Config, Info};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (host, port, sessions) = match arguments.as_slice() {
        [host, port] => (host, port, "1"),
        [host, port, sessions] => (host, port, sessions.as_str()),
        _ => return Err("usage: starttls HOST PORT [SESSIONS]".into()),
    };
    let (port, sessions): (u16, u32) = (port.parse()?, sessions.parse()?);
    // What is wrong with the server is told, and no reason to end.
    let config = Config::new().insecure();
    let start = Instant::now();
    for number in 0..sessions {
        let info = session(host, port, &config)?;
        if number == 0 {
            println!("{info}");
        }
    }
    let took = start.elapsed();
    println!("{:.1} sessions a second", f64::from(sessions) / took.as_secs_f64());
    Ok(())
}

fn session(host: &str, port: u16, config: &Config) -> Result<Info, mconnect_core::Error> {
    let mut session = Connect::new(host, port).open()?;
    session.greeting()?.require(220)?;
    session.hello("client.example")?.require()?;
    let (mut session, info) = session.starttls(config)?;
    session.hello("client.example")?.require()?;
    session.quit()?.require(221)?;
    Ok(info)
}
