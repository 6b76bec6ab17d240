//! Many signals, and many commands: the terminal is always restored, and memory does not grow.
//!
//! These take some time: `cargo test -p mconnect-cli --test endurance -- --ignored`.
#![cfg(feature = "tls")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use common::attack::{end_within, start};
use common::{MCONNECT, Pty, feed, out, pause};
use mconnect_core::server::{Server, Setup};
use nix::sys::signal::Signal;

#[test]
#[ignore = "it takes some seconds"]
fn a_hundred_signals_at_random_moments_leave_the_terminal_as_it_was() {
    signals_at_random_moments(100);
}

#[test]
#[ignore = "it takes a minute"]
fn a_thousand_signals_at_random_moments_leave_the_terminal_as_it_was() {
    signals_at_random_moments(1000);
}

/// Types at the tool, in a way of its own each time, and ends it by a signal or a key at any moment.
fn signals_at_random_moments(count: u32) {
    let server = Setup::new().auth([("user", "pencil")]).start().unwrap();
    let port = server.port().to_string();
    let mut random = Random::new();
    let ways: [&[&str]; 5] =
        [&[], &["-r"], &["--no-escapes"], &["--edit-mode", "vi"], &["--auth", "user", "--allow-plaintext-auth"]];
    let keys =
        ["EHLO x\r", "MAIL FR", "\t", "\x1b[A", "NOOP\r", "\x12no", "~?\r", "\x1b[200~NOOP\nNOOP\n\x1b[201~", "HELP\r"];
    for number in 0..count {
        let way = *random.one_of(&ways);
        let term = random.one_of(&["xterm", "xterm", "dumb"]);
        let signal = random.one_of(&[Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT]);
        let mut pty =
            Pty::start_with(MCONNECT, &[way, &["-p", port.as_str(), "127.0.0.1"][..]].concat(), &[("TERM", term)]);
        let typed: Vec<&str> = (0..random.below(6)).map(|_| *random.one_of(&keys)).collect();
        pty.send(typed.concat());
        pause(Duration::from_micros(random.below(60_000)));
        pty.signal(*signal);
        let told = || format!("number {number}, seed {}: {way:?} {term} {typed:?} {signal}", random.seed);
        println!("{}", told());
        let status = pty.wait();
        assert_eq!(pty.settings(), pty.before, "{}, status {status}\n{}", told(), pty.screen());
        // At a prompt, SIGQUIT is what Ctrl-C sends.
        let is_interrupt = *signal == Signal::SIGQUIT && status == -(Signal::SIGINT as i32);
        // What was typed may have been a wrong password.
        let is_refused = status == 77 && way.contains(&"--auth");
        assert!(
            status == -(*signal as i32) || is_interrupt || is_refused,
            "{}, status {status}\n{}",
            told(),
            pty.screen()
        );
    }
}

/// Numbers that are the same for the same seed, which is printed.
struct Random {
    seed: u64,
    state: u64,
}

impl Random {
    fn new() -> Self {
        let seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64 | 1;
        println!("seed {seed}");
        Self { seed, state: seed }
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        self.state % limit
    }

    fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[usize::try_from(self.below(all.len() as u64)).unwrap()]
    }
}

#[test]
#[ignore = "it takes some seconds"]
fn a_script_of_a_million_commands_passes_in_little_memory() {
    let server = Server::start().unwrap();
    let mut child = start(server.port(), &["--no-wait", "--timeout", "60"]);
    feed(&mut child, ["NOOP\n".repeat(1_000_000).as_str(), "QUIT\n"].concat().into_bytes());
    // It computes all the while: how long is the machine's business.
    let output = end_within(Duration::from_secs(600), child);
    assert_eq!(output.status.code(), Some(0));
    let replies = out(&output);
    assert_eq!(replies.lines().filter(|line| *line == "250 2.0.0 nothing done").count(), 1_000_000);
    assert!(replies.ends_with("221 2.0.0 goodbye\r\n"));
}
