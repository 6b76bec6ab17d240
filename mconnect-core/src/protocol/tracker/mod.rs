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
//! The tracker observes and never forbids. What a reply grants, [`Meaning`](super::grants::Meaning) says; one that
//! shows client and server out of step is remembered as a surprise, and followed as the server means it: after a 354 it
//! reads a body, whatever was asked. After that, lines of nothing but base64 count as secrets, in bodies too; after the
//! end of an AUTH they do until another command comes. What depends on a reply that is not here yet is guessed in the
//! client's favour (354 to DATA, 334 to AUTH), so that bytes sent blindly are read as the client means them; a reply to
//! the contrary marks the tracker out of step until nothing is in flight.
//!
//! The two directions meet in two fields. `sending` says what the next octet sent belongs to, and `due` which replies
//! are to come, in order: a command, a lone dot and the last octet of a chunk push one, the last line of a reply pops
//! one.

mod received;
mod sent;

use super::command::CommandLine;
use super::due::Due;
use super::encode::LoneDot;
use super::extensions::Extensions;
use super::grants::Answer;
use super::phase::{Phase, Request};
use super::standing::Standing;
use sent::Doubt;

/// Follows a session from the bytes sent and the lines received. A [`Session`](crate::Session) has one inside; by
/// itself it is for those who do the I/O themselves, or look at a session that was recorded.
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
///
/// What depends on a reply that is not here yet is guessed in the client's favour, and corrected by the reply:
///
/// ```
/// # use mconnect_core::protocol::{Phase, ReplyLine, Tracker};
/// # let mut tracker = Tracker::new();
/// # tracker.received(ReplyLine::new(b"220 ready\r\n"));
/// tracker.sent(b"DATA\r\n");
/// assert_eq!(tracker.phase(), Phase::Body, "354 is hoped for");
/// tracker.received(ReplyLine::new(b"554 no valid recipients\r\n"));
/// assert_eq!(tracker.phase(), Phase::Command);
/// ```
///
/// Its memory is bounded, whatever passes: of a command line 64 octets are kept, of extensions 64 KiB, and of the
/// replies that are due as many kinds as come after each other, up to 4,096.
#[doc(alias = "state machine")]
#[doc(alias = "sans-io")]
#[derive(Debug, Clone)]
pub struct Tracker {
    sending: Sending,
    line: CommandLine,
    due: Due,
    /// The replies that are due have not been what the client's bytes took them to be.
    out_of_step: bool,
    /// Bytes were sent that are a body or an answer only if DATA or AUTH is granted.
    guessed: bool,
    /// How many lines of the reply under way have come: those of EHLO are numbered.
    lines_of_reply: usize,
    /// The message under way was refused before its end, and has had its reply.
    is_refused: bool,
    /// The last whole reply.
    last: Option<Answer>,
    surprise: Option<Answer>,
    lost: usize,
    lost_message: bool,
    /// LHLO was granted: a message has a reply for each recipient.
    is_lmtp: bool,
    /// How many RCPT were granted since the last MAIL.
    recipients: usize,
    /// What the reply to EHLO under way has said so far.
    learning: Extensions,
    extensions: Option<Extensions>,
    is_closing: bool,
    has_quit: bool,
    is_closed: bool,
    doubt: Doubt,
    /// AUTH has ended, and answers to it may come all the same.
    expects_strays: bool,
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

    /// Stops following: the session goes on in raw mode, where nothing is due and nothing is secret.
    pub fn enter_raw(&mut self) {
        self.sending = Sending::Raw;
        (self.due, self.doubt) = (Due::default(), Doubt::default());
    }

    /// Follows the end of the stream: nothing will be received any more. The phase is [`Phase::Closed`] from now on;
    /// replies that were due stay counted.
    pub fn ended(&mut self) {
        self.is_closed = true;
    }

    /// Follows the start of TLS: what was learnt before it counts no more
    /// ([RFC 3207, section 4.2](https://www.rfc-editor.org/rfc/rfc3207#section-4.2)). A greeting that is due stays so,
    /// as with TLS from the first byte on. The end of TLS is followed in the same way.
    pub fn tls_started(&mut self) {
        let is_first = self.awaited() == Some(Request::Greeting);
        *self = Self { last: self.last, surprise: self.surprise, is_lmtp: self.is_lmtp, ..Self::new() };
        if !is_first {
            self.due = Due::default();
        }
    }

    /// Stops waiting for the reply to an empty line, which some servers leave out, if that is the one due next;
    /// otherwise it does nothing.
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

    /// Says whether a line of which something was sent has not come to its end.
    pub(crate) fn is_in_line(&self) -> bool {
        self.line.has_begun()
    }

    /// Says what the next reply will answer.
    pub fn awaited(&self) -> Option<Request> {
        self.due.front()
    }

    /// Returns what the server advertised when it last granted EHLO or LHLO; none since TLS started, or XCLIENT was
    /// granted.
    pub fn extensions(&self) -> Option<&Extensions> {
        self.extensions.as_ref()
    }
}
