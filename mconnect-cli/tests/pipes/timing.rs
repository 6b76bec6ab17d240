//! The time before each line, and where it went.

use std::io::Write;
use std::sync::mpsc::channel;

use crate::common::{MCONNECT, Peer, Pty, assert_status, err, free_port, out, read_once, run, talk, tool};
use mconnect_core::server::Server;

/// Takes the stamp from a line, and gives the seconds and the rest.
#[track_caller]
fn stamped(line: &str) -> (f64, &str) {
    let (stamp, rest) = line.split_at(10);
    (stamp.trim().parse().unwrap_or_else(|_| panic!("no stamp: {line:?}")), rest)
}

/// Greets after 50 ms, and answers two commands.
fn slow(command: &str) -> Server {
    let dialogue =
        format!("S: *pause 50 ms*\nS: 220-hi\nS: 220 there\nC: {command}\nS: 250 ok\nC: QUIT\nS: 221 bye\nS: *close*");
    Server::play(&dialogue).unwrap()
}

#[test]
fn every_line_has_the_time() {
    let server = slow("NOOP");
    let output = talk(server.port(), &["--timestamps"], "NOOP\nQUIT\n");
    assert_status(&output, 0);
    let out = out(&output);
    let lines: Vec<(f64, &str)> = out.lines().map(stamped).collect();
    let texts: Vec<&str> = lines.iter().map(|(_, text)| *text).collect();
    assert_eq!(texts, ["220-hi", "220 there", "250 ok", "221 bye"]);
    assert!(lines.is_sorted_by(|a, b| a.0 <= b.0) && lines[0].0 >= 0.05, "{lines:?}");
    let told: Vec<String> = err(&output).lines().map(|line| stamped(line).1.to_owned()).collect();
    assert_eq!(told.last().unwrap(), "connection open");
}

#[test]
fn a_clock_shows_the_time_of_day_and_its_zone_once() {
    let server = slow("NOOP");
    let port = server.port().to_string();
    let mut tool = tool(&["--timestamps=clock", "-c", "NOOP", "-c", "QUIT", "-p", &port, "127.0.0.1"]);
    let output = tool.env("TZ", "XYZ-05:45").output().unwrap();
    assert_status(&output, 0);
    let told = err(&output);
    assert_eq!(told.matches("+0545 XYZ").count(), 1, "{told}");
    let utc = mconnect_core::message_date(std::time::SystemTime::now() + std::time::Duration::from_secs(20_700));
    let hour = &utc["Sat, 28 Nov 2026 ".len()..][..2];
    let is_stamp = |line: &str| {
        let digits = line.chars().take(16).map(|c| if c.is_ascii_digit() { '9' } else { c }).collect::<String>();
        digits == "99:99:99.999999 "
    };
    assert!(out(&output).lines().chain(told.lines()).all(is_stamp), "{told}");
    let seen = out(&output);
    assert!(seen.starts_with(hour) || utc[20..].starts_with("00:"), "{hour} {seen}");
    let quiet = run(&["--quiet", "--timestamps=clock", "--demo", "-c", "QUIT"], "");
    assert_eq!(err(&quiet), "");
}

#[test]
fn every_line_above_a_prompt_has_the_time() {
    let server = Server::start().unwrap();
    let port = server.port().to_string();
    let mut pty = Pty::start_with(MCONNECT, &["--timestamps", "-p", &port, "127.0.0.1"], &[("TERM", "xterm")]);
    pty.expect("smtp> ");
    pty.send("NOOP\r");
    pty.expect("2.0.0 nothing done");
    pty.send("RCPT TO:<a@example.org>\r");
    pty.expect("  MAIL has to be granted before RCPT");
    pty.send("QUIT\r");
    assert_eq!(pty.wait(), 0);
    let screen = pty.screen();
    let explained = screen.lines().find(|line| line.contains("  MAIL has to be granted")).unwrap();
    stamped(&explained[..explained.find('\x1b').unwrap()]);
    let line = screen.lines().find(|line| line.contains("2.0.0 nothing done")).unwrap();
    stamped(&line[..line.find('\x1b').unwrap()]);
}

#[test]
fn a_played_dialogue_has_the_time_too() {
    let server = Server::start().unwrap();
    let output = talk(server.port(), &["--timestamps", "--play", "-"], "S: 220\nC: QUIT\nS: 221\n");
    assert_status(&output, 0);
    let out = out(&output);
    assert_eq!(stamped(out.lines().nth(1).unwrap()).1, "C: QUIT");
}

#[test]
fn where_the_time_went_is_told_at_the_end_as_plain_text() {
    let server = slow("VRFY me");
    let output = talk(server.port(), &["--quiet", "--timing"], "VRFY me\nQUIT\n");
    assert_status(&output, 0);
    assert_eq!(out(&output), "220-hi\r\n220 there\r\n250 ok\r\n221 bye\r\n");
    let chart = err(&output);
    let rows: Vec<Vec<&str>> = chart.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    let names: Vec<&str> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(names, ["connect", "greeting", "VRFY", "QUIT", "sum", "elapsed"]);
    assert_eq!((rows[1][1], rows[2][1]), ("220", "250"));
    let took = |row: &Vec<&str>| row.iter().find_map(|word| word.contains('.').then(|| word.parse::<f64>().unwrap()));
    let times: Vec<f64> = rows.iter().filter_map(took).collect();
    // The server pauses from when it has accepted.
    assert!(times[0] + times[1] >= 50.0, "{chart}");
    let bars: Vec<usize> = chart.lines().skip(1).map(|line| line.matches('#').count()).collect();
    let longest = (0..4).max_by(|a, b| times[*a].total_cmp(&times[*b])).unwrap();
    assert_eq!(bars.iter().max(), Some(&bars[longest]), "{chart}");
    assert!(chart.lines().all(|line| line.len() <= 72 && !line.contains('\x1b')), "{chart}");
}

#[test]
fn at_a_terminal_the_bars_are_as_wide_as_it_and_coloured() {
    for (when, has_color) in [("auto", true), ("never", false)] {
        let (resized, is_resized) = channel();
        let peer = Peer::start(move |mut stream| {
            is_resized.recv().unwrap();
            stream.write_all(b"220 hi\r\n").unwrap();
            let seen = read_once(&mut stream);
            stream.write_all(b"221 bye\r\n").unwrap();
            vec![seen]
        });
        let port = peer.port.to_string();
        let args = ["--quiet", "--timing", "--color", when, "-c", "QUIT", "-p", &port, "127.0.0.1"];
        let mut pty = Pty::start_with(MCONNECT, &args, &[("TERM", "xterm")]);
        pty.resize(24, 120);
        resized.send(()).unwrap();
        assert_eq!(pty.wait(), 0);
        pty.expect("elapsed");
        let screen = pty.screen();
        let longest = screen.lines().map(|line| line.matches('#').count()).max().unwrap();
        assert_eq!(longest, 120 - 30, "{screen}");
        assert_eq!(screen.contains("\x1b[32m#"), has_color, "{screen}");
    }
}

#[test]
fn resolving_a_refused_attempt_and_messages_have_their_time() {
    let free = free_port().to_string();
    let output = run(&["--quiet", "--timing", "-4", "-c", "QUIT", "-p", &free, "localhost"], "");
    assert_status(&output, 69);
    let chart = err(&output);
    let names: Vec<&str> = chart.lines().skip(2).map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(names, ["resolve", "connect", "sum", "elapsed"], "{chart}");
    let server = Server::start().unwrap();
    let script = "EHLO a\nMAIL FROM:<>\nRCPT TO:<a@example.org>\nDATA\nhi\n.\nQUIT\n";
    let chart = err(&talk(server.port(), &["--quiet", "--timing"], script));
    for stage in ["EHLO     ", "DATA         354", "message ", "end of data  250"] {
        assert!(chart.contains(stage), "{chart}");
    }
}

#[cfg(feature = "tls")]
#[test]
fn the_handshake_has_its_time() {
    for how in ["--starttls", "--tls"] {
        let output = run(&["--demo", "--quiet", "--timing", how, "-c", "QUIT"], "");
        assert_status(&output, 0);
        let chart = err(&output);
        let names: Vec<&str> = chart.lines().skip(1).filter_map(|line| line.get(..13)).map(str::trim).collect();
        let expected = match how {
            "--tls" => ["connect", "TLS handshake", "greeting", "QUIT"].as_slice(),
            _ => &["connect", "greeting", "EHLO", "STARTTLS", "TLS handshake", "QUIT"],
        };
        assert!(names.starts_with(expected), "{chart}");
    }
}
