//! What would steer a terminal, and what came out of one, read as strictly as the most obliging terminal does.

use std::fmt::Write as _;

/// What a server, a client or a file may say; it is UTF-8 and has neither NUL nor LF. Its sequences have parameters that
/// nothing here uses. Where one is not made visible, so that FAKE begins a row or stands in a colour, it is found.
pub const TEXT: &str = concat!(
    "\x1b]52;c;cm0=\x07|\x1b]0;FAKE\x1b\\|\x1b[2J\x1b[7;5H\x1b[95mFAKE|\x1b[?1049h\x1bc\x1b(0|\x1bP$qm\x1b\\|\x1b_x\x1b\\\x1b^x\x1b\\",
    "|\x07\x08\x08\x08\x0e\x0b\x0c\x7f|\rFAKE|\u{9b}95m\u{9d}0;FAKE\u{9c}\u{90}q\u{9c}\u{85}",
    "|\u{202e}\u{2066}\u{200f}\u{61c}|\u{200b}\u{200d}\u{2060}\u{feff}\u{ad}\u{34f}\u{3164}\u{e0041}\u{fe0f}\u{2028}",
    "|e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}|"
);
/// What shows of it that it was told at all.
pub const TOLD: &str = "\\x1b]52;c;";

/// The same, and what is not UTF-8.
pub fn bytes() -> Vec<u8> {
    [TEXT.as_bytes(), b"\x9b95mFAKE\x9d0;FAKE\x9c\x90q\x9c\x85|\0\xff\xfe\xc0\x9b\xed\xa0\x80|"].concat()
}

/// Returns what came out of a terminal and should not have: whatever is no text, no line end, no tab, and none of the few
/// sequences that the tool and its line editor write.
pub fn leaks(came: &[u8]) -> Vec<String> {
    let (mut leaks, mut marks) = (Vec::new(), 0);
    for chunk in came.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(c) = rest.chars().next() {
            let length = if c == '\x1b' { allowed(rest) } else { Some(c.len_utf8()) };
            let is_control = c.is_control() && !matches!(c, '\r' | '\n' | '\t' | '\x1b');
            marks = if ('\u{300}'..='\u{36f}').contains(&c) { marks + 1 } else { 0 };
            let is_faked = matches!(c, '\r' | '\n') && rest[1..].starts_with("FAKE");
            if length.is_none() || is_control || is_faked || is_unseen(c) || marks > 8 {
                let mut told = String::new();
                let _ = write!(told, "{:?}", rest.chars().take(24).collect::<String>());
                leaks.push(told);
            }
            rest = &rest[length.unwrap_or(1)..];
        }
        if !chunk.invalid().is_empty() {
            leaks.push(chunk.invalid().escape_ascii().to_string());
        }
    }
    leaks.truncate(MOST_TOLD);
    leaks
}

const MOST_TOLD: usize = 8;

/// Returns the length of the sequence that `text` begins with, if it is one of ours.
fn allowed(text: &str) -> Option<usize> {
    let parameters = text.strip_prefix("\x1b[")?;
    let end = parameters.find(|c: char| !matches!(c, '0'..='9' | ';' | '?'))?;
    let (parameters, last) = (&parameters[..end], parameters.as_bytes()[end]);
    let is_ours = match last {
        b'm' => COLORS.contains(&parameters),
        b'h' | b'l' => MODES.contains(&parameters),
        b'J' | b'K' => parameters.is_empty(),
        b'A'..=b'D' => parameters.is_empty() || parameters.parse::<u16>().is_ok_and(|count| count < 500),
        _ => false,
    };
    is_ours.then_some(2 + end + 1)
}

/// Off, bold, dim, and the colours of replies.
const COLORS: [&str; 7] = ["0", "1", "2", "31", "32", "33", "36"];
/// Marks around a paste, and drawing at once.
const MODES: [&str; 2] = ["?2004", "?2026"];

/// Written down here once more: what a test takes from what it tests proves nothing.
fn is_unseen(c: char) -> bool {
    matches!(u32::from(c),
        0xad | 0x34f | 0x61c | 0x115f | 0x1160 | 0x17b4 | 0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f | 0x2028..=0x202e
        | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfffb | 0x1d173..=0x1d17a
        | 0xe0000..=0xe0fff)
}
