//! Why a session failed, as it is said in a script, in JSON, of a dialogue that is played, and at the prompt.

use crate::common::folder::Folder;
use crate::common::screen::Screen;
use crate::common::{MCONNECT, Pty, assert_status, complaints, err, out, run, talk};
use mconnect_core::server::Server;

/// A server that puts the recipient off, and one that does not.
const PUT_OFF: &str = "S: 220 mx\nC: EHLO me\nS: 250 mx\nC: MAIL FROM:<a@example.org>\nS: 250 ok\n\
                       C: RCPT TO:<b@example.org>\nS: 451 4.7.1 later\nC: QUIT\nS: 221 bye\nS: *close*";
const SCRIPT: &str = "EHLO me\nMAIL FROM:<a@example.org>\nRCPT TO:<b@example.org>\nQUIT\n";
const SENTENCE: &str =
    "mconnect: probably the server puts off mail from strangers at first (greylisting): try again in some minutes";

#[test]
fn a_script_says_why_it_was_refused_however_it_is_given() {
    let lines: Vec<&str> = SCRIPT.lines().collect();
    let commands: Vec<&str> = lines.iter().flat_map(|line| ["-c", line]).collect();
    for (options, input) in [(&[][..], SCRIPT), (&commands, ""), (&["--fail"], SCRIPT)] {
        let server = Server::play(PUT_OFF).unwrap();
        let output = talk(server.port(), options, input);
        assert!(complaints(&output).ends_with(SENTENCE), "{options:?}: {}", err(&output));
        server.join().unwrap();
    }
    for silence in ["--no-explain", "--quiet"] {
        let server = Server::play(PUT_OFF).unwrap();
        assert_eq!(complaints(&talk(server.port(), &[silence], SCRIPT)), "", "{silence}");
        server.join().unwrap();
    }
    let server = Server::play(&PUT_OFF.replace("451 4.7.1 later", "250 ok")).unwrap();
    assert_eq!(complaints(&talk(server.port(), &[], SCRIPT)), "", "the healthy twin");
    server.join().unwrap();
}

#[test]
fn a_server_that_closes_right_after_its_greeting_is_told_to_have_done_so() {
    let server = Server::play("S: 220 mx\nS: *close*").unwrap();
    let output = talk(server.port(), &[], SCRIPT);
    // EHLO may have been on its way.
    let complaints = complaints(&output).replace(", without answering EHLO", "");
    let told = "mconnect: the server closed right after its greeting: an access list or a limit of connections may be behind it: its log tells";
    assert!(complaints.contains(told), "{}", err(&output));
    server.join().unwrap();
}

#[test]
fn the_options_that_help_are_named() {
    let needs = "S: 220 mx\nC: EHLO me\nS: 250-mx\nS: 250 STARTTLS\nC: MAIL FROM:<a@example.org>\n\
                 S: 530 5.7.0 Must issue a STARTTLS command first\nC: QUIT\nS: 221 bye\nS: *close*";
    let server = Server::play(needs).unwrap();
    let output = talk(server.port(), &[], "EHLO me\nMAIL FROM:<a@example.org>\nQUIT\n");
    let told = "mconnect: the server wants TLS first: --starttls starts it, or the command STARTTLS";
    assert_eq!(complaints(&output), told);
    server.join().unwrap();
    let output = run(&["--source", "192.0.2.77", "-p", "1", "-c", "QUIT", "127.0.0.1"], "");
    assert!(complaints(&output).contains("192.0.2.77 is no address of this machine: --source"), "{}", err(&output));
    let output = run(&["-p", "1", "-c", "QUIT", "127.0.0.1"], "");
    assert!(!complaints(&output).contains("--source"), "{}", err(&output));
}

#[test]
fn json_has_what_was_found() {
    let server = Server::play(PUT_OFF).unwrap();
    let output = talk(server.port(), &["--json", "--quiet"], SCRIPT);
    let finding = out(&output).lines().find(|line| line.contains("\"event\":\"finding\"")).unwrap().to_owned();
    let finding: serde_json::Value = serde_json::from_str(&finding).unwrap();
    assert_eq!((&finding["cause"], &finding["certainty"]), (&"greylisted".into(), &"likely".into()));
    assert_eq!(finding["evidence"], "451 4.7.1 later");
    server.join().unwrap();
}

#[test]
fn a_dialogue_that_is_not_met_says_why_and_one_that_expects_a_refusal_nothing() {
    let folder = Folder::new();
    let expects = |code: &str| folder.write("it.txt", &PUT_OFF.replace("451 4.7.1 later", code));
    for (code, status, is_told) in [("250", 1, true), ("451", 0, false)] {
        let server = Server::play(PUT_OFF).unwrap();
        let output = talk(server.port(), &["--play", &expects(code), "--keep-going"], "");
        assert_status(&output, status);
        assert_eq!(complaints(&output).ends_with(SENTENCE), is_told, "{}", err(&output));
        drop(server.join());
    }
}

#[test]
fn the_refusal_that_is_explained_is_the_one_that_the_dialogue_did_not_expect() {
    let folder = Folder::new();
    let refused_twice = PUT_OFF.replace("C: QUIT", "C: RCPT TO:<c@example.org>\nS: 550 5.1.1 no such user\nC: QUIT");
    let dialogue = folder.write("it.txt", &refused_twice.replace("S: 550 5.1.1 no such user", "S: 250"));
    let junit = folder.write("junit.xml", "");
    let server = Server::play(&refused_twice).unwrap();
    let output = talk(server.port(), &["--play", &dialogue, "--keep-going", "--tap", "--junit", &junit], "");
    assert_status(&output, 1);
    let why = "the recipient does not exist there";
    assert!(out(&output).contains(&format!("\n  why: |\n    {why}\n")), "{}", out(&output));
    assert!(std::fs::read_to_string(&junit).unwrap().contains(&format!("\n{why}</failure>")));
    assert_eq!(complaints(&output), "", "TAP has it");
    drop(server.join());
}

#[test]
fn the_prompt_says_why_a_session_ended() {
    let server = Server::play("S: 220 mx\nC: EHLO me\nS: 250 mx\nC: MAIL FROM:<a@example.org>\nS: *close*").unwrap();
    let port = server.port().to_string();
    let mut pty = Pty::start_with(MCONNECT, &["-p", &port, "127.0.0.1"], &[("TERM", "xterm"), ("NO_COLOR", "1")]);
    for line in ["EHLO me", "MAIL FROM:<a@example.org>"] {
        pty.expect("smtp> ");
        pty.look_from_here();
        pty.send(format!("{line}\r"));
    }
    pty.expect("mconnect: the server closed instead of answering MAIL: its log tells why");
    pty.expect("closed> ");
    pty.send("QUIT\r");
    pty.wait();
    server.join().unwrap();
}

#[test]
fn the_prompt_tells_the_cause_of_each_refusal() {
    let server = Server::play(PUT_OFF).unwrap();
    let port = server.port().to_string();
    let mut pty = Pty::start_with(MCONNECT, &["-p", &port, "127.0.0.1"], &[("TERM", "xterm"), ("NO_COLOR", "1")]);
    for line in SCRIPT.lines().take(3) {
        pty.expect("smtp> ");
        pty.look_from_here();
        pty.send(format!("{line}\r"));
        pty.expect(if line.starts_with("RCPT") { "451 4.7.1 later" } else { "250 " });
    }
    pty.expect("  probably the server puts off mail from strangers at first (greylisting)");
    pty.send("QUIT\r");
    pty.wait();
    server.join().unwrap();
}

/// Whatever is under way when a session fails: a refusal, a close, a silence, a server of another protocol.
const FAILURES: &[(&str, &str)] = &[
    (
        "S: 220 mx\nC: EHLO me\nS: 250 mx\nC: MAIL FROM:<a@example.org>\nS: 250 ok\nC: RCPT TO:<b@example.org>\n\
         S: 550 5.1.1 no such user\nC: QUIT\nS: 221 bye\nS: *close*",
        "the recipient does not exist there",
    ),
    (
        "S: 220 mx\nC: EHLO me\nS: 250 mx\nC: MAIL FROM:<a@example.org>\nS: *close*",
        "the server closed instead of answering MAIL: its log tells why",
    ),
    (
        "S: 220 mx\nC: EHLO me\nS: 250 mx\nC: MAIL FROM:<a@example.org>\nS: 250 ok\nC: RCPT TO:<b@example.org>\nC: *close*",
        "no answer to RCPT came in 1.0 s: it may look names up, or slow clients down on purpose: wait longer",
    ),
    (
        "S> 220-mx\\r\\n\nC: *close*",
        "probably the greeting does not end: after \"220-\" a line \"220 \" has to come: postscreen holds it back for some \
         seconds: wait longer",
    ),
    ("S> SSH-2.0-OpenSSH_10.2\\r\\n\nC: *close*", "the server speaks SSH, not SMTP: is port PORT the right one?"),
];

#[test]
fn the_sentence_is_the_same_however_a_session_is_driven() {
    let folder = Folder::new();
    let expected = "S: 220\nC: EHLO me\nS: 250\nC: MAIL FROM:<a@example.org>\nS: 250\nC: RCPT TO:<b@example.org>\nS: 250\n\
                    C: QUIT\nS: 221\n";
    let dialogue = folder.write("it.txt", expected);
    let junit = folder.file("junit.xml");
    let commands: Vec<&str> = SCRIPT.lines().flat_map(|line| ["-c", line]).collect();
    for (served, template) in FAILURES {
        let against = |options: &[&str], input: &str| {
            let server = Server::play(served).unwrap();
            let sentence = template.replace("PORT", &server.port().to_string());
            let output = talk(server.port(), &[&["--timeout", "1"], options].concat(), input);
            // Some of them end before the server's dialogue does.
            drop(server.join());
            (output, sentence)
        };
        for (options, input) in
            [(&[][..], SCRIPT), (&commands, ""), (&["--fail"], SCRIPT), (&["--play", &dialogue], "")]
        {
            let (output, sentence) = against(options, input);
            let last = complaints(&output).lines().last().unwrap_or_default().to_owned();
            assert_eq!(last, format!("mconnect: {sentence}"), "{options:?}: {}", err(&output));
        }
        let (output, sentence) = against(&["--json"], SCRIPT);
        assert_eq!(in_json(&out(&output)), sentence);
        let (output, sentence) = against(&["--json", "--play", &dialogue], "");
        assert_eq!(in_json(&out(&output)), sentence);
        let (output, sentence) = against(&["--play", &dialogue, "--tap", "--junit", &junit], "");
        assert!(out(&output).contains(&format!("\n  why: |\n    {sentence}\n")), "{}", out(&output));
        let report = std::fs::read_to_string(&junit).unwrap().replace("&quot;", "\"");
        assert!(report.contains(&format!("\n{sentence}</failure>")), "{report}");
        at_the_prompt(served, template);
    }
}

/// Puts the finding in JSON in words.
fn in_json(text: &str) -> String {
    let line = text.lines().find(|line| line.contains("\"event\":\"finding\"")).unwrap_or_else(|| panic!("{text}"));
    let finding: serde_json::Value = serde_json::from_str(line).unwrap();
    let how_sure = match finding["certainty"].as_str().unwrap() {
        "certain" => "",
        "likely" => "probably ",
        _ => "perhaps ",
    };
    let advice = finding["advice"].as_str().map(|advice| format!(": {advice}")).unwrap_or_default();
    format!("{how_sure}{}{advice}", finding["what"].as_str().unwrap())
}

fn at_the_prompt(served: &str, sentence: &str) {
    let server = Server::play(served).unwrap();
    // So wide that no sentence is wrapped.
    let mut screen = Screen::loud_with(server.port(), &["--timeout", "1"], &[], (24, 200));
    if served.contains("C: EHLO") {
        for line in SCRIPT.lines().filter(|line| served.contains(*line)).take(3) {
            screen.pty.expect("smtp> ");
            screen.pty.look_from_here();
            screen.send(format!("{line}\r"));
        }
    }
    screen.pty.expect(&sentence.replace("PORT", &server.port().to_string()));
    drop(screen);
    drop(server.join());
}
