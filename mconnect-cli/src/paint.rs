//! What a colour says, and lines that are made safe to show, in colour where that is wanted.

use mconnect_core::protocol::{Escaper, ReplyLine, Severity};

use crate::timestamps;

/// What is to be seen of a text at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Plain,
    /// It stands aside.
    Dim,
    Bold,
    Good,
    /// It goes on.
    Onward,
    /// It is good, but not for long; or bad, but not for good.
    Near,
    Bad,
}

impl Tone {
    /// Returns a text that steers no terminal in this tone.
    pub fn paint(self, text: &str) -> String {
        let color = match self {
            Self::Dim => "2",
            Self::Bold => "1",
            Self::Good => "32",
            Self::Onward => "36",
            Self::Near => "33",
            Self::Bad => "31",
            Self::Plain => return text.to_owned(),
        };
        if text.is_empty() { String::new() } else { format!("\x1b[{color}m{text}\x1b[0m") }
    }
}

/// Words in their tone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    pub words: &'static str,
    pub tone: Tone,
}

/// Makes a received line safe to show, in the colour of its reply's severity.
pub fn line(raw: &[u8], has_color: bool, out: &mut String) {
    out.push_str(&timestamps::of_now().unwrap_or_default());
    words(raw, has_color, out);
}

/// Makes a line safe to show that one side has said, `C` or `S`; a reply in its colour.
pub fn side(side: char, raw: &[u8], has_color: bool) -> String {
    let mut out = timestamps::of_now().unwrap_or_default();
    out.extend([side, ':', ' ']);
    words(raw, has_color, &mut out);
    out
}

fn words(raw: &[u8], has_color: bool, out: &mut String) {
    let tone = ReplyLine::new(raw).code().map_or(Tone::Plain, |code| match code.severity() {
        Severity::Completion => Tone::Good,
        Severity::Intermediate => Tone::Onward,
        Severity::Transient => Tone::Near,
        Severity::Permanent => Tone::Bad,
        Severity::Other => Tone::Plain,
    });
    let text = plain(raw);
    let text = text.strip_suffix('\n').unwrap_or(&text);
    out.push_str(&if has_color { tone.paint(text) } else { text.to_owned() });
    out.push('\n');
}

/// Makes lines safe to show.
pub fn plain(raw: &[u8]) -> String {
    let (mut escaper, mut text) = (Escaper::default(), String::new());
    escaper.push(raw, &mut text);
    escaper.finish(&mut text);
    text
}

/// How a line is shown at a prompt.
#[derive(Clone, Copy)]
pub struct Look {
    pub has_color: bool,
    pub columns: u16,
}

/// Appends a line of our own to those of the server, wrapped at words, each row indented as the first.
pub fn note(text: &str, look: Look, out: &mut String) {
    let stamp = timestamps::of_now().unwrap_or_default();
    let indent = " ".repeat(text.len() - text.trim_start_matches(' ').len());
    let width = usize::from(look.columns).saturating_sub(1);
    let text = wrapped(text, &mut stamp.chars().count(), width, &indent);
    out.push_str(&stamp);
    out.push_str(&if look.has_color { Tone::Dim.paint(&text) } else { text });
    out.push('\n');
}

/// Wraps a text at words to rows of so many columns, the first from this column on, the others indented; a word that is
/// longer stays whole.
pub fn wrapped(text: &str, column: &mut usize, width: usize, indent: &str) -> String {
    let mut shown = String::new();
    for (index, word) in text.split(' ').enumerate() {
        let size = word.chars().count();
        match index {
            0 => *column += size,
            _ if *column + 1 + size > width && *column > indent.len() => {
                shown = shown + "\n" + indent;
                *column = indent.len() + size;
            }
            _ => {
                shown.push(' ');
                *column += 1 + size;
            }
        }
        shown.push_str(word);
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn a_text_is_wrapped_at_words_and_indented() {
        for (text, from, width, expected) in [
            ("  one two", 0, 9, "  one two"),
            ("  one two", 0, 8, "  one\n  two"),
            ("  one two", 3, 9, "  one\n  two"),
            ("  a-long-word b", 0, 5, "  a-long-word\n  b"),
            ("  a b c", 0, 0, "  a\n  b\n  c"),
        ] {
            assert_eq!(wrapped(text, &mut { from }, width, "  "), expected, "{text:?} from {from} in {width}");
        }
    }
}
