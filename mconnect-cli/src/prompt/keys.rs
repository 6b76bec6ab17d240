//! What is typed, key by key: what ends a line, what a paste is, and answers that are not shown.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustyline::{
    Cmd, ConditionalEventHandler, EditMode, Event, EventContext, KeyCode, KeyEvent, Modifiers, RepeatCount,
};

use super::bell::Bell;
use crate::secret::Secret;

/// Sees every key before the editor does.
#[derive(Clone)]
pub struct Keys {
    bell: Arc<Bell>,
    typing: Arc<Mutex<Typing>>,
}

/// What is being typed.
#[derive(Default)]
pub struct Typing {
    /// The line, as far as the editor has told.
    pub line: String,
    /// The cursor's place in it, in bytes.
    pub at: usize,
    /// What is drawn after it.
    pub hint: String,
    /// Why the editor was left, if a key did it that does not simply end a line.
    pub left_by: Option<LeftBy>,
    /// What is being pasted, between the marks of a terminal's paste.
    paste: Option<String>,
    /// An answer that is not shown, while one is asked for.
    pub secret: Option<Secret>,
    /// Tab is text.
    pub is_text: bool,
    /// How many keys were dropped, while they are.
    pub dropped: Option<usize>,
}

impl Typing {
    /// Says whether a paste has begun and not ended.
    pub fn is_pasting(&self) -> bool {
        self.paste.is_some()
    }
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
    /// A paste of more than one line, or a part of a long one.
    Paste(String),
}

impl Keys {
    pub fn new(bell: Arc<Bell>) -> Self {
        Self { bell, typing: Arc::default() }
    }

    pub fn typing(&self) -> MutexGuard<'_, Typing> {
        self.typing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Is told what the editor holds, whenever that changed.
    pub fn note(&self, line: &str, at: usize) {
        let mut typing = self.typing();
        if typing.line != line {
            line.clone_into(&mut typing.line);
        }
        typing.at = at;
        let is_pasting = typing.paste.is_some();
        drop(typing);
        if !is_pasting {
            self.bell.arm();
        }
    }

    fn leave(&self, by: LeftBy) -> Option<Cmd> {
        self.typing().left_by = Some(by);
        self.end()
    }

    /// Ends the line: the editor keeps what was typed ahead only if it believes that the line is done.
    fn end(&self) -> Option<Cmd> {
        self.bell.disarm();
        Some(Cmd::AcceptLine)
    }

    /// Takes a key of a paste.
    fn paste(&self, key: KeyEvent) -> Option<Cmd> {
        let mut typing = self.typing();
        let paste = typing.paste.get_or_insert_default();
        let is_over = key.0 == KeyCode::BracketedPasteEnd;
        if !is_over {
            push(key, paste);
            // A long one is taken in parts, but CR LF is not cut in two.
            if paste.len() < LARGEST_PART || paste.ends_with('\r') {
                return Some(Cmd::Noop);
            }
        }
        let text = std::mem::take(paste);
        if is_over {
            typing.paste = None;
        }
        if let Some(secret) = &mut typing.secret {
            // Enter sends it, not what was copied with it.
            secret.extend(text.chars().filter(|c| !matches!(c, '\r' | '\n')));
            return Some(Cmd::Noop);
        }
        drop(typing);
        if is_over && !text.contains(['\r', '\n']) {
            return Some(if text.is_empty() { Cmd::Noop } else { Cmd::Insert(1, text) });
        }
        self.leave(LeftBy::Paste(text))
    }

    /// Drops a key. A paste is dropped whole.
    fn drop(&self, key: KeyEvent) -> Option<Cmd> {
        let mut typing = self.typing();
        typing.dropped = typing.dropped.map(|count| count + 1);
        match (key, typing.paste.is_some()) {
            (KeyEvent(KeyCode::BracketedPasteStart, _), _) => {
                typing.paste = Some(String::new());
                self.bell.disarm();
            }
            (KeyEvent(KeyCode::BracketedPasteEnd, _), _) => {
                typing.paste = None;
                drop(typing);
                self.bell.arm();
            }
            (KeyEvent(KeyCode::Char('C'), Modifiers::CTRL), false) => {
                drop(typing);
                return self.leave(LeftBy::Interrupt);
            }
            _ => {}
        }
        Some(Cmd::Noop)
    }

    /// Takes a key of an answer that is not shown.
    fn hide(&self, key: KeyEvent) -> Option<Cmd> {
        let mut typing = self.typing();
        let secret = typing.secret.get_or_insert_default();
        match key {
            KeyEvent(KeyCode::Backspace, Modifiers::NONE) => drop(secret.pop()),
            KeyEvent(KeyCode::Char('U'), Modifiers::CTRL) => secret.clear(),
            KeyEvent(KeyCode::Char(c), Modifiers::NONE) => secret.push(c),
            _ => {}
        }
        Some(Cmd::Noop)
    }
}

impl ConditionalEventHandler for Keys {
    fn handle(&self, event: &Event, _: RepeatCount, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        let key = *event.get(0)?;
        let (is_dropping, is_pasting, is_secret, is_text) = {
            let mut typing = self.typing();
            context.line().clone_into(&mut typing.line);
            typing.at = context.pos();
            (typing.dropped.is_some(), typing.paste.is_some(), typing.secret.is_some(), typing.is_text)
        };
        if is_dropping {
            return self.drop(key);
        }
        if is_pasting {
            return self.paste(key);
        }
        let is_empty = context.line().is_empty();
        match key {
            KeyEvent(KeyCode::BracketedPasteStart, _) => {
                self.bell.disarm();
                self.typing().paste = Some(String::new());
                Some(Cmd::Noop)
            }
            KeyEvent(KeyCode::Char('C'), Modifiers::CTRL) => self.leave(LeftBy::Interrupt),
            KeyEvent(KeyCode::Char('Z'), Modifiers::CTRL) => self.leave(LeftBy::Suspend),
            // The terminal's own keys, which the editor would obey: Ctrl-C is not among them here.
            KeyEvent(KeyCode::Char('@' | '\\'), Modifiers::CTRL) => Some(Cmd::Noop),
            KeyEvent(KeyCode::Enter, _) | KeyEvent(KeyCode::Char('J' | 'M'), Modifiers::CTRL) => self.end(),
            KeyEvent(KeyCode::Char('D'), Modifiers::CTRL) if is_secret => {
                let is_nothing = self.typing().secret.as_ref().is_none_or(|secret| secret.is_empty());
                if is_nothing { self.leave(LeftBy::EndOfInput) } else { Some(Cmd::Noop) }
            }
            KeyEvent(KeyCode::Char('D'), Modifiers::CTRL) if is_empty => self.leave(LeftBy::EndOfInput),
            KeyEvent(KeyCode::Char('D'), Modifiers::CTRL) if context.mode() == EditMode::Vi => Some(Cmd::Noop),
            _ if is_secret => self.hide(key),
            KeyEvent(KeyCode::Tab, Modifiers::NONE) if is_text => Some(Cmd::Insert(1, "\t".to_owned())),
            _ => None,
        }
    }
}

/// Appends what a key stands for in a paste.
fn push(KeyEvent(code, modifiers): KeyEvent, text: &mut String) {
    if modifiers.contains(Modifiers::ALT) {
        text.push('\x1b');
    }
    match code {
        KeyCode::Char(c) if modifiers.contains(Modifiers::CTRL) => {
            text.extend(u8::try_from(c).ok().map(|byte| char::from(byte & 0x1f)));
        }
        KeyCode::Char(c) => text.push(c),
        KeyCode::Enter => text.push('\r'),
        KeyCode::Tab => text.push('\t'),
        KeyCode::Backspace => text.push('\x7f'),
        KeyCode::Esc => text.push('\x1b'),
        _ => {}
    }
}

/// A paste is taken in parts of about this many octets.
const LARGEST_PART: usize = 64 * 1024;
