//! Where the modules meet: from arguments to an exit status.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::sync::Arc;

use mconnect_core::Connect;
use mconnect_core::script::Pace;

use crate::connection::{self, Setting};
use crate::exchangers::{self, Exchangers};
use crate::failure::{Failure, Status};
use crate::help;
use crate::line;
use crate::observers::{
    self, Observers,
    sides::{self, Sides},
};
use crate::opening::Opening;
use crate::options::{self, Mode, Options, Request, Target};
use crate::play;
use crate::probe;
use crate::prompt::{self, Waker};
use crate::raw;
use crate::screen::Screen;
use crate::send;
use crate::serve;
use crate::signals;
use crate::stderr::{self, note};
use crate::terminal::Terminal;
use crate::verdict::Verdict;

/// Does what the arguments ask for, and returns the exit status.
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    let verdict = Arc::new(Verdict::default());
    verdict.check(answer(args, &verdict));
    verdict.status()
}

/// What is not a session is kept apart (`inline(never)`): as one function they would take more of the stack than any needs.
fn answer(args: impl IntoIterator<Item = OsString>, verdict: &Arc<Verdict>) -> Result<(), Failure> {
    let usage = |message: String| Failure::new(Status::Usage, message).hint("; mconnect --help lists the options");
    let text = match options::parse(args).map_err(usage)? {
        Request::Session(mut options) => {
            options.output.has_sides = sides::are_wanted(&options);
            return converse(&options, verdict);
        }
        Request::Send(options) => return send::run(&options, verdict),
        Request::Probe(options) => return probe::run(&options, verdict),
        Request::Play(options) => return play::run(&options, verdict),
        Request::Serve(file, options) => return serve::run(&file, &options, verdict),
        Request::HelpSmtp { topic, file } => help::on(topic.as_deref(), file.as_deref())?,
        Request::Help => options::help(false),
        Request::LongHelp => options::help(true),
        Request::Version => concat!("mconnect ", env!("CARGO_PKG_VERSION"), "\n").to_owned(),
    };
    if let Err(error) = Screen::new().show(text.as_bytes()) {
        verdict.output_failed(&error);
    }
    Ok(())
}

fn converse(options: &Options, verdict: &Arc<Verdict>) -> Result<(), Failure> {
    if options.ends_at_refusal && takes_a_prompt(options) {
        let message = "--fail is for piped input and -c: at the prompt a person decides";
        return Err(Failure::new(Status::Usage, message));
    }
    let terminal = Terminal::new();
    let waker = takes_a_prompt(options).then(Arc::<Waker>::default);
    watch_signals(options, &terminal, waker.clone()).map_err(|error| Failure::cannot("wait for signals", &error))?;
    observers::watched(options, takes_typed_lines(options), verdict, |watch| {
        open_and_hand_over(options, &terminal, waker, watch, verdict)
    });
    Ok(())
}

/// Watches over the terminal where it will be changed, from before the first thread on.
fn watch_signals(options: &Options, terminal: &Terminal, waker: Option<Arc<Waker>>) -> io::Result<()> {
    let is_raw = options.mode == Mode::Raw && io::stdin().is_terminal();
    if let Some(waker) = waker {
        return signals::watch(terminal.handle(), move |signal| waker.sort(signal));
    }
    // A password may be asked for, without echo; and who sees how far it went sees it at an interrupt, too.
    if is_raw || takes_typed_lines(options) || options.asks_for_a_password() || stderr::is_shown() {
        signals::watch(terminal.handle(), Some)?;
    }
    Ok(())
}

fn takes_a_prompt(options: &Options) -> bool {
    takes_typed_lines(options) && !options.output.is_json && prompt::is_possible()
}

fn takes_typed_lines(options: &Options) -> bool {
    options.mode == Mode::Line && options.commands.is_empty() && io::stdin().is_terminal()
}

fn open_and_hand_over(
    options: &Options,
    terminal: &Terminal,
    waker: Option<Arc<Waker>>,
    watch: &Observers<'_>,
    verdict: &Arc<Verdict>,
) -> Result<(), Failure> {
    let (secure, connect, _server) = connection::prepare(options)?;
    if options.target == Target::Demo {
        note("a loopback server of mconnect's own: HELP lists its commands, mail goes nowhere", options.is_quiet);
        if takes_typed_lines(options) {
            note(mconnect_core::help::walk().trim_end(), options.is_quiet);
        }
    }
    let exchangers = options.exchangers.are_asked_for.then(|| Exchangers::find(options)).transpose()?;
    let opening = Opening { options, secure: &secure, verdict };
    let open = || {
        let is_shown = exchangers.is_some() || Opening::is_asked_for(options);
        let shown = is_shown.then(|| Sides::of_commands(options));
        let reach = |connect: Connect| {
            let connect = watch.over(connect, verdict);
            let connect = shown.iter().fold(connect, |connect, shown| connect.observer(shown.observer()));
            let opened = connect.open().map_err(|error| verdict.failure_of(&error));
            opened.and_then(|session| opening.reach(session))
        };
        let session = match &exchangers {
            Some(exchangers) => {
                exchangers.open(&connect, verdict, |connect| exchangers::greeted(reach(connect)?, verdict))
            }
            None => verdict.check(reach(connect.clone())),
        };
        let session = session.and_then(|session| opening.run(session));
        shown.iter().for_each(|shown| shown.mute());
        if session.is_none() {
            watch.explain(verdict);
        }
        session
    };
    let timeouts = connection::timeouts(options);
    let setting = Setting { options, timeouts, terminal, verdict, watch, secure: &secure, reopen: &open };
    let Some(session) = open() else { return Ok(()) };
    match options.mode {
        _ if takes_typed_lines(options) => {
            prompt::run(session, &setting, waker.as_ref());
            // It was told as it came.
            return Ok(());
        }
        Mode::Raw => raw::run(session, &setting),
        Mode::Blind => line::run(session, &setting, Pace::Blind),
        Mode::Line => line::run(session, &setting, Pace::InStep),
    }
    if options.output.has_sides {
        watch.explain_end(None, verdict);
    } else {
        watch.explain(verdict);
    }
    Ok(())
}
