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
            tell(probes.join_next().await);
        }
        probes.spawn(probe(target?, end));
    }
    while !probes.is_empty() {
        tell(probes.join_next().await);
    }
    Ok(())
}

/// Asks one host, and never for longer than until `end`: what it has not said by then is its error.
async fn probe(target: String, end: Instant) -> (String, Result<String, Error>) {
    let answer = async {
        let (host, at) = target.split_once(':').unwrap_or((&target, "smtp"));
        let left = end.saturating_duration_since(Instant::now());
        let mut session = Connect::new(host, port(at)?).deadline(left).open_async().await?;
        session.greeting().await?.require(220)?;
        let offered = session.hello("probe.example").await?.require()?.text_lossy().replace('\n', ", ");
        session.quit().await.map(|_| offered)
    };
    (target.clone(), answer.await)
}

fn tell(probed: Option<Result<(String, Result<String, Error>), tokio::task::JoinError>>) {
    let Some(Ok((target, answer))) = probed else { return };
    println!("{target}: {}", answer.unwrap_or_else(|error| error.chain()));
}
