//! What became of a message, recipient by recipient.

use std::fmt;

use super::address::Address;
use super::code::Severity;
use super::envelope::Envelope;
use super::grants::Meaning;
use super::phase::Request;
use super::reply::Reply;
use super::visible::Visible;

/// What a server replied in one transaction, and what that means to each recipient.
///
/// ```text
///   MAIL ── refused ──────────────────────────────► all of them: as MAIL
///   RCPT ── refused ──────────────────────────────► this one: as its RCPT
///   DATA ── refused ──────────────────────────────► the others: as DATA
///   the message ── one reply, in LMTP one of each ► delivered, or not
/// ```
/// A 421 anywhere is temporary to all that were undecided. [`Display`](fmt::Display) has a row for each recipient.
///
/// ```
/// # #[cfg(feature = "server")] {
/// use mconnect_core::protocol::{Envelope, RecipientOutcome};
/// use mconnect_core::{Connect, server::Server};
///
/// // LMTP, where each recipient has a reply to the message.
/// let server = Server::play(
///     "S: 220\nC: LHLO me\nS: 250\nC: MAIL FROM:<>\nS: 250\nC: RCPT TO:<a@x>\nS: 250\nC: RCPT TO:<b@x>\nS: 250\n\
///      C: DATA\nS: 354\nC: *body*\nS: 250 2.0.0 saved\nS: 452 4.2.2 over quota",
/// )?;
/// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
/// session.greeting()?.require(220)?;
/// session.lhlo("me")?.require()?;
/// let envelope = Envelope::new(None).to("a@x".parse()?).to("b@x".parse()?);
/// let delivery = session.deliver(&envelope, "Subject: hi\n\nhello\n".as_bytes())?;
///
/// assert!(!delivery.is_complete());
/// assert_eq!(delivery.count(RecipientOutcome::Delivered), 1);
/// assert_eq!(delivery.recipients[1].outcome, RecipientOutcome::Temporary);
/// assert_eq!(delivery.first_refusal().unwrap().code(), 452);
/// assert_eq!(delivery.to_string(), "a@x  delivered  250 2.0.0 saved\nb@x  put off    452 4.2.2 over quota");
/// assert_eq!(delivery.refused().unwrap(), "1 of 2 recipients was put off, first: 452 4.2.2 over quota");
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub struct Delivery {
    /// The reply to MAIL.
    pub mail: Option<Reply>,
    /// The recipients, in the order of the envelope.
    pub recipients: Vec<Recipient>,
    /// The reply to DATA, where there was one.
    pub data: Option<Reply>,
    /// The reply to a chunk that was refused before the last, where there was one.
    pub chunk: Option<Reply>,
    /// The server said that it closes (421).
    pub closing: Option<Reply>,
}

/// A recipient, what was replied, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recipient {
    /// Who it is.
    pub address: Address,
    /// The reply to RCPT.
    pub reply: Option<Reply>,
    /// The reply to the message, if this one still was to get it: in LMTP its own
    /// ([RFC 2033, section 4.2](https://www.rfc-editor.org/rfc/rfc2033#section-4.2)), otherwise that for all.
    pub final_reply: Option<Reply>,
    /// What came of it.
    pub outcome: RecipientOutcome,
}

/// What came of a message for one recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RecipientOutcome {
    /// Nothing was decided: the transaction was to stop before, or broke off. In the latter case, if the message was sent
    /// whole, it may have been delivered.
    Undecided,
    /// The server has the message, and the duty to deliver it.
    Delivered,
    /// Refused for now: a 4yz or a closing server. The same message may be taken later
    /// ([RFC 5321, section 4.2.1](https://www.rfc-editor.org/rfc/rfc5321#section-4.2.1)).
    Temporary,
    /// Refused for good.
    Permanent,
}

impl RecipientOutcome {
    /// Returns what a reply means to those whom it concerns. A 552 to RCPT is a 452 in older words
    /// ([RFC 5321, section 4.5.3.1.10](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.10)).
    pub fn of(reply: &Reply) -> Self {
        match (reply.meaning(), reply.code().severity()) {
            (Meaning::Granted | Meaning::Unusual, _) => Self::Delivered,
            (_, Severity::Permanent) if reply.code() != 552 || reply.request() != Some(Request::Rcpt) => {
                Self::Permanent
            }
            _ => Self::Temporary,
        }
    }
}

impl Delivery {
    pub(crate) fn new(envelope: &Envelope) -> Self {
        let undecided = |address: &Address| Recipient {
            address: address.clone(),
            reply: None,
            final_reply: None,
            outcome: RecipientOutcome::Undecided,
        };
        let recipients = envelope.recipients().map(undecided).collect();
        Self { mail: None, recipients, data: None, chunk: None, closing: None }
    }

    /// Says whether there are recipients, and all of them get the message.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !self.recipients.is_empty()
            && self.recipients.iter().all(|recipient| recipient.outcome == RecipientOutcome::Delivered)
    }

    /// Returns how many recipients came to this.
    pub fn count(&self, outcome: RecipientOutcome) -> usize {
        self.recipients.iter().filter(|recipient| recipient.outcome == outcome).count()
    }

    /// Returns the first reply that kept the message from somebody: the one to explain, where a later one follows from it,
    /// as a 554 to DATA does from the 550 to the only RCPT. `None` if nothing was refused, which is not yet a message that was
    /// delivered: see [`is_complete`](Self::is_complete).
    pub fn first_refusal(&self) -> Option<&Reply> {
        let rcpt = self.recipients.iter().filter_map(|recipient| recipient.reply.as_ref());
        let finals = self.recipients.iter().filter_map(|recipient| recipient.final_reply.as_ref());
        let in_order = self.mail.iter().chain(rcpt).chain(&self.data).chain(&self.chunk).chain(finals);
        in_order.chain(&self.closing).find(|reply| !reply.is_granted())
    }

    /// Returns the reply that decided over one of the recipients: the one to the message, or the refusal that kept that
    /// from being sent, or the one to RCPT.
    pub fn deciding<'a>(&'a self, recipient: &'a Recipient) -> Option<&'a Reply> {
        let refusals = [&self.mail, &recipient.reply, &self.data, &self.chunk, &self.closing];
        let refusal = refusals.into_iter().flatten().find(|reply| !reply.is_granted());
        recipient.final_reply.as_ref().or(refusal).or(recipient.reply.as_ref())
    }

    /// Says what was refused, with the [first refusal](Self::first_refusal):
    /// `1 of 2 recipients was refused, first: 550 5.1.1 no such user`. `None` if nothing was.
    pub fn refused(&self) -> Option<String> {
        let refusal = self.first_refusal()?;
        let put_off = |is_for_now| if is_for_now { "put off" } else { "refused" };
        let (for_now, for_good) = (self.count(RecipientOutcome::Temporary), self.count(RecipientOutcome::Permanent));
        let what = match (self.recipients.as_slice(), for_now + for_good) {
            _ if self.mail.as_ref().is_some_and(|mail| !mail.is_granted()) => "MAIL was refused".to_owned(),
            ([only], _) => format!("{} was {}", only.visible(), put_off(for_good == 0)),
            (all, count) => {
                let were = if count == 1 { "was" } else { "were" };
                let how = if for_now > 0 && for_good > 0 { "refused or put off" } else { put_off(for_good == 0) };
                format!("{count} of {} recipients {were} {how}, first", all.len())
            }
        };
        Some(format!("{what}: {refusal}"))
    }

    /// Follows a reply to anything but the message; of chunks, the first refusal counts.
    pub(crate) fn answered(&mut self, reply: Reply) {
        let outcome = RecipientOutcome::of(&reply);
        let is_granted = outcome == RecipientOutcome::Delivered;
        if !is_granted && matches!(reply.request(), Some(Request::Mail | Request::Data | Request::Bdat)) {
            self.decide(outcome);
        }
        match reply.request() {
            Some(Request::Mail) => self.mail = Some(reply.clone()),
            Some(Request::Rcpt) => {
                // They are answered in their order.
                let next = self.recipients.partition_point(|recipient| recipient.reply.is_some());
                if let Some(next) = self.recipients.get_mut(next) {
                    if !is_granted && next.outcome == RecipientOutcome::Undecided {
                        next.outcome = outcome;
                    }
                    next.reply = Some(reply.clone());
                }
            }
            Some(Request::Data) => self.data = Some(reply.clone()),
            Some(Request::Bdat) if !is_granted => {
                self.chunk.get_or_insert_with(|| reply.clone());
            }
            _ => {}
        }
        if reply.meaning() == Meaning::Closing {
            self.decide(RecipientOutcome::Temporary);
            self.closing = Some(reply);
        }
    }

    /// Says whether the message is to be sent to somebody.
    pub(crate) fn is_awaited(&self) -> bool {
        self.mail.as_ref().is_some_and(Reply::is_granted) && self.accepted().next().is_some()
    }

    /// Follows the replies to the message: in LMTP one for each that was accepted, in order. The last of them goes for the
    /// others, too, if it is a refusal: the server said no more.
    pub(crate) fn finals(&mut self, replies: &[Reply], is_lmtp: bool) {
        let mut replies = replies.iter().peekable();
        let mut last: Option<&Reply> = None;
        for index in self.accepted().collect::<Vec<_>>() {
            if let Some(reply) = replies.next_if(|_| is_lmtp || last.is_none()) {
                last = Some(reply);
            } else if is_lmtp && last.is_some_and(Reply::is_granted) {
                break;
            }
            let Some(reply) = last else { break };
            self.recipients[index].outcome = RecipientOutcome::of(reply);
            self.recipients[index].final_reply = Some(reply.clone());
        }
        self.closing = self.closing.take().or(last.filter(|last| last.meaning() == Meaning::Closing).cloned());
    }

    fn accepted(&self) -> impl Iterator<Item = usize> {
        let is_accepted = |recipient: &Recipient| {
            recipient.outcome == RecipientOutcome::Undecided && recipient.reply.as_ref().is_some_and(Reply::is_granted)
        };
        (0..self.recipients.len()).filter(move |index| is_accepted(&self.recipients[*index]))
    }

    /// Decides what was not decided yet.
    fn decide(&mut self, outcome: RecipientOutcome) {
        for recipient in &mut self.recipients {
            if recipient.outcome == RecipientOutcome::Undecided {
                recipient.outcome = outcome;
            }
        }
    }
}

impl fmt::Display for Delivery {
    /// Writes a row for each recipient: who, what, and the reply that decided; no row ends with a line end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.recipients.iter().map(|recipient| recipient.visible().chars().count()).max().unwrap_or(0);
        for (index, recipient) in self.recipients.iter().enumerate() {
            let reply = self.deciding(recipient).map(ToString::to_string).unwrap_or_default();
            let word = match recipient.outcome {
                RecipientOutcome::Delivered => "delivered",
                RecipientOutcome::Temporary => "put off",
                RecipientOutcome::Permanent => "refused",
                RecipientOutcome::Undecided if recipient.reply.as_ref().is_some_and(Reply::is_granted) => "accepted",
                RecipientOutcome::Undecided => "undecided",
            };
            let row = format!("{:width$}  {word:9}  {reply}", recipient.visible());
            write!(f, "{}{}", if index == 0 { "" } else { "\n" }, row.trim_end())?;
        }
        Ok(())
    }
}

impl Recipient {
    fn visible(&self) -> String {
        Visible(self.address.as_str().as_bytes()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Limits, ReplyBuilder, ReplyLine};

    /// The replies to a transaction, those to the message, whether it is LMTP; the rows, and what is told.
    type Case = (&'static [(Request, u16)], &'static [u16], bool, [&'static str; 2], &'static str);

    fn reply(request: Request, code: u16) -> Reply {
        let line = format!("{code} {request}\r\n");
        let reply = ReplyBuilder::new(Limits::default()).push(ReplyLine::new(line.as_bytes()));
        reply.unwrap().unwrap().in_answer_to(Some(request), "mx".into())
    }

    /// Follows the replies to a transaction with these recipients, and then those to the message.
    fn delivery(to: &[&str], answers: &[(Request, u16)], finals: &[u16], is_lmtp: bool) -> Delivery {
        let envelope = to.iter().fold(Envelope::new(None), |envelope, to| envelope.to(to.parse().unwrap()));
        let mut delivery = Delivery::new(&envelope);
        answers.iter().for_each(|(request, code)| delivery.answered(reply(*request, *code)));
        let finals: Vec<Reply> = finals.iter().map(|code| reply(Request::EndOfData, *code)).collect();
        delivery.finals(&finals, is_lmtp);
        delivery
    }

    #[test]
    fn each_recipient_has_a_row_with_the_reply_that_decided_and_the_first_refusal_is_told() {
        use Request::{Bdat, Data, Mail, Rcpt};
        const SENT: &[(Request, u16)] = &[(Mail, 250), (Rcpt, 250), (Rcpt, 250), (Data, 354)];
        let cases: &[Case] = &[
            (&[], &[], false, ["undecided", "undecided"], ""),
            (&[(Mail, 550)], &[], false, ["refused    550 MAIL", "refused    550 MAIL"], "MAIL was refused: 550 MAIL"),
            (&[(Mail, 250), (Rcpt, 250)], &[], false, ["accepted   250 RCPT", "undecided"], ""),
            (&[(Mail, 250), (Rcpt, 250)], &[250], false, ["delivered  250 the end of data", "undecided"], ""),
            (
                &[(Mail, 250), (Rcpt, 250), (Rcpt, 550), (Data, 354)],
                &[250],
                false,
                ["delivered  250 the end of data", "refused    550 RCPT"],
                "1 of 2 recipients was refused, first: 550 RCPT",
            ),
            (
                &[(Mail, 250), (Rcpt, 552), (Rcpt, 550)],
                &[],
                false,
                ["put off    552 RCPT", "refused    550 RCPT"],
                "2 of 2 recipients were refused or put off, first: 552 RCPT",
            ),
            (
                &[(Mail, 250), (Rcpt, 450), (Rcpt, 451)],
                &[],
                false,
                ["put off    450 RCPT", "put off    451 RCPT"],
                "2 of 2 recipients were put off, first: 450 RCPT",
            ),
            (
                &[(Mail, 250), (Rcpt, 250), (Rcpt, 250), (Data, 552)],
                &[],
                false,
                ["refused    552 DATA", "refused    552 DATA"],
                "2 of 2 recipients were refused, first: 552 DATA",
            ),
            (
                &[(Mail, 250), (Rcpt, 550), (Rcpt, 250), (Data, 421)],
                &[],
                false,
                ["refused    550 RCPT", "put off    421 DATA"],
                "2 of 2 recipients were refused or put off, first: 550 RCPT",
            ),
            (&[(Mail, 250), (Rcpt, 250), (Rcpt, 250), (Bdat, 250)], &[], false, ["accepted   250 RCPT"; 2], ""),
            (
                &[(Mail, 250), (Rcpt, 250), (Rcpt, 250), (Bdat, 250)],
                &[251],
                false,
                ["delivered  251 the end of data"; 2],
                "",
            ),
            (
                &[(Mail, 250), (Rcpt, 250), (Rcpt, 250), (Bdat, 554)],
                &[],
                false,
                ["refused    554 BDAT"; 2],
                "2 of 2 recipients were refused, first: 554 BDAT",
            ),
            (
                SENT,
                &[554],
                false,
                ["refused    554 the end of data"; 2],
                "2 of 2 recipients were refused, first: 554 the end of data",
            ),
            (
                SENT,
                &[250, 452],
                true,
                ["delivered  250 the end of data", "put off    452 the end of data"],
                "1 of 2 recipients was put off, first: 452 the end of data",
            ),
            // The server said no more: a refusal goes for the others, too, and nothing else does.
            (
                SENT,
                &[552],
                true,
                ["refused    552 the end of data"; 2],
                "2 of 2 recipients were refused, first: 552 the end of data",
            ),
            (SENT, &[250], true, ["delivered  250 the end of data", "accepted   250 RCPT"], ""),
            (
                SENT,
                &[421],
                true,
                ["put off    421 the end of data"; 2],
                "2 of 2 recipients were put off, first: 421 the end of data",
            ),
        ];
        for (answers, finals, is_lmtp, rows, refused) in cases {
            let delivery = delivery(&["a@x", "b@x"], answers, finals, *is_lmtp);
            let expected = format!("a@x  {}\nb@x  {}", rows[0], rows[1]);
            assert_eq!(delivery.to_string(), expected, "{answers:?} {finals:?}");
            assert_eq!(delivery.refused().unwrap_or_default(), *refused, "{answers:?} {finals:?}");
            assert_eq!(delivery.is_complete(), rows.iter().all(|row| row.starts_with("delivered")), "{expected}");
            let is_closing = answers.iter().map(|(_, code)| code).chain(*finals).any(|code| *code == 421);
            assert_eq!(delivery.closing.is_some(), is_closing, "{expected}");
        }
        let one = |code| delivery(&["a@x"], &[(Mail, 250), (Rcpt, code)], &[], false).refused();
        assert_eq!(one(550).as_deref(), Some("a@x was refused: 550 RCPT"));
        assert_eq!(one(450).as_deref(), Some("a@x was put off: 450 RCPT"));
        assert!(!delivery(&[], &[(Mail, 250)], &[], false).is_complete(), "nobody has it");
    }

    #[test]
    fn a_message_is_sent_if_somebody_is_to_get_it() {
        use Request::{Mail, Rcpt};
        for (answers, is_awaited) in [
            (&[][..], false),
            (&[(Mail, 250)], false),
            (&[(Mail, 250), (Rcpt, 550)], false),
            (&[(Mail, 250), (Rcpt, 550), (Rcpt, 250)], true),
            (&[(Mail, 550), (Rcpt, 250)], false),
        ] {
            assert_eq!(delivery(&["a@x", "b@x"], answers, &[], false).is_awaited(), is_awaited, "{answers:?}");
        }
    }
}
