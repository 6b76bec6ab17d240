use std::net::TcpListener;
use std::process::Output;

use mconnect_core::server::{Identity, Server, Setup};
use serde_json::Value;

use super::common::{MCONNECT, Pty, assert_status, err, out, run, tool};
use super::zone;

/// Two exchangers, of which the second need not be there.
const ZONE: &str = "example.test MX 10 mx1.example.test\nexample.test MX 20 mx2.example.test\n\
                    mx1.example.test A 127.0.0.2\nmx2.example.test A 127.0.0.3\nplain.test MX 10 mx1.example.test";

/// A mail server at another address of this machine.
pub fn serve(address: &str, port: u16, name: &str) -> Server {
    let listener = TcpListener::bind((address, port)).unwrap();
    Setup::new().listener(listener).name(name).tls(&Identity::self_signed([name])).start().unwrap()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.2:0").unwrap().local_addr().unwrap().port()
}

fn probe(port: u16, args: &[&str]) -> Output {
    let (resolver, port) = (zone::serve(ZONE).to_string(), port.to_string());
    run(&[&["--probe", "--allow-private", "--resolver", &resolver, "-p", &port], args].concat(), "")
}

#[test]
fn a_report_is_a_tree_then_what_is_found_the_gravest_first_then_what_is_fine() {
    let first = serve("127.0.0.2", 0, "mx1.example.test");
    let output = probe(first.port(), &["Example.Test"]);
    assert_status(&output, 0);
    let told = out(&output);
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], "Example.Test: mail goes to 2 exchangers");
    assert_eq!(lines[1], "  10 mx1.example.test");
    assert!(lines[2].starts_with("     \u{2713} 127.0.0.2       TLS 1.3, certificate not verified, greets"), "{told}");
    assert_eq!(lines[3..5], ["  20 mx2.example.test", "     ! 127.0.0.3       Connection refused"]);
    let found: Vec<&str> =
        lines.iter().filter_map(|line| line.strip_prefix("  ")).filter(|line| line.starts_with(|c| c != ' ')).collect();
    let expected = ["warning  unreachable", "note     certificate_untrusted", "note     unprotected"];
    assert_eq!(found[2..5], expected, "{told}");
    assert!(lines.last().unwrap().starts_with("  asked 127.0.0.1:"), "{told}");
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{told}");
    assert!(!told.contains('\x1b') && err(&output).is_empty(), "{told}{}", err(&output));
    let told = out(&probe(first.port(), &["plain.test"]));
    assert!(told.contains("\n  fine\n           STARTTLS\n\n  asked "), "{told}");
}

#[test]
fn with_fail_the_status_is_that_of_the_gravest() {
    let first = serve("127.0.0.2", 0, "mx1.example.test");
    let port = first.port();
    for (args, status) in [
        (&["--fail", "plain.test"][..], 0),
        (&["--fail", "example.test"], 1),
        (&["--fail", "nowhere.test"], 2),
        (&["--fail", "nowhere.test", "plain.test"], 2),
        (&["nowhere.test", "example.test"], 0),
    ] {
        let output = probe(port, args);
        assert_status(&output, status);
        assert_eq!(err(&output), "");
    }
    assert_status(&probe(free_port(), &["--fail", "plain.test"]), 2);
}

#[test]
fn json_is_an_object_a_line_for_each_target_in_order() {
    let first = serve("127.0.0.2", 0, "mx1.example.test");
    let targets = ["example.test", "[mx1.example.test]", "127.0.0.2", "nowhere.test"];
    let output = probe(first.port(), &[&["--json"], &targets[..]].concat());
    assert_status(&output, 0);
    let told = out(&output);
    let reports: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let routes: Vec<(&str, &str)> = reports
        .iter()
        .map(|report| (report["target"].as_str().unwrap(), report["routing"].as_str().unwrap()))
        .collect();
    let expected = [
        ("example.test", "exchangers"),
        ("[mx1.example.test]", "direct"),
        ("[127.0.0.2]", "direct"),
        ("nowhere.test", "nowhere"),
    ];
    assert_eq!(routes, expected);
    assert_eq!(first.sessions().len(), 3);
}

#[test]
fn nobody_is_said_to_have_been_asked_about_an_address() {
    let first = serve("127.0.0.2", 0, "mx1.example.test");
    for (target, is_asked) in [("127.0.0.2", false), ("[mx1.example.test]", true)] {
        let told = out(&probe(first.port(), &[target]));
        assert_eq!(told.contains("asked 127.0.0.1:"), is_asked, "{told}");
    }
}

#[test]
fn a_recipient_is_asked_for_only_if_that_is_wanted_and_no_message_is_sent() {
    let first = serve("127.0.0.2", 0, "mx1.example.test");
    let asks = |server: &Server| {
        let commands = server.sessions().last().unwrap().commands().join(" ");
        commands[commands.find("STARTTLS").unwrap()..].to_owned()
    };
    assert_status(&probe(first.port(), &["--helo", "me.example", "plain.test"]), 0);
    assert_eq!(asks(&first), "STARTTLS EHLO me.example QUIT");
    let args =
        ["--helo", "me.example", "--until", "rcpt", "--to", "a@plain.test", "--to", "b@plain.test", "plain.test"];
    assert_status(&probe(first.port(), &args), 0);
    let told = asks(&first);
    assert!(told.starts_with("STARTTLS EHLO me.example MAIL FROM:<> "), "{told}");
    assert!(told.ends_with("RCPT TO:<a@plain.test> RCPT TO:<b@plain.test> RSET QUIT"), "{told}");
    assert!(first.messages().is_empty());
}

#[test]
fn colours_are_there_where_they_are_asked_for() {
    let first = serve("127.0.0.2", 0, "mx1.example.test");
    let told = out(&probe(first.port(), &["--color", "always", "plain.test"]));
    assert!(told.contains("\x1b[36mnote   \x1b[0m") && told.contains("\x1b[32m\u{2713}\x1b[0m"), "{told:?}");
    let told = out(&probe(first.port(), &["--color", "never", "plain.test"]));
    assert!(!told.contains('\x1b'), "{told:?}");
}

#[test]
fn a_terminal_has_colours_unless_the_environment_wants_none() {
    let first = serve("127.0.0.2", 0, "mx1.example.test");
    let (resolver, port) = (zone::serve(ZONE).to_string(), first.port().to_string());
    let args = ["--probe", "--allow-private", "--resolver", &resolver, "-p", &port, "plain.test"];
    let seen = |environment: &[(&str, &str)]| {
        let pty = Pty::start_with(MCONNECT, &args, environment);
        String::from_utf8(pty.finish()).unwrap()
    };
    assert!(seen(&[("TERM", "xterm"), ("NO_COLOR", "")]).contains("\x1b[32m\u{2713}\x1b[0m"));
    let plain = seen(&[("TERM", "xterm"), ("NO_COLOR", "1")]);
    assert!(plain.contains("\u{2713} 127.0.0.2") && !plain.contains("\x1b[32m"), "{plain:?}");
}

#[test]
fn what_a_server_says_steers_no_terminal() {
    let listener = TcpListener::bind("127.0.0.2:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let dialogue = "S: 554 go\\x1b[2Jaway\nC: QUIT\nS: 221 bye".parse().unwrap();
    let server = Setup::new().listener(listener).play(&dialogue, &Default::default()).unwrap();
    let told = out(&probe(port, &["--color", "always", "plain.test"]));
    assert!(told.contains("2Jaway") && !told.contains("\x1b[2J"), "{told:?}");
    server.join().unwrap();
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let zone = zone::serve(ZONE).to_string();
    let mut child = tool(&["--probe", "--resolver", &zone, "nowhere.test", "nowhere.test"]).spawn().unwrap();
    drop(child.stdout.take());
    let status = child.wait_with_output().unwrap();
    assert_eq!(err(&status), "");
}
