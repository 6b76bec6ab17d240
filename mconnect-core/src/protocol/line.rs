//! Lines out of bytes, and what a line of a reply says by itself.
//!
//! ```text
//!   received bytes ──► LineBuffer ──► a line, or a piece of one longer than the limit ──► ReplyLine: code, text, marks
//! ```

use std::borrow::Cow;
use std::fmt;

use super::code::{Code, EnhancedCode};
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
    pub(super) raw: &'a [u8],
    pub(super) lead: Option<Lead>,
    pub(super) is_start: bool,
}

/// What stands before the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lead {
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
        let code = Code::of_digits(digits)?;
        let separator = match rest.first() {
            None => Separator::None,
            Some(b' ' | b'\t') => Separator::Space,
            Some(b'-') => Separator::Hyphen,
            Some(byte) if byte.is_ascii_alphabetic() => Separator::Missing,
            Some(_) => return None,
        };
        Some(Self { code, separator })
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

/// Cuts off LF, and one CR before it.
fn without_line_end(raw: &[u8]) -> &[u8] {
    let content = raw.strip_suffix(b"\n").unwrap_or(raw);
    if content.len() < raw.len() { content.strip_suffix(b"\r").unwrap_or(content) } else { content }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(format!("{:?}", ReplyLine::new(b"250 x\n")), r#"ReplyLine { raw: "250 x\n", is_start: true }"#);
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
}
