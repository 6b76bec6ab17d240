//! Probes one host in 5 s for all of it: `probe_one HOST PORT RECIPIENT`, with the features `tls` and `json`.
use std::{env, error::Error, time::Duration};

use mconnect_core::{Connect, own_name, tls::Config};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn Error>> {
    let args: [String; 3] = env::args().skip(1).collect::<Vec<_>>().try_into().map_err(|_| "HOST PORT RECIPIENT")?;
    let failed = |error: mconnect_core::Error| json!({"error": error.chain(), "is_temporary": error.is_temporary()});
    println!("{}", probe(&args[0], args[1].parse()?, &args[2]).unwrap_or_else(failed));
    Ok(())
}

fn probe(host: &str, port: u16, recipient: &str) -> Result<Value, mconnect_core::Error> {
    let mut session = Connect::new(host, port).deadline(Duration::from_secs(5)).open()?;
    let (name, greeting) = (own_name(session.local_address()), session.greeting()?.require(220)?);
    session.hello(&name)?.require()?;
    let (mut session, tls) = session.starttls(&Config::new().insecure())?;
    session.hello(&name)?.require()?;
    let replies = session.pipeline(["MAIL FROM:<>", &format!("RCPT TO:<{recipient}>")])?;
    session.quit()?;
    Ok(json!({"greeting": greeting.to_string(), "tls": tls, "recipient": replies[1].to_string()}))
}
