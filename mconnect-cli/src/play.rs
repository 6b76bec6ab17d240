//! Playing dialogues to a host.

use std::cell::RefCell;
use std::error::Error as _;
use std::io::{self, Read};
use std::path::Path;
use std::time::Instant;

use mconnect_core::dialogue::{self, Dialogue, LoadError, Outcome, Player, Report};
use mconnect_core::protocol::Visible;
use mconnect_core::{Connect, Session};

use crate::args::{Options, Play, Target};
use crate::failure;
use crate::record::Record;
use crate::report::{Case, junit, tap};
use crate::run::settle;
use crate::screen::Screen;
use crate::secure::Secure;
use crate::verdict::{Verdict, reason, say, status};

/// Plays every dialogue as often as is asked for, tells how each went, and gives the exit status.
pub fn run(options: &Options, play: &Play) -> u8 {
    let verdict = Verdict::default();
    let dialogues: Vec<(String, Dialogue)> = match play.files.iter().map(|file| read(file)).collect() {
        Ok(dialogues) => dialogues,
        Err((status, message)) => {
            verdict.complain(status, &message);
            return verdict.status();
        }
    };
    let mut secure = match Secure::prepare(options) {
        Ok(secure) => secure,
        Err((status, message)) => {
            verdict.complain(status, &message);
            return verdict.status();
        }
    };
    // The demo's server lives as long as the sessions.
    let (host, port, _server) = match &options.target {
        Target::Host(host) => (host.clone(), options.port, None),
        Target::Demo => match secure.demo() {
            Ok(server) => ("127.0.0.1".to_owned(), server.port(), Some(server)),
            Err(error) => {
                verdict.complain(status::UNAVAILABLE, &format!("cannot start the demo: {error}"));
                return verdict.status();
            }
        },
    };
    let record = match options.record.as_deref().map(Record::begin).transpose() {
        Ok(record) => record,
        Err(message) => {
            verdict.complain(status::IO, &message);
            return verdict.status();
        }
    };
    let connect = settle(Connect::new(&host, port), options, record.as_ref());
    let stage = Stage { connect, options, play, secure, screen: RefCell::new(Screen::new()), verdict };
    let mut cases = Vec::new();
    for round in 0..play.repeat {
        for (name, dialogue) in &dialogues {
            let sessions = dialogue.sessions();
            for (number, session) in sessions.iter().enumerate() {
                let mut name = name.clone();
                if sessions.len() > 1 {
                    name.push_str(&format!(", session {}", number + 1));
                }
                if play.repeat > 1 {
                    name.push_str(&format!(", round {}", round + 1));
                }
                cases.push(stage.play(name, session));
            }
        }
    }
    stage.tell(&cases, record)
}

struct Stage<'a> {
    connect: Connect,
    options: &'a Options,
    play: &'a Play,
    secure: Secure,
    screen: RefCell<Screen>,
    verdict: Verdict,
}

impl Stage<'_> {
    /// Plays one session, and says how it went.
    fn play(&self, name: String, dialogue: &Dialogue) -> Case {
        let started = Instant::now();
        let failure = match self.connect.open() {
            Ok(session) => self.converse(session, dialogue),
            Err(error) => {
                let told = failure::describe(&error);
                self.verdict.fail(failure::status(&error));
                Some(told)
            }
        };
        if let (Some(failure), false) = (&failure, self.play.is_tap) {
            say(&format!("mconnect: {failure}"));
        }
        Case { name, took: started.elapsed(), failure }
    }

    fn converse(&self, session: Session, dialogue: &Dialogue) -> Option<String> {
        let Some(session) = self.secure.begin(session, &self.verdict) else {
            return Some("TLS did not start".to_owned());
        };
        let mut player = Player::new();
        player.scale(self.play.scale);
        self.secure.prepare_player(&mut player);
        for (name, value) in &self.play.values {
            player.set(name, value.as_str());
        }
        if self.play.keeps_going {
            player.keep_going();
        }
        if let Some(place) = &self.play.quit_at {
            player.quit_at(place);
        }
        if let Some(place) = &self.play.drop_at {
            player.drop_at(place);
        }
        if !self.options.is_quiet && !self.play.is_tap {
            player.watch(|report| match report {
                Report::Sent(line) => self.show("C", line),
                Report::Received(line) => self.show("S", line),
                Report::TlsStarted(agreed) => self.secure.note(&Visible(agreed.as_bytes()).to_string()),
                _ => {}
            });
        }
        let played = player.play(session, dialogue);
        let failures: Vec<String> =
            played.outcomes.iter().filter(|outcome| !is_met(outcome)).map(ToString::to_string).collect();
        if failures.is_empty() {
            return None;
        }
        let first = played.failure().map_or(status::UNMET, status_of);
        self.verdict.fail(first);
        Some(failures.join("\n"))
    }

    fn show(&self, side: &str, line: &str) {
        if let Err(error) = self.screen.borrow_mut().show(format!("{side}: {line}\n").as_bytes())
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            self.verdict.complain(status::IO, &format!("cannot write to standard output: {error}"));
        }
    }

    /// Writes the reports that are asked for, and gives the exit status.
    fn tell(self, cases: &[Case], record: Option<Record>) -> u8 {
        if self.play.is_tap {
            let _ = self.screen.borrow_mut().show(tap(cases).as_bytes());
        }
        if let Some(file) = &self.play.junit
            && let Err(error) = std::fs::write(file, junit(cases))
        {
            self.verdict.complain(status::IO, &format!("cannot write {}: {error}", file.display()));
        }
        if let Some(Err(message)) = record.map(Record::end) {
            self.verdict.complain(status::IO, &message);
        }
        self.verdict.status()
    }
}

fn is_met(outcome: &Outcome) -> bool {
    outcome.verdict == dialogue::Verdict::Met
}

/// Gives the exit status that a step which was not met comes to.
fn status_of(outcome: &Outcome) -> u8 {
    let is_temporary = outcome.reply.as_ref().is_some_and(|reply| reply.code().number() / 100 == 4);
    match outcome.verdict {
        dialogue::Verdict::Impossible => status::DATA,
        dialogue::Verdict::Insecure => status::PROTOCOL,
        dialogue::Verdict::Refused if is_temporary => status::TEMPORARY,
        dialogue::Verdict::Refused => status::AUTH,
        _ => status::UNMET,
    }
}

/// Reads a dialogue, and names it; otherwise gives the exit status, and why.
pub fn read(file: &Path) -> Result<(String, Dialogue), (u8, String)> {
    let name = if file == Path::new("-") { "standard input".to_owned() } else { file.display().to_string() };
    let dialogue = if file == Path::new("-") {
        let mut text = String::new();
        match io::stdin().read_to_string(&mut text) {
            Ok(_) => Dialogue::parse_as(&name, &text),
            Err(source) => Err(LoadError::Read { file: name.clone().into(), source }),
        }
    } else {
        Dialogue::load(file)
    };
    match dialogue {
        Ok(dialogue) => Ok((name, dialogue)),
        Err(error @ LoadError::Read { .. }) => {
            let reason = error.source().map(|source| reason(&source.to_string())).unwrap_or_default();
            Err((status::NO_INPUT, format!("{error}: {reason}")))
        }
        Err(error) => Err((status::DATA, error.to_string())),
    }
}
