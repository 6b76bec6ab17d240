//! Standard error: the lines that are told, and a last row below them that is drawn again while something takes long.
//!
//! It is the process's, and so is what is known of it.

use std::io::{self, IsTerminal, Write};
use std::sync::Mutex;

use mconnect_core::protocol::{Escaper, Visible};

use crate::lock::locked;
use crate::paint::{Tone, wrapped};
use crate::terminal;
use crate::timestamps::{self, Stamper};

/// The row as it is drawn, and what is told below it if the process is interrupted.
static LAST_ROW: Mutex<LastRow> = Mutex::new(LastRow { drawn: String::new(), at_interrupt: None, is_left: false });

struct LastRow {
    drawn: String,
    at_interrupt: Option<String>,
    /// The process is about to end, and nothing more is drawn.
    is_left: bool,
}

/// Writes a line, or several, made visible: whatever is quoted in them steers no terminal. Where nobody can read it, there
/// is nobody to tell.
pub fn say(line: &str) {
    clear();
    let mut text = String::new();
    Escaper::default().push(format!("{line}\n").as_bytes(), &mut text);
    put(Stamper::default().stamp(text.as_bytes()).unwrap_or(text.into_bytes()));
}

/// Writes what is no error, unless nothing is to be said but errors.
pub fn note(line: &str, is_quiet: bool) {
    if !is_quiet {
        say(line);
    }
}

/// Writes a line of which each part has its tone, where there is colour; on a terminal it is wrapped at words, and the rows
/// below are indented, so that nothing that others have chosen stands where a line of ours begins.
pub fn say_in_parts(parts: &[(&str, Tone)], has_color: bool) {
    let width = if is_shown() { columns() } else { usize::MAX };
    let mut text = timestamps::of_now().unwrap_or_default();
    let mut column = text.chars().count();
    for (part, tone) in parts {
        let shown = wrapped(&Visible(part.as_bytes()).to_string(), &mut column, width, "  ");
        text.push_str(&if has_color { tone.paint(&shown) } else { shown });
    }
    clear();
    put(text + "\n");
}

/// Returns whether somebody sees the last row.
pub fn is_shown() -> bool {
    io::stderr().is_terminal()
}

/// Draws the last row anew, cut to what the terminal shows in one row; only where standard error is a terminal.
pub fn draw(text: &str) {
    if !is_shown() {
        return;
    }
    let mut row = locked(&LAST_ROW);
    let text: String = text.chars().take(columns().min(WIDTH)).collect();
    if row.is_left || text == row.drawn {
        return;
    }
    let drawn = &mut row.drawn;
    let gone = drawn.chars().count().saturating_sub(text.chars().count());
    put(format!("\r{text}{}{}", " ".repeat(gone), "\x08".repeat(gone)));
    *drawn = text;
}

/// Takes the last row away.
pub fn clear() {
    let drawn = &mut locked(&LAST_ROW).drawn;
    if !drawn.is_empty() {
        put(format!("\r{}\r", " ".repeat(drawn.chars().count())));
        drawn.clear();
    }
}

/// Leaves the last row as it is, and goes on below: the process is about to end.
pub fn leave() {
    let (drawn, words) = {
        let mut row = locked(&LAST_ROW);
        row.is_left = true;
        (std::mem::take(&mut row.drawn), row.at_interrupt.take())
    };
    if !drawn.is_empty() {
        put("\r\n");
    }
    if let Some(words) = words {
        say(&format!("mconnect: interrupted: {words}"));
    }
}

/// Draws again: the process goes on after all.
pub fn resume() {
    locked(&LAST_ROW).is_left = false;
}

/// Sets what is told if the process is interrupted from now on, and returns what would have been told until now.
pub fn at_interrupt(words: Option<String>) -> Option<String> {
    std::mem::replace(&mut locked(&LAST_ROW).at_interrupt, words)
}

fn put(text: impl AsRef<[u8]>) {
    let _ = io::stderr().write_all(text.as_ref());
}

/// Returns how many columns a row may take without filling it: a terminal would begin another.
fn columns() -> usize {
    usize::from(terminal::size().0).saturating_sub(1)
}

/// The last row takes no more columns than this.
const WIDTH: usize = 78;
