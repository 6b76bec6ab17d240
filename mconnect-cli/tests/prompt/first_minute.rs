//! What somebody sees who has typed nothing here yet: what helps, and suggestions that work when they are taken.

use crate::common::folder::Folder;
use crate::common::keys::{CTRL_C, CTRL_R, RIGHT, UP};
use crate::common::screen::Screen;
use crate::common::told::Told;
use mconnect_core::server::Server;

const OPENING: &str = "→ takes the suggestion, Tab completes, ~? lists more, QUIT ends";

#[test]
fn the_opening_says_what_helps_until_something_was_typed_and_only_what_is_there() {
    let (state, server) = (Folder::new(), Server::start().unwrap());
    let variables = [("XDG_STATE_HOME", state.text())];
    let start = |options: &[&str]| {
        let screen = Screen::loud_with(server.port(), options, &variables, (24, 100));
        screen.expect_row("220 loopback.mconnect.test ESMTP mconnect loopback server");
        screen
    };
    let mut plain = start(&[]);
    plain.expect_row("Tab completes, ~? lists more, QUIT ends");
    plain.interrupt();
    let mut without = start(&["--color", "always", "--no-escapes"]);
    without.expect_row("→ takes the suggestion, Tab completes, QUIT ends");
    without.interrupt();
    let mut quiet = start(&["--quiet"]);
    quiet.expect_last("smtp>");
    assert!(!quiet.seen().contains("Tab completes"), "{}", quiet.seen());
    quiet.interrupt();

    let mut first = start(&["--color", "always", "--helo", "client.example"]);
    first.expect_row(OPENING);
    first.enter("NOOP", "smtp> EHLO client.example");
    first.interrupt();
    let mut second = start(&["--color", "always", "--helo", "client.example"]);
    second.expect_last("smtp> EHLO client.example");
    assert!(!second.seen().contains("Tab completes"), "{}", second.seen());
    second.interrupt();
}

#[test]
fn a_suggestion_that_is_taken_is_a_whole_line_with_the_name_that_was_used_before() {
    let told = Told::start();
    let mut screen = Screen::start(told.peer.port, &["--color", "always"]);
    told.say("220 hi\r\n");
    screen.expect_row("220 hi");
    screen.send("EHLO my.example\r");
    told.expect("EHLO my.example\r\n");
    told.say("502 what\r\n");
    screen.expect_last("smtp> HELO my.example");
    screen.send(format!("{RIGHT}\r"));
    told.expect("EHLO my.example\r\nHELO my.example\r\n");
    told.say("250 hello\r\n");
    screen.expect_last("smtp> MAIL FROM:<SENDER> [PARAMETERS]");
    screen.send("EHL");
    screen.expect_last("smtp> EHLO my.example");
    screen.send(format!("{RIGHT}\r"));
    told.expect("EHLO my.example\r\nHELO my.example\r\nEHLO my.example\r\n");
    screen.interrupt();
}

#[test]
fn words_that_are_not_smtps_go_out_like_any_line_and_what_helps_follows_the_refusal() {
    let told = Told::start();
    let mut screen = Screen::start(told.peer.port, &["--color", "always", "--helo", "x.example"]);
    told.say("220 hi\r\n");
    screen.expect_last("smtp> EHLO x.example");
    let mut sent = String::new();
    for (word, next) in [("exit", "smtp> QUIT"), ("bye", "smtp> QUIT"), ("", "smtp> EHLO x.example")] {
        // Without the quiet it says so in words, too.
        screen.send(format!("{word}\r"));
        sent += &format!("{word}\r\n");
        told.expect(&sent);
        told.say("500 what?\r\n");
        screen.expect_last(if word.is_empty() { "smtp> QUIT" } else { next });
    }
    screen.interrupt();

    let told = Told::start();
    let mut loud = Screen::loud(told.peer.port, &[]);
    told.say("220 hi\r\n");
    loud.expect_row("220 hi");
    loud.send("exit\r");
    told.expect("exit\r\n");
    told.say("500 what?\r\n");
    loud.expect_row("  QUIT ends the session");
    loud.interrupt();
}

#[test]
fn what_telnet_taught_to_leave_by_leaves() {
    let server = Server::start().unwrap();
    let mut screen = Screen::start(server.port(), &[]);
    screen.expect_last("smtp>");
    screen.send("\x1dquit\r");
    assert_eq!(screen.wait(), 0);
}

#[test]
fn no_line_is_called_back_inside_a_body_and_no_line_of_a_body_ever() {
    for mode in ["emacs", "vi"] {
        let (state, server) = (Folder::new(), Server::start().unwrap());
        let variables = [("XDG_STATE_HOME", state.text())];
        let mut screen = Screen::start_with(server.port(), &["--edit-mode", mode], &variables, (24, 80));
        screen.expect_last("smtp>");
        screen.send("HELO x\rMAIL FROM:<a@b.example>\rRCPT TO:<c@d.example>\rDATA\r");
        screen.expect_last("data>");
        screen.send(format!("Subject: kept nowhere\r{UP}x"));
        screen.expect_last("data> x");
        screen.send(format!("{UP}{CTRL_R}y"));
        screen.expect_last("data> xy");
        screen.send("\r.\r");
        screen.expect_last("smtp>");
        screen.send(UP);
        screen.expect_last("smtp> DATA");
        screen.send(CTRL_C);
        screen.wait();
        assert_eq!(state.history(), "#V2\nHELO x\nMAIL FROM:<a@b.example>\nRCPT TO:<c@d.example>\nDATA\n");
        assert_eq!(server.messages()[0].content, b"Subject: kept nowhere\r\nxy\r\n");
    }
}
