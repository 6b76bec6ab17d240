//! Line ends and dots on their way out, and dots on their way in.

use memchr::{memchr, memchr_iter, memmem};

use super::phase::Phase;
use super::scan;

/// Makes every LF a CR LF. An existing CR LF is not doubled, also when it is cut in two; a bare CR is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CrlfEncoder {
    after_cr: bool,
}

impl CrlfEncoder {
    /// Appends to `out` how `input` is sent.
    pub fn encode(&mut self, input: &[u8], out: &mut Vec<u8>) {
        out.reserve(input.len() + input.len() / 8);
        let mut start = 0;
        for lf in memchr_iter(b'\n', input) {
            self.encode_line(&input[start..], lf - start, out);
            start = lf + 1;
        }
        self.encode_part(&input[start..], out);
    }

    /// Appends one line, which `rest` begins with, without its LF.
    fn encode_line(&mut self, rest: &[u8], size: usize, out: &mut Vec<u8>) {
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
    fn encode_part(&mut self, part: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(part);
        self.after_cr = part.last().map_or(self.after_cr, |byte| *byte == b'\r');
    }
}

/// Most lines of mail are no longer than this, in octets.
const USUAL_LINE: usize = 80;

/// Makes a message the body of DATA: CR LF line ends, dots doubled at line starts, a lone dot at the end
/// ([RFC 5321, section 4.5.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.2)).
///
/// ```
/// use mconnect_core::protocol::BodyEncoder;
///
/// let (mut encoder, mut out) = (BodyEncoder::default(), Vec::new());
/// encoder.encode(b"one\n.two", &mut out);
/// encoder.finish(&mut out);
/// assert_eq!(out, b"one\r\n..two\r\n.\r\n");
/// ```
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
        out.reserve(input.len() + input.len() / 8);
        let mut start = 0;
        for lf in memchr_iter(b'\n', input) {
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

    fn stuff(&self, rest: &[u8], out: &mut Vec<u8>) {
        if self.at_line_start && rest.first() == Some(&b'.') {
            out.push(b'.');
        }
    }
}

/// Takes the body of DATA apart: undoes dot-stuffing and finds the lone dot, which only CR LF around it makes
/// ([RFC 5321, section 4.5.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.2)).
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
#[derive(Debug, Clone)]
pub struct BodyDecoder {
    /// The last octets received and not yet given out: at most `.` CR, at a line start.
    held: Vec<u8>,
    before: Before,
}

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

/// Takes line-mode input apart as the phase of the session asks for, and makes of it what is sent.
///
/// Commands and answers in AUTH come a line at a time and get CR LF; a body comes as it is there, up to and including
/// the lone dot's line, and gets CR LF but no dots; a chunk's octets pass as they are.
///
/// ```
/// use mconnect_core::protocol::{LineInput, Phase};
///
/// let (mut input, mut out) = (LineInput::default(), Vec::new());
/// let taken = input.take(Phase::Command, b"DATA\nSubject: hi\n", &mut out);
/// assert_eq!((taken.count, taken.is_complete, out.as_slice()), (5, true, &b"DATA\r\n"[..]));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LineInput {
    crlf: CrlfEncoder,
    line: Line,
}

/// What [`LineInput::take`] took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Taken {
    /// How many bytes of the input.
    pub count: usize,
    /// A line, a body or a chunk ended with them: the phase may change here.
    pub is_complete: bool,
}

/// How far the line under way has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Line {
    #[default]
    Start,
    Dot,
    DotCr,
    Text,
}

impl Line {
    fn after(self, part: &[u8]) -> Self {
        match (self, part) {
            (line, []) => line,
            (Self::Start, b".") => Self::Dot,
            (Self::Start, b".\r") | (Self::Dot, b"\r") => Self::DotCr,
            _ => Self::Text,
        }
    }
}

impl LineInput {
    /// Appends to `out` how the front of `input` is sent in this phase, and says how much of it that is: all of it, or
    /// as much as comes before the phase may change.
    pub fn take(&mut self, phase: Phase, input: &[u8], out: &mut Vec<u8>) -> Taken {
        match phase {
            Phase::Chunk { left } => {
                let count = usize::try_from(left).unwrap_or(usize::MAX).min(input.len());
                out.extend_from_slice(&input[..count]);
                Taken { count, is_complete: count as u64 == left }
            }
            Phase::Body => self.take_body(input, out),
            _ => match scan::find(b'\n', input) {
                Some(lf) => {
                    self.end_line(input, lf, out);
                    Taken { count: lf + 1, is_complete: true }
                }
                None => self.begin_line(input, 0, out),
            },
        }
    }

    /// Appends to `out` the end of a last line that has none, if this phase has lines.
    pub fn finish(&mut self, phase: Phase, out: &mut Vec<u8>) {
        if self.line != Line::Start && !matches!(phase, Phase::Chunk { .. }) {
            self.end_line(b"", 0, out);
        }
    }

    fn take_body(&mut self, input: &[u8], out: &mut Vec<u8>) -> Taken {
        out.reserve(input.len() + input.len() / 8);
        let mut start = 0;
        for lf in memchr_iter(b'\n', input) {
            let line = &input[start..lf];
            // Only a line of two octets or fewer can be the lone dot's.
            let is_last = line.len() <= 2 && matches!(self.line.after(line), Line::Dot | Line::DotCr);
            self.end_line(&input[start..], lf - start, out);
            start = lf + 1;
            if is_last {
                return Taken { count: start, is_complete: true };
            }
        }
        self.begin_line(input, start, out)
    }

    fn end_line(&mut self, rest: &[u8], size: usize, out: &mut Vec<u8>) {
        self.crlf.encode_line(rest, size, out);
        self.line = Line::Start;
    }

    fn begin_line(&mut self, input: &[u8], start: usize, out: &mut Vec<u8>) -> Taken {
        self.crlf.encode_part(&input[start..], out);
        self.line = self.line.after(&input[start..]);
        Taken { count: input.len(), is_complete: false }
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

    fn step(&mut self, byte: u8) {
        self.matched = match byte {
            _ if Self::PATTERN[self.matched] == byte => self.matched + 1,
            b'\r' => 1,
            _ => 0,
        };
    }
}

#[cfg(test)]
mod tests {
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

    fn cut_everywhere(input: &[u8], mut run: impl FnMut(&[&[u8]])) {
        for at in 0..=input.len() {
            run(&[&input[..at], &input[at..]]);
        }
        run(&input.chunks(1).collect::<Vec<_>>());
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

    #[test]
    fn line_input_stops_where_the_phase_may_change() {
        let (mut input, mut out) = (LineInput::default(), Vec::new());
        let mut take = |phase, bytes: &[u8]| {
            let Taken { count, is_complete } = input.take(phase, bytes, &mut out);
            (count, is_complete)
        };
        assert_eq!(take(Phase::Command, b"DATA\nbody\n"), (5, true));
        assert_eq!(take(Phase::Body, b"body\n..\n.\nQUIT\n"), (10, true));
        assert_eq!(take(Phase::Chunk { left: 3 }, b"a\nb\nQUIT"), (3, true));
        assert_eq!(take(Phase::Chunk { left: 3 }, b"ab"), (2, false));
        assert_eq!(take(Phase::Command, b"QUIT"), (4, false));
        input.finish(Phase::Command, &mut out);
        input.finish(Phase::Command, &mut out);
        assert_eq!(out, b"DATA\r\nbody\r\n..\r\n.\r\na\nbabQUIT\r\n");
    }

    #[test]
    fn the_lone_dot_is_found_wherever_the_body_is_cut() {
        for body in [&b".\n"[..], b"a\n.\n", b"a\r\n.\r\n", b".a\n..\n.\r.\n\r.\n.\n"] {
            let stream = [body, b"NOOP\n"].concat();
            cut_everywhere(&stream, |parts| {
                let (mut input, mut out, mut taken) = (LineInput::default(), Vec::new(), 0);
                for part in parts {
                    let Taken { count, is_complete } = input.take(Phase::Body, part, &mut out);
                    taken += count;
                    if is_complete {
                        break;
                    }
                }
                assert_eq!(taken, body.len(), "{}", body.escape_ascii());
            });
        }
    }

    #[test]
    fn an_end_in_a_chunk_adds_nothing() {
        let (mut input, mut out) = (LineInput::default(), Vec::new());
        input.take(Phase::Chunk { left: 9 }, b"abc", &mut out);
        input.finish(Phase::Chunk { left: 6 }, &mut out);
        assert_eq!(out, b"abc");
    }
}
