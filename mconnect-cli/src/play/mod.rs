//! Playing dialogues to a host.

mod files;

use std::cell::RefCell;
use std::io;
use std::path::Path;
use std::time::Instant;

use mconnect_core::dialogue::{self, Case, Dialogue, Outcome, Player, Report, junit, tap};
use mconnect_core::protocol::{Reply, Visible};
use mconnect_core::script::Fault;
use mconnect_core::{Connect, Session};

use crate::atomic_file;
use crate::connection;
use crate::failure::{Failure, Status};
use crate::observers::{self, Observers};
use crate::options::Options;
use crate::screen::Screen;
use crate::secret::Secret;
use crate::secure::Secure;
use crate::stderr::note;
use crate::verdict::Verdict;

/// Plays every dialogue as often as is asked for, and tells how each went.
///
/// # Errors
/// Nothing is played: options or files are wrong.
#[inline(never)]
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
    let mut player = player(options, &secure, &passwords);
    let show = |side: &str, line: &str| {
        if let Err(error) = screen.borrow_mut().show(format!("{side}: {line}\n").as_bytes()) {
            verdict.output_failed(&error);
        }
    };
    let is_shown = !options.is_quiet && !play.is_tap;
    if is_shown || watch.json.is_some() {
        player.watch(|report| match (report, &watch.json) {
            (Report::Outcome(outcome), Some(json)) => json.journal.expectation(outcome),
            (Report::Sent(line), None) => show("C", line),
            (Report::Received(line), None) => show("S", line),
            (Report::Outcome(outcome), None) if !outcome.is_met() => {
                note(&format!("^^ line {}: expected `{}`", outcome.step.line, outcome.expected()), options.is_quiet);
            }
            (Report::TlsStarted(agreed), _) => note(&Visible(agreed.as_bytes()).to_string(), options.is_quiet),
            _ => {}
        });
    }
    let sessions: Vec<(String, Dialogue)> = dialogues.iter().flat_map(sessions_of).collect();
    let repeat = play.times();
    let is_one_of_many = repeat * sessions.len() > 1;
    let mut runner = Runner { connect, options, secure: &secure, player, watch, verdict };
    let mut cases = Vec::new();
    for round in 1..=repeat {
        for (name, session) in &sessions {
            let name = if repeat > 1 { format!("{name}, round {round}") } else { name.clone() };
            if is_one_of_many {
                note(&format!("playing {name}"), options.is_quiet);
            }
            cases.push(runner.play(name, session));
        }
    }
    if is_one_of_many {
        let failed = cases.iter().filter(|case| !case.is_passed()).count();
        note(&format!("played {} sessions, {failed} of them not as expected", cases.len()), options.is_quiet);
    }
    if play.is_tap {
        let _ = screen.borrow_mut().show(tap(&cases).as_bytes());
    }
    match &play.junit {
        Some(file) => atomic_file::write(file, &junit("mconnect", &cases)),
        None => Ok(()),
    }
}

/// Returns the sessions of a dialogue, each with its name.
fn sessions_of((name, dialogue): &(String, Dialogue)) -> Vec<(String, Dialogue)> {
    let sessions = dialogue.sessions();
    let is_one = sessions.len() == 1;
    let named = |number| if is_one { name.clone() } else { format!("{name}, session {number}") };
    (1..).map(named).zip(sessions).collect()
}

/// Makes ready what plays the sessions, one after the other; `passwords` has those that nobody has set, by name.
fn player<'a>(options: &Options, secure: &Secure, passwords: &[(String, Secret)]) -> Player<'a> {
    let (mut player, play) = (Player::new(), &options.play);
    player.values(&play.values);
    if let Some(factor) = play.scale {
        player.scale(factor);
    }
    secure.prepare_player(&mut player);
    for (name, password) in passwords {
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
    player
}

/// What plays session after session, and knows what they have in common.
struct Runner<'a> {
    connect: Connect,
    options: &'a Options,
    secure: &'a Secure,
    player: Player<'a>,
    watch: &'a Observers<'a>,
    verdict: &'a Verdict,
}

impl Runner<'_> {
    /// Plays one session, and says how it went.
    fn play(&mut self, name: String, dialogue: &Dialogue) -> Case {
        let started = Instant::now();
        let opened = self.watch.over(self.connect.clone(), self.verdict).open();
        let opened = opened.map_err(|error| self.verdict.failure_of(&error));
        let opened = opened.and_then(|session| self.secure.begin_tls(session, self.verdict));
        let (failure, reply) = match opened {
            Ok(session) => self.converse(session, dialogue),
            Err(failure) => (Some(failure), None),
        };
        match &failure {
            Some(failure) if self.options.play.is_tap => self.verdict.fail_for(failure),
            Some(failure) => self.verdict.complain(failure.clone()),
            None if self.options.play.is_tap => {}
            None => note("passed", self.options.is_quiet),
        }
        let why = failure.as_ref().and_then(|_| self.watch.explain_end(reply.as_ref(), self.verdict));
        if let Some(json) = &self.watch.json {
            json.journal.close();
        }
        let mut case = Case::new(name, started.elapsed());
        case.failure = failure.map(|failure| failure.to_string());
        case.why = why.map(|found| found.to_string());
        case
    }

    /// Returns what was not as expected, if anything was, and the reply that was not.
    fn converse(&mut self, session: Session, dialogue: &Dialogue) -> (Option<Failure>, Option<Reply>) {
        let played = self.player.play(session, dialogue);
        let Some(failure) = played.failure() else { return (None, None) };
        if let Some(error) = failure.error.as_deref() {
            self.verdict.evidence().failed(error);
        }
        (Some(Failure::new(status_of(failure), played.story())), failure.reply.clone())
    }
}

/// Returns the exit status that a step which was not met comes to.
fn status_of(outcome: &Outcome) -> Status {
    match outcome.verdict {
        dialogue::Verdict::Impossible => Status::Data,
        dialogue::Verdict::Insecure => Status::Protocol,
        dialogue::Verdict::Refused => {
            outcome.reply.as_ref().map_or(Status::Auth, |reply| Fault::of_refused_auth(reply.code()).into())
        }
        _ => Status::Unmet,
    }
}

/// Reads a dialogue, and names it.
pub fn read(file: &Path) -> Result<(String, Dialogue), Failure> {
    let (name, dialogue) = if file == Path::new("-") {
        let name = "standard input".to_owned();
        let dialogue = Dialogue::read(&name, io::stdin())?;
        (name, dialogue)
    } else {
        (file.display().to_string(), Dialogue::load(file)?)
    };
    if dialogue.steps().is_empty() {
        // It would pass, and prove nothing.
        return Err(Failure::new(Status::Data, format!("{name} holds no dialogue")));
    }
    Ok((name, dialogue))
}
