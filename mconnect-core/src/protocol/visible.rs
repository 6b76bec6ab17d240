//! Bytes as a screen may show them: printable text stays, what could steer a terminal becomes an escape.
//!
//! Whatever a server says may be meant for the terminal of whoever reads it: to move the cursor, to change the title,
//! to write over what was there. It reaches one through here or not at all.

use std::fmt::{self, Write as _};
use std::str;

/// Bytes shown on one line: printable UTF-8 as it is; control characters, line ends included, what is seen by nobody or
/// reorders the text, and bytes that are not UTF-8 as `\r`, `\n`, `\x1b` or `\u{202e}`. [`Escaper`] says more.
///
/// ```
/// use mconnect_core::protocol::Visible;
///
/// let said = b"550 caf\xc3\xa9\x1b[2J \xff\r\n";
/// assert_eq!(Visible(said).to_string(), r"550 café\x1b[2J \xff\r\n");
/// ```
///
/// For a person to read: a backslash that was there is not doubled, and so it cannot be read back. Width and precision
/// of a format are not heeded.
#[doc(alias = "escape")]
#[doc(alias = "sanitize")]
#[derive(Debug, Clone, Copy)]
pub struct Visible<'a>(pub &'a [u8]);

impl fmt::Display for Visible<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut marks = Marks::default();
        for chunk in self.0.utf8_chunks() {
            if chunk.valid().bytes().all(|byte| matches!(byte, b' '..=b'~')) {
                f.write_str(chunk.valid())?;
                marks = Marks::default();
            } else {
                for c in chunk.valid().chars() {
                    if marks.pile_up(c) || is_hazardous(c) { escape_char(c, f)? } else { f.write_char(c)? }
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// Makes a stream of bytes safe for a terminal, a chunk at a time: the same bytes give the same text wherever they
/// are cut.
///
/// LF and CR LF are line ends and stay LF; tabs stay; any other C0 control, DEL, C1 (as U+0080 to U+009F or as lone
/// bytes), the bidirectional controls of Unicode, what nobody sees (its default-ignorable characters: of zero width, tags,
/// fillers, soft hyphens, variation selectors), the ninth and further of combining marks in a row, and bytes that are not
/// UTF-8 become escapes.
///
/// ```
/// use mconnect_core::protocol::Escaper;
///
/// let (mut escaper, mut out) = (Escaper::default(), String::new());
/// for chunk in [&b"250 caf\xc3"[..], b"\xa9\r", b"\n\x1b]0;title\x07"] {
///     escaper.push(chunk, &mut out);
/// }
/// escaper.finish(&mut out);
/// assert_eq!(out, "250 café\n\\x1b]0;title\\x07");
/// ```
#[doc(alias = "escape")]
#[doc(alias = "sanitize")]
#[doc(alias = "terminal")]
#[derive(Debug, Default)]
pub struct Escaper {
    held: Vec<u8>,
    marks: Marks,
}

impl Escaper {
    /// Appends to `out` how `bytes` are shown. A CR or the beginning of a character at the end of `bytes` is held until
    /// what follows is known: at most three octets.
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

/// Escapes all of `bytes` but an end that may go on, and returns the index where that end begins.
fn escape(bytes: &[u8], marks: &mut Marks, out: &mut String) -> usize {
    out.reserve(bytes.len());
    let mut at = 0;
    for chunk in bytes.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(stop) = rest.find(|c| marks.pile_up(c) || c != '\n' && is_hazardous(c)) {
            out.push_str(&rest[..stop]);
            let tail = &rest[stop..];
            let Some(c) = tail.chars().next() else { break };
            let is_end = at + chunk.valid().len() == bytes.len();
            match (c, tail.as_bytes().get(1)) {
                ('\r', None) if is_end => return bytes.len() - 1,
                ('\r', Some(b'\n')) => {}
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
    str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

/// Combining marks in a row: they are drawn on top of each other, over what is above and below.
#[derive(Debug, Default)]
struct Marks(usize);

impl Marks {
    /// Follows a character, and says whether it is one more mark than a letter of any language has.
    fn pile_up(&mut self, c: char) -> bool {
        self.0 = if is_mark(c) { self.0.saturating_add(1) } else { 0 };
        self.0 > MOST_MARKS
    }
}

/// Says whether the character extends the one before. The standard library knows, and tells by escaping those that begin
/// a text, but not within one.
fn is_mark(c: char) -> bool {
    if c < '\u{300}' {
        return false;
    }
    let mut text = [b'x'; 5];
    let size = c.encode_utf8(&mut text[1..]).len();
    let after_another = str::from_utf8(&text[..=size]).unwrap_or_default();
    c.escape_debug().len() > 1 && after_another.escape_debug().count() == 2
}

/// Says whether showing this character could move a cursor, hide text or reorder it, or nobody would see it
/// (`Default_Ignorable_Code_Point` of Unicode's DerivedCoreProperties.txt, and the annotations U+FFF9 to U+FFFB). LF is
/// among them; tab is not.
fn is_hazardous(c: char) -> bool {
    matches!(c,
        '\0'..='\x08' | '\x0a'..='\x1f' | '\x7f'..='\u{9f}' | '\u{ad}' | '\u{34f}' | '\u{61c}'
        | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Writes `\r`, `\n`, `\x1b`, or `\u{202e}` of what is not ASCII.
fn escape_char(c: char, out: &mut impl fmt::Write) -> fmt::Result {
    match (c, u32::from(c)) {
        ('\r', _) => out.write_str("\\r"),
        ('\n', _) => out.write_str("\\n"),
        (_, code @ ..0x80) => write!(out, "\\x{code:02x}"),
        (_, code) => write!(out, "\\u{{{code:x}}}"),
    }
}

fn escape_byte(byte: u8, out: &mut String) {
    write!(out, "\\x{byte:02x}").expect("writing to a string does not fail");
}

/// So many combining marks in a row are shown as they are.
const MOST_MARKS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLES: &[(&[u8], &str)] = &[
        (b"220 hi\r\n250 ok\n", "220 hi\n250 ok\n"),
        (b"a\rb\r\r\nc\r", "a\\rb\\r\nc\\r"),
        (b"a\r\xffb\r\xc3", "a\\r\\xffb\\r\\xc3"),
        (b"tab\there \x1b[31mred\x07\x7f\0", "tab\there \\x1b[31mred\\x07\\x7f\\x00"),
        ("Grüße, 世界 🦀 e\u{301}".as_bytes(), "Grüße, 世界 🦀 e\u{301}"),
        (b"lone \x9b31m and \xc2\x9b31m", "lone \\x9b31m and \\u{9b}31m"),
        ("\u{202e}evil\u{2066}\u{200f}".as_bytes(), "\\u{202e}evil\\u{2066}\\u{200f}"),
        (b"latin \xe9t\xe9, cut \xf0\x9f\xa6", "latin \\xe9t\\xe9, cut \\xf0\\x9f\\xa6"),
        (b"\xe2\x82\r\n\xe2\x82\xac\r", "\\xe2\\x82\n\u{20ac}\\r"),
        ("a\u{ad}\u{200b}b\u{e0041}".as_bytes(), "a\\u{ad}\\u{200b}b\\u{e0041}"),
        (
            "a\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}b\u{301}".as_bytes(),
            "a\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\\u{301}\\u{301}b\u{301}",
        ),
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
    fn nothing_is_held_that_is_known_already() {
        for (bytes, shown) in
            [(&b"a\xff"[..], "a\\xff"), (b"\xc3", ""), (b"\r", ""), (b"\xe2\x28", "\\xe2("), (b"a\x1b", "a\\x1b")]
        {
            let mut out = String::new();
            Escaper::default().push(bytes, &mut out);
            assert_eq!(out, shown);
        }
    }

    #[test]
    fn what_nobody_sees_is_made_visible() {
        let unseen = "\u{ad}\u{34f}\u{61c}\u{115f}\u{1160}\u{17b4}\u{180b}\u{180e}\u{200b}\u{200c}\u{200d}\u{200e}\u{2028}\
            \u{202e}\u{2060}\u{2061}\u{2066}\u{206a}\u{206f}\u{3164}\u{fe0f}\u{feff}\u{ffa0}\u{fff9}\u{fffb}\u{1bca0}\u{1d173}\
            \u{e0001}\u{e0041}\u{e0100}";
        for c in unseen.chars() {
            assert_eq!(Visible(format!("<{c}>").as_bytes()).to_string(), format!("<\\u{{{:x}}}>", u32::from(c)));
        }
        let seen = "Grüße, Việt Nam, नमस्ते, สวัสดี, שָׁלוֹם, 日本語\u{3000}が, \u{a0}\u{e000}\u{fffd}🦀";
        assert_eq!(Visible(seen.as_bytes()).to_string(), seen);
    }

    #[test]
    fn combining_marks_are_shown_until_they_pile_up() {
        // Of Latin, enclosing, Thai, musical, Adlam, and for halfwidth letters.
        for mark in ['\u{300}', '\u{301}', '\u{20dd}', '\u{e49}', '\u{1d167}', '\u{1e94a}', '\u{fe20}', '\u{ff9e}'] {
            let shown = |count: usize| Visible(format!("a{}", String::from(mark).repeat(count)).as_bytes()).to_string();
            assert!(!shown(8).contains('\\'), "{mark:?}");
            assert_eq!(shown(3000).matches('\\').count(), 2992, "{mark:?}");
        }
        for other in ['a', '\u{a0}', '\u{3000}', '語', '\u{e000}', '🦀'] {
            assert!(!Visible(String::from(other).repeat(20).as_bytes()).to_string().contains('\\'), "{other:?}");
        }
        assert_eq!(Visible("e\u{301}".repeat(20).as_bytes()).to_string(), "e\u{301}".repeat(20));
    }

    #[test]
    fn one_line_for_a_message_escapes_line_ends_too() {
        assert_eq!(Visible(b"a\r\nb\x1b\xff\t\xc3\xa9").to_string(), "a\\r\\nb\\x1b\\xff\t\u{e9}");
    }
}
