//! Escape and a key right after it, with the keys of vi. A terminal sends Alt with a key as the same two bytes, and the
//! editor reads them as that: it goes over to commands, but does not move the cursor back as Escape does, and drops the
//! key if it takes commands already.

use rustyline::{At, Cmd, EventContext, InputMode, Movement, Word};
use unicode_segmentation::UnicodeSegmentation;

/// What the second key does.
#[derive(Debug, PartialEq)]
pub enum Escaped {
    /// One thing, and the mode stays as it is.
    Is(Cmd),
    /// It goes on inserting, at this place.
    Inserts { at: usize },
    /// It is a command: the editor comes back with it.
    IsCommand,
}

/// Returns what a key means right after Escape.
pub fn after_escape(key: char, context: &EventContext<'_>) -> Escaped {
    let (line, at) = (context.line(), context.pos());
    let is_command = context.input_mode() == InputMode::Command;
    // Escape goes back by one, but not from command to command.
    let at = if is_command { at } else { before(line, at) };
    let after = line.get(at..).and_then(|rest| rest.graphemes(true).next()).map_or(at, |next| at + next.len());
    match key {
        'i' => Escaped::Inserts { at },
        'a' => Escaped::Inserts { at: after },
        'I' => Escaped::Inserts { at: 0 },
        'A' => Escaped::Inserts { at: line.len() },
        _ if !is_command => Escaped::IsCommand,
        _ => Escaped::Is(command(key)),
    }
}

/// Returns what a command does that was typed right after Escape, with the cursor where Escape found it, if that makes a
/// difference.
pub fn moved(key: char, at: usize) -> Option<Cmd> {
    match key {
        _ if at == 0 => None,
        'x' => Some(Cmd::Kill(Movement::BackwardChar(1))),
        'h' => Some(Cmd::Move(Movement::BackwardChar(2))),
        'l' | ' ' => Some(Cmd::Noop),
        _ => None,
    }
}

fn before(line: &str, at: usize) -> usize {
    let left = line.get(..at).unwrap_or(line);
    left.grapheme_indices(true).next_back().map_or(0, |(start, _)| start)
}

fn command(key: char) -> Cmd {
    match key {
        'h' => Cmd::Move(Movement::BackwardChar(1)),
        'l' | ' ' => Cmd::Move(Movement::ForwardChar(1)),
        '0' => Cmd::Move(Movement::BeginningOfLine),
        '^' => Cmd::Move(Movement::ViFirstPrint),
        '$' => Cmd::Move(Movement::EndOfLine),
        'b' => Cmd::Move(Movement::BackwardWord(1, Word::Vi)),
        'B' => Cmd::Move(Movement::BackwardWord(1, Word::Big)),
        'w' => Cmd::Move(Movement::ForwardWord(1, At::Start, Word::Vi)),
        'W' => Cmd::Move(Movement::ForwardWord(1, At::Start, Word::Big)),
        'e' => Cmd::Move(Movement::ForwardWord(1, At::BeforeEnd, Word::Vi)),
        'E' => Cmd::Move(Movement::ForwardWord(1, At::BeforeEnd, Word::Big)),
        'x' => Cmd::Kill(Movement::ForwardChar(1)),
        'X' => Cmd::Kill(Movement::BackwardChar(1)),
        'D' => Cmd::Kill(Movement::EndOfLine),
        'j' | '+' => Cmd::LineDownOrNextHistory(1),
        'k' | '-' => Cmd::LineUpOrPreviousHistory(1),
        'u' => Cmd::Undo(1),
        _ => Cmd::Noop,
    }
}
