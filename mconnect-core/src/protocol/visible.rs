//! Bytes as a screen may show them: printable text stays, what could steer a terminal becomes an escape.

use std::fmt::{self, Write as _};
use std::str;

/// Bytes shown on one line: printable UTF-8 as it is; control characters, line ends included, what [`Escaper`] escapes
/// beside them and bytes that are not UTF-8 as `\r`, `\n`, `\x1b` or `\u{202e}`.
#[derive(Debug, Clone, Copy)]
pub struct Visible<'a>(pub &'a [u8]);

impl fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut marks = Marks::default();
        for chunk in self.0.utf8_chunks() {
            if chunk.valid().bytes().all(|byte| matches!(byte, b' '..=b'~')) {
                f.write_str(chunk.valid())?;
            } else {
                show(chunk.valid(), &mut marks, f)?;
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

fn show(text: &str, marks: &mut Marks, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for c in text.chars() {
        match c {
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            c if marks.is_hazardous(c) => escape_char(c, f)?,
            c => f.write_char(c)?,
        }
    }
    Ok(())
}

/// Makes a stream of bytes safe for a terminal, a chunk at a time: the same bytes give the same text wherever they
/// are cut.
///
/// LF and CR LF are line ends and stay LF; tabs stay; any other C0 control, DEL, C1 (as U+0080 to U+009F or as lone
/// bytes), what Unicode uses to reorder text, to annotate it or to hide in it (the default-ignorable characters), the
/// ninth and further ones of a row of combining marks, and bytes that are not UTF-8 become escapes.
#[derive(Debug, Default)]
pub struct Escaper {
    held: Vec<u8>,
    marks: Marks,
}

impl Escaper {
    /// Appends to `out` how `bytes` are shown. A CR or the beginning of a character at the end of `bytes` is held
    /// until what follows is known.
    pub fn push(&mut self, bytes: &[u8], out: &mut String) {
        if self.held.is_empty() {
            let kept = escape(bytes, &mut self.marks, out);
            self.held.extend_from_slice(&bytes[kept..]);
        } else {
            self.held.extend_from_slice(bytes);
            let held = std::mem::take(&mut self.held);
            let kept = escape(&held, &mut self.marks, out);
            self.held.extend_from_slice(&held[kept..]);
        }
    }

    /// Appends to `out` what is still held: nothing follows it.
    pub fn finish(&mut self, out: &mut String) {
        for byte in self.held.drain(..) {
            match byte {
                b'\r' => out.push_str("\\r"),
                _ => escape_byte(byte, out),
            }
        }
    }
}

/// Escapes all of `bytes` but an end that may go on, and gives the index where that end begins.
fn escape(bytes: &[u8], marks: &mut Marks, out: &mut String) -> usize {
    out.reserve(bytes.len());
    let mut at = 0;
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(stop) = rest.find(|c| marks.is_hazardous(c) && c != '\n') {
            out.push_str(&rest[..stop]);
            let tail = &rest[stop..];
            let Some(c) = tail.chars().next() else { break };
            let is_end = at + chunk.valid().len() == bytes.len() && tail.len() == 1;
            match (c, tail.as_bytes().get(1)) {
                ('\r', None) if is_end => return bytes.len() - 1,
                ('\r', Some(b'\n')) => {}
                ('\r', _) => out.push_str("\\r"),
                _ => escape_char(c, out).expect("writing to a string does not fail"),
            }
            rest = &tail[c.len_utf8()..];
        }
        out.push_str(rest);
        at += chunk.valid().len();
        let ends_here = at + chunk.invalid().len() == bytes.len();
        if ends_here && is_beginning(chunk.invalid()) {
            return at;
        }
        for byte in chunk.invalid() {
            escape_byte(*byte, out);
        }
        at += chunk.invalid().len();
    }
    bytes.len()
}

/// Says whether `bytes` are not UTF-8 only because they end too early.
fn is_beginning(bytes: &[u8]) -> bool {
    !bytes.is_empty() && str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

/// How many combining marks came in a row, with nothing but escapes between them.
#[derive(Debug, Default)]
struct Marks(usize);

impl Marks {
    /// Says whether showing this character, the next one, could move a cursor, hide text, reorder it, or write over the
    /// lines around it. LF is among them; tab is not.
    fn is_hazardous(&mut self, c: char) -> bool {
        if c.is_ascii() {
            self.0 = 0;
            return c.is_ascii_control() && c != '\t';
        }
        self.0 = if is_mark(c) { self.0 + 1 } else { 0 };
        self.0 > MOST_MARKS || is_invisible(c)
    }
}

/// Says whether a character is drawn onto the one before it. The standard library's own escapes know which ones are
/// ([UAX #29](https://www.unicode.org/reports/tr29/), Grapheme_Extend), and those that nobody has a shape for.
fn is_mark(c: char) -> bool {
    c >= FIRST_MARK && !c.is_whitespace() && !is_private(c) && c.escape_debug().len() > 1
}

fn is_private(c: char) -> bool {
    matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..)
}

/// C1, the separators of lines and paragraphs, annotations, and the default-ignorable characters
/// ([UAX #44](https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point)), bidirectional controls among them.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

fn escape_char(c: char, out: &mut impl fmt::Write) -> fmt::Result {
    match u32::from(c) {
        code @ ..0x80 => write!(out, "\\x{code:02x}"),
        code => write!(out, "\\u{{{code:x}}}"),
    }
}

fn escape_byte(byte: u8, out: &mut String) {
    write!(out, "\\x{byte:02x}").expect("writing to a string does not fail");
}

const FIRST_MARK: char = '\u{300}';
/// More of them on one letter reach into the lines around it, and no language has so many.
const MOST_MARKS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLES: &[(&[u8], &str)] = &[
        (b"220 hi\r\n250 ok\n", "220 hi\n250 ok\n"),
        (b"a\rb\r\r\nc\r", "a\\rb\\r\nc\\r"),
        (b"tab\there \x1b[31mred\x07\x7f\0", "tab\there \\x1b[31mred\\x07\\x7f\\x00"),
        ("Grüße, 世界 🦀 e\u{301}".as_bytes(), "Grüße, 世界 🦀 e\u{301}"),
        (b"lone \x9b31m and \xc2\x9b31m", "lone \\x9b31m and \\u{9b}31m"),
        ("\u{202e}evil\u{2066}\u{200f}".as_bytes(), "\\u{202e}evil\\u{2066}\\u{200f}"),
        (b"latin \xe9t\xe9, cut \xf0\x9f\xa6", "latin \\xe9t\\xe9, cut \\xf0\\x9f\\xa6"),
        (b"\xe2\x82\r\n\xe2\x82\xac\r", "\\xe2\\x82\n\u{20ac}\\r"),
        (
            "a\u{ad}b\u{200b}\u{2060}\u{3164}\u{feff}\u{fff9}".as_bytes(),
            "a\\u{ad}b\\u{200b}\\u{2060}\\u{3164}\\u{feff}\\u{fff9}",
        ),
        ("\u{e0041}\u{fe0f}\u{e000}\u{fffd}".as_bytes(), "\\u{e0041}\\u{fe0f}\u{e000}\u{fffd}"),
    ];

    #[test]
    fn what_could_steer_a_terminal_is_escaped_wherever_the_stream_is_cut() {
        for (bytes, shown) in SAMPLES {
            for first in 0..=bytes.len() {
                for second in first..=bytes.len() {
                    let (mut escaper, mut out) = (Escaper::default(), String::new());
                    for part in [&bytes[..first], &bytes[first..second], &bytes[second..]] {
                        escaper.push(part, &mut out);
                    }
                    escaper.finish(&mut out);
                    assert_eq!(&out, shown, "cut at {first} and {second}");
                }
            }
        }
    }

    #[test]
    fn a_pile_of_combining_marks_ends_after_eight() {
        // A mark that is invisible is one of them, and an escape is none to start again on.
        let pile = format!("e{}\u{34f}{}x\u{301}", "\u{301}".repeat(7), "\u{20dd}".repeat(2));
        let shown = format!("e{}\\u{{34f}}{}x\u{301}", "\u{301}".repeat(7), "\\u{20dd}".repeat(2));
        assert_eq!(Visible(pile.as_bytes()).to_string(), shown);
        for at in 0..pile.len() {
            let (mut escaper, mut out) = (Escaper::default(), String::new());
            escaper.push(&pile.as_bytes()[..at], &mut out);
            escaper.push(&pile.as_bytes()[at..], &mut out);
            assert_eq!(out, shown, "cut at {at}");
        }
        for mark in ["\u{345}", "\u{e34}", "\u{fe20}", "\u{1d167}"] {
            assert_eq!(Visible(mark.repeat(99).as_bytes()).to_string().matches(mark).count(), MOST_MARKS, "{mark:?}");
        }
        let words = "กำลังดำเนินการ নমস্কার हिन्दी שָׁלוֹם العَرَبِيَّة \u{3000}\u{3000}\u{3000}\u{3000}\u{3000}\u{3000}\u{3000}\u{3000}\u{3000}\u{3000}";
        assert_eq!(Visible(words.as_bytes()).to_string(), words);
    }

    #[test]
    fn one_line_for_a_message_escapes_line_ends_too() {
        assert_eq!(Visible(b"a\r\nb\x1b\xff\t\xc3\xa9").to_string(), "a\\r\\nb\\x1b\\xff\t\u{e9}");
    }
}
