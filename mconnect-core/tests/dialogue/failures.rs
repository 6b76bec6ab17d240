//! What is not met, and how it is told.

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
    let outcome = played.failure().expect("something was not met");
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
            "C: A",
            "C: *close*\nS: 250",
            Impossible,
            "line 2: expected `S: 250`, got no session: the dialogue has closed it",
        ),
    ];
    for (served, played, verdict, told) in table {
        assert_eq!(fails(served, played), (verdict, told.to_owned()));
    }
    let (_, told) = fails("C: A", "C: *body no such file*");
    assert!(told.contains("cannot read no such file: "), "{told}");
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
    let failure = player.play(open(&server), &dialogue).require().unwrap_err().to_string();
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
    assert_eq!(
        server.join().unwrap_err().to_string(),
        "line 4 of the dialogue: expected `C: QUIT`, got `RSET\\r\\n`\nthe last lines of the session:\n  S: 220 hi\n  \
         C: ehlo x\n  S: 250 x\n  C: RSET"
    );
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
