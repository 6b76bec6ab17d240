//! What the prompt keeps of what was typed, for whom, and what it never keeps.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::common::folder::Folder;
use crate::common::keys::{CTRL_C, UP, paste};
use crate::common::screen::Screen;
use mconnect_core::server::Server;

#[test]
fn history_keeps_a_thousand_lines() {
    let state = Folder::new();
    let folder = state.path().join("mconnect");
    fs::create_dir(&folder).unwrap();
    let kept: String = (0..1500).map(|number| format!("NOOP {number}\n")).collect();
    fs::write(folder.join("history"), format!("#V2\n{kept}")).unwrap();
    let (told, mut screen) = Screen::greeted_with(&[], &[("XDG_STATE_HOME", state.text())], (24, 80));
    screen.send("NOOP new\r");
    told.expect("NOOP new\r\n");
    screen.send(CTRL_C);
    screen.wait();
    let history = state.history();
    assert!(history.ends_with("NOOP 1499\nNOOP new\n"), "{}", history.len());
    assert!(history.lines().count() <= 1001, "{} lines", history.lines().count());
}

#[test]
fn history_is_the_users_alone_and_holds_no_secret() {
    let state = Folder::new();
    let variables = [("XDG_STATE_HOME", state.text())];
    let (told, mut screen) = Screen::greeted_with(&[], &variables, (24, 80));
    screen.send("NOOP one\r");
    told.expect("NOOP one\r\n");
    told.say("250 ok\r\n");
    screen.expect_last("smtp>");
    screen.send("AUTH LOGIN c2VjcmV0\r");
    told.expect("NOOP one\r\nAUTH LOGIN c2VjcmV0\r\n");
    told.say("334 UGFzc3dvcmQ6\r\n");
    screen.expect_last("auth, hidden>");
    screen.send(format!("aGlkXX\x7f\x7f{}\r", paste("ZGVu\n")));
    told.expect("NOOP one\r\nAUTH LOGIN c2VjcmV0\r\naGlkZGVu\r\n");
    assert!(!screen.pty.screen().contains("aGlk"), "an answer is not shown");
    told.say("334 again\r\n");
    screen.expect_row("334 again");
    screen.expect_last("auth, hidden>");
    screen.send("~v\r");
    screen.expect_last("auth>");
    screen.send("dmlzaWJsZQ==");
    screen.expect_last("auth> dmlzaWJsZQ==");
    screen.send("\r");
    told.expect("NOOP one\r\nAUTH LOGIN c2VjcmV0\r\naGlkZGVu\r\ndmlzaWJsZQ==\r\n");
    told.say("235 in\r\n");
    screen.expect_last("smtp>");
    screen.send(format!("{UP}{UP}"));
    screen.expect_last("smtp> NOOP one");
    screen.send(CTRL_C);
    screen.wait();
    assert_eq!(state.history(), "#V2\nNOOP one\nAUTH LOGIN\n");
    let mode = |path: &str| fs::metadata(state.path().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("mconnect"), mode("mconnect/history")), (0o700, 0o600));
}

#[test]
fn half_an_answer_is_neither_sent_as_a_command_nor_kept() {
    for (words, status) in [("421 too slow\r\n", 75), ("", 76)] {
        let state = Folder::new();
        let variables = [("XDG_STATE_HOME", state.text())];
        let (told, mut screen) = Screen::greeted_with(&[], &variables, (24, 80));
        screen.send("AUTH LOGIN\r");
        told.expect("AUTH LOGIN\r\n");
        told.say("334 go\r\n");
        screen.expect_last("auth, hidden>");
        screen.send("~v\r");
        screen.expect_last("auth>");
        screen.send("c2Vj");
        screen.expect_last("auth> c2Vj");
        if !words.is_empty() {
            told.say(words);
            screen.expect_last("closing> c2Vj");
            screen.send("\r");
            screen.expect_row("mconnect: the server is closing: ~o opens the session again");
        }
        assert_eq!(told.received(), "AUTH LOGIN\r\n");
        screen.expect_last("closed>");
        // What is typed on is still the answer.
        screen.send("cmV0\r");
        screen.enter("QUIT", "closed> QUIT");
        assert_eq!(screen.wait(), status);
        assert!(!screen.seen().contains("cmV0"));
        assert_eq!(state.history(), "#V2\nAUTH LOGIN\n");
    }
}

#[test]
fn sessions_at_once_keep_each_others_history_and_duplicates_are_folded() {
    let state = Folder::new();
    let variables = [("XDG_STATE_HOME", state.text())];
    let server = Server::start().unwrap();
    let mut screens: Vec<Screen> =
        (0..2).map(|_| Screen::start_with(server.port(), &[], &variables, (24, 80))).collect();
    for screen in &screens {
        screen.expect_last("smtp>");
    }
    for (index, text) in [(0, "a"), (1, "b"), (0, "c"), (0, "c"), (1, "d")] {
        screens[index].send(format!("NOOP {text}\r"));
        screens[index].pty.expect("250 ");
        screens[index].expect_last("smtp>");
    }
    for screen in &mut screens {
        screen.send("QUIT\r");
        assert_eq!(screen.wait(), 0);
    }
    let history = state.history();
    for line in ["NOOP a\n", "NOOP b\n", "NOOP c\n", "NOOP d\n"] {
        assert_eq!(history.matches(line).count(), 1, "{history}");
    }
    let mut screen = Screen::start_with(server.port(), &["--no-history"], &variables, (24, 80));
    screen.expect_last("smtp>");
    screen.send("NOOP not kept\r");
    screen.pty.expect("250 ");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
    assert_eq!(state.history(), history);
}
