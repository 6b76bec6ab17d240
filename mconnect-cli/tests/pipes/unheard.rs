//! Whoever read standard output has gone: `mconnect ... | head -1`.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::channel;

use super::serve;
use crate::common::{MCONNECT, Peer, Scrap, tool};
use nix::pty::openpty;
use nix::sys::signal::Signal;

const SIGPIPE: Result<i32, i32> = Err(Signal::SIGPIPE as i32);

struct Run {
    child: Child,
    /// Kept open.
    stdin: Option<ChildStdin>,
}

impl Run {
    /// Starts it with its input on a pipe that stays open after this.
    fn open(port: u16, options: &[&str], input: &str) -> Self {
        let mut run = Self::start(port, options, Stdio::piped());
        run.stdin = run.child.stdin.take();
        run.stdin.as_mut().unwrap().write_all(input.as_bytes()).unwrap();
        run
    }

    fn start(port: u16, options: &[&str], input: Stdio) -> Self {
        Self::with(&[&["--quiet"], options].concat(), port, |command| command.stdin(input))
    }

    /// Starts it without anybody to read its output.
    fn unheard(port: u16, options: &[&str], input: Stdio) -> Self {
        let (read, write) = std::io::pipe().unwrap();
        drop(read);
        Self::with(options, port, |command| command.stdin(input).stdout(write))
    }

    fn with(options: &[&str], port: u16, set: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        let port = port.to_string();
        let mut command = tool(&[options, &["-p", &port, "127.0.0.1"]].concat());
        Self { child: set(&mut command).spawn().unwrap(), stdin: None }
    }

    /// Reads this much of its output, and then no more.
    fn head(mut self, octets: usize) -> Self {
        self.child.stdout.take().unwrap().read_exact(&mut vec![0; octets]).unwrap();
        self
    }

    /// Waits for its end, which is a quiet one: a status, or otherwise a signal.
    #[track_caller]
    fn ends(self, end: Result<i32, i32>) {
        let Self { child, stdin } = self;
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_eq!(output.status.code().ok_or_else(|| output.status.signal().unwrap()), end);
        drop(stdin);
    }
}

#[test]
fn a_file_is_carried_to_its_end() {
    let body = "a line of a message that is longer than what is read at once\n".repeat(20_000);
    for body in ["short\n", &body] {
        let file = Scrap::new("unheard", &format!("NOOP\nDATA\n{body}.\nNOOP\nQUIT\n"));
        for pace in [&[][..], &["--no-wait"], &["--json"]] {
            let transcript = "S: 220 hi\nC: NOOP\nS: 250 ok\nC: DATA\nS: 354 go\nC: *body*\nS: 250 ok\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye";
            let server = serve(transcript);
            Run::unheard(server.port(), &[&["--quiet"], pace].concat(), File::open(file.path()).unwrap().into())
                .ends(SIGPIPE);
            server.join().unwrap();
        }
    }
}

#[test]
fn what_is_in_the_pipe_is_carried_to_its_end_and_more_is_not_waited_for() {
    for (input, transcript) in [
        // The server says nothing more, and so nothing is written: it is noticed all the same.
        ("", "S: 220 hi\nC: QUIT\nS: 221 bye"),
        ("NOOP\nNOOP\n", "S: 220 hi\nC: NOOP\nS: 250 ok\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye"),
        ("NOOP\nNO", "S: 220 hi\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye"),
        // Half a message is not delivered.
        ("DATA\nhalf\n", "S: 220 hi\nC: DATA\nS: 354 go\nC: half\nC: *close*"),
        (
            "DATA\nhalf\n.\nRSET\n",
            "S: 220 hi\nC: DATA\nS: 354 go\nC: half\nC: .\nS: 250 ok\nC: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye",
        ),
        ("BDAT 9\nhalf", "S: 220 hi\nC: BDAT 9\nC> half\nC: *close*"),
    ] {
        for options in [&[][..], &["--json"]] {
            let server = serve(transcript);
            Run::open(server.port(), options, input).head(8).ends(SIGPIPE);
            server.join().unwrap_or_else(|error| panic!("{input:?} {options:?}: {error}"));
        }
    }
}

#[test]
fn the_failure_of_the_session_comes_before_that_of_the_pipe() {
    let server = serve("S: 220 hi\nC: DATA\nS: 554 no\nC: QUIT\nS: 221 bye");
    Run::open(server.port(), &[], "DATA\n").head(8).ends(Ok(69));
    server.join().unwrap();
}

#[test]
fn what_is_given_is_carried_to_its_end() {
    for options in [&[][..], &["--json"]] {
        let server = serve("S: 220 hi\nC: NOOP\nS: 250 ok\nC: RSET\nS: 250 ok\nS: *close*");
        let options = [&["--quiet", "-c", "NOOP", "-c", "RSET"], options].concat();
        Run::unheard(server.port(), &options, Stdio::piped()).ends(SIGPIPE);
        server.join().unwrap();
    }
}

#[test]
fn raw_octets_are_carried_to_their_end_and_more_are_not_waited_for() {
    let octets = "octets\r\n".repeat(200_000);
    let file = Scrap::new("unheard-raw", &octets);
    let peer = |greeting: &'static str| {
        Peer::start(move |mut stream| {
            stream.write_all(greeting.as_bytes()).unwrap();
            let mut sent = Vec::new();
            stream.read_to_end(&mut sent).unwrap();
            vec![sent]
        })
    };
    let server = peer("220 hi\r\n");
    Run::unheard(server.port, &["-r", "--quiet"], File::open(file.path()).unwrap().into()).ends(SIGPIPE);
    assert_eq!(server.received().concat().len(), octets.len());
    for input in ["", "half a line"] {
        let server = peer("220 hi\r\n");
        Run::open(server.port, &["-r"], input).head(8).ends(SIGPIPE);
        assert_eq!(server.received(), [input.as_bytes()]);
    }
}

#[test]
fn a_raw_session_ends_though_the_server_never_does() {
    let (end, ended) = channel::<()>();
    let peer = Peer::start(move |mut stream| {
        stream.write_all(b"220 hi\r\n").unwrap();
        let _ = ended.recv();
        Vec::new()
    });
    Run::open(peer.port, &["-r"], "").head(8).ends(SIGPIPE);
    drop(end);
    peer.received();
    // Neither does one that floods.
    let peer = Peer::start(move |mut stream| {
        while stream.write_all(&[b'x'; 1 << 16]).is_ok() {}
        Vec::new()
    });
    Run::open(peer.port, &["-r"], "").head(8).ends(SIGPIPE);
    peer.received();
}

#[test]
fn a_dialogue_is_carried_to_its_end() {
    let dialogue = Scrap::new("unheard-play", "S: 220\nC: NOOP\nS: 250\nC: QUIT\nS: 221\n");
    let failing = Scrap::new("unheard-fail", "S: 220\nC: NOOP\nS: 250\nC: QUIT\nS: 500\n");
    for options in [&[][..], &["--json"]] {
        let server = serve("S: 220 hi\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye");
        // --quiet has nothing shown of a dialogue.
        let options = [&["--play", dialogue.path()], options].concat();
        let mut run = Run::unheard(server.port(), &options, Stdio::null());
        assert_eq!(run.child.wait().unwrap().signal(), Some(Signal::SIGPIPE as i32));
        server.join().unwrap();
    }
    let server = serve("S: 220 hi\nC: NOOP\nS: 250 ok\nC: QUIT\nS: 221 bye");
    let mut run = Run::unheard(server.port(), &["--play", failing.path()], Stdio::null());
    assert_eq!(run.child.wait().unwrap().code(), Some(1));
    server.join().unwrap();
}

#[test]
fn a_person_who_types_is_not_waited_for() {
    let server = serve("S: 220 hi\nC: QUIT\nS: 221 bye");
    let pty = openpty(None, None).unwrap();
    let child = Command::new("setsid")
        .args(["--ctty", MCONNECT, "--quiet", "-p", &server.port().to_string(), "127.0.0.1"])
        .stdin(File::from(pty.slave))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    File::from(pty.master.try_clone().unwrap()).write_all(b"half typ").unwrap();
    Run { child, stdin: None }.head(8).ends(SIGPIPE);
    server.join().unwrap();
}

#[test]
fn help_that_nobody_reads_ends_as_that_of_other_tools() {
    let (read, write) = std::io::pipe().unwrap();
    drop(read);
    let mut child = Command::new(MCONNECT).arg("--help").stdout(write).spawn().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(Signal::SIGPIPE as i32));
}
