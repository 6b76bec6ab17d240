//! Asks hosts what they offer, a hundred at once, and tells each answer as it comes; all of them have a minute:
//! `cargo run --example hundred_hosts --features tokio < HOSTS`

use std::time::{Duration, Instant};

use mconnect_core::{Connect, Error, port};
use tokio::task::JoinSet;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (end, mut probes) = (Instant::now() + Duration::from_secs(60), JoinSet::new());
    for target in std::io::stdin().lines() {
        if probes.len() == 100 {
            probes.join_next().await;
        }
        let target = target?;
        probes.spawn(async move {
            let answer = probe(&target, end).await;
            println!("{target}: {}", answer.unwrap_or_else(|error| error.chain()));
        });
    }
    probes.join_all().await;
    Ok(())
}

/// Asks one host, and never for longer than until `end`: what it has not said by then is its error.
async fn probe(target: &str, end: Instant) -> Result<String, Error> {
    let (host, at) = target.split_once(':').unwrap_or((target, "smtp"));
    let left = end.saturating_duration_since(Instant::now());
    let mut session = Connect::new(host, port(at)?).deadline(left).open_async().await?;
    session.greeting().await?.require(220)?;
    let offered = session.hello("probe.example").await?.require()?.to_string();
    session.quit().await?;
    Ok(offered)
}
