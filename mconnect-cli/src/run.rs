//! Where the modules meet: from arguments to an exit status.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::sync::Arc;

use mconnect_core::script::{Pace, Rules};
use mconnect_core::server::Server;
use mconnect_core::{Connect, Session, Timeouts};

use crate::args::{self, Mode, Options, Request, Target};
use crate::failure;
use crate::help;
use crate::input::Input;
use crate::line::{self, Setting, Typed};
use crate::play;
use crate::progress;
use crate::prompt::{self, Waker};
use crate::raw;
use crate::screen::Screen;
use crate::secure::Secure;
use crate::serve;
use crate::signals;
use crate::terminal::Terminal;
use crate::verdict::{Verdict, say, status};
use crate::watch::Watch;

/// Does what the arguments ask for, and returns the exit status.
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    let options = match args::parse(args) {
        Ok(Request::Session(options)) => options,
        Ok(Request::Play(options, play)) => return play::run(&options, &play),
        Ok(Request::Serve(options)) => return serve::run(&options),
        Ok(Request::HelpSmtp { topic, file }) => return help_smtp(topic.as_deref(), file.as_deref()),
        Ok(Request::Help) => return show(&args::help(false)),
        Ok(Request::LongHelp) => return show(&args::help(true)),
        Ok(Request::Version) => return show(concat!("mconnect ", env!("CARGO_PKG_VERSION"), "\n")),
        Err(message) => {
            say(&format!("mconnect: {message}; mconnect -h lists the options"));
            return status::USAGE;
        }
    };
    let verdict = Arc::new(Verdict::default());
    if options.ends_at_refusal && takes_a_prompt(&options) {
        verdict.complain(status::USAGE, "--fail is for piped input and -c: at the prompt a person decides");
        return verdict.status();
    }
    if let Err(error) = set_stage(&options, |stage| watch_session(&options, stage, &verdict)) {
        verdict.complain(status::IO, &format!("cannot wait for signals: {error}"));
    }
    verdict.status()
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
    if !is_raw && !is_typed && options.security.auth.is_none() && !progress::is_shown() {
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

fn watch_session(options: &Options, stage: &Stage, verdict: &Arc<Verdict>) {
    match Watch::begin(options, takes_typed_lines(options)) {
        Ok(watch) => {
            open_and_hand_over(options, stage, &watch, verdict);
            watch.end(verdict);
        }
        Err(message) => verdict.complain(status::IO, &message),
    }
}

fn open_and_hand_over(options: &Options, stage: &Stage, watch: &Watch<'_>, verdict: &Arc<Verdict>) {
    let (secure, connect, _server) = match make_ready(options) {
        Ok(ready) => ready,
        Err((status, message)) => return verdict.complain(status, &message),
    };
    if options.target == Target::Demo && !options.is_quiet {
        say("a loopback server of mconnect's own: HELP lists its commands, mail goes nowhere");
    }
    let open = || match watch.over(connect.clone()).open() {
        Ok(session) => secure.begin(session, verdict),
        Err(error) => {
            verdict.complain(failure::status(&error), &failure::describe(&error));
            None
        }
    };
    if let Some(session) = open() {
        hand_over(session, options, stage, watch, &secure, verdict, &open);
    }
}

/// Gives what secures the sessions, the way to the host, and the demo's server, which has to live as long as they do.
///
/// # Errors
/// An exit status and what is wrong.
pub fn make_ready(options: &Options) -> Result<(Secure, Connect, Option<Server>), (u8, String)> {
    let mut secure = Secure::prepare(options)?;
    let (connect, server) = match &options.target {
        Target::Host(host) => {
            let connect = Connect::new(&host.name, options.port);
            (host.written.iter().fold(connect, |connect, written| connect.known_as(written)), None)
        }
        Target::Demo => {
            let failed = |error| (status::UNAVAILABLE, format!("cannot start the demo: {error}"));
            let server = secure.demo().map_err(failed)?;
            (Connect::new("127.0.0.1", server.port()), Some(server))
        }
    };
    let mut connect = connect.family(options.family).timeouts(timeouts(options));
    if let Some(source) = options.source {
        connect = connect.source(source);
    }
    Ok((secure, connect, server))
}

/// The deadline of a reply bounds connecting, too, unless that has its own.
fn timeouts(options: &Options) -> Timeouts {
    let mut timeouts = Timeouts::default();
    if let Some(timeout) = options.timeout {
        timeouts = timeouts.replies(timeout);
        timeouts.attempt = timeouts.attempt.min(timeout);
        timeouts.connect = timeouts.connect.min(timeout);
    }
    if let Some(attempt) = options.connect_timeout {
        timeouts.attempt = attempt;
        timeouts.connect = Timeouts::default().connect.max(attempt);
    }
    timeouts
}

fn hand_over(
    session: Session,
    options: &Options,
    stage: &Stage,
    watch: &Watch<'_>,
    secure: &Secure,
    verdict: &Arc<Verdict>,
    reopen: &dyn Fn() -> Option<Session>,
) {
    let timeouts = timeouts(options);
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
        tape: watch.tape(),
        has_timeout: options.timeout.is_some(),
        reopen,
    });
    if typed.is_some() && options.prompt.has_escapes && !options.is_quiet {
        say("a line that begins with a tilde is an escape: ~? lists them");
    }
    line::run(session, Setting { input, screen, terminal, timeouts, rules, secure, verdict, typed });
}

fn help_smtp(topic: Option<&str>, file: Option<&Path>) -> u8 {
    match help::on(topic, file) {
        Ok(text) => show(&text),
        Err(message) => {
            say(&format!("mconnect: {message}"));
            status::NO_INPUT
        }
    }
}

fn show(text: &str) -> u8 {
    let verdict = Verdict::default();
    if let Err(error) = Screen::new().show(text.as_bytes()) {
        verdict.output_failed(&error);
    }
    verdict.status()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_deadline_of_replies_bounds_connecting_unless_that_has_its_own() {
        for (args, attempt, connect) in [
            (&[][..], 30, 120),
            (&["--timeout", "5"], 5, 5),
            (&["--timeout", "60"], 30, 60),
            (&["--timeout", "600"], 30, 120),
            (&["--connect-timeout", "50"], 50, 120),
            (&["--connect-timeout", "500"], 500, 500),
            (&["--timeout", "5", "--connect-timeout", "50"], 50, 120),
        ] {
            let request = args::parse(args.iter().map(OsString::from)).unwrap();
            let Request::Session(options) = request else { panic!("{request:?}") };
            let timeouts = timeouts(&options);
            let expected = (Duration::from_secs(attempt), Duration::from_secs(connect));
            assert_eq!((timeouts.attempt, timeouts.connect), expected, "{args:?}");
        }
    }
}
