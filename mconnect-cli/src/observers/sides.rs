//! What passes, shown to whoever looks on: both sides of a script, `C:` and `S:` in the look of a dialogue; or the commands
//! that are given in the user's stead, on standard error beside what the server says.

use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex};

use mconnect_core::{LineLog, LogLine, Observer};

use crate::lock::locked;
use crate::options::{Mode, Options};
use crate::paint;
use crate::screen::{self, Screen};
use crate::stderr::say;
use crate::terminal::is_color_wanted;
use crate::verdict::Verdict;

/// Shows what is sent and what is received, secrets left out.
pub struct Sides {
    look: Look,
    state: Mutex<State>,
}

enum Look {
    Both { has_color: bool },
    Commands { are_told: bool },
}

struct State {
    screen: Screen,
    /// Somebody else shows what passes.
    is_muted: bool,
    failure: Option<io::Error>,
}

/// Returns whether a person looks on who sees neither what was typed nor what a script says.
pub fn are_wanted(options: &Options) -> bool {
    let is_typed = options.commands.is_empty() && io::stdin().is_terminal();
    let is_by_lines = !is_typed && options.mode != Mode::Raw && !options.output.is_json && !options.is_quiet;
    is_by_lines && io::stdout().is_terminal() && io::stderr().is_terminal()
}

impl Sides {
    /// Shows both sides.
    pub fn of_both(options: &Options) -> Arc<Self> {
        Self::new(Look::Both { has_color: is_color_wanted(options.prompt.color) }, Screen::new())
    }

    /// Shows commands, and what the server says, unless all that passes is shown.
    pub fn of_commands(options: &Options) -> Arc<Self> {
        let are_told = !options.is_quiet && !options.output.has_sides;
        Self::new(Look::Commands { are_told }, Screen::of(options.output))
    }

    fn new(look: Look, screen: Screen) -> Arc<Self> {
        Arc::new(Self { look, state: Mutex::new(State { screen, is_muted: false, failure: None }) })
    }

    /// Returns what observes a session for this.
    pub fn observer(self: &Arc<Self>) -> impl Observer + use<> {
        let theirs = Arc::clone(self);
        let log = LineLog::new(move |said: LogLine<'_>| theirs.show(said));
        if let Look::Commands { .. } = self.look { log.body_lines(0) } else { log }
    }

    /// Shows nothing more.
    pub fn mute(&self) {
        locked(&self.state).is_muted = true;
    }

    /// Tells what was wrong with standard output, if anything was.
    pub fn end(&self, verdict: &Verdict) {
        if let Some(error) = locked(&self.state).failure.take() {
            verdict.output_failed(&error);
        }
    }

    fn show(&self, said: LogLine<'_>) {
        let mut state = locked(&self.state);
        let shown = match (&self.look, said) {
            _ if state.is_muted => return,
            (Look::Both { .. }, _) if state.failure.is_some() => return,
            (Look::Both { has_color }, LogLine::Server(line)) => put('S', line, *has_color),
            (Look::Both { .. }, LogLine::Client { line, .. }) => put('C', line, false),
            (Look::Both { .. }, LogLine::LeftOut { octets, .. }) => {
                put('C', format!("[{octets} octets more]").as_bytes(), false)
            }
            (Look::Commands { .. }, LogLine::Server(line)) => state.screen.show(line),
            (Look::Commands { are_told: true }, said) => {
                said.command().inspect(|command| say(&format!("> {command}")));
                Ok(())
            }
            _ => Ok(()),
        };
        state.failure = state.failure.take().or(shown.err());
    }
}

fn put(side: char, line: &[u8], has_color: bool) -> io::Result<()> {
    screen::put(paint::side(side, line, has_color).as_bytes())
}
