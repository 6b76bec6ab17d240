//! Dialogues that are played, and recorded.

use crate::common::folder::Folder;
use crate::common::{MCONNECT, Pty, assert_status, complaints, err, out, run, talk, tool};
use mconnect_core::server::Server;

pub const GOOD: &str = "S: 220\nC: NOOP\nS: 250\nC: QUIT\nS: 221\nS: *close*\n";
const BAD: &str = "S: 220\nC: NOOP\nS: 550\nC: QUIT\nS: 252\n";

#[test]
fn a_dialogue_is_played_and_shown_as_it_runs() {
    let (folder, server) = (Folder::new(), Server::start().unwrap());
    let file = folder.write("a.txt", GOOD);
    let output = talk(server.port(), &["--play", &file], "");
    assert_status(&output, 0);
    assert_eq!(
        out(&output),
        "S: 220 loopback.mconnect.test ESMTP mconnect loopback server\nC: NOOP\nS: 250 2.0.0 nothing done\nC: QUIT\n\
         S: 221 2.0.0 goodbye\n"
    );
    let output = talk(server.port(), &["--quiet", "--play", "-"], GOOD);
    assert_status(&output, 0);
    assert_eq!((out(&output), err(&output)), (String::new(), String::new()));
}

#[test]
fn a_reset_that_is_here_before_a_line_goes_out_is_no_end_of_another_kind() {
    let folder = Folder::new();
    for (end, status) in [("*reset*", 0), ("*half-close*", 1), ("*no reply*", 1)] {
        let server = Server::play("S: 220 x\nS: *reset*").unwrap();
        let file = folder.write("a.txt", &format!("S: 220\nC: *pause 100 ms*\nC: NOOP\nS: {end}\n"));
        let output = talk(server.port(), &["--play", &file], "");
        assert_status(&output, status);
        assert_eq!(err(&output).contains("onnection reset"), status == 1, "{end}: {}", err(&output));
        server.join().unwrap();
    }
}

#[test]
fn what_is_not_met_is_told_and_the_status_is_1() {
    let (folder, server) = (Folder::new(), Server::start().unwrap());
    let file = folder.write("a.txt", BAD);
    let output = talk(server.port(), &["--quiet", "--play", &file], "");
    assert_status(&output, 1);
    let told = err(&output);
    let first = format!("mconnect: {file}:3: expected `S: 550`, got `250 2.0.0 nothing done`, after ");
    assert!(told.starts_with(&first), "{told}");
    assert!(told.ends_with("  C: NOOP\n  S: 250 2.0.0 nothing done\n"), "{told}");
    let output = talk(server.port(), &["--quiet", "--keep-going", "--play", &file], "");
    assert_status(&output, 1);
    assert!(err(&output).contains(":5: expected `S: 252`, got `221 2.0.0 goodbye`"), "{}", err(&output));
}

#[test]
fn what_passed_is_said_and_the_line_that_did_not_is_marked() {
    let (folder, server) = (Folder::new(), Server::start().unwrap());
    let (good, bad) = (folder.write("good.txt", GOOD), folder.write("bad.txt", BAD));
    let output = talk(server.port(), &["--play", &good], "");
    assert_status(&output, 0);
    assert_eq!(err(&output).lines().last(), Some("passed"));
    let output = talk(server.port(), &["--keep-going", "--play", &bad], "");
    assert_status(&output, 1);
    let told = err(&output);
    let marks: Vec<&str> = told.lines().filter(|line| line.starts_with("^^")).collect();
    assert_eq!(marks, ["^^ line 3: expected `S: 550`", "^^ line 5: expected `S: 252`"], "{told}");
    assert!(!told.contains("passed"), "{told}");
    let output = talk(server.port(), &["--play", &good, "--play", &bad], "");
    assert_eq!(err(&output).lines().filter(|line| *line == "passed").count(), 1, "{}", err(&output));
    let output = talk(server.port(), &["--tap", "--play", &good, "--play", &bad], "");
    let told = out(&output) + &err(&output);
    assert!(!told.contains("passed") && !told.contains("^^"), "{told}");
    // On a terminal, the mark stands under the line.
    let port = server.port().to_string();
    let mut pty = Pty::start(MCONNECT, &["--play", &bad, "-p", &port, "127.0.0.1"]);
    assert_eq!(pty.wait(), 1);
    let screen = String::from_utf8(pty.finish()).unwrap();
    assert!(screen.contains("S: 250 2.0.0 nothing done\r\n^^ line 3: expected `S: 550`"), "{screen}");
}

#[test]
fn a_file_that_is_played_is_not_written_over_and_none_is_written_twice() {
    let folder = Folder::new();
    let (played, new) = (folder.write("a.txt", GOOD), folder.file("new.txt"));
    let other = folder.file("link.txt");
    std::os::unix::fs::symlink(&played, &other).unwrap();
    for (option, written) in [("--record", &played), ("--junit", &played), ("--record", &other), ("--junit", &other)] {
        let output = run(&["--demo", "--play", &played, option, written], "");
        assert_status(&output, 64);
        let told = format!("mconnect: {written} is played: {option} would write over it");
        assert_eq!(complaints(&output), told);
        let mut from_input = tool(&["--demo", "--play", "-", option, written]);
        let output = from_input.stdin(std::fs::File::open(&played).unwrap()).output().unwrap();
        assert_status(&output, 64);
        assert_eq!(folder.read("a.txt"), GOOD);
    }
    let output = run(&["--demo", "--play", &played, "--record", &new, "--junit", &new], "");
    assert_status(&output, 64);
    assert_eq!(complaints(&output), format!("mconnect: --record and --junit would both write {new}"));
    let twice = ["--quiet", "--demo", "--play", &played, "--record", "/dev/null", "--junit", "/dev/null"];
    assert_status(&run(&twice, ""), 0);
    let output = run(&["--quiet", "--demo", "--play", &played, "--junit", "/nonexistent/x"], "");
    assert_status(&output, 74);
    assert_eq!(complaints(&output), "mconnect: cannot write /nonexistent/x: No such file or directory");
}

#[test]
fn statuses_tell_what_was_wrong() {
    let folder = Folder::new();
    let (bad, good) = (folder.write("bad.txt", "S: 220\nnonsense"), folder.write("good.txt", GOOD));
    let output = run(&["--play", &bad, "127.0.0.1"], "");
    assert_status(&output, 65);
    let told = format!("mconnect: {bad}: line 2, column 1: expected S: S> C: C> a *direction* or #\n  nonsense\n  ^\n");
    assert_eq!(err(&output), told);
    let output = run(&["--play", "/no/such/file", "127.0.0.1"], "");
    assert_status(&output, 66);
    assert_eq!(complaints(&output), "mconnect: cannot read /no/such/file: No such file or directory");
    assert_status(&run(&["--play", &good, "-p", "1", "127.0.0.1"], ""), 69);
    assert_status(&run(&["--play", &good, "nonexistent.invalid"], ""), 68);
    let full = std::fs::File::create("/dev/full").unwrap();
    let output = tool(&["--demo", "--play", &good]).stdout(full).output().unwrap();
    assert_status(&output, 74);
    assert!(complaints(&output).starts_with("mconnect: cannot write to standard output: No space left on device"));
    assert!(!err(&output).contains("os error"), "{}", err(&output));
    let empty = folder.write("empty.txt", "# Nothing.\n");
    for args in
        [["--play", &empty, "--demo"].as_slice(), &["--serve", &empty], &["--demo", "--play", "-", "--play", "-"]]
    {
        let output = run(args, "");
        assert_status(&output, 65);
        assert!(complaints(&output).ends_with(" holds no dialogue"), "{}", complaints(&output));
    }
    let server = Server::start().unwrap();
    let unset = folder.write("unset.txt", "S: 220\nC: ${no_such_name}");
    assert_status(&talk(server.port(), &["--play", &unset], ""), 65);
    assert_status(&run(&["--serve", "/no/such/file"], ""), 66);
    assert_status(&run(&["--serve", &folder.write("class.txt", "S: 2yz"), "--once"], ""), 65);
}

#[test]
fn tap_and_junit_have_every_session() {
    let (folder, server) = (Folder::new(), Server::start().unwrap());
    let good = folder.write("good.txt", &format!("{GOOD}*next session*\n{GOOD}"));
    let (bad, xml) = (folder.write("bad.txt", BAD), folder.file("out.xml"));
    let args = ["--quiet", "--tap", "--junit", &xml, "--play", &good, "--play", &bad, "--repeat", "2"];
    let output = talk(server.port(), &args, "");
    assert_status(&output, 1);
    let tap = out(&output);
    let lines: Vec<&str> = tap.lines().filter(|line| !line.starts_with(' ')).collect();
    assert_eq!(lines[..2], ["TAP version 13", "1..6"]);
    assert_eq!(lines[2], format!("ok 1 - {good}, session 1, round 1"));
    assert_eq!(lines[4], format!("not ok 3 - {bad}, round 1"));
    assert!(tap.contains("\n      S: 250 2.0.0 nothing done\n"), "{tap}");
    let xml = folder.read("out.xml");
    assert!(xml.contains("tests=\"6\" failures=\"2\""), "{xml}");
}

#[test]
fn values_and_places_are_given_by_options() {
    let (folder, server) = (Folder::new(), Server::start().unwrap());
    let file = folder.write("a.txt", "S: 220\nC: RCPT TO:<${who}>\n*place asked*\nS: 503\nC: never");
    let args = ["--play", &file, "--set", "who=a=b", "--quit-at", "asked"];
    let output = talk(server.port(), &args, "");
    assert_status(&output, 1);
    assert!(out(&output).contains("C: RCPT TO:<a=b>\nC: QUIT\n"), "{}", out(&output));
    let output = talk(server.port(), &["--play", &file, "--set", "who=x", "--drop-at", "asked"], "");
    assert_status(&output, 0);
}

#[test]
fn a_value_comes_from_an_option_else_from_the_environment_else_it_is_the_default() {
    let (folder, server) = (Folder::new(), Server::start().unwrap());
    let file = folder.write("a.txt", "*secret hush*\nS: 220\nC: VRFY ${who:-nobody}\nS: 252\nC: VRFY ${hush}\nS: 252");
    let port = server.port().to_string();
    for (set, variable, who) in
        [(Some("who=option"), Some("variable"), "option"), (None, Some("variable"), "variable"), (None, None, "nobody")]
    {
        let mut args = vec!["--play", file.as_str(), "-p", &port, "127.0.0.1"];
        args.extend(set.map(|set| ["--set", set]).into_iter().flatten());
        let mut command = tool(&args);
        command.env("hush", "password").env_remove("who");
        if let Some(variable) = variable {
            command.env("who", variable);
        }
        let output = command.output().unwrap();
        assert_status(&output, 0);
        assert!(out(&output).contains(&format!("C: VRFY {who}\n")), "{}", out(&output));
        assert!(out(&output).contains("C: VRFY [hidden]\n"), "{}", out(&output));
    }
    let output = tool(&["--play", &file, "-p", &port, "127.0.0.1"]).env_remove("hush").output().unwrap();
    assert_status(&output, 65);
    assert!(err(&output).contains("got ${hush} has no value"), "{}", err(&output));
}

#[test]
fn a_record_of_a_piped_session_plays() {
    let (folder, server) = (Folder::new(), Server::start().unwrap());
    let file = folder.file("talk.txt");
    let script = "EHLO x\nMAIL FROM:<>\nRCPT TO:<refused@x>\nRCPT TO:<a@x>\nDATA\nSubject: x\n\nhi\n.\nQUIT\n";
    let output = talk(server.port(), &["--record", &file], script);
    assert_status(&output, 0);
    let text = folder.read("talk.txt");
    assert!(text.contains("C: RCPT TO:<refused@x>\n# 550 5.1.1 no such mailbox here\nS: 550\n"), "{text}");
    let again = folder.file("again.txt");
    let output = talk(server.port(), &["--play", &file, "--record", &again], "");
    assert_status(&output, 0);
    assert_eq!(folder.read("again.txt"), text);
    let changed = folder.write("changed.txt", &text.replace("S: 354", "S: 250"));
    assert_status(&talk(server.port(), &["--play", &changed], ""), 1);
    assert_status(&talk(server.port(), &["--record", "/no/such/folder/x"], ""), 74);
}

#[test]
fn of_many_sessions_each_is_named_and_the_failed_ones_are_counted() {
    let (folder, server) = (Folder::new(), Server::start().unwrap());
    let (good, bad) = (folder.write("good.txt", GOOD), folder.write("bad.txt", BAD));
    let output = talk(server.port(), &["--play", &good, "--play", &bad, "--repeat", "2"], "");
    assert_status(&output, 1);
    let told = err(&output);
    let played: Vec<&str> = told.lines().filter(|line| line.starts_with("play")).collect();
    let name = |file: &str, round: u8| format!("playing {file}, round {round}");
    assert_eq!(played[..2], [name(&good, 1), name(&bad, 1)]);
    assert_eq!(played.last().unwrap(), &"played 4 sessions, 2 of them not as expected");
    let quiet = talk(server.port(), &["--quiet", "--play", &good, "--play", &bad], "");
    assert_eq!((out(&quiet).as_str(), err(&quiet).matches("mconnect: ").count()), ("", 1));
    assert!(!err(&quiet).contains("play"), "{}", err(&quiet));
}

#[test]
fn the_transcript_of_a_failed_step_has_its_command_however_long_the_reply() {
    let (folder, server) = (Folder::new(), Server::start().unwrap());
    let help = "S: 220\nC: HELP\nS: 999\n";
    let xml = folder.file("out.xml");
    let output = talk(server.port(), &["--tap", "--junit", &xml, "--play", "-"], help);
    assert_status(&output, 1);
    for told in [out(&output), folder.read("out.xml")] {
        assert!(told.contains("C: HELP\n"), "{told}");
        assert!(told.contains("expected `S: 999`"), "{told}");
    }
    assert!(folder.read("out.xml").contains("the last lines of the session:\n"), "{}", folder.read("out.xml"));
}
