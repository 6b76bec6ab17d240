//! What `--json` writes is what `docs/json.md` says.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::Output;

use crate::common::{MCONNECT, Peer, Pty, assert_status, err, free_port, out, read_once, run, talk};
use mconnect_core::server::Server;
use serde_json::Value;

/// The tables of `docs/json.md`: of each event and object, the types of its fields.
struct Schema(BTreeMap<String, BTreeMap<String, String>>);

impl Schema {
    fn read() -> Self {
        let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/json.md")).unwrap();
        let (mut tables, mut name) = (BTreeMap::<String, BTreeMap<String, String>>::new(), String::new());
        for line in text.lines() {
            if let Some(heading) = line.strip_prefix("## ").or_else(|| line.strip_prefix("### ")) {
                name = heading.trim_matches('`').to_owned();
                tables.entry(name.clone()).or_default();
            } else if let Some(row) = line.strip_prefix("| `") {
                let cells: Vec<&str> = row.split('|').map(|cell| cell.trim().trim_end_matches('`')).collect();
                tables.get_mut(&name).unwrap().insert(cells[0].to_owned(), cells[1].to_owned());
            }
        }
        Self(tables)
    }

    /// The events that are described.
    fn events(&self) -> BTreeSet<String> {
        let library = ["Values of the library", "Extensions", "extension", "Error"];
        let others =
            ["Every object", "Events", "Objects in them", "text", "answer", "problem", "certificate", "timing"];
        let others = [others.as_slice(), &library].concat();
        self.0.keys().filter(|name| !others.contains(&name.as_str())).cloned().collect()
    }

    #[track_caller]
    fn check(&self, entry: &Value) {
        let event = entry["event"].as_str().unwrap();
        assert!(self.events().contains(event), "{event} is not described");
        let mut fields = self.0["Every object"].clone();
        fields.extend(self.0[event].clone());
        self.check_fields(entry, &fields);
        assert_eq!(entry["version"], 1);
        let time = entry["time"].as_str().unwrap();
        assert!(time.len() == 27 && time.starts_with("20") && time.ends_with('Z') && &time[10..11] == "T", "{time}");
    }

    #[track_caller]
    fn check_fields(&self, object: &Value, fields: &BTreeMap<String, String>) {
        let object = object.as_object().unwrap();
        for (name, value) in object {
            let kind = fields.get(name).unwrap_or_else(|| panic!("{name} is not described: {object:?}"));
            assert!(self.is(value, kind), "{name} is no {kind}: {value}");
        }
        for (name, kind) in fields {
            assert!(object.contains_key(name) || kind.ends_with(", optional"), "{name} is missing: {object:?}");
        }
    }

    #[track_caller]
    fn is(&self, value: &Value, kind: &str) -> bool {
        if let Some(kind) = kind.strip_suffix(" or null") {
            return value.is_null() || self.is(value, kind);
        }
        if let Some(kind) = kind.strip_suffix(", optional") {
            return self.is(value, kind);
        }
        if let Some(kind) = kind.strip_prefix("list of ") {
            return value.as_array().is_some_and(|list| list.iter().all(|value| self.is(value, kind)));
        }
        match kind {
            "string" => value.is_string(),
            "integer" => value.is_u64(),
            "boolean" => value.is_boolean(),
            object => {
                self.check_fields(value, &self.0[object]);
                true
            }
        }
    }
}

/// Reads what was written, and checks it against the description, and that its times go on.
#[track_caller]
fn entries(output: &Output) -> Vec<Value> {
    assert!(output.stdout.iter().all(|byte| *byte == b'\n' || (b' '..=b'~').contains(byte)), "{}", out(output));
    let schema = Schema::read();
    let entries: Vec<Value> = out(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut since = 0;
    for entry in &entries {
        schema.check(entry);
        // What a process writes comes from a thread of its own, and entries are in the order of each thread.
        if entry["event"] != "process_said" {
            assert!(entry["since_us"].as_u64().unwrap() >= since, "{entry}");
            since = entry["since_us"].as_u64().unwrap();
        }
    }
    let summary = entries.last().unwrap();
    assert_eq!(summary["event"], "summary");
    assert_eq!(summary["status"].as_i64(), output.status.code().map(i64::from));
    entries
}

fn events(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["event"].as_str().unwrap()).collect()
}

/// Gives the entries of an event.
fn all<'a>(entries: &'a [Value], event: &str) -> Vec<&'a Value> {
    entries.iter().filter(|entry| entry["event"] == event).collect()
}

const MESSAGE: &str = "EHLO a\nMAIL FROM:<>\nRCPT TO:<refused@example.org>\nRCPT TO:<a@example.org>\nDATA\nhé\n.\nBDAT 2\nok\
    VRFY \u{202e}\nQUIT\n";

#[test]
fn a_piped_session_is_told_event_by_event() {
    let server = Server::start().unwrap();
    let output = talk(server.port(), &["--json"], MESSAGE);
    let entries = entries(&output);
    assert_eq!(events(&entries)[..5], ["attempt", "connected", "reply", "phase", "sent"]);
    let told: Vec<(&str, u64)> = all(&entries, "reply")
        .iter()
        .map(|reply| (reply["to"].as_str().unwrap(), reply["code"].as_u64().unwrap()))
        .collect();
    let expected = [
        ("greeting", 220),
        ("ehlo", 250),
        ("mail", 250),
        ("rcpt", 550),
        ("rcpt", 250),
        ("data", 354),
        ("end_of_data", 250),
        ("bdat", 503),
        ("other", 252),
        ("quit", 221),
    ];
    assert_eq!(told, expected);
    assert_eq!(all(&entries, "reply")[3]["enhanced_code"], "5.1.1");
    assert_eq!(all(&entries, "reply")[1]["lines"][1]["text"], "PIPELINING");
    let sent: Vec<&str> = all(&entries, "sent").iter().map(|sent| sent["text"].as_str().unwrap()).collect();
    assert_eq!(sent[4..], ["DATA\r\n", "hé\r\n.\r\n", "BDAT 2\r\n", "ok", "VRFY \u{202e}\r\n", "QUIT\r\n"]);
    assert_eq!(all(&entries, "sent")[5]["phase"], "body");
    assert_eq!(all(&entries, "phase").iter().find(|phase| phase["phase"] == "chunk").unwrap()["left"], 2);
    assert_eq!(all(&entries, "closed")[0]["by"], "server");
    let summary = entries.last().unwrap();
    let stages: Vec<&str> =
        summary["timings"].as_array().unwrap().iter().map(|timing| timing["stage"].as_str().unwrap()).collect();
    assert_eq!(stages[..3], ["connect", "greeting", "EHLO"]);
    assert!(stages.contains(&"message") && stages.contains(&"end of data") && stages.contains(&"VRFY"), "{stages:?}");
    let octets: usize = MESSAGE.len() + MESSAGE.matches('\n').count();
    assert_eq!(summary["octets_sent"].as_u64().unwrap(), octets as u64);
}

#[test]
fn what_is_said_is_on_standard_error_still_and_status_and_error_in_the_summary() {
    let peer = Peer::answers("220 hi\r\n", &["550 no\r\n", "221 bye\r\n"]);
    let output = talk(peer.port, &["--json", "--fail", "-c", "MAIL FROM:<>"], "");
    assert_status(&output, 69);
    let entries = entries(&output);
    assert_eq!(entries.last().unwrap()["error"], "MAIL was refused, which ends the session: 550 no");
    assert!(err(&output).contains("mconnect: MAIL was refused"), "{}", err(&output));
    assert_eq!(all(&entries, "sent")[1]["text"], "QUIT\r\n");
}

#[test]
fn a_name_is_resolved_and_every_attempt_told() {
    let free = free_port().to_string();
    let output = run(&["--json", "-4", "-c", "QUIT", "-p", &free, "localhost"], "");
    assert_status(&output, 69);
    let told = entries(&output);
    assert_eq!(events(&told), ["resolving", "resolved", "attempt", "attempt_failed", "finding", "summary"]);
    assert!(told[1]["addresses"].as_array().unwrap().contains(&"127.0.0.1".into()));
    assert_eq!(told[3]["error"], "Connection refused (os error 111)");
    let output = run(&["--json", "-c", "QUIT", "nonexistent.invalid"], "");
    let told = entries(&output);
    assert_eq!(events(&told), ["resolving", "resolved", "finding", "summary"]);
    assert!(told[1]["error"].is_string());
    assert_eq!(told.last().unwrap()["timings"][0]["stage"], "resolve");
}

#[test]
fn odd_replies_are_told_byte_for_byte_with_their_flaws() {
    let peer = Peer::start(|mut stream| {
        stream.write_all(b"220 hi \xff\x1b[2J\n").unwrap();
        read_once(&mut stream);
        stream.write_all(b"250-a\r\n251 b\r\n421 unasked\r\n250-never e").unwrap();
        Vec::new()
    });
    let output = talk(peer.port, &["--json", "-c", "NOOP", "-c", "NOOP"], "");
    let entries = entries(&output);
    let replies = all(&entries, "reply");
    assert_eq!(replies[0]["lines"][0]["base64"], "aGkg/xtbMko=");
    assert_eq!(replies[0]["lines"][0]["text"], "hi \u{fffd}\u{1b}[2J");
    assert_eq!(replies[0]["flaws"], serde_json::json!(["bare_lf"]));
    assert_eq!((&replies[1]["code"], &replies[1]["flaws"][0]), (&251.into(), &"codes_differ".into()));
    assert_eq!((&replies[2]["to"], &replies[2]["took_us"]), (&Value::Null, &Value::Null));
    assert_eq!(all(&entries, "closed")[0]["unfinished"], serde_json::json!([{ "text": "never e" }]));
    assert!(events(&entries).ends_with(&["closed", "summary"]));
}

#[test]
fn passwords_are_left_out() {
    let answers = ["535 no\r\n", "334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n", "235 ok\r\n", "221 bye\r\n"];
    let peer = Peer::answers("220 hi\r\n", &answers);
    let script = "AUTH PLAIN AGEAaHVzaA==\nAUTH LOGIN\naHVzaA==\naHVzaA==\nQUIT\n";
    let output = talk(peer.port, &["--json"], script);
    assert!(!out(&output).contains("aHVz") && !out(&output).contains("AGEA"), "{}", out(&output));
    let entries = entries(&output);
    let sent = all(&entries, "sent");
    assert_eq!((&sent[0]["text"], &sent[2]["text"]), (&"AUTH PLAIN [hidden]".into(), &"[hidden]".into()));
    assert_eq!((&sent[0]["hidden_octets"], &sent[0]["octets"]), (&14.into(), &25.into()));
}

#[test]
fn a_played_dialogue_has_its_expectations() {
    let server = Server::start().unwrap();
    let dialogue = "S: 220\nC: NOOP\nS: 550\nC: QUIT\nS: 221\n*next session*\nS: 220\nC: QUIT\nS: 221\n";
    let output = talk(server.port(), &["--json", "--keep-going", "--play", "-"], dialogue);
    assert_status(&output, 1);
    let entries = entries(&output);
    let outcomes: Vec<(u64, u64, &str)> = all(&entries, "expectation")
        .iter()
        .map(|entry| {
            let number = |name: &str| entry[name].as_u64().unwrap();
            (number("session"), number("line"), entry["outcome"].as_str().unwrap())
        })
        .collect();
    assert_eq!(outcomes, [(1, 1, "met"), (1, 3, "other"), (1, 5, "met"), (2, 7, "met"), (2, 9, "met")]);
    let other = &all(&entries, "expectation")[1];
    assert_eq!((&other["expected"], &other["got"]), (&"S: 550".into(), &"`250 2.0.0 nothing done`".into()));
    assert_eq!(all(&entries, "closed").len(), 2);
    assert_eq!(entries.last().unwrap()["sessions"], 2);
    assert!(entries.last().unwrap()["error"].as_str().unwrap().contains("expected `S: 550`"));
}

#[test]
fn at_a_terminal_lines_are_typed_without_a_prompt_and_nothing_steers_it() {
    let peer = Peer::answers("220 \x1b[31m\u{9b}2J\r\n", &["221 bye\r\n"]);
    let port = peer.port.to_string();
    let mut pty = Pty::start_with(MCONNECT, &["--quiet", "--json", "-p", &port, "127.0.0.1"], &[("TERM", "xterm")]);
    pty.expect(r#""lines":[{"text":"\u001b[31m\u009b2J"}]"#);
    pty.send("QUIT\n");
    pty.expect(r#""event":"summary","status":0"#);
    assert_eq!(pty.wait(), 0);
    let screen = pty.screen();
    assert!(!screen.contains('\x1b') && !screen.contains("smtp>"), "{screen}");
}

#[cfg(feature = "tls")]
#[test]
fn tls_is_told_whole_and_every_event_that_is_described_comes() {
    let args = ["--demo", "--json", "--starttls", "--tls-name", "other.example", "-k"];
    let tls = run(&[&args[..], &["-c", "NOOP", "-c", "BDAT 2 LAST", "-c", "", "-c", "QUIT"]].concat(), "");
    let told = entries(&tls);
    let info = all(&told, "tls")[0];
    assert_eq!((&info["protocol"], &info["name"]), (&"TLS 1.3".into(), &"other.example".into()));
    assert_eq!((&info["is_verified"], &info["problems"][0]["problem"]), (&false.into(), &"wrong_name".into()));
    let certificate = &info["certificates"][0];
    assert_eq!(certificate["names"], serde_json::json!(["127.0.0.1", "localhost"]));
    assert!(certificate["pem"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----\n"));
    let stages = &told.last().unwrap()["timings"];
    assert!(stages.as_array().unwrap().iter().any(|timing| timing["stage"] == "TLS handshake"), "{stages}");

    let free = free_port().to_string();
    let nobody = run(&["--json", "-4", "-c", "QUIT", "-p", &free, "localhost"], "");
    let server = Server::start().unwrap();
    let played = talk(server.port(), &["--json", "--play", "-"], "S: 220\n");
    let ended = talk(server.port(), &["--json", "-c", "NOOP"], "");
    let dialogue = "S: 220 hi\nC: *starttls*\nC: *end tls*\nC: QUIT\nS: 221 bye\n";
    let server = Server::play(dialogue).unwrap();
    let clear = talk(server.port(), &["--json", "-k", "--play", "-"], dialogue);
    assert_status(&clear, 0);
    let sent = run(&["--demo", "--json", "--to", "a@x", "--to", "later@x"], "");
    assert_status(&sent, 75);
    let recipients = entries(&sent);
    let outcomes: Vec<&Value> = all(&recipients, "recipient").iter().map(|entry| &entry["outcome"]).collect();
    assert_eq!(outcomes, ["delivered", "temporary"]);
    let process = run(&["--json", "--pipe", "echo oops >&2; echo 220 hi; read line; echo 221 bye"], "QUIT\n");
    assert_status(&process, 0);
    let url = format!("socks5://127.0.0.1:{}", Peer::answers("220 no proxy\r\n", &[]).port);
    let proxy = run(&["--json", "--via", &url, "192.0.2.1"], "QUIT\n");
    let mut seen = BTreeSet::new();
    for output in [&tls, &nobody, &played, &ended, &clear, &sent, &process, &proxy] {
        seen.extend(entries(output).iter().map(|entry| entry["event"].as_str().unwrap().to_owned()));
    }
    assert_eq!(seen, Schema::read().events());
}
