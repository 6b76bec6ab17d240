//! What rustyline asks of its helper: completion, hints, colour, and being told what was typed.

use std::borrow::Cow;
use std::sync::Arc;

use rustyline::completion::Completer;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

use super::completion::{Knowledge, Suggestion};
use super::keys::Keys;
use super::prompt_text::Label;
use super::waker::{END_UPDATE, Waker};
use super::{completion, rows};
use crate::paint::Tone;
use crate::screen;
use crate::terminal;

/// Helps the editor.
pub struct Assistant {
    pub knowledge: Knowledge,
    /// What the prompt is made of.
    pub label: Label,
    keys: Keys,
    waker: Arc<Waker>,
    has_color: bool,
    is_reflowed: bool,
}

impl Assistant {
    pub fn new(keys: Keys, waker: Arc<Waker>, has_color: bool) -> Self {
        let (knowledge, label) = (Knowledge::default(), Label::default());
        Self { knowledge, label, keys, waker, has_color, is_reflowed: rows::is_reflowed() }
    }

    /// Returns a prompt in colour, but not what stands above it.
    fn painted(&self, prompt: &str) -> String {
        let start = prompt.rfind('\n').map_or(0, |end| end + 1);
        let (above, last) = prompt.split_at(start);
        let is_ours = last == self.label.to_string();
        above.to_owned() + &if is_ours { self.label.painted() } else { Tone::Bold.paint(last) }
    }

    /// Before a drawing after the terminal has changed its width: sees to it that the cursor is where the editor believes
    /// it to be, with nothing of the old line around it.
    fn keep_place(&self) {
        let (columns, _) = terminal::size();
        let mut typing = self.keys.typing();
        let before = std::mem::replace(&mut typing.columns, columns);
        if before == columns {
            return;
        }
        let text = format!("{}{}", typing.prompt, typing.line);
        let cursor = text.get(..typing.prompt.len() + typing.at).unwrap_or(&text);
        let (believed, end) =
            (rows::end_of(cursor, before).row, rows::end_of(&(text.clone() + &typing.hint), before).row);
        let actual = if self.is_reflowed { rows::end_of(cursor, columns).row } else { believed };
        let up = |rows: usize| if rows == 0 { String::new() } else { format!("\x1b[{rows}A") };
        let moves = format!("{}\r\x1b[J{}{}", up(actual), "\n".repeat(end), up(end - believed));
        // Where nothing can be written, nothing is shown at all.
        let _ = screen::put(moves.as_bytes());
    }
}

impl Helper for Assistant {}

impl Validator for Assistant {}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let (start, candidates) = completion::complete(line.get(..at).unwrap_or(line), &self.knowledge);
        Ok((start, completion::fit(candidates)))
    }
}

impl Hint for Suggestion {
    fn display(&self) -> &str {
        &self.shown
    }

    fn completion(&self) -> Option<&str> {
        self.inserted.as_deref()
    }
}

impl Hinter for Assistant {
    type Hint = Suggestion;

    fn hint(&self, line: &str, at: usize, _: &Context<'_>) -> Option<Suggestion> {
        self.keep_place();
        let mut typing = self.keys.typing();
        let is_plain = at == line.len() && typing.secret.is_none() && !typing.is_searching;
        // Without colour it could not be told from what is typed.
        let hint = if is_plain && self.has_color { completion::hint(line, &self.knowledge) } else { None };
        typing.hint = hint.as_ref().map(|hint| hint.shown.clone()).unwrap_or_default();
        hint
    }
}

impl Highlighter for Assistant {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, is_default: bool) -> Cow<'b, str> {
        let mut typing = self.keys.typing();
        typing.set_prompt(prompt);
        typing.has_other_prompt = !is_default;
        typing.has_hint = !typing.hint.is_empty();
        if self.has_color { Cow::Owned(self.painted(prompt)) } else { Cow::Borrowed(prompt) }
    }

    fn highlight<'l>(&self, line: &'l str, at: usize) -> Cow<'l, str> {
        let mut typing = self.keys.typing();
        if !typing.is_ending {
            // After a list of completions, the cursor goes back without a word.
            typing.at = at;
        }
        let mut shown = rows::shown(&typing.prompt, line, typing.columns);
        if self.waker.ends_update() {
            shown.push_str(END_UPDATE);
        }
        Cow::Owned(shown)
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        // The editor keeps it while the cursor moves.
        if self.keys.typing().hint.is_empty() { Cow::Borrowed("") } else { Cow::Owned(Tone::Dim.paint(hint)) }
    }

    /// Has the editor draw the whole line, but for a cursor that moves and a plain character at the end: what else it
    /// would add or take away alone may be a tab, or joined to what is there.
    fn highlight_char(&self, line: &str, at: usize, kind: CmdKind) -> bool {
        let mut typing = self.keys.typing();
        let is_alone = match kind {
            CmdKind::MoveCursor => true,
            CmdKind::Other => typing.takes_alone(line),
            CmdKind::ForcedRefresh => false,
        };
        // After a drawing that was asked for, the editor draws once more.
        let was_asked = std::mem::replace(&mut typing.was_asked, !is_alone);
        if (was_asked || !is_alone) && kind != CmdKind::Other {
            typing.hint.clear();
        }
        drop(typing);
        if kind != CmdKind::ForcedRefresh {
            self.keys.note(line, at);
        }
        !is_alone
    }
}
