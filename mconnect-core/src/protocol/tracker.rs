//! Where a session stands, seen from the bytes that pass.
//!
//! ```text
//!             greeting                 EHLO MAIL RCPT ... (one reply each)
//!  Greeting ───────────► Command ◄──────────────────────────────────────────┐
//!                           │ DATA, 354    ► Body ── lone dot ──────────────┤
//!                           │ BDAT n       ► Chunk { left } ── n octets ────┤
//!                           │ AUTH, 334    ► Auth ── any reply but 334 ─────┘
//!                           │ STARTTLS, 220 ► StartTls
//!                           │ XCLIENT, 220 ► Command, as after the greeting
//!                           │ enter_raw    ► Raw
//!                           └ end of the stream ► Closed
//! ```
//!
//! The tracker observes and never forbids. What a reply grants, [`Meaning`] says; one that shows client and server out of
//! step is remembered as a surprise, and followed as the server means it: after a 354 it reads a body, whatever was asked.
//! After that, lines of nothing but base64 count as secrets, in bodies too; after the end of an AUTH they do until
//! another command comes.
//! What depends on a reply that is not here yet is guessed in the client's
//! favour (354 to DATA, 334 to AUTH), so that bytes sent blindly are read as the client means them; a reply to the
//! contrary marks the tracker out of step until nothing is in flight.

use std::borrow::Cow;
use std::ops::Range;

use super::code::Code;
use super::command::{Command, CommandLine, Span};
use super::due::Due;
use super::encode::LoneDot;
use super::extensions::Extensions;
use super::grants::{Answer, Meaning};
use super::line::ReplyLine;
use super::phase::{Phase, Request};
use super::scan;
use super::secret::{lost_secret_start, wipe};

/// Where a session stands, all of one moment: what to send next, and whether to, is decided by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub struct Standing {
    /// What the next bytes sent will mean to the server.
    pub phase: Phase,
    /// How many replies are due; when not in step, the server may send more.
    pub outstanding: usize,
    /// What the next reply will answer.
    pub awaited: Option<Request>,
    /// The last whole reply that came.
    pub last_answer: Option<Answer>,
    /// The server said that it will close: a 421, or a 221 to QUIT.
    pub is_closing: bool,
    /// The server has replied to QUIT, whatever it said.
    pub has_quit: bool,
    /// What was sent and what was replied went together so far; bytes sent blindly may break that.
    pub is_in_step: bool,
    /// A reply is due that decides what the next bytes mean ([`Request::is_turn`]).
    pub is_turning: bool,
    /// The first reply that showed client and server out of step.
    pub surprise: Option<Answer>,
    /// Replies that were due when QUIT was answered, and can come no more.
    pub lost: usize,
    /// One of them was a message's, which may have been taken.
    pub lost_message: bool,
}

/// Follows a session from the bytes sent and the lines received. A [`Session`](crate::Session) has one inside; by itself
/// it is for those who do the I/O themselves, or look at a session that was recorded.
///
/// ```
/// use mconnect_core::protocol::{Phase, ReplyLine, Tracker};
///
/// let mut tracker = Tracker::new();
/// tracker.received(ReplyLine::new(b"220 ready\r\n"));
/// tracker.sent(b"BDAT 5 LAST\r\nhe");
/// assert_eq!(tracker.phase(), Phase::Chunk { left: 3 });
/// tracker.sent(b"llo");
/// assert_eq!((tracker.phase(), tracker.outstanding()), (Phase::Command, 1));
/// ```
#[derive(Debug, Clone)]
pub struct Tracker {
    sending: Sending,
    line: CommandLine,
    due: Due,
    /// The replies that are due have not been what the client's bytes took them to be.
    out_of_step: bool,
    /// Bytes were sent that are a body or an answer only if DATA or AUTH is granted.
    guessed: bool,
    lines_of_reply: usize,
    /// The message under way was refused before its end, and has had its reply.
    is_refused: bool,
    last: Option<Answer>,
    surprise: Option<Answer>,
    lost: usize,
    lost_message: bool,
    is_lmtp: bool,
    recipients: u32,
    learning: Extensions,
    extensions: Option<Extensions>,
    is_closing: bool,
    has_quit: bool,
    is_closed: bool,
    doubt: Doubt,
    /// AUTH has ended, and answers to it may come all the same.
    expects_strays: bool,
}

/// After a surprise, or an AUTH that has ended: the line under way, whatever the server takes it for.
#[derive(Debug, Default, Clone)]
struct Doubt {
    /// Its first octets.
    head: Vec<u8>,
    /// The rest of it is secret.
    is_hidden: bool,
}

impl Doubt {
    /// Says whether the line has begun: it is doubtful to its end then, whatever the server says meanwhile.
    fn is_under_way(&self) -> bool {
        self.is_hidden || !self.head.is_empty()
    }
}

/// What the next byte sent belongs to, if the server grants what was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sending {
    Command,
    Body(LoneDot),
    Chunk { left: u64, is_last: bool },
    Auth,
    StartTls,
    Raw,
}

impl Default for Tracker {
    fn default() -> Self {
        Self::new()
    }
}

impl Tracker {
    /// Begins a session whose greeting is due.
    pub fn new() -> Self {
        let mut due = Due::default();
        due.push(Request::Greeting, 1);
        Self {
            sending: Sending::Command,
            line: CommandLine::default(),
            due,
            out_of_step: false,
            guessed: false,
            lines_of_reply: 0,
            is_refused: false,
            last: None,
            surprise: None,
            lost: 0,
            lost_message: false,
            is_lmtp: false,
            recipients: 0,
            learning: Extensions::default(),
            extensions: None,
            is_closing: false,
            has_quit: false,
            is_closed: false,
            doubt: Doubt::default(),
            expects_strays: false,
        }
    }

    /// Follows bytes that are sent, cut anywhere. They are to be followed before they are written: the reply can be here as
    /// soon as they are out.
    pub fn sent(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = &bytes[self.sent_span(bytes).size..];
        }
    }

    /// Follows the front part of `bytes`, as much of it as is of one kind, and says what that is. `bytes` must not be
    /// empty; the span then is not.
    pub fn sent_span(&mut self, bytes: &[u8]) -> Span {
        let is_doubtful = match self.sending {
            Sending::Raw => false,
            _ if self.surprise.is_some() || self.doubt.is_under_way() => true,
            sending => self.expects_strays && sending == Sending::Command,
        };
        if is_doubtful { self.sent_in_doubt(bytes) } else { self.sent_part(bytes) }
    }

    /// Follows bytes that are sent, and returns where the secrets in them stand, in order.
    ///
    /// ```
    /// use mconnect_core::protocol::{ReplyLine, Tracker};
    ///
    /// let mut tracker = Tracker::new();
    /// tracker.received(ReplyLine::new(b"220 ready\r\n"));
    /// assert_eq!(tracker.sent_secrets(b"NOOP\r\nAUTH LOGIN dXNlcg==\r\ncGVuY2ls\r\n"), [17..25, 27..35]);
    /// ```
    pub fn sent_secrets(&mut self, bytes: &[u8]) -> Vec<Range<usize>> {
        let (mut secrets, mut at) = (Vec::new(), 0);
        while at < bytes.len() {
            let span = self.sent_span(&bytes[at..]);
            secrets.extend(span.secret_in(bytes, at));
            at += span.size;
        }
        secrets
    }

    fn sent_part(&mut self, bytes: &[u8]) -> Span {
        let size = match self.sending {
            Sending::Body(mut dot) => {
                let end = dot.find(bytes);
                self.sending = if end.is_some() { Sending::Command } else { Sending::Body(dot) };
                self.guessed |= self.due.holds(|request| request == Request::Data);
                if end.is_some() {
                    self.expect_final(Request::EndOfData, true);
                }
                end.unwrap_or(bytes.len())
            }
            Sending::Chunk { left, is_last } => {
                let size = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                self.sent_chunk(left - size as u64, is_last);
                size
            }
            Sending::Command | Sending::Auth | Sending::StartTls => return self.sent_line(bytes),
            Sending::Raw => bytes.len(),
        };
        Span { size, is_secret: false }
    }

    /// Follows a line, or a part of one, when nobody knows any more what the server takes it for.
    fn sent_in_doubt(&mut self, bytes: &[u8]) -> Span {
        let line = &bytes[..scan::find(b'\n', bytes).map_or(bytes.len(), |lf| lf + 1)];
        let before = self.doubt.head.len();
        let mut whole = match before {
            0 => Cow::Borrowed(line),
            _ => Cow::Owned([&self.doubt.head, line].concat()),
        };
        let start = if self.doubt.is_hidden { Some(0) } else { lost_secret_start(&whole, self.surprise.is_none()) };
        let start = start.map(|start| start.saturating_sub(before));
        let part = &line[..start.filter(|start| *start > 0).unwrap_or(line.len())];
        let is_hidden = start == Some(0);
        let span = self.sent_part(part);
        if line.ends_with(b"\n") && span.size == line.len() {
            // Answers come one after the other, if they come.
            self.expects_strays &= is_hidden;
            self.doubt = Doubt::default();
        } else {
            // The secret of an AUTH goes on to the end of its line.
            self.doubt.is_hidden = is_hidden || (start.is_some() && span.size == part.len());
            let kept = if is_hidden { 0 } else { (before + span.size).min(LONGEST_DOUBT) };
            self.doubt.head = whole[..kept].to_vec();
        }
        if let Cow::Owned(whole) = &mut whole {
            wipe(whole);
        }
        Span { is_secret: span.is_secret || is_hidden, ..span }
    }

    /// Follows a line that was received, or a piece of one, and returns the answer that ended with it, if one did.
    pub fn received(&mut self, line: ReplyLine<'_>) -> Option<Answer> {
        let (Some(code), true) = (line.code(), line.ends_reply()) else {
            self.learn(line);
            return None;
        };
        self.learn(line);
        self.lines_of_reply = 0;
        let learnt = std::mem::take(&mut self.learning);

        if code == Code::CLOSING && self.due.holds(|due| due == Request::Quit) {
            self.skip_to_quit();
        }
        let mut request = self.due.pop();
        let message = match self.sending {
            Sending::Body(_) => Some(Request::EndOfData),
            Sending::Chunk { .. } => Some(Request::Bdat),
            _ => None,
        };
        if request.is_none() && Meaning::of(message, code).is_refusal() {
            // A refusal that nothing asked for is the reply to the message under way, before its time.
            self.is_refused = true;
            request = message;
        }
        let answer = Answer { request, code };
        let meaning = answer.meaning();
        self.is_closing |= meaning == Meaning::Closing;
        self.has_quit |= request == Some(Request::Quit);
        if meaning == Meaning::OutOfStep {
            self.surprise.get_or_insert(answer);
        }
        if matches!(request, Some(Request::Auth | Request::AuthAnswer)) {
            self.expects_strays = meaning != Meaning::Challenge;
        }
        match (request, code) {
            // Granted: 354 and 334 change the phase whatever was asked, unless it was guessed so already.
            (Some(Request::Data), Code::START_BODY) => {}
            (Some(Request::Auth | Request::AuthAnswer), Code::CHALLENGE) if self.sending == Sending::Auth => {}
            (_, Code::START_BODY) => self.follow(Sending::Body(LoneDot::default())),
            (_, Code::CHALLENGE) => self.follow(Sending::Auth),
            // Not granted: what was sent meanwhile was no body and no answer to the server.
            (Some(Request::Data), _) => self.refuse(|sending| matches!(sending, Sending::Body(_)), Request::Data),
            (Some(Request::Auth | Request::AuthAnswer), _) => {
                self.refuse(|sending| sending == Sending::Auth, Request::Auth);
            }
            (Some(Request::Rcpt), _) if !meaning.is_granted() && self.is_lmtp => self.due.spare(Request::EndOfData),
            (Some(request), _) if meaning.is_granted() => self.grant(request, learnt),
            _ => {}
        }
        if self.due.count() == 0 {
            (self.out_of_step, self.guessed) = (false, false);
        }
        self.last = Some(answer);
        Some(answer)
    }

    fn grant(&mut self, request: Request, learnt: Extensions) {
        match request {
            Request::StartTls => self.follow(Sending::StartTls),
            Request::Quit => self.is_closing = true,
            Request::Ehlo | Request::Lhlo => {
                self.is_lmtp |= request == Request::Lhlo;
                self.recipients = 0;
                self.extensions = Some(learnt);
            }
            // The session begins again, as after the greeting.
            Request::XClient => (self.recipients, self.extensions) = (0, None),
            Request::Helo | Request::Mail | Request::Rset => self.recipients = 0,
            Request::Rcpt => self.recipients += 1,
            _ => {}
        }
    }

    /// A 221 while QUIT is due answers that: what was due before comes no more.
    fn skip_to_quit(&mut self) {
        while let Some(request) = self.due.front().filter(|request| *request != Request::Quit) {
            self.due.pop();
            // Not every server answers an empty line.
            self.lost += usize::from(request != Request::EmptyLine);
            self.lost_message |= matches!(request, Request::EndOfData | Request::Bdat);
        }
    }

    /// Stops following: the session goes on in raw mode, where nothing is due.
    pub fn enter_raw(&mut self) {
        self.sending = Sending::Raw;
        (self.due, self.doubt) = (Due::default(), Doubt::default());
    }

    /// Follows the end of the stream: nothing will be received any more.
    pub fn ended(&mut self) {
        self.is_closed = true;
    }

    /// Follows the start of TLS: what was learnt before it counts no more
    /// ([RFC 3207, section 4.2](https://www.rfc-editor.org/rfc/rfc3207#section-4.2)). A greeting that is due stays so.
    pub fn tls_started(&mut self) {
        let is_first = self.awaited() == Some(Request::Greeting);
        *self = Self { last: self.last, surprise: self.surprise, is_lmtp: self.is_lmtp, ..Self::new() };
        if !is_first {
            self.due = Due::default();
        }
    }

    /// Stops waiting for the reply to an empty line, which some servers leave out, if that is the one due next.
    pub fn forgo_empty_line(&mut self) {
        if self.due.front() == Some(Request::EmptyLine) {
            self.due.pop();
        }
    }

    /// Says where the session stands.
    pub fn standing(&self) -> Standing {
        Standing {
            phase: self.phase(),
            outstanding: self.due.count(),
            awaited: self.due.front(),
            last_answer: self.last,
            is_closing: self.is_closing,
            has_quit: self.has_quit,
            is_in_step: !self.out_of_step,
            is_turning: self.due.holds(Request::is_turn),
            surprise: self.surprise,
            lost: self.lost,
            lost_message: self.lost_message,
        }
    }

    /// Says whether a reply is due, not only as the next one, to a request of such a kind.
    #[must_use]
    pub fn owes(&self, is_it: impl Fn(Request) -> bool) -> bool {
        self.due.holds(is_it)
    }

    /// Says what the next bytes sent will mean to the server.
    pub fn phase(&self) -> Phase {
        match self.sending {
            _ if self.is_closed => Phase::Closed,
            Sending::Command if self.due.front() == Some(Request::Greeting) => Phase::Greeting,
            Sending::Command => Phase::Command,
            Sending::Body(_) => Phase::Body,
            Sending::Chunk { left, .. } => Phase::Chunk { left },
            Sending::Auth => Phase::Auth,
            Sending::StartTls => Phase::StartTls,
            Sending::Raw => Phase::Raw,
        }
    }

    /// Returns how many replies are due; while the tracker is out of step, the server may send more.
    pub fn outstanding(&self) -> usize {
        self.due.count()
    }

    /// Says whether the session is one of LMTP: LHLO was granted.
    #[must_use]
    pub fn is_lmtp(&self) -> bool {
        self.is_lmtp
    }

    /// Says what the next reply will answer.
    pub fn awaited(&self) -> Option<Request> {
        self.due.front()
    }

    /// Returns what the server advertised when it last granted EHLO or LHLO.
    pub fn extensions(&self) -> Option<&Extensions> {
        self.extensions.as_ref()
    }

    fn sent_line(&mut self, bytes: &[u8]) -> Span {
        let line_end = scan::find(b'\n', bytes).map(|lf| lf + 1);
        let part = &bytes[..line_end.unwrap_or(bytes.len())];
        let span = match self.sending {
            Sending::Auth => self.line.add_answer(part),
            _ => self.line.add(part),
        };
        if line_end == Some(span.size) {
            self.sent_line_end();
        }
        span
    }

    fn sent_line_end(&mut self) {
        if self.sending == Sending::Auth {
            self.guessed |= self.due.holds(|request| matches!(request, Request::Auth | Request::AuthAnswer));
            self.due.push(Request::AuthAnswer, 1);
            self.line.clear();
        } else {
            let command = self.line.command();
            self.line.clear();
            self.sent_command(command);
        }
    }

    fn sent_command(&mut self, command: Command) {
        self.sending = match command {
            Command { request: Request::Data, .. } => Sending::Body(LoneDot::default()),
            Command { request: Request::Auth, .. } => Sending::Auth,
            Command { chunk: Some((octets, is_last)), .. } => return self.sent_chunk(octets, is_last),
            _ => Sending::Command,
        };
        self.due.push(command.request, 1);
    }

    fn sent_chunk(&mut self, left: u64, is_last: bool) {
        if left > 0 {
            self.sending = Sending::Chunk { left, is_last };
        } else {
            self.sending = Sending::Command;
            self.expect_final(Request::Bdat, is_last);
        }
    }

    fn expect_final(&mut self, request: Request, is_last: bool) {
        if !std::mem::take(&mut self.is_refused) {
            self.due.push(request, if is_last { self.final_replies() } else { 1 });
        }
    }

    /// Returns how many replies follow a message: in LMTP one for each accepted recipient
    /// ([RFC 2033, section 4.2](https://www.rfc-editor.org/rfc/rfc2033#section-4.2)).
    fn final_replies(&self) -> usize {
        if !self.is_lmtp {
            return 1;
        }
        let unanswered = self.due.count_of(Request::Rcpt);
        (self.recipients as usize + unanswered).max(1)
    }

    fn learn(&mut self, line: ReplyLine<'_>) {
        // Noise before the first line of a reply is none of its lines.
        if self.lines_of_reply == 0 && line.code().is_none() {
            return;
        }
        let is_ehlo = matches!(self.due.front(), Some(Request::Ehlo | Request::Lhlo));
        if is_ehlo && line.is_start() {
            self.learning.add(self.lines_of_reply, line);
        }
        self.lines_of_reply = self.lines_of_reply.saturating_add(1);
    }

    fn follow(&mut self, sending: Sending) {
        self.sending = sending;
        self.line.clear();
        self.out_of_step |= self.due.count() > 0;
    }

    fn refuse(&mut self, is_guess: impl Fn(Sending) -> bool, request: Request) {
        if is_guess(self.sending) && !self.due.holds(|due| due == request) {
            self.sending = Sending::Command;
        }
        self.out_of_step |= self.guessed;
    }
}

/// This many octets of a line tell an AUTH.
const LONGEST_DOUBT: usize = 64;
