//! What is said where somebody would stop and wonder: long lines, large files, endless replies, and what a reply means.

use crate::common::folder::Folder;
use crate::common::screen::Screen;
use crate::common::told::Told;
use mconnect_core::server::Server;
#[cfg(feature = "tls")]
use mconnect_core::server::Setup;

#[test]
fn a_reply_without_measure_is_cut_on_the_screen_and_shown_page_by_page_when_that_is_asked_for() {
    let (told, mut screen) = Screen::greeted(&[]);
    screen.send("HELP\r");
    told.expect("HELP\r\n");
    let lines: String = (0..20_000).map(|number| format!("214-{number:0100}\r\n")).collect();
    told.say(&format!("{lines}214 the end\r\n"));
    screen.expect_last("smtp>");
    screen.expect_row("214 the end");
    screen.expect_row("  2054492 octets of the reply are not shown: ~l shows them");
    let seen = screen.pty.screen();
    assert!(seen.contains(&format!("214-{:0100}", 617)) && !seen.contains(&format!("214-{:0100}", 618)));
    // Ten lines of two rows each and the note leave the prompt its row.
    for (first, left) in [(618, 2_053_432), (628, 2_052_372)] {
        screen.send("~l\r");
        screen.expect_row(&format!("  {left} octets more: ~l shows the next page"));
        screen.expect_last("smtp>");
        let seen = screen.pty.screen();
        assert!(
            seen.contains(&format!("214-{first:0100}")[..80]) && !seen.contains(&format!("214-{:0100}", first + 10))
        );
    }
    // A short reply later is shown whole.
    screen.send("NOOP\r");
    told.expect("HELP\r\nNOOP\r\n");
    told.say("250 ok\r\n");
    screen.pty.expect("250 ok\r\n");
    screen.interrupt();
}

#[test]
fn an_explanation_is_wrapped_at_words_in_a_narrow_window() {
    let told = Told::start();
    let mut screen = Screen::loud_with(told.peer.port, &[], &[], (24, 40));
    told.say("220 hi\r\n");
    screen.expect_last("smtp>");
    screen.send("MAIL FROM:<a@b.example>\r");
    told.expect("MAIL FROM:<a@b.example>\r\n");
    told.say("451 4.7.3 no key\r\n");
    screen.expect_row("  needed, and not possible");
    screen.expect_last("smtp>");
    let seen = screen.pty.screen();
    let after = seen.split("no key\r\n").nth(1).unwrap_or_default();
    let rows: Vec<&str> = after.split("\r\n").take_while(|row| row.starts_with("  ")).collect();
    let expected = ["  4.7.3: conversion for security is", "  needed, and not possible"];
    assert_eq!(rows, expected, "{seen}");
    screen.interrupt();
}

#[test]
fn why_a_session_ended_is_wrapped_at_words_also_behind_the_time() {
    for (options, expected) in [
        (
            &[][..],
            &[
                "mconnect: the server closed right after",
                "  its greeting, without answering MAIL:",
                "  an access list or a limit of",
                "  connections may be behind it: its log",
                "  tells",
            ][..],
        ),
        (
            &["--timestamps"],
            &[
                "mconnect: the server closed",
                "  right after its greeting, without",
                "  answering MAIL: an access list or a",
                "  limit of connections may be behind",
                "  it: its log tells",
            ],
        ),
    ] {
        let told = Told::start();
        let mut screen = Screen::loud_with(told.peer.port, options, &[], (40, 40));
        told.say("220 hi\r\n");
        screen.expect_last("smtp>");
        screen.send("MAIL FROM:<a@b.example>\r");
        told.expect("MAIL FROM:<a@b.example>\r\n");
        told.received();
        screen.expect_last("closed>");
        let rows = screen.lines(&screen.pty.raw());
        let first = rows.iter().position(|row| row.ends_with(expected[0])).unwrap_or_else(|| panic!("{rows:#?}"));
        assert_eq!(rows[first + 1..first + expected.len()], expected[1..], "{rows:#?}");
        screen.send("QUIT\r");
        assert_eq!(screen.wait(), 76);
    }
}

#[test]
fn a_line_that_is_too_long_for_a_message_is_noted_before_it_goes_out_all_the_same() {
    let server = Server::start().unwrap();
    let mut screen = Screen::start(server.port(), &[]);
    screen.expect_last("smtp>");
    screen.send("HELO x\rMAIL FROM:<a@b.example>\rRCPT TO:<c@d.example>\rDATA\r");
    screen.expect_last("data>");
    screen.send(format!("{}\r", "x".repeat(998)));
    screen.send(format!("{}\r", "y".repeat(999)));
    screen.expect_row("mconnect: a line of 999 octets: 998 are allowed, and the server may refuse it");
    screen.send(".\rQUIT\r");
    assert_eq!(screen.wait(), 0);
    assert!(!screen.seen().contains("a line of 998"), "{}", screen.seen());
    assert_eq!(server.messages()[0].content.len(), 998 + 999 + 4);
}

#[test]
fn a_file_that_is_larger_than_the_server_takes_is_noted_before_it_goes_out() {
    let folder = Folder::new();
    let name = folder.write("large.eml", &"Subject: x\r\n\r\n0123456789\r\n".repeat(10));
    let (told, mut screen) = Screen::greeted_with(&[], &[], (24, 120));
    screen.send("EHLO x\r");
    told.expect("EHLO x\r\n");
    told.say("250-x\r\n250 SIZE 100\r\n");
    screen.expect_last("smtp>");
    screen.send("DATA\r");
    told.expect("EHLO x\r\nDATA\r\n");
    told.say("354 go\r\n");
    screen.expect_last("data>");
    screen.send(format!("~r {name}\r"));
    let note = format!("mconnect: {name} has 260 octets, and the server takes messages of up to 100 (SIZE)");
    screen.pty.expect(&note);
    screen.interrupt();
}

#[test]
fn help_without_a_topic_says_what_the_last_reply_means() {
    let server = Server::start().unwrap();
    let mut screen = Screen::start_with(server.port(), &[], &[], (40, 100));
    screen.expect_last("smtp>");
    for line in ["HELO x", "MAIL FROM:<a@b.example>", "RCPT TO:<refused@b.example>"] {
        screen.enter(line, "smtp>");
    }
    screen.enter("~h", "smtp>");
    screen.expect_row("~h smtp lists what else there is help on");
    screen.expect_row("5.1.1   the recipient's mailbox does not exist");
    screen.interrupt();
}

#[cfg(feature = "tls")]
#[test]
fn the_state_says_who_talks_to_whom_what_about_and_how_long_it_took() {
    let server = Setup::new().auth([("user", "pencil")]).start().unwrap();
    let mut screen = Screen::start_with(server.port(), &[], &[], (50, 100));
    screen.expect_last("smtp>");
    screen.enter("EHLO x", "smtp>");
    screen.enter("~a PLAIN user", "password of user:");
    screen.enter("pencil", "smtp>");
    for line in ["MAIL FROM:<a@b.example>", "RCPT TO:<c@d.example>", "RCPT TO:<refused@d.example>", "~s"] {
        screen.enter(line, "smtp>");
    }
    for row in
        ["server    loopback.mconnect.test", "user      user", "from      <a@b.example>", "to        <c@d.example>"]
    {
        screen.expect_row(row);
    }
    let lines = screen.lines(&screen.pty.raw());
    let state: Vec<&String> = lines.iter().skip_while(|line| !line.starts_with("peer ")).collect();
    assert!(state.iter().any(|line| line.starts_with("took ") && line.ends_with(" ms  greeting")), "{state:?}");
    assert!(!state.iter().any(|line| line.contains("refused@")), "{state:?}");
    screen.interrupt();
}
