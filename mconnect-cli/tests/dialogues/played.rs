//! Dialogues played, recorded and served by the tool.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use crate::common::folder::{Folder, serve};
use crate::common::{MCONNECT, PATIENCE, Pty, assert_status, complaints, err, feed, out, run, talk, tool};
use mconnect_core::server::Server;
use mconnect_core::{Connect, Timeouts};

const GOOD: &str = "S: 220\nC: NOOP\nS: 250\nC: QUIT\nS: 221\nS: *close*\n";
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
fn deadlines_are_scaled_on_both_sides() {
    let folder = Folder::new();
    // What the server says after 400 ms comes in time only if the deadline of 20 ms is stretched.
    let slow = folder.write("slow.txt", "S: *pause 400 ms*\nS: 220 hi\nC: *close*");
    let hurried = folder.write("hurried.txt", "*within 20 ms*\nS: 220\nC: *pause 400 ms*\nC: *close*");
    let (child, port, _out) = serve(&["--serve", &slow, "--once"]);
    assert_status(&run(&["--play", &hurried, "-p", &port, "--scale", "50", "127.0.0.1"], ""), 0);
    assert_status(&child.wait_with_output().unwrap(), 0);
    let (mut child, port, _out) = serve(&["--serve", &slow, "--once"]);
    assert_status(&run(&["--play", &hurried, "-p", &port, "127.0.0.1"], ""), 1);
    child.kill().unwrap();
    child.wait().unwrap();

    let served = folder.write("served.txt", "S: 220 hi\n*within 20 ms*\nC: *close*");
    for (scale, status) in [("50", 0), ("1", 1)] {
        let (child, port, _out) = serve(&["--serve", &served, "--once", "--scale", scale]);
        run(&["--play", &hurried, "-p", &port, "--scale", "50", "127.0.0.1"], "");
        assert_status(&child.wait_with_output().unwrap(), status);
    }
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
fn a_server_that_cannot_say_where_it_is_tells_why() {
    let folder = Folder::new();
    let file = folder.write("a.txt", GOOD);
    let output = run(&["--serve", &file, "--port-file", "/nonexistent/x"], "");
    assert_status(&output, 74);
    assert_eq!(complaints(&output), "mconnect: cannot write /nonexistent/x: No such file or directory");
    let taken = Server::start().unwrap();
    let output = run(&["--serve", &file, "-p", &taken.port().to_string()], "");
    assert_status(&output, 69);
    let told = format!("mconnect: cannot serve at 127.0.0.1:{}: Address already in use", taken.port());
    assert_eq!(complaints(&output), told);
    let full = std::fs::File::create("/dev/full").unwrap();
    assert_status(&tool(&["--serve", &file]).stdout(full).output().unwrap(), 74);
}

#[test]
fn a_client_is_judged_by_what_it_does() {
    let folder = Folder::new();
    let file =
        folder.write("a.txt", "S: 220 hi\nC: QUIT\nS: 221 bye\n*next session*\nS: 220 again\nC: QUIT\nS: 221 bye");
    let port_file = folder.file("port");
    for (second, status) in [("QUIT\n", 0), ("RSET\n", 1)] {
        let (child, port, _out) = serve(&["--serve", &file, "--once", "--port-file", &port_file]);
        assert_eq!(folder.read("port"), format!("{port}\n"));
        let client = |input: &str| {
            let mut child: Child = Command::new(MCONNECT)
                .args(["-p", &port, "127.0.0.1"])
                .stdin(std::process::Stdio::piped())
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap();
            feed(&mut child, input.as_bytes().to_vec());
            child.wait().unwrap();
        };
        client("QUIT\n");
        client(second);
        let output = child.wait_with_output().unwrap();
        assert_status(&output, status);
        if status == 1 {
            let told = err(&output);
            assert!(
                told.starts_with(&format!("mconnect: {file}: line 6 of the dialogue: expected `C: QUIT`, got")),
                "{told}"
            );
        }
    }
}

#[test]
fn no_client_is_another_status_than_a_deviating_one() {
    let folder = Folder::new();
    let file = folder.write("a.txt", "S: 220 hi");
    let output = run(&["--serve", &file, "--once", "--timeout", "0.02"], "");
    assert_status(&output, 75);
    assert_eq!(complaints(&output), "mconnect: no client came in 20ms");
}

#[test]
fn a_dialogue_is_served_again_and_again() {
    let folder = Folder::new();
    let file = folder.write("a.txt", GOOD.replace("S: 220", "S: 220 x").as_str());
    let (mut child, port, _out) = serve(&["--serve", &file]);
    for _ in 0..3 {
        let output = run(&["--play", &file, "-p", &port, "127.0.0.1"], "");
        assert_status(&output, 0);
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn clients_are_served_side_by_side_and_after_the_last_session_comes_the_first() {
    let folder = Folder::new();
    let file = folder.write("a.txt", "S: 220 one\nC: QUIT\nS: 221\n*next session*\nS: 220 two\nC: QUIT\nS: 221\n");
    let (mut child, port, _out) = serve(&["--serve", &file]);
    let open = || Connect::new("127.0.0.1", port.parse().unwrap()).open().unwrap();
    let mut sessions = [open(), open(), open(), open()];
    // Each is served while those before it are still there; the last one deviates.
    for (session, greeting) in sessions.iter_mut().zip(["220 one", "220 two", "220 one", "220 two"]).rev() {
        assert_eq!(session.read_reply().unwrap().to_string(), greeting);
    }
    let complaints = BufReader::new(child.stderr.take().unwrap());
    let (sender, told) = channel();
    thread::spawn(move || complaints.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    sessions[3].send_line("NOOP").unwrap();
    let line = told.recv_timeout(PATIENCE).unwrap();
    assert!(line.contains("line 6 of the dialogue: expected `C: QUIT`, got `NOOP"), "{line}");
    for session in &mut sessions[..3] {
        session.command("QUIT").unwrap().require(221).unwrap();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(told.iter().all(|line| !line.starts_with("mconnect: ")));
}

#[test]
fn no_more_than_two_hundred_clients_are_served_at_once_and_the_others_wait() {
    let folder = Folder::new();
    let file = folder.write("a.txt", "S: 220 hi\nC: QUIT\nS: 221 bye\n");
    let (mut child, port, _out) = serve(&["--serve", &file, "--scale", "6"]);
    let connect = || Connect::new("127.0.0.1", port.parse().unwrap());
    let greeted = || {
        let mut session = connect().open().unwrap();
        session.read_reply().unwrap().require(220).unwrap();
        session
    };
    let mut sessions: Vec<_> = (0..200).map(|_| greeted()).collect();
    let hurried = Timeouts::default().replies(Duration::from_millis(50));
    let error = connect().timeouts(hurried).open().unwrap().read_reply().unwrap_err();
    assert!(error.is_timeout(), "{error}");
    sessions.pop().unwrap().quit().unwrap();
    greeted().quit().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_trace_tells_every_byte_but_passwords() {
    let server = Server::start().unwrap();
    let output = talk(server.port(), &["--quiet", "--trace"], "AUTH PLAIN hush\nQUIT\n");
    assert_status(&output, 0);
    let told = err(&output);
    let told: Vec<&str> = told.lines().filter_map(|line| Some(line.trim_start().split_once(' ')?.1)).collect();
    assert!(told.contains(&"< 220 loopback.mconnect.test ESMTP mconnect loopback server\\r\\n"), "{told:?}");
    assert!(told.contains(&"> AUTH PLAIN ") && told.contains(&"> [hidden, 6 octets]"), "{told:?}");
    assert!(told.contains(&"> QUIT\\r\\n") && told.contains(&"= end"), "{told:?}");
    let times: Vec<f64> = err(&output).lines().map(|line| line[..9].trim().parse().unwrap()).collect();
    assert!(times.is_sorted() && times[0] == 0.0, "{times:?}");
    let output = talk(server.port(), &["--quiet", "--trace=hex"], "AUTH PLAIN hush\nQUIT\n");
    assert!(!err(&output).contains("68 75 73 68") && err(&output).contains("[hidden, 6 octets]"), "{}", err(&output));
    let row = "32 32 30 20 6c 6f 6f 70 62 61 63 6b 2e 6d 63 6f";
    assert!(err(&output).contains(&format!("< {row}  220 loopback.mco")), "{}", err(&output));
    assert!(err(&output).contains(&format!("> {:<48} QUIT..", "51 55 49 54 0d 0a")), "{}", err(&output));
}

#[test]
fn a_trace_tells_names_tls_and_raw_bytes_too() {
    let server = Server::start().unwrap();
    let port = server.port().to_string();
    let told = err(&run(&["--quiet", "--trace", "-4", "-p", &port, "localhost"], "QUIT\n"));
    assert!(told.contains("= resolving localhost\n") && told.contains("= resolved to 127.0.0.1"), "{told}");
    let told = err(&run(&["--quiet", "--trace", "-r", "-p", &port, "127.0.0.1"], "QUIT\r\n"));
    assert!(told.contains("> QUIT\\r\\n\n") && told.contains("< 221 2.0.0 goodbye\\r\\n\n"), "{told}");
    #[cfg(feature = "tls")]
    {
        let told = err(&run(&["--demo", "--quiet", "--trace", "--starttls", "-c", "QUIT"], ""));
        assert!(told.contains("= TLS started\n") && told.contains("= TLS 1.3, TLS_"), "{told}");
        assert!(told.contains("; verified\n") && told.contains("> QUIT\\r\\n"), "{told}");
    }
}

#[test]
fn a_secret_of_a_dialogue_is_nowhere() {
    let (folder, server) = (Folder::new(), Server::start().unwrap());
    let (record, xml) = (folder.file("record.txt"), folder.file("out.xml"));
    let dialogue = "*secret word*\nS: 220\nC: XLOGIN ${word}, and more\nS: 500\nC: NOOP\nS: 555\nC: QUIT\nS: 221\n";
    let options = ["--trace", "--record", &record, "--junit", &xml, "--set", "word=hush", "--keep-going"];
    for form in ["--timestamps", "--json", "--tap"] {
        let output = talk(server.port(), &[&options[..], &[form, "--play", "-"]].concat(), dialogue);
        assert_status(&output, 1);
        let told = [out(&output), err(&output), folder.read("record.txt"), folder.read("out.xml")].concat();
        assert!(!told.contains("hush") && told.contains("[hidden]"), "{told}");
        assert!(told.contains("> [hidden, 16 octets]") && told.contains("C: XLOGIN ${secret1}\n"), "{told}");
    }
}

#[test]
fn a_secret_that_the_server_repeats_is_not_told_either() {
    let folder = Folder::new();
    let record = folder.file("record.txt");
    let theirs = "S: 220 hi\nC: XLOGIN hush\nS: 550-no hush here\nS: 550 5.7.1 <hush>\nC: QUIT\nS: 221 bye";
    let ours = "*secret word*\nS: 220\nC: XLOGIN ${word}\nS: 550\nC: QUIT\nS: 221\n";
    for form in ["--timestamps", "--json"] {
        let server = Server::play(theirs).unwrap();
        let options = ["--trace", "--record", &record, "--set", "word=hush", form, "--play", "-"];
        let output = talk(server.port(), &options, ours);
        assert_status(&output, 0);
        let told = [out(&output), err(&output), folder.read("record.txt")].concat();
        assert!(!told.contains("hush"), "{told}");
        assert!(told.contains("< 550 5.7.1 <****>\\r\\n") && told.contains("# 550-no **** here\n"), "{told}");
        server.join().unwrap();
    }
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

#[test]
fn a_server_is_bound_where_it_is_told() {
    let (folder, free) = (Folder::new(), std::net::TcpListener::bind("127.0.0.2:0").unwrap());
    let port = free.local_addr().unwrap().port().to_string();
    drop(free);
    let (file, told) = (folder.write("a.txt", "S: 220 hi\nC: QUIT\nS: 221 bye\n"), folder.file("port"));
    let args = ["--serve", &file, "--once", "--bind", "127.0.0.2", "-p", &port, "--port-file", &told];
    let mut child = tool(&args).spawn().unwrap();
    let (mut line, mut stdout) = (String::new(), BufReader::new(child.stdout.take().unwrap()));
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, format!("listening on 127.0.0.2:{port}\n"));
    assert_eq!(folder.read("port"), format!("{port}\n"));
    // Somebody is there already.
    let second = run(&["--serve", &file, "--bind", "127.0.0.2", "-p", &port], "");
    assert_status(&second, 69);
    assert!(complaints(&second).contains("Address already in use"), "{}", complaints(&second));
    assert_status(&run(&["-c", "QUIT", "-p", &port, "127.0.0.2"], ""), 0);
    assert_status(&child.wait_with_output().unwrap(), 0);
}
