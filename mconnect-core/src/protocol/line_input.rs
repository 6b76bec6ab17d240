//! Line-mode input on its way out: lines, bodies and chunks, as the phase of the session asks for.

use super::encode::{CrlfEncoder, LineEnds, make_room};
use super::phase::Phase;
use super::scan;

/// Takes line-mode input apart as the phase of the session asks for, and makes of it what is sent: for a program that
/// passes on what somebody types, or a file of commands. [`Script`](crate::script::Script) has one inside.
///
/// | phase | is taken at once | and sent |
/// |---|---|---|
/// | [`Body`](Phase::Body) | up to and with the lone dot's line | with CR LF; no dot is added or taken away |
/// | [`Chunk`](Phase::Chunk) | what is left of the chunk | as it is |
/// | any other | a line | with CR LF |
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
    /// Says how far a line has come after one more part of it.
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
    /// as much as comes before the phase may change. Where a line goes on in the next input, the phase is the same
    /// then.
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

    /// Appends to `out` the end of a last line that has none, if this phase has lines. Nothing is added in a chunk, and
    /// no lone dot to a body that has none: half a message must not be delivered.
    pub fn finish(&mut self, phase: Phase, out: &mut Vec<u8>) {
        if self.line != Line::Start && !matches!(phase, Phase::Chunk { .. }) {
            self.end_line(b"", 0, out);
        }
    }

    /// Takes a body up to the lone dot's line, which ends with LF as the others do.
    fn take_body(&mut self, input: &[u8], out: &mut Vec<u8>) -> Taken {
        make_room(input, out);
        let mut start = 0;
        for lf in LineEnds::of(input) {
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

    #[inline(always)]
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

#[cfg(test)]
mod tests {
    use super::super::encode::tests::cut_everywhere;
    use super::*;

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
