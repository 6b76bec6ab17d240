//! Whatever a server, a client or a file says steers no terminal: every channel, in every mode, on a pseudo-terminal, and
//! every byte that came out of it.

mod certificates;
mod channels;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream};

use crate::common::Peer;
use crate::common::attack::for_each;
use crate::common::folder::Folder;
use crate::common::steer::{self, TEXT, TOLD};

use Stage::{Given, Prompt};
use channels::{CHANNELS, EHLO, SECURE_CHANNELS, Stage, end, filled, start};

/// A name of a file that would steer a terminal.
fn hostile_name() -> String {
    format!("{}.x", TEXT.split('|').filter(|part| !part.contains('/')).take(6).collect::<String>())
}

#[track_caller]
fn assert_harmless(name: &str, came: &[u8], told: &str) {
    let leaks = steer::leaks(came);
    assert!(leaks.is_empty(), "{name}: {leaks:#?}\n{}", came.escape_ascii());
    let text = String::from_utf8_lossy(came);
    assert!(text.contains(told) && !text.contains("panicked"), "{name} was not told:\n{text}");
}

#[test]
fn what_steers_a_terminal_is_found() {
    for part in TEXT.split('|').filter(|part| !part.is_empty()) {
        assert!(!steer::leaks(part.as_bytes()).is_empty(), "{part:?}");
    }
    for byte in (0x80..=0xff).chain([0, 7, 8, 0x7f]) {
        assert!(!steer::leaks(&[b'a', byte, b'b']).is_empty(), "{byte:x}");
    }
    assert!(
        steer::leaks("\x1b[?2004h\x1b[1msmtp> \x1b[0m\x1b[2mq\x1b[0m\r\x1b[K\x1b[6C\r\n\tGrüße\x1b[J".as_bytes())
            .is_empty()
    );
}

#[test]
fn what_a_server_says_steers_no_terminal() {
    let rows = CHANNELS.iter().chain(SECURE_CHANNELS).flat_map(|row| row.stages.iter().map(move |stage| (row, *stage)));
    for_each(&rows.collect::<Vec<_>>(), |(row, stage)| {
        assert_harmless(&format!("{}, {stage:?}", row.name), &row.run(*stage), row.told);
    });
}

/// What a dialogue says, against a server that says the same to everything.
#[test]
fn dialogues_and_their_failures_steer_no_terminal() {
    const OK: &str = "S: 220\nC: NOOP\nS: 250\nC: QUIT\nS: 221\n";
    const LINES: &str = "S: 220\nC: NOOP @\nS: 550\nC: VRFY @\nS: 550\nC: QUIT\n";
    let folder = Folder::new();
    let name = folder.file(&hostile_name());
    let table: &[(&str, &str, &[&str])] = &[
        ("replies that are shown", OK, &[]),
        ("a reply that is not expected", "S: 220\nC: NOOP\nS: 550\n", &[]),
        ("a step with text that is not met", "S: 220 @\nC: NOOP\nS= 250 @ x\n", &["--keep-going"]),
        ("what is sent", LINES, &["--keep-going"]),
        ("TAP", LINES, &["--keep-going", "--tap"]),
        ("the trace", LINES, &["--keep-going", "--trace"]),
        ("a syntax error", "S: 220\n@\n", &[]),
        ("a file that is not there, included", "S: 220\n*include /@*\n", &[]),
        ("a file that is not there, sent", "S: 220\nC: *file /@*\n", &[]),
        ("a body that is not there", "S: 220\nC: DATA\nS: 250\nC: *body /@*\n", &["--keep-going"]),
        ("a value that is missing", "S: 220\nC: NOOP @ ${x}\n", &[]),
    ];
    for_each(table, |(what, text, options)| {
        let file = folder.write(&format!("{what}.txt"), &text.replace('@', TEXT));
        let came = run(&[&["--play", &file], *options].concat());
        assert_harmless(what, &came, TOLD);
    });
    fs::write(&name, "S: 220\nC: NOOP\nS: 550\n").unwrap();
    for options in [&[][..], &["--tap"], &["--repeat", "2"], &["--record", &name]] {
        assert_harmless("the name of a dialogue", &run(&[&["--play", &name], options].concat()), TOLD);
    }
    // What is recorded of a hostile server can be looked at, and played.
    let [record, junit] = ["record", "junit"].map(|name| folder.file(name));
    run(&["--record", &record, "-c", "NOOP", "-c", "QUIT"]);
    assert_harmless("a record", &fs::read(&record).unwrap(), TOLD);
    assert_harmless("a record that is played", &run(&["--play", &record, "--junit", &junit]), TOLD);
    let lines = folder.file("what is sent.txt");
    run(&["--play", &lines, "--junit", &junit]);
    assert_harmless("JUnit", &fs::read(&junit).unwrap(), TOLD);
}

/// A server that says the same to everything but QUIT, and this to EHLO.
fn parrot(ehlo: &'static str) -> Peer {
    Peer::start(move |stream| {
        let mut client = BufReader::new(&stream);
        let (mut line, mut says) = (Vec::new(), "220-@\r\n220 @\r\n");
        while (&stream).write_all(&filled(says)).is_ok() {
            line.clear();
            if client.read_until(b'\n', &mut line).is_ok_and(|count| count == 0) {
                break;
            }
            says = match &line[..4.min(line.len())] {
                b"EHLO" => ehlo,
                b"QUIT" => "221-@\r\n221 @\r\n",
                _ => "250-@\r\n250 @\r\n",
            };
        }
        Vec::new()
    })
}

/// Runs the tool against it, typed at by nobody.
fn run(args: &[&str]) -> Vec<u8> {
    let peer = parrot(EHLO);
    let port = peer.port.to_string();
    let came = end(start(Given, &[args, &["-p", &port, "127.0.0.1"]].concat(), &[]));
    // The tool may never have come.
    drop(TcpStream::connect(("127.0.0.1", peer.port)));
    peer.received();
    came
}

#[test]
fn what_a_client_says_to_a_dialogue_that_is_served_steers_no_terminal() {
    let folder = Folder::new();
    for (what, text) in [
        ("a line", "S: 220 hi\nC: NOOP\nS: 250 ok\n"),
        ("a line, and a dialogue of that kind", "S: 220 @\nC: @ NOOP\nS: 250 ok\n"),
        ("a line in a body", "S: 220 hi\nC> \\x1b]52;c;cm0=\nC: .\nS: 250 ok\n"),
        ("exact bytes", "S: 220 hi\nC> as many as that one has\nS: 250 ok\n"),
    ] {
        let (file, told) = (folder.write("serve.txt", &text.replace('@', TEXT)), folder.file("port"));
        let _ = fs::remove_file(&told);
        let args = ["--serve", &file, "--once", "--port-file", &told];
        let mut pty = start(Given, &args, &[]);
        pty.expect("listening on ");
        let port: u16 = fs::read_to_string(&told).unwrap().trim().parse().unwrap();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.write_all(&filled("@\r\n@\r\n")).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
        assert_harmless(what, &end(pty), TOLD);
    }
}

#[test]
fn names_and_files_steer_no_terminal() {
    let folder = Folder::new();
    let path = |name: &str| folder.file(name);
    let (help, there, name) = (path("help"), path(&hostile_name()), format!("/{}", hostile_name()));
    fs::write(&help, "smtp\t@\nhelo\t@\nevil\t@\n@\t@\nmacro\t@ ${@}\n".replace('@', TEXT)).unwrap();
    fs::write(&there, "").unwrap();
    // What cannot be a label of a name is not looked up.
    let host = format!("{}{}", "x".repeat(64), TEXT.replace(|c: char| !c.is_ascii(), ""));
    let table: &[(&str, &str)] = &[
        ("a help file", "--help-smtp --helpfile {help}"),
        ("a topic of it", "--help-smtp evil --helpfile {help}"),
        ("topics that begin so", "--help-smtp m --helpfile {help}"),
        ("a topic that is none", "--help-smtp @"),
        ("a topic that looks like a code", "--help-smtp 9@"),
        ("a help file that is none", "--help-smtp --helpfile {name}"),
        ("a host", "@"),
        ("a host that is ASCII", "{host}"),
        ("a host that is ASCII, traced", "--trace {host}"),
        ("a port", "-p @"),
        ("an option", "--@"),
        ("a value", "--color @"),
        ("one too many", "a @"),
        ("a dialogue that is not there", "--play {name}"),
        ("a dialogue that is none", "--play {there}"),
        ("a dialogue to serve that is not there", "--serve {name}"),
        ("a record that cannot be", "--record /nonexistent{name} -c QUIT"),
        ("a file for the port that cannot be", "--serve {help} --port-file /nonexistent{name}"),
        ("authorities that are not there", "--cafile {name} -c QUIT"),
        ("authorities that are none", "--cafile {there} -c QUIT"),
        ("a certificate that is none", "--cert {there} -c QUIT"),
        ("a password that is not there", "--demo --auth u --password-file {name} -c QUIT"),
        ("a user", "--demo --auth @:PLAIN -c QUIT"),
        ("a mechanism", "--demo --auth u:@ -c QUIT"),
        ("a pin", "--demo --pin @ -c QUIT"),
        ("a name", "--demo --starttls --tls-name @ -c QUIT"),
        ("a name that is ASCII", "--demo --starttls --tls-name {host} -c QUIT"),
        ("the name of this end", "--demo --starttls --helo @ -c QUIT"),
    ];
    for_each(table, |(what, args)| {
        let fill = |arg: &str| {
            let names = [("{help}", &help), ("{there}", &there), ("{name}", &name), ("{host}", &host)];
            let filled = names.iter().fold(arg.to_owned(), |arg, (place, name)| arg.replace(place, name));
            filled.replace('@', TEXT)
        };
        let args: Vec<String> = args.split(' ').map(fill).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let came = end(start(Given, &args, &[]));
        assert_harmless(what, &came, "]52;c;");
    });
}

#[test]
fn what_is_typed_and_kept_steers_no_terminal() {
    let folder = Folder::new();
    let path = |name: &str| folder.file(name);
    let (help, lines, history) = (path("help"), path("lines"), path("mconnect/history"));
    fs::write(&help, "smtp\t@\nevil\t@\n".replace('@', TEXT)).unwrap();
    fs::write(&lines, "NOOP @\nVRFY @\n".replace('@', TEXT)).unwrap();
    fs::create_dir_all(path("mconnect")).unwrap();
    let steering: String = TEXT.split('|').map(|part| format!("NOOP {part}\n")).collect();
    let demo = |variables: &[(&str, &str)], keys: &[(&str, &str)], told: &str| {
        fs::write(&history, &steering).unwrap();
        let mut pty = start(Prompt, &["--demo", "--helpfile", &help], variables);
        for (keys, until) in [("", "smtp"), ("NOOP\r", "nothing done")].iter().chain(keys) {
            pty.send(keys);
            pty.expect(until);
        }
        pty.send("QUIT\r");
        assert_harmless(&format!("{keys:?}"), &end(pty), told);
    };
    demo(&[], &[("~h evil\r", "]52;c;"), ("~h smtp\r", "]52;c;")], TOLD);
    demo(&[], &[(&format!("~r {lines}\r"), "]52;c;")], TOLD);
    demo(&[], &[(&format!("~r {}/none\r", path("x")), "cannot read")], "cannot read");
    demo(&[], &[("~64 \\x1b]52;c;\r", "G101Mjtj")], "G101Mjtj");
    // A paste of lines is shown as it was sent.
    demo(&[], &[(&format!("\x1b[200~{steering}\x1b[201~"), "]52;c;")], TOLD);
    // Arrow up, again and again, through a history that somebody else has written to.
    let state = [("XDG_STATE_HOME", folder.text())];
    demo(&state, &[("\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\x05\x15NOOP\r", "nothing done")], "holds control characters");
}

/// The mechanisms that a server offers, completed, and what a file had in its paths.
#[test]
fn completion_and_hints_steer_no_terminal() {
    let folder = Folder::new();
    let lines = "MAIL FROM:<@>\nRCPT TO:<@@>\n".replace('@', &TEXT.replace([' ', '>'], ""));
    let lines = folder.write("lines", &lines);
    const ONE: &str = "250-x\r\n250 AUTH @\r\n";
    const MANY: &str = "250-x\r\n250-AUTH=X@\r\n250 AUTH X@ Y@ PLAIN @\r\n";
    let helo = TEXT.replace('\r', "");
    let helo = ["--helo", &helo];
    let file = format!("~r {lines}\r");
    let offered = [
        "AUTH \t",
        "AUTH \t\t",
        "AUTH X\t\t",
        "AUTH \x1b\t",
        "~a \t\t",
        "~a X\t\t",
        "A\t\t",
        "~h \t\t",
        "MAIL FROM:<> A\t\t",
    ];
    let kept = ["RCPT TO:<\t\t", "VRFY \t\t", "MAIL FROM:<\t"].map(|keys| format!("{file}{keys}"));
    let mut rows: Vec<(&str, &[&str], &str)> = vec![(ONE, &helo, "\x1b[C")];
    rows.extend(offered.iter().flat_map(|keys| [ONE, MANY].map(|says| (says, &[][..], *keys))));
    rows.extend(kept.iter().map(|keys| (MANY, &[][..], keys.as_str())));
    for_each(&rows, |(says, options, keys)| {
        let peer = parrot(says);
        let port = peer.port.to_string();
        let mut pty = start(Prompt, &[*options, &["-p", &port, "127.0.0.1"]].concat(), &[]);
        pty.expect("smtp> ");
        pty.send("EHLO x\r");
        pty.expect("\\xed\\xa0\\x80|");
        // Ctrl-U, so that no half of it is sent.
        pty.send(format!("{keys}\x15QUIT\r"));
        assert_harmless(&format!("{keys:?}"), &end(pty), "221 \\x1b");
        peer.received();
    });
}
