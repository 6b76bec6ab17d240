//! Attacking the tool: it runs in little memory and has to end in time.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use socket2::SockRef;

use super::{MCONNECT, PATIENCE, Peer, complaints, err, feed};

/// The tool with a deadline of half a second for each reply.
pub const HASTY: [&str; 2] = ["--timeout", "0.5"];
/// No attack holds the tool for longer than this, the grace after QUIT included.
pub const BOUND: Duration = Duration::from_secs(30);

/// Starts the tool in little memory: what it allocates, the stacks of its threads among it, is limited by the system.
pub fn start(port: u16, options: &[&str]) -> Child {
    Command::new("sh")
        .args(["-c", LIMITED, "sh", MCONNECT, "-p", &port.to_string()])
        .args(HASTY)
        .args(options)
        .arg("127.0.0.1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

pub const LIMITED: &str = "ulimit -d 32768 && exec \"$@\"";

/// Waits for the end of the tool, which must come by itself and in time.
#[track_caller]
pub fn end_of(child: Child) -> Output {
    end_within(BOUND, child)
}

/// Waits for the end of the tool, which must come by itself and so soon.
#[track_caller]
pub fn end_within(bound: Duration, child: Child) -> Output {
    let pid = Pid::from_raw(child.id().try_into().unwrap());
    let (done, told) = channel::<()>();
    let watch = thread::spawn(move || {
        let is_late = told.recv_timeout(bound).is_err();
        if is_late {
            let _ = kill(pid, Signal::SIGKILL);
        }
        is_late
    });
    let output = child.wait_with_output().unwrap();
    let _ = done.send(());
    assert!(!watch.join().unwrap(), "it did not end within {bound:?}");
    assert!(
        output.status.code().is_some() && !err(&output).contains("panicked"),
        "{:?} {}",
        output.status,
        err(&output)
    );
    output
}

/// Runs the tool against a server that behaves so; that the connection breaks is none of the server's business.
#[track_caller]
pub fn attack(
    options: &[&str],
    input: impl Into<Vec<u8>>,
    act: impl FnOnce(&mut TcpStream) -> io::Result<()> + Send + 'static,
) -> Output {
    attack_until_gone(options, input, |stream, _| act(stream))
}

/// Runs the tool so; the server's receiver fails once the tool has gone.
#[track_caller]
pub fn attack_until_gone(
    options: &[&str],
    input: impl Into<Vec<u8>>,
    act: impl FnOnce(&mut TcpStream, &Receiver<()>) -> io::Result<()> + Send + 'static,
) -> Output {
    let (here, gone) = channel::<()>();
    let attacker = Attacker::start(move |stream| act(stream, &gone));
    let mut child = start(attacker.peer.port, options);
    feed(&mut child, input.into());
    let output = end_of(child);
    drop(here);
    attacker.end();
    output
}

/// A server that behaves badly, until it is ended.
pub struct Attacker {
    pub peer: Peer,
    /// Its connection, as long as it has one.
    stream: Arc<Mutex<Option<TcpStream>>>,
}

impl Attacker {
    /// Starts one; that the connection breaks is none of its business.
    pub fn start(act: impl FnOnce(&mut TcpStream) -> io::Result<()> + Send + 'static) -> Self {
        let stream = Arc::<Mutex<_>>::default();
        let theirs = Arc::clone(&stream);
        let peer = Peer::start(move |mut stream| {
            *theirs.lock().unwrap() = Some(stream.try_clone().unwrap());
            let _ = act(&mut stream);
            theirs.lock().unwrap().take();
            Vec::new()
        });
        Self { peer, stream }
    }

    /// Ends it once the tool has gone. The system can take seconds to tell a server whose writes are blocked.
    pub fn end(self) {
        if let Some(stream) = self.stream.lock().unwrap().take() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.peer.received();
    }
}

#[track_caller]
pub fn assert_outcome(name: &str, output: &Output, status: i32, told: &str) {
    let complaints = complaints(output);
    assert_eq!(output.status.code(), Some(status), "{name}: {complaints}");
    assert!(complaints.contains(told) && (status == 0) == complaints.is_empty(), "{name}: {complaints}");
}

/// Reads once, whatever comes, and gives how much.
pub fn hear(stream: &mut TcpStream) -> io::Result<usize> {
    stream.read(&mut [0; 4096])
}

pub fn until_gone(stream: &mut TcpStream) -> io::Result<()> {
    while stream.read(&mut [0; 4096])? > 0 {}
    Ok(())
}

/// Says this over and over, whether or not anybody listens, until the other end has gone.
pub fn flood(stream: &mut TcpStream, words: &[u8]) -> io::Result<()> {
    stream.set_write_timeout(Some(PATIENCE))?;
    let words = words.repeat(65536 / words.len());
    loop {
        stream.write_all(&words)?;
    }
}

/// A byte every 20 ms: each comes in time, the reply never does.
pub fn drip(stream: &mut TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_millis(20)))?;
    for byte in b"250-".iter().chain(std::iter::repeat(&b'x')) {
        stream.write_all(&[*byte])?;
        if stream.read(&mut [0; 4096]).is_ok_and(|count| count == 0) {
            break;
        }
    }
    Ok(())
}

pub fn reset(stream: &TcpStream) -> io::Result<()> {
    SockRef::from(stream).set_linger(Some(Duration::ZERO))
}

/// Runs something for each, some at a time: as many as there are turns, of all tests of the program together.
pub fn for_each<T: Send + Sync>(all: &[T], run: impl Fn(&T) + Sync) {
    static TURNS: [Mutex<()>; 16] = [const { Mutex::new(()) }; 16];
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for turn in &TURNS {
            let (next, run) = (&next, &run);
            scope.spawn(move || {
                loop {
                    let _held = turn.lock().unwrap_or_else(PoisonError::into_inner);
                    let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
                    run(one);
                }
            });
        }
    });
}
