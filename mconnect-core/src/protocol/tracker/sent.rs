//! Following what is sent.
//!
//! ```text
//!   bytes ── sent_span ──► in doubt? ── yes ──► a line, hidden from where an AUTH or base64 begins
//!                             │ no
//!                             ▼
//!              Command, Auth, StartTls ──► up to the line's end, or up to its secret
//!              Body                    ──► up to the lone dot
//!              Chunk                   ──► up to its last octet
//!              Raw                     ──► all of it
//! ```
//! Each step takes the front of the bytes that is of one kind, so that whoever tells of them tells what they are.

use std::ops::Range;

use super::{Sending, Tracker};
use crate::protocol::command::{Command, Span};
use crate::protocol::encode::LoneDot;
use crate::protocol::phase::Request;
use crate::protocol::scan;
use crate::protocol::secret::{lost_secret_start, wipe};

impl Tracker {
    /// Follows bytes that are sent, cut anywhere. They are to be followed before they are written: the reply can be
    /// here as soon as they are out.
    pub fn sent(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = &bytes[self.sent_span(bytes).size..];
        }
    }

    /// Follows the front part of `bytes`, as much of it as is of one kind, and says what that is. `bytes` must not be
    /// empty; the span then is not.
    ///
    /// ```
    /// use mconnect_core::protocol::{ReplyLine, Tracker};
    ///
    /// let mut tracker = Tracker::new();
    /// tracker.received(ReplyLine::new(b"220 ready\r\n"));
    /// let mut bytes = &b"AUTH PLAIN AHRpbQB0YW5zdGFhZg==\r\nNOOP\r\n"[..];
    /// let mut spans = Vec::new();
    /// while !bytes.is_empty() {
    ///     let span = tracker.sent_span(bytes);
    ///     spans.push((&bytes[..span.size], span.is_secret));
    ///     bytes = &bytes[span.size..];
    /// }
    /// assert_eq!(spans[0], (&b"AUTH PLAIN "[..], false));
    /// assert_eq!(spans[1], (&b"AHRpbQB0YW5zdGFhZg==\r\n"[..], true));
    /// // Until its reply is here, what follows an AUTH may answer it.
    /// assert_eq!(spans[2], (&b"NOOP\r\n"[..], true));
    /// ```
    pub fn sent_span(&mut self, bytes: &[u8]) -> Span {
        let is_doubtful = match self.sending {
            Sending::Raw => false,
            _ if self.surprise.is_some() || self.doubt.is_under_way() => true,
            sending => self.expects_strays && sending == Sending::Command,
        };
        if is_doubtful { self.sent_in_doubt(bytes) } else { self.sent_part(bytes) }
    }

    /// Follows bytes that are sent, and returns where the secrets in them stand, in order, without their line ends. A
    /// lone `*`, which cancels an exchange, is none.
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

    /// Follows a part of what the phase says it is.
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
        let mut whole = [&self.doubt.head, line].concat();
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
        wipe(&mut whole);
        Span { is_secret: span.is_secret || is_hidden, ..span }
    }

    /// Follows a line up to its end, or up to where its secret begins.
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

    /// A line is whole: it is an answer in AUTH, or a command.
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

    /// What follows a command is guessed: a body after DATA, answers after AUTH, a chunk after BDAT.
    fn sent_command(&mut self, command: Command) {
        self.sending = match command {
            Command { request: Request::Data, .. } => Sending::Body(LoneDot::default()),
            Command { request: Request::Auth, .. } => Sending::Auth,
            Command { chunk: Some((octets, is_last)), .. } => return self.sent_chunk(octets, is_last),
            _ => Sending::Command,
        };
        self.due.push(command.request, 1);
    }

    /// Goes on with a chunk, of which this much is left, or ends it.
    fn sent_chunk(&mut self, left: u64, is_last: bool) {
        if left > 0 {
            self.sending = Sending::Chunk { left, is_last };
        } else {
            self.sending = Sending::Command;
            self.expect_final(Request::Bdat, is_last);
        }
    }

    /// Expects the reply to a message, unless that has come before its time.
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
        (self.recipients + self.due.count_of(Request::Rcpt)).max(1)
    }
}

/// After a surprise, or an AUTH that has ended: the line under way, whatever the server takes it for. A password that
/// is typed once too often would otherwise be shown as a command.
#[derive(Debug, Default, Clone)]
pub(super) struct Doubt {
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

/// This many octets of a line tell an AUTH.
const LONGEST_DOUBT: usize = 64;
