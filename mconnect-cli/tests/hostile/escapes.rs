//! Whatever a server, a client or a file says steers no terminal: every channel, in every mode, on a pseudo-terminal, and
//! every byte that came out of it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::attack::for_each;
use crate::common::screen::Folder;
use crate::common::steer::{self, TEXT, TOLD};
use crate::common::{MCONNECT, PATIENCE, Peer, Pty};
use mconnect_core::auth::encode;

/// How lines come to the tool, and where what is said goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Prompt,
    /// Typed at `TERM=dumb`.
    Dumb,
    Raw,
    /// By `-c`.
    Given,
}

use Stage::{Dumb, Given, Prompt, Raw};

const TYPED: &[Stage] = &[Prompt, Dumb, Given];
const ALL: &[Stage] = &[Prompt, Dumb, Raw, Given];

/// What a server says, to the greeting and to each line: `@` is what would steer a terminal, `%` the same in base64.
/// After the last of it the connection ends, or, with `...`, is silent.
struct Channel {
    name: &'static str,
    stages: &'static [Stage],
    options: &'static [&'static str],
    says: &'static [&'static str],
    lines: &'static [&'static str],
    /// What shows that it was told.
    told: &'static str,
}

const fn of(
    name: &'static str,
    stages: &'static [Stage],
    options: &'static [&'static str],
    says: &'static [&'static str],
    lines: &'static [&'static str],
) -> Channel {
    Channel { name, stages, options, says, lines, told: TOLD }
}

const EHLO: &str = "250-@ hi\r\n250-@\r\n250-SIZE @\r\n250-X@X @\r\n250-LIMITS RCPTMAX=@\r\n250 AUTH @ X-@\r\n";
const BYE: &str = "221 bye\r\n";

const CHANNELS: &[Channel] = &[
    of("the greeting", ALL, &[], &["220 @\r\n", BYE], &["QUIT"]),
    of("a greeting that refuses", TYPED, &[], &["554 @\r\n"], &[]),
    of("the text of a reply", ALL, &[], &["220 hi\r\n", "250 @\r\n", BYE], &["NOOP", "QUIT"]),
    of("a temporary refusal", ALL, &[], &["220 hi\r\n", "450 4.7.1 @\r\n", BYE], &["NOOP", "QUIT"]),
    of("a refusal", ALL, &[], &["220 hi\r\n", "550 5.7.1 @\r\n", BYE], &["NOOP", "QUIT"]),
    of("an enhanced status code", ALL, &[], &["220 hi\r\n", "550 5.@.1 no\r\n", BYE], &["NOOP", "QUIT"]),
    of("a reply of many lines", ALL, &[], &["220 hi\r\n", "250-@\r\n250-@\r\n250 @\r\n", BYE], &["NOOP", "QUIT"]),
    of("lines without a code", ALL, &[], &["@\r\n220 hi\r\n", "@ 250\r\n250 ok\r\n", BYE], &["NOOP", "QUIT"]),
    of("what is glued to a code", ALL, &[], &["220@\r\n220 hi\r\n", "250@\r\n250 ok\r\n", BYE], &["NOOP", "QUIT"]),
    of("a code with something in it", ALL, &[], &["220 hi\r\n", "2@50 x\r\n250 y\r\n", BYE], &["NOOP", "QUIT"]),
    of("bare LF and CR", ALL, &[], &["220 hi\r\n", "250-@\n250-a\rFAKE\r\r\n250 \r@\r\n", BYE], &["NOOP", "QUIT"]),
    of("half a line at the close", ALL, &[], &["220 hi\r\n", "250 @"], &["NOOP"]),
    of("half a greeting at the close", ALL, &[], &["220 @"], &[]),
    of("half a line at the deadline", TYPED, &["--timeout", "0.3"], &["220 hi\r\n", "221 @..."], &["QUIT"]),
    of("half a greeting at the deadline", &[Given], &["--timeout", "0.3"], &["220 @..."], &[]),
    of("the farewell", ALL, &[], &["220 hi\r\n", "221 @\r\n"], &["QUIT"]),
    of("a 421", TYPED, &[], &["220 hi\r\n", "421 @\r\n"], &["NOOP"]),
    of("what EHLO says", ALL, &[], &["220 hi\r\n", EHLO, BYE], &["EHLO x", "QUIT"]),
    of("what ~e and ~s show", &[Prompt], &[], &["220 hi\r\n", EHLO, BYE], &["EHLO x", "~e", "~s", "QUIT"]),
    of("a challenge", TYPED, &[], &["220 hi\r\n", "334 @\r\n", "501 no\r\n"], &["AUTH LOGIN", "*"]),
    of("a challenge, decoded", &[Prompt], &[], &["220 hi\r\n", "334 %\r\n", "501 no\r\n"], &["AUTH LOGIN", "*"]),
    of("a 354", TYPED, &[], &["220 hi\r\n", "354 @\r\n", "250 @\r\n", BYE], &["DATA", ".", "QUIT"]),
    of("a reply that nobody asked for", TYPED, &[], &["220 hi\r\n", "250 a\r\n250 @\r\n"], &["NOOP", "NOOP"]),
    of("a 354 to NOOP", TYPED, &[], &["220 hi\r\n", "354 @\r\n"], &["NOOP", "NOOP"]),
    of("words that end a script", &[Given], &["--fail"], &["220 hi\r\n", "550 @\r\n", BYE], &["NOOP", "NOOP"]),
    of("a refused STARTTLS in a script", &[Given], &[], &["220 hi\r\n", "454 @\r\n", BYE], &["STARTTLS", "NOOP"]),
    of(
        "a refused AUTH in a script",
        &[Given],
        &[],
        &["220 hi\r\n", "334 %\r\n", "535 @\r\n"],
        &["AUTH LOGIN", "eA==", "x"],
    ),
    of("blindly", &[Given], &["--no-wait"], &["220 @\r\n", "250 @\r\n", "221 @\r\n"], &["NOOP", "QUIT"]),
    of("the trace", TYPED, &["--trace"], &["220 @\r\n", EHLO, BYE], &["EHLO x", "QUIT"]),
    of("the trace in raw mode", &[Raw], &["--trace"], &["220 @\r\n", EHLO, BYE], &["EHLO x", "QUIT"]),
    of("the times", TYPED, &["--timestamps", "--timing"], &["220 @\r\n", EHLO, BYE], &["EHLO x", "QUIT"]),
    Channel {
        told: "1b 5d 35 32",
        ..of("the trace in hexadecimal", TYPED, &["--trace=hex"], &["220 @\r\n", BYE], &["QUIT"])
    },
    Channel {
        told: "\\u001b]52;c;",
        ..of("JSON", &[Given], &["--json"], &["220 @\r\n", EHLO, "550 @\r\n", BYE], &["EHLO x", "NOOP", "QUIT"])
    },
];

const SECURE_CHANNELS: &[Channel] = &[
    of("the mechanisms, none of which fits", &[Given, Prompt], &["--auth", "u"], &["220 @\r\n", EHLO, BYE], &[]),
    of(
        "a refused --starttls",
        &[Given, Prompt],
        &["--starttls"],
        &["220 @\r\n", "250-@\r\n250 STARTTLS\r\n", "454 @\r\n", BYE],
        &[],
    ),
    of("no STARTTLS", &[Given, Prompt], &["--starttls"], &["220 hi\r\n", EHLO, BYE], &[]),
    of("a refused EHLO", &[Given, Prompt], &["--starttls"], &["220 hi\r\n", "550 @\r\n", BYE], &[]),
    of(
        "plain text in the handshake",
        &[Given, Prompt],
        &["--starttls"],
        &["220 hi\r\n", "250-x\r\n250 STARTTLS\r\n", "220 go\r\n", "250 @\r\n"],
        &[],
    ),
    of("plain text where TLS comes first", &[Given, Prompt], &["--tls"], &["220 @\r\n"], &[]),
    Channel {
        told: "response injection",
        ..of(
            "what is injected behind a STARTTLS",
            &[Given, Prompt],
            &["--starttls"],
            &["220 hi\r\n", "250-x\r\n250 STARTTLS\r\n", "220 go\r\n250 @\r\n"],
            &[],
        )
    },
    of(
        "a refused --auth",
        &[Given, Prompt],
        &["--auth", "u:PLAIN"],
        &["220 hi\r\n", "250-x\r\n250 AUTH PLAIN\r\n", "535 @\r\n", BYE],
        &[],
    ),
    of(
        "a challenge to --auth",
        &[Given, Prompt],
        &["--auth", "u:LOGIN"],
        &["220 hi\r\n", "250-x\r\n250 AUTH LOGIN\r\n", "334 %\r\n", "334 %\r\n", "535 @\r\n", BYE],
        &[],
    ),
    of(
        "a challenge that is none",
        &[Given, Prompt],
        &["--auth", "u:SCRAM-SHA-256"],
        &["220 hi\r\n", "250-x\r\n250 AUTH SCRAM-SHA-256\r\n", "334 @\r\n", "501 no\r\n", BYE],
        &[],
    ),
    of(
        "a SCRAM that is wrong",
        &[Given, Prompt],
        &["--auth", "u:SCRAM-SHA-256"],
        &["220 hi\r\n", "250-x\r\n250 AUTH SCRAM-SHA-256\r\n", "334 %\r\n", "501 no\r\n", BYE],
        &[],
    ),
    of(
        "a SCRAM that refuses",
        &[Given, Prompt],
        &["--auth", "u:SCRAM-SHA-256"],
        &["220 hi\r\n", "250-x\r\n250 AUTH SCRAM-SHA-256\r\n", "334 =%\r\n", "501 no\r\n", BYE],
        &[],
    ),
    of(
        "~a",
        &[Prompt],
        &[],
        &["220 hi\r\n", "250-x\r\n250 AUTH LOGIN\r\n", "334 %\r\n", "334 %\r\n", "535 @\r\n"],
        &["EHLO x", "~a LOGIN u"],
    ),
];

impl Channel {
    /// Says everything in turn, a line of the client's between, and tells each time that it has.
    fn serve(&self, mut stream: &TcpStream, said: &Sender<()>) -> std::io::Result<()> {
        let mut client = BufReader::new(stream);
        for (number, says) in self.says.iter().enumerate() {
            if number > 0 && client.read_until(b'\n', &mut Vec::new())? == 0 {
                return Ok(());
            }
            stream.write_all(&filled(says.trim_end_matches("...")))?;
            let _ = said.send(());
        }
        if !self.says.last().is_some_and(|says| says.ends_with("...")) {
            stream.shutdown(Shutdown::Write)?;
        }
        std::io::copy(&mut client, &mut std::io::sink())?;
        Ok(())
    }

    fn run(&'static self, stage: Stage) -> Vec<u8> {
        let (told, said) = channel();
        let peer = Peer::start(move |stream| {
            // That the connection breaks is none of the server's business.
            let _ = self.serve(&stream, &told);
            Vec::new()
        });
        let (port, mut args) = (peer.port.to_string(), self.options.to_vec());
        let given = if self.lines.is_empty() { &["QUIT"] } else { self.lines };
        match stage {
            Raw => args.push("-r"),
            Given => args.extend(given.iter().flat_map(|line| ["-c", line])),
            Prompt | Dumb => {}
        }
        args.extend(["-p", &port, "127.0.0.1"]);
        let mut pty = start(stage, &args, &[]);
        if stage != Given {
            for line in self.lines {
                if !line.starts_with('~') && said.recv_timeout(PATIENCE).is_err() {
                    break;
                }
                pty.send(format!("{line}{}", if stage == Raw { "\r\n" } else { "\r" }));
            }
        }
        let came = end(pty);
        peer.received();
        came
    }
}

/// A name of a file that would steer a terminal.
fn hostile_name() -> String {
    format!("{}.x", TEXT.split('|').filter(|part| !part.contains('/')).take(6).collect::<String>())
}

/// Puts what would steer a terminal in its places.
fn filled(says: &str) -> Vec<u8> {
    let in_base64 = |before: &str| encode(format!("{before}{TEXT}\nFAKE").as_bytes()).into_bytes();
    let fill = |part: &str| match (part.strip_suffix('@'), part.strip_suffix("=%"), part.strip_suffix('%')) {
        (Some(before), ..) => [before.as_bytes(), &steer::bytes()].concat(),
        (_, Some(before), _) => [before.as_bytes(), &in_base64("e=")].concat(),
        (.., Some(before)) => [before.as_bytes(), &in_base64("")].concat(),
        _ => part.as_bytes().to_vec(),
    };
    says.split_inclusive(['@', '%']).flat_map(fill).collect()
}

fn start(stage: Stage, args: &[&str], variables: &[(&str, &str)]) -> Pty {
    let term = if stage == Prompt { "xterm" } else { "dumb" };
    Pty::start_with(MCONNECT, args, &[&[("TERM", term), ("MCONNECT_PASSWORD", "pencil")], variables].concat())
}

/// Waits for the end, and returns everything that came. Who waits for a person then, or does not end, is left by Ctrl-C.
fn end(mut pty: Pty) -> Vec<u8> {
    let mut asked = Instant::now();
    while pty.child.try_wait().unwrap().is_none() {
        if asked.elapsed() > if pty.screen().contains("closed> ") { SHORT } else { LONG } {
            pty.send("\x03");
            asked = Instant::now();
        }
        thread::sleep(Duration::from_millis(2));
    }
    pty.finish()
}

const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(3);

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
    let name = folder.path().join(hostile_name()).to_str().unwrap().to_owned();
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
        let file = folder.path().join(format!("{what}.txt"));
        fs::write(&file, text.replace('@', TEXT)).unwrap();
        let came = run(&[&["--play", file.to_str().unwrap()], *options].concat());
        assert_harmless(what, &came, TOLD);
    });
    fs::write(&name, "S: 220\nC: NOOP\nS: 550\n").unwrap();
    for options in [&[][..], &["--tap"], &["--repeat", "2"], &["--record", &name]] {
        assert_harmless("the name of a dialogue", &run(&[&["--play", &name], options].concat()), TOLD);
    }
    // What is recorded of a hostile server can be looked at, and played.
    let [record, junit] = ["record", "junit"].map(|name| folder.path().join(name).to_str().unwrap().to_owned());
    run(&["--record", &record, "-c", "NOOP", "-c", "QUIT"]);
    assert_harmless("a record", &fs::read(&record).unwrap(), TOLD);
    assert_harmless("a record that is played", &run(&["--play", &record, "--junit", &junit]), TOLD);
    let lines = folder.path().join("what is sent.txt").to_str().unwrap().to_owned();
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
        let (file, told) = (folder.path().join("serve.txt"), folder.path().join("port"));
        fs::write(&file, text.replace('@', TEXT)).unwrap();
        let _ = fs::remove_file(&told);
        let args = ["--serve", file.to_str().unwrap(), "--once", "--port-file", told.to_str().unwrap()];
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
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
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
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
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
    demo(&[], &[("~h evil\r", "]52;c;"), ("~h\r", "]52;c;")], TOLD);
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
    let lines = folder.path().join("lines").to_str().unwrap().to_owned();
    fs::write(&lines, "MAIL FROM:<@>\nRCPT TO:<@@>\n".replace('@', &TEXT.replace([' ', '>'], ""))).unwrap();
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

mod certificates {
    use std::sync::Arc;

    use mconnect_core::server::{Authority, Identity, Setup};
    use mconnect_core::tls::rustls;
    use mconnect_core::tls::rustls::pki_types::pem::PemObject as _;
    use mconnect_core::tls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

    use super::*;

    /// The kinds of string that a name may be ([RFC 5280, section 4.1.2.4](https://www.rfc-editor.org/rfc/rfc5280)), and
    /// others that none should be.
    const STRINGS: [(&str, u8); 10] = [
        ("UTF8String", 0x0c),
        ("NumericString", 0x12),
        ("PrintableString", 0x13),
        ("TeletexString", 0x14),
        ("VideotexString", 0x15),
        ("IA5String", 0x16),
        ("GraphicString", 0x19),
        ("VisibleString", 0x1a),
        ("UniversalString", 0x1c),
        ("BMPString", 0x1e),
    ];
    /// otherName, rfc822Name, dNSName, uniformResourceIdentifier, registeredID.
    const NAMES: [u8; 5] = [0xa0, 0x81, 0x82, 0x86, 0x88];
    const SUBJECT: &str = "the subject of a certificate, in the place of which something else will come............";
    const ISSUER: &str = "the issuer of a certificate, in the place of which something else will come.............";

    #[test]
    fn what_a_certificate_says_steers_no_terminal() {
        let words = TEXT.as_bytes().chunks(SUBJECT.len() - 8).map(<[u8]>::to_vec);
        let mut words: Vec<Vec<u8>> = words.chain([b"\x9b95mFAKE\0\xff\nFAKE\r\n\x1b]0;FAKE\x07".to_vec()]).collect();
        words.push(TEXT.chars().take(20).flat_map(|c| (c as u16).to_be_bytes()).collect());
        words.push(TEXT.chars().take(20).flat_map(|c| (c as u32).to_be_bytes()).collect());
        let rows: Vec<_> = STRINGS.iter().flat_map(|kind| words.iter().map(move |words| (kind, words))).collect();
        let identity = Authority::new(ISSUER).issue([SUBJECT]);
        for_each(&rows, |((kind, tag), words)| {
            let mut words = words.to_vec();
            words.resize(SUBJECT.len(), b' ');
            let der = CertificateDer::pem_slice_iter(identity.pem().as_bytes()).next().unwrap().unwrap().to_vec();
            let der = replaced(&der, 0x0c, SUBJECT, *tag, &words);
            let der = replaced(&der, 0x0c, ISSUER, *tag, &words);
            let name = NAMES[usize::from(*tag) % NAMES.len()];
            look(&identity, replaced(&der, 0x82, SUBJECT, name, &words), &format!("{kind}, a name of {name:x}"));
        });
    }

    /// Looks at such a certificate in every way there is.
    fn look(identity: &Identity, der: Vec<u8>, what: &str) {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = provider.key_provider.load_private_key(PrivatePkcs8KeyDer::from(identity.key().to_vec()).into());
        let certified = rustls::sign::CertifiedKey::new(vec![der.into()], key.unwrap());
        let builder = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let resolver = rustls::sign::SingleCertAndKey::from(certified);
        let config = builder.unwrap().with_no_client_auth().with_cert_resolver(Arc::new(resolver));
        let server = Setup::new().tls_with(Arc::new(config)).start().unwrap();
        let port = server.port().to_string();
        for (options, lines) in [
            (&["--starttls", "-k", "--tls-verbose", "--trace", "-c", "QUIT"][..], &[][..]),
            (&["--starttls", "-c", "QUIT"], &[]),
            (&["-c", "STARTTLS", "-c", "QUIT", "--json"], &[]),
            (&[], &["STARTTLS", "~t", "~a PLAIN u", "*", "QUIT"]),
        ] {
            let mut pty = start(Prompt, &[options, &["-p", &port, "127.0.0.1"]].concat(), &[]);
            for line in lines {
                pty.expect("> ");
                pty.send(format!("{line}\r"));
            }
            assert_harmless(what, &end(pty), "certificate");
        }
    }

    /// Puts something of the same length in the place of a string.
    fn replaced(der: &[u8], tag: u8, text: &str, other: u8, words: &[u8]) -> Vec<u8> {
        let length = u8::try_from(text.len()).unwrap();
        let (old, new) = ([&[tag, length], text.as_bytes()].concat(), [&[other, length], words].concat());
        let at = der.windows(old.len()).position(|window| window == old).unwrap();
        [&der[..at], &new, &der[at + old.len()..]].concat()
    }
}
