//! Playing dialogues to a host.

mod files;

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::time::Instant;

use mconnect_core::dialogue::{self, Dialogue, LoadError, Outcome, Player, Report};
use mconnect_core::protocol::{Reply, Visible};
use mconnect_core::{Connect, Session};

use crate::atomic_file;
use crate::connection;
use crate::failure::{Failure, Status};
use crate::observers::{self, Observers};
use crate::options::Options;
use crate::report::{Case, junit, tap};
use crate::screen::Screen;
use crate::secret::Secret;
use crate::secure::Secure;
use crate::verdict::Verdict;

/// Plays every dialogue as often as is asked for, and tells how each went.
///
/// # Errors
/// Nothing is played: options or files are wrong.
pub fn run(options: &Options, verdict: &Verdict) -> Result<(), Failure> {
    files::check(options.record.as_deref(), &options.play)?;
    observers::watched(options, false, verdict, |watch| play_all(options, watch, verdict));
    Ok(())
}

fn play_all(options: &Options, watch: &Observers<'_>, verdict: &Verdict) -> Result<(), Failure> {
    let play = &options.play;
    let dialogues: Vec<(String, Dialogue)> = play.files.iter().map(|file| read(file)).collect::<Result<_, _>>()?;
    let (secure, connect, _server) = connection::prepare(options)?;
    let passwords = secure.passwords(dialogues.iter().map(|(_, dialogue)| dialogue), &play.values)?;
    let screen = RefCell::new(Screen::of(options.output));
    let sessions: usize = dialogues.iter().map(|(_, dialogue)| dialogue.sessions().len()).sum();
    let is_one_of_many = play.repeat > 1 || sessions > 1;
    let runner = Runner { connect, options, secure, passwords, watch, screen, verdict, is_one_of_many };
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
                cases.push(runner.play(name, session));
            }
        }
    }
    runner.tell(&cases);
    Ok(())
}

/// What plays session after session, and knows what they have in common.
struct Runner<'a> {
    connect: Connect,
    options: &'a Options,
    secure: Secure,
    /// Those of its exchanges that nobody has set, by name.
    passwords: Vec<(String, Secret)>,
    watch: &'a Observers<'a>,
    screen: RefCell<Screen>,
    verdict: &'a Verdict,
    is_one_of_many: bool,
}

impl Runner<'_> {
    /// Plays one session, and says how it went.
    fn play(&self, name: String, dialogue: &Dialogue) -> Case {
        if self.is_one_of_many {
            self.secure.note(&format!("playing {name}"));
        }
        let started = Instant::now();
        let opened = self.watch.over(self.connect.clone(), self.verdict).open();
        let opened = opened.map_err(|error| Unmet::from(self.verdict.failure_of(&error)));
        let unmet = opened.and_then(|session| self.converse(session, dialogue)).err();
        match &unmet {
            Some(unmet) if self.options.play.is_tap => self.verdict.fail_for(&unmet.failure),
            Some(unmet) => self.verdict.complain(unmet.failure.clone()),
            None => {}
        }
        let why = unmet.as_ref().and_then(|unmet| self.watch.explain_step(unmet.reply.as_deref(), self.verdict));
        if let Some(json) = &self.watch.json {
            json.journal.close();
        }
        let failure = unmet.map(|unmet| unmet.failure.to_string());
        Case { name, took: started.elapsed(), failure, why: why.map(|found| found.to_string()) }
    }

    fn converse(&self, session: Session, dialogue: &Dialogue) -> Result<(), Unmet> {
        let session = self.secure.begin_to_play(session, self.verdict)?;
        let (mut player, play) = (Player::new(), &self.options.play);
        player.scale(play.scale);
        self.secure.prepare_player(&mut player);
        for (name, value) in &play.values {
            player.set(name, value.as_str());
        }
        for (name, password) in &self.passwords {
            player.set_secret(name, password.as_bytes());
        }
        if play.keeps_going {
            player.keep_going();
        }
        if let Some(place) = &play.quit_at {
            player.quit_at(place);
        }
        if let Some(place) = &play.drop_at {
            player.drop_at(place);
        }
        let is_shown = !self.options.is_quiet && !play.is_tap;
        if is_shown || self.watch.json.is_some() {
            player.watch(move |report| match (report, &self.watch.json) {
                (Report::Outcome(outcome), Some(json)) => json.journal.expectation(outcome),
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
            return Ok(());
        }
        let unmet = played.failure();
        if let Some(error) = unmet.and_then(|outcome| outcome.error.as_deref()) {
            self.verdict.evidence().failed(error);
        }
        let failure = Failure::new(unmet.map_or(Status::Unmet, status_of), failures.join("\n"));
        Err(Unmet { failure, reply: unmet.and_then(|outcome| outcome.reply.clone()).map(Box::new) })
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
        if self.options.play.is_tap {
            let _ = self.screen.borrow_mut().show(tap(cases).as_bytes());
        }
        if let Some(file) = &self.options.play.junit {
            self.verdict.check(atomic_file::write(file, &junit(cases)));
        }
    }
}

/// What was not as expected, and the reply that was not.
struct Unmet {
    failure: Failure,
    reply: Option<Box<Reply>>,
}

impl From<Failure> for Unmet {
    fn from(failure: Failure) -> Self {
        Self { failure, reply: None }
    }
}

fn is_met(outcome: &Outcome) -> bool {
    outcome.verdict == dialogue::Verdict::Met
}

/// Returns the exit status that a step which was not met comes to.
fn status_of(outcome: &Outcome) -> Status {
    match outcome.verdict {
        dialogue::Verdict::Impossible => Status::Data,
        dialogue::Verdict::Insecure => Status::Protocol,
        dialogue::Verdict::Refused => {
            outcome.reply.as_ref().map_or(Status::Auth, |reply| Status::of_refused_auth(reply.code()))
        }
        _ => Status::Unmet,
    }
}

/// Reads a dialogue, and names it.
pub fn read(file: &Path) -> Result<(String, Dialogue), Failure> {
    let (name, dialogue) = if file == Path::new("-") {
        let name = "standard input".to_owned();
        let text = io::read_to_string(io::stdin());
        let text = text.map_err(|source| LoadError::Read { file: name.clone().into(), source })?;
        (name.clone(), Dialogue::parse_as(&name, &text)?)
    } else {
        (file.display().to_string(), Dialogue::load(file)?)
    };
    if dialogue.steps().is_empty() {
        // It would pass, and prove nothing.
        return Err(Failure::new(Status::Data, format!("{name} holds no dialogue")));
    }
    Ok((name, dialogue))
}
