//! Many sessions in one process, a thread for each that is under way, as Postfix's smtp-source has them in one loop:
//! `sessions HOST:PORT SESSIONS AT_ONCE`. A session greets, sends a small message and quits, waiting for every reply.

use std::env;
use std::error::Error;
use std::fs;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use mconnect_core::{Connect, Timeouts};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let [server, sessions, at_once] = args.as_slice() else {
        return Err("usage: sessions HOST:PORT SESSIONS AT_ONCE".into());
    };
    let server = server.to_socket_addrs()?.next().ok_or("the host has no address")?;
    let (sessions, at_once): (usize, usize) = (sessions.parse()?, at_once.parse()?);
    let (idle, begun) = (peak_memory()?, AtomicUsize::new(0));
    thread::scope(|scope| -> Outcome<()> {
        let mut workers = Vec::new();
        for _ in 0..at_once {
            let work = || {
                while begun.fetch_add(1, Ordering::Relaxed) < sessions {
                    deliver(server)?;
                }
                Ok(())
            };
            workers.push(thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work)?);
        }
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|_| Err("a session panicked".into())))
    })?;
    let each = (peak_memory()? - idle) / at_once as f64;
    println!("{sessions} sessions delivered, {at_once} at once, {each:.1} KiB of memory for each of these");
    Ok(())
}

fn deliver(server: SocketAddr) -> Outcome<()> {
    let timeouts = Timeouts::default().replies(PATIENCE);
    let mut session = Connect::new("sink", server.port()).addresses([server]).timeouts(timeouts).open()?;
    session.read_reply()?.require(220)?;
    session.command("HELO client.example")?.require(250)?;
    session.command("MAIL FROM:<sender@client.example>")?.require(250)?;
    session.command("RCPT TO:<recipient@client.example>")?.require(250)?;
    session.message(MESSAGE)?.require(250)?;
    session.quit()?.require(221)?;
    Ok(())
}

/// Gives the most memory that the process has had so far, in KiB.
fn peak_memory() -> Outcome<f64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB"));
    Ok(peak.ok_or("the system does not tell the memory of a process")?.trim().parse()?)
}

/// About as much as smtp-source sends.
const MESSAGE: &[u8] =
    b"From: <sender@client.example>\r\nTo: <recipient@client.example>\r\nSubject: one of many\r\n\r\n\
    The body of this message is three lines of text, so that it is about as long\r\n\
    as the one that the other program sends: some three hundred octets with the\r\n\
    header, none of which anybody will read.\r\n";

/// As long as smtp-source waits for each reply.
const PATIENCE: Duration = Duration::from_secs(300);
/// More than a session needs, in octets.
const STACK: usize = 64 * 1024;
