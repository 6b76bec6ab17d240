//! Running the tool with pipes and on a pseudo-terminal, and a server that shows how bytes arrived.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

pub mod attack;
pub mod folder;
pub mod keys;
pub mod real;
pub mod screen;
pub mod scripted;
pub mod slow;
pub mod steer;
pub mod told;

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{Termios, tcgetattr};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use tempfile::NamedTempFile;

pub const MCONNECT: &str = env!("CARGO_BIN_EXE_mconnect");
/// Nothing here takes this long, unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub fn tool(args: &[&str]) -> Command {
    let mut command = Command::new(MCONNECT);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the tool with this input, and gives its words and its status.
pub fn run(args: &[&str], input: impl AsRef<[u8]>) -> Output {
    let mut child = tool(args).spawn().unwrap();
    feed(&mut child, input.as_ref().to_vec());
    child.wait_with_output().unwrap()
}

/// Returns a port where nobody listens.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

/// Runs it against a local port.
pub fn talk(port: u16, options: &[&str], input: impl AsRef<[u8]>) -> Output {
    let port = port.to_string();
    let args = [options, &["-p", &port, "127.0.0.1"]].concat();
    run(&args, input)
}

/// Writes the input from a thread of its own, and closes it; the tool need not take it.
pub fn feed(child: &mut Child, input: Vec<u8>) {
    let mut stdin = child.stdin.take().unwrap();
    thread::spawn(move || {
        let _ = stdin.write_all(&input);
    });
}

pub fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What the tool complained of: its own lines on standard error, without how it connected.
pub fn complaints(output: &Output) -> String {
    err(output).lines().filter(|line| line.starts_with("mconnect: ")).collect::<Vec<_>>().join("\n")
}

#[track_caller]
pub fn assert_status(output: &Output, status: i32) {
    assert_eq!(output.status.code(), Some(status), "stdout:\n{}\nstderr:\n{}", out(output), err(output));
}

/// A file for one test, gone after it.
pub struct Scrap(NamedTempFile);

impl Scrap {
    pub fn new(name: &str, content: &(impl AsRef<[u8]> + ?Sized)) -> Self {
        let mut file = NamedTempFile::with_suffix(name).unwrap();
        file.write_all(content.as_ref()).unwrap();
        Self(file)
    }

    pub fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }
}

/// A server whose part is played by a closure.
pub struct Peer {
    pub port: u16,
    thread: thread::JoinHandle<Vec<Vec<u8>>>,
}

impl Peer {
    /// Accepts one client; the closure gives what it received.
    pub fn start(act: impl FnOnce(TcpStream) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.set_nodelay(true).unwrap();
            act(stream)
        });
        Self { port, thread }
    }

    /// Says a greeting, and then one of these to each read; gives what each read brought.
    pub fn answers(greeting: &str, answers: &[&str]) -> Self {
        let words: Vec<String> = [&[greeting], answers].concat().iter().map(|word| (*word).to_owned()).collect();
        Self::start(move |mut stream| {
            let mut reads = Vec::new();
            for word in words {
                stream.write_all(word.as_bytes()).unwrap();
                match read_once(&mut stream) {
                    read if read.is_empty() => return reads,
                    read => reads.push(read),
                }
            }
            reads
        })
    }

    pub fn received(self) -> Vec<Vec<u8>> {
        self.thread.join().unwrap()
    }

    pub fn received_text(self) -> Vec<String> {
        self.received().iter().map(|read| read.escape_ascii().to_string()).collect()
    }
}

pub fn read_once(stream: &mut TcpStream) -> Vec<u8> {
    let mut buffer = vec![0; 1 << 16];
    let count = stream.read(&mut buffer).unwrap();
    buffer.truncate(count);
    buffer
}

/// Waits until this is so, which nothing tells of; otherwise it is told.
#[track_caller]
pub fn until(patience: Duration, mut is_so: impl FnMut() -> bool, told: impl Fn() -> String) {
    let deadline = Instant::now() + patience;
    while !is_so() {
        assert!(Instant::now() < deadline, "{}", told());
        thread::yield_now();
    }
}

/// Lets time pass, where the time is what is tried: the pace of a typist or of a server, or a moment at random. Whatever
/// waits for something waits for that.
pub fn pause(time: Duration) {
    thread::sleep(time);
}

/// The tool on a pseudo-terminal of its own.
pub struct Pty {
    pub child: Child,
    /// The settings from before the program started.
    pub before: Termios,
    master: File,
    /// The other side, kept open so that its settings can be looked at after the tool has gone.
    slave: File,
    screen: Arc<(Mutex<Vec<u8>>, Condvar)>,
    seen: usize,
}

impl Pty {
    pub fn start(program: &str, args: &[&str]) -> Self {
        Self::start_with(program, args, &[("TERM", "dumb")])
    }

    /// Starts a program with these variables in its environment; nothing is kept beyond them.
    pub fn start_with(program: &str, args: &[&str], variables: &[(&str, &str)]) -> Self {
        // setsid gives the program the terminal as its own, so that keys become signals.
        Self::launch(&[&["--ctty", program], args].concat(), variables)
    }

    /// Starts the tool without a controlling terminal, as some containers and editors do.
    pub fn apart(port: u16, options: &[&str], terminal: &str) -> Self {
        let port = port.to_string();
        Self::launch(&[&[MCONNECT], options, &["-p", &port, "127.0.0.1"]].concat(), &[("TERM", terminal)])
    }

    fn launch(args: &[&str], variables: &[(&str, &str)]) -> Self {
        let pty = openpty(None, None).unwrap();
        let (master, slave) = (File::from(pty.master), File::from(pty.slave));
        let before = tcgetattr(&slave).unwrap();
        let end = || Stdio::from(slave.try_clone().unwrap());
        let child = Command::new("setsid")
            .args(args)
            .env_remove("HOME")
            .env_remove("XDG_STATE_HOME")
            .env_remove("NO_COLOR")
            .env_remove("TMUX")
            .envs(variables.iter().copied())
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let screen = Arc::<(Mutex<Vec<u8>>, Condvar)>::default();
        let (mut reader, theirs) = (master.try_clone().unwrap(), Arc::clone(&screen));
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                theirs.0.lock().unwrap().extend_from_slice(&buffer[..count]);
                theirs.1.notify_all();
            }
        });
        Self { child, before, master, slave, screen, seen: 0 }
    }

    pub fn mconnect(port: u16, options: &[&str]) -> Self {
        let port = port.to_string();
        Self::start(MCONNECT, &[options, &["-p", &port, "127.0.0.1"]].concat())
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.master.write_all(bytes.as_ref()).unwrap();
    }

    /// Waits until this is on the screen, after what was waited for before.
    #[track_caller]
    pub fn expect(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        let mut screen = self.screen.0.lock().unwrap();
        let mut from = self.seen;
        loop {
            if let Some(at) = screen[from..].windows(text.len()).position(|window| window == text.as_bytes()) {
                self.seen = from + at + text.len();
                return;
            }
            // Of what was looked at, only its end may begin the text: looking at all of it again would cost the square.
            from = from.max((screen.len() + 1).saturating_sub(text.len()));
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no {text:?} on the screen:\n{}", screen.escape_ascii());
            screen = self.screen.1.wait_timeout(screen, left).unwrap().0;
        }
    }

    /// What came until now is not what is waited for next.
    pub fn look_from_here(&mut self) {
        self.seen = self.screen.0.lock().unwrap().len();
    }

    /// Everything that came, as it came.
    pub fn raw(&self) -> Vec<u8> {
        self.screen.0.lock().unwrap().clone()
    }

    /// Waits for the end of the program, and returns everything that came.
    #[track_caller]
    pub fn finish(mut self) -> Vec<u8> {
        self.wait();
        // What is written behind the last of it comes behind it.
        self.slave.write_all(END).unwrap();
        self.wait_for("the end", |bytes| bytes.ends_with(END));
        let mut came = self.raw();
        came.truncate(came.len() - END.len());
        came
    }

    /// Waits until what came, whole, is as it should be.
    #[track_caller]
    pub fn wait_for(&self, what: &str, is_so: impl Fn(&[u8]) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut screen = self.screen.0.lock().unwrap();
        while !is_so(&screen) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no {what:?} on the screen:\n{}", screen.escape_ascii());
            screen = self.screen.1.wait_timeout(screen, left).unwrap().0;
        }
    }

    /// Waits until something comes, or for so long: for whoever presses a key again.
    pub fn rest(&self, time: Duration) {
        let screen = self.screen.0.lock().unwrap();
        drop(self.screen.1.wait_timeout(screen, time).unwrap());
    }

    /// Gives another end to type at, for a thread that types more than the terminal takes at once.
    pub fn keyboard(&self) -> File {
        self.master.try_clone().unwrap()
    }

    /// Changes the size of the terminal.
    pub fn resize(&self, rows: u16, columns: u16) {
        let size = format!("rows {rows} cols {columns}");
        let done = Command::new("stty").args(size.split(' ')).stdin(self.slave.try_clone().unwrap()).status();
        assert!(done.unwrap().success());
    }

    pub fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.0.lock().unwrap()).into_owned()
    }

    pub fn settings(&self) -> Termios {
        tcgetattr(&self.slave).unwrap()
    }

    /// Waits until the terminal's settings are so.
    #[track_caller]
    pub fn expect_settings(&self, are_so: impl Fn(&Termios) -> bool) {
        let told = || format!("the settings do not change; screen:\n{}", self.screen());
        until(PATIENCE, || are_so(&self.settings()), told);
    }

    /// Waits until the program is stopped: a SIGCONT before that would be lost.
    #[track_caller]
    pub fn expect_stopped(&self) {
        let told = || format!("it does not stop; screen:\n{}", self.screen());
        let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        let is_stopped = || matches!(waitid(Id::Pid(self.pid()), flags), Ok(WaitStatus::Stopped(..)));
        until(PATIENCE, is_stopped, told);
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    /// Waits for the end of the program: its exit status, or its signal as a negative number.
    #[track_caller]
    pub fn wait(&mut self) -> i32 {
        let (child, screen) = (&mut self.child, &self.screen);
        let told = || format!("it does not end; screen:\n{}", screen.0.lock().unwrap().escape_ascii());
        until(PATIENCE, || child.try_wait().unwrap().is_some(), told);
        let status = child.wait().unwrap();
        status.code().unwrap_or_else(|| -status.signal().unwrap())
    }
}

const END: &[u8] = b"[end of the screen]";

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
