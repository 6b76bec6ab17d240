//! Lines out of bytes, wherever those are cut.

use super::line::{Lead, ReplyLine};
use super::scan;

/// Cuts received bytes into lines, however they arrive, in memory bounded by the limit.
///
/// A line longer than the limit (in octets, its end included) comes in pieces of the limit's size, which all have the
/// [code](ReplyLine::code) of the first.
///
/// ```
/// use mconnect_core::protocol::{LineBuffer, Limits, ReplyBuilder};
///
/// let limits = Limits::default();
/// let (mut lines, mut builder) = (LineBuffer::new(limits.line), ReplyBuilder::new(limits));
/// let mut replies = Vec::new();
/// for received in ["250-mx.example.org\r\n250 SI", "ZE 1000\r\n221 bye\r\n250"] {
///     lines.extend(received.as_bytes());
///     while let Some(line) = lines.next_line() {
///         replies.extend(builder.push(line)?);
///     }
/// }
/// assert_eq!(replies[0].to_string(), "250-mx.example.org / 250 SIZE 1000");
/// assert_eq!((replies.len(), lines.buffered()), (2, &b"250"[..]));
/// # Ok::<(), mconnect_core::protocol::LimitExceeded>(())
/// ```
///
/// ```text
///   bytes:  │ taken │ a line LF │ half a li │ room ... │
///           0       start       searched    end        what space returns
/// ```
#[doc(alias = "framing")]
#[doc(alias = "codec")]
#[doc(alias = "decoder")]
#[derive(Debug)]
pub struct LineBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// No LF stands between `start` and here.
    searched: usize,
    limit: usize,
    /// The first part of a line that is under way in pieces.
    piece_of: Option<Option<Lead>>,
}

impl LineBuffer {
    /// Makes an empty buffer whose lines and pieces are at most `limit` octets, and at least 8.
    pub fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), start: 0, end: 0, searched: 0, limit: limit.max(8), piece_of: None }
    }

    /// Returns room for received bytes, never empty; [`filled`](Self::filled) says how many were put there. Where
    /// that was all of the room, there is more of it the next time. So a read goes where the lines are cut, without a copy:
    ///
    /// ```
    /// use std::io::Read as _;
    ///
    /// use mconnect_core::protocol::LineBuffer;
    ///
    /// let mut network = &b"220 ready\r\n"[..];
    /// let mut lines = LineBuffer::new(512);
    /// let count = network.read(lines.space())?;
    /// lines.filled(count);
    /// assert_eq!(lines.next_line().unwrap().text(), b"ready");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn space(&mut self) -> &mut [u8] {
        let was_filled = self.end == self.bytes.len();
        if self.start == self.end {
            (self.start, self.end, self.searched) = (0, 0, 0);
        }
        let room = self.bytes.len() - self.end;
        if room < LEAST_ROOM {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.searched -= self.start;
            self.start = 0;
        }
        let room = self.bytes.len() - self.end;
        if room < LEAST_ROOM || was_filled && room < MOST_ROOM {
            let size = (self.bytes.len() * 2).clamp(LEAST_ROOM, MOST_ROOM).max(self.end + self.end / 4 + LEAST_ROOM);
            self.bytes.resize(size, 0);
        }
        &mut self.bytes[self.end..]
    }

    /// Takes the first `count` bytes of [`space`](Self::space) as received; no more than there was room for.
    pub fn filled(&mut self, count: usize) {
        self.end = (self.end + count).min(self.bytes.len());
    }

    /// Takes these bytes as received.
    pub fn extend(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let space = self.space();
            let count = space.len().min(bytes.len());
            space[..count].copy_from_slice(&bytes[..count]);
            self.filled(count);
            bytes = &bytes[count..];
        }
    }

    /// Frees the room, unless something is in it: for a wait that may be long.
    pub(crate) fn release(&mut self) {
        if self.start == self.end {
            (self.bytes, self.start, self.end, self.searched) = (Vec::new(), 0, 0, 0);
        }
    }

    /// Says whether a line, or a piece of one, is there.
    #[must_use]
    pub fn has_line(&mut self) -> bool {
        self.find().is_some()
    }

    /// Takes the next line, or the next piece of a long one; none if more bytes are needed. It borrows from the buffer
    /// until that is used again.
    pub fn next_line(&mut self) -> Option<ReplyLine<'_>> {
        let size = self.find()?;
        Some(self.take(size))
    }

    /// Takes what is left after the end of the stream: first the lines that are whole, then one that has no end, then
    /// none.
    pub fn finish(&mut self) -> Option<ReplyLine<'_>> {
        match self.find().unwrap_or(self.end - self.start) {
            0 => None,
            size => Some(self.take(size)),
        }
    }

    /// Returns the bytes received and not yet taken.
    pub fn buffered(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Returns the size of the next line, or piece. What was searched is not searched again: a long line that comes
    /// octet by octet takes no more time for that.
    fn find(&mut self) -> Option<usize> {
        let reach = self.end.min(self.start.saturating_add(self.limit));
        match scan::find(b'\n', &self.bytes[self.searched.min(reach)..reach]) {
            Some(lf) => {
                self.searched += lf;
                Some(self.searched + 1 - self.start)
            }
            None => {
                self.searched = self.searched.max(reach);
                (reach - self.start == self.limit).then_some(self.limit)
            }
        }
    }

    /// Takes so many octets as a line, or as a piece of one.
    fn take(&mut self, size: usize) -> ReplyLine<'_> {
        let raw = &self.bytes[self.start..self.start + size];
        self.start += size;
        self.searched = self.start;
        let line = match self.piece_of {
            Some(lead) => ReplyLine { raw, lead, is_start: false },
            None => ReplyLine::new(raw),
        };
        self.piece_of = (!line.is_finished()).then_some(line.lead);
        line
    }
}

/// There is at least this much room for a read, in octets.
const LEAST_ROOM: usize = 512;
/// The room doubles up to this size, and beyond it grows only as what is held needs.
const MOST_ROOM: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::super::code::Code;
    use super::*;

    type Taken = (Vec<u8>, Option<Code>, bool, bool);

    fn lines(limit: usize, parts: &[&[u8]]) -> Vec<Taken> {
        let mut buffer = LineBuffer::new(limit);
        let mut taken = Vec::new();
        let keep = |line: ReplyLine<'_>| (line.raw().to_vec(), line.code(), line.is_start(), line.ends_reply());
        for part in parts {
            buffer.extend(part);
            while let Some(line) = buffer.next_line() {
                taken.push(keep(line));
            }
        }
        while let Some(line) = buffer.finish() {
            taken.push(keep(line));
        }
        taken
    }

    #[test]
    fn cutting_anywhere_gives_the_same_lines_and_loses_no_byte() {
        let stream =
            b"220-hi\r\n220 \x00there\xff\n\r\n250\r\n250-\r\nodd\r\r\n250 a rather long line of the server\r\n25";
        for limit in [8, 9, 16, 40, 4096] {
            let whole = lines(limit, &[stream]);
            let bytes: Vec<u8> = whole.iter().flat_map(|line| line.0.clone()).collect();
            assert_eq!(bytes, stream);
            for at in 0..=stream.len() {
                assert_eq!(lines(limit, &[&stream[..at], &stream[at..]]), whole, "limit {limit}, cut at {at}");
            }
            let single: Vec<&[u8]> = stream.chunks(1).collect();
            assert_eq!(lines(limit, &single), whole, "limit {limit}, byte by byte");
        }
    }

    #[test]
    fn a_line_longer_than_the_limit_comes_in_pieces_with_the_code_of_the_first() {
        let pieces = lines(10, &[b"250 0123456789abcdef\r\n221 x\r\n"]);
        let code = Code::new(250);
        assert_eq!(
            pieces,
            [
                (b"250 012345".to_vec(), code, true, false),
                (b"6789abcdef".to_vec(), code, false, false),
                (b"\r\n".to_vec(), code, false, true),
                (b"221 x\r\n".to_vec(), Code::new(221), true, true),
            ]
        );
    }

    #[test]
    fn the_room_grows_while_it_is_filled_and_is_freed_when_nothing_is_in_it() {
        let mut buffer = LineBuffer::new(1000);
        let sizes: Vec<usize> = (0..9)
            .map(|_| {
                let space = buffer.space();
                space.fill(b'\n');
                let count = space.len();
                buffer.filled(count);
                while buffer.next_line().is_some() {}
                count
            })
            .collect();
        assert_eq!(sizes, [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 65536]);
        buffer.extend(b"250");
        buffer.release();
        assert_eq!(buffer.buffered(), b"250");
        buffer.extend(b" ok\r\n");
        assert_eq!(buffer.next_line().unwrap().raw(), b"250 ok\r\n");
        buffer.release();
        assert_eq!((buffer.bytes.capacity(), buffer.space().len()), (0, LEAST_ROOM));
    }

    #[test]
    fn the_buffer_does_not_grow_with_what_passes_through_it() {
        let mut buffer = LineBuffer::new(1000);
        for _ in 0..10_000 {
            buffer.extend(&[b'x'; 999]);
            while buffer.next_line().is_some() {}
        }
        assert!(buffer.bytes.len() <= 2 * MOST_ROOM, "{} octets", buffer.bytes.len());
    }

    #[test]
    fn all_pieces_of_a_long_line_make_up_its_text() {
        for (line, text) in
            [("250 0123456789abcdef\r\n", "0123456789abcdef"), ("250Oh, a long one\r\n", "Oh, a long one")]
        {
            let (mut buffer, mut pieces) = (LineBuffer::new(8), Vec::new());
            buffer.extend(line.as_bytes());
            while let Some(piece) = buffer.next_line() {
                pieces.extend_from_slice(piece.text());
            }
            assert_eq!(pieces.escape_ascii().to_string(), text);
        }
    }

    #[test]
    fn reads_of_any_size_give_the_same_lines_and_have_room() {
        let stream: Vec<u8> =
            (0..700).flat_map(|n| [&b"y".repeat(n % 13 * (n % 7))[..], b"\n", &b"\n".repeat(n % 3)].concat()).collect();
        for size in 1..700 {
            let (mut buffer, mut rest, mut taken) = (LineBuffer::new(1000), &stream[..], Vec::new());
            while !rest.is_empty() {
                let space = buffer.space();
                assert!(space.len() >= LEAST_ROOM, "{}", space.len());
                let count = size.min(rest.len()).min(space.len());
                space[..count].copy_from_slice(&rest[..count]);
                buffer.filled(count);
                rest = &rest[count..];
                while let Some(line) = buffer.next_line() {
                    assert_eq!(memchr::memchr(b'\n', line.raw()), Some(line.raw().len() - 1), "{line:?}");
                    taken.extend_from_slice(line.raw());
                }
            }
            assert!(taken == stream, "reads of {size}");
        }
    }

    #[test]
    fn the_room_grows_with_a_long_line_by_a_quarter_of_what_is_held() {
        let mut buffer = LineBuffer::new(1 << 20);
        assert_eq!((buffer.space().len(), buffer.space().len()), (LEAST_ROOM, LEAST_ROOM), "nothing has filled it");
        while buffer.end < 1 << 19 {
            let held = buffer.end;
            let space = buffer.space();
            space.fill(b'x');
            let count = space.len();
            buffer.filled(count);
            let most = if held < MOST_ROOM { MOST_ROOM } else { held / 4 + LEAST_ROOM };
            assert!((held / 4 + LEAST_ROOM..=most).contains(&count), "{count} octets of room behind {held}");
            assert!(!buffer.has_line());
        }
    }
}
