//! Scripts whose both sides a terminal shows.

use crate::common::{MCONNECT, Pty, assert_status, out, talk};
use mconnect_core::server::Server;
#[cfg(feature = "tls")]
use mconnect_core::server::Setup;

/// Runs the tool on a terminal, and returns what it showed and its status.
fn on_a_terminal(port: u16, args: &[&str]) -> (String, i32) {
    let port = port.to_string();
    let args = [args, &["-p", &port, "127.0.0.1"]].concat();
    let mut pty = Pty::start_with(MCONNECT, &args, &[("TERM", "xterm"), ("NO_COLOR", "")]);
    let status = pty.wait();
    (String::from_utf8(pty.finish()).unwrap(), status)
}

#[test]
fn at_a_terminal_a_script_is_shown_from_both_sides_in_colour_and_explained() {
    let server = Server::start().unwrap();
    let script = ["-c", "RCPT TO:<a@example.org>", "-c", "NOOP", "-c", "QUIT"];
    let (screen, status) = on_a_terminal(server.port(), &script);
    assert_eq!(status, 0, "{screen}");
    let asked = screen.find("C: RCPT TO:<a@example.org>\r\nS: \x1b[31m503 ").unwrap_or_else(|| panic!("{screen}"));
    let why = screen.find("mconnect: MAIL has to be granted before RCPT").unwrap_or_else(|| panic!("{screen}"));
    let next = screen.find("C: NOOP\r\nS: \x1b[32m250 2.0.0 nothing done\x1b[0m\r\n").unwrap();
    assert!(asked < why && why < next, "{screen}");
    assert_eq!(screen.matches("has to be granted").count(), 1, "{screen}");
    assert!(screen.contains("S: \x1b[32m220 loopback") && !screen.contains("\n220 "), "{screen}");
    let (screen, _) = on_a_terminal(server.port(), &[&["--color", "never"], &script[..]].concat());
    assert!(screen.contains("S: 503 ") && !screen.contains('\x1b'), "{screen}");
}

#[test]
fn a_pipe_and_quiet_have_what_the_server_says_alone() {
    let server = Server::start().unwrap();
    let output = talk(server.port(), &["-c", "NOOP", "-c", "QUIT"], "");
    assert_status(&output, 0);
    assert!(out(&output).ends_with("\r\n250 2.0.0 nothing done\r\n221 2.0.0 goodbye\r\n"), "{}", out(&output));
    let (screen, _) = on_a_terminal(server.port(), &["--quiet", "-c", "NOOP", "-c", "QUIT"]);
    assert!(screen.starts_with("220 ") && !screen.contains("C: "), "{screen}");
}

#[test]
fn a_trace_at_a_terminal_shows_each_line_once() {
    let server = Server::start().unwrap();
    let (screen, status) = on_a_terminal(server.port(), &["--trace", "-c", "NOOP", "-c", "QUIT"]);
    assert_eq!(status, 0, "{screen}");
    for line in ["NOOP", "nothing done", "goodbye"] {
        assert_eq!(screen.matches(line).count(), 1, "{line}: {screen}");
    }
}

#[test]
fn a_body_is_shown_as_far_as_one_reads_it() {
    let server = Server::start().unwrap();
    let (body, dot) = ("a line of text\r\n".repeat(100), ".\r\n");
    let mut args = vec!["-c", "EHLO x", "-c", "MAIL FROM:<>", "-c", "RCPT TO:<a@example.org>", "-c", "DATA"];
    for line in body.lines().chain(dot.lines()).chain(["QUIT"]) {
        args.extend(["-c", line]);
    }
    let (screen, status) = on_a_terminal(server.port(), &args);
    assert_eq!(status, 0, "{screen}");
    assert_eq!(screen.matches("C: a line of text\r\n").count(), 40, "{screen}");
    assert!(screen.contains("C: [963 octets more]\r\nS: "), "{screen}");
}

#[test]
fn half_a_line_at_the_end_is_shown() {
    for (end, options) in [("S: *close*", &[][..]), ("C: *close*", &["--timeout", "0.5"])] {
        let server = Server::play(&format!("S: 220 hi\nC: NOOP\nS> 250 hal\n{end}\n")).unwrap();
        let options = [&["--color", "never", "-c", "NOOP", "-c", "QUIT"], options].concat();
        let (screen, status) = on_a_terminal(server.port(), &options);
        assert!(status > 0, "{screen}");
        assert_eq!(screen.matches("S: 250 hal\r\n").count(), 1, "{end}: {screen}");
    }
}

#[test]
fn what_is_typed_is_not_shown_again() {
    let server = Server::start().unwrap();
    let port = server.port().to_string();
    let mut pty = Pty::start(MCONNECT, &["--no-wait", "-p", &port, "127.0.0.1"]);
    pty.expect("220 ");
    pty.send("NOOP\n");
    pty.expect("nothing done");
    pty.send("QUIT\n");
    assert_eq!(pty.wait(), 0);
    let screen = String::from_utf8(pty.finish()).unwrap();
    assert!(!screen.contains("C: ") && !screen.contains("S: "), "{screen}");
}

#[test]
fn neither_side_steers_the_terminal() {
    let server = Server::play(
        "S: 220 hi\nC> NOOP \\x1b]0;a\\x07\\r\\n\nS> 250-\\x1b[2J\\x9b\\r\\n250 \\x1b]0;b\\x07\\r\\n\nS> 250 hal\\x1bc\nS: *close*\n",
    );
    let server = server.unwrap();
    let (screen, _) = on_a_terminal(server.port(), &["--color", "never", "-c", "NOOP \x1b]0;a\x07", "-c", "QUIT"]);
    assert!(screen.contains("C: NOOP \\x1b]0;a\\x07\r\n") && screen.contains("S: 250-\\x1b[2J\\x9b\r\n"), "{screen}");
    assert!(screen.chars().all(|c| !c.is_control() || matches!(c, '\r' | '\n')), "{screen:?}");
}

#[test]
fn the_demo_walks_a_person_through_a_message_and_no_script() {
    let walk = "  RCPT TO:<you@example.org>      [250; or 550: no such mailbox]\r\n";
    let mut pty = Pty::start_with(MCONNECT, &["--demo"], &[("TERM", "dumb")]);
    pty.expect(walk);
    pty.expect("220 ");
    pty.send("QUIT\n");
    assert_eq!(pty.wait(), 0);
    let mut pty = Pty::start_with(MCONNECT, &["--demo", "-c", "QUIT"], &[("TERM", "dumb")]);
    assert_eq!(pty.wait(), 0);
    assert!(!String::from_utf8(pty.finish()).unwrap().contains(walk));
}

#[cfg(feature = "tls")]
#[test]
fn a_password_in_a_script_is_not_shown() {
    let server = Setup::new().auth([("user", "pencil")]).start().unwrap();
    let password = "AHVzZXIAcGVuY2ls";
    for script in [
        &["-c", "EHLO x", "-c", "AUTH PLAIN AHVzZXIAcGVuY2ls", "-c", "NOOP", "-c", "QUIT"][..],
        &["-c", "EHLO x", "-c", "AUTH PLAIN", "-c", password, "-c", "NOOP", "-c", "QUIT"],
    ] {
        let (screen, status) = on_a_terminal(server.port(), script);
        assert_eq!(status, 0, "{screen}");
        assert!(screen.contains("[hidden]\r\n") && screen.contains("C: NOOP\r\n"), "{screen}");
        assert!(!screen.contains(password) && !screen.contains("C: \r\n"), "{screen}");
    }
}
