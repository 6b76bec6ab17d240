//! What is typed, key by key: what ends a line, what a paste is, and answers that are not shown.

use std::mem::take;
use std::sync::{Arc, Mutex, MutexGuard};

use rustyline::{
    Cmd, ConditionalEventHandler, EditMode, Event, EventContext, InputMode, KeyCode, KeyEvent, Modifiers, RepeatCount,
};

use super::draft::{Draft, LeftBy};
use super::vi;
use super::waker::Waker;
use crate::lock::locked;

/// Sees every key before the editor does.
#[derive(Clone)]
pub struct Keys {
    waker: Arc<Waker>,
    typing: Arc<Mutex<Draft>>,
}

impl Keys {
    pub fn new(waker: Arc<Waker>) -> Self {
        Self { waker, typing: Arc::default() }
    }

    pub fn typing(&self) -> MutexGuard<'_, Draft> {
        locked(&self.typing)
    }

    /// Called with what the editor holds, whenever that changed.
    pub fn note(&self, line: &str, at: usize) {
        let mut typing = self.typing();
        typing.set_line(line);
        typing.at = at;
        if !typing.is_pasting() && !typing.is_ending {
            self.waker.drawn(typing.is_begun());
        }
    }

    fn leave(&self, by: LeftBy) -> Option<Cmd> {
        self.typing().left_by = Some(by);
        self.end()
    }

    /// Ends the line: the editor keeps what was typed ahead only if it believes that the line is done.
    fn end(&self) -> Option<Cmd> {
        self.typing().is_ending = true;
        self.waker.key_ends();
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
        let text = take(paste);
        if is_over {
            typing.paste = None;
            self.waker.paste_ends();
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
                self.waker.paste_begins();
            }
            (KeyEvent(KeyCode::BracketedPasteEnd, _), _) => {
                typing.paste = None;
                drop(typing);
                self.waker.paste_ends();
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
        self.waker.drawn(typing.is_begun());
        Some(Cmd::Noop)
    }
}

impl ConditionalEventHandler for Keys {
    fn handle(&self, event: &Event, _: RepeatCount, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        let key = *event.get(0)?;
        let is_vi = context.mode() == EditMode::Vi;
        // A break begins again where keys insert text.
        let is_command = is_vi && (context.input_mode() == InputMode::Command || key.0 == KeyCode::Esc);
        self.waker.key(is_command);
        let mut typing = self.typing();
        typing.set_line(context.line());
        typing.at = context.pos();
        typing.is_searching = is_of_search(key, typing.has_other_prompt);
        typing.inserted = match key {
            KeyEvent(KeyCode::Char(c), Modifiers::NONE) if !is_command => Some(c),
            _ => None,
        };
        let (is_after_cr, is_escaped) = (take(&mut typing.is_after_cr), take(&mut typing.is_escaped));
        let (is_dropping, is_pasting) = (typing.dropped.is_some(), typing.is_pasting());
        let (is_secret, is_text) = (typing.secret.is_some(), typing.is_text);
        drop(typing);
        if is_dropping {
            return self.drop(key);
        }
        if is_pasting {
            return self.paste(key);
        }
        let is_empty = context.line().is_empty();
        match key {
            KeyEvent(KeyCode::BracketedPasteStart, _) => {
                self.waker.paste_begins();
                self.typing().paste = Some(String::new());
                Some(Cmd::Noop)
            }
            KeyEvent(KeyCode::Char('C'), Modifiers::CTRL) => self.leave(LeftBy::Interrupt),
            KeyEvent(KeyCode::Char('Z'), Modifiers::CTRL) => self.leave(LeftBy::Suspend),
            // The terminal's own keys, which the editor would obey: Ctrl-C is not among them here. Nor is telnet's own key one
            // that swallows the next.
            KeyEvent(KeyCode::Char('@' | '\\' | ']'), Modifiers::CTRL) => Some(Cmd::Noop),
            KeyEvent(KeyCode::Char('J'), Modifiers::CTRL) if is_after_cr && is_empty => Some(Cmd::Noop),
            KeyEvent(KeyCode::Enter, _) => {
                self.typing().is_after_cr = true;
                self.end()
            }
            KeyEvent(KeyCode::Char('J' | 'M'), Modifiers::CTRL) => self.end(),
            KeyEvent(KeyCode::Char('D'), Modifiers::CTRL) if is_secret => {
                let is_nothing = self.typing().secret.as_ref().is_none_or(|secret| secret.is_empty());
                if is_nothing { self.leave(LeftBy::EndOfInput) } else { Some(Cmd::Noop) }
            }
            KeyEvent(KeyCode::Char('D'), Modifiers::CTRL) if is_empty => self.leave(LeftBy::EndOfInput),
            KeyEvent(KeyCode::Char('D'), Modifiers::CTRL) if is_vi => Some(Cmd::Noop),
            _ if is_secret => self.hide(key),
            // No line of a text was ever kept, and a command is none.
            _ if is_text && is_of_history(key, is_command || (is_vi && key.1 == Modifiers::ALT)) => Some(Cmd::Noop),
            // What begins with a tilde is completed there, too.
            KeyEvent(KeyCode::Tab, Modifiers::NONE) if is_text && !context.line().starts_with('~') => {
                Some(Cmd::Insert(1, "\t".to_owned()))
            }
            KeyEvent(KeyCode::Char(c), Modifiers::ALT) if is_vi => match vi::after_escape(c, context) {
                vi::Escaped::Is(cmd) => Some(cmd),
                vi::Escaped::Inserts { at } => {
                    self.typing().at = at;
                    self.leave(LeftBy::Insert)
                }
                vi::Escaped::IsCommand => {
                    self.typing().is_escaped = true;
                    None
                }
            },
            KeyEvent(KeyCode::Char(c), Modifiers::NONE) if is_escaped => vi::moved(c, context.pos()),
            _ => None,
        }
    }
}

/// Says whether a key calls a line back; `is_vi_command` says that letters are commands.
fn is_of_history(KeyEvent(code, modifiers): KeyEvent, is_vi_command: bool) -> bool {
    match (code, modifiers) {
        (KeyCode::Up | KeyCode::Down, _)
        | (KeyCode::Char('P' | 'N' | 'R' | 'S'), Modifiers::CTRL)
        | (KeyCode::Char('<' | '>'), Modifiers::ALT) => true,
        (KeyCode::Char('j' | 'k' | '+' | '-' | '/' | '?' | 'n' | 'N'), Modifiers::NONE | Modifiers::ALT) => {
            is_vi_command
        }
        _ => false,
    }
}

/// Says whether a key belongs to a search of the history: it begins one, or is typed in it.
fn is_of_search(KeyEvent(code, modifiers): KeyEvent, is_under_way: bool) -> bool {
    let begins = matches!(code, KeyCode::Char('R' | 'S')) && modifiers == Modifiers::CTRL;
    let is_typed = matches!(code, KeyCode::Char(_) | KeyCode::Backspace) && modifiers == Modifiers::NONE;
    begins || (is_under_way && is_typed)
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
