//! Replies, folded out of lines.

use super::code::Code;
use super::limits::{LimitExceeded, Limits};
use super::line::ReplyLine;
use super::reply::{Flaws, Reply};

/// Folds lines into replies, and holds them to [`Limits`].
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
///
/// A reply ends with the first line that [ends one](ReplyLine::ends_reply), whatever codes the lines before had: a
/// server that changes its mind in the middle is marked ([`Flaws::codes_differ`]), and not refused.
#[doc(alias = "parser")]
#[doc(alias = "decoder")]
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
    /// what was read. It is the caller's to give up, or to go on with what comes next as a new reply.
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
                Ok(Some(Reply::new(self.take_partial(), code, flaws)))
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
    use crate::protocol::{LineBuffer, Request, Severity};

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
        let texts = |lines: Vec<ReplyLine<'_>>| lines.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(texts(replies[2].own_lines().collect()), ["250 c"]);
        assert_eq!(texts(replies[2].noise().collect()), ["noise"]);
    }

    #[test]
    fn a_reply_keeps_every_byte_and_gives_its_text() {
        let stream = b"250-one\x00\r\n250-\r\n250 2.1.5 \xe9\r\n";
        let (replies, ..) = replies(stream, Limits::default());
        assert_eq!(replies[0].raw(), stream);
        assert_eq!(replies[0].text(), b"one\x00\n\n2.1.5 \xe9");
        assert_eq!(replies[0].enhanced_code().unwrap().to_string(), "2.1.5");
        let shown = format!("{:?}", replies[0]);
        assert!(
            shown.starts_with(r#"Reply { code: 250, raw: "250-one\x00\r\n250-\r\n250 2.1.5 \xe9\r\n", flaws"#),
            "{shown}"
        );
    }

    #[test]
    fn each_limit_is_set_by_itself() {
        let limits = Limits::default();
        assert_eq!((limits.line, limits.lines, limits.reply), (65_536, 10_000, 4 << 20));
        assert_eq!(limits.line(1), Limits { line: 1, ..limits });
        assert_eq!(limits.lines(2), Limits { lines: 2, ..limits });
        assert_eq!(limits.reply(3), Limits { reply: 3, ..limits });
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
        for as_much_as_that in [&b"250 long\r\n"[..], b"250-\n250-\n250 x\n", b"250-ab\r\n250-ab\r\n250 abc\r\n"] {
            let (whole, error, _) = replies(as_much_as_that, limits);
            assert_eq!((whole.len(), error), (1, None), "{}", as_much_as_that.escape_ascii());
        }
        // The stream ended in it.
        let mut builder = ReplyBuilder::new(limits);
        assert_eq!(builder.push(ReplyLine::new(b"250 cut")), Ok(None));
        assert_eq!(builder.partial(), b"250 cut");
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
