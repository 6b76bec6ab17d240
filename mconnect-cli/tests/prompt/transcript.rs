//! What a document shows of a terminal, done again and compared: commands behind `$ `, what is typed behind a prompt of the
//! tool's, and what comes. `...` stands for lines that are left out.
//!
//! A file that is shown by `cat` is there. `mx.example.org`, with or without a port, is a server on loopback, and so is the
//! exchanger of `example.org`. A command that ends in `&` serves from then on, at the port that it says; passwords are those
//! of the demo. What differs each time is not compared: numbers of four digits and more, fractions, addresses, ports, names
//! of this machine, long words of letters and digits, sizes in octets, and days.

use std::cell::RefCell;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::{env, fs};

use mconnect_core::server::{Authority, Server, Setup};

use crate::common::folder::Folder;
use crate::common::{MCONNECT, Pty};
use crate::zone;

/// Where transcripts of one document run: a folder, a server, and a tool that finds both.
pub struct Place {
    folder: Folder,
    server: Server,
    /// The options by which the domain is found: its name server, and the port of its exchangers.
    domains: String,
    serving: RefCell<Vec<Serving>>,
    /// The ports that a document shows, and those that they are.
    ports: RefCell<Vec<(String, String)>>,
}

/// A command that goes on, and may go on talking.
struct Serving {
    child: Child,
    _words: BufReader<ChildStdout>,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command, and the lines that are shown below it.
struct Step {
    command: String,
    shown: Vec<String>,
}

impl Place {
    pub fn new() -> Self {
        let (folder, authority) = (Folder::new(), Authority::new("Example Root"));
        let identity = authority.issue(["127.0.0.1", HOST]);
        let server = Setup::new().name(HOST).refuse("refused@*").tls(&identity).auth([("user", "pencil")]);
        let server = server.start().unwrap();
        folder.write("root.pem", &authority.pem());
        let zone = zone::serve(&format!(
            "example.org MX 10 {HOST}\nexample.org MX 20 mx2.example.org\n\
             {HOST} A 127.0.0.1\nmx2.example.org A 127.0.0.3"
        ));
        let domains = format!("--resolver {zone} --allow-private -p {}", server.port());
        fs::create_dir(folder.path().join("bin")).unwrap();
        symlink(MCONNECT, folder.path().join("bin/mconnect")).unwrap();
        Self { folder, server, domains, serving: RefCell::default(), ports: RefCell::default() }
    }

    /// Runs what a shell is to run, with `QUIT` as its input.
    pub fn run(&self, script: &str) {
        let script = format!("cd {}\n{}", self.folder.text(), self.placed(script));
        let mut shell = Command::new("sh");
        shell.args(["-ec", &script]).envs(self.variables()).stdin(Stdio::piped());
        shell.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = shell.spawn().unwrap();
        crate::common::feed(&mut child, b"QUIT\n".to_vec());
        assert!(child.wait_with_output().unwrap().status.success(), "{script}");
    }

    /// Does what a transcript shows, and compares what comes.
    pub fn replay(&self, transcript: &str) {
        let mut status = 0;
        let mut steps = steps(transcript).into_iter().peekable();
        while let Some(step) = steps.next() {
            if step.command == "echo $?" {
                assert_eq!(step.shown, [status.to_string()], "{transcript}");
                continue;
            }
            if let Some(file) = step.command.strip_prefix("cat ") {
                self.folder.write(file, &(step.shown.join("\n") + "\n"));
            }
            status = if let Some(command) = step.command.strip_suffix(" &") {
                self.serve(command, &step.shown);
                0
            } else {
                self.at_a_terminal(&step)
            };
            let is_told = steps.peek().is_some_and(|next| next.command == "echo $?");
            assert!(is_told || status == 0, "status {status} of {}", step.command);
        }
    }

    /// Starts a command that serves, and waits for its words.
    fn serve(&self, command: &str, shown: &[String]) {
        let script = format!("cd {}; exec {}", self.folder.text(), self.placed(command));
        let mut shell = Command::new("sh");
        let mut child = shell.args(["-c", &script]).envs(self.variables()).stdout(Stdio::piped()).spawn().unwrap();
        let mut words = BufReader::new(child.stdout.take().unwrap());
        for line in shown {
            let mut told = String::new();
            words.read_line(&mut told).unwrap();
            assert_eq!(masked(&told), masked(line), "{command}");
            if let (Some(shown), Some(told)) = (line.rsplit_once(':'), told.trim_end().rsplit_once(':')) {
                self.ports.borrow_mut().push((shown.1.to_owned(), told.1.to_owned()));
            }
        }
        self.serving.borrow_mut().push(Serving { child, _words: words });
    }

    /// Runs a command at a terminal, types what is shown as typed, and returns its status.
    fn at_a_terminal(&self, Step { command, shown }: &Step) -> i32 {
        let (rows, columns) = SIZE;
        let script = format!("stty rows {rows} cols {columns}; cd {}; {}", self.folder.text(), self.placed(command));
        let variables = self.variables();
        let variables: Vec<(&str, &str)> =
            variables.iter().map(|(name, value)| (*name, value.as_str())).chain([("TERM", "xterm")]).collect();
        let mut pty = Pty::start_with("sh", &["-c", &script], &variables);
        for (at, line) in shown.iter().enumerate() {
            if let Some((prompt, typed)) = typed(line) {
                let before: Vec<&str> = shown[..at].iter().map(String::as_str).chain([prompt]).collect();
                pty.wait_for(&before.join("\n"), |bytes| are_alike(&before, &lines(bytes)));
                pty.send(format!("{typed}\r"));
            }
        }
        let status = pty.wait();
        let (shown, came) = (shown.iter().map(String::as_str).collect::<Vec<_>>(), lines(&pty.finish()));
        assert!(are_alike(&shown, &came), "{command}\n{}\n-- came:\n{}", shown.join("\n"), came.join("\n"));
        if status < 0 { 128 - status } else { status }
    }

    /// Returns a command with the server that is here in the place of the one that is named.
    fn placed(&self, command: &str) -> String {
        let mut parts = command.split(HOST);
        let mut placed = parts.next().unwrap().to_owned();
        for part in parts {
            let after = part.strip_prefix(':').map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
            placed += &format!("127.0.0.1:{}{}", self.server.port(), after.unwrap_or(part));
        }
        for looked_up in ["mconnect --probe ", "mconnect --mx "] {
            placed = placed.replace(looked_up, &format!("{looked_up}{} ", self.domains));
        }
        self.ports.borrow().iter().fold(placed, |placed, (shown, real)| placed.replace(shown, real))
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        vec![
            ("PATH", format!("{}:{}", self.folder.file("bin"), env::var("PATH").unwrap())),
            ("SSL_CERT_FILE", self.folder.file("root.pem")),
            ("XDG_STATE_HOME", self.folder.file("state")),
            ("NO_COLOR", "1".to_owned()),
            ("USER", "me".to_owned()),
        ]
    }
}

/// Returns the commands of a transcript, each with what is shown below it; a backslash continues one.
fn steps(transcript: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in transcript.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push(Step { command: command.to_owned(), shown: Vec::new() }),
            (None, Some(step)) if step.command.ends_with('\\') => step.command += &format!("\n{line}"),
            (None, Some(step)) => step.shown.push(line.to_owned()),
            (None, None) => panic!("no command above {line}"),
        }
    }
    steps
}

/// Returns the prompt that a line shows, and what is typed there.
fn typed(line: &str) -> Option<(&str, &str)> {
    if line.starts_with("password of ") {
        return Some((line, "pencil"));
    }
    let end = line.find('>')?;
    let (label, typed) = (&line[..=end], &line[end + 1..]);
    let is_prompt = ["smtp", "tls", "data", "bdat", "closed"].iter().any(|start| label.starts_with(start));
    is_prompt.then(|| (label, typed.strip_prefix(' ').unwrap_or(typed)))
}

/// Returns the lines of a screen that hold something, those that the terminal has broken in one piece.
fn lines(bytes: &[u8]) -> Vec<String> {
    let (rows, columns) = SIZE;
    let mut parser = vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0);
    parser.process(bytes);
    let (mut lines, mut is_open) = (Vec::<String>::new(), false);
    for (at, row) in (0..).zip(parser.screen().rows(0, columns)) {
        match lines.last_mut() {
            Some(line) if is_open => line.push_str(&row),
            _ => lines.push(row),
        }
        is_open = parser.screen().row_wrapped(at);
    }
    lines.retain(|line| !line.trim().is_empty());
    lines
}

/// Says whether what came is what is shown, where lines are left out, too.
fn are_alike<T: AsRef<str>>(shown: &[&str], came: &[T]) -> bool {
    match (shown, came) {
        (["...", rest @ ..], _) => (0..=came.len()).any(|count| are_alike(rest, &came[count..])),
        ([line, rest @ ..], _) if line.trim().is_empty() => are_alike(rest, came),
        ([line, rest @ ..], [first, others @ ..]) => masked(line) == masked(first.as_ref()) && are_alike(rest, others),
        ([], []) => true,
        _ => false,
    }
}

/// Returns a line without what differs each time.
fn masked(line: &str) -> String {
    let mut masked: Vec<String> = Vec::new();
    // The bars of a chart are as long as something took.
    for word in line.replace('#', "").split_whitespace() {
        let word = word.replace(HOST, "127.0.0.1");
        let before = masked.last().cloned().unwrap_or_default();
        let is_counted = matches!(word.as_str(), "octets" | "octets," | "days" | "days;");
        if is_counted && let Some(last) = masked.last_mut() {
            *last = "N".to_owned();
        }
        let parts = word.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == ':'));
        let parts: String = parts.map(|part| if differs(part, &before) { "N" } else { part }).collect();
        let is_own = before == "EHLO" || word.starts_with("SIZE=");
        masked.push(if is_own { "N".to_owned() } else { parts });
    }
    masked.join(" ")
}

/// Says whether a word, behind another, is another each time.
fn differs(word: &str, before: &str) -> bool {
    let word = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    let digits = word.bytes().filter(u8::is_ascii_digit).count();
    let is_number = digits > 0 && word.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b':'));
    let is_enhanced = word.starts_with(['2', '4', '5']) && word.len() == 5 && word.matches('.').count() == 2;
    let is_fraction = word.contains('.') && before != "TLS" && !is_enhanced;
    digits >= 4 || word.len() >= 24 || (is_number && (is_fraction || before == "port"))
}

const HOST: &str = "mx.example.org";
const SIZE: (u16, u16) = (150, 80);

#[test]
fn transcripts_are_alike_but_for_what_differs_each_time() {
    let same = [
        ("port 25", "port 40123"),
        ("listening on 127.0.0.1:2525", "listening on 127.0.0.1:40123"),
        ("220 mx.example.org ready", "220 127.0.0.1 ready"),
        ("connect   0.076  #", "connect 1.500 ####"),
        ("> a message of 265 octets, and", "> a message of 270 octets, and"),
    ];
    for (shown, came) in same {
        assert!(are_alike(&[shown], &[came]), "{} {}", masked(shown), masked(came));
    }
    for (shown, came) in [("250 ok", "550 ok"), ("550 5.1.1 no", "550 5.7.1 no"), ("a", "b"), ("TLS 1.3", "TLS 1.2")] {
        assert!(!are_alike(&[shown], &[came]), "{} {}", masked(shown), masked(came));
    }
    assert!(are_alike(&["a", "...", "d"], &["a", "b", "c", "d"]));
    assert!(!are_alike(&["a", "..."], &["b"]) && !are_alike(&["a"], &["a", "b"]));
}
