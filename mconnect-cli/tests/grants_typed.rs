//! The same as in `grants.rs` at a terminal: pasted and typed ahead at the prompt, and typed ahead without one.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::Duration;

use mconnect_core::protocol::{Code, Request};

use common::attack::for_each;
use common::keys::CTRL_C;
use common::screen::{Folder, Screen};
use common::scripted::{BOSS, SECRET, Scripted, script_of};
use common::{MCONNECT, Pty};

/// Each class, and each special code.
const CODES: [u16; 12] = [120, 200, 220, 221, 235, 250, 334, 354, 421, 454, 550, 600];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Pasted,
    TypedAhead,
    Dumb,
}

fn check(request: Request, code: u16, mode: Mode) {
    let state = Folder::new();
    let server = Scripted::start_after(request, Code::new(code).unwrap(), Duration::from_millis(60));
    let text: String = script_of(request).iter().map(|line| format!("{line}\r")).collect();
    // What is typed counts with its CR LF.
    let text = text.replace("BDAT 6 ", "BDAT 7 ");
    let variables = [("XDG_STATE_HOME", state.text())];
    let mut pty = match mode {
        Mode::Dumb => {
            let port = server.port.to_string();
            let variables = [&[("TERM", "dumb")], variables.as_slice()].concat();
            Pty::start_with(MCONNECT, &["--quiet", "-p", &port, "127.0.0.1"], &variables)
        }
        _ => Screen::start_with(server.port, &[], &variables, (24, 80)).pty,
    };
    if request != Request::Greeting {
        pty.expect("220 so");
    }
    match mode {
        Mode::Pasted => pty.send(format!("\x1b[200~{text}\x1b[201~~s\r")),
        // Not more at once than a terminal holds.
        Mode::TypedAhead | Mode::Dumb => pty.send(format!("{text}~s\r")),
    }
    // What came last has been taken, or dropped, or nothing takes it any more.
    let ends = ["phase     ", "dropped", "closed>", "closed the connection"];
    let name = format!("{request:?} {code} {mode:?}");
    let has_quit = |shown: &str| request == Request::Quit || shown.contains("221 so");
    pty.wait_for(&name, |raw| {
        let shown = String::from_utf8_lossy(raw);
        ends.iter().any(|end| shown.contains(end)) || has_quit(&shown)
    });
    pty.send(CTRL_C);
    pty.wait();
    let seen = server.seen();
    let told = format!("{name}\n{}\n{seen:#?}", pty.screen());
    assert!(!seen.commands.iter().any(|line| line.contains(BOSS)), "a line of a message as a command: {told}");
    assert!(!seen.commands.iter().any(|line| line.trim() == SECRET), "a secret as a command: {told}");
    if request == Request::StartTls {
        assert!(!seen.raw.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()), "in the clear: {told}");
        assert!(mode == Mode::Dumb || !pty.screen().contains(SECRET), "on the screen: {told}");
    }
    assert!(!state.history().contains(SECRET), "in the history: {told}\n{}", state.history());
    assert!(!told.contains("panicked"), "{told}");
}

#[test]
fn what_is_typed_or_pasted_goes_on_only_where_it_was_granted() {
    let modes = [Mode::Pasted, Mode::TypedAhead, Mode::Dumb];
    let of = |request| CODES.into_iter().flat_map(move |code| modes.map(|mode| (request, code, mode)));
    let cases: Vec<_> = Request::ALL.into_iter().flat_map(of).collect();
    for_each(&cases, |(request, code, mode)| check(*request, *code, *mode));
}
