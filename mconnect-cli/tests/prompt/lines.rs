//! The prompt on a real pseudo-terminal, as a terminal emulator shows it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::keys::{CTRL_A, CTRL_C, CTRL_D, CTRL_R, CTRL_Z, LEFT, RIGHT, UP, paste};
use crate::common::screen::{Folder, Screen};
use crate::common::told::Told;
use crate::common::{MCONNECT, PATIENCE, Pty};
use mconnect_core::server::Server;
use nix::sys::signal::Signal;

#[test]
fn a_session_is_typed_and_the_prompt_follows_its_phase() {
    let server = Server::start().unwrap();
    let mut screen = Screen::start(server.port(), &[]);
    screen.expect_last("smtp>");
    for (line, prompt) in [
        ("EHLO client.example", "smtp>"),
        ("MAIL FROM:<a@example.org>", "smtp>"),
        ("RCPT TO:<b@example.org>", "smtp>"),
        ("DATA", "data, . ends>"),
        ("quit", "data, . ends>"),
        ("a\ttab", "data, . ends>"),
        (".", "smtp>"),
    ] {
        screen.send(format!("{line}\r"));
        screen.pty.expect("\r\n");
        screen.expect_last(prompt);
    }
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
    screen.expect_row("221 2.0.0 goodbye");
    assert_eq!(server.messages()[0].content, b"quit\r\na\ttab\r\n");
}

#[test]
fn what_the_server_says_appears_above_a_half_typed_line_with_the_cursor_where_it_was() {
    let told = Told::start();
    let mut screen = Screen::start(told.peer.port, &[]);
    told.say("220 hi\r\n");
    screen.expect(&["220 hi", "smtp>"]);
    screen.send(format!("NOOP half{LEFT}{LEFT}"));
    screen.expect(&["220 hi", "smtp> NOOP half"]);
    screen.pty.wait_for("the cursor moved", |bytes| screen.parse(bytes).screen().cursor_position() == (1, 13));
    told.say("250-unasked\r\n250-all of it\r\n");
    screen.expect(&["220 hi", "250-unasked", "250-all of it", "smtp> NOOP half"]);
    screen.pty.wait_for("the cursor back", |bytes| screen.parse(bytes).screen().cursor_position() == (3, 13));
    screen.send("X\r");
    told.expect("NOOP haXlf\r\n");
    told.say("421 closing\r\n");
    screen.expect_last("closing>");
    assert_eq!(told.received(), "NOOP haXlf\r\n");
    screen.expect_last("closed>");
    screen.send(CTRL_D);
    assert_eq!(screen.wait(), 75);
}

#[test]
fn when_the_server_closes_its_last_words_are_shown_and_the_line_stays_at_the_prompt() {
    for (words, status) in [("421 too long\r\n", 75), ("", 76)] {
        let state = Folder::new();
        let variables = [("XDG_STATE_HOME", state.text())];
        let (told, mut screen) = Screen::greeted_with(&[], &variables, (24, 80));
        screen.send("MAIL FROM:<half");
        screen.expect_last("smtp> MAIL FROM:<half");
        if !words.is_empty() {
            told.say(words);
        }
        told.received();
        screen.expect_last("closed> MAIL FROM:<half");
        if !words.is_empty() {
            screen.expect_row(words.trim_end());
        }
        screen.send("\r");
        screen.expect_row("mconnect: the connection is closed: ~o opens the session again, QUIT leaves");
        screen.send(CTRL_C);
        assert_eq!(screen.wait(), status);
        let rows = screen.lines(&screen.pty.raw());
        assert_eq!(rows.iter().filter(|row| row.as_str() == words.trim_end()).count(), usize::from(!words.is_empty()));
        assert!(state.history().contains("MAIL FROM:<half\n"), "{:?}", state.history());
    }
}

#[test]
fn a_slow_reply_does_not_keep_the_prompt_and_the_prompt_says_that_it_is_due() {
    let told = Told::start();
    let mut screen = Screen::start(told.peer.port, &[]);
    screen.expect_last("greeting, 1 due>");
    told.say("220 hi\r\n");
    screen.expect(&["220 hi", "smtp>"]);
    screen.send("NOOP 1\r");
    screen.expect_last("smtp, 1 due>");
    screen.send("NOOP 2\r");
    screen.expect_last("smtp, 2 due>");
    told.expect("NOOP 1\r\nNOOP 2\r\n");
    told.say("250 1\r\n250 2\r\n");
    screen.expect(&["220 hi", "smtp> NOOP 1", "smtp, 1 due> NOOP 2", "250 1", "250 2", "smtp>"]);
    screen.send(CTRL_D);
    told.received();
    assert_eq!(screen.wait(), 0);
}

#[test]
fn type_ahead_is_neither_lost_nor_shown_twice() {
    let told = Told::start();
    let mut screen = Screen::start(told.peer.port, &[]);
    screen.expect_last("greeting, 1 due>");
    screen.send("NOOP 1\rNOOP 2\rNO");
    screen.expect_row("greeting, 1 due> NOOP 1");
    told.say("220 hi\r\n");
    told.expect("NOOP 1\r\nNOOP 2\r\n");
    told.say("250 1\r\n250 2\r\n");
    screen.expect_last("smtp> NO");
    let shown = screen.lines(&screen.pty.raw()).join("\n");
    assert_eq!(shown.matches("NOOP 1").count() + shown.matches("NOOP 2").count(), 2, "{shown}");
    screen.send("OP 3\r");
    told.expect("NOOP 1\r\nNOOP 2\r\nNOOP 3\r\n");
    screen.interrupt();
}

#[test]
fn ctrl_c_closes_at_once_at_the_prompt_and_while_a_reply_is_awaited() {
    let (told, mut screen) = Screen::greeted(&[]);
    screen.send("STARTTLS\r");
    told.expect("STARTTLS\r\n");
    screen.interrupt();
    assert_eq!(told.received(), "STARTTLS\r\n");
}

#[test]
fn ctrl_d_half_closes_and_shows_what_still_comes() {
    let (told, mut screen) = Screen::greeted(&[]);
    screen.send(format!("x{CTRL_A}{CTRL_D}{CTRL_D}"));
    // The server sees the end of the input, and only then speaks.
    while told.reads.recv_timeout(PATIENCE).is_ok() {}
    told.say("421 goodbye\r\n");
    told.received();
    assert_eq!(screen.wait(), 0);
    screen.expect_row("421 goodbye");
}

#[test]
fn ctrl_z_suspends_and_the_line_comes_back() {
    let (told, mut screen) = Screen::greeted(&[]);
    screen.send("NOOP ha");
    screen.expect_last("smtp> NOOP ha");
    screen.send(CTRL_Z);
    screen.pty.expect_settings(|settings| settings == &screen.pty.before);
    told.say("250-meanwhile\r\n");
    screen.pty.signal(Signal::SIGCONT);
    screen.expect_row("250-meanwhile");
    screen.expect_last("smtp> NOOP ha");
    screen.send("lf\r");
    told.expect("NOOP half\r\n");
    screen.interrupt();
}

#[test]
fn fg_brings_the_prompt_back_under_a_shell() {
    let told = Told::start();
    let state = Folder::new();
    let variables = [("TERM", "xterm"), ("XDG_STATE_HOME", state.text())];
    let pty = Pty::start_with("bash", &["--norc", "--noprofile", "--noediting", "-i"], &variables);
    let mut screen = Screen { pty, rows: 24, columns: 80, sizes: Vec::new() };
    let command = format!("{MCONNECT} --quiet --color never -p {} 127.0.0.1", told.peer.port);
    screen.send(format!("PS1='ready> '\rstty rows 24 cols 80; {command}; echo status $?\r"));
    told.say("220 hi\r\n");
    screen.expect_last("smtp>");
    screen.send("NOOP ha");
    screen.expect_last("smtp> NOOP ha");
    screen.send(CTRL_Z);
    screen.expect_last("ready>");
    screen.send("echo in the shell\r");
    screen.expect_row("in the shell");
    screen.send("fg\r");
    screen.expect_last("smtp> NOOP ha");
    screen.send("lf\r");
    told.expect("NOOP half\r\n");
    screen.send(CTRL_C);
    screen.expect_last("ready>");
    screen.send("exit\r");
    screen.wait();
}

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
fn a_file_is_sent_as_command_lines_or_as_the_octets_of_a_chunk() {
    let folder = Folder::new();
    let file = folder.path().join("lines");
    fs::write(&file, "NOOP a\nNOOP b\n").unwrap();
    let server = Server::play(
        "S: 220 hi\nC: NOOP a\nS: 250 a\nC: NOOP b\nS: 250 b\nC: BDAT 14 LAST\nC> NOOP a\\nNOOP b\\n\nS: 250 taken\nC: QUIT\nS: 221 bye",
    )
    .unwrap();
    let mut screen = Screen::start(server.port(), &[]);
    screen.expect_last("smtp>");
    screen.send(format!("~r {}\r", file.display()));
    screen.expect_row("250 b");
    screen.expect_last("smtp>");
    screen.send("BDAT 14 LAST\r");
    screen.expect_last("bdat, 14 left>");
    screen.send(format!("~r {}\r", file.display()));
    screen.expect_row("250 taken");
    screen.expect_last("smtp>");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
    server.join().unwrap();
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

#[test]
fn lines_are_edited_and_searched_with_the_keys_of_emacs_or_vi() {
    let (told, mut screen) = Screen::greeted(&[]);
    screen.send(format!("OP grüße 世界{CTRL_A}NO\r"));
    told.expect("NOOP grüße 世界\r\n");
    told.say("250 ok\r\n");
    screen.expect_row("250 ok");
    screen.send(format!("{CTRL_R}gr"));
    screen.pty.expect("reverse-i-search");
    screen.send("\r");
    told.expect("NOOP grüße 世界\r\nNOOP grüße 世界\r\n");
    screen.send(CTRL_C);
    screen.wait();

    let (told, mut screen) = Screen::greeted(&["--edit-mode", "vi"]);
    screen.send("OP x\x1b");
    screen.expect_last("smtp> OP x");
    screen.pty.wait_for("command mode", |bytes| screen.parse(bytes).screen().cursor_position() == (1, 9));
    screen.send("0iNO\r");
    told.expect("NOOP x\r\n");
    screen.send(CTRL_C);
    screen.wait();
}

#[test]
fn two_thousand_lines_while_typing_are_all_shown_in_order_and_the_line_is_intact() {
    let (told, mut screen) = Screen::greeted_with(&[], &[], (2500, 80));
    let line = "NOOP typed while the server speaks";
    let mut keys = line.chars();
    let mut expected = vec!["220 hi".to_owned()];
    for number in 0..2000 {
        told.say(&format!("250-line {number}\r\n"));
        expected.push(format!("250-line {number}"));
        if number % 50 == 0 {
            screen.send(keys.next().map(String::from).unwrap_or_default());
        }
        if number % 400 == 0 {
            screen.pty.expect(&format!("250-line {number}\r\n"));
        }
    }
    screen.send(keys.as_str());
    screen.pty.expect("250-line 1999\r\n");
    expected.push(format!("smtp> {line}"));
    screen.expect_last(&expected[2001]);
    assert_eq!(screen.lines(&screen.pty.raw()), expected);
    screen.send("\r");
    told.expect(&format!("{line}\r\n"));
    screen.send(CTRL_C);
    screen.wait();
}

#[test]
fn a_line_of_the_server_is_on_the_screen_within_50_ms() {
    let (told, mut screen) = Screen::greeted(&[]);
    screen.send("half");
    screen.expect_last("smtp> half");
    let mut times: Vec<Duration> = (0..9)
        .map(|number| {
            let begun = Instant::now();
            told.say(&format!("250-{number}.\r\n"));
            screen.pty.expect(&format!("250-{number}.\r\n"));
            let took = begun.elapsed();
            // The line is back before the next one comes.
            screen.pty.expect("smtp> half");
            took
        })
        .collect();
    times.sort();
    println!("median {:?}, longest {:?}", times[4], times[8]);
    assert!(times[4] < Duration::from_millis(50), "{times:?}");
    screen.send(CTRL_C);
    screen.wait();
}

#[test]
fn a_key_is_on_the_screen_within_50_ms_whether_or_not_the_server_talks() {
    for is_talking in [false, true] {
        let (told, mut screen) = Screen::greeted(&[]);
        screen.send("NOOP ");
        screen.expect_last("smtp> NOOP");
        let mut times: Vec<Duration> = ('a'..='z')
            .enumerate()
            .map(|(number, key)| {
                if is_talking && number % 3 == 0 {
                    told.say("250-talk\r\n");
                }
                screen.pty.look_from_here();
                let begun = Instant::now();
                screen.send(key.to_string());
                screen.pty.expect(&key.to_string());
                begun.elapsed()
            })
            .collect();
        times.sort();
        println!("talking: {is_talking}; median {:?}, longest {:?}", times[13], times[25]);
        assert!(times[13] < Duration::from_millis(50), "{times:?}");
        screen.expect_last("smtp> NOOP abcdefghijklmnopqrstuvwxyz");
        screen.interrupt();
        told.received();
    }
}

#[test]
fn a_pasted_body_of_5000_lines_arrives_byte_for_byte() {
    let server = Server::start().unwrap();
    for is_marked in [true, false] {
        let mut screen = Screen::start(server.port(), &[]);
        screen.expect_last("smtp>");
        screen.send("EHLO x\rMAIL FROM:<a@b.example>\rRCPT TO:<c@d.example>\rDATA\r");
        screen.expect_last("data, . ends>");
        let body: String = (0..5000).map(|number| format!("{number}\tline ~x Grüße 世界 ..\n~.\n")).collect();
        let keys = if is_marked { paste(&body) } else { body.replace('\n', "\r") };
        // Without marks, an escape is one.
        let keys = if is_marked { keys } else { keys.replace("~.", "~~.") };
        let mut pty = screen.pty.keyboard();
        let typing = thread::spawn(move || pty.write_all((keys + ".\r").as_bytes()).unwrap());
        screen.pty.expect("250 2.0.0");
        typing.join().unwrap();
        screen.expect_last("smtp>");
        screen.send("QUIT\r");
        assert_eq!(screen.wait(), 0);
        let content = String::from_utf8(server.messages().last().unwrap().content.clone()).unwrap();
        assert!(content == body.replace('\n', "\r\n"), "{} octets for {}", content.len(), body.len() + 10000);
    }
}

#[test]
fn a_long_line_that_is_typed_does_not_cost_the_square_of_its_length() {
    let (told, mut screen) = Screen::greeted(&[]);
    let line = format!("NOOP {}", "x".repeat(12_000));
    screen.send(format!("{line}\r"));
    told.expect(&format!("{line}\r\n"));
    screen.interrupt();
    told.received();
}

#[test]
fn a_pasted_script_goes_in_step_and_a_refused_body_is_passed_over() {
    let (told, mut screen) = Screen::greeted(&[]);
    screen.send(paste("NOOP 1\nDATA\nquit\n.\n~.\nNOOP ha"));
    told.expect("NOOP 1\r\n");
    told.say("250 1\r\n");
    told.expect("NOOP 1\r\nDATA\r\n");
    told.say("503 no\r\n");
    // In a paste, a tilde is a tilde.
    told.expect("NOOP 1\r\nDATA\r\n~.\r\n");
    told.say("500 no\r\n");
    screen.pty.expect("mconnect: DATA was refused: 9 octets of the paste, up to the lone dot, were not sent");
    screen.expect_last("smtp> NOOP ha");
    screen.send(format!("{}\r", paste("lf")));
    told.expect("NOOP 1\r\nDATA\r\n~.\r\nNOOP half\r\n");
    screen.send(CTRL_C);
    screen.wait();
}

#[test]
fn a_terminal_of_20_columns_wraps_and_follows_its_size() {
    let (told, mut screen) = Screen::greeted_with(&[], &[], (24, 20));
    screen.send("NOOP 世界 e\u{301} 12345678");
    screen.expect(&["220 hi", "smtp> NOOP 世界 e\u{301} 12", "345678"]);
    told.say("250-unasked\r\n");
    screen.expect(&["220 hi", "250-unasked", "smtp> NOOP 世界 e\u{301} 12", "345678"]);
    screen.send(format!("{CTRL_A}{RIGHT}X"));
    told.say("250-again\r\n");
    screen.expect(&["220 hi", "250-unasked", "250-again", "smtp> NXOOP 世界 e\u{301} 1", "2345678"]);
    screen.pty.resize(24, 40);
    screen.columns = 40;
    screen.send("\r");
    told.expect("NXOOP 世界 e\u{301} 12345678\r\n");
    told.say("250 ok\r\n");
    screen.pty.expect("250 ok");
    screen.send("NOOP a line of more than twenty columns");
    let wide = ["smtp> NOOP a line of more than twenty co", "lumns"];
    screen.pty.wait_for("two rows", |bytes| {
        let rows = screen.lines(bytes);
        rows.ends_with(&wide.map(str::to_owned))
    });
    screen.send(CTRL_C);
    screen.wait();
}

#[test]
fn chunks_are_typed_and_the_prompt_counts_them_down() {
    let (told, mut screen) = Screen::greeted(&[]);
    screen.send("BDAT 12\r");
    screen.expect_last("bdat, 12 left>");
    screen.send("quit\r");
    screen.expect_last("bdat, 6 left>");
    screen.send("1234\r");
    told.expect("BDAT 12\r\nquit\r\n1234\r\n");
    told.say("250 ok\r\n");
    screen.expect_last("smtp>");
    screen.send("BDAT 1\r");
    screen.expect_last("bdat, 1 left>");
    screen.send("éx\r");
    screen.expect_row("mconnect: the chunk ended inside a character: the rest of that was not sent");
    told.say("250 ok\r\n");
    screen.expect_last("smtp> x");
    screen.send(CTRL_C);
    screen.wait();
}

#[test]
fn starttls_keeps_the_prompt_shut_until_its_reply() {
    let (told, mut screen) = Screen::greeted(&[]);
    screen.send("STARTTLS\rNOOP too early\r");
    told.expect("STARTTLS\r\n");
    told.say("454 not now\r\n");
    screen.expect_row("mconnect: what was typed ahead was dropped");
    screen.send("NOOP in time\r");
    told.expect("STARTTLS\r\nNOOP in time\r\n");
    screen.send(CTRL_C);
    screen.wait();
}

#[test]
fn the_prompt_is_shut_whatever_else_is_due_before_the_reply_that_matters() {
    for (line, replies) in [
        ("STARTTLS", ["250 STARTTLS", "454 not now"]),
        ("AUTH LOGIN", ["250 AUTH LOGIN", "502 no"]),
        ("QUIT", ["250 ok", "500 never"]),
    ] {
        let (told, mut screen) = Screen::greeted(&[]);
        screen.send("EHLO x\r");
        // A slow reply does not keep the prompt.
        screen.expect_last("smtp, 1 due>");
        let sent = format!("EHLO x\r\n{line}\r\n");
        screen.send(format!("{line}\r"));
        told.expect(&sent);
        screen.send("cGFzc3dvcmQ=\r");
        told.say(&format!("{}\r\n", replies[0]));
        screen.expect_row(replies[0]);
        told.say(&format!("{}\r\n", replies[1]));
        screen.expect_row(replies[1]);
        if line != "QUIT" {
            screen.expect_row("mconnect: what was typed ahead was dropped");
            screen.send(CTRL_C);
        }
        screen.wait();
        assert_eq!(told.received(), sent);
    }
}

#[test]
fn a_paste_ends_where_what_it_was_meant_for_is_refused() {
    let (told, mut screen) = Screen::greeted(&[]);
    screen.send("\x1b[200~AUTH LOGIN\rdXNlcg==\rcGFzc3dvcmQ=\r\x1b[201~");
    told.expect("AUTH LOGIN\r\n");
    told.say("502 no\r\n");
    screen.pty.expect("mconnect: AUTH was refused, which ends the paste: 502 no; not sent: 2 lines of the input (");
    screen.send(CTRL_C);
    screen.wait();
    assert_eq!(told.received(), "AUTH LOGIN\r\n");
}

#[test]
fn completion_and_hints_follow_what_the_server_advertised() {
    let told = Told::start();
    let mut screen = Screen::start(told.peer.port, &["--color", "always", "--helo", "[127.0.0.1]"]);
    told.say("220 hi\r\n");
    screen.expect_last("smtp> EHLO [127.0.0.1]");
    let dim = |screen: &Screen, row, column| screen.shown().screen().cell(row, column).unwrap().dim();
    assert!(dim(&screen, 1, 7), "a hint is dim");
    screen.send(format!("{RIGHT}\r"));
    told.expect("EHLO [127.0.0.1]\r\n");
    told.say("250-x\r\n250-SIZE\r\n250 AUTH PLAIN XTEST\r\n");
    screen.expect_last("smtp> MAIL FROM:<");
    screen.send("AUTH X\t");
    screen.expect_last("smtp> AUTH XTEST");
    screen.send("\x15mail f\ta@b> s\t10\r");
    told.expect("EHLO [127.0.0.1]\r\nmail from:<a@b> size=10\r\n");
    told.say("250 ok\r\n");
    screen.expect_last("smtp> RCPT TO:<");
    screen.send("VRFY a\t\r");
    told.expect("EHLO [127.0.0.1]\r\nmail from:<a@b> size=10\r\nVRFY a@b\r\n");
    told.say("252 ok\r\n");
    // What is not advertised goes out as typed.
    screen.send("XODD\r");
    told.expect("EHLO [127.0.0.1]\r\nmail from:<a@b> size=10\r\nVRFY a@b\r\nXODD\r\n");
    screen.send(CTRL_C);
    screen.wait();
}

#[test]
fn escapes_help_tell_and_send() {
    let folder = Folder::new();
    let file = folder.path().join("message.eml");
    fs::write(&file, "Subject: x\n\n.dot\nno end").unwrap();
    let file = file.to_str().unwrap();
    let server = Server::start().unwrap();
    let mut screen = Screen::start_with(server.port(), &[], &[], (50, 80));
    screen.expect_last("smtp>");
    for (keys, shown) in [
        ("~?\r", "~.          close at once"),
        ("~h RCPT\r", "RCPT TO:<recipient>"),
        ("~h 550\r", "550\t"),
        ("~e\r", "nothing is advertised: EHLO asks for it"),
        ("EHLO x\r", "250 HELP"),
        ("~e\r", "\nHELP"),
        ("~s\r", "replies   0 due"),
        ("~q\r", "mconnect: ~q is no escape: ~? lists them, ~~ sends a tilde"),
        ("~x NOOP\\x20a\\r\\nNOOP\\r\\n\r", "250 "),
        ("~~x\r", "500 "),
        ("MAIL FROM:<a@b.example>\r", "250 2.1.0"),
        ("RCPT TO:<c@d.example>\r", "250 2.1.5"),
        ("DATA\r", "data, . ends>"),
        ("~z is text\r", "data, . ends>"),
    ] {
        screen.send(keys);
        screen.pty.expect("\r\n");
        screen.pty.expect(&shown.replace('\n', "\r\n"));
    }
    screen.send(format!("~r {file}\r"));
    screen.pty.expect("250 2.0.0");
    screen.send("MAIL FROM:<a@b.example>\rRCPT TO:<c@d.example>\r");
    screen.pty.expect("250 2.1.5");
    screen.send(format!("~b {file}\r"));
    screen.pty.expect("250 2.0.0");
    screen.expect_last("smtp>");
    screen.send("~.\r");
    assert_eq!(screen.wait(), 0);
    let messages = server.messages();
    assert_eq!(messages[0].content, b"~z is text\r\nSubject: x\r\n\r\n.dot\r\nno end\r\n");
    assert_eq!(messages[1].content, b"Subject: x\n\n.dot\nno end");
}

#[test]
fn without_escapes_a_tilde_is_a_tilde() {
    let (told, mut screen) = Screen::greeted(&["--no-escapes"]);
    screen.send("~.\r");
    told.expect("~.\r\n");
    screen.send(CTRL_C);
    screen.wait();
}

#[test]
fn a_session_is_opened_again_after_a_421() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let mut screen = Screen::start(listener.local_addr().unwrap().port(), &[]);
    let (mut first, _) = listener.accept().unwrap();
    first.write_all(b"421 busy\r\n").unwrap();
    screen.expect_last("closing>");
    screen.send("NOOP\r");
    screen.expect_row("mconnect: the server is closing: ~o opens the session again");
    screen.send("~o\r");
    let (mut second, _) = listener.accept().unwrap();
    assert_eq!(first.read(&mut [0; 10]).unwrap(), 0, "nothing was sent after the 421");
    second.write_all(b"220 again\r\n").unwrap();
    screen.expect_row("220 again");
    screen.expect_last("smtp>");
    screen.send("QUIT\r");
    let mut line = [0; 6];
    second.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"QUIT\r\n");
    second.write_all(b"221 bye\r\n").unwrap();
    drop(second);
    assert_eq!(screen.wait(), 75, "the first that happened counts");
}

#[test]
fn negative_replies_are_explained_and_told_apart_by_colour() {
    let told = Told::start();
    let mut screen = Screen::start(told.peer.port, &["--color", "always", "--quiet"]);
    told.say("220 hi\r\n");
    screen.expect_row("220 hi");
    screen.send("X\r");
    told.expect("X\r\n");
    told.say("550 5.1.1 no\r\n");
    screen.expect_row("550 5.1.1 no");
    screen.send(CTRL_C);
    screen.wait();
    let shown = screen.shown();
    let color = |row| shown.screen().cell(row, 0).unwrap().fgcolor();
    assert_eq!((color(0), color(2)), (vt100::Color::Idx(2), vt100::Color::Idx(1)));

    for (options, is_explained) in [(&[][..], true), (&["--no-explain"], false)] {
        let told = Told::start();
        let port = told.peer.port.to_string();
        let args = [options, &["-p", &port, "127.0.0.1"]].concat();
        let mut pty = Pty::start_with(MCONNECT, &args, &[("TERM", "xterm"), ("NO_COLOR", "1")]);
        told.say("220 hi\r\n");
        pty.expect("smtp> ");
        pty.send("X\r");
        told.expect("X\r\n");
        told.say("550-5.1.1 no\r\n550 5.1.1 no\r\n");
        pty.expect("550 5.1.1 no");
        pty.expect("smtp> ");
        pty.send(CTRL_C);
        pty.wait();
        let screen = pty.screen();
        assert_eq!(screen.matches("5.1.1: the recipient's mailbox does not exist").count(), usize::from(is_explained));
        assert!(!screen.contains("\x1b[3") && !screen.contains("\x1b[1m"), "{screen:?}");
    }
}
