//! Where on the terminal a text ends, as the line editor counts, and the text shown so that the terminal counts alike.

use std::{env, iter};

use rustyline::GraphemeClusterMode;
use unicode_segmentation::UnicodeSegmentation;

/// How wide a cluster is: as wide as its characters. Not all terminals join them; the text is shown so that none does.
pub const WIDTHS: GraphemeClusterMode = GraphemeClusterMode::WcWidth;

/// A place on the screen, counted from where the prompt begins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cell {
    pub row: usize,
    pub column: usize,
}

/// Follows a text over the screen.
struct Walk {
    at: Cell,
    columns: usize,
    escape: Sequence,
}

/// The editor gives escape sequences no width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sequence {
    None,
    Begun,
    Csi,
}

/// What a cluster is on the screen.
enum Shown {
    /// Itself, after so many columns that fill the row.
    Text {
        filled: usize,
    },
    /// So many columns, in all.
    Blank(usize),
    /// Nothing that a terminal should see.
    Hidden,
    LineEnd,
}

impl Walk {
    fn new(columns: u16) -> Self {
        Self { at: Cell::default(), columns: usize::from(columns.max(1)), escape: Sequence::None }
    }

    fn step(&mut self, cluster: &str) -> Shown {
        if cluster == "\n" {
            self.at = Cell { row: self.at.row + 1, column: 0 };
            return Shown::LineEnd;
        }
        if cluster == "\t" {
            let width = TAB - self.at.column % TAB;
            return Shown::Blank(self.advance(width) + width);
        }
        let is_hidden = self.escape != Sequence::None || cluster == "\x1b";
        self.escape = match (self.escape, cluster) {
            (Sequence::None, "\x1b") => Sequence::Begun,
            (Sequence::Begun, "[") => Sequence::Csi,
            (Sequence::Csi, ";") => Sequence::Csi,
            (Sequence::Csi, other) if other.starts_with(|c: char| c.is_ascii_digit()) => Sequence::Csi,
            _ => Sequence::None,
        };
        if is_hidden {
            return Shown::Hidden;
        }
        let width = usize::from(WIDTHS.width(cluster));
        Shown::Text { filled: self.advance(width) }
    }

    /// Goes on by so many columns, on the next row if they do not fit; returns how many were left in the row then.
    fn advance(&mut self, width: usize) -> usize {
        let room = self.columns.saturating_sub(self.at.column);
        self.at.column += width;
        if width <= room {
            return 0;
        }
        self.at = Cell { row: self.at.row + 1, column: width };
        room
    }
}

/// Returns where a text ends on a terminal of so many columns.
pub fn end_of(text: &str, columns: u16) -> Cell {
    let mut walk = Walk::new(columns);
    for cluster in text.graphemes(true) {
        walk.step(cluster);
    }
    let Cell { row, column } = walk.at;
    if column == walk.columns { Cell { row: row + 1, column: 0 } } else { walk.at }
}

/// Returns a line as it is shown after this prompt: tabs as the spaces that they stand for, what joins characters or
/// chooses between their shapes left out, since terminals do not agree on how wide that is, and no control characters.
pub fn shown(prompt: &str, line: &str, columns: u16) -> String {
    let mut walk = Walk::new(columns);
    for cluster in prompt.graphemes(true) {
        walk.step(cluster);
    }
    let mut text = String::with_capacity(line.len());
    for cluster in line.graphemes(true) {
        match walk.step(cluster) {
            Shown::Blank(width) => text.extend(iter::repeat_n(' ', width)),
            Shown::LineEnd => text.push('\n'),
            Shown::Hidden => {}
            Shown::Text { filled } => {
                text.extend(iter::repeat_n(' ', filled));
                cluster.chars().for_each(|c| push_apart(c, &mut text));
            }
        }
    }
    text
}

/// Returns how wide the last character of a line is, if it joins nothing before it and is shown as it is.
pub fn width_apart(line: &str, last: &str) -> Option<usize> {
    let mut shown = String::new();
    last.chars().for_each(|c| push_apart(c, &mut shown));
    let is_apart = line.graphemes(true).next_back() == Some(last) && shown == last;
    Some(usize::from(WIDTHS.width(last))).filter(|width| is_apart && *width > 0)
}

fn push_apart(c: char, text: &mut String) {
    match c {
        '\u{200d}' | '\u{fe0e}' | '\u{fe0f}' => {}
        c if c.is_control() => {}
        // A colour of skin stays beside what it would colour.
        '\u{1f3fb}'..='\u{1f3ff}' => text.extend(['\u{200b}', c]),
        c => text.push(c),
    }
}

/// Says whether the terminal breaks its rows anew when it changes its width, as far as it tells what it is.
pub fn is_reflowed() -> bool {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    let term = env::var("TERM").unwrap_or_default();
    let in_tmux = is_set("TMUX") && (term.starts_with("screen") || term.starts_with("tmux"));
    let by_name = ["xterm-kitty", "xterm-ghostty", "alacritty", "foot", "wezterm", "konsole"];
    let marks = ["VTE_VERSION", "KONSOLE_VERSION", "WT_SESSION", "KITTY_WINDOW_ID", "WEZTERM_PANE", "ITERM_SESSION_ID"];
    in_tmux || by_name.iter().any(|name| term.starts_with(name)) || (term != "xterm" && marks.into_iter().any(is_set))
}

/// Tabs stop after so many columns.
const TAB: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_and_combining_characters_and_the_last_column_count_as_the_editor_counts_them() {
        let rows = |text: &str| end_of(text, 10).row;
        assert_eq!(rows("123456789"), 0);
        assert_eq!(rows("1234567890"), 1);
        assert_eq!(rows("12345678901"), 1);
        assert_eq!(rows("123456789世"), 1);
        assert_eq!(rows("12345678世"), 1);
        assert_eq!(rows("12345678e\u{301}"), 0);
        assert_eq!(rows("1\t9\n"), 1);
    }

    #[test]
    fn only_what_joins_nothing_and_is_shown_as_it_is_stands_apart() {
        for (line, last, width) in [
            ("ab", "b", Some(1)),
            ("a世", "世", Some(2)),
            ("e\u{301}", "\u{301}", None),
            ("👋🏿", "🏿", None),
            ("👨\u{200d}👩", "👩", None),
            ("a\t", "\t", None),
        ] {
            assert_eq!(width_apart(line, last), width, "{line:?}");
        }
    }

    #[test]
    fn what_is_shown_ends_where_the_editor_believes_and_holds_nothing_that_terminals_disagree_on() {
        for line in [
            "a\tb",
            "\t\t\t",
            "1234567\t8",
            "x👨\u{200d}👩\u{200d}👧y",
            "👋🏿!",
            "❤\u{fe0f}.",
            "a\x1b[31mb\x07",
            "é世\t世",
        ] {
            for columns in [7, 10, 16, 20, 80] {
                let shown = shown("smtp> ", line, columns);
                let ends = |line: &str| end_of(&format!("smtp> {line}"), columns);
                assert_eq!(ends(&shown), ends(line), "{line:?} as {shown:?} in {columns}");
                assert!(!shown.contains(['\t', '\x1b', '\u{200d}', '\u{fe0f}', '\x07']), "{shown:?}");
            }
        }
    }
}
