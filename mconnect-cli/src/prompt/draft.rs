//! What is being typed, as far as keys and editor have told, and where it ends on the screen.

use super::rows::{self, Cell};
use crate::secret::Secret;

/// What is being typed.
#[derive(Default)]
pub struct Draft {
    /// The line, as far as the editor has told.
    pub line: String,
    /// The cursor's place in it, in bytes.
    pub at: usize,
    /// What is drawn before it, and after it.
    pub prompt: String,
    pub hint: String,
    /// The prompt is not ours: the editor searches, or counts.
    pub has_other_prompt: bool,
    /// The history is being searched.
    pub is_searching: bool,
    /// The editor was asked to draw the line, when it told of it before.
    pub was_asked: bool,
    /// The last drawing had a hint.
    pub has_hint: bool,
    /// What the last key inserts, if that is all it does.
    pub inserted: Option<char>,
    /// How wide the terminal was then.
    pub columns: u16,
    /// Where prompt and line end at that width, if that is known: a long line is not measured anew with every key.
    end: Option<(u16, Cell)>,
    /// A key has ended it; what is drawn then has the cursor elsewhere.
    pub is_ending: bool,
    /// Why the editor was left, if a key did it that does not simply end a line.
    pub left_by: Option<LeftBy>,
    /// What is being pasted, between the marks of a terminal's paste.
    pub paste: Option<String>,
    /// CR ended the line before: LF may belong to it.
    pub is_after_cr: bool,
    /// Escape and this key of vi came at once, and this one is looked at for the second time.
    pub is_escaped: bool,
    /// An answer that is not shown, while one is asked for.
    pub secret: Option<Secret>,
    /// Tab is text.
    pub is_text: bool,
    /// How many keys were dropped, while they are.
    pub dropped: Option<usize>,
}

/// What made the editor end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeftBy {
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-D on an empty line.
    EndOfInput,
    /// Ctrl-Z.
    Suspend,
    /// A key that has vi go on inserting.
    Insert,
    /// A paste of more than one line, or a part of a long one.
    Paste(String),
}

impl Draft {
    /// Says whether a paste has begun and not ended.
    pub fn is_pasting(&self) -> bool {
        self.paste.is_some()
    }

    /// Says whether something of a line, or of an answer that is not shown, is there.
    pub fn is_begun(&self) -> bool {
        !self.line.is_empty() || self.secret.as_ref().is_some_and(|secret| !secret.is_empty())
    }

    pub fn set_line(&mut self, line: &str) {
        if self.line != line {
            line.clone_into(&mut self.line);
            self.end = None;
        }
    }

    pub fn set_prompt(&mut self, prompt: &str) {
        if self.prompt != prompt {
            prompt.clone_into(&mut self.prompt);
            self.end = None;
        }
    }

    /// Returns where prompt and line end.
    fn end(&mut self) -> Cell {
        let known = self.end.filter(|(columns, _)| *columns == self.columns).map(|(_, end)| end);
        let end = known.unwrap_or_else(|| rows::end_of(&format!("{}{}", self.prompt, self.line), self.columns));
        self.end = Some((self.columns, end));
        end
    }

    /// Takes a new line, and says whether it is the one before with a character at its end that stands for itself: the
    /// editor writes that alone.
    pub fn takes_alone(&mut self, line: &str) -> bool {
        let added = line.strip_prefix(self.line.as_str()).filter(|added| added.chars().eq(self.inserted));
        let is_after_all = self.hint.is_empty() && !self.has_hint && !self.has_other_prompt;
        let width = added.filter(|_| is_after_all).and_then(|added| rows::width_apart(line, added));
        let added = width.map(|width| (self.end(), width));
        self.set_line(line);
        let Some((end, width)) = added.filter(|(end, width)| end.column + width < usize::from(self.columns)) else {
            return false;
        };
        self.end = Some((self.columns, Cell { column: end.column + width, ..end }));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_line_ends_is_known_as_it_grows_and_after_whatever_else_changes_it() {
        let mut draft = Draft { columns: 20, ..Draft::default() };
        let check = |draft: &mut Draft| {
            let measured = rows::end_of(&format!("{}{}", draft.prompt, draft.line), draft.columns);
            assert_eq!(draft.end(), measured, "{:?}", draft.line);
        };
        for prompt in ["smtp> ", "数据> "] {
            draft.set_prompt(prompt);
            check(&mut draft);
            let mut line = String::new();
            for c in "a世\tbe\u{301} 12345678901234567890世世世世世世世世世世世xyz".chars() {
                line.push(c);
                draft.inserted = Some(c);
                draft.takes_alone(&line);
                check(&mut draft);
            }
            draft.columns = 33;
            check(&mut draft);
            draft.set_line("z");
            check(&mut draft);
        }
    }
}
