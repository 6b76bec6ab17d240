//! Many sessions in one process, as Postfix's smtp-source has them in one loop: `sessions HOST:PORT SESSIONS AT_ONCE
//! [threads|tokio] [tls]`. A session greets, sends a small message and quits, waiting for every reply.

use std::env;
use std::error::Error;
use std::net::{SocketAddr, ToSocketAddrs};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use mconnect_core::tls::Config;
use mconnect_core::{Connect, Timeouts};
use tokio::task::LocalSet;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// What every session needs to know.
struct Plan {
    connect: Connect,
    /// What TLS is spoken by, if it is.
    tls: Option<Config>,
    sessions: usize,
    at_once: usize,
    begun: AtomicUsize,
}

fn main() -> Outcome<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [server, sessions, at_once, more @ ..] = args.as_slice() else {
        return Err("usage: sessions HOST:PORT SESSIONS AT_ONCE [threads|tokio] [tls]".into());
    };
    let server: SocketAddr = server.to_socket_addrs()?.next().ok_or("the host has no address")?;
    let timeouts = Timeouts::default().replies(PATIENCE).connect(PATIENCE).attempt(PATIENCE);
    let has = |word: &str| more.iter().any(|one| one == word);
    let plan = Plan {
        connect: Connect::new("sink", server.port()).addresses([server]).timeouts(timeouts),
        tls: has("tls").then(|| Config::new().insecure()),
        sessions: sessions.parse()?,
        at_once: at_once.parse()?,
        begun: AtomicUsize::new(0),
    };
    if has("tokio") { in_one_thread(&Rc::new(plan)) } else { in_threads(&plan) }?;
    println!("{sessions} sessions delivered");
    Ok(())
}

impl Plan {
    fn is_one_more(&self) -> bool {
        self.begun.fetch_add(1, Ordering::Relaxed) < self.sessions
    }
}

fn in_threads(plan: &Plan) -> Outcome<()> {
    thread::scope(|scope| -> Outcome<()> {
        let mut workers = Vec::new();
        for _ in 0..plan.at_once {
            let work = || {
                while plan.is_one_more() {
                    deliver(plan)?;
                }
                Ok(())
            };
            let stack = if plan.tls.is_some() { 4 * STACK } else { STACK };
            workers.push(thread::Builder::new().stack_size(stack).spawn_scoped(scope, work)?);
        }
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|_| Err("a session panicked".into())))
    })
}

fn deliver(plan: &Plan) -> Outcome<()> {
    let mut session = plan.connect.open()?;
    session.read_reply()?.require(220)?;
    if let Some(tls) = &plan.tls {
        session = session.starttls(tls)?.0;
    }
    session.command("HELO client.example")?.require(250)?;
    session.command("MAIL FROM:<sender@client.example>")?.require(250)?;
    session.command("RCPT TO:<recipient@client.example>")?.require(250)?;
    session.message(MESSAGE)?.require(250)?;
    session.quit()?.require(221)?;
    Ok(())
}

fn in_one_thread(plan: &Rc<Plan>) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let mut workers = Vec::new();
        for _ in 0..plan.at_once {
            let plan = Rc::clone(plan);
            workers.push(tokio::task::spawn_local(async move {
                while plan.is_one_more() {
                    deliver_awaited(&plan).await?;
                }
                Outcome::Ok(())
            }));
        }
        for worker in workers {
            worker.await??;
        }
        Ok(())
    })
}

async fn deliver_awaited(plan: &Plan) -> Outcome<()> {
    let mut session = plan.connect.open_async().await?;
    session.read_reply().await?.require(220)?;
    if let Some(tls) = &plan.tls {
        session = session.starttls(tls).await?.0;
    }
    session.command("HELO client.example").await?.require(250)?;
    session.command("MAIL FROM:<sender@client.example>").await?.require(250)?;
    session.command("RCPT TO:<recipient@client.example>").await?.require(250)?;
    session.message(MESSAGE).await?.require(250)?;
    session.quit().await?.require(221)?;
    Ok(())
}

/// About as much as smtp-source sends.
const MESSAGE: &[u8] =
    b"From: <sender@client.example>\r\nTo: <recipient@client.example>\r\nSubject: one of many\r\n\r\n\
    The body of this message is three lines of text, so that it is about as long\r\n\
    as the one that the other program sends: some three hundred octets with the\r\n\
    header, none of which anybody will read.\r\n";

/// As long as smtp-source waits for each reply.
const PATIENCE: Duration = Duration::from_secs(300);
/// More than a session needs, in octets; inside TLS it is four times as much.
const STACK: usize = 64 * 1024;
