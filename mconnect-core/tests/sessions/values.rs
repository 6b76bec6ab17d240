//! What a session hands out is written as `docs/json.md` has it.

use std::collections::BTreeSet;
use std::time::Duration;

use mconnect_core::protocol::{Extensions, Limits, Phase, Reply, ReplyBuilder, ReplyLine, Request};
use mconnect_core::{Connect, Timeouts, Timings, server::Server};
use serde::Serialize;
use serde_json::{Value, json, to_value};

fn reply(raw: &[u8]) -> Reply {
    let mut builder = ReplyBuilder::new(Limits::default());
    let mut lines = raw.split_inclusive(|byte| *byte == b'\n');
    lines.find_map(|line| builder.push(ReplyLine::new(line)).unwrap()).unwrap()
}

/// What the error is written as that ends a session with a server that says this.
#[track_caller]
fn error_of(said: &str, ask: impl FnOnce(&mut mconnect_core::Session) -> Result<(), mconnect_core::Error>) -> Value {
    let server = Server::play(said).unwrap();
    let timeouts = Timeouts::default().replies(Duration::from_millis(100));
    let mut session = Connect::new("127.0.0.1", server.port()).timeouts(timeouts).open().unwrap();
    let told = to_value(ask(&mut session).unwrap_err()).unwrap();
    drop(session);
    let _ = server.join();
    told
}

#[test]
fn a_reply_has_its_lines_apart_from_the_noise() {
    let odd = reply(b"warning\r\n550-5.1.1 no\xff\r\n551 such user\n").in_answer_to(Some(Request::Rcpt), "mx".into());
    let expected = json!({
        "to": "rcpt",
        "code": 551,
        "enhanced_code": "5.1.1",
        "lines": [{ "text": "5.1.1 no\u{fffd}", "base64": "NS4xLjEgbm//" }, { "text": "such user" }],
        "noise": [{ "text": "warning" }],
        "is_cut": false,
        "flaws": ["codes_differ", "line_without_code", "bare_lf"],
    });
    assert_eq!(to_value(&odd).unwrap(), expected);
    let plain = to_value(reply(b"220 \r\n")).unwrap();
    assert_eq!(
        plain,
        json!({ "to": null, "code": 220, "enhanced_code": null, "lines": [{ "text": "" }], "is_cut": false, "flaws": [] })
    );
}

#[test]
fn extensions_have_keywords_and_parameters_as_text() {
    let raw = b"250-mx hello\r\n250-SIZE 1000\r\n250-X-\xff odd  words\r\n250 AUTH PLAIN LOGIN\r\n";
    let expected = json!({
        "greeting": { "text": "mx hello" },
        "extensions": [
            { "keyword": "SIZE", "params": ["1000"] },
            { "keyword": "X-\u{fffd}", "params": ["odd", "words"], "base64": "WC3/IG9kZCAgd29yZHM=" },
            { "keyword": "AUTH", "params": ["PLAIN", "LOGIN"] },
        ],
        "size_limit": 1000,
        "auth_mechanisms": ["PLAIN", "LOGIN"],
    });
    assert_eq!(to_value(Extensions::from_reply(&reply(raw))).unwrap(), expected);
}

#[test]
fn an_error_says_which_it_is_in_words_and_what_it_is_about() {
    let refused = error_of("S: 554 5.7.1 not you\nC: *close*", |session| {
        session.read_reply()?.require(220)?;
        Ok(())
    });
    assert_eq!((&refused["error"], &refused["is_temporary"]), (&json!("unexpected"), &json!(false)));
    assert_eq!(refused["reply"]["code"], 554, "{refused}");
    assert!(refused["reason"].as_str().unwrap().contains("554 5.7.1 not you"), "{refused}");

    let late = error_of("S: *silence 1 s*", |session| session.read_reply().map(drop));
    assert_eq!(
        (&late["error"], &late["is_timeout"], &late["phase"]),
        (&json!("timeout"), &json!(true), &json!("greeting"))
    );
    assert!(late.get("reply").is_none() && late.get("tls").is_none());

    let nobody = Connect::new("127.0.0.1", 1).open().unwrap_err();
    let told = to_value(&nobody).unwrap();
    assert_eq!((&told["error"], &told["phase"]), (&json!("connect"), &Value::Null));
    assert!(told["reason"].as_str().unwrap().ends_with(": Connection refused (os error 111)"), "{told}");
}

#[test]
fn phases_and_timings_are_those_of_the_journal() {
    assert_eq!(to_value([Phase::StartTls, Phase::Chunk { left: 1 }]).unwrap(), json!(["starttls", "chunk"]));
    let server = Server::start().unwrap();
    let timings = Timings::new();
    let mut session = Connect::new("127.0.0.1", server.port()).observer(timings.clone()).open().unwrap();
    session.read_reply().unwrap();
    let told = to_value(&timings).unwrap();
    assert_eq!((&told[1]["stage"], &told[1]["code"], &told[1]["count"]), (&json!("greeting"), &json!(220), &json!(1)));
    assert!(told[1]["start_us"].is_u64() && told[1]["took_us"].is_u64());
}

/// Returns the fields that a table of `docs/json.md` has, and those of them that are always there; none where a published
/// crate comes without the project's documentation.
fn described(section: &str) -> Option<(BTreeSet<String>, BTreeSet<String>)> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/json.md")).ok()?;
    let rows = text.lines().skip_while(|line| *line != section).skip(1).take_while(|line| !line.starts_with('#'));
    let field =
        |row: &str| Some((row.strip_prefix("| `")?.split('`').next()?.to_owned(), row.contains(", optional |")));
    let fields: Vec<(String, bool)> = rows.filter_map(field).collect();
    assert!(!fields.is_empty(), "{section} is not described");
    let always = fields.iter().filter(|(_, is_optional)| !is_optional).map(|(name, _)| name.clone()).collect();
    Some((fields.into_iter().map(|(name, _)| name).collect(), always))
}

#[test]
fn every_field_is_described() {
    let reply = reply(b"noise\r\n250-mx\r\n250 X-\xff\r\n");
    let extensions = to_value(Extensions::from_reply(&reply)).unwrap();
    let error = to_value(mconnect_core::Error::from(reply.clone().require(220).unwrap_err())).unwrap();
    for (section, value) in [
        ("### `reply`", &to_value(&reply).unwrap()),
        ("### `Extensions`", &extensions),
        ("### extension", &extensions["extensions"][0]),
        ("### `Error`", &error),
    ] {
        let Some((mut all, mut always)) = described(section) else { return };
        // Of the event alone.
        all.remove("took_us");
        always.remove("took_us");
        let there: BTreeSet<String> = value.as_object().unwrap().keys().cloned().collect();
        assert!(there.is_subset(&all) && always.is_subset(&there), "{section}: {there:?}, described {all:?}");
    }
}

/// What a prober reports can be a field of its own report.
#[test]
fn they_are_fields_of_ones_own_report() {
    #[derive(Serialize)]
    struct Report<'a> {
        host: &'a str,
        greeting: Result<Reply, mconnect_core::Error>,
    }
    let report = Report { host: "mx.example.org", greeting: Ok(reply(b"220 hi\r\n")) };
    assert_eq!(to_value(report).unwrap()["greeting"]["Ok"]["code"], 220);
}
