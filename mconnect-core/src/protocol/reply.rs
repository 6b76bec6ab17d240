//! Whole replies, folded out of lines.

use std::fmt;
use std::sync::Arc;

use super::code::{Code, EnhancedCode, Severity};
use super::grants::Meaning;
use super::line::ReplyLine;
use super::phase::Request;
use super::scan;
use super::visible::Visible;

/// A whole reply: every line the server sent for it, byte for byte, with the code of the last.
///
/// A negative reply is a value like any other; [`require`](Self::require) makes an error of it where the caller wants
/// one.
///
/// ```text
///   warning: disk full        noise: a line without a code
///   550-5.1.1 no such mailbox own_lines; what text has of this line: 5.1.1 no such mailbox
///   550 5.1.1 try another     code: 550, that of the last line; enhanced_code: 5.1.1
/// ```
/// [`Display`](fmt::Display) shows it on one line, safe for a terminal; [`raw`](Self::raw) has every byte.
#[doc(alias = "response")]
#[doc(alias = "status")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Reply {
    raw: Vec<u8>,
    code: Code,
    flaws: Flaws,
    request: Option<Request>,
    peer: Option<Arc<str>>,
}

/// What a reply has against the rules
/// ([RFC 5321, section 4.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.2)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[must_use]
#[non_exhaustive]
pub struct Flaws {
    /// Its lines have different codes.
    pub codes_differ: bool,
    /// One of its lines has no code.
    pub line_without_code: bool,
    /// One of its lines ended with LF alone.
    pub bare_lf: bool,
    /// Text follows the code without a separator.
    pub missing_separator: bool,
}

impl Reply {
    /// Returns the code of the last line.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Returns what it means to what it answers. A reply that no session read answers nothing that is known.
    pub fn meaning(&self) -> Meaning {
        Meaning::of(self.request, self.code)
    }

    /// Says whether it grants what it answers, by a code that does so: 354 DATA, 220 STARTTLS, 235 AUTH.
    #[must_use]
    pub fn is_granted(&self) -> bool {
        self.meaning().is_granted()
    }

    /// Returns the enhanced status code of the last line that has one
    /// ([RFC 2034](https://www.rfc-editor.org/rfc/rfc2034)).
    pub fn enhanced_code(&self) -> Option<EnhancedCode> {
        self.lines().filter_map(ReplyLine::enhanced_code).last()
    }

    /// Returns its lines, in order.
    pub fn lines(&self) -> impl Iterator<Item = ReplyLine<'_>> {
        scan::lines(&self.raw).map(|line| ReplyLine::new(&self.raw[line]))
    }

    /// Returns the lines with a code: those of the reply itself.
    pub fn own_lines(&self) -> impl Iterator<Item = ReplyLine<'_>> {
        self.lines().filter(|line| line.code().is_some())
    }

    /// Returns the lines without a code, which stood before its own lines or among them.
    pub fn noise(&self) -> impl Iterator<Item = ReplyLine<'_>> {
        self.lines().filter(|line| line.code().is_none())
    }

    /// Returns the text of the lines with a code, without the codes, joined by LF; U+FFFD stands for what is not UTF-8.
    ///
    /// ```
    /// use mconnect_core::protocol::{Limits, ReplyBuilder, ReplyLine};
    ///
    /// let mut builder = ReplyBuilder::new(Limits::default());
    /// builder.push(ReplyLine::new(b"warning: disk full\r\n"))?;
    /// builder.push(ReplyLine::new(b"550-5.1.1 no such\r\n"))?;
    /// let reply = builder.push(ReplyLine::new(b"550 5.1.1 mailb\xf6x\r\n"))?.unwrap();
    /// assert_eq!(reply.text_lossy(), "5.1.1 no such\n5.1.1 mailb\u{fffd}x");
    /// assert_eq!(reply.noise().next().unwrap().text_lossy(), "warning: disk full");
    /// # Ok::<(), mconnect_core::protocol::LimitExceeded>(())
    /// ```
    pub fn text_lossy(&self) -> String {
        let lines: Vec<&[u8]> = self.own_lines().map(ReplyLine::text).collect();
        String::from_utf8_lossy(&lines.join(&b'\n')).into_owned()
    }

    /// Returns the text of all its lines, without codes, joined by LF.
    pub fn text(&self) -> Vec<u8> {
        let lines: Vec<&[u8]> = self.lines().map(ReplyLine::text).collect();
        lines.join(&b'\n')
    }

    /// Returns every byte of it as it was received.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Says what the reply has against the rules.
    pub fn flaws(&self) -> Flaws {
        self.flaws
    }

    /// Says what it answers, if that is known.
    pub fn request(&self) -> Option<Request> {
        self.request
    }

    /// Returns the reply itself if it has this code.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// # session.greeting()?;
    /// # session.hello("client.example")?;
    /// # session.command("MAIL FROM:<>")?;
    /// let refused = session.command("RCPT TO:<refused@example.org>")?.require(250).unwrap_err();
    /// assert_eq!(refused.reply.code(), 550);
    /// assert!(refused.to_string().starts_with("expected 250 in reply to RCPT from 127.0.0.1"));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Unexpected`] holds the reply if the code is another.
    #[doc(alias = "expect")]
    #[doc(alias = "assert")]
    pub fn require(self, code: u16) -> Result<Self, Unexpected> {
        let is_met = self.code == code;
        self.require_that(is_met, || format!("{code:03}"))
    }

    /// Returns the reply itself if its code's first digit says this.
    ///
    /// # Errors
    /// [`Unexpected`] holds the reply if the first digit says something else.
    pub fn require_severity(self, severity: Severity) -> Result<Self, Unexpected> {
        let is_met = self.code.severity() == severity;
        self.require_that(is_met, || match severity {
            Severity::Completion => "2yz".to_owned(),
            Severity::Intermediate => "3yz".to_owned(),
            Severity::Transient => "4yz".to_owned(),
            Severity::Permanent => "5yz".to_owned(),
            Severity::Other => "a code of no known class".to_owned(),
        })
    }

    /// Marks the reply with what it answers and who sent it, for the messages of errors.
    #[must_use]
    pub fn in_answer_to(mut self, request: Option<Request>, peer: Arc<str>) -> Self {
        self.request = request;
        self.peer = Some(peer);
        self
    }

    fn require_that(self, is_met: bool, expected: impl FnOnce() -> String) -> Result<Self, Unexpected> {
        if is_met { Ok(self) } else { Err(Unexpected { expected: expected(), reply: Box::new(self) }) }
    }
}

impl fmt::Display for Reply {
    /// Shows its lines, safe for a terminal, joined by ` / `.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, line) in self.lines().enumerate() {
            write!(f, "{}{line}", if index > 0 { " / " } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("code", &self.code.number())
            .field("raw", &format_args!("\"{}\"", self.raw.escape_ascii()))
            .field("flaws", &self.flaws)
            .field("request", &self.request)
            .finish()
    }
}

/// A reply other than the one that was required.
#[derive(Debug, Clone, thiserror::Error)]
#[error("expected {expected} {}, got \"{reply}\"", Situation(reply))]
#[non_exhaustive]
pub struct Unexpected {
    /// What was required: a code such as `250` or a class such as `2yz`.
    pub expected: String,
    /// What came.
    pub reply: Box<Reply>,
}

struct Situation<'a>(&'a Reply);

impl fmt::Display for Situation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.request, &self.0.peer) {
            (Some(request), Some(peer)) => write!(f, "in reply to {request} from {}", Visible(peer.as_bytes())),
            (Some(request), None) => write!(f, "in reply to {request}"),
            (None, Some(peer)) => write!(f, "from {}", Visible(peer.as_bytes())),
            (None, None) => f.write_str("as the reply"),
        }
    }
}

/// How much a server may send for one line and one reply.
///
/// The defaults are far above what [RFC 5321, section 4.5.3.1](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1)
/// asks for (512 octets a line), and small enough that a hostile server cannot fill the memory.
///
/// ```
/// use mconnect_core::protocol::Limits;
///
/// let limits = Limits::default().lines(100).reply(64 * 1024);
/// assert_eq!(limits.line, 65_536);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Octets in a line, its end included; 65,536 by default. A longer line comes in pieces of this size.
    pub line: usize,
    /// Lines in a reply; 10,000 by default.
    pub lines: usize,
    /// Octets in a reply; 4 MiB by default.
    pub reply: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { line: 64 * 1024, lines: 10_000, reply: 4 * 1024 * 1024 }
    }
}

impl Limits {
    /// Sets how many octets a line may have, its end included.
    #[must_use]
    pub fn line(self, octets: usize) -> Self {
        Self { line: octets, ..self }
    }

    /// Sets how many lines a reply may have.
    #[must_use]
    pub fn lines(self, lines: usize) -> Self {
        Self { lines, ..self }
    }

    /// Sets how many octets a reply may have.
    #[must_use]
    pub fn reply(self, octets: usize) -> Self {
        Self { reply: octets, ..self }
    }
}

/// A reply went over one of the [`Limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitExceeded {
    /// A line is longer than this many octets.
    #[error("a line is longer than {0} octets")]
    Line(usize),
    /// A reply has more lines than this.
    #[error("the reply has more than {0} lines")]
    Lines(usize),
    /// A reply is longer than this many octets.
    #[error("the reply is longer than {0} octets")]
    Reply(usize),
}

/// Folds lines into replies.
///
/// ```
/// use mconnect_core::protocol::{Limits, ReplyBuilder, ReplyLine};
///
/// let mut builder = ReplyBuilder::new(Limits::default());
/// assert!(builder.push(ReplyLine::new(b"250-mx.example.org\r\n"))?.is_none());
/// let reply = builder.push(ReplyLine::new(b"250 SIZE 1000\r\n"))?.expect("it ends here");
/// assert_eq!((reply.code().number(), reply.lines().count()), (250, 2));
/// # Ok::<(), mconnect_core::protocol::LimitExceeded>(())
/// ```
#[derive(Debug)]
pub struct ReplyBuilder {
    limits: Limits,
    raw: Vec<u8>,
    lines: usize,
    code: Option<Code>,
    flaws: Flaws,
}

impl ReplyBuilder {
    /// Makes one that holds replies to these limits.
    pub fn new(limits: Limits) -> Self {
        Self { limits, raw: Vec::new(), lines: 0, code: None, flaws: Flaws::default() }
    }

    /// Adds a line, and returns the reply that ends with it, if one does.
    ///
    /// Lines without a code belong to the reply under way, or else to the next.
    ///
    /// # Errors
    /// [`LimitExceeded`], when the line or the reply is over a limit; [`take_partial`](Self::take_partial) then returns
    /// what was read.
    pub fn push(&mut self, line: ReplyLine<'_>) -> Result<Option<Reply>, LimitExceeded> {
        if self.raw.len() + line.raw().len() > self.limits.reply {
            return Err(LimitExceeded::Reply(self.limits.reply));
        }
        if self.lines == self.limits.lines {
            return Err(LimitExceeded::Lines(self.limits.lines));
        }
        if self.raw.is_empty() && !line.ends_reply() {
            self.raw.reserve(MULTI_LINE);
        }
        self.raw.extend_from_slice(line.raw());
        if !line.is_start() || (!line.is_finished() && line.raw().len() >= self.limits.line) {
            return Err(LimitExceeded::Line(self.limits.line));
        }
        self.lines += 1;
        self.flaws.bare_lf |= line.has_bare_lf();
        self.flaws.missing_separator |= line.lacks_separator();
        match line.code() {
            None => self.flaws.line_without_code = true,
            Some(code) => {
                self.flaws.codes_differ |= self.code.is_some_and(|before| before != code);
                self.code = Some(code);
            }
        }
        match self.code {
            Some(code) if line.ends_reply() => {
                let flaws = self.flaws;
                Ok(Some(Reply { raw: self.take_partial(), code, flaws, request: None, peer: None }))
            }
            _ => Ok(None),
        }
    }

    /// Returns the bytes of the reply under way.
    pub fn partial(&self) -> &[u8] {
        &self.raw
    }

    /// Takes the bytes of the reply under way, and begins anew.
    pub fn take_partial(&mut self) -> Vec<u8> {
        (self.lines, self.code, self.flaws) = (0, None, Flaws::default());
        std::mem::take(&mut self.raw)
    }
}

/// A reply of several lines begins with this much room, in octets: most replies to EHLO are shorter.
const MULTI_LINE: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::LineBuffer;

    fn replies(stream: &[u8], limits: Limits) -> (Vec<Reply>, Option<LimitExceeded>, Vec<u8>) {
        let (mut buffer, mut builder, mut replies) =
            (LineBuffer::new(limits.line), ReplyBuilder::new(limits), Vec::new());
        buffer.extend(stream);
        while let Some(line) = buffer.next_line() {
            match builder.push(line) {
                Ok(reply) => replies.extend(reply),
                Err(error) => return (replies, Some(error), builder.take_partial()),
            }
        }
        (replies, None, builder.take_partial())
    }

    #[test]
    fn marks_show_what_is_odd_in_a_reply() {
        let stream = b"220 fine\r\n250-a\r\n251 b\r\nnoise\r\n250 c\r\n250 d\n250OK\r\n";
        let (replies, error, rest) = replies(stream, Limits::default());
        assert_eq!((error, rest), (None, Vec::new()));
        let shown: Vec<String> = replies.iter().map(Reply::to_string).collect();
        assert_eq!(shown, ["220 fine", "250-a / 251 b", "noise / 250 c", "250 d", "250OK"]);
        let flaws: Vec<Flaws> = replies.iter().map(Reply::flaws).collect();
        assert_eq!(flaws[0], Flaws::default());
        assert_eq!(flaws[1], Flaws { codes_differ: true, ..Flaws::default() });
        assert_eq!(flaws[2], Flaws { line_without_code: true, ..Flaws::default() });
        assert_eq!(flaws[3], Flaws { bare_lf: true, ..Flaws::default() });
        assert_eq!(flaws[4], Flaws { missing_separator: true, ..Flaws::default() });
        assert_eq!(replies[1].code(), Code::new(251).unwrap());
    }

    #[test]
    fn a_reply_keeps_every_byte_and_gives_its_text() {
        let stream = b"250-one\x00\r\n250-\r\n250 2.1.5 \xe9\r\n";
        let (replies, ..) = replies(stream, Limits::default());
        assert_eq!(replies[0].raw(), stream);
        assert_eq!(replies[0].text(), b"one\x00\n\n2.1.5 \xe9");
        assert_eq!(replies[0].enhanced_code().unwrap().to_string(), "2.1.5");
    }

    #[test]
    fn each_limit_is_an_error_that_keeps_what_was_read() {
        let limits = Limits { line: 10, lines: 3, reply: 25 };
        let cases: &[(&[u8], LimitExceeded, &[u8])] = &[
            (b"250 ok\r\n250 longer than ten\r\n", LimitExceeded::Line(10), b"250 longer"),
            (b"250-\n250-\n250-\n250 x\n", LimitExceeded::Lines(3), b"250-\n250-\n250-\n"),
            (b"250-ab\r\n250-ab\r\n250-abcd\r\n", LimitExceeded::Reply(25), b"250-ab\r\n250-ab\r\n"),
        ];
        for (stream, error, kept) in cases {
            let (_, got, partial) = replies(stream, limits);
            assert_eq!((got, partial.as_slice()), (Some(*error), *kept));
        }
    }

    #[test]
    fn a_required_code_gives_the_reply_back_or_an_error_that_tells_the_whole_story() {
        let (replies, ..) = replies(b"550-5.1.1 no\x1b\r\n550 such user\r\n", Limits::default());
        let reply = replies[0].clone().in_answer_to(Some(Request::Rcpt), "mx.example.org".into());
        assert!(reply.clone().require(550).is_ok());
        assert!(reply.clone().require_severity(Severity::Permanent).is_ok());
        let error = reply.require(250).unwrap_err();
        assert_eq!(
            error.to_string(),
            "expected 250 in reply to RCPT from mx.example.org, got \"550-5.1.1 no\\x1b / 550 such user\""
        );
    }
}
