//! Line ends and dots on their way out, and dots on their way in.
//!
//! ```text
//!   a message ── BodyEncoder ──► CR LF, dots doubled, lone dot ──► the wire ──► BodyDecoder ──► a message
//!   typed lines ── CrlfEncoder ► CR LF, nothing else
//! ```
//!
//! All of them take their input cut anywhere, and give the same wherever it is cut; what they hold back is a few
//! octets. They append to a buffer of the caller's, which may be used again and again.

use memchr::{memchr, memmem};

/// Makes every LF a CR LF ([RFC 5321, section 2.3.8](https://www.rfc-editor.org/rfc/rfc5321#section-2.3.8)). An
/// existing CR LF is not doubled, also when it is cut in two; a bare CR is kept.
///
/// ```
/// use mconnect_core::protocol::CrlfEncoder;
///
/// let (mut encoder, mut out) = (CrlfEncoder::default(), Vec::new());
/// for part in [&b"one\ntwo\r"[..], b"\nthree"] {
///     encoder.encode(part, &mut out);
/// }
/// assert_eq!(out, b"one\r\ntwo\r\nthree");
/// ```
///
/// A last line without an end gets none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CrlfEncoder {
    after_cr: bool,
}

impl CrlfEncoder {
    /// Appends to `out` how `input` is sent. Nothing is held back: only that it ended with a CR is remembered.
    pub fn encode(&mut self, input: &[u8], out: &mut Vec<u8>) {
        make_room(input, out);
        let mut start = 0;
        for lf in LineEnds::of(input) {
            self.encode_line(&input[start..], lf - start, out);
            start = lf + 1;
        }
        self.encode_part(&input[start..], out);
    }

    /// Appends one line, which `rest` begins with, without its LF.
    #[inline(always)]
    pub(super) fn encode_line(&mut self, rest: &[u8], size: usize, out: &mut Vec<u8>) {
        let line = &rest[..size];
        match rest.first_chunk::<USUAL_LINE>() {
            // A copy of a fixed size takes no call; what was too much is cut off again.
            Some(more) if size <= USUAL_LINE => {
                let end = out.len() + size;
                out.extend_from_slice(more);
                out.truncate(end);
            }
            _ => out.extend_from_slice(line),
        }
        let has_cr = line.last().map_or(self.after_cr, |byte| *byte == b'\r');
        // Of a size that is known each time, so that neither takes a call.
        if has_cr {
            out.push(b'\n');
        } else {
            out.extend_from_slice(b"\r\n");
        }
        self.after_cr = false;
    }

    /// Appends a part of a line.
    pub(super) fn encode_part(&mut self, part: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(part);
        self.after_cr = part.last().map_or(self.after_cr, |byte| *byte == b'\r');
    }
}

/// Gives the place of each LF, as `memchr_iter` does: in short lines, a third sooner.
pub(super) struct LineEnds<'a> {
    rest: &'a [u8],
    /// Where `rest` begins.
    place: usize,
    /// The line before was short: the next one may be.
    is_near: bool,
}

impl<'a> LineEnds<'a> {
    pub fn of(input: &'a [u8]) -> Self {
        Self { rest: input, place: 0, is_near: false }
    }

    /// Looks for an LF in the next octets, eight at a time; `memchr` takes longer to begin.
    #[inline(always)]
    fn near(&self) -> Option<usize> {
        const LF: u64 = 0x0a0a_0a0a_0a0a_0a0a;
        const LOW: u64 = 0x0101_0101_0101_0101;
        const HIGH: u64 = 0x8080_8080_8080_8080;
        let words = self.rest.first_chunk::<NEAR>()?.chunks_exact(8);
        words.enumerate().find_map(|(count, word)| {
            // An octet that was LF is 0 now. The lowest that borrows is one of those.
            let word = u64::from_le_bytes(word.try_into().ok()?) ^ LF;
            let zero = word.wrapping_sub(LOW) & !word & HIGH;
            (zero != 0).then(|| 8 * count + zero.trailing_zeros() as usize / 8)
        })
    }
}

impl Iterator for LineEnds<'_> {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        let near = if self.is_near { self.near() } else { None };
        let size = near.or_else(|| memchr(b'\n', self.rest))?;
        let end = self.place + size;
        self.rest = &self.rest[size + 1..];
        self.place = end + 1;
        self.is_near = size < NEAR;
        Some(end)
    }
}

/// A line is short that is shorter than this, in octets.
const NEAR: usize = 32;

/// Reserves what most input takes when its line ends are CR LF.
pub(super) fn make_room(input: &[u8], out: &mut Vec<u8>) {
    out.reserve(input.len() + input.len() / 8);
}

/// Most lines of mail are no longer than this, in octets.
const USUAL_LINE: usize = 80;

/// Makes a message the body of DATA: CR LF line ends, dots doubled at line starts, a lone dot at the end
/// ([RFC 5321, section 4.5.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.2)).
/// [`Session::message`](crate::Session::message) does this.
///
/// ```
/// use mconnect_core::protocol::BodyEncoder;
///
/// let (mut encoder, mut out) = (BodyEncoder::default(), Vec::new());
/// encoder.encode(b"one\n.two", &mut out);
/// encoder.finish(&mut out);
/// assert_eq!(out, b"one\r\n..two\r\n.\r\n");
/// ```
///
/// | the message ends with | the body ends with |
/// |---|---|
/// | a line end, or is empty | `.` CR LF |
/// | anything else | CR LF `.` CR LF |
#[doc(alias = "dot-stuffing")]
#[doc(alias = "dot_stuff")]
#[derive(Debug, Clone)]
pub struct BodyEncoder {
    crlf: CrlfEncoder,
    at_line_start: bool,
}

impl Default for BodyEncoder {
    fn default() -> Self {
        Self { crlf: CrlfEncoder::default(), at_line_start: true }
    }
}

impl BodyEncoder {
    /// Appends to `out` how `input` is sent.
    pub fn encode(&mut self, input: &[u8], out: &mut Vec<u8>) {
        make_room(input, out);
        let mut start = 0;
        for lf in LineEnds::of(input) {
            self.stuff(&input[start..], out);
            self.crlf.encode_line(&input[start..], lf - start, out);
            self.at_line_start = true;
            start = lf + 1;
        }
        if start < input.len() {
            self.stuff(&input[start..], out);
            self.crlf.encode_part(&input[start..], out);
            self.at_line_start = false;
        }
    }

    /// Appends to `out` what ends the body: the end of a last line that has none, and the lone dot.
    pub fn finish(self, out: &mut Vec<u8>) {
        out.extend_from_slice(if self.at_line_start { b".\r\n" } else { b"\r\n.\r\n" });
    }

    /// Doubles the dot that a line begins with.
    fn stuff(&self, rest: &[u8], out: &mut Vec<u8>) {
        if self.at_line_start && rest.first() == Some(&b'.') {
            out.push(b'.');
        }
    }
}

/// Takes the body of DATA apart: undoes dot-stuffing and finds the lone dot, which only CR LF around it makes
/// ([RFC 5321, section 4.5.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.2)). A server's side of
/// [`BodyEncoder`].
///
/// ```
/// use mconnect_core::protocol::BodyDecoder;
///
/// let (mut decoder, mut message) = (BodyDecoder::default(), Vec::new());
/// assert_eq!(decoder.decode(b"one\r\n..two\r\n.", &mut message), None);
/// // The body ends after two octets of this; what follows them is the next command.
/// assert_eq!(decoder.decode(b"\r\nQUIT\r\n", &mut message), Some(2));
/// assert_eq!(message, b"one\r\n.two\r\n");
/// ```
///
/// A dot between bare LF ends nothing: whoever took it for an end could be made to read a message as commands (SMTP
/// smuggling).
///
/// ```
/// # use mconnect_core::protocol::BodyDecoder;
/// let mut message = Vec::new();
/// assert_eq!(BodyDecoder::default().decode(b"hi\n.\nQUIT\r\n", &mut message), None);
/// assert_eq!(message, b"hi\n.\nQUIT\r\n");
/// ```
#[doc(alias = "dot-stuffing")]
#[doc(alias = "smuggling")]
#[derive(Debug, Clone)]
pub struct BodyDecoder {
    /// The last octets received and not yet given out: at most `.` CR, at a line start.
    held: Vec<u8>,
    before: Before,
}

/// What stands before the next octet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    LineEnd,
    Cr,
    Text,
}

impl Default for BodyDecoder {
    fn default() -> Self {
        Self { held: Vec::new(), before: Before::LineEnd }
    }
}

impl BodyDecoder {
    /// Appends to `out` the message that `input` holds. Returns the count of bytes up to the end of the lone dot's line
    /// if that came, otherwise `None`: all of `input` was taken.
    pub fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Option<usize> {
        let mut at = 0;
        while at < input.len() {
            let byte = input[at];
            match (self.held.as_slice(), self.before, byte) {
                (b".", _, b'\r') => self.held.push(byte),
                (b".\r", _, b'\n') => return Some(at + 1),
                (b".", ..) => {
                    self.held.clear();
                    self.before = Before::Text;
                    continue;
                }
                (b".\r", ..) => {
                    self.held.clear();
                    out.push(b'\r');
                    self.before = Before::Cr;
                    continue;
                }
                (_, Before::LineEnd, b'.') => self.held.push(byte),
                (_, Before::Cr, b'\n') => {
                    out.push(byte);
                    self.before = Before::LineEnd;
                }
                (_, _, b'\r') => {
                    out.push(byte);
                    self.before = Before::Cr;
                }
                _ => {
                    let rest = &input[at..];
                    let text = memchr(b'\r', rest).unwrap_or(rest.len());
                    out.extend_from_slice(&rest[..text]);
                    self.before = Before::Text;
                    at += text;
                    continue;
                }
            }
            at += 1;
        }
        None
    }
}

/// Finds CR LF, dot, CR LF in a body that is cut anywhere; the beginning of the body counts as a line's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LoneDot {
    /// How many octets of the pattern the bytes so far end with.
    matched: usize,
}

impl Default for LoneDot {
    fn default() -> Self {
        Self { matched: 2 }
    }
}

impl LoneDot {
    const PATTERN: &'static [u8] = b"\r\n.\r\n";

    /// Returns how many of `bytes` belong to the body, if it ends in them.
    pub fn find(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while self.matched > 0 && at < bytes.len() {
            self.step(bytes[at]);
            at += 1;
            if self.matched == Self::PATTERN.len() {
                return Some(at);
            }
        }
        let rest = &bytes[at..];
        if let Some(found) = memmem::find(rest, Self::PATTERN) {
            return Some(at + found + Self::PATTERN.len());
        }
        for byte in &rest[rest.len().saturating_sub(Self::PATTERN.len() - 1)..] {
            self.step(*byte);
        }
        None
    }

    /// Goes on by one octet. A CR that breaks the pattern off may begin it anew.
    fn step(&mut self, byte: u8) {
        self.matched = match byte {
            _ if Self::PATTERN[self.matched] == byte => self.matched + 1,
            b'\r' => 1,
            _ => 0,
        };
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    const BODIES: &[(&[u8], &[u8])] = &[
        (b"", b".\r\n"),
        (b"a\nb", b"a\r\nb\r\n.\r\n"),
        (b"a\r\nb\r\n", b"a\r\nb\r\n.\r\n"),
        (b".\n..\n.a\n", b"..\r\n...\r\n..a\r\n.\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b"\r\n\n\r\r\n.\rx\r.\n", b"\r\n\r\n\r\r\n..\rx\r.\r\n.\r\n"),
        (b"x\r", b"x\r\r\n.\r\n"),
        (b"nul\0 \xff\n", b"nul\0 \xff\r\n.\r\n"),
    ];

    pub(in crate::protocol) fn cut_everywhere(input: &[u8], mut run: impl FnMut(&[&[u8]])) {
        for at in 0..=input.len() {
            run(&[&input[..at], &input[at..]]);
        }
        run(&input.chunks(1).collect::<Vec<_>>());
    }

    #[test]
    fn ends_of_lines_are_where_memchr_finds_them() {
        // What is but one bit away from an LF, or borrows from one.
        let fillers = [b'x', 0x0b, 0x8a, 0, 0xff, 0x0a];
        for before in 0..2 * NEAR {
            for size in 0..2 * NEAR {
                for filler in fillers {
                    let line = |size| [&vec![filler; size][..], b"\n"].concat();
                    let input = [line(before), line(size), vec![filler; before]].concat();
                    let found: Vec<_> = LineEnds::of(&input).collect();
                    let expected: Vec<_> = memchr::memchr_iter(b'\n', &input).collect();
                    assert_eq!(found, expected, "{}", input.escape_ascii());
                }
            }
        }
    }

    #[test]
    fn a_body_is_stuffed_and_ended_wherever_it_is_cut() {
        for (message, sent) in BODIES {
            cut_everywhere(message, |parts| {
                let (mut encoder, mut out) = (BodyEncoder::default(), Vec::new());
                parts.iter().for_each(|part| encoder.encode(part, &mut out));
                encoder.finish(&mut out);
                assert_eq!(out.escape_ascii().to_string(), sent.escape_ascii().to_string());
            });
        }
    }

    #[test]
    fn decoding_undoes_stuffing_and_stops_after_the_lone_dot() {
        for (message, sent) in BODIES {
            let mut expected = Vec::new();
            CrlfEncoder::default().encode(message, &mut expected);
            if !expected.is_empty() && !expected.ends_with(b"\n") {
                expected.extend_from_slice(b"\r\n");
            }
            let stream = [sent, &b"QUIT\r\n"[..]].concat();
            cut_everywhere(&stream, |parts| {
                let (mut decoder, mut out, mut taken) = (BodyDecoder::default(), Vec::new(), 0);
                for part in parts {
                    if let Some(count) = decoder.decode(part, &mut out) {
                        taken += count;
                        break;
                    }
                    taken += part.len();
                }
                assert_eq!(taken, sent.len(), "{}", sent.escape_ascii());
                assert_eq!(out.escape_ascii().to_string(), expected.escape_ascii().to_string());
            });
        }
    }

    #[test]
    fn a_dot_between_anything_but_crlf_ends_no_body() {
        for smuggled in [&b"\n.\n"[..], b"\r\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r\r\n"] {
            let stream = [b"a", smuggled, b"b"].concat();
            let mut out = Vec::new();
            assert_eq!(BodyDecoder::default().decode(&stream, &mut out), None, "{}", stream.escape_ascii());
        }
    }

    #[test]
    fn every_lf_gets_its_cr_once_wherever_it_is_cut() {
        cut_everywhere(b"a\nb\r\n\r\r\nc\rd\n\n\r", |parts| {
            let (mut encoder, mut out) = (CrlfEncoder::default(), Vec::new());
            parts.iter().for_each(|part| encoder.encode(part, &mut out));
            assert_eq!(out.escape_ascii().to_string(), "a\\r\\nb\\r\\n\\r\\r\\nc\\rd\\r\\n\\r\\n\\r");
        });
    }
}
