//! Lines out of bytes, and what a line of a reply says by itself.
//!
//! ```text
//!   received bytes ──► LineBuffer ──► a line, or a piece of one longer than the limit ──► ReplyLine: code, text, marks
//! ```

use std::borrow::Cow;
use std::fmt;

use super::code::{Code, EnhancedCode};
use super::scan;
use super::visible::Visible;

/// One line that the server sent, whatever it holds, or a piece of one that is longer than the limit.
///
/// A line ends at LF; one CR before that belongs to the end. Three digits and then the end, a space or a tab make it
/// the last line of a reply, a hyphen one with more to come. Three digits and then a letter (`250OK`) are a last line
/// with its separator missing. An end of the stream never completes a line.
///
/// ```
/// use mconnect_core::protocol::ReplyLine;
///
/// let line = ReplyLine::new(b"550-5.1.1 no such mailbox\n");
/// assert_eq!(line.code().unwrap(), 550);
/// assert_eq!(line.enhanced_code().unwrap().to_string(), "5.1.1");
/// assert!(!line.ends_reply() && line.has_bare_lf());
/// assert_eq!(ReplyLine::new(b"warning: disk full\r\n").code(), None);
/// ```
///
/// | line | code | text | ends a reply |
/// |---|---|---|---|
/// | `250 ok` | 250 | `ok` | yes |
/// | `250-ok` | 250 | `ok` | no |
/// | `250` | 250 | | yes |
/// | `250OK` | 250 | `OK` | yes, [without a separator](Self::lacks_separator) |
/// | `2500 messages` | | `2500 messages` | no |
/// | `hello` | | `hello` | no |
///
/// It borrows what it is of, and is copied freely. [`Display`](fmt::Display) shows it without its end, safe for a
/// terminal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ReplyLine<'a> {
    raw: &'a [u8],
    lead: Option<Lead>,
    is_start: bool,
}

/// What stands before the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Lead {
    code: Code,
    separator: Separator,
}

/// What stands between code and text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Separator {
    Space,
    Hyphen,
    None,
    Missing,
}

impl Lead {
    /// Reads the code and what parts it from the text. A fourth digit makes it no code: `2500 messages` is noise.
    fn parse(content: &[u8]) -> Option<Self> {
        let (digits, rest) = content.split_first_chunk::<3>()?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let separator = match rest.first() {
            None => Separator::None,
            Some(b' ' | b'\t') => Separator::Space,
            Some(b'-') => Separator::Hyphen,
            Some(byte) if byte.is_ascii_alphabetic() => Separator::Missing,
            Some(_) => return None,
        };
        let number = digits.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
        Some(Self { code: Code::new(number).expect("three digits are at most 999"), separator })
    }
}

impl<'a> ReplyLine<'a> {
    /// Takes the bytes of one line, its line end included if there is one.
    pub fn new(raw: &'a [u8]) -> Self {
        Self { raw, lead: Lead::parse(without_line_end(raw)), is_start: true }
    }

    /// Returns every byte of it, the line end included.
    pub fn raw(self) -> &'a [u8] {
        self.raw
    }

    /// Returns the bytes without the line end, the code among them.
    pub fn content(self) -> &'a [u8] {
        without_line_end(self.raw)
    }

    /// Returns the bytes after the code and its separator, without the line end; all of them, if there is no code, or
    /// it is a later piece of a long line.
    pub fn text(self) -> &'a [u8] {
        let content = self.content();
        match self.lead {
            Some(Lead { separator: Separator::Missing, .. }) if self.is_start => &content[3..],
            Some(_) if self.is_start => content.get(4..).unwrap_or_default(),
            _ => content,
        }
    }

    /// Returns the text as one; U+FFFD stands for what is not UTF-8.
    pub fn text_lossy(self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.text())
    }

    /// Returns the reply code, if the line begins with one. The pieces of a long line all have the code of the first.
    pub fn code(self) -> Option<Code> {
        self.lead.map(|lead| lead.code)
    }

    /// Returns the enhanced status code that the text begins with
    /// ([RFC 2034](https://www.rfc-editor.org/rfc/rfc2034)), if there is one of the code's own class.
    pub fn enhanced_code(self) -> Option<EnhancedCode> {
        let enhanced = EnhancedCode::parse(self.text())?;
        let class = self.code()?.number() / 100;
        (self.is_start && class == u16::from(enhanced.class)).then_some(enhanced)
    }

    /// Says whether a reply ends with this line: it is finished, and its code is not followed by a hyphen.
    #[must_use]
    pub fn ends_reply(self) -> bool {
        self.is_finished() && self.lead.is_some_and(|lead| lead.separator != Separator::Hyphen)
    }

    /// Says whether it begins at the beginning of a line; otherwise it is a further piece of a line longer than the
    /// limit.
    #[must_use]
    pub fn is_start(self) -> bool {
        self.is_start
    }

    /// Says whether it ends with a line end; otherwise another piece of the line follows, or the stream ended here.
    #[must_use]
    pub fn is_finished(self) -> bool {
        self.raw.ends_with(b"\n")
    }

    /// Says whether the line ended with LF alone, against
    /// [RFC 5321, section 2.3.8](https://www.rfc-editor.org/rfc/rfc5321#section-2.3.8).
    #[must_use]
    pub fn has_bare_lf(self) -> bool {
        self.is_finished() && !self.raw.ends_with(b"\r\n")
    }

    /// Says whether text follows the code without a separator, as in `250OK`.
    #[must_use]
    pub fn lacks_separator(self) -> bool {
        self.lead.is_some_and(|lead| lead.separator == Separator::Missing)
    }
}

impl fmt::Debug for ReplyLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyLine")
            .field("raw", &format_args!("\"{}\"", self.raw.escape_ascii()))
            .field("is_start", &self.is_start)
            .finish()
    }
}

impl fmt::Display for ReplyLine<'_> {
    /// Shows the line without its end, safe for a terminal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Visible(self.content()).fmt(f)
    }
}

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
        if room < LEAST_ROOM && self.start > 0 {
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

/// Cuts off LF, and one CR before it.
fn without_line_end(raw: &[u8]) -> &[u8] {
    let content = raw.strip_suffix(b"\n").unwrap_or(raw);
    if content.len() < raw.len() { content.strip_suffix(b"\r").unwrap_or(content) } else { content }
}

#[cfg(test)]
mod tests {
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
    fn what_a_line_says_by_itself() {
        let cases: &[(&[u8], Option<u16>, &str, bool)] = &[
            (b"250 ok\r\n", Some(250), "ok", true),
            (b"250-ok\r\n", Some(250), "ok", false),
            (b"250\r\n", Some(250), "", true),
            (b"250-\r\n", Some(250), "", false),
            (b"250 \r\n", Some(250), "", true),
            (b"250\tok\n", Some(250), "ok", true),
            (b"250OK\r\n", Some(250), "OK", true),
            (b"2500 messages\r\n", None, "2500 messages", false),
            (b"127.0.0.1\r\n", None, "127.0.0.1", false),
            (b"25\r\n", None, "25", false),
            (b"hello\r\n", None, "hello", false),
            (b"\r\n", None, "", false),
            (b"000 zero\r\n", Some(0), "zero", true),
            (b"999 nines\r\r\n", Some(999), "nines\r", true),
            (b"250 cut", Some(250), "cut", false),
            (b"250", Some(250), "", false),
        ];
        for (raw, code, text, ends) in cases {
            let line = ReplyLine::new(raw);
            assert_eq!(line.code().map(Code::number), *code, "{line:?}");
            assert_eq!(line.text(), text.as_bytes(), "{line:?}");
            assert_eq!(line.ends_reply(), *ends, "{line:?}");
        }
        assert!(ReplyLine::new(b"250 x\n").has_bare_lf());
        assert!(ReplyLine::new(b"250OK\n").lacks_separator());
    }

    #[test]
    fn enhanced_codes_are_read_only_where_they_are_whole_and_of_the_same_class() {
        let read = |raw: &'static [u8]| ReplyLine::new(raw).enhanced_code().map(|code| code.to_string());
        assert_eq!(read(b"550 5.1.1 no\r\n").as_deref(), Some("5.1.1"));
        assert_eq!(read(b"250-2.0.0\r\n").as_deref(), Some("2.0.0"));
        assert_eq!(read(b"550 5.7.509 x\r\n").as_deref(), Some("5.7.509"));
        for odd in
            [&b"550 2.1.1 x\r\n"[..], b"550 5.1 x\r\n", b"550 5.1.1.1 x\r\n", b"550 5.1.1x\r\n", b"550 5.1000.1 x\r\n"]
        {
            assert_eq!(ReplyLine::new(odd).enhanced_code(), None);
        }
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
}
