//! The PROXY header, from both sides.

use std::process::{Command, Stdio};

use mconnect_core::server::{Server, Setup};

use super::common::{MCONNECT, PATIENCE, Scrap, assert_status, err, out, talk, until};

fn told(server: &Server) -> (Option<String>, Option<String>) {
    let header = server.sessions()[0].proxied.unwrap();
    (header.from.map(|from| from.to_string()), header.to.map(|to| to.to_string()))
}

#[test]
fn scripts_raw_mode_dialogues_and_messages_say_first_whom_they_are_from() {
    let dialogue = Scrap::new("dialogue", "S: 220\nC: EHLO me\nS: 250\nC: QUIT\nS: 221\n");
    for (options, input) in [
        (&[][..], "EHLO me\nQUIT\n"),
        (&["-r"], "EHLO me\r\nQUIT\r\n"),
        (&["--no-wait"], "EHLO me\nQUIT\n"),
        (&["--play", dialogue.path()], ""),
        (&["--to", "a@example.org", "--haproxy-version", "1"], ""),
    ] {
        let server = Setup::new().haproxy().start().unwrap();
        let options = [options, &["--haproxy", "192.0.2.66:4711,198.51.100.1:25"]].concat();
        assert_status(&talk(server.port(), &options, input), 0);
        let expected = (Some("192.0.2.66:4711".to_owned()), Some("198.51.100.1:25".to_owned()));
        assert_eq!(told(&server), expected, "{options:?}");
    }
}

#[test]
fn without_a_place_where_it_went_the_server_s_own_is_said_and_a_trace_shows_it() {
    for (from, version, expected, traced) in [
        ("192.0.2.66", "1", Some("192.0.2.66:49152"), "=> PROXY TCP4 192.0.2.66 127.0.0.1 49152 "),
        ("[2001:db8::1]:9", "1", Some("[2001:db8::1]:9"), "=> PROXY TCP6 2001:db8::1 ::ffff:127.0.0.1 9 "),
        ("192.0.2.66:1", "2", Some("192.0.2.66:1"), "=> \\r\\n"),
        ("local", "2", None, "=> \\x00\\r\\n"),
        ("local", "1", None, "=> PROXY UNKNOWN\\r\\n"),
    ] {
        let server = Setup::new().haproxy().start().unwrap();
        let output = talk(server.port(), &["--trace", "--haproxy", from, "--haproxy-version", version], "QUIT\n");
        assert_status(&output, 0);
        assert_eq!(told(&server).0.as_deref(), expected);
        assert!(err(&output).contains(traced), "{}", err(&output));
    }
}

#[test]
fn a_record_of_a_session_behind_a_header_plays() {
    let server = Setup::new().haproxy().start().unwrap();
    let record = Scrap::new("record", "");
    let output = talk(server.port(), &["--haproxy", "local", "--record", record.path()], "QUIT\n");
    assert_status(&output, 0);
    let text = std::fs::read_to_string(record.path()).unwrap();
    assert!(!text.contains("PROXY") && text.contains("C: QUIT"), "{text}");
}

#[test]
fn a_dialogue_is_served_to_clients_with_a_header_alone() {
    let (dialogue, port_file) = (Scrap::new("served", "S: 220 hi\nC: QUIT\nS: 221 bye\n"), Scrap::new("port", ""));
    let serve = || {
        std::fs::write(port_file.path(), "").unwrap();
        let args = ["--serve", dialogue.path(), "--once", "--scale", "0.2", "--expect-haproxy"];
        let mut command = Command::new(MCONNECT);
        command.args(args).args(["--port-file", port_file.path()]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let port = || std::fs::read_to_string(port_file.path()).unwrap().trim().parse::<u16>().ok();
        until(PATIENCE, || port().is_some(), || "no port is written".to_owned());
        (child, port().unwrap())
    };
    let (child, port) = serve();
    let output = talk(port, &["--haproxy", "192.0.2.66:4711"], "QUIT\n");
    assert_eq!(out(&output), "220 hi\r\n221 bye\r\n");
    assert_status(&child.wait_with_output().unwrap(), 0);
    let (child, port) = serve();
    talk(port, &["--no-wait"], "QUIT\n");
    let output = child.wait_with_output().unwrap();
    assert_status(&output, 1);
    assert!(err(&output).contains("expected `a PROXY header`"), "{}", err(&output));
}
