//! Whole replies.

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
///
/// | to know | ask |
/// |---|---|
/// | whether what was asked may be taken as done | [`is_granted`](Self::is_granted), [`meaning`](Self::meaning) |
/// | the same, as a `Result` | [`require`](Self::require), [`require_severity`](Self::require_severity) |
/// | what the server says | [`text_lossy`](Self::text_lossy), [`enhanced_code`](Self::enhanced_code) |
/// | what came over the wire | [`raw`](Self::raw), [`lines`](Self::lines), [`flaws`](Self::flaws) |
/// | what it answers | [`request`](Self::request) |
///
/// ```
/// # #[cfg(feature = "server")] {
/// # let server = mconnect_core::server::Server::start()?;
/// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
/// # session.greeting()?;
/// # session.hello("client.example")?;
/// # session.command("MAIL FROM:<>")?;
/// use mconnect_core::protocol::Meaning;
///
/// let reply = session.command("RCPT TO:<later@example.org>")?;
/// match reply.meaning() {
///     Meaning::Granted | Meaning::Unusual => println!("it will be delivered"),
///     Meaning::Deferred => println!("try again later: {}", reply.text_lossy()),
///     _ => println!("no: {reply}"),
/// }
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
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

/// What a reply has against the rules ([RFC 5321, section 4.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.2)):
/// none of it keeps it from being read. A default one has nothing.
///
/// ```
/// use mconnect_core::protocol::{Flaws, Limits, ReplyBuilder, ReplyLine};
///
/// let mut builder = ReplyBuilder::new(Limits::default());
/// builder.push(ReplyLine::new(b"250-one\r\n"))?;
/// let flaws = builder.push(ReplyLine::new(b"251 two\n"))?.unwrap().flaws();
/// assert!(flaws.codes_differ && flaws.bare_lf);
/// let flaws = builder.push(ReplyLine::new(b"250 ok\r\n"))?.unwrap().flaws();
/// assert_eq!(flaws, Flaws::default());
/// # Ok::<(), mconnect_core::protocol::LimitExceeded>(())
/// ```
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
    /// Makes one of its bytes, and of what was seen in them; nobody has said yet what it answers.
    pub(super) fn new(raw: Vec<u8>, code: Code, flaws: Flaws) -> Self {
        Self { raw, code, flaws, request: None, peer: None }
    }

    /// Returns the code of the last line; where the lines differ, that is the one that counts here, and
    /// [`flaws`](Self::flaws) says so.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Returns what it means to what it answers. A reply that no session read answers nothing that is known, and most
    /// codes are [out of step](Meaning::OutOfStep) then: mark it by [`in_answer_to`](Self::in_answer_to) first.
    pub fn meaning(&self) -> Meaning {
        Meaning::of(self.request, self.code)
    }

    /// Says whether it grants what it answers, by a code that does so: 354 DATA, 220 STARTTLS, 235 AUTH. A 2yz by
    /// itself grants nothing.
    #[must_use]
    pub fn is_granted(&self) -> bool {
        self.meaning().is_granted()
    }

    /// Returns the enhanced status code of the last line that has one
    /// ([RFC 2034](https://www.rfc-editor.org/rfc/rfc2034)).
    pub fn enhanced_code(&self) -> Option<EnhancedCode> {
        self.lines().filter_map(ReplyLine::enhanced_code).last()
    }

    /// Returns its lines, in order, those without a code with them.
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

    /// Returns the text of all its lines, without codes, joined by LF: as bytes, noise with it.
    pub fn text(&self) -> Vec<u8> {
        let lines: Vec<&[u8]> = self.lines().map(ReplyLine::text).collect();
        lines.join(&b'\n')
    }

    /// Returns every byte of it as it was received.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Returns what the reply has against the rules.
    pub fn flaws(&self) -> Flaws {
        self.flaws
    }

    /// Returns what it answers, if that is known: a session knows, and `None` is then a reply that nobody asked for.
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

    /// Returns the reply itself if its code's first digit says this: for tests that do not care whether it is a 550 or
    /// a 554.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// # session.greeting()?;
    /// use mconnect_core::protocol::Severity;
    ///
    /// session.command("NOOP")?.require_severity(Severity::Completion)?;
    /// let refused = session.command("XYZZY")?.require_severity(Severity::Completion).unwrap_err();
    /// assert_eq!(refused.expected, "2yz");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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

    /// Marks the reply with what it answers and who sent it, for its [`meaning`](Self::meaning) and for the messages of
    /// errors. Sessions have done so.
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

/// A reply other than the one that was required. `?` makes an [`Error::Unexpected`](crate::Error::Unexpected) of it;
/// the reply itself is in it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("expected {expected} {}, got \"{reply}\"", Situation(reply))]
#[non_exhaustive]
pub struct Unexpected {
    /// What was required: a code such as `250` or a class such as `2yz`.
    pub expected: String,
    /// What came.
    pub reply: Box<Reply>,
}

/// What was asked, and of whom, as far as it is known.
struct Situation<'a>(&'a Reply);

impl fmt::Display for Situation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.request, &self.0.peer) {
            (Some(Request::Greeting), Some(peer)) => write!(f, "as the greeting of {}", Visible(peer.as_bytes())),
            (Some(Request::Greeting), None) => f.write_str("as the greeting"),
            (Some(request), Some(peer)) => write!(f, "in reply to {request} from {}", Visible(peer.as_bytes())),
            (Some(request), None) => write!(f, "in reply to {request}"),
            (None, Some(peer)) => write!(f, "from {}", Visible(peer.as_bytes())),
            (None, None) => f.write_str("as the reply"),
        }
    }
}
