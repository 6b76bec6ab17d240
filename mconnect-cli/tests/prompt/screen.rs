//! What stands on the screen while lines are edited: nothing is lost, nothing is left over, whatever is typed and
//! whenever the server speaks.

use std::fs;
use std::thread;
use std::time::Duration;

use crate::common::folder::Folder;
use crate::common::keys::{BACKSPACE, CTRL_A, CTRL_E, CTRL_R, CTRL_U, LEFT, RIGHT, paste};
use crate::common::pause;
use crate::common::screen::Screen;
use crate::common::told::Told;
use mconnect_core::server::Server;
use nix::sys::signal::Signal;

const BEGIN_UPDATE: &str = "\x1b[?2026h";
const END_UPDATE: &str = "\x1b[?2026l";

#[track_caller]
fn expect_cursor(screen: &Screen, row: u16, column: u16) {
    screen.pty.wait_for(&format!("the cursor at {row}, {column}"), |bytes| {
        screen.parse(bytes).screen().cursor_position() == (row, column)
    });
}

/// Waits until one of these came after the last one of those.
#[track_caller]
fn expect_after(screen: &Screen, these: &str, those: &str) {
    screen.pty.wait_for(these, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        text.rfind(these) > text.rfind(those)
    });
}

#[test]
fn a_resized_terminal_shows_the_whole_line_at_once_wherever_the_cursor_is() {
    let line = "NOOP 0123456789 abcdefghij 0123456789 abcdefghij";
    for (keys, column) in [("", 54), (CTRL_A, 6), ("\x1b[D\x1b[D\x1b[D", 51), ("\x01\x1b[C\x1b[C\x1b[C", 9)] {
        let (_told, mut screen) = Screen::greeted(&[]);
        screen.send(line);
        screen.expect(&["220 hi", &format!("smtp> {line}")]);
        screen.send(keys);
        expect_cursor(&screen, 1, column);
        for (columns, rows) in [
            (40, &["smtp> NOOP 0123456789 abcdefghij 0123456", "789 abcdefghij"][..]),
            (20, &["smtp> NOOP 012345678", "9 abcdefghij 0123456", "789 abcdefghij"]),
            (100, &["smtp> NOOP 0123456789 abcdefghij 0123456789 abcdefghij"]),
            (30, &["smtp> NOOP 0123456789 abcdefgh", "ij 0123456789 abcdefghij"]),
            (80, &["smtp> NOOP 0123456789 abcdefghij 0123456789 abcdefghij"]),
        ] {
            screen.resize(24, columns);
            screen.expect(&[&["220 hi"], rows].concat());
            expect_cursor(&screen, 1 + column / columns, column % columns);
        }
        screen.resize(24, 20);
        screen.expect_last("789 abcdefghij");
        expect_cursor(&screen, 1 + column / 20, column % 20);
        screen.send(CTRL_A);
        expect_cursor(&screen, 1, 6);
        screen.send(CTRL_E);
        expect_cursor(&screen, 3, 14);
        screen.interrupt();
    }
}

#[test]
fn a_resized_terminal_keeps_the_place_of_the_line_at_its_bottom() {
    let (told, mut screen) = Screen::greeted_with(&[], &[], (6, 40));
    for number in 0..10 {
        told.say(&format!("note {number}\r\n"));
    }
    let line = "NOOP 0123456789 0123456789";
    screen.send(line);
    screen.expect_last(&format!("smtp> {line}"));
    screen.expect_row("note 9");
    expect_cursor(&screen, 5, 32);
    screen.resize(6, 20);
    screen.expect(&["note 6", "note 7", "note 8", "note 9", "smtp> NOOP 012345678", "9 0123456789"]);
    screen.interrupt();
}

#[test]
fn a_tab_in_a_line_of_a_body_takes_the_columns_up_to_the_next_stop_and_gives_them_back() {
    let server = Server::start().unwrap();
    for columns in [80, 12] {
        let mut screen = Screen::start_with(server.port(), &[], &[], (50, columns));
        screen.expect_last("smtp>");
        screen.send("HELO x\rMAIL FROM:<a@b.example>\rRCPT TO:<c@d.example>\rDATA\r");
        screen.expect_last("data>");
        let row = screen.shown().screen().cursor_position().0;
        screen.send("\tx");
        screen.expect_last("data>   x");
        screen.send(format!("{BACKSPACE}{BACKSPACE}"));
        screen.expect_last("data>");
        expect_cursor(&screen, row, 6);
        screen.send(paste("a\tb"));
        screen.expect_last("data> a b");
        screen.send(format!("{LEFT}{LEFT}{BACKSPACE}"));
        screen.expect_last("data>   b");
        screen.send(format!("{CTRL_E}{CTRL_U}\t\t"));
        // The second tab is on the next row, where the rows are that short.
        let (row, column) = if columns == 12 { (row + 1, 8) } else { (row, 16) };
        expect_cursor(&screen, row, column);
        screen.send("end\r");
        screen.expect_last("data>");
        screen.send(".\rQUIT\r");
        assert_eq!(screen.wait(), 0);
        assert_eq!(server.messages().last().unwrap().content, b"\t\tend\r\n");
    }
}

#[test]
fn one_pasted_line_stays_on_the_screen_as_a_typed_one_does() {
    let (told, mut screen) = Screen::greeted(&[]);
    screen.send(paste("NOOP pasted\r"));
    told.expect("NOOP pasted\r\n");
    told.say("250 ok\r\n");
    screen.expect(&["220 hi", "smtp> NOOP pasted", "250 ok", "smtp>"]);
    screen.send("NO");
    screen.send(paste("OP more\r"));
    told.expect("NOOP pasted\r\nNOOP more\r\n");
    told.say("250 ok\r\n");
    screen.expect(&["220 hi", "smtp> NOOP pasted", "250 ok", "smtp> NOOP more", "250 ok", "smtp>"]);
    screen.interrupt();
}

#[test]
fn joined_emoji_leave_no_gap_and_go_out_as_they_were_typed() {
    let (told, mut screen) = Screen::greeted(&[]);
    let text = "x👨\u{200d}👩\u{200d}👧y ❤\u{fe0f}z 👋🏿!";
    screen.send(format!("NOOP {text}"));
    screen.expect_row("smtp> NOOP x👨👩👧y ❤z 👋\u{200b}🏿!");
    expect_cursor(&screen, 1, 6 + 5 + 1 + 6 + 2 + 2 + 1 + 4 + 1);
    assert!(!screen.pty.screen().contains('\u{200d}'), "terminals do not agree on how wide that is");
    screen.send(format!("{LEFT}{LEFT}{BACKSPACE}"));
    screen.expect_row("smtp> NOOP x👨👩👧y ❤z👋\u{200b}🏿!");
    screen.send("\r");
    told.expect(&format!("NOOP {}\r\n", text.replace("z ", "z")));
    screen.interrupt();
}

#[test]
fn a_line_of_the_server_and_the_prompt_after_it_come_in_one_update_of_the_screen() {
    let (told, mut screen) = Screen::greeted(&[]);
    screen.send("NOOP half");
    screen.expect(&["220 hi", "smtp> NOOP half"]);
    screen.pty.look_from_here();
    told.say("unasked\r\n");
    screen.expect(&["220 hi", "unasked", "smtp> NOOP half"]);
    screen.pty.expect(END_UPDATE);
    let shown = screen.pty.screen();
    let update = &shown[shown.find(BEGIN_UPDATE).unwrap()..shown.rfind(END_UPDATE).unwrap()];
    assert_eq!(shown.matches(BEGIN_UPDATE).count(), 1, "{shown:?}");
    assert_eq!(shown.matches(END_UPDATE).count(), 1, "{shown:?}");
    assert!(update.contains("unasked\r\n") && update.ends_with("smtp> NOOP half"), "{update:?}");
    // What came before was drawn for the keys alone.
    assert!(shown.split(BEGIN_UPDATE).next().unwrap().ends_with("half"), "{shown:?}");
    screen.interrupt();
}

#[test]
fn an_update_that_the_end_of_the_session_follows_is_ended() {
    let (told, mut screen) = Screen::greeted(&[]);
    told.say("421 so long\r\n");
    screen.expect_last("closing>");
    told.received();
    screen.expect_last("closed>");
    screen.send("QUIT\r");
    screen.wait();
    expect_after(&screen, END_UPDATE, BEGIN_UPDATE);
}

#[test]
fn a_search_of_the_history_shows_no_hint_as_what_it_found() {
    let state = Folder::new();
    fs::create_dir(state.path().join("mconnect")).unwrap();
    state.write("mconnect/history", "#V2\nMAI\n");
    let told = Told::start();
    let options = ["--color", "always", "--helo", "client.example"];
    let variables = [("XDG_STATE_HOME", state.text())];
    let mut screen = Screen::start_with(told.peer.port, &options, &variables, (24, 80));
    told.say("220 hi\r\n");
    screen.expect_last("smtp> EHLO client.example");
    screen.send(CTRL_R);
    screen.expect_last("(reverse-i-search)`':");
    screen.send("MA");
    screen.expect_last("(reverse-i-search)`MA': MAI");
    screen.send(format!("{CTRL_E}{CTRL_U}"));
    screen.expect_last("smtp> EHLO client.example");
    screen.interrupt();
}

#[test]
fn what_the_server_says_in_a_search_is_shown_after_it_and_the_search_goes_on() {
    let (told, mut screen) = Screen::greeted(&[]);
    screen.send("NOOP find me\r");
    told.expect("NOOP find me\r\n");
    told.say("250 ok\r\n");
    screen.expect_last("smtp>");
    screen.send(format!("{CTRL_R}fi"));
    screen.expect_last("(reverse-i-search)`fi': NOOP find me");
    told.say("unasked\r\n");
    screen.send("nd");
    screen.expect_last("(reverse-i-search)`find': NOOP find me");
    screen.send(CTRL_E);
    screen.expect_row("unasked");
    screen.expect_last("smtp> NOOP find me");
    screen.interrupt();
}

#[test]
fn escape_and_a_command_of_vi_lose_no_key_however_fast() {
    for (keys, line) in [
        ("xy\x1bxaZ", "NOOP xZ"),
        ("xy\x1biZ", "NOOP xZy"),
        ("xy\x1b\x1biZ", "NOOP xZy"),
        ("xy\x1baZ", "NOOP xyZ"),
        ("xy\x1bIZ", "ZNOOP xy"),
        ("xy\x1b0iZ", "ZNOOP xy"),
        ("xy\x1bAZ", "NOOP xyZ"),
        ("xy\x1bhiZ", "NOOP Zxy"),
        ("xy\x1b0\x1bxiZ", "ZOOP xy"),
        ("xy\x1b0\x1b$iZ", "NOOP xyZ"),
        ("xy\x1b", "NOOP xy"),
    ] {
        // All at once, and as fast as a hand is.
        for pace in [Duration::ZERO, Duration::from_millis(40)] {
            let (told, mut screen) = Screen::greeted(&["--edit-mode", "vi"]);
            screen.type_apart(format!("NOOP {keys}\r").as_bytes(), pace);
            told.expect(&format!("{line}\r\n"));
            screen.interrupt();
        }
    }
}

#[test]
fn cr_lf_makes_no_empty_lines_through_a_multiplexer_or_without_the_marks_of_a_paste() {
    for keys in [
        paste("NOOP 1\r\rNOOP 2\r\r"),
        paste("NOOP 1\r\nNOOP 2\r\n"),
        paste("NOOP 1\nNOOP 2\n"),
        "NOOP 1\r\nNOOP 2\r\n".to_owned(),
    ] {
        let (told, mut screen) = Screen::greeted(&[]);
        screen.send(&keys);
        told.expect("NOOP 1\r\n");
        told.say("250 1\r\n");
        told.expect("NOOP 1\r\nNOOP 2\r\n");
        told.say("250 2\r\n");
        screen.expect_row("250 2");
        screen.send("NOOP 3\r");
        told.expect("NOOP 1\r\nNOOP 2\r\nNOOP 3\r\n");
        screen.interrupt();
    }
}

#[test]
fn no_key_is_lost_while_the_server_talks_every_50_ms() {
    let (told, mut screen) = Screen::greeted_with(&[], &[], (400, 80));
    let words = told.words.clone();
    let talking = thread::spawn(move || {
        for number in 0..80 {
            words.send(format!("line {number}\r\n")).unwrap();
            pause(Duration::from_millis(50));
        }
    });
    let mut expected = String::from("NOOP ");
    screen.send("NOOP ");
    // The bytes of a key apart from each other, too: an arrow, and a character of three bytes.
    for number in 0..90 {
        let (keys, typed) = match number % 3 {
            0 => (b"a".to_vec(), "a"),
            1 => ("世".as_bytes().to_vec(), "世"),
            _ => ([b"x", LEFT.as_bytes(), RIGHT.as_bytes()].concat(), "x"),
        };
        expected.push_str(typed);
        screen.type_apart(&keys, Duration::from_millis(11));
    }
    talking.join().unwrap();
    screen.expect_row("line 79");
    screen.send("\r");
    told.expect(&format!("{expected}\r\n"));
    let shown = screen.lines(&screen.pty.raw());
    for number in 0..80 {
        let line = format!("line {number}");
        assert_eq!(shown.iter().filter(|row| **row == line).count(), 1, "{line}: {shown:#?}");
    }
    screen.interrupt();
}

#[test]
fn a_signal_ends_it_in_a_search_and_in_a_paste_without_an_end() {
    for keys in [CTRL_R, "\x1b[200~NOOP", "\x16", "\x18", "\x1b"] {
        let (_told, mut screen) = Screen::greeted(&[]);
        screen.send("NOOP x\r");
        screen.expect_last("smtp, 1 due>");
        screen.send(keys);
        if keys == CTRL_R {
            screen.expect_last("(reverse-i-search)`':");
        }
        screen.pty.signal(Signal::SIGTERM);
        assert_eq!(screen.wait(), -(Signal::SIGTERM as i32), "{keys:?}");
        expect_after(&screen, "\x1b[?2004l", "\x1b[?2004h");
    }
}
