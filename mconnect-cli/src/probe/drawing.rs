//! How a report looks: colours and marks, and the width of lines.

use std::io::{self, IsTerminal};

use mconnect_core::probe::Gravity;
use mconnect_core::protocol::Visible;

use crate::options::Color;
use crate::paint::Tone;
use crate::terminal::is_color_wanted;

/// Where a report is shown.
pub struct Drawing {
    has_color: bool,
}

impl Drawing {
    pub fn new(color: Color) -> Self {
        let is_seen = color == Color::Always || io::stdout().is_terminal();
        Self { has_color: is_seen && is_color_wanted(color) }
    }

    /// Returns a text in its tone; what steers terminals in it is made visible.
    pub fn paint(&self, text: &str, tone: Tone) -> String {
        let text = Visible(text.as_bytes()).to_string();
        if self.has_color { tone.paint(&text) } else { text }
    }

    /// Returns a text in its tone, in lines of their own that are wrapped at words and have this before them.
    pub fn lines(&self, before: &str, text: &str, tone: Tone) -> String {
        let (mut lines, mut line) = (String::new(), String::new());
        let room = COLUMNS.saturating_sub(before.chars().count());
        for word in Visible(text.as_bytes()).to_string().split(' ') {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > room {
                lines += &format!("{before}{}\n", self.paint(&std::mem::take(&mut line), tone));
            }
            line += if line.is_empty() { "" } else { " " };
            line += word;
        }
        lines + &format!("{before}{}\n", self.paint(&line, tone))
    }

    /// Returns the mark of what is so grave at most.
    pub fn mark(&self, gravest: Option<Gravity>) -> String {
        let (mark, tone) = match gravest {
            Some(Gravity::Failure) => ("\u{2717}", Tone::Bad),
            Some(Gravity::Warning) => ("!", Tone::Near),
            _ => ("\u{2713}", Tone::Good),
        };
        self.paint(mark, tone)
    }
}

/// Returns the tone of what is so grave.
pub fn tone(gravity: Gravity) -> Tone {
    match gravity {
        Gravity::Failure => Tone::Bad,
        Gravity::Warning => Tone::Near,
        _ => Tone::Onward,
    }
}

/// What terminals are wide at least, and what is read with ease.
const COLUMNS: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_wrapped_at_words_and_a_long_word_is_left_whole() {
        let (long, drawing) = ("x".repeat(90), Drawing { has_color: false });
        let text = format!("{} {long} end", ["word"; 20].join(" "));
        let told = drawing.lines("    ", &text, Tone::Plain);
        let lengths: Vec<usize> = told.lines().map(str::len).collect();
        assert_eq!(lengths, [4 + 74, 4 + 24, 4 + 90, 4 + 3], "{told}");
    }

    #[test]
    fn what_others_say_steers_no_terminal_in_colour_or_without() {
        for has_color in [false, true] {
            let shown = Drawing { has_color }.paint("a\x1b[2Jb", Tone::Plain);
            assert_eq!(shown, "a\\x1b[2Jb");
        }
        assert_eq!(Drawing { has_color: true }.mark(Some(Gravity::Failure)), "\x1b[31m\u{2717}\x1b[0m");
    }
}
