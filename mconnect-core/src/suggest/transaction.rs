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
        let is_path =
            line.get(..5).is_some_and(|verb| ["MAIL ", "RCPT "].iter().any(|path| verb.eq_ignore_ascii_case(path)));
        if is_path && self.asked.len() < MOST {
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
            Some(Request::Rcpt) => match self.asked.pop_front().filter(|_| is_granted) {
                Some(path) if self.recipients.len() < MOST => self.recipients.push(path),
                Some(_) => self.more += 1,
                None => {}
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

/// So many paths are kept.
const MOST: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{ReplyLine, Tracker};

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
}
