//! Both sides of a script, as a terminal shows them: `C:` and `S:`, in the look of a dialogue.

use std::io::{self, IsTerminal};
use std::sync::Mutex;
use std::time::Instant;

use mconnect_core::protocol::Phase;
use mconnect_core::{Event, Observer};

use crate::lock::locked;
use crate::options::{Mode, Options};
use crate::paint;
use crate::screen;
use crate::terminal::is_color_wanted;

/// Shows what is sent and what is received, secrets left out.
pub struct Sides {
    has_color: bool,
    state: Mutex<State>,
}

struct State {
    phase: Phase,
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
    pub fn new(options: &Options) -> Self {
        let (phase, line) = (Phase::Greeting, Vec::new());
        let state = State { phase, line, is_after_secret: false, lines: 0, left_out: 0, failure: None };
        Self { has_color: is_color_wanted(options.prompt.color), state: Mutex::new(state) }
    }

    /// Returns what was wrong with standard output, if anything was.
    pub fn failure(&self) -> Option<io::Error> {
        locked(&self.state).failure.take()
    }
}

impl Observer for Sides {
    fn observe(&self, _: Instant, event: &Event<'_>) {
        let mut state = locked(&self.state);
        match event {
            Event::Sent(octets) => state.send(octets),
            Event::SentSecret(_) => {
                state.line.extend_from_slice(b"[hidden]");
                state.end_line();
                state.is_after_secret = true;
            }
            Event::Received(line) => {
                state.end_line();
                state.show(&paint::side('S', line.raw(), self.has_color));
            }
            Event::Phase(phase) => {
                state.end_body();
                state.phase = *phase;
            }
            _ => {}
        }
    }
}

impl State {
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
