//! Set-ups as they are written, and as they are played.

use std::time::Duration;

use mconnect_core::diagnosis::{Evidence, Facts};
use mconnect_core::dialogue::unescape;
use mconnect_core::protocol::Phase;
use mconnect_core::server::Server;
use mconnect_core::{Connect, Error, Session, Timeouts};

/// A set-up: a dialogue, broken and healthy, and what must be found.
pub struct Setup {
    pub name: String,
    pub facts: Facts,
    pub broken: Vec<String>,
    pub healthy: Vec<String>,
    /// How sure, and the cause: `likely greylisted`.
    pub expected: String,
    pub words: Vec<String>,
    pub unwanted: Vec<String>,
    patience: Duration,
    speaks_first: bool,
}

/// Reads the set-ups of a text: paragraphs.
pub fn setups(text: &str) -> Vec<Setup> {
    let paragraphs = text.split("\n\n").map(str::trim_end);
    paragraphs.filter(|paragraph| !paragraph.starts_with('#')).map(setup).collect()
}

fn setup(paragraph: &str) -> Setup {
    let mut lines = paragraph.trim_start().lines();
    let mut setup = Setup {
        name: lines.next().unwrap().to_owned(),
        facts: Facts::new(),
        broken: Vec::new(),
        healthy: Vec::new(),
        expected: String::new(),
        words: Vec::new(),
        unwanted: Vec::new(),
        patience: Duration::from_secs(20),
        speaks_first: false,
    };
    for line in lines {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("port", port) => setup.facts = setup.facts.port(port.parse().unwrap()),
            ("no-wait", _) => (setup.facts, setup.speaks_first) = (setup.facts.sends_at_once(true), true),
            ("sends-header", _) => setup.facts = setup.facts.sends_header(true),
            ("within", time) => setup.patience = Duration::from_millis(time.trim_end_matches(" ms").parse().unwrap()),
            ("=", expected) => {
                let mut parts = expected.split(" | ");
                setup.expected = parts.next().unwrap().to_owned();
                setup.words.extend(parts.map(str::to_owned));
            }
            ("!", unwanted) => setup.unwanted.push(unwanted.to_owned()),
            (usual, rest) if usual.starts_with('@') => {
                for line in usual_lines(usual, rest) {
                    setup.broken.push(line.clone());
                    setup.healthy.push(line);
                }
            }
            _ => match line.split_at(1) {
                ("-", line) => setup.broken.push(line.to_owned()),
                ("+", line) => setup.healthy.push(line.to_owned()),
                (" ", line) => {
                    setup.broken.push(line.to_owned());
                    setup.healthy.push(line.to_owned());
                }
                _ => panic!("{}: {line}", setup.name),
            },
        }
    }
    setup
}

fn usual_lines(name: &str, rest: &str) -> Vec<String> {
    let lines: Vec<&str> = match name {
        "@hello" => {
            let mut lines = vec!["S: 220 mx.example.org ESMTP".to_owned(), "C: EHLO client.example.org".to_owned()];
            let mut offers: Vec<&str> = rest.split(", ").filter(|offer| !offer.is_empty()).collect();
            offers.insert(0, "mx.example.org");
            let last = offers.pop().unwrap();
            lines.extend(offers.iter().map(|offer| format!("S: 250-{offer}")));
            lines.push(format!("S: 250 {last}"));
            return lines;
        }
        "@mail" => vec!["C: MAIL FROM:<a@example.org>", "S: 250 2.1.0 ok"],
        "@rcpt" => vec!["C: RCPT TO:<b@example.org>", "S: 250 2.1.5 ok"],
        "@data" => vec!["C: DATA", "S: 354 go ahead", "C: Subject: hello", "C: ."],
        _ => panic!("{name} is not usual"),
    };
    lines.into_iter().map(str::to_owned).collect()
}

impl Setup {
    /// Plays one of its dialogues, the client's part as any client would, and returns what was seen.
    pub fn play(&self, dialogue: &[String]) -> Evidence {
        let server = Server::play(&dialogue.join("\n")).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let evidence = Evidence::new();
        let timeouts = Timeouts::default().replies(self.patience);
        let connect = Connect::new("127.0.0.1", server.port()).timeouts(timeouts).observer(evidence.clone());
        let mut session = connect.open().unwrap();
        if let Err(error) = self.converse(&mut session, dialogue) {
            evidence.failed(&error);
        }
        drop(session);
        // Whether the client kept to its part is not what is looked at.
        drop(server.join());
        evidence
    }

    fn converse(&self, session: &mut Session, dialogue: &[String]) -> Result<(), Error> {
        if !self.speaks_first {
            session.read_reply()?;
        }
        for group in dialogue.chunk_by(|line, next| is_client(line) && is_client(next)) {
            if is_client(&group[0]) {
                let bytes: Vec<u8> = group.iter().flat_map(|line| octets(line)).collect();
                session.send(&bytes)?;
                while session.outstanding() > 0 {
                    session.read_reply()?;
                }
            }
        }
        // What the server does at last.
        while session.phase() != Phase::Closed && dialogue.last().is_some_and(|line| ends(line)) {
            if session.read_line()?.is_none() {
                break;
            }
        }
        Ok(())
    }
}

fn is_client(line: &str) -> bool {
    line.starts_with('C')
}

fn ends(line: &str) -> bool {
    ["S: *close*", "S: *reset*"].contains(&line)
}

fn octets(line: &str) -> Vec<u8> {
    match line.strip_prefix("C> ") {
        Some(bytes) => unescape(bytes).unwrap(),
        None => format!("{}\r\n", &line[3..]).into_bytes(),
    }
}
