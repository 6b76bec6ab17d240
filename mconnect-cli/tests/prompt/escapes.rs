//! What the prompt's escapes do, on a real pseudo-terminal.

use crate::common::folder::Folder;
use crate::common::keys::{CTRL_C, CTRL_D};
use crate::common::screen::Screen;
use mconnect_core::server::Server;

#[test]
fn one_answer_is_shown_and_the_next_one_is_hidden_again() {
    let (told, mut screen) = Screen::greeted(&[]);
    // Asked for before there is anything to answer, it is kept until then.
    screen.enter("~v", "smtp>");
    screen.send("AUTH LOGIN\r");
    told.expect("AUTH LOGIN\r\n");
    told.say("334 VXNlcm5hbWU6\r\n");
    screen.expect_last("auth>");
    screen.send("dXNlcg==");
    screen.expect_last("auth> dXNlcg==");
    screen.send("\r");
    told.expect("AUTH LOGIN\r\ndXNlcg==\r\n");
    told.say("334 UGFzc3dvcmQ6\r\n");
    screen.expect_last("auth, hidden>");
    screen.send("c2VjcmV0\r");
    told.expect("AUTH LOGIN\r\ndXNlcg==\r\nc2VjcmV0\r\n");
    told.say("235 in\r\n");
    screen.expect_last("smtp>");
    assert!(!screen.seen().contains("c2Vj"));
    screen.send(CTRL_C);
    screen.wait();
}

#[test]
fn a_file_that_begins_with_no_command_is_asked_about_and_a_tilde_is_the_users_folder() {
    let folder = Folder::new();
    folder.write("mail.eml", "Subject: x\n\ntext\n");
    folder.write("script", "noop\r\nRSET");
    let (told, mut screen) = Screen::greeted_with(&[], &[("HOME", folder.text())], (24, 120));
    for answer in ["", "n", "*"] {
        screen.enter(
            "~r ~/mail.eml",
            "~/mail.eml does not begin with an SMTP command: send its lines as commands? [y/N]",
        );
        screen.enter(answer, "smtp>");
        screen.expect_row("mconnect: nothing was sent");
    }
    screen.send("~r ~/scr\t\r");
    told.expect("noop\r\n");
    told.say("250 ok\r\n");
    told.expect("noop\r\nRSET\r\n");
    told.say("250 ok\r\n");
    screen.expect_last("smtp>");
    screen.enter("~r ~/mail.eml", "~/mail.eml does not begin with an SMTP command: send its lines as commands? [y/N]");
    screen.send("y\r");
    told.expect("noop\r\nRSET\r\nSubject: x\r\n");
    // In a body nothing is asked.
    told.say("500 no\r\n");
    told.expect("noop\r\nRSET\r\nSubject: x\r\n\r\n");
    told.say("500 no\r\n");
    told.expect("noop\r\nRSET\r\nSubject: x\r\n\r\ntext\r\n");
    told.say("500 no\r\n");
    screen.expect_last("smtp>");
    screen.send("DATA\r");
    told.expect("noop\r\nRSET\r\nSubject: x\r\n\r\ntext\r\nDATA\r\n");
    told.say("354 go\r\n");
    screen.expect_last("data>");
    screen.send("~r ~/ma\t\r");
    told.expect("noop\r\nRSET\r\nSubject: x\r\n\r\ntext\r\nDATA\r\nSubject: x\r\n\r\ntext\r\n.\r\n");
    screen.send(CTRL_C);
    screen.wait();
}

#[test]
fn closing_at_once_says_what_is_lost() {
    for (lines, replies, words) in [
        (
            &["DATA", "abc"][..],
            &["354 go\r\n", ""][..],
            "mconnect: the message is lost: 5 octets of it went out, and not its end",
        ),
        (&["BDAT 9", "abc"], &["", ""], "mconnect: the message is lost: 4 octets of the chunk had still to go out"),
        (
            &["DATA", "."],
            &["354 go\r\n", ""],
            "mconnect: the reply to the message had not come: it may have been taken",
        ),
        (&["NOOP"], &["250 ok\r\n"], ""),
    ] {
        let (told, mut screen) = Screen::greeted(&[]);
        let mut sent = String::new();
        for (line, reply) in lines.iter().zip(replies) {
            screen.send(format!("{line}\r"));
            sent += &format!("{line}\r\n");
            told.expect(&sent);
            told.say(reply);
            if !reply.is_empty() {
                screen.expect_row(reply.trim_end());
            }
        }
        screen.pty.look_from_here();
        screen.send("~.\r");
        assert_eq!(screen.wait(), 0);
        match words {
            "" => assert!(!screen.pty.screen().contains("mconnect: "), "{}", screen.pty.screen()),
            words => screen.expect_row(words),
        }
        told.received();
    }
}

#[test]
fn tab_lists_the_escapes_also_in_a_body() {
    let (told, mut screen) = Screen::greeted(&[]);
    screen.send("~\t\t");
    screen.pty.expect("~64");
    for name in ["~?", "~h", "~r", "~b", "~x", "~e", "~s", "~t", "~a", "~w", "~v", "~o", "~.", "~~"] {
        screen.pty.wait_for(name, |bytes| String::from_utf8_lossy(bytes).contains(name));
    }
    screen.send("\x15~6\t");
    screen.expect_last("smtp> ~64");
    screen.send("\x15DATA\r");
    told.expect("DATA\r\n");
    told.say("354 go\r\n");
    screen.expect_last("data>");
    screen.send("~6\t");
    screen.expect_last("data> ~64");
    screen.send(format!("\x15{CTRL_D}"));
    told.received();
    screen.wait();
}

#[test]
fn a_file_is_sent_as_command_lines_or_as_the_octets_of_a_chunk() {
    let folder = Folder::new();
    let file = folder.write("lines", "NOOP a\nNOOP b\n");
    let server = Server::play(
        "S: 220 hi\nC: NOOP a\nS: 250 a\nC: NOOP b\nS: 250 b\nC: BDAT 14 LAST\nC> NOOP a\\nNOOP b\\n\nS: 250 taken\nC: QUIT\nS: 221 bye",
    )
    .unwrap();
    let mut screen = Screen::start(server.port(), &[]);
    screen.expect_last("smtp>");
    screen.send(format!("~r {file}\r"));
    screen.expect_row("250 b");
    screen.expect_last("smtp>");
    screen.send("BDAT 14 LAST\r");
    screen.expect_last("bdat, 14 left>");
    screen.send(format!("~r {file}\r"));
    screen.expect_row("250 taken");
    screen.expect_last("smtp>");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
    server.join().unwrap();
}

#[test]
fn escapes_help_tell_and_send() {
    let folder = Folder::new();
    let file = folder.write("message.eml", "Subject: x\n\n.dot\nno end");
    let server = Server::start().unwrap();
    let mut screen = Screen::start_with(server.port(), &[], &[], (50, 80));
    screen.expect_last("smtp>");
    for (keys, shown) in [
        ("~?\r", "~.          close at once"),
        ("~h RCPT\r", "RCPT TO:<recipient>"),
        ("~h 550\r", "550\t"),
        ("~e\r", "nothing is advertised: EHLO asks for it"),
        ("EHLO x\r", "250 HELP"),
        ("~e\r", "HELP                 HELP is answered"),
        ("~s\r", "replies   0 due"),
        ("~q\r", "mconnect: ~q is no escape: ~? lists them, ~~ sends a tilde"),
        ("~x NOOP\\x20a\\r\\nNOOP\\r\\n\r", "250 "),
        ("~~x\r", "500 "),
        ("MAIL FROM:<a@b.example>\r", "250 2.1.0"),
        ("RCPT TO:<c@d.example>\r", "250 2.1.5"),
        ("DATA\r", "data>"),
        ("~z is text\r", "data>"),
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
