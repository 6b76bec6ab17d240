//! Questions at the prompt.

use std::ops::ControlFlow::{self, Continue};

use mconnect_core::protocol::Phase;

use super::completion::Knowledge;
use super::typist::Typed;
use super::{Leave, Talk};
use crate::secret::Secret;

/// What was asked for, or why there is nothing: `None` was said already, or needs no word.
pub type Asked<T> = ControlFlow<Leave, Option<T>>;

impl Talk<'_> {
    /// Asks for a line.
    pub(super) fn inquire(&mut self, question: &str) -> Asked<String> {
        self.ask(question, false).map_continue(|answer| answer.map(|answer| answer.to_string()))
    }

    /// Asks whether something is meant, which it is not by itself.
    pub(super) fn is_meant(&mut self, question: &str) -> ControlFlow<Leave, bool> {
        let answer = self.inquire(&format!("{question} [y/N] "))?;
        Continue(answer.is_some_and(|word| ["y", "yes"].contains(&word.trim().to_ascii_lowercase().as_str())))
    }

    /// Asks the user; nothing is an answer of `*`, or Ctrl-D. What the server says meanwhile is shown.
    pub(super) fn ask(&mut self, question: &str, is_secret: bool) -> Asked<Secret> {
        // What is half typed when the server closes is no command to keep.
        self.asked = Phase::Auth;
        self.editor.inform(Knowledge { is_text: true, ..Knowledge::default() });
        loop {
            self.show_what_came()?;
            let answer = match self.editor.read(question, is_secret) {
                Ok(Typed::Line(line)) => Secret::new(line),
                Ok(Typed::Secret(line)) => line,
                // Of a paste, what goes on after its first line is not for here.
                Ok(Typed::Lines { text, .. }) => Secret::new(text.lines().next().unwrap_or_default().to_owned()),
                Ok(Typed::EndOfInput | Typed::Octets(_) | Typed::Unheard) => return Continue(None),
                Ok(Typed::Break) => continue,
                Ok(Typed::Interrupt) => {
                    self.interrupt();
                    continue;
                }
                Err(error) => return self.cannot_type(&error).map_continue(|()| None),
            };
            return Continue(Some(answer).filter(|answer| answer.as_str() != "*"));
        }
    }
}
