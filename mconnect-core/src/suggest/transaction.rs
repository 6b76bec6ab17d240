//! The message that is under way: from whom and for whom.

use std::collections::VecDeque;

use crate::protocol::{Answer, Request, Visible};

/// The envelope of the transaction under way, as the server granted it
/// ([RFC 5321, section 3.3](https://www.rfc-editor.org/rfc/rfc5321#section-3.3)).
///
/// ```
/// use mconnect_core::protocol::{ReplyLine, Tracker};
/// use mconnect_core::suggest::Transaction;
///
/// let (mut tracker, mut transaction) = (Tracker::new(), Transaction::default());
/// tracker.received(ReplyLine::new(b"220 ready\r\n"));
/// transaction.sent("MAIL FROM:<a@b.example> SIZE=10\r\n");
/// tracker.sent(b"MAIL FROM:<a@b.example> SIZE=10\r\n");
/// tracker.received(ReplyLine::new(b"250 ok\r\n"));
/// transaction.replied(tracker.standing().last_answer.unwrap());
/// assert_eq!(transaction.envelope(), (Some("<a@b.example>".to_owned()), Vec::new()));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Transaction {
    /// The paths that have no reply yet.
    asked: VecDeque<String>,
    sender: Option<String>,
    recipients: Vec<String>,
    /// How many recipients are not kept.
    more: usize,
}

impl Transaction {
    /// Notes a command line that was sent.
    pub fn sent(&mut self, line: &str) {
        if names_path(line) && self.asked.len() < MOST {
            let path = line.split_once(':').map_or("", |(_, rest)| rest.trim_start());
            let end = path.find('>').map_or(path.trim_end().len(), |end| end + 1);
            self.asked.push_back(Visible(&path.as_bytes()[..end]).to_string());
        }
    }

    /// Notes an answer that came.
    pub fn replied(&mut self, answer: Answer) {
        let is_granted = answer.meaning().is_granted();
        match answer.request {
            Some(Request::Mail) => {
                let sender = self.asked.pop_front();
                if is_granted {
                    *self = Self { sender, asked: std::mem::take(&mut self.asked), ..Self::default() };
                }
            }
            Some(Request::Rcpt) => match (is_granted, self.asked.pop_front()) {
                (true, Some(path)) if self.recipients.len() < MOST => self.recipients.push(path),
                (true, _) => self.more += 1,
                (false, _) => {}
            },
            Some(Request::EndOfData) => *self = Self::default(),
            Some(
                Request::Rset | Request::Ehlo | Request::Helo | Request::Lhlo | Request::StartTls | Request::XClient,
            ) if is_granted => *self = Self::default(),
            _ => {}
        }
    }

    /// Returns the sender's path, and the recipients'.
    pub fn envelope(&self) -> (Option<String>, Vec<String>) {
        let more = (self.more > 0).then(|| format!("and {} more", self.more));
        (self.sender.clone(), self.recipients.iter().cloned().chain(more).collect())
    }
}

/// Says whether a line is MAIL or RCPT, as servers take it: in any case, and behind any white space.
pub(super) fn names_path(line: &str) -> bool {
    let verb = line.split_ascii_whitespace().next().unwrap_or_default();
    matches!(Request::of_verb(verb.as_bytes()), Request::Mail | Request::Rcpt)
}

/// So many paths are kept.
const MOST: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Code, ReplyLine, Tracker};

    #[test]
    fn the_envelope_is_what_was_granted_of_what_was_asked_until_the_message_is_over() {
        let (mut tracker, mut transaction) = (Tracker::new(), Transaction::default());
        for (sent, received, sender, recipients) in [
            ("", "220 hi", None, &[][..]),
            ("mail from:<a@b.example> SIZE=1\r\n", "250 ok", Some("<a@b.example>"), &[]),
            ("RCPT TO: <c\x1b@d.example>\r\n", "250 ok", Some("<a@b.example>"), &["<c\\x1b@d.example>"]),
            ("RCPT TO:<no@d.example>\r\n", "550 no", Some("<a@b.example>"), &["<c\\x1b@d.example>"]),
            ("MAIL FROM:<>\r\n", "503 nested", Some("<a@b.example>"), &["<c\\x1b@d.example>"]),
            ("MAIL FROM:<>\r\n", "250 ok", Some("<>"), &[]),
            (" MAIL\tFROM:<e@b.example>\r\n", "250 ok", Some("<e@b.example>"), &[]),
            ("RSET\r\n", "250 ok", None, &[]),
        ] {
            if !sent.is_empty() {
                transaction.sent(sent);
            }
            tracker.sent(sent.as_bytes());
            tracker.received(ReplyLine::new(format!("{received}\r\n").as_bytes()));
            transaction.replied(tracker.standing().last_answer.unwrap());
            let recipients = recipients.iter().map(|path| (*path).to_owned()).collect();
            assert_eq!(transaction.envelope(), (sender.map(str::to_owned), recipients), "{sent}");
        }
    }

    #[test]
    fn recipients_beyond_a_hundred_are_counted_however_many_were_asked_for_at_once() {
        for at_once in [1, 150] {
            let (mut transaction, rcpt) =
                (Transaction::default(), Answer::new(Some(Request::Rcpt), Code::new(250).unwrap()));
            for _ in 0..150 / at_once {
                (0..at_once).for_each(|_| transaction.sent("RCPT TO:<a@b.example>\r\n"));
                (0..at_once).for_each(|_| transaction.replied(rcpt));
            }
            let (_, recipients) = transaction.envelope();
            assert_eq!((recipients.len(), recipients[100].as_str()), (101, "and 50 more"));
        }
    }
}
