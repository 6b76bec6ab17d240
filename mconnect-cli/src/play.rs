//! Playing dialogues to a host.

mod files;

use std::cell::RefCell;
use std::error::Error as _;
use std::io::{self, Read};
use std::path::Path;
use std::time::Instant;

use mconnect_core::dialogue::{self, Dialogue, LoadError, Outcome, Player, Report};
use mconnect_core::protocol::Visible;
use mconnect_core::{Connect, Session};

use crate::args::{Options, Play};
use crate::atomic_file;
use crate::failure;
use crate::report::{Case, junit, tap};
use crate::run::make_ready;
use crate::screen::Screen;
use crate::secure::Secure;
use crate::verdict::{Verdict, reason, status};
use crate::watch::Watch;

/// Plays every dialogue as often as is asked for, tells how each went, and gives the exit status.
pub fn run(options: &Options, play: &Play) -> u8 {
    let verdict = Verdict::default();
    if let Err(message) = files::check(options.record.as_deref(), play) {
        verdict.complain(status::USAGE, &message);
        return verdict.status();
    }
    match Watch::begin(options, false) {
        Ok(watch) => {
            play_all(options, play, &watch, &verdict);
            watch.end(&verdict);
        }
        Err(message) => verdict.complain(status::IO, &message),
    }
    verdict.status()
}

fn play_all(options: &Options, play: &Play, watch: &Watch<'_>, verdict: &Verdict) {
    let dialogues: Vec<(String, Dialogue)> = match play.files.iter().map(|file| read(file)).collect() {
        Ok(dialogues) => dialogues,
        Err((status, message)) => return verdict.complain(status, &message),
    };
    let (secure, connect, _server) = match make_ready(options) {
        Ok(ready) => ready,
        Err((status, message)) => return verdict.complain(status, &message),
    };
    let screen = RefCell::new(Screen::of(options.output));
    let sessions: usize = dialogues.iter().map(|(_, dialogue)| dialogue.sessions().len()).sum();
    let is_one_of_many = play.repeat > 1 || sessions > 1;
    let stage = Stage { connect, options, play, secure, watch, screen, verdict, is_one_of_many };
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
    stage.tell(&cases);
}

struct Stage<'a> {
    connect: Connect,
    options: &'a Options,
    play: &'a Play,
    secure: Secure,
    watch: &'a Watch<'a>,
    screen: RefCell<Screen>,
    verdict: &'a Verdict,
    is_one_of_many: bool,
}

impl Stage<'_> {
    /// Plays one session, and says how it went.
    fn play(&self, name: String, dialogue: &Dialogue) -> Case {
        if self.is_one_of_many {
            self.secure.note(&format!("playing {name}"));
        }
        let started = Instant::now();
        let failure = match self.watch.over(self.connect.clone()).open() {
            Ok(session) => self.converse(session, dialogue),
            Err(error) => {
                let told = failure::describe(&error);
                Some((failure::status(&error), told))
            }
        };
        if let Some(json) = self.watch.json() {
            json.close();
        }
        match &failure {
            Some((status, failure)) if self.play.is_tap => self.verdict.fail_because(*status, failure),
            Some((status, failure)) => self.verdict.complain(*status, failure),
            None => {}
        }
        Case { name, took: started.elapsed(), failure: failure.map(|(_, failure)| failure) }
    }

    fn converse(&self, session: Session, dialogue: &Dialogue) -> Option<(u8, String)> {
        let session = match self.secure.begin_to_play(session) {
            Ok(session) => session,
            Err(failure) => return Some(failure),
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
        let is_shown = !self.options.is_quiet && !self.play.is_tap;
        if is_shown || self.watch.json().is_some() {
            player.watch(move |report| match (report, self.watch.json()) {
                (Report::Outcome(outcome), Some(json)) => json.expectation(outcome),
                (Report::Sent(line), None) => self.show("C", line),
                (Report::Received(line), None) => self.show("S", line),
                (Report::TlsStarted(agreed), _) => self.secure.note(&Visible(agreed.as_bytes()).to_string()),
                _ => {}
            });
        }
        let played = player.play(session, dialogue);
        let failures: Vec<String> =
            played.outcomes.iter().filter(|outcome| !is_met(outcome)).map(ToString::to_string).collect();
        if failures.is_empty() {
            return None;
        }
        Some((played.failure().map_or(status::UNMET, status_of), failures.join("\n")))
    }

    fn show(&self, side: &str, line: &str) {
        if let Err(error) = self.screen.borrow_mut().show(format!("{side}: {line}\n").as_bytes()) {
            self.verdict.output_failed(&error);
        }
    }

    /// Writes the reports that are asked for, and says how many went how.
    fn tell(self, cases: &[Case]) {
        if self.is_one_of_many {
            let failed = cases.iter().filter(|case| case.failure.is_some()).count();
            self.secure.note(&format!("played {} sessions, {failed} of them not as expected", cases.len()));
        }
        if self.play.is_tap {
            let _ = self.screen.borrow_mut().show(tap(cases).as_bytes());
        }
        if let Some(file) = &self.play.junit
            && let Err(error) = atomic_file::write(file, &junit(cases))
        {
            self.verdict
                .complain(status::IO, &format!("cannot write {}: {}", file.display(), reason(&error.to_string())));
        }
    }
}

fn is_met(outcome: &Outcome) -> bool {
    outcome.verdict == dialogue::Verdict::Met
}

/// Gives the exit status that a step which was not met comes to.
fn status_of(outcome: &Outcome) -> u8 {
    match outcome.verdict {
        dialogue::Verdict::Impossible => status::DATA,
        dialogue::Verdict::Insecure => status::PROTOCOL,
        dialogue::Verdict::Refused => {
            outcome.reply.as_ref().map_or(status::AUTH, |reply| failure::status_of_refused_auth(reply.code()))
        }
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
        // It would pass, and prove nothing.
        Ok(dialogue) if dialogue.steps().is_empty() => Err((status::DATA, format!("{name} holds no dialogue"))),
        Ok(dialogue) => Ok((name, dialogue)),
        Err(error @ LoadError::Read { .. }) => {
            let reason = error.source().map(|source| reason(&source.to_string())).unwrap_or_default();
            Err((status::NO_INPUT, format!("{error}: {reason}")))
        }
        Err(error) => Err((status::DATA, error.to_string())),
    }
}
