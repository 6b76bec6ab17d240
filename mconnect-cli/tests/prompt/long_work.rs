//! What takes long shows itself, and says at an interrupt what became of it.

use crate::common::attack::LIMITED;
use crate::common::folder::Folder;
use crate::common::keys::CTRL_C;
use crate::common::screen::Screen;
use crate::common::slow::{SIZE, message, slow};
use crate::common::{MCONNECT, Pty};

const BEFORE: &[&str] = &["220 hi\r\n"];

#[test]
fn in_a_narrow_terminal_how_far_a_file_is_takes_one_row() {
    let folder = Folder::new();
    let file = folder.write("mail.eml", &message());
    let (peer, go) = slow(BEFORE);
    let mut screen = Screen::start_with(peer.port, &["--quiet"], &[], (10, 40));
    screen.expect_last("smtp>");
    screen.enter("DATA", "data>");
    screen.send(format!("~r {file}\r"));
    screen.pty.expect(" MB of 16.8");
    go.send(()).unwrap();
    go.send(()).unwrap();
    screen.expect_row("250 taken");
    screen.expect_last("smtp>");
    let rows = screen.lines(&screen.pty.raw());
    assert!(!rows.iter().any(|row| row.contains(" MB of")), "{rows:?}");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
}

#[test]
fn a_long_file_shows_how_far_it_is_and_what_went_out() {
    let folder = Folder::new();
    let file = folder.write("mail.eml", &message());
    let (peer, go) = slow(BEFORE);
    let mut screen = Screen::launch_plain(peer.port);
    screen.expect_last("smtp>");
    screen.enter("DATA", "data>");
    screen.send(format!("~r {file}\r"));
    // The system takes some of it by itself, and then one write blocks: the line is drawn all the same, and again.
    for _ in 0..3 {
        screen.pty.expect("mail.eml: ");
        screen.pty.expect(" MB of 16.8 MB, ");
        screen.pty.expect("B/s, ");
        screen.pty.expect(" s left");
    }
    go.send(()).unwrap();
    screen.pty.expect(&format!("\r{file}: 16.8 MB sent in "));
    go.send(()).unwrap();
    screen.expect_row("250 taken");
    screen.expect_last("smtp>");
    let rows = screen.lines(&screen.pty.raw());
    assert!(!rows.iter().any(|row| row.contains("s left")), "{rows:?}");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
    assert_eq!(peer.received(), [(SIZE + 3).to_string().as_bytes()]);
}

#[test]
fn interrupted_it_says_how_much_went_out_and_whether_the_message_can_have_been_taken() {
    let folder = Folder::new();
    let file = folder.write("mail.eml", &message());
    for is_whole in [false, true] {
        let (peer, go) = slow(BEFORE);
        let mut screen = Screen::launch_plain(peer.port);
        screen.expect_last("smtp>");
        screen.enter("DATA", "data>");
        screen.send(format!("~r {file}\r"));
        if is_whole {
            go.send(()).unwrap();
            // The clock of the reply runs.
            screen.pty.expect("waiting for the reply to the message, 2 s");
        } else {
            screen.pty.expect(" s left");
        }
        screen.interrupt();
        // At the open prompt that is known from the screen.
        if !is_whole {
            screen.pty.expect("mconnect: interrupted: ");
            screen.pty.expect(" went out, and not the end of the message: it cannot have been taken");
        }
        drop(go);
        peer.received();
    }
}

#[test]
fn without_a_prompt_a_long_file_goes_out_in_little_memory_and_shows_how_far_it_is() {
    let folder = Folder::new();
    let file = folder.write("mail.eml", &message());
    let (peer, go) = slow(BEFORE);
    let args = ["-c", LIMITED, "sh", MCONNECT, "-p", &peer.port.to_string(), "127.0.0.1"];
    let mut pty = Pty::start("sh", &args);
    pty.expect("220 hi");
    pty.send("DATA\r");
    pty.expect("354 go");
    pty.send(format!("~r {file}\r"));
    pty.expect("mail.eml: ");
    pty.expect(" MB of 16.8 MB, ");
    pty.expect(" s left");
    go.send(()).unwrap();
    pty.expect("mail.eml: 16.8 MB sent in ");
    go.send(()).unwrap();
    pty.expect("250 taken");
    pty.send("QUIT\r");
    pty.expect("221 bye");
    assert_eq!(pty.wait(), 0);
    assert_eq!(peer.received_text(), [(SIZE + 3).to_string()]);
}

#[test]
fn a_file_that_is_piped_shows_it_where_standard_error_is_a_terminal() {
    let folder = Folder::new();
    let script = folder.write("script", &format!("DATA\n{}.\nQUIT\n", message()));
    for is_interrupted in [false, true] {
        let (peer, go) = slow(BEFORE);
        let command = format!("{MCONNECT} -p {} 127.0.0.1 < {}", peer.port, script);
        let mut pty = Pty::start_with("sh", &["-c", &format!("{command}; echo status $?")], &[("TERM", "xterm")]);
        pty.expect("354 go");
        pty.expect("the input: ");
        pty.expect(" MB of 16.8 MB, ");
        pty.expect(" s left");
        if is_interrupted {
            pty.send(CTRL_C);
            pty.expect("mconnect: interrupted: ");
            pty.expect(" of the input went out, and not the end of the message: it cannot have been taken");
            drop(go);
        } else {
            go.send(()).unwrap();
            pty.expect("waiting for the reply to the message, 2 s");
            go.send(()).unwrap();
            pty.expect("250 taken");
            pty.expect("the input: 16.8 MB sent in ");
            pty.expect("status 0");
        }
        pty.wait();
        peer.received();
    }
}
