//! Dialogues, played by both sides at once and by each against the other, over real loopback sockets.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use mconnect_core::dialogue::{Dialogue, LoadError, Played, Player, Recorder, Report, Values, Verdict};
use mconnect_core::server::{Said, Server, ServerError};
use mconnect_core::{Connect, Session};

fn open(server: &Server) -> Session {
    Connect::new("127.0.0.1", server.port()).open().unwrap()
}

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

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dialogues")
}

#[test]
fn the_examples_of_the_rfcs_play_against_themselves() {
    let mut count = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let dialogue = Dialogue::load(&path).unwrap();
        if dialogue.to_string().contains("*tls*") {
            continue;
        }
        let server = Server::play_with(&dialogue, &Values::default()).unwrap();
        for session in dialogue.sessions() {
            open(&server).play(&session).require().unwrap();
        }
        server.join().unwrap();
        count += 1;
    }
    assert_eq!(count, 7);
}

#[test]
fn each_construct_does_what_it_says_in_both_roles() {
    let file = folder().join("rfc2920.txt");
    let file = file.display();
    let table = [
        ("classes", "S: 220 hi\nC: A\nS: 251 x", "S: 2yz\nC: A\nS: 25z"),
        ("any code", "S: 199 hi", "S: xyz"),
        ("lines in between", "S: 250-a\nS: 250-b\nS: 250-c\nS: 250 d", "S: 250-b\nS: 250 d"),
        ("exact", "S= 250-a\nS= 250 b", "S= 250-a\nS= 250 b"),
        ("the last line", "S: 250-a\nS: 250 b", "S: 250-b\nS: 250"),
        ("pattern", "S: 250 Ok: Queued as 7", "S~ 250 ok*queued as ?"),
        ("first of two", "S: 250 a\nS| 550 b", "S: 250\nS| 550"),
        ("second of two", "S: 550 5.1.1 b", "S: 250\nS| 550-5.1.1\nS| 550"),
        ("optional, there", "S: 220 hi\nS? 250\nS: 421 x", "S: 220\nS? 421\nC: *close*"),
        ("optional, absent", "S: 220 hi\nS: 250 x", "S: 220\nS? 421\nS* 5yz\nS: 250"),
        ("any number", "S: 220 hi\nS: 250 x\nS: 250 x\nS: 221 x", "S: 220\nS* 250\nS: 221"),
        ("optional, silence", "S: 220 hi\nC: A\nS: 250 x", "S: 220\n*within 1 ms*\nS? 421\nC: A\nS: 250"),
        ("a value", "S: 220 hi\nC: EHLO me", "S: 220\nC: EHLO ${no_such_name:-me}"),
        ("a capture", "S: 250 as 7, ok\nC: X 7", "S: 250 as ${id}, ok\nC: X ${id}"),
        ("a capture, served", "C: X ${id}\nS: 250 ${id}", "C: X a b\nS: 250 a b"),
        ("bytes", "S> 250-a\\r\\n25\nS> 0 b\\n\nC> x\\0\nC: y", "S: 250-a\nS: 250\nC> x\\x00y\\r\\n"),
        (
            "bytes awaited",
            "S: 250-a\nS> 250 b\nS: *pause 5 ms*\nS> c\\r\\n",
            "S> 250-\nS> a\\r\\n250\nS> \\x20bc\\r\\n",
        ),
        ("bytes, not a line", "S> 250\nC: A\nS> \\x20x\\r\\n", "S> 25\nS> 0\nC: A\nS> \\x20x\\r\\n"),
        ("a cut line", "C: NOOP", "C> NO\nC: *pause 5 ms*\nC> OP\\r\\n"),
        ("a pause of the server's", "S: *pause 5 ms*\nS: 250 x", "S: *pause 5 ms*\nS: 250"),
        ("a body", "C: *body*\nS: 250 x", "C: *body*\nS: 250"),
        ("a body from a file", &format!("C: *body {file}*"), &format!("C: *body {file}*")),
        ("a file as it is", &format!("C: *file {file}*"), &format!("C: *file {file}*")),
        ("a file from the server", &format!("S: *file {file}*"), &format!("S: *file {file}*")),
        ("octets", "C: *octets 200000*\nS: 250 x", "C: *octets 200000*\nS: 250"),
        ("octets from the server", "S: *octets 70000*", "S: *octets 70000*"),
        ("silence", "C: A\nS: *silence 2 ms*\nS: 250 x", "S: *silence 2 ms*\nC: A\nS: 250"),
        (
            "the client's silence",
            "S: 250 x\nC: *silence 2 ms*\nS: 251 x\nC: A",
            "S: 250\nC: *silence 2 ms*\nS: 251\nC: A",
        ),
        ("no reply", "C: A\nS: *no reply*\nC: B\nS: 250 x", "C: A\n*within 5 ms*\nS: *no reply*\nC: B\nS: 250"),
        ("half-close", "C: *half-close*\nS: 250 x", "C: *half-close*\nS: 250\nS: *close*"),
        ("half-close of the server", "S: *half-close*\nC: A", "S: *half-close*\nC: A"),
        ("close of the client", "S: 220 x\nC: *close*", "S: 220\nC: *close*"),
        ("reset of the client", "S: 220 x\nC: *reset*", "S: 220\nC: *reset*"),
        ("reset of the server", "S: 220 x\nC: A\nS: *reset*", "S: 220\nC: A\nS: *reset*"),
        ("a literal direction", "C: \\*close*\nS: 250 x", "C: \\*close*\nS: 250"),
        ("a literal name", "C: $${x}\nS: 250 x", "C: $${x}\nS: 250"),
        (
            "deadlines",
            "*each within 9 s*\n*all within 9 s*\nC: A\nS: 250 x",
            "*each within 9 s*\nC: A\n*within 8 s*\nS: 250",
        ),
    ];
    for (name, served, played) in table {
        let server = Server::play(served).unwrap();
        let played = open(&server).play(&Dialogue::parse(played).unwrap());
        drop(played.require().unwrap_or_else(|failure| panic!("{name}: {failure}")));
        server.join().unwrap_or_else(|error| panic!("{name}: {error}"));
    }
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
fn playing_stops_at_a_place_with_quit_or_at_once() {
    let dialogue = "S: 220\nC: A\n*place sent*\nS: 250\n*place replied*\nC: never".parse().unwrap();
    for (served, stop) in [
        ("S: 220 x\nC: A\nS: 250 x\nC: QUIT\nS: 221 x", 0),
        ("S: 220 x\nC: A\nC: *close*", 1),
        ("S: 220 x\nC: A\nS: 250 x\nC: *close*", 2),
    ] {
        let server = Server::play(served).unwrap();
        let mut player = Player::new();
        match stop {
            0 => player.quit_at("replied"),
            1 => player.drop_at("sent"),
            _ => player.drop_at("replied"),
        };
        player.play(open(&server), &dialogue).require().unwrap();
        server.join().unwrap();
    }
}

#[test]
fn several_sessions_are_played_in_order_and_said_as_data() {
    let server = Server::play("S: 421 later\nS: *close*\n*next session*\nS: 220 now\nC: QUIT\nS: 221 bye").unwrap();
    let dialogue = Dialogue::parse("S: 421\nS: *close*\n*next session*\nS: 220\nC: QUIT\nS: 221\nS: *close*").unwrap();
    for session in dialogue.sessions() {
        open(&server).play(&session).require().unwrap();
    }
    let said: Vec<(usize, Vec<u8>)> =
        server.said().into_iter().map(|Said { session, line, .. }| (session, line)).collect();
    let lines: [(usize, &str); 4] = [(0, "421 later"), (1, "220 now"), (1, "QUIT"), (1, "221 bye")];
    assert_eq!(said, lines.map(|(session, line)| (session, line.as_bytes().to_vec())));
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

#[test]
fn what_needs_tls_or_authentication_says_so() {
    for step in ["C: *tls*", "C: *starttls*", "C: *end tls*"] {
        assert_eq!(clash("C: A", step).failure().unwrap().got, "no TLS: this needs the feature tls");
    }
    assert!(clash("C: A", "C: *authenticate PLAIN a b*").failure().unwrap().got.contains("authentication"));
}

#[test]
fn files_include_others_and_name_themselves_in_errors() {
    let folder = std::env::temp_dir().join(format!("mconnect-include-{}", std::process::id()));
    fs::create_dir_all(folder.join("parts")).unwrap();
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).unwrap();
    write("main.txt", "*include parts/hello.txt*\nC: *body parts/a.eml*\n");
    write("parts/hello.txt", "S: 220\n*include ehlo.txt*\n");
    write("parts/ehlo.txt", "C: EHLO x\n");
    write("parts/a.eml", ".a\nb");
    write("round.txt", "*include round.txt*");
    write("bad.txt", "*include parts/bad.txt*");
    write("parts/bad.txt", "\nnonsense");
    let dialogue = Dialogue::load(folder.join("main.txt")).unwrap();
    assert_eq!(dialogue.steps().len(), 3);
    let server = Server::play("S: 220 x\nC: EHLO x\nC> ..a\\r\\nb\\r\\n.\\r\\n").unwrap();
    open(&server).play(&dialogue).require().unwrap();
    server.join().unwrap();
    assert!(matches!(Dialogue::load(folder.join("round.txt")), Err(LoadError::Endless { .. })));
    assert!(matches!(Dialogue::load(folder.join("none.txt")), Err(LoadError::Read { .. })));
    let told = Dialogue::load(folder.join("bad.txt")).unwrap_err().to_string();
    assert!(told.contains("bad.txt: line 2, column 1: expected S: S>"), "{told}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_refusal_in_the_middle_of_a_message_is_what_the_reply_is() {
    let server = Server::play("S: 220 x\nC: DATA\nS: 354 go\nS: 552 too much\nS: *close*").unwrap();
    let played = open(&server).play(&"S: 220\nC: DATA\nS: 354\nC: *octets 9000000*\nC: .\nS: 552".parse().unwrap());
    played.require().unwrap();
    drop(server.join());
}

#[test]
fn what_is_recorded_plays_and_one_changed_code_does_not() {
    let server = Server::start().unwrap();
    let recorder = Recorder::new();
    let mut session = Connect::new("127.0.0.1", server.port()).observer(recorder.clone()).open().unwrap();
    session.read_reply().unwrap();
    session.command("EHLO x").unwrap();
    session.pipeline(["MAIL FROM:<>", "RCPT TO:<refused@x>", "RCPT TO:<a@x>"]).unwrap();
    session.message("Subject: a\n\n\u{e9}\n.b\n".as_bytes()).unwrap();
    session.command("AUTH PLAIN hush").unwrap();
    session.send(b"BDAT 2 LAST\r\n\0x").unwrap();
    session.read_reply().unwrap();
    session.quit().unwrap();
    let text = recorder.text();
    assert!(!text.contains("hush") && text.contains("C: AUTH PLAIN ${secret1}\n"), "{text}");
    assert!(text.contains("# 550 5.1.1 no such mailbox here\nS: 550\n"), "{text}");

    let play = |text: &str| {
        let mut player = Player::new();
        player.set("secret1", "hush");
        player.play(open(&server), &Dialogue::parse(text).unwrap()).require().map(drop)
    };
    play(&text).unwrap();
    let changed = text.replace("S: 550", "S: 551");
    let line = changed.lines().position(|line| line == "S: 551").unwrap() + 1;
    let told = play(&changed).unwrap_err().to_string();
    assert!(
        told.starts_with(&format!("line {line}: expected `S: 551`, got `550 5.1.1 no such mailbox here`, after")),
        "{told}"
    );
}

#[test]
fn printing_and_reading_gives_the_same_dialogue() {
    // Lines put together from these pieces, by a generator of numbers that always gives the same ones.
    let pieces = [
        "S",
        "C",
        ":",
        ">",
        "=",
        "~",
        "|",
        "?",
        "*",
        " ",
        "250",
        "2yz",
        "xyz",
        "-",
        "a",
        "é",
        "\\",
        "\\n",
        "\\x00",
        "\\x24",
        "${a}",
        "${b:-c d}",
        "$",
        "${",
        "}",
        "{",
        "*close*",
        "*body f*",
        "*pause 5 s*",
        "*within 90000 ms*",
        "*include x*",
        "\t",
        "*next session*",
        "\n",
        "\n",
        "\r",
        "S: 250 ",
        "C: ",
        "S> ",
        "S: 250-a\nS: 250 b\n",
        "C: \\",
        "#",
        "*",
    ];
    let mut seed = 88_172_645_463_325_252_u64;
    let mut next = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % below as u64).unwrap()
    };
    let mut read = 0;
    for _ in 0..60_000 {
        let text: String = (0..=next(6)).map(|_| pieces[next(pieces.len())]).collect();
        let Ok(dialogue) = Dialogue::parse(&text) else { continue };
        read += usize::from(!dialogue.steps().is_empty());
        let printed = dialogue.to_string();
        assert_eq!(Dialogue::parse(&printed).as_ref(), Ok(&dialogue), "{text:?} {printed:?}");
    }
    assert!(read > 3000, "{read}");
}

#[test]
fn bytes_cut_anywhere_are_the_same_replies() {
    let said = b"220-hi\r\n220 there\r\n250 x\r\n";
    let dialogue = Dialogue::parse("S: 220-hi\nS: 220\nC: A\nS> 250\nS> \\x20x\\r\\n\nS: *close*").unwrap();
    for cut in 1..said.len() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            stream.write_all(&said[..cut]).unwrap();
            stream.write_all(&said[cut..]).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let _ = std::io::Read::read_to_end(&mut stream, &mut Vec::new());
        });
        let session = Connect::new("127.0.0.1", port).open().unwrap();
        drop(session.play(&dialogue).require().unwrap());
        server.join().unwrap();
    }
}

#[test]
fn lmtp_has_a_reply_for_each_recipient() {
    let dialogue = "S: 220 lmtp\nC: LHLO x\nS: 250 hi\nC: MAIL FROM:<>\nC: RCPT TO:<a@x>\nC: RCPT TO:<b@x>\nC: DATA\nS: 250 ok\n\
        S: 250 ok\nS: 250 ok\nS: 354 go\nC: *body*\nS: 250 a\nS: 552 b\nC: QUIT\nS: 221 bye\nS: *close*";
    let server = Server::play(dialogue).unwrap();
    open(&server).play(&dialogue.parse().unwrap()).require().unwrap();
    assert_eq!(server.messages()[0].content, b"Subject: test\r\n\r\nThis is a test.\r\n");
    server.join().unwrap();
}

#[test]
fn what_a_server_does_to_clients_is_written_down_and_always_the_same() {
    // The first attempt is put off, the second dropped after DATA, the third delayed and refused at the third message.
    let messages = |last: &str| {
        ["250 ok", "250 ok", last]
            .map(|reply| format!("C: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<a@x>\nS: {reply}\n"))
            .concat()
    };
    let served = format!(
        "S: 421 4.7.0 too many\nS: *close*\n*next session*\nS: 220 x\nC: DATA\nS: *reset*\n*next session*\n\
         S: *pause 10 ms*\nS: 220 x\n{}C: *close*",
        messages("452 4.3.1 full")
    );
    let played = format!(
        "S: 421\nS: *close*\n*next session*\nS: 220\nC: DATA\nS: *reset*\n*next session*\nS: 220\n{}C: *close*",
        messages("452 4.3.1")
    );
    for _ in 0..3 {
        let server = Server::play(&served).unwrap();
        for session in Dialogue::parse(&played).unwrap().sessions() {
            drop(open(&server).play(&session).require().unwrap());
        }
        server.join().unwrap();
    }
}

#[test]
fn every_example_of_the_notations_page_is_a_dialogue() {
    let page = include_str!("../../docs/dialogue.md").replace("\\|", "|");
    let mut count = 0;
    let spans = page.lines().filter(|line| line.starts_with('|')).flat_map(|line| line.split('`').skip(1).step_by(2));
    for span in spans {
        let is_line =
            ["C: ", "C> ", "S: ", "S> ", "S= ", "S~ ", "S| ", "S? ", "S* "].iter().any(|side| span.starts_with(side));
        let is_direction = span.len() > 5 && span.starts_with('*') && span.ends_with('*');
        if !is_line && !is_direction {
            continue;
        }
        let before = if span.starts_with("S|") { "S: 250\n" } else { "" };
        let after = if span.starts_with("S: 250-") { "\nS: 250" } else { "" };
        Dialogue::parse(&format!("{before}{span}{after}")).unwrap_or_else(|error| panic!("{error}"));
        count += 1;
    }
    assert!(count > 60, "{count}");
}
