//! What rustyline asks of its helper: completion, hints, colour, and being told what was typed.

use std::borrow::Cow;

use mconnect_core::protocol::Extensions;
use rustyline::completion::Completer;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hint, Hinter};
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

use super::completion;
use super::keys::Keys;
use super::paint;

/// What completion and hints go by.
#[derive(Debug, Clone, Default)]
pub struct Knowledge {
    /// The line is text: nothing is completed, and Tab is a tab.
    pub is_text: bool,
    pub has_escapes: bool,
    /// What the server advertised.
    pub extensions: Option<Extensions>,
    /// The addresses used in this session.
    pub addresses: Vec<String>,
    /// What usually comes next.
    pub next: Option<String>,
}

/// Helps the editor.
pub struct Assistant {
    pub knowledge: Knowledge,
    keys: Keys,
    has_color: bool,
}

/// A dim text after the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    pub shown: String,
    /// What the right arrow key inserts.
    pub inserted: Option<String>,
}

impl Assistant {
    pub fn new(keys: Keys, has_color: bool) -> Self {
        Self { knowledge: Knowledge::default(), keys, has_color }
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
        self.keys.note(line, at);
        let is_secret = self.keys.typing().secret.is_some();
        let hint = if at == line.len() && !is_secret { completion::hint(line, &self.knowledge) } else { None };
        self.keys.typing().hint = hint.as_ref().map(|hint| hint.shown.clone()).unwrap_or_default();
        // Without colour it could not be told from what is typed.
        hint.filter(|_| self.has_color).or_else(|| {
            self.keys.typing().hint.clear();
            None
        })
    }
}

impl Highlighter for Assistant {
    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        if self.has_color { Cow::Owned(paint::bold(prompt)) } else { Cow::Borrowed(prompt) }
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        Cow::Owned(paint::dim(hint))
    }

    fn highlight_char(&self, line: &str, at: usize, kind: CmdKind) -> bool {
        if kind != CmdKind::ForcedRefresh {
            self.keys.note(line, at);
        }
        false
    }
}
