//! Colour, and writing what is made of it.

use mconnect_core::protocol::{Escaper, ReplyLine, Severity};

use crate::timestamps;
use crate::tone::Tone;

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
    let color = ReplyLine::new(raw).code().map_or("", |code| match code.severity() {
        Severity::Completion => "\x1b[32m",
        Severity::Intermediate => "\x1b[36m",
        Severity::Transient => "\x1b[33m",
        Severity::Permanent => "\x1b[31m",
        Severity::Other => "",
    });
    let color = if has_color { color } else { "" };
    let (mut escaper, mut text) = (Escaper::default(), String::new());
    escaper.push(raw, &mut text);
    escaper.finish(&mut text);
    out.push_str(color);
    out.push_str(text.strip_suffix('\n').unwrap_or(&text));
    if !color.is_empty() {
        out.push_str("\x1b[0m");
    }
    out.push('\n');
}

/// Makes a line of our own input safe to show.
pub fn plain(text: &str, out: &mut String) {
    let mut escaper = Escaper::default();
    escaper.push(text.as_bytes(), out);
    escaper.finish(out);
}

/// Appends a line of our own to those of the server.
pub fn note(text: &str, has_color: bool, out: &mut String) {
    out.push_str(&timestamps::of_now().unwrap_or_default());
    out.push_str(&if has_color { Tone::Dim.paint(text) } else { text.to_owned() });
    out.push('\n');
}
