//! What was sent and was a secret is in the tool's memory no more; while one is held, nobody may look there.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::common::folder::Folder;
use crate::common::told::Told;
use crate::common::{MCONNECT, Pty, tool};

const PASSWORD: &str = "s3cr3t-of-the-test";
/// NUL, `user`, NUL and the password; the user; the password: each in base64.
const PLAIN: &str = "AHVzZXIAczNjcjN0LW9mLXRoZS10ZXN0";
const USER: &str = "dXNlcg==";
const ANSWER: &str = "czNjcjN0LW9mLXRoZS10ZXN0";
/// What is no secret, and is found.
const MARKER: &str = "this-is-to-be-found";

/// Returns what of these texts is in the memory that a process can write to, but for the stack of its first thread, where
/// its environment is, too; nothing if that cannot be read.
fn found(pid: u32, texts: &[&str]) -> Option<Vec<String>> {
    let cannot = |error| {
        eprintln!("skipped: the memory of {pid} cannot be read: {error}");
    };
    let memory = File::open(format!("/proc/{pid}/mem")).map_err(cannot).ok()?;
    let mut found = Vec::new();
    for line in fs::read_to_string(format!("/proc/{pid}/maps")).unwrap().lines() {
        let mut words = line.split_whitespace();
        let (range, rights) = (words.next().unwrap(), words.next().unwrap());
        // What a register held may be spilled to the stack, and stays there until a later call takes its place.
        if !rights.starts_with("rw") || line.ends_with("[stack]") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap();
        let [from, to] = [from, to].map(|text| u64::from_str_radix(text, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
        // Some are not there by now.
        let Ok(()) = memory.read_exact_at(&mut bytes, from) else { continue };
        for text in texts {
            let places = bytes.windows(text.len()).zip(from..).filter(|(part, _)| *part == text.as_bytes());
            found.extend(places.map(|(_, at)| format!("{text} at {at:x} in {line}")));
        }
    }
    Some(found)
}

#[track_caller]
fn assert_wiped(what: &str, pid: u32) {
    let parts = [PASSWORD, &PLAIN[..16], &PLAIN[16..], ANSWER];
    let left = found(pid, &parts).unwrap_or_default();
    assert!(left.is_empty(), "{what}: {left:#?}");
}

/// The tool with a pipe for its input.
struct Piped {
    child: Child,
    input: ChildStdin,
    server: Told,
    /// What the server has got.
    came: String,
}

impl Piped {
    fn start(options: &[&str], variables: &[(&str, &str)]) -> Self {
        let server = Told::start();
        let port = server.peer.port.to_string();
        let args = [options, &["--quiet", "-p", &port, "127.0.0.1"]].concat();
        let mut child = tool(&args).envs(variables.iter().copied()).stderr(Stdio::null()).spawn().unwrap();
        let input = child.stdin.take().unwrap();
        Self { child, input, server, came: String::new() }
    }

    fn send(&mut self, lines: &str) {
        self.input.write_all(lines.as_bytes()).unwrap();
    }

    /// Says this, and waits until it is shown.
    #[track_caller]
    fn say(&mut self, reply: &str) {
        self.server.say(&format!("{reply}\r\n"));
        let (output, mut shown, mut byte) = (self.child.stdout.as_mut().unwrap(), String::new(), [0]);
        while !shown.ends_with(&format!("{reply}\r\n")) {
            assert_eq!(output.read(&mut byte).unwrap(), 1, "{shown}");
            shown.push(char::from(byte[0]));
        }
    }

    /// Says this to a line that comes.
    #[track_caller]
    fn answer(&mut self, line: &str, reply: &str) {
        self.came.push_str(&format!("{line}\r\n"));
        self.server.expect(&self.came);
        self.say(reply);
    }

    fn end(mut self) {
        drop(self.input);
        drop(self.server.received());
        self.child.wait().unwrap();
    }
}

#[test]
fn a_piped_secret_is_gone_once_it_was_sent_and_what_is_none_is_found() {
    let whole = format!("EHLO me\nAUTH PLAIN {PLAIN}\n");
    for options in [&[][..], &["--no-wait"], &["--trace"]] {
        for cut in [whole.len(), whole.len() - 20, "EHLO me\n".len()] {
            let mut tool = Piped::start(options, &[]);
            let what = format!("{options:?}, cut at {cut}");
            println!("{what}");
            tool.say("220 ready");
            tool.send(&whole[..cut]);
            if options == ["--no-wait"] {
                // Cut, the first part comes alone.
                if cut < whole.len() {
                    tool.server.expect("EHLO me\r\n");
                }
                tool.send(&whole[cut..]);
                tool.server.expect(&whole.replace('\n', "\r\n"));
                tool.came = whole.replace('\n', "\r\n");
                tool.say("250 ok\r\n235 in");
            } else {
                tool.server.expect("EHLO me\r\n");
                tool.send(&whole[cut..]);
                tool.came = "EHLO me\r\n".to_owned();
                tool.say("250 ok");
                tool.answer(&format!("AUTH PLAIN {PLAIN}"), "235 in");
            }
            assert_wiped(&what, tool.child.id());
            tool.send(&format!("NOOP {MARKER}\n"));
            tool.answer(&format!("NOOP {MARKER}"), "250 noop");
            assert!(found(tool.child.id(), &[MARKER]).is_none_or(|found| !found.is_empty()), "{what}");
            tool.end();
        }
    }
}

#[test]
fn a_piped_answer_is_gone_once_it_was_sent() {
    let mut tool = Piped::start(&[], &[]);
    tool.send(&format!("AUTH LOGIN\n{USER}\n{ANSWER}\n"));
    tool.say("220 ready");
    tool.answer("AUTH LOGIN", "334 VXNlcm5hbWU6");
    tool.answer(USER, "334 UGFzc3dvcmQ6");
    tool.answer(ANSWER, "235 in");
    assert_wiped("AUTH LOGIN", tool.child.id());
    tool.end();
}

#[test]
fn a_password_of_a_command_or_of_the_environment_is_gone_after_authentication() {
    let folder = Folder::new();
    let file = folder.write("password", &format!("{PASSWORD}\n"));
    for (options, variables) in [
        (&["--password-command", &format!("cat {file}")][..], &[][..]),
        (&["--password-file", &file], &[]),
        (&[], &[("MCONNECT_PASSWORD", PASSWORD)]),
    ] {
        let login = [("AUTH LOGIN", "334 VXNlcm5hbWU6"), (USER, "334 UGFzc3dvcmQ6"), (ANSWER, "235 in")];
        let plain = format!("AUTH PLAIN {PLAIN}");
        for (mechanism, exchange) in [("PLAIN", &[(plain.as_str(), "235 in")][..]), ("LOGIN", &login)] {
            let mut tool = Piped::start(&[options, &["--helo", "me", "--auth", "user"]].concat(), variables);
            tool.say("220 ready");
            tool.answer("EHLO me", &format!("250-me\r\n250 AUTH {mechanism}"));
            exchange.iter().for_each(|(line, reply)| tool.answer(line, reply));
            // The session has been handed over.
            tool.send("RSET\n");
            tool.answer("RSET", "250 reset");
            assert_wiped(&format!("{options:?} {variables:?} {mechanism}"), tool.child.id());
            tool.end();
        }
    }
}

#[test]
fn an_answer_that_was_typed_unseen_is_gone_once_it_was_sent() {
    let server = Told::start();
    let mut pty = Pty::mconnect(server.peer.port, &["--quiet"]);
    server.say("220 ready\r\n");
    pty.expect("220 ready");
    pty.send("AUTH LOGIN\r");
    server.expect("AUTH LOGIN\r\n");
    server.say("334 UGFzc3dvcmQ6\r\n");
    pty.expect("334 UGFzc3dvcmQ6");
    pty.send(format!("{ANSWER}\r"));
    server.expect(&format!("AUTH LOGIN\r\n{ANSWER}\r\n"));
    server.say("235 in\r\n");
    pty.expect("235 in");
    // The block that it was read into has been wiped, or is waiting for this line.
    pty.send("RSET\r");
    server.expect(&format!("AUTH LOGIN\r\n{ANSWER}\r\nRSET\r\n"));
    assert_wiped("typed", pty.child.id());
    drop(pty);
    drop(server.received());
}

#[test]
fn a_password_that_was_typed_or_pasted_at_the_prompt_is_gone_once_it_was_sent() {
    for is_pasted in [false, true] {
        let server = Told::start();
        let variables = [("TERM", "xterm")];
        let port = server.peer.port.to_string();
        let mut pty = Pty::start_with(MCONNECT, &["--quiet", "-p", &port, "127.0.0.1"], &variables);
        server.say("220 ready\r\n");
        pty.expect("smtp>");
        pty.send("EHLO me\r");
        server.expect("EHLO me\r\n");
        server.say("250-me\r\n250 AUTH PLAIN\r\n");
        pty.expect("250 AUTH PLAIN");
        pty.send("~a PLAIN user\r");
        pty.expect("password of user: ");
        if is_pasted {
            pty.send(format!("{PASSWORD}\r"));
        } else {
            PASSWORD.chars().for_each(|key| pty.send(key.to_string()));
            pty.send("\r");
        }
        let exchange = format!("EHLO me\r\nAUTH PLAIN {PLAIN}\r\n");
        server.expect(&exchange);
        server.say("235 in\r\n");
        pty.expect("235 in");
        // What the keys of one burst were read into is read into again.
        pty.send(format!("NOOP {}\r", "x".repeat(PASSWORD.len())));
        server.expect(&format!("{exchange}NOOP {}\r\n", "x".repeat(PASSWORD.len())));
        assert_wiped(if is_pasted { "pasted" } else { "typed" }, pty.child.id());
        drop(pty);
        drop(server.received());
    }
}

#[test]
fn while_a_password_is_held_nobody_may_look_into_the_process() {
    // The system says so by whose the files of the process are.
    let folder = Folder::new();
    let program = folder.file("mconnect");
    fs::copy(MCONNECT, &program).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let own = fs::metadata("/proc/self").unwrap().uid();
    let uid = if own == 0 { NOBODY } else { own };
    let server = Told::start();
    let port = server.peer.port.to_string();
    let args = ["--quiet", "--helo", "me", "--auth", "user:PLAIN", "-p", &port, "127.0.0.1"];
    let mut command = Command::new(&program);
    command.args(args).env("MCONNECT_PASSWORD", PASSWORD).stdin(Stdio::piped()).stdout(Stdio::piped());
    if own == 0 {
        command.uid(uid);
    }
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let memory = format!("/proc/{}/mem", child.id());
    let owner = || fs::metadata(&memory).unwrap().uid();
    server.say("220 ready\r\n");
    server.expect("EHLO me\r\n");
    assert_eq!(owner(), uid, "before");
    server.say("250-me\r\n250 AUTH PLAIN\r\n");
    server.expect(&format!("EHLO me\r\nAUTH PLAIN {PLAIN}\r\n"));
    assert_ne!(owner(), uid, "while it is held");
    server.say("235 in\r\n");
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"RSET\n").unwrap();
    server.expect(&format!("EHLO me\r\nAUTH PLAIN {PLAIN}\r\nRSET\r\n"));
    assert_eq!(owner(), uid, "after");
    drop(input);
    drop(server.received());
    child.wait().unwrap();
}

const NOBODY: u32 = 65534;
