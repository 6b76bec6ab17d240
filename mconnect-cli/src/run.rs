//! Where the modules meet: from arguments to an exit status.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use mconnect_core::{Connect, Observer, Session, Timeouts};

use crate::args::{self, Mode, Options, Request, Target};
use crate::failure;
use crate::help;
use crate::line::{self, Pace};
use crate::narrator::Narrator;
use crate::play;
use crate::prompt::{self, Bell, Setting};
use crate::raw;
use crate::record::{Record, Tee};
use crate::screen::Screen;
use crate::secure::Secure;
use crate::serve;
use crate::signals;
use crate::terminal::Terminal;
use crate::trace::Trace;
use crate::verdict::{Verdict, say, status};

/// Does what the arguments ask for.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let options = match args::parse(args) {
        Ok(Request::Session(options)) => options,
        Ok(Request::Play(options, play)) => return ExitCode::from(play::run(&options, &play)),
        Ok(Request::Serve(options)) => return ExitCode::from(serve::run(&options)),
        Ok(Request::HelpSmtp { topic, file }) => return help_smtp(topic.as_deref(), file.as_deref()),
        Ok(Request::Help) => return show(&args::help(false)),
        Ok(Request::LongHelp) => return show(&args::help(true)),
        Ok(Request::Version) => return show(concat!("mconnect ", env!("CARGO_PKG_VERSION"), "\n")),
        Err(message) => {
            say(&format!("mconnect: {message}; mconnect -h lists the options"));
            return ExitCode::from(status::USAGE);
        }
    };
    let verdict = Arc::new(Verdict::default());
    if let Err(error) = set_stage(&options, |stage| open_and_hand_over(&options, stage, &verdict)) {
        verdict.complain(status::IO, &format!("cannot wait for signals: {error}"));
    }
    ExitCode::from(verdict.status())
}

/// What stands between the user and the session.
enum Stage {
    /// Nothing that has to be restored, but after asking for a password.
    Plain,
    Raw(Terminal),
    Prompt(Terminal, Arc<Bell>),
}

/// Does it on its stage: where the terminal will be changed, that is watched over from before the first thread on.
fn set_stage(options: &Options, act: impl FnOnce(&Stage) + Send) -> io::Result<()> {
    match options.mode {
        Mode::Raw if io::stdin().is_terminal() => {
            let terminal = Terminal::new();
            signals::watch(terminal.handle(), Some)?;
            act(&Stage::Raw(terminal));
            Ok(())
        }
        Mode::Line if prompt::is_possible() => {
            let (terminal, bell) = (Terminal::new(), Arc::new(Bell::default()));
            let (watched, theirs) = (terminal.handle(), Arc::clone(&bell));
            let work = || {
                bell.start()?;
                act(&Stage::Prompt(terminal, bell));
                Ok(())
            };
            signals::watch_here(watched, move |signal| theirs.sort(signal), work)?
        }
        _ => {
            // A password may be asked for, without echo.
            if options.security.auth.is_some() {
                signals::watch(Terminal::new().handle(), Some)?;
            }
            act(&Stage::Plain);
            Ok(())
        }
    }
}

fn open_and_hand_over(options: &Options, stage: &Stage, verdict: &Arc<Verdict>) {
    let mut secure = match Secure::prepare(options) {
        Ok(secure) => secure,
        Err((status, message)) => return verdict.complain(status, &message),
    };
    // The demo's server lives as long as the session.
    let (host, port, _server) = match &options.target {
        Target::Host(host) => (host.as_str(), options.port, None),
        Target::Demo => match secure.demo() {
            Ok(server) => ("127.0.0.1", server.port(), Some(server)),
            Err(error) => return verdict.complain(status::UNAVAILABLE, &format!("cannot start the demo: {error}")),
        },
    };
    if options.target == Target::Demo && !options.is_quiet {
        say("a loopback server of mconnect's own: HELP lists its commands, mail goes nowhere");
    }
    let record = match options.record.as_deref().map(Record::begin).transpose() {
        Ok(record) => record,
        Err(message) => return verdict.complain(status::IO, &message),
    };
    let open = || match settle(Connect::new(host, port), options, record.as_ref()).open() {
        Ok(session) => secure.begin(session, verdict),
        Err(error) => {
            verdict.complain(failure::status(&error), &failure::describe(&error));
            None
        }
    };
    if let Some(session) = open() {
        hand_over(session, options, stage, &secure, verdict, &open);
    }
    if let Some(Err(message)) = record.map(Record::end) {
        verdict.complain(status::IO, &message);
    }
}

pub fn settle(mut connect: Connect, options: &Options, record: Option<&Record>) -> Connect {
    connect = connect.family(options.family).timeouts(timeouts(options));
    if let Some(source) = options.source {
        connect = connect.source(source);
    }
    let mut observers: Vec<Box<dyn Observer>> = Vec::new();
    if !options.is_quiet {
        observers.push(Box::new(Narrator));
    }
    if let Some(form) = options.trace {
        observers.push(Box::new(Trace::new(form)));
    }
    if let Some(record) = record {
        observers.push(Box::new(record.recorder()));
    }
    if observers.is_empty() { connect } else { connect.observer(Tee(observers)) }
}

fn timeouts(options: &Options) -> Timeouts {
    let mut timeouts = Timeouts::default();
    if let Some(timeout) = options.timeout {
        timeouts = timeouts.replies(timeout);
    }
    if let Some(attempt) = options.connect_timeout {
        timeouts.attempt = attempt;
        timeouts.connect = timeouts.connect.max(attempt);
    }
    timeouts
}

fn hand_over(
    session: Session,
    options: &Options,
    stage: &Stage,
    secure: &Secure,
    verdict: &Arc<Verdict>,
    reopen: &dyn Fn() -> Option<Session>,
) {
    let timeouts = timeouts(options);
    let terminal = match stage {
        Stage::Plain => None,
        Stage::Raw(terminal) => Some(terminal),
        Stage::Prompt(terminal, bell) => {
            let bell = Arc::clone(bell);
            return prompt::run(session, &Setting { options, timeouts, terminal, bell, secure, verdict, reopen });
        }
    };
    let screen = Screen::new();
    let pace = match options.mode {
        Mode::Raw => {
            if terminal.is_some() && !options.is_quiet {
                raw::tell_keys();
            }
            return raw::run(session, screen, timeouts, terminal, verdict);
        }
        Mode::Blind => Pace::Blind,
        Mode::Line if io::stdin().is_terminal() => Pace::Typed,
        Mode::Line => Pace::InStep,
    };
    line::run(session, screen, timeouts, pace, secure, verdict);
}

fn help_smtp(topic: Option<&str>, file: Option<&Path>) -> ExitCode {
    match help::on(topic, file) {
        Ok(text) => show(&text),
        Err(message) => {
            say(&format!("mconnect: {message}"));
            ExitCode::from(status::NO_INPUT)
        }
    }
}

fn show(text: &str) -> ExitCode {
    let verdict = Verdict::default();
    if let Err(error) = Screen::new().show(text.as_bytes()) {
        verdict.output_failed(&error);
    }
    ExitCode::from(verdict.status())
}
