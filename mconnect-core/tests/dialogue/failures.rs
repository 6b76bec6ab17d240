//! What is not met, and how it is told.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use mconnect_core::Connect;
use mconnect_core::dialogue::{Dialogue, Played, Player, Report, Verdict};
use mconnect_core::server::{Server, ServerError};

use crate::open;

/// Serves one dialogue and plays another, that is not met, against it.
fn clash(served: &str, played: &str) -> Played {
    let server = Server::play(served).unwrap();
    let mut played = open(&server).play(&Dialogue::parse(played).unwrap());
    played.session = None;
    drop(server.join());
    played
}

/// The first failure: what happened, and its first line.
#[track_caller]
fn fails(served: &str, played: &str) -> (Verdict, String) {
    let played = clash(served, played);
    let outcome = played.failure().unwrap_or_else(|| panic!("everything was met: {played:?}"));
    let told = outcome.to_string();
    let first = told.lines().next().unwrap();
    (outcome.verdict, first.rsplit_once(", after ").unwrap().0.to_owned())
}

#[test]
fn what_is_not_met_says_what_was_expected_and_what_came() {
    use Verdict::{Closed, Impossible, Other, TooLate};
    let table = [
        ("S: 220 hi", "S: 554", Other, "line 1: expected `S: 554`, got `220 hi`"),
        (
            "S: 250-a\nS: 250 b",
            "S: 250-b\nS: 250 a",
            Other,
            "line 2: expected `S: 250-b / S: 250 a`, got `250-a / 250 b`",
        ),
        ("S: 250 a", "S: 5yz\nS| 4yz", Other, "line 2: expected `S: 5yz / S| 4yz`, got `250 a`"),
        ("S= 250 b", "S= 250 a", Other, "line 1: expected `S= 250 a`, got `250 b`"),
        ("S: 250 b", "S: *close*", Other, "line 1: expected `S: *close*`, got `250 b\\r\\n`"),
        ("S: 250 b", "S: *silence 9 s*", Other, "line 1: expected `S: *silence 9 s*`, got `250 b\\r\\n`"),
        ("S: 250 b", "S> 250 a", Other, "line 1: expected `S> 250 a`, got `250 b\\r\\n`"),
        ("S> 250-b", "S: 250", Closed, "line 1: expected `S: 250`, got `250-b` and the end of the stream"),
        ("S: *close*", "S: 220", Closed, "line 1: expected `S: 220`, got the end of the stream"),
        ("S: *close*", "S: *reset*", Other, "line 1: expected `S: *reset*`, got an orderly end"),
        ("C: *silence 9 s*", "*within 5 ms*\nS: 220", TooLate, "line 2: expected `S: 220`, got nothing in 5ms"),
        ("C: *silence 9 s*", "*all within 0 ms*\nS: 220", TooLate, "line 2: expected `S: 220`, got nothing in 0ns"),
        ("C: *close*", "*within 5 ms*\nS: *close*", TooLate, "line 2: expected `S: *close*`, got nothing in 5ms"),
        (
            "C: A",
            "C: ${no_such_name}",
            Impossible,
            "line 1: expected `C: ${no_such_name}`, got ${no_such_name} has no value",
        ),
        (
            "S: 334 x\nC: A",
            "S: 334\nC: c2VjcmV0${no_such_name}",
            Impossible,
            "line 2: expected `C: [hidden]`, got ${no_such_name} has no value",
        ),
        (
            "C: A",
            "C: AUTH LOGIN\nC: c2VjcmV0${no_such_name}",
            Impossible,
            "line 2: expected `C: [hidden]`, got ${no_such_name} has no value",
        ),
        (
            "S: 250 x",
            "S~ 250 *${no_such_name}",
            Impossible,
            "line 1: expected `S~ 250 *${no_such_name}`, got ${no_such_name} has no value",
        ),
        (
            "C: A",
            "*include a.txt*",
            Impossible,
            "line 1: expected `*include a.txt*`, got a file that was not read: Dialogue::load reads it",
        ),
        ("S: 250-a\nS: 250 b", "S: 250-a\nS> 250 c", Other, "line 2: expected `S> 250 c`, got `250 b\\r\\n`"),
        ("S: 250-a\nS: 250 b", "S: 250-b\nS> 250 b", Other, "line 1: expected `S: 250-b`, got `250 b`"),
        ("S: 250 x\nS: 250 y", "S? 550\nS: *close*", Other, "line 2: expected `S: *close*`, got `250 x`"),
        ("S> 25", "S> 250", Closed, "line 1: expected `S> 250`, got `25` and the end of the stream"),
        (
            "S: 220 x\nS> 25\nC: *silence 9 s*",
            "S: 220\n*within 5 ms*\nS> 250",
            TooLate,
            "line 3: expected `S> 250`, got only `25` in 5ms",
        ),
        (
            "S: 220 x\nS> 25\nC: *silence 9 s*",
            "S: 220\n*within 5 ms*\nS: 250",
            TooLate,
            "line 3: expected `S: 250`, got only `25` in 5ms",
        ),
        (
            "S: 220 x\nS> 250 a\nC: *silence 9 s*",
            "S: 220\n*within 5 ms*\nS: *no reply*",
            Other,
            "line 3: expected `S: *no reply*`, got `250 a`",
        ),
        ("S> 250 ab\\r\\n", "S> 250 a\nS: *silence 9 s*", Other, "line 2: expected `S: *silence 9 s*`, got `b\\r\\n`"),
        (
            "S> 250 ab\nC: *silence 9 s*",
            "S> 250 a\nS: *silence 5 ms*",
            Other,
            "line 2: expected `S: *silence 5 ms*`, got `b`",
        ),
        (
            "S> 250 a",
            "S> 250 a\nS: *silence 9 s*",
            Closed,
            "line 2: expected `S: *silence 9 s*`, got the end of the stream",
        ),
        (
            "C: A",
            "C: *close*\nS: 250",
            Impossible,
            "line 2: expected `S: 250`, got no session: the dialogue has closed it",
        ),
    ];
    for (served, played, verdict, told) in table {
        assert_eq!(fails(served, played), (verdict, told.to_owned()), "{served} {played}");
    }
    let (_, told) = fails("C: A", "C: *body no such file*");
    assert!(told.contains("cannot read no such file: "), "{told}");
}

#[test]
fn a_secret_is_hidden_from_the_line_on_that_says_so() {
    let server = Server::play("S: 220 hush\nC: hush\nS: 550 hush").unwrap();
    let mut player = Player::new();
    player.set("word", "hush");
    let dialogue = "S: 220\n*secret word*\nC: ${word}\nS: 250".parse().unwrap();
    let told = player.play(open(&server), &dialogue).require().unwrap_err().to_string();
    assert!(told.ends_with("\n  S: 220 hush\n  C: [hidden]\n  S: 550 [hidden]"), "{told}");
    server.join().unwrap();
}

#[test]
fn a_secret_is_hidden_in_what_came_of_a_reply_and_where_it_is_no_text() {
    for (password, said, got) in [
        (&b"hush"[..], "S> 550 hush", "`550 [hidden]` and the end of the stream"),
        (b"hush", "S> 550-hush\\r\\n550 hush", "`550-[hidden]\\r\\n550 [hidden]` and the end of the stream"),
        (b"hush", "S> 550 hush\nC: *silence 9 s*", "only `550 [hidden]` in 200ms"),
        (b"h\xfcsh", "S> 550 h\\xfcsh\\r\\n", "`550 [hidden]`"),
    ] {
        let server = Server::play(&format!("S: 220 hi\nC: A\n{said}")).unwrap();
        let mut player = Player::new();
        player.set_secret("password", password);
        let played = player.play(open(&server), &"S: 220\nC: A\n*within 200 ms*\nS: 250".parse().unwrap());
        assert_eq!(played.failure().unwrap().got, got);
        drop(played);
        drop(server.join());
    }
}

#[test]
fn a_failure_shows_the_last_lines_with_secrets_hidden() {
    let server = Server::play("S: 220 hi\nC: AUTH X hush\nS: 334 go\nC: more\nS: 535 hush, no").unwrap();
    let mut shown = Vec::new();
    let mut player = Player::new();
    player.set_secret("password", "hush");
    let dialogue = Dialogue::parse_as("a.txt", "S: 220\nC: AUTH X ${password}\nS: 334\nC: more\nS: 235").unwrap();
    player.watch(|report| match report {
        Report::Sent(line) => shown.push(format!("> {line}")),
        Report::Received(line) => shown.push(format!("< {line}")),
        _ => {}
    });
    let failure = player.play(open(&server), &dialogue).require().unwrap_err();
    // What a test shows that unwraps it.
    assert_eq!(format!("{failure:?}"), failure.to_string());
    let failure = failure.to_string();
    drop(player);
    let lines: Vec<&str> = failure.lines().collect();
    assert!(lines[0].starts_with("a.txt:5: expected `S: 235`, got `535 [hidden], no`, after 0."), "{failure}");
    assert_eq!(
        lines[1..],
        [
            "the last lines of the session:",
            "  S: 220 hi",
            "  C: AUTH X [hidden]",
            "  S: 334 go",
            "  C: [hidden]",
            "  S: 535 [hidden], no"
        ]
    );
    assert_eq!(shown[1], "> AUTH X [hidden]");
    server.join().unwrap();
}

#[test]
fn going_on_collects_every_failure() {
    let server = Server::play("S: 220 hi\nC: A\nS: 250 a\nC: B\nS: 250 b").unwrap();
    let mut player = Player::new();
    let dialogue = "S: 220\nC: A\nS: 550\nC: B\nS: 551".parse().unwrap();
    let played = player.keep_going().play(open(&server), &dialogue);
    let lines: Vec<usize> = played
        .outcomes
        .iter()
        .filter(|outcome| outcome.verdict == Verdict::Other)
        .map(|outcome| outcome.step.line)
        .collect();
    assert_eq!(lines, [3, 5]);
    drop(played);
    server.join().unwrap();
}

#[test]
fn a_server_needs_whole_codes_and_texts() {
    let told = |text: &str| match Server::play(text) {
        Err(ServerError::Syntax(error)) => (error.line, error.column, error.expected),
        other => panic!("{other:?}"),
    };
    assert_eq!(told("S: 220\nC: A\nS: 2yz"), (3, 4, "a whole code, since this is sent"));
    assert_eq!(told("S~ 220 *"), (1, 1, "S: or S=, since a pattern cannot be sent"));
}

#[test]
fn what_a_client_does_else_is_told_with_the_last_lines() {
    let server = Server::play("S: 220 hi\nC: EHLO x\nS: 250 x\nC: QUIT").unwrap();
    drop(open(&server).play(&"S: 220\nC: ehlo x\nS: 250\nC: RSET".parse().unwrap()));
    let error = server.join().unwrap_err();
    assert_eq!(format!("{error:?}"), error.to_string());
    assert_eq!(
        error.to_string(),
        "line 4 of the dialogue: expected `C: QUIT`, got `RSET\\r\\n`\nthe last lines of the session:\n  S: 220 hi\n  \
         C: ehlo x\n  S: 250 x\n  C: RSET"
    );
}

#[test]
fn a_server_tells_what_a_client_did_instead() {
    let (long, file) = ("x".repeat(70_000), concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    let table = [
        ("C: A", "C: B", "`C: A`, got `B\\r\\n`"),
        ("C: A", "C> A\\n", "`C: A`, got `A\\n`"),
        ("C: MAIL FROM:<A@x>", "C: mail FROM:<a@x>", "`C: MAIL FROM:<A@x>`, got `mail FROM:<a@x>\\r\\n`"),
        ("C: A", "C: *half-close*", "`C: A`, got the end of the stream"),
        ("C> ab", "C: ax", "`C> ab`, got `ax`"),
        ("C> ab", "C> a\nC: *half-close*", "`C> ab`, got `a`"),
        ("C: *octets 5*", "C> abc\nC: *half-close*", "`C: *octets 5*`, got 3 octets and the end of the stream"),
        ("C: *body*", "C: abc\nC: *half-close*", "`C: *body*`, got 5 octets and no lone dot"),
        ("C: *body /no/such/file*", "C: *body*", "`C: *body /no/such/file*`, got cannot read /no/such/file: "),
        (&format!("C: *body {file}*"), "C: *body*", &format!("`C: *body {file}*`, got another message, of 34 octets")),
        ("C: *close*", "C: A", "`C: *close*`, got `A\\r\\n`"),
        ("C: *half-close*", "C: A", "`C: *half-close*`, got `A\\r\\n`"),
        ("C: *silence 9 s*", "C: A", "`C: *silence 9 s*`, got `A\\r\\n`"),
        ("C: *silence 9 s*", "C: *half-close*", "`C: *silence 9 s*`, got the end of the stream"),
        ("*within 5 ms*\nC: A", "S: *silence 9 s*", "`C: A`, got nothing in 5ms"),
        ("*each within 5 ms*\nC: A", "S: *silence 9 s*", "`C: A`, got nothing in 5ms"),
        ("*all within 0 ms*\nC: A", "S: *silence 9 s*", "`C: A`, got nothing in 0ns"),
        ("C: *body ${no_such_name}*", "C: *body*", "`C: *body ${no_such_name}*`, got ${no_such_name} has no value"),
        ("S: 250 ${no_such_name}", "C: A", "`S: 250 ${no_such_name}`, got ${no_such_name} has no value"),
        ("*include a.txt*", "C: A", "`*include a.txt*`, got a file that was not read: Dialogue::load reads it"),
        ("C: AUTH PLAIN abc", "C: AUTH PLAIN def", "`C: AUTH PLAIN [hidden]`, got `AUTH PLAIN [hidden]\\r\\n`"),
        ("C: AUTH X ${x:-def}", "C: AUTH X abc", "`C: AUTH X [hidden]`, got `AUTH X [hidden]\\r\\n`"),
        ("S: 334 x\nC: abcdef", "S: 334\nC: def", "`C: [hidden]`, got `[hidden]\\r\\n`"),
        ("S: 334 x\nC: abc\nC: abcdef", "S: 334\nC: abc\nC: def", "`C: [hidden]`, got `[hidden]\\r\\n`"),
        ("S: 334 x\nC: abc\nS: 235 x\nC: A", "S: 334\nC: abc\nS: 235\nC: B", "`C: A`, got `B\\r\\n`"),
        ("C: A", &format!("C: {long}"), "`C: A`, got `xxx"),
    ];
    for (served, played, told) in table {
        let server = Server::play(served).unwrap();
        let played = open(&server).play(&Dialogue::parse(played).unwrap());
        // A client that is awaited in vain has to be there still.
        let error = if told.contains("got nothing") {
            let error = server.join().unwrap_err();
            drop(played);
            error
        } else {
            drop(played);
            server.join().unwrap_err()
        };
        let error = error.to_string();
        let line = served.lines().count();
        assert!(error.starts_with(&format!("line {line} of the dialogue: expected {told}")), "{served}: {error}");
        assert!(!error.contains("def"), "{error}");
    }
}

#[test]
fn what_a_server_takes_out_of_a_password_is_a_secret() {
    for dialogue in [
        "S: 220\nC: AUTH ${mechanism} ${word}\nS: 235 ${mechanism} ${word}\nC: QUIT\nS: 221",
        "S: 220\nC: AUTH ${mechanism} a${word}\nS: 334 x\nC: ${word}\nS: 235 ${mechanism} ${word}\nC: QUIT\nS: 221",
    ] {
        let server = Server::play(dialogue).unwrap();
        let mut session = open(&server);
        session.read_reply().unwrap();
        if session.command("AUTH PLAIN acGVuY2ls").unwrap().code() == 334 {
            session.command("cGVuY2ls").unwrap();
        }
        session.send_line("NOOP acGVuY2ls").unwrap();
        drop(session);
        let told = server.join().unwrap_err().to_string();
        assert!(told.contains("S: 235 PLAIN [hidden]") && !told.contains("GVu"), "{told}");
    }
}

#[test]
fn a_client_that_deviates_is_not_left_waiting() {
    let server = Server::play("S: 220 hi\nC: A\nS: 250 a\n*next session*\nS: 220 hi").unwrap();
    let played = open(&server).play(&"S: 220\nC: B\nS: 250".parse().unwrap());
    assert_eq!(played.failure().unwrap().verdict, Verdict::Closed);
    assert!(server.join().unwrap_err().to_string().contains("expected `C: A`, got `B\\r\\n`"));
}

#[cfg(not(any(feature = "tls", feature = "auth")))]
#[test]
fn what_needs_tls_or_authentication_says_so() {
    for step in ["C: *tls*", "C: *starttls*"] {
        assert_eq!(clash("C: A", step).failure().unwrap().got, "no TLS: this needs the feature tls");
    }
    assert!(clash("C: A", "C: *authenticate PLAIN a b*").failure().unwrap().got.contains("authentication"));
}

#[test]
fn a_client_that_goes_while_it_is_spoken_to_is_told_of() {
    let server = Server::play("S: 220 x\nS: *octets 90000000*\nC: A").unwrap();
    drop(open(&server).play(&"S: 220".parse().unwrap()));
    let error = server.join().unwrap_err().to_string();
    let told = "line 2 of the dialogue: expected `S: *octets 90000000*`, got a client that has gone (";
    assert!(error.starts_with(told), "{error}");
}

#[test]
fn a_message_without_an_end_is_not_taken_for_ever() {
    // A slow machine takes long for 100 MiB.
    let server = Server::play("S: 354 go\n*within 2 min*\nC: *body*").unwrap();
    let mut client = TcpStream::connect(server.address()).unwrap();
    let lines = [b"x".repeat(998), b"\r\n".to_vec()].concat().repeat(64);
    while client.write_all(&lines).is_ok() {}
    let error = server.join().unwrap_err().to_string();
    assert!(error.contains("expected `C: *body*`, got more than 104857600 octets"), "{error}");
}

#[test]
fn a_test_that_has_failed_waits_for_no_client() {
    let started = Instant::now();
    for clients in [0, 1] {
        let failing = thread::spawn(move || {
            let server = Server::play("S: 220 x\nC: A\n*next session*\nS: 220 x").unwrap();
            let _sessions: Vec<_> = (0..clients).map(|_| open(&server)).collect();
            panic!("this is the failure of the test, and no other");
        });
        assert!(failing.join().is_err());
    }
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
}

#[test]
fn any_number_of_replies_has_an_end() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let flood = thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        while client.write_all(&b"250 more\r\n".repeat(1000)).is_ok() {}
    });
    let played = Connect::new("127.0.0.1", port).open().unwrap().play(&"S* 250".parse().unwrap());
    assert_eq!(played.failure().unwrap().got, "more than 10000 of them");
    drop(played);
    flood.join().unwrap();
}

#[test]
fn a_deviation_of_the_client_names_the_line_and_what_came() {
    let server = Server::play("S: 220 hi\nC: ehlo x\nS: 250 x\nC: QUIT\n").unwrap();
    let mut session = open(&server);
    session.read_reply().unwrap();
    session.command("EHLO x").unwrap();
    session.send_line("NOOP").unwrap();
    let error = server.join().unwrap_err();
    let told = error.to_string();
    assert!(told.starts_with("line 4 of the dialogue: expected `C: QUIT`, got `NOOP\\r\\n`\n"), "{told}");
    assert!(told.ends_with("S: 250 x\n  C: NOOP"), "{told}");
    assert!(matches!(Server::play("X: hi"), Err(ServerError::Syntax(_))));
}
