//! At the prompt, nothing goes on that was not granted: what was pasted or typed for after it.

use crate::common::folder::Folder;
use crate::common::keys::{CTRL_C, CTRL_D, paste};
use crate::common::screen::Screen;
use crate::common::told::Told;

const SECRET: &str = "c2VjcmV0";
const DROPPED: &str = "mconnect: what was typed ahead was dropped";

fn at_prompt(state: &Folder, options: &[&str]) -> (Told, Screen) {
    let told = Told::start();
    let variables = [("XDG_STATE_HOME", state.text())];
    let screen = Screen::start_with(told.peer.port, options, &variables, (60, 200));
    told.say("220 hi\r\n");
    screen.expect_last("smtp>");
    (told, screen)
}

#[test]
fn what_was_meant_for_after_a_grant_goes_out_by_that_grant_alone() {
    let requests = [
        ("STARTTLS", format!("AUTH PLAIN {SECRET}\nNOOP\n"), "220"),
        ("AUTH LOGIN", format!("dXNlcg==\n{SECRET}\n"), "334"),
        ("AUTH PLAIN dXNlcg==", format!("AUTH PLAIN {SECRET}\nNOOP\n"), "235"),
        ("DATA", format!("AUTH PLAIN {SECRET}\n.\nNOOP\n"), "354"),
    ];
    for (request, rest, grant) in &requests {
        for code in ["250", "220", "235", "334", "354", "200", "221", "454", "502", "120", "421"] {
            if code == *grant {
                continue;
            }
            for is_pasted in [true, false] {
                // A refused AUTH that had said all there is to say is a refusal like any other to a paste.
                if is_pasted && request.starts_with("AUTH PLAIN") && ["454", "502"].contains(&code) {
                    continue;
                }
                let what = format!("{request}, {code}, pasted: {is_pasted}");
                println!("{what}");
                let state = Folder::new();
                let (told, mut screen) = at_prompt(&state, &[]);
                // What comes ahead is in one write with what it waits for: the editor has read it already.
                let lines = format!("{request}\n{rest}");
                screen.send(if is_pasted { paste(&lines) } else { lines.replace('\n', "\r") });
                told.expect(&format!("{request}\r\n"));
                told.say(&format!("{code} =\r\n"));
                // To an AUTH that has said all there is to say, a challenge is cancelled first.
                let is_cancelled = is_pasted && code == "334" && *request == "AUTH PLAIN dXNlcg==";
                let is_challenged = code == "334" && request.starts_with("AUTH");
                let mut sent = format!("{request}\r\n");
                if is_cancelled {
                    sent += "*\r\n";
                    told.expect(&sent);
                    told.say("501 cancelled\r\n");
                }
                let is_body_skipped = is_pasted && *request == "DATA" && ["454", "502"].contains(&code);
                if is_challenged && !is_pasted {
                    // The answer that was typed ahead is one, and unseen.
                    sent += &rest.replace('\n', "\r\n");
                    let first = rest.find('\n').unwrap() + 1;
                    told.expect(&format!("{request}\r\n{}", rest[..first].replace('\n', "\r\n")));
                    screen.send(CTRL_C);
                } else if is_body_skipped {
                    sent += "NOOP\r\n";
                    told.expect(&sent);
                    screen.send(CTRL_C);
                } else {
                    match (is_pasted, code) {
                        (true, "221" | "421") => screen.pty.expect("mconnect: not sent: "),
                        (true, _) => screen.pty.expect(", which ends the paste: "),
                        (false, _) => screen.pty.expect(DROPPED),
                    }
                    let is_closing = ["221", "421"].contains(&code);
                    if is_closing {
                        screen.pty.expect("closing> ");
                    } else {
                        screen.send("NOOP last\r");
                        sent += "NOOP last\r\n";
                        told.expect(&sent);
                    }
                    screen.send(CTRL_C);
                }
                screen.wait();
                let received = told.received();
                let (seen, kept) = (screen.seen(), state.history());
                assert!(sent.starts_with(&received), "{what}: {received:?}");
                assert!(!received.contains(SECRET) || (is_challenged && !is_pasted), "{what}: {received:?}");
                assert!(!seen.contains(SECRET), "{what}: {seen}");
                assert!(!kept.contains(SECRET), "{what}: {kept}");
            }
        }
    }
}

#[test]
fn a_surprise_is_told_once_marks_the_prompt_and_leaves_the_line_that_is_being_typed() {
    let state = Folder::new();
    let (told, mut screen) = at_prompt(&state, &[]);
    screen.send("NOOP ha");
    screen.expect_last("smtp> NOOP ha");
    told.say("250 nobody asked\r\n");
    screen.expect_last("smtp, out of step> NOOP ha");
    screen.expect_row("mconnect: client and server are out of step: nobody asked for a reply that came");
    screen.send("lf\r");
    told.expect("NOOP half\r\n");
    told.say("235 welcome\r\n");
    screen.expect_row("235 welcome");
    screen.expect_last("smtp, out of step>");
    assert_eq!(screen.pty.screen().matches("mconnect: ").count(), 1, "{}", screen.pty.screen());
    screen.enter("~s", "smtp, out of step>");
    screen.expect_row("replies   0 due, out of step");
    told.say("221 bye\r\n");
    screen.send(CTRL_D);
    told.received();
    assert_eq!(screen.wait(), 76);
}

#[test]
fn what_was_typed_ahead_of_a_surprise_is_dropped() {
    let state = Folder::new();
    let (told, mut screen) = at_prompt(&state, &[]);
    screen.send(format!("EHLO x\rAUTH PLAIN {SECRET}\rNOOP ha"));
    told.expect("EHLO x\r\n");
    told.say("235 welcome\r\n");
    screen.expect_row("mconnect: the reply to EHLO shows that client and server are out of step");
    screen.expect_row(DROPPED);
    screen.expect_last("smtp, out of step>");
    screen.send("NOOP\r");
    told.expect("EHLO x\r\nNOOP\r\n");
    screen.send(CTRL_C);
    screen.wait();
    assert!(!screen.seen().contains(SECRET) && !state.history().contains(SECRET));
}

#[test]
fn a_paste_that_ends_early_says_why_counts_what_was_left_and_sets_the_status() {
    for (request, rest, reply, words, status) in [
        ("EHLO x", "NOOP\nhalf", "235 in", "the reply to EHLO shows that client and server are out of step", 76),
        ("STARTTLS", "NOOP\nhalf", "502 no", "STARTTLS was refused", 69),
        ("STARTTLS", "NOOP\nhalf", "454 later", "STARTTLS was refused", 75),
        ("AUTH LOGIN", "dXNlcg==\nhalf", "535 no", "AUTH was refused", 77),
        ("AUTH LOGIN", "dXNlcg==\nhalf", "454 later", "AUTH was refused", 75),
        (
            "AUTH LOGIN",
            "dXNlcg==\nhalf",
            "235 in",
            "the reply to AUTH shows that client and server are out of step",
            76,
        ),
        ("DATA", ".\nhalf", "250 what", "the reply to DATA shows that client and server are out of step", 76),
    ] {
        let state = Folder::new();
        let (told, mut screen) = at_prompt(&state, &[]);
        screen.send(paste(&format!("{request}\n{rest}")));
        told.expect(&format!("{request}\r\n"));
        told.say(&format!("{reply}\r\n"));
        screen
            .pty
            .expect(&format!("mconnect: {words}, which ends the paste: {reply}; not sent: 2 lines of the input ("));
        screen.pty.expect("> ");
        assert!(!screen.seen().contains("half"), "{}", screen.seen());
        screen.send(CTRL_D);
        assert_eq!(told.received(), format!("{request}\r\n"));
        assert_eq!(screen.wait(), status, "{request} {reply}");
    }
}

#[test]
fn a_second_reply_that_came_late_ends_a_paste() {
    let state = Folder::new();
    let (told, mut screen) = at_prompt(&state, &[]);
    screen.send(paste("EHLO x\nNOOP 1\nNOOP 2\n"));
    told.expect("EHLO x\r\n");
    told.say("250 once\r\n");
    told.expect("EHLO x\r\nNOOP 1\r\n");
    told.say("250 twice\r\n250 to NOOP\r\n");
    screen
        .pty
        .expect("mconnect: client and server are out of step: nobody asked for a reply that came, which ends the");
    screen.expect_last("smtp, out of step>");
    screen.send(CTRL_C);
    screen.wait();
    assert_eq!(told.received(), "EHLO x\r\nNOOP 1\r\n");
}

#[test]
fn a_paste_of_many_parts_is_one_script() {
    // A refused body longer than what the editor takes at once is passed over, and what follows it goes out.
    let body: String = (0..6000).map(|number| format!("quit {number}\n.. \n")).collect();
    let state = Folder::new();
    let (told, mut screen) = at_prompt(&state, &[]);
    let mut keys = screen.pty.keyboard();
    let pasted = paste(&format!("DATA\n{body}.\nNOOP after\n"));
    let typing = std::thread::spawn(move || std::io::Write::write_all(&mut keys, pasted.as_bytes()).unwrap());
    told.expect("DATA\r\n");
    told.say("503 no\r\n");
    told.expect("DATA\r\nNOOP after\r\n");
    typing.join().unwrap();
    told.say("250 ok\r\n");
    screen.expect_last("smtp>");
    // One that ends early is dropped to its end.
    let mut keys = screen.pty.keyboard();
    let pasted = paste(&format!("STARTTLS\n{body}"));
    let typing = std::thread::spawn(move || std::io::Write::write_all(&mut keys, pasted.as_bytes()).unwrap());
    told.expect("DATA\r\nNOOP after\r\nSTARTTLS\r\n");
    told.say("502 no\r\n");
    screen.pty.expect("not sent: 12000 lines of the input (");
    typing.join().unwrap();
    screen.expect_last("smtp>");
    screen.send("NOOP\r");
    told.expect("DATA\r\nNOOP after\r\nSTARTTLS\r\nNOOP\r\n");
    screen.send(CTRL_C);
    screen.wait();
}

#[test]
fn a_paste_that_was_typed_ahead_is_dropped_whole() {
    let state = Folder::new();
    let (told, mut screen) = at_prompt(&state, &[]);
    let mut keys = screen.pty.keyboard();
    let ahead = format!("STARTTLS\r{}", paste(&format!("AUTH PLAIN {SECRET}\n").repeat(5000)));
    let typing = std::thread::spawn(move || std::io::Write::write_all(&mut keys, ahead.as_bytes()).unwrap());
    told.expect("STARTTLS\r\n");
    told.say("454 no\r\n");
    typing.join().unwrap();
    screen.expect_row(DROPPED);
    screen.send("NOOP\r");
    told.expect("STARTTLS\r\nNOOP\r\n");
    screen.send(CTRL_C);
    screen.wait();
    assert!(!screen.seen().contains(SECRET) && !state.history().contains(SECRET));
}

#[test]
fn a_221_while_quit_is_due_ends_the_session_and_says_what_can_come_no_more() {
    let state = Folder::new();
    let (told, mut screen) = at_prompt(&state, &["--timeout", "30"]);
    screen.send("NOOP\r");
    screen.expect_last("smtp, 1 due>");
    screen.send("QUIT\r");
    told.expect("NOOP\r\nQUIT\r\n");
    told.say("221 bye\r\n");
    screen.pty.expect("answered QUIT with 1 reply still due, which can come no more");
    told.received();
    assert_eq!(screen.wait(), 76);
}

#[test]
fn the_refusal_of_the_last_line_of_a_paste_drops_what_was_typed_ahead_of_it() {
    let state = Folder::new();
    let (told, mut screen) = at_prompt(&state, &[]);
    screen.send(format!("{}AUTH PLAIN {SECRET}\r.\r", paste("NOOP\nDATA\n")));
    told.expect("NOOP\r\n");
    told.say("250 ok\r\n");
    told.expect("NOOP\r\nDATA\r\n");
    told.say("503 no\r\n");
    screen.expect_row(DROPPED);
    screen.send("NOOP\r");
    told.expect("NOOP\r\nDATA\r\nNOOP\r\n");
    screen.send(CTRL_C);
    screen.wait();
    assert!(!screen.seen().contains(SECRET) && !state.history().contains(SECRET));
}

#[test]
fn a_password_is_not_sent_by_the_tools_own_exchange_once_the_server_says_something_else() {
    for odd in ["235 ok", "250 ok", "354 go", "535 no"] {
        let state = Folder::new();
        let (told, mut screen) = at_prompt(&state, &[]);
        screen.send("EHLO x\r");
        told.expect("EHLO x\r\n");
        told.say("250-x\r\n250 AUTH LOGIN\r\n");
        screen.expect_last("smtp>");
        screen.send("~a LOGIN user\r");
        screen.expect_last("password of user:");
        screen.send("s3cr3t-pass\r");
        told.expect("EHLO x\r\nAUTH LOGIN\r\n");
        told.say(&format!("334 Username:\r\n{odd}\r\n"));
        screen.expect_row("mconnect: nothing more of the exchange was sent: the server has said something else since");
        screen.send(CTRL_C);
        screen.wait();
        assert_eq!(told.received(), "EHLO x\r\nAUTH LOGIN\r\n", "{odd}");
    }
}

#[test]
fn completion_hands_nothing_of_the_server_to_the_terminal_but_names() {
    const EVIL: &str = "\x1b]0;owned\x07\x1b]52;c;cm0=\x07\x1b[31mRED";
    for (offered, keys) in [
        (format!("AUTH {EVIL}"), "AUTH \t"),
        (format!("AUTH X{EVIL} Y\x1b[2J\x1b[H"), "AUTH \t\t"),
        (format!("AUTH X{EVIL} Y\x1b[2J\x1b[H"), "~a \t\t"),
        (format!("{EVIL} {EVIL}"), "\t\t"),
        (format!("SIZE {EVIL}"), "MAIL FROM:<> \t\t"),
    ] {
        let state = Folder::new();
        let (told, mut screen) = at_prompt(&state, &[]);
        screen.send("EHLO x\r");
        told.expect("EHLO x\r\n");
        told.say(&format!("250-x\r\n250 {offered}\r\n"));
        screen.expect_last("smtp>");
        screen.send(format!("{keys}\x15~e\r"));
        screen.expect_row("smtp> ~e");
        screen.expect_last("smtp>");
        screen.send(CTRL_C);
        screen.wait();
        let seen = screen.pty.screen();
        for raw in ["\x1b]", "\x1b[2J", "\x1b[31m", "\x07"] {
            let bell = raw == "\x07";
            assert!(!seen.contains(raw) || bell, "{keys:?}: {}", seen.escape_debug());
        }
    }
}
