//! Dialogues that are served.

use std::io::{BufRead, BufReader};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use super::played::GOOD;
use crate::common::folder::{Folder, serve};
use crate::common::{PATIENCE, assert_status, complaints, err, run, tool};
use mconnect_core::server::Server;
use mconnect_core::{Connect, Timeouts};

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
        for input in ["QUIT\n", second] {
            run(&["-p", &port, "127.0.0.1"], input);
        }
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
