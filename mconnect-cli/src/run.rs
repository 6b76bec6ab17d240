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
    match raw_terminal(&options) {
        Ok(terminal) => open_and_hand_over(&options, terminal.as_ref(), &verdict),
        Err(error) => verdict.complain(status::IO, &format!("cannot wait for signals: {error}")),
    }
    ExitCode::from(verdict.status())
}

/// Gives the terminal that raw mode will change, watched over from before the first thread on.
fn raw_terminal(options: &Options) -> io::Result<Option<Terminal>> {
    if options.mode != Mode::Raw || !io::stdin().is_terminal() {
        return Ok(None);
    }
    let terminal = Terminal::new();
    signals::watch(terminal.handle())?;
    Ok(Some(terminal))
}

fn open_and_hand_over(options: &Options, terminal: Option<&Terminal>, verdict: &Arc<Verdict>) {
    let mut secure = match Secure::prepare(options) {
        Ok(secure) => secure,
        Err((status, message)) => return verdict.complain(status, &message),
    };
    // The demo's server lives as long as the session.
    let (connect, _server) = match &options.target {
        Target::Host(host) => (Connect::new(host, options.port), None),
        Target::Demo => match secure.demo() {
            Ok(server) => (Connect::new("127.0.0.1", server.port()), Some(server)),
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
    match settle(connect, options, record.as_ref()).open() {
        Ok(session) => {
            if let Some(session) = secure.begin(session, verdict) {
                hand_over(session, options, terminal, &secure, verdict);
            }
        }
        Err(error) => verdict.complain(failure::status(&error), &failure::describe(&error)),
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
    terminal: Option<&Terminal>,
    secure: &Secure,
    verdict: &Arc<Verdict>,
) {
    let (screen, timeouts) = (Screen::new(), timeouts(options));
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
