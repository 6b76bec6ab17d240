//! Where a session stands.

use super::grants::Answer;
use super::phase::{Phase, Request};

/// Where a session stands, all of one moment: what to send next, and whether to, is decided by this.
///
/// ```
/// use mconnect_core::protocol::{ReplyLine, Request, Tracker};
///
/// let mut tracker = Tracker::new();
/// tracker.received(ReplyLine::new(b"220 ready\r\n"));
/// tracker.sent(b"RCPT TO:<a@example.org>\r\nDATA\r\n");
/// let standing = tracker.standing();
/// assert_eq!((standing.outstanding, standing.awaited), (2, Some(Request::Rcpt)));
/// assert!(standing.is_turning, "what follows DATA depends on its reply");
///
/// // A 250 to DATA opens no body: whoever goes on would send a message as commands.
/// tracker.received(ReplyLine::new(b"250 ok\r\n"));
/// tracker.received(ReplyLine::new(b"250 ok\r\n"));
/// let surprise = tracker.standing().surprise.unwrap();
/// assert_eq!((surprise.request, surprise.code.number()), (Some(Request::Data), 250));
/// ```
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
    /// The server said that it will close: a 421, or a 221 to QUIT or unasked. Nothing more is worth sending.
    pub is_closing: bool,
    /// The server has replied to QUIT, whatever it said.
    pub has_quit: bool,
    /// What was sent and what was replied went together so far. Bytes that were sent before their DATA or AUTH was
    /// granted may break that; it is so again when no reply is due.
    pub is_in_step: bool,
    /// A reply is due that decides what the next bytes mean ([`Request::is_turn`]).
    pub is_turning: bool,
    /// The first reply that showed client and server out of step ([`Meaning::OutOfStep`](super::Meaning::OutOfStep)).
    /// It stays.
    pub surprise: Option<Answer>,
    /// Replies that were due when QUIT was answered, and can come no more; those to empty lines are not counted.
    pub lost: usize,
    /// One of them was a message's, which may have been taken.
    pub lost_message: bool,
}

impl Standing {
    /// Says whether the server may close now without anything missing; `is_all_sent` says that all that was to be sent went
    /// out.
    #[must_use]
    pub fn is_complete(&self, is_all_sent: bool) -> bool {
        self.outstanding == 0 && (self.has_quit || is_all_sent)
    }

    /// Says whether a command can be given, and what comes next is the reply to it.
    ///
    /// ```
    /// use mconnect_core::protocol::{ReplyLine, Tracker};
    ///
    /// let mut tracker = Tracker::new();
    /// assert!(!tracker.standing().takes_command(), "the greeting comes first");
    /// tracker.received(ReplyLine::new(b"220 ready\r\n"));
    /// assert!(tracker.standing().takes_command());
    /// tracker.sent(b"AUTH LOGIN\r\n");
    /// tracker.received(ReplyLine::new(b"334 VXNlcm5hbWU6\r\n"));
    /// assert!(tracker.standing().takes_answer() && !tracker.standing().takes_command());
    /// ```
    #[must_use]
    pub fn takes_command(&self) -> bool {
        self.phase == Phase::Command && self.outstanding == 0 && !self.is_closing && self.surprise.is_none()
    }

    /// Says whether an answer to a challenge can be given: the last that was said is a challenge, and was asked for
    /// ([RFC 4954, section 4](https://www.rfc-editor.org/rfc/rfc4954#section-4)). A password goes out only then.
    #[must_use]
    pub fn takes_answer(&self) -> bool {
        let request = self.last_answer.and_then(|answer| answer.request);
        let was_asked = matches!(request, Some(Request::Auth | Request::AuthAnswer));
        self.phase == Phase::Auth && self.outstanding == 0 && was_asked
    }
}

#[cfg(test)]
mod tests {
    use crate::protocol::{ReplyLine, Tracker};

    #[test]
    fn nothing_is_missing_once_all_is_answered_and_sent_or_quit_was_answered() {
        let mut tracker = Tracker::new();
        let mut is_complete = |sent: &[u8], reply: &[u8]| {
            tracker.sent(sent);
            let _ = tracker.received(ReplyLine::new(reply));
            [false, true].map(|is_all_sent| tracker.standing().is_complete(is_all_sent))
        };
        assert_eq!(is_complete(b"", b"220-mx\r\n"), [false, false], "the greeting is due");
        assert_eq!(is_complete(b"", b"220 ready\r\n"), [false, true]);
        assert_eq!(is_complete(b"NOOP\r\nQUIT\r\n", b"250 ok\r\n"), [false, false], "221 is due");
        assert_eq!(is_complete(b"", b"221 bye\r\n"), [true, true]);
        assert_eq!(is_complete(b"NOOP\r\n", b""), [false, false]);
    }
}
