//! Every request, answered by every kind of code, in every mode: nothing goes out that was not granted, and nothing that
//! was not granted ends with 0.
//!
//! The requests are those of the library's table, the rules too: a new request is in the test by itself.

use std::fs;
use std::process::Output;
use std::time::{Duration, Instant};

use mconnect_core::protocol::{Code, Meaning, Request};
use mconnect_core::server::Server;
use mconnect_core::{Connect, Error, Timeouts};

use crate::common::attack::for_each;
use crate::common::folder::Folder;
use crate::common::scripted::{BOSS, SECRET, Scripted, Seen, script_of};
use crate::common::{assert_status, complaints, err, feed, out, run, talk, tool};

/// Each class, each special code, and what lies beside them.
const CODES: [u16; 31] = [
    0, 101, 199, 200, 211, 214, 220, 221, 235, 250, 251, 252, 253, 299, 300, 334, 354, 399, 421, 432, 450, 451, 454,
    500, 502, 503, 530, 535, 554, 600, 999,
];

/// A way to hand a script to the tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Piped,
    Fail,
    Given,
    Blind,
    Dialogue,
    DialogueThatKeepsGoing,
}

#[derive(Debug, Clone, Copy)]
struct Case {
    request: Request,
    code: Code,
    mode: Mode,
    /// The script has nothing after what is answered so.
    is_last: bool,
}

impl Case {
    fn meaning(self) -> Meaning {
        Meaning::of(Some(self.request), self.code)
    }

    /// Whether the exit status may be 0: it was granted, or a script goes on after that refusal.
    fn may_succeed(self) -> bool {
        let is_turn = self.request.is_turn() || matches!(self.request, Request::EndOfData | Request::Bdat);
        let is_said_whole = self.request == Request::Auth && self.code != 334;
        match (self.meaning(), self.mode) {
            (Meaning::Granted | Meaning::Unusual | Meaning::Challenge, _) => true,
            (_, Mode::Dialogue | Mode::DialogueThatKeepsGoing | Mode::Fail) => false,
            (Meaning::Deferred | Meaning::Refused, _) => {
                (!is_turn || self.request == Request::XClient) && !is_said_whole
            }
            _ => false,
        }
    }

    fn run(self, folder: &Folder) -> (Output, Seen) {
        let server = Scripted::start(self.request, self.code);
        let mut lines = script_of(self.request);
        if self.is_last {
            lines.truncate(lines_before_the_answer(self.request, &lines));
        }
        let port = server.port.to_string();
        let name = format!("{:?}-{}-{:?}", self.request, self.code, self.mode);
        let record = folder.file(&format!("{name}.record"));
        let junit = folder.file(&format!("{name}.xml"));
        let mut options = vec!["--trace", "--record", &record, "--timeout", "5", "-p", &port];
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let dialogue = folder.file(&format!("{name}.dialogue"));
        let given: Vec<&str> = lines.iter().flat_map(|line| ["-c", line]).collect();
        let mut input = text.as_str();
        match self.mode {
            Mode::Piped => options.push("--json"),
            Mode::Fail => options.push("--fail"),
            Mode::Blind => options.push("--no-wait"),
            Mode::Given => {
                options.extend(&given);
                input = "";
            }
            Mode::Dialogue | Mode::DialogueThatKeepsGoing => {
                fs::write(&dialogue, dialogue_of(self.request, &lines)).unwrap();
                options.extend(["--play", &dialogue, "--tap", "--junit", &junit]);
                if self.mode == Mode::DialogueThatKeepsGoing {
                    options.push("--keep-going");
                }
                input = "";
            }
        }
        options.push("127.0.0.1");
        let output = run(&options, input);
        (output, server.seen())
    }

    fn check(self, folder: &Folder) {
        let (output, seen) = self.run(folder);
        let told = format!("{self:?}\n{}\n{}\n{seen:#?}", out(&output), err(&output));
        // Blindly, what follows a DATA is sent on purpose.
        if self.mode != Mode::Blind {
            assert!(!seen.commands.iter().any(|line| line.contains(BOSS)), "a line of a message as a command: {told}");
        }
        let is_open = matches!(self.request, Request::StartTls);
        if is_open {
            assert!(!seen.raw.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()), "in the clear: {told}");
        }
        let is_blind_auth = self.mode == Mode::Blind && matches!(self.request, Request::Auth | Request::AuthAnswer);
        if !is_blind_auth {
            assert!(!seen.commands.iter().any(|line| line.trim() == SECRET), "a secret as a command: {told}");
        }
        let status = output.status.code();
        assert!(status.is_some_and(|status| status != 0) || self.may_succeed(), "status {status:?}: {told}");
        if self.meaning() == Meaning::OutOfStep && !matches!(self.mode, Mode::Dialogue | Mode::DialogueThatKeepsGoing) {
            assert!(matches!(status, Some(76 | 69 | 75 | 77)), "status {status:?}: {told}");
        }
        assert!(!told.contains("panicked"), "{told}");
        let mut places = vec![("standard output", out(&output)), ("standard error", err(&output))];
        for entry in fs::read_dir(folder.path()).unwrap() {
            let path = entry.unwrap().path();
            let file = path.file_name().unwrap().to_str().unwrap();
            if file.starts_with(&format!("{:?}-{}-{:?}.", self.request, self.code, self.mode))
                && !file.ends_with(".dialogue")
            {
                places.push(("a file", fs::read_to_string(&path).unwrap()));
                fs::remove_file(&path).unwrap();
            }
        }
        for (place, text) in places {
            assert!(!text.contains(SECRET), "a secret in {place}: {text}\n{told}");
        }
    }
}

/// Counts the lines up to the one whose answer is the odd one.
fn lines_before_the_answer(request: Request, lines: &[String]) -> usize {
    let is_it = |line: &String| match request {
        Request::EndOfData => line == ".",
        Request::AuthAnswer => line == "dXNlcg==",
        Request::EmptyLine => line.is_empty(),
        Request::Other => line == "NOOP",
        Request::Bdat => line == "body!",
        _ => request.verb().is_some_and(|verb| line.starts_with(verb)),
    };
    lines.iter().position(is_it).map_or(0, |at| at + 1)
}

/// The script as a dialogue that expects what grants.
fn dialogue_of(request: Request, lines: &[String]) -> String {
    let mut text = "S: 220\n".to_owned();
    let (mut is_body, mut answers) = (false, 0);
    for line in lines {
        text.push_str(&format!("C: {line}\n"));
        let verb = line.split(' ').next().unwrap_or_default();
        match verb {
            _ if is_body => {
                is_body = line != ".";
                if !is_body {
                    text.push_str("S: 250\n");
                }
            }
            "DATA" => {
                is_body = true;
                text.push_str("S: 354\n");
            }
            _ if line == "AUTH LOGIN" => {
                answers = 2;
                text.push_str("S: 334\n");
            }
            _ if answers > 0 => {
                answers -= 1;
                text.push_str(if answers > 0 { "S: 334\n" } else { "S: 235\n" });
            }
            "AUTH" => text.push_str("S: 235\n"),
            "BDAT" | "body!" if request == Request::Bdat => {
                if verb == "body!" {
                    text.push_str("S: 250\n");
                }
            }
            "QUIT" => text.push_str("S: 221\n"),
            "STARTTLS" => {
                let end = text.len() - "C: STARTTLS\n".len();
                text.truncate(end);
                text.push_str("C: *starttls*\n");
            }
            "XCLIENT" => text.push_str("S: 220\n"),
            _ => text.push_str("S: 250\n"),
        }
    }
    text
}

fn cases(modes: &[Mode]) -> Vec<Case> {
    let codes = || CODES.map(|number| Code::new(number).unwrap());
    let of = |request| codes().into_iter().flat_map(move |code| modes.iter().map(move |mode| (request, code, *mode)));
    let all = Request::ALL.iter().copied().flat_map(of);
    all.map(|(request, code, mode)| Case { request, code, mode, is_last: false }).collect()
}

#[test]
fn a_script_goes_on_only_where_it_was_granted() {
    let folder = Folder::new();
    let cases = cases(&[Mode::Piped, Mode::Fail, Mode::Given, Mode::Blind]);
    for_each(&cases, |case| case.check(&folder));
}

/// Nothing goes wrong after it that would tell.
#[test]
fn what_was_not_granted_at_the_end_of_a_script_is_no_success() {
    let folder = Folder::new();
    let cases = cases(&[Mode::Piped, Mode::Fail, Mode::Blind]);
    let cases: Vec<Case> = cases.into_iter().map(|case| Case { is_last: true, ..case }).collect();
    for_each(&cases, |case| case.check(&folder));
}

#[test]
fn a_221_that_quit_did_not_ask_for_is_a_close_and_no_refusal() {
    for options in [&[][..], &["--fail"], &["--no-wait"]] {
        for (dialogue, script) in [
            ("S: 221 go away\nC: *close*", ""),
            ("S: 220 hi\nC: MAIL FROM:<a@x>\nS: 221 bye\nC: *close*", "MAIL FROM:<a@x>\n"),
            ("S: 220 hi\nC: DATA\nS: 354 go\nC: *body*\nS: 221 bye\nC: *close*", "DATA\nhi\n.\n"),
        ] {
            let server = Server::play(dialogue).unwrap();
            let output = talk(server.port(), options, script);
            assert_status(&output, 76);
            assert!(!err(&output).contains("refused"), "{options:?} {dialogue}: {}", err(&output));
            server.join().unwrap();
        }
    }
}

/// QUIT that is said then may be answered by anything.
#[test]
fn the_refusal_that_ends_a_script_is_its_first_failure() {
    for (reply, script, status) in
        [("454 not now", "STARTTLS\nNOOP\n", 75), ("501 no", "STARTTLS\nNOOP\n", 69), ("535 no", "AUTH LOGIN\nx\n", 77)]
    {
        let verb = script.lines().next().unwrap();
        let dialogue = format!("S: 220 hi\nC: {verb}\nS: {reply}\nC: QUIT\nS: 250 what?\nC: *close*");
        let server = Server::play(&dialogue).unwrap();
        let output = talk(server.port(), &[], script);
        assert_status(&output, status);
        server.join().unwrap();
    }
}

/// Of a server that is out of step nobody knows what it still owes.
#[test]
fn replies_are_not_awaited_from_a_server_that_is_out_of_step() {
    let server = Server::play("S: 220 hi\nC: EHLO x\nC: NOOP\nS: 354 go\nC: *close*").unwrap();
    let start = Instant::now();
    let output = talk(server.port(), &["--no-wait", "--timeout", "15"], "EHLO x\nNOOP\nSTARTTLS\nNOOP\n");
    assert_status(&output, 76);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    drop(server.join());
}

/// What is done before the session is handed over: a person's script comes only after all of it was granted.
#[test]
fn an_opening_goes_on_only_where_it_was_granted() {
    let openings = [
        (Request::Greeting, &["--auth", "user:login"][..]),
        (Request::Ehlo, &["--auth", "user:login"]),
        (Request::Auth, &["--auth", "user:login"]),
        (Request::AuthAnswer, &["--auth", "user:login"]),
        (Request::Auth, &["--auth", "user:plain"]),
        (Request::Greeting, &["--starttls", "-k"]),
        (Request::Ehlo, &["--starttls", "-k"]),
        (Request::StartTls, &["--starttls", "-k", "--auth", "user:plain"]),
    ];
    let all = openings.iter().flat_map(|opening| CODES.map(|number| (*opening, Code::new(number).unwrap())));
    for_each(&all.collect::<Vec<_>>(), |((request, options), code)| {
        let server = Scripted::start(*request, *code);
        let mut child = tool(&[options, &["-p", &server.port.to_string(), "127.0.0.1"][..]].concat())
            .env("MCONNECT_PASSWORD", "s3cr3t-pass")
            .spawn()
            .unwrap();
        feed(&mut child, b"NOOP\nQUIT\n".to_vec());
        let output = child.wait_with_output().unwrap();
        let seen = server.seen();
        let told = format!("{request:?} {code} {options:?}\n{}\n{}\n{seen:#?}", out(&output), err(&output));
        // A 334 to an AUTH that has an answer is one more challenge, and a 235 in between grants.
        let meaning = Meaning::of(Some(*request), *code);
        let is_granted = meaning.is_granted() && *request != Request::StartTls;
        let may_be_granted = is_granted || (meaning == Meaning::Challenge && options[1] == "user:login");
        let went_on = seen.commands.iter().any(|line| line == "NOOP");
        assert!(may_be_granted || (!went_on && output.status.code() != Some(0)), "{told}");
        assert!(!is_granted || options[0] == "--starttls" || went_on, "{told}");
        let was_hidden = *request == Request::StartTls && seen.commands.iter().any(|line| line.starts_with("AUTH"));
        assert!(!was_hidden && !seen.commands.iter().any(|line| line.trim() == SECRET), "{told}");
    });
}

#[test]
fn an_opening_takes_leave_of_a_server_that_refuses_and_of_none_that_closes() {
    for (request, number, takes_leave) in [
        (Request::Greeting, 554, true),
        (Request::Greeting, 450, true),
        (Request::Greeting, 421, false),
        (Request::Greeting, 221, false),
        (Request::Greeting, 250, false),
        (Request::Ehlo, 550, true),
        (Request::Ehlo, 421, false),
        (Request::Auth, 535, true),
        (Request::Auth, 221, false),
    ] {
        let server = Scripted::start(request, Code::new(number).unwrap());
        let mut child = tool(&["--auth", "user:plain", "-p", &server.port.to_string(), "127.0.0.1"])
            .env("MCONNECT_PASSWORD", "s3cr3t-pass")
            .spawn()
            .unwrap();
        feed(&mut child, b"NOOP\nQUIT\n".to_vec());
        let output = child.wait_with_output().unwrap();
        let has_quit = server.seen().commands.iter().any(|line| line == "QUIT");
        assert_eq!(has_quit, takes_leave, "{request:?} {number}: {}", err(&output));
        assert_ne!(output.status.code(), Some(0), "{request:?} {number}");
    }
}

/// A reply too many, or one too few, in the middle of a message.
#[test]
fn a_reply_too_many_and_one_too_few_are_found() {
    const MESSAGE: &str = "EHLO x\nMAIL FROM:<a@x>\nRCPT TO:<good@x>\nDATA\nSubject: hi\n\nRCPT TO:<boss@x>\n.\nQUIT\n";
    let late = "S: 220 mx.example ESMTP\nC: EHLO x\nS: 250 mx.example\nC: MAIL FROM:<a@x>\nS: 250 SIZE 1000\n\
                C: RCPT TO:<good@x>\nS: 250 2.1.0 OK\nC: DATA\nS: 250 2.1.5 OK\nC: *close*";
    let server = Server::play(late).unwrap();
    let output = talk(server.port(), &[], MESSAGE);
    assert_status(&output, 76);
    assert!(
        complaints(&output).contains("the reply to DATA shows that client and server are out of step"),
        "{}",
        err(&output)
    );
    assert!(complaints(&output).contains("; not sent: 4 lines of the input"), "{}", err(&output));
    server.join().unwrap();

    let swallowed = "S: 220 mx.example ESMTP\nC: EHLO x\nS: 250 mx.example\nC: MAIL FROM:<>\nC: RSET\nS: 250 flushed\n\
                     C: QUIT\nS: 221 bye\n*within 10 s*\nC: *close*";
    let server = Server::play(swallowed).unwrap();
    let output = talk(server.port(), &["--no-wait"], "EHLO x\nMAIL FROM:<>\nRSET\nQUIT\n");
    assert_status(&output, 76);
    assert!(complaints(&output).contains("answered QUIT with 1 reply still due"), "{}", err(&output));
    assert!(!complaints(&output).contains("may have been taken"), "{}", err(&output));
    server.join().unwrap();

    let swallowed = "S: 220 hi\nC: DATA\nS: 354 go\nC: *body*\nC: QUIT\nS: 221 bye\nC: *close*";
    let server = Server::play(swallowed).unwrap();
    let output = talk(server.port(), &["--no-wait"], "DATA\nhi\n.\nQUIT\n");
    assert_status(&output, 76);
    assert!(complaints(&output).contains("the message may have been taken all the same"), "{}", err(&output));
    server.join().unwrap();
}

#[test]
fn a_dialogue_goes_on_only_where_it_was_granted() {
    let folder = Folder::new();
    let cases = cases(&[Mode::Dialogue, Mode::DialogueThatKeepsGoing]);
    for_each(&cases, |case| case.check(&folder));
}

#[test]
fn a_program_goes_on_only_where_it_was_granted() {
    for_each(&cases(&[Mode::Piped]), |case| {
        let server = Scripted::start(case.request, case.code);
        let mut timeouts = Timeouts::default().replies(Duration::from_secs(5));
        timeouts.closing = Duration::from_millis(200);
        let mut session = Connect::new("127.0.0.1", server.port).timeouts(timeouts).open().unwrap();
        let greeting = session.read_reply().unwrap();
        assert!(greeting.is_granted() || case.request == Request::Greeting, "{case:?}");
        let (mut answer, mut lines) = (Some(Ok(greeting)), script_of(case.request).into_iter());
        // As a careful program goes on: where the reply grants, and no further.
        while let Some(Ok(reply)) = &answer
            && reply.meaning().lets_go_on()
        {
            answer = lines.next().map(|line| match line.as_str() {
                "DATA" => {
                    let body: Vec<String> = lines.by_ref().take_while(|line| line != ".").collect();
                    session.message(body.join("\n").as_bytes()).map(|answer| answer.reply().clone())
                }
                line if line.starts_with("BDAT") => {
                    let chunk = format!("{line}\r\n{}\n", lines.next().unwrap());
                    session.send(chunk.as_bytes()).and_then(|()| session.read_reply())
                }
                line => session.command(line),
            });
        }
        if let Some(Err(error)) = &answer {
            let is_surprise = matches!(error, Error::Surprise { .. });
            assert!(
                is_surprise || matches!(error, Error::Closed { .. } | Error::Io { .. } | Error::OutOfStep { .. }),
                "{case:?}: {error}"
            );
        }
        let reached_end = answer.is_none();
        drop(session);
        let seen = server.seen();
        assert!(!seen.commands.iter().any(|line| line.contains(BOSS)), "{case:?}: {seen:#?}");
        let is_granted = case.meaning().lets_go_on();
        assert!(is_granted || !reached_end || seen.raw.is_empty(), "{case:?}: {seen:#?}");
    });
}
