//! A web service takes a mail; before it queues it, it asks the server that it would go to. Here, that is a loopback
//! server: `cargo run --example check_before_queueing --features tokio,server`
use mconnect_core::protocol::{Reply, Severity};
use mconnect_core::{Connect, Error, server::Server};

/// The handler: a sender and a recipient, as a form has them; an HTTP status and a text. A person waits for it.
async fn submit(exchanger: &Connect, mail: [&str; 2]) -> (u16, String) {
    match ask(exchanger, mail).await {
        Ok(reply) if reply.code().severity() == Severity::Permanent => (422, format!("it is not wanted: {reply}")),
        Err(error) if !error.is_temporary() => (422, error.chain()),
        // It goes to the queue, to which later is no trouble: whatever else was said, or was not, may pass.
        _ => (202, "it is on its way".to_owned()),
    }
}

/// Returns the reply that decides: to the recipient, if the sender was taken. All of it has four seconds.
async fn ask(exchanger: &Connect, [sender, recipient]: [&str; 2]) -> Result<Reply, Error> {
    let mut session = exchanger.clone().deadline(std::time::Duration::from_secs(4)).open_async().await?;
    session.greeting().await?.require(220)?;
    session.hello("forms.example").await?.require()?;
    let envelope = [format!("MAIL FROM:<{sender}>"), format!("RCPT TO:<{recipient}>")];
    let mut replies = session.pipeline(envelope).await?;
    // Nobody waits for the goodbye.
    tokio::spawn(session.quit());
    let decisive = replies.iter().position(|reply| !reply.is_granted()).unwrap_or(replies.len() - 1);
    Ok(replies.swap_remove(decisive))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::start()?;
    let exchanger = Connect::new("127.0.0.1", server.port());
    for recipient in ["somebody@example.org", "refused@example.org", "later@example.org", "no\r\nline"] {
        let (status, text) = submit(&exchanger, ["form@example.org", recipient]).await;
        println!("{recipient:?}: {status} {text}");
    }
    Ok(())
}
