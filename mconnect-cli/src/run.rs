//! Where the modules meet: from arguments to an exit status.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::sync::Arc;

use mconnect_core::Session;
use mconnect_core::script::{Pace, Rules};

use crate::connection;
use crate::failure::{Failure, Status};
use crate::help;
use crate::input::Input;
use crate::line::{self, Setting, Typed};
use crate::observers::{self, Observers};
use crate::options::{self, Mode, Options, Request, Target};
use crate::play;
use crate::prompt::{self, Waker};
use crate::raw;
use crate::screen::Screen;
use crate::secure::Secure;
use crate::serve;
use crate::signals;
use crate::stderr::{self, say};
use crate::terminal::Terminal;
use crate::verdict::Verdict;

/// Does what the arguments ask for, and returns the exit status.
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    let verdict = Arc::new(Verdict::default());
    verdict.check(answer(args, &verdict));
    verdict.status()
}

fn answer(args: impl IntoIterator<Item = OsString>, verdict: &Arc<Verdict>) -> Result<(), Failure> {
    let usage = |message: String| Failure::new(Status::Usage, message).hint("; mconnect --help lists the options");
    let text = match options::parse(args).map_err(usage)? {
        Request::Session(options) => return converse(&options, verdict),
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
    let has_prompt = takes_a_prompt(options);
    if options.ends_at_refusal && has_prompt {
        let message = "--fail is for piped input and -c: at the prompt a person decides";
        return Err(Failure::new(Status::Usage, message));
    }
    let act = |stage: &Stage| {
        observers::watched(options, takes_typed_lines(options), verdict, |watch| {
            open_and_hand_over(options, stage, watch, verdict)
        });
    };
    set_stage(options, act).map_err(|error| Failure::cannot("wait for signals", &error))
}

/// What stands between the user and the session.
enum Stage {
    /// Nothing that has to be restored, but after asking for a password.
    Plain,
    Raw(Terminal),
    /// Lines are typed at a terminal that can have no prompt.
    Typed(Terminal),
    Prompt(Terminal, Arc<Waker>),
}

/// Does it on its stage: where the terminal will be changed, that is watched over from before the first thread on.
fn set_stage(options: &Options, act: impl FnOnce(&Stage) + Send) -> io::Result<()> {
    if takes_a_prompt(options) {
        let (terminal, waker) = (Terminal::new(), Arc::new(Waker::default()));
        let (watched, theirs) = (terminal.handle(), Arc::clone(&waker));
        let work = || {
            act(&Stage::Prompt(terminal, waker));
        };
        return signals::watch_here(watched, move |signal| theirs.sort(signal), work);
    }
    let is_raw = options.mode == Mode::Raw && io::stdin().is_terminal();
    let is_typed = takes_typed_lines(options);
    // A password may be asked for, without echo; and who sees how far it went sees it at an interrupt, too.
    if !is_raw && !is_typed && options.security.auth.is_none() && !stderr::is_shown() {
        act(&Stage::Plain);
        return Ok(());
    }
    let terminal = Terminal::new();
    signals::watch(terminal.handle(), Some)?;
    act(&match (is_raw, is_typed) {
        (true, _) => Stage::Raw(terminal),
        (_, true) => Stage::Typed(terminal),
        _ => Stage::Plain,
    });
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
    stage: &Stage,
    watch: &Observers<'_>,
    verdict: &Arc<Verdict>,
) -> Result<(), Failure> {
    let (secure, connect, _server) = connection::prepare(options)?;
    if options.target == Target::Demo && !options.is_quiet {
        say("a loopback server of mconnect's own: HELP lists its commands, mail goes nowhere");
    }
    let open = || {
        let session = match watch.over(connect.clone(), verdict).open() {
            Ok(session) => secure.begin(session, verdict),
            Err(error) => {
                verdict.failed(&error);
                None
            }
        };
        if session.is_none() {
            watch.explain(verdict);
        }
        session
    };
    if let Some(session) = open() {
        hand_over(session, options, stage, watch, &secure, verdict, &open);
        // At the prompt it was told as it came.
        if !matches!(stage, Stage::Prompt(..)) {
            watch.explain(verdict);
        }
    }
    Ok(())
}

fn hand_over(
    session: Session,
    options: &Options,
    stage: &Stage,
    watch: &Observers<'_>,
    secure: &Secure,
    verdict: &Arc<Verdict>,
    reopen: &dyn Fn() -> Option<Session>,
) {
    let timeouts = connection::timeouts(options);
    let terminal = match stage {
        Stage::Plain => None,
        Stage::Raw(terminal) | Stage::Typed(terminal) => Some(terminal),
        Stage::Prompt(terminal, waker) => {
            let waker = Arc::clone(waker);
            return prompt::run(
                session,
                &prompt::Setting { options, timeouts, terminal, waker, watch, secure, verdict, reopen },
            );
        }
    };
    let screen = Screen::of(options.output);
    let pace = match options.mode {
        Mode::Raw => {
            if terminal.is_some() && !options.is_quiet {
                raw::tell_keys();
            }
            return raw::run(session, screen, timeouts, terminal, verdict);
        }
        Mode::Blind => Pace::Blind,
        Mode::Line if takes_typed_lines(options) => Pace::Typed,
        Mode::Line => Pace::InStep,
    };
    let input = if options.commands.is_empty() { Input::new() } else { Input::given(&options.commands) };
    let mut rules = Rules::new(pace);
    rules.ends_at_refusal = options.ends_at_refusal;
    rules.upgrades = secure.upgrades();
    rules.is_in_tls = secure.is_in_tls();
    let typed = (pace == Pace::Typed).then_some(Typed {
        prompt: &options.prompt,
        log: watch.session_log(),
        has_timeout: options.timeout.is_some(),
        reopen,
    });
    if typed.is_some() && options.prompt.has_escapes && !options.is_quiet {
        say("a line that begins with a tilde is an escape: ~? lists them");
    }
    line::run(session, Setting { input, screen, terminal, timeouts, rules, secure, verdict, typed });
}
