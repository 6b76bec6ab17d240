//! The same as in `scripts.rs` at a terminal: pasted and typed ahead at the prompt, and typed ahead without one.

use std::fs;
use std::time::{Duration, Instant};

use mconnect_core::protocol::{Code, Meaning, Request};

use crate::common::attack::for_each;
use crate::common::folder::Folder;
use crate::common::scripted::{BOSS, SECRET, Scripted, script_of};
use crate::common::{MCONNECT, PATIENCE, Pty};

/// Each class, and each special code.
const CODES: [u16; 12] = [120, 200, 220, 221, 235, 250, 334, 354, 421, 454, 550, 600];
const CTRL_D: &str = "\x04";
const PRESS_AGAIN: Duration = Duration::from_millis(50);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Pasted,
    TypedAhead,
    Dumb,
    /// As at a dumb terminal, with what happens as JSON in a file.
    Json,
}

/// Says whether a session may end with 0 in which a request was answered so: it was granted, or refused in step, which a
/// person sees and goes on after; a paste does not go on after a refused STARTTLS or AUTH, and nothing after a greeting.
fn may_succeed(request: Request, code: Code, mode: Mode) -> bool {
    match (Meaning::of(Some(request), code), request) {
        (Meaning::Granted | Meaning::Unusual | Meaning::Challenge, _) => true,
        (Meaning::Deferred | Meaning::Refused, Request::Greeting) => false,
        (Meaning::Deferred | Meaning::Refused, Request::StartTls | Request::Auth | Request::AuthAnswer) => {
            mode != Mode::Pasted
        }
        (Meaning::Deferred | Meaning::Refused, _) => true,
        _ => false,
    }
}

fn start(mode: Mode, port: u16, folder: &Folder) -> Pty {
    let [record, json] = ["record", "json"].map(|name| folder.file(name));
    let port = port.to_string();
    // A server that takes commands for a body does not answer them.
    let options = ["--timeout", "2", "--quiet", "--color", "never", "--trace", "--record", &record];
    let options = [&options[..], &["-p", &port, "127.0.0.1"]].concat();
    let (term, script) = match mode {
        Mode::Pasted | Mode::TypedAhead => ("xterm", "stty rows 200 cols 200; exec \"$0\" \"$@\"".to_owned()),
        Mode::Dumb => ("dumb", "exec \"$0\" \"$@\"".to_owned()),
        Mode::Json => ("dumb", format!("exec \"$0\" --json \"$@\" > {json}")),
    };
    let args = [&["-c", &script, MCONNECT], options.as_slice()].concat();
    Pty::start_with("sh", &args, &[("TERM", term), ("XDG_STATE_HOME", folder.text())])
}

/// Leaves as a person does, by Ctrl-D, and again by Ctrl-D where the prompt stays after the session or the first was
/// dropped with what had been typed ahead; returns the exit status.
#[track_caller]
fn leave(pty: &mut Pty) -> i32 {
    let deadline = Instant::now() + PATIENCE;
    while pty.child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "it does not end; screen:\n{}", pty.screen());
        pty.send(CTRL_D);
        pty.rest(PRESS_AGAIN);
    }
    pty.wait()
}

/// What was traced of the lines sent.
fn traced(screen: &str) -> Vec<&str> {
    let is_sent = |line: &&str| {
        let Some((before, _)) = line.split_once(" > ") else { return false };
        before.len() > 6 && before[before.len() - 6..].bytes().all(|byte| byte.is_ascii_digit())
    };
    screen.split(['\r', '\n']).filter(is_sent).collect()
}

fn check(request: Request, code: u16, mode: Mode) {
    let state = Folder::new();
    let code = Code::new(code).unwrap();
    let server = Scripted::start_after(request, code, Duration::from_millis(60));
    let text: String = script_of(request).iter().map(|line| format!("{line}\r")).collect();
    // What is typed counts with its CR LF.
    let text = text.replace("BDAT 6 ", "BDAT 7 ");
    let mut pty = start(mode, server.port, &state);
    if request != Request::Greeting {
        pty.expect("220 so");
    }
    match mode {
        Mode::Pasted => pty.send(format!("\x1b[200~{text}\x1b[201~~s\r")),
        // Not more at once than a terminal holds.
        _ => pty.send(format!("{text}~s\r")),
    }
    // What came last has been taken, or dropped, or nothing takes it any more.
    let ends = ["phase     ", "dropped", "closed>", "closed the connection", "connection is closed"];
    let name = format!("{request:?} {code} {mode:?}");
    let has_quit = |shown: &str| request == Request::Quit || shown.contains("221 so");
    pty.wait_for(&name, |raw| {
        let shown = String::from_utf8_lossy(raw);
        ends.iter().any(|end| shown.contains(end)) || has_quit(&shown)
    });
    let status = leave(&mut pty);
    let seen = server.seen();
    let screen = pty.screen();
    let told = format!("{name}: {status}\n{screen}\n{seen:#?}");
    assert!(status > 0 || (status == 0 && may_succeed(request, code, mode)), "a status: {told}");
    assert!(!seen.commands.iter().any(|line| line.contains(BOSS)), "a line of a message as a command: {told}");
    assert!(!seen.commands.iter().any(|line| line.trim() == SECRET), "a secret as a command: {told}");
    if request == Request::StartTls {
        assert!(!seen.raw.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()), "in the clear: {told}");
        assert!(matches!(mode, Mode::Dumb | Mode::Json) || !screen.contains(SECRET), "on the screen: {told}");
    }
    let sent = traced(&screen);
    assert!(seen.raw.is_empty() || !sent.is_empty(), "nothing in the trace: {told}");
    assert!(!sent.iter().any(|line| line.contains(SECRET)), "in the trace: {told}");
    for (file, is_there) in [("mconnect/history", false), ("record", true), ("json", mode == Mode::Json)] {
        let text = fs::read_to_string(state.path().join(file));
        assert!(text.is_ok() || !is_there, "no {file}: {told}");
        assert!(!text.unwrap_or_default().contains(SECRET), "in {file}: {told}");
    }
    assert!(!told.contains("panicked"), "{told}");
}

#[test]
fn what_is_typed_or_pasted_goes_on_only_where_it_was_granted() {
    let modes = [Mode::Pasted, Mode::TypedAhead, Mode::Dumb, Mode::Json];
    let of = |request| CODES.into_iter().flat_map(move |code| modes.map(|mode| (request, code, mode)));
    let cases: Vec<_> = Request::ALL.iter().copied().flat_map(of).collect();
    for_each(&cases, |(request, code, mode)| check(*request, *code, *mode));
}
