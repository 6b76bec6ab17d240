//! A web service takes a mail: before it is queued, the server that it would go to is asked whether it wants it. Here
//! against a loopback server: `cargo run --example check_before_queueing --features tokio,server`

use std::time::Duration;

use mconnect_core::protocol::{Reply, Severity};
use mconnect_core::server::Server;
use mconnect_core::{Connect, Error};

/// What came in by the form.
struct Mail {
    sender: String,
    recipient: String,
}

/// What is shared by the handlers: where mail goes, and what is waiting for it.
struct Service {
    exchanger: Connect,
    queue: std::sync::Mutex<Vec<Mail>>,
}

/// The handler: an HTTP status and a text. A person waits for it, and so it has four seconds for all.
async fn submit(service: &Service, mail: Mail) -> (u16, String) {
    match ask(&service.exchanger, &mail).await {
        Ok(reply) if reply.code().severity() == Severity::Permanent => (422, format!("no such recipient: {reply}")),
        // Later is the queue's business: whatever else was said, or was not, may pass.
        Ok(_) => enqueue(service, mail),
        Err(error) if error.is_temporary() => enqueue(service, mail),
        Err(error) => (422, error.chain()),
    }
}

/// Returns the reply that decides: to the recipient, if the sender was taken.
async fn ask(exchanger: &Connect, mail: &Mail) -> Result<Reply, Error> {
    let mut session = exchanger.clone().deadline(Duration::from_secs(4)).open_async().await?;
    session.greeting().await?.require(220)?;
    session.hello("forms.example").await?.require()?;
    let envelope = [format!("MAIL FROM:<{}>", mail.sender), format!("RCPT TO:<{}>", mail.recipient)];
    let mut replies = session.pipeline(envelope).await?;
    // Nobody waits for the goodbye.
    tokio::spawn(session.quit());
    let decisive = replies.iter().position(|reply| !reply.is_granted()).unwrap_or(replies.len() - 1);
    Ok(replies.swap_remove(decisive))
}

fn enqueue(service: &Service, mail: Mail) -> (u16, String) {
    service.queue.lock().expect("no handler panics while it has the queue").push(mail);
    (202, "on its way".to_owned())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::start()?;
    let service = Service { exchanger: Connect::new("127.0.0.1", server.port()), queue: Default::default() };
    for recipient in ["somebody@example.org", "refused@example.org", "later@example.org", "no\r\nline"] {
        let mail = Mail { sender: "form@example.org".to_owned(), recipient: recipient.to_owned() };
        let (status, text) = submit(&service, mail).await;
        println!("{recipient:?}: {status} {text}");
    }
    Ok(())
}
