//! Following what is received.
//!
//! ```text
//!   line ── learn: of EHLO, an extension
//!     │ it ends a reply
//!     ▼
//!   the request due first; or the message under way, if none is due and this refuses it
//!     │
//!     ▼
//!   Meaning ── granted ────► grant: what was asked for holds
//!           ├─ 354, 334 ───► follow: a body or an answer is next, whatever was asked
//!           ├─ refused ────► refuse: what was guessed is taken back
//!           └─ out of step ► the surprise is kept, beside one of these
//! ```

use super::{Sending, Tracker};
use crate::protocol::code::Code;
use crate::protocol::encode::LoneDot;
use crate::protocol::extensions::Extensions;
use crate::protocol::grants::{Answer, Meaning};
use crate::protocol::line::ReplyLine;
use crate::protocol::phase::Request;

impl Tracker {
    /// Follows a line that was received, or a piece of one, and returns the answer that ended with it, if one did.
    ///
    /// ```
    /// use mconnect_core::protocol::{Meaning, ReplyLine, Tracker};
    ///
    /// let mut tracker = Tracker::new();
    /// assert!(tracker.received(ReplyLine::new(b"220-mx.example.org\r\n")).is_none());
    /// assert_eq!(tracker.received(ReplyLine::new(b"220 ready\r\n")).unwrap().meaning(), Meaning::Granted);
    /// // Nobody asked for that.
    /// assert_eq!(tracker.received(ReplyLine::new(b"250 ok\r\n")).unwrap().meaning(), Meaning::OutOfStep);
    /// ```
    ///
    /// A line without a code answers nothing: it is noise within a reply. A refusal that comes while a message goes
    /// out, and no reply is due, is the message's.
    pub fn received(&mut self, line: ReplyLine<'_>) -> Option<Answer> {
        self.learn(line);
        let (Some(code), true) = (line.code(), line.ends_reply()) else { return None };
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

    /// What was asked for holds now.
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

    /// Keeps what a line of the reply to EHLO says, for when that is granted.
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

    /// Goes where the server is. What was sent for the replies that are due, if any are, was meant for something else.
    fn follow(&mut self, sending: Sending) {
        self.sending = sending;
        self.line.clear();
        self.out_of_step = true;
    }

    /// Takes a guess back, unless it is another one's by now: what was sent meanwhile was no body, and no answer, to
    /// the server.
    fn refuse(&mut self, is_guess: impl Fn(Sending) -> bool, request: Request) {
        if is_guess(self.sending) && !self.due.holds(|due| due == request) {
            self.sending = Sending::Command;
        }
        self.out_of_step |= self.guessed;
    }
}
