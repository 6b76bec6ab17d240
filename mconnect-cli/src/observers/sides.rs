//! What passes, shown to whoever looks on: both sides of a script, `C:` and `S:` in the look of a dialogue; or the commands
//! that are given in the user's stead, on standard error beside what the server says.

use std::io::{self, IsTerminal};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use mconnect_core::protocol::{Phase, Visible, auth_mechanism};
use mconnect_core::{Event, Observer};

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
    phase: Phase,
    /// Somebody else shows what passes.
    is_muted: bool,
    /// What was sent since the last line end.
    line: Vec<u8>,
    /// The line end of a secret may follow by itself.
    is_after_secret: bool,
    /// How many lines of the body were shown, and how many octets of it were not.
    lines: usize,
    left_out: u64,
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
        let state = State {
            screen,
            phase: Phase::Greeting,
            is_muted: false,
            line: Vec::new(),
            is_after_secret: false,
            lines: 0,
            left_out: 0,
            failure: None,
        };
        Arc::new(Self { look, state: Mutex::new(state) })
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
}

impl Observer for Sides {
    fn observe(&self, _: Instant, event: &Event<'_>) {
        let mut state = locked(&self.state);
        match self.look {
            _ if state.is_muted => {}
            Look::Both { has_color } => state.show_both(event, has_color),
            Look::Commands { are_told } => {
                if let Some(told) = state.show_commands(event).filter(|_| are_told) {
                    say(&told);
                }
            }
        }
        if let Event::Phase(phase) = event {
            state.phase = *phase;
        }
    }
}

impl State {
    fn show_both(&mut self, event: &Event<'_>, has_color: bool) {
        match event {
            Event::Sent(octets) => self.send(octets),
            Event::SentSecret(_) => {
                self.line.extend_from_slice(b"[hidden]");
                self.end_line();
                self.is_after_secret = true;
            }
            Event::Received(line) => {
                self.end_line();
                self.show(&paint::side('S', line.raw(), has_color));
            }
            Event::Phase(_) => self.end_body(),
            _ => {}
        }
    }

    /// Shows what the server says, and returns what is told of what is sent.
    fn show_commands(&mut self, event: &Event<'_>) -> Option<String> {
        match (event, self.phase) {
            (Event::Received(line), _) => {
                let shown = self.screen.show(line.raw());
                self.failure = self.failure.take().or(shown.err());
                None
            }
            (Event::Sent(octets), Phase::Body) => {
                self.left_out += octets.len() as u64;
                None
            }
            // The dot that ends it is no part of it, and stands alone where nobody was left to send it to.
            (Event::Phase(_), Phase::Body) => match std::mem::take(&mut self.left_out).checked_sub(FINAL_DOT)? {
                0 => Some("> .".to_owned()),
                octets => Some(format!("> a message of {octets} octets, and the dot that ends it")),
            },
            (Event::Sent(line), Phase::Command) => {
                let line = line.trim_ascii_end();
                let answers = if auth_mechanism(line).is_some() { " (answers not shown)" } else { "" };
                Some(line).filter(|line| !line.is_empty()).map(|line| format!("> {}{answers}", Visible(line)))
            }
            _ => None,
        }
    }

    fn send(&mut self, octets: &[u8]) {
        let octets = match octets {
            [b'\r', b'\n', rest @ ..] if std::mem::take(&mut self.is_after_secret) => rest,
            octets => octets,
        };
        self.is_after_secret = false;
        let is_body = self.phase == Phase::Body;
        let mut rest = octets;
        while !rest.is_empty() {
            if matches!(self.phase, Phase::Chunk { .. }) || (is_body && self.lines >= MOST_LINES) {
                self.left_out += rest.len() as u64;
                return;
            }
            let end = rest.iter().position(|octet| *octet == b'\n').map_or(rest.len(), |end| end + 1);
            let (line, after) = rest.split_at(end);
            self.line.extend_from_slice(line);
            if line.ends_with(b"\n") || self.line.len() > LONGEST_LINE {
                self.lines += usize::from(is_body);
                self.end_line();
            }
            rest = after;
        }
    }

    /// Shows what was sent, as far as its line came.
    fn end_line(&mut self) {
        if !self.line.is_empty() {
            let shown = paint::side('C', &std::mem::take(&mut self.line), false);
            self.show(&shown);
        }
    }

    /// Says how much of a body, or of a chunk, was not shown.
    fn end_body(&mut self) {
        self.end_line();
        if self.left_out > 0 {
            let told = format!("[{} octets more]", self.left_out);
            self.show(&paint::side('C', told.as_bytes(), false));
        }
        (self.lines, self.left_out) = (0, 0);
    }

    fn show(&mut self, text: &str) {
        if self.failure.is_none() {
            self.failure = screen::put(text.as_bytes()).err();
        }
    }
}

/// Of a body, in lines.
const MOST_LINES: usize = 40;
/// A longer line is shown in pieces of about so many octets.
const LONGEST_LINE: usize = 4096;
/// The octets of `.` CR LF.
const FINAL_DOT: u64 = 3;
