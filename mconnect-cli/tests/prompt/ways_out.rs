//! Keys and signals that end the tool or stop it, at a prompt and without one: the terminal is as it was.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::sync::mpsc::channel;

use crate::common::folder::Folder;
use crate::common::keys::{CTRL_A, CTRL_C, CTRL_D, CTRL_Z};
use crate::common::screen::Screen;
use crate::common::told::Told;
use crate::common::{MCONNECT, PATIENCE, Peer, Pty, read_once};
use mconnect_core::server::Server;
use nix::sys::signal::Signal;
use nix::sys::termios::LocalFlags;

const KEYS: &str = "raw mode: Enter sends CR, Ctrl-J sends LF, Ctrl-C closes";

#[test]
fn ctrl_c_closes_at_once_at_the_prompt_and_while_a_reply_is_awaited() {
    let (told, mut screen) = Screen::greeted(&[]);
    screen.send("STARTTLS\r");
    told.expect("STARTTLS\r\n");
    screen.interrupt();
    assert_eq!(told.received(), "STARTTLS\r\n");
}

#[test]
fn ctrl_d_half_closes_and_shows_what_still_comes() {
    let (told, mut screen) = Screen::greeted(&[]);
    screen.send(format!("x{CTRL_A}{CTRL_D}{CTRL_D}"));
    // The server sees the end of the input, and only then speaks.
    while told.reads.recv_timeout(PATIENCE).is_ok() {}
    told.say("421 goodbye\r\n");
    told.received();
    assert_eq!(screen.wait(), 0);
    screen.expect_row("421 goodbye");
}

#[test]
fn ctrl_z_suspends_and_the_line_comes_back() {
    let (told, mut screen) = Screen::greeted(&[]);
    screen.send("NOOP ha");
    screen.expect_last("smtp> NOOP ha");
    screen.send(CTRL_Z);
    screen.pty.expect_settings(|settings| settings == &screen.pty.before);
    screen.pty.expect_stopped();
    told.say("250-meanwhile\r\n");
    screen.pty.signal(Signal::SIGCONT);
    screen.expect_row("250-meanwhile");
    screen.expect_last("smtp> NOOP ha");
    screen.send("lf\r");
    told.expect("NOOP half\r\n");
    screen.interrupt();
}

#[test]
fn fg_brings_the_prompt_back_under_a_shell() {
    let told = Told::start();
    let state = Folder::new();
    let variables = [("TERM", "xterm"), ("XDG_STATE_HOME", state.text())];
    let pty = Pty::start_with("bash", &["--norc", "--noprofile", "--noediting", "-i"], &variables);
    let mut screen = Screen { pty, rows: 24, columns: 80, sizes: Vec::new() };
    let command = format!("{MCONNECT} --quiet --color never -p {} 127.0.0.1", told.peer.port);
    screen.send(format!("PS1='ready> '\rstty rows 24 cols 80; {command}; echo status $?\r"));
    told.say("220 hi\r\n");
    screen.expect_last("smtp>");
    screen.send("NOOP ha");
    screen.expect_last("smtp> NOOP ha");
    screen.send(CTRL_Z);
    screen.expect_last("ready>");
    screen.send("echo in the shell\r");
    screen.expect_row("in the shell");
    screen.send("fg\r");
    screen.expect_last("smtp> NOOP ha");
    screen.send("lf\r");
    told.expect("NOOP half\r\n");
    screen.send(CTRL_C);
    screen.expect_last("ready>");
    screen.send("exit\r");
    screen.wait();
}

#[test]
fn ctrl_d_half_closes_after_everything_typed() {
    let server = Server::play("S: 220 hi\nC: NOOP half\nC: *close*\nS: 250 ok\nS: 221 and bye\nS: *close*").unwrap();
    let mut pty = Pty::mconnect(server.port(), &[]);
    pty.expect("220 hi");
    pty.send("NOOP half");
    pty.expect("NOOP half");
    // The first gives what was typed, the second is the end.
    pty.send(CTRL_D);
    pty.send(CTRL_D);
    pty.expect("221 and bye");
    assert_eq!(pty.wait(), 0);
    server.join().unwrap();
}

#[test]
fn ctrl_c_closes_at_once() {
    for options in [&[][..], &["-r"]] {
        let told = Told::start();
        told.say("220 hi\r\n");
        let mut pty = Pty::mconnect(told.peer.port, options);
        pty.expect("220 hi");
        pty.send("half a li");
        pty.expect("half a li");
        if !options.is_empty() {
            told.expect("half a li");
        }
        pty.send(CTRL_C);
        assert_eq!(pty.wait(), -2, "{}", pty.screen());
        assert_eq!(pty.settings(), pty.before);
        assert_eq!(told.received(), if options.is_empty() { "" } else { "half a li" });
    }
}

#[test]
fn raw_mode_sends_every_key_as_it_is() {
    let peer = Peer::start(|mut stream| {
        stream.write_all(b"220 hi\r\n").unwrap();
        let mut sent = [0; 12];
        stream.read_exact(&mut sent).unwrap();
        stream.write_all(b"221 \x1bbye\r\n").unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        vec![sent.to_vec()]
    });
    let mut pty = Pty::mconnect(peer.port, &["-r"]);
    pty.expect(KEYS);
    pty.expect("220 hi");
    pty.send("ab\rcd\ne\x04\x13\x16\x7f\x15");
    pty.expect("221 \\x1bbye\r\n");
    assert_eq!(pty.wait(), 0);
    assert_eq!(pty.settings(), pty.before);
    assert_eq!(peer.received(), [b"ab\rcd\ne\x04\x13\x16\x7f\x15"]);
}

#[test]
fn raw_mode_restores_the_terminal_on_every_way_out() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGALRM, Signal::SIGUSR1] {
        let told = Told::start();
        told.say("220 hi\r\n");
        let mut pty = Pty::mconnect(told.peer.port, &["-r"]);
        pty.expect("220 hi");
        assert!(!pty.settings().local_flags.contains(LocalFlags::ICANON));
        pty.signal(signal);
        assert_eq!(pty.wait(), -(signal as i32));
        assert_eq!(pty.settings(), pty.before, "after {signal}");
        told.received();
    }
    // A reset by the server.
    let server = Server::play("S: 220 hi\nS: *pause 20 ms*\nS: *reset*").unwrap();
    let mut pty = Pty::mconnect(server.port(), &["-r"]);
    assert_eq!(pty.wait(), 76, "{}", pty.screen());
    assert_eq!(pty.settings(), pty.before);
    server.join().unwrap();
}

#[test]
fn the_terminal_is_restored_also_where_it_controls_nothing() {
    let typed = "220 hi\r\n334 UGFzc3dvcmQ6\r\n";
    for (options, terminal, words) in
        [(&["-r"][..], "xterm", "220 hi\r\n"), (&["--quiet"], "dumb", typed), (&["--quiet"], "xterm", "220 hi\r\n")]
    {
        for signal in [None, Some(Signal::SIGINT), Some(Signal::SIGTERM)] {
            let (end, ended) = channel::<()>();
            let peer = Peer::start(move |mut stream| {
                let (greeting, challenge) = words.split_at("220 hi\r\n".len());
                stream.write_all(greeting.as_bytes()).unwrap();
                if !challenge.is_empty() {
                    read_once(&mut stream);
                    stream.write_all(challenge.as_bytes()).unwrap();
                }
                let _ = ended.recv();
                Vec::new()
            });
            let mut pty = Pty::apart(peer.port, options, terminal);
            pty.expect("220 hi");
            if words == typed {
                pty.send("AUTH LOGIN\r");
            }
            pty.expect_settings(|settings| settings.local_flags.contains(LocalFlags::ECHO) != (options == ["--quiet"]));
            assert_ne!(pty.settings(), pty.before);
            match signal {
                Some(signal) => pty.signal(signal),
                None => end.send(()).unwrap(),
            }
            if signal.is_none() && options == ["--quiet"] {
                pty.expect("closed> ");
                pty.send("\x04");
            }
            let status = pty.wait();
            assert_eq!(status, signal.map_or(if options == ["-r"] { 0 } else { 76 }, |signal| -(signal as i32)));
            assert_eq!(pty.settings(), pty.before, "{options:?} at {terminal} after {signal:?}");
            drop(end);
            peer.received();
        }
    }
}

#[test]
fn ctrl_z_stops_with_the_terminal_restored_and_fg_goes_on() {
    let told = Told::start();
    told.say("220 hi\r\n");
    let mut pty = Pty::start("bash", &["--norc", "--noprofile", "--noediting", "-i"]);
    pty.send(format!("PS1='ready> '\r{MCONNECT} -r -p {} 127.0.0.1; echo status $?\r", told.peer.port));
    pty.expect("220 hi");
    pty.send("one");
    told.expect("one");
    pty.send(CTRL_Z);
    pty.expect("Stopped");
    pty.expect("ready> ");
    assert!(pty.settings().local_flags.contains(LocalFlags::ICANON), "the shell has its terminal back");
    pty.send("fg\r");
    pty.expect("127.0.0.1\r\n");
    // Raw again: what is typed goes out without Enter.
    pty.expect_settings(|settings| !settings.local_flags.contains(LocalFlags::ICANON));
    pty.send("two");
    told.expect("onetwo");
    pty.send(CTRL_C);
    pty.expect("ready> ");
    assert!(pty.settings().local_flags.contains(LocalFlags::ICANON));
    pty.send("exit\r");
    pty.wait();
    assert_eq!(told.received(), "onetwo");
}

#[test]
fn the_terminal_going_away_ends_the_session() {
    let told = Told::start();
    told.say("220 hi\r\n");
    let mut pty = Pty::mconnect(told.peer.port, &["-r"]);
    pty.expect("220 hi");
    pty.signal(Signal::SIGHUP);
    assert_eq!(pty.wait(), -(Signal::SIGHUP as i32));
    told.received();
}
