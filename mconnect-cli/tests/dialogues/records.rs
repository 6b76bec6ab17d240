//! Sessions written down, from the arguments and from the prompt, and played again.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;

use crate::common::folder::Folder;
use crate::common::screen::Screen;
use crate::common::{MCONNECT, Pty, assert_status, err, out, talk, tool};
use mconnect_core::server::{Server, Setup};

#[test]
fn the_prompt_writes_the_session_down_from_its_beginning_until_it_is_told_to_stop() {
    let (folder, server) = (Folder::new(), Server::start().unwrap());
    let file = folder.file("a.txt");
    let mut screen = Screen::start(server.port(), &[]);
    screen.expect_last("smtp>");
    screen.enter("~w", "smtp>");
    screen.expect_row("nothing is written down: ~w FILE starts that");
    screen.enter("EHLO client.example", "smtp>");
    screen.send(format!("~w {file}\r"));
    screen.pty.expect("from its beginning: ~w stops that");
    screen.enter("NOOP", "smtp>");
    screen.send("~w\r");
    screen.pty.expect("written: ");
    screen.enter("RSET", "smtp>");
    screen.enter("QUIT", "221 2.0.0 goodbye");
    assert_eq!(screen.wait(), 0);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("S: 220\nC: EHLO client.example\n") && text.ends_with("\nS: 250\n"), "{text}");
    assert!(text.contains("C: NOOP") && !text.contains("RSET") && !text.contains("~w"), "{text}");
    let output = talk(server.port(), &["--play", &file], "");
    assert_status(&output, 0);
    assert!(out(&output).contains("C: NOOP"), "{}", out(&output));
}

#[test]
fn a_session_that_ends_or_is_interrupted_is_written_all_the_same() {
    let (folder, server) = (Folder::new(), Server::start().unwrap());
    for (end, status) in [("QUIT\r", 0), ("\x03", -2), ("~.\r", 0)] {
        let (asked, given) = (folder.file("asked.txt"), folder.file("given.txt"));
        let mut screen = Screen::start(server.port(), &["--record", &given]);
        screen.expect_last("smtp>");
        screen.send(format!("~w {asked}\r"));
        screen.pty.expect("from its beginning");
        screen.enter("NOOP", "smtp>");
        screen.send(end);
        assert_eq!(screen.wait(), status, "{end:?}");
        for file in [asked, given] {
            let text = fs::read_to_string(&file).unwrap();
            assert!(text.contains("S: 220\nC: NOOP\n# 250 2.0.0 nothing done\nS: 250\n"), "{end:?} {file}: {text}");
            fs::remove_file(file).unwrap();
        }
    }
}

#[test]
fn a_session_that_is_opened_again_is_a_session_of_its_own() {
    let (folder, server) = (Folder::new(), Server::start().unwrap());
    let (asked, given) = (folder.file("asked.txt"), folder.file("given.txt"));
    let mut screen = Screen::start(server.port(), &["--record", &given]);
    screen.expect_last("smtp>");
    screen.enter("NOOP", "smtp>");
    screen.send("~o\r");
    screen.pty.expect("220 loopback");
    screen.pty.expect("smtp>");
    screen.send(format!("~w {asked}\r"));
    screen.pty.expect("from its beginning");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
    let asked_text = fs::read_to_string(&asked).unwrap();
    assert!(asked_text.contains("C: QUIT") && !asked_text.contains("NOOP"), "{asked_text}");
    let text = fs::read_to_string(&given).unwrap();
    assert_eq!(text.matches("*next session*\n").count(), 1, "{text}");
    for file in [asked, given] {
        assert_status(&talk(server.port(), &["--play", &file], ""), 0);
    }
}

#[test]
fn a_second_file_follows_the_first_and_what_cannot_be_written_is_said() {
    let (folder, server) = (Folder::new(), Server::start().unwrap());
    let (first, second) = (folder.file("first.txt"), folder.file("second.txt"));
    let mut screen = Screen::start(server.port(), &[]);
    screen.expect_last("smtp>");
    screen.send("~w /no/such/folder/x\r");
    screen.pty.expect("mconnect: cannot write /no/such/folder/x: No such file or directory");
    screen.send(format!("~w {first}\r"));
    screen.pty.expect("from its beginning");
    screen.send(format!("~w {second}\r"));
    screen.pty.expect("written: ");
    screen.pty.expect("from its beginning");
    // The same again stops.
    screen.send(format!("~w {second}\r"));
    screen.pty.expect("written: ");
    screen.enter("~w", "smtp>");
    screen.pty.expect("nothing is written down");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
    assert_eq!(fs::read_to_string(first).unwrap(), fs::read_to_string(second).unwrap());
}

#[test]
fn of_a_session_that_was_too_long_to_be_kept_the_beginning_is_lost_and_that_is_said() {
    let (folder, server) = (Folder::new(), Server::start().unwrap());
    let (file, body) = (folder.file("a.txt"), folder.file("body"));
    fs::write(&body, "0123456789abcdef\n".repeat(80_000)).unwrap();
    let mut screen = Screen::start(server.port(), &[]);
    screen.expect_last("smtp>");
    for line in ["EHLO x", "MAIL FROM:<>", "RCPT TO:<a@example.org>"] {
        screen.enter(line, "smtp>");
    }
    screen.send("DATA\r");
    screen.pty.expect("data> ");
    screen.send(format!("~r {body}\r"));
    screen.pty.expect("accepted");
    screen.send(format!("~w {file}\r"));
    screen.pty.expect("from here on");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("C: QUIT\n") && !text.contains("EHLO"), "{text}");
}

#[test]
fn tab_completes_the_name_of_the_file() {
    let (folder, server) = (Folder::new(), Server::start().unwrap());
    folder.write("only-one.txt", "");
    let mut screen = Screen::start(server.port(), &[]);
    screen.expect_last("smtp>");
    screen.send(format!("~w {}/on\t", folder.path().display()));
    screen.pty.expect("only-one.txt");
    screen.send("\x03");
    assert_eq!(screen.wait(), -2);
}

#[test]
fn what_was_played_several_times_is_written_as_several_sessions() {
    let (folder, server) = (Folder::new(), Server::start().unwrap());
    let file = folder.file("a.txt");
    let dialogue = "S: 220\nC: NOOP\nS: 250\nC: QUIT\nS: 221\nS: *close*\n*next session*\nS: 220\nC: QUIT\nS: 221\n";
    let output = talk(server.port(), &["--quiet", "--repeat", "2", "--record", &file, "--play", "-"], dialogue);
    assert_status(&output, 0);
    let text = fs::read_to_string(&file).unwrap();
    assert_eq!(text.matches("*next session*\n").count(), 3, "{text}");
    let output = talk(server.port(), &["--play", &file], "");
    assert_status(&output, 0);
    assert_eq!(out(&output).matches("C: QUIT").count(), 4);
}

#[test]
fn a_tool_that_is_killed_leaves_the_record_of_what_it_showed() {
    let (folder, server) = (Folder::new(), Server::start().unwrap());
    let file = folder.file("a.txt");
    let port = server.port().to_string();
    let mut child = tool(&["--quiet", "--record", &file, "-p", &port, "127.0.0.1"]).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let mut shown = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    input.write_all(b"NOOP\n").unwrap();
    assert!(shown.any(|line| line == "250 2.0.0 nothing done"));
    child.kill().unwrap();
    child.wait().unwrap();
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.ends_with("S: 220\nC: NOOP\n# 250 2.0.0 nothing done\nS: 250\n"), "{text}");
    assert_status(&talk(server.port(), &["--play", &file], ""), 0);
}

#[test]
fn what_is_no_regular_file_has_the_record_once_at_the_end() {
    let (folder, server) = (Folder::new(), Server::start().unwrap());
    let output = talk(server.port(), &["--quiet", "--record", "/dev/stderr"], "NOOP\nRSET\nQUIT\n");
    assert_status(&output, 0);
    assert_eq!(err(&output).matches("S: 220\nC: NOOP\n").count(), 1, "{}", err(&output));
    let pipe = folder.file("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::read_to_string(pipe).unwrap()
    });
    assert_status(&talk(server.port(), &["--record", &pipe], "NOOP\nQUIT\n"), 0);
    let text = reader.join().unwrap();
    assert!(text.starts_with("# ") && text.matches("C: NOOP\n").count() == 1, "{text}");
}

#[test]
fn a_newer_record_takes_the_place_of_the_one_before_whole() {
    let (folder, server) = (Folder::new(), Server::start().unwrap());
    let file = folder.file("a.txt");
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let mut screen = Screen::start(server.port(), &["--record", &file]);
    screen.expect_last("smtp>");
    let before = fs::File::open(&file).unwrap();
    screen.enter("NOOP", "smtp>");
    screen.send("QUIT\r");
    assert_eq!(screen.wait(), 0);
    // Whoever opened it sees it as it was then: it is never emptied, nor half written.
    let text = std::io::read_to_string(before).unwrap();
    assert!(text.ends_with("S: 220\n"), "{text}");
    assert!(fs::read_to_string(&file).unwrap().contains("C: QUIT\n"));
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    let names = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.filter(|name| name.to_string_lossy().contains("a.txt")).count(), 1);
}

#[test]
fn a_record_behind_a_link_stays_there() {
    let (folder, server) = (Folder::new(), Server::start().unwrap());
    let (file, link) = (folder.file("a.txt"), folder.file("link"));
    fs::write(&file, "longer than what comes\n".repeat(100)).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    assert_status(&talk(server.port(), &["--record", &link], "QUIT\n"), 0);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("C: QUIT\n") && !text.contains("longer"), "{text}");
}

#[test]
fn an_exchange_by_a_password_replays_with_a_password_and_not_with_what_it_was_made_into() {
    let (folder, server) = (Folder::new(), Setup::new().auth([("tim", "pencil")]).start().unwrap());
    for mechanism in ["PLAIN", "LOGIN", "CRAM-MD5"] {
        let file = folder.file(mechanism);
        let mut screen = Screen::start(server.port(), &[]);
        screen.expect_last("smtp>");
        screen.enter("EHLO x", "smtp>");
        screen.enter(&format!("~a {mechanism} tim"), "password of tim:");
        screen.enter("pencil", "smtp>");
        screen.send(format!("~w {file}\r"));
        screen.pty.expect("from its beginning");
        screen.send("QUIT\r");
        assert_eq!(screen.wait(), 0);
        let text = fs::read_to_string(&file).unwrap();
        let step = "*secret password1*\n# 220 ";
        assert!(text.starts_with(step) && !text.contains("secret1"), "{text}");
        assert!(text.contains(&format!("\nC: *authenticate {mechanism} ${{user1}} ${{password1}}*\n")), "{text}");
        let port = server.port().to_string();
        let args = ["--set", "user1=tim", "--play", &file, "-p", &port, "127.0.0.1"];
        for (password, status) in [("pencil", 0), ("crayon", 77)] {
            let output = tool(&args).env("MCONNECT_PASSWORD", password).output().unwrap();
            assert_status(&output, status);
            assert!(!(out(&output) + &err(&output)).contains(password), "{}{}", out(&output), err(&output));
        }
        // A person is asked for it, unseen.
        let mut pty = Pty::start(MCONNECT, &args);
        pty.expect("password of tim: ");
        pty.send("pencil\r");
        assert_eq!(pty.wait(), 0, "{}", pty.screen());
        assert!(!pty.screen().contains("pencil"), "{}", pty.screen());
    }
}
