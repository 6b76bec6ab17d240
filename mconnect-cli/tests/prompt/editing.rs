//! Lines as they are typed, pasted, completed and edited, at the speed of a person and faster.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::keys::{CTRL_A, CTRL_C, CTRL_R, RIGHT, paste};
use crate::common::screen::Screen;
use crate::common::told::Told;
use mconnect_core::server::Server;

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
        screen.expect_last("data>");
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
    screen.expect_last("smtp> MAIL FROM:<SENDER> [PARAMETERS]");
    screen.send("AUTH X\t");
    screen.expect_last("smtp> AUTH XTEST");
    screen.send("\x15mail f\ta@b> s\t10\r");
    told.expect("EHLO [127.0.0.1]\r\nmail from:<a@b> size=10\r\n");
    told.say("250 ok\r\n");
    screen.expect_last("smtp> RCPT TO:<RECIPIENT> [PARAMETERS]");
    screen.send("VRFY a\t\r");
    told.expect("EHLO [127.0.0.1]\r\nmail from:<a@b> size=10\r\nVRFY a@b\r\n");
    told.say("252 ok\r\n");
    // What is not advertised goes out as typed.
    screen.send("XODD\r");
    told.expect("EHLO [127.0.0.1]\r\nmail from:<a@b> size=10\r\nVRFY a@b\r\nXODD\r\n");
    screen.send(CTRL_C);
    screen.wait();
}
