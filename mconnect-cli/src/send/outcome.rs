//! What came of a message for each recipient: a table, a sentence, and the exit status.

use mconnect_core::protocol::{Delivery, Recipient, RecipientOutcome, Reply, Visible};
use mconnect_core::script::Fault;

use super::Client;
use crate::failure::{Failure, Status};
use crate::stderr::{self, say};

impl Client<'_> {
    /// Tells the outcome of each recipient, to a person and to a program.
    pub fn tell(&self, delivery: &Delivery) {
        if let Some(json) = &self.watch.json {
            json.journal.delivery(delivery);
        }
        if stderr::is_shown() && !self.options.is_quiet {
            table(delivery).iter().for_each(|row| say(row));
        }
    }

    /// Says what was refused, if anything was, and fails for it: for good, if only one recipient was refused so.
    pub fn judge(&self, delivery: &Delivery) {
        let Some(refusal) = delivery.first_refusal() else { return };
        let status = match delivery.count(RecipientOutcome::Permanent) {
            0 if delivery.recipients.is_empty() => Fault::of_refusal(refusal.code()).into(),
            0 => Status::Temporary,
            _ => Status::Unavailable,
        };
        self.verdict.complain(Failure::new(status, format!("{}: {refusal}", what_was_refused(delivery))));
    }
}

fn what_was_refused(delivery: &Delivery) -> String {
    let is_granted = |reply: &Reply| reply.is_granted();
    let put_off = |is_for_now| if is_for_now { "put off" } else { "refused" };
    let (for_now, for_good) =
        (delivery.count(RecipientOutcome::Temporary), delivery.count(RecipientOutcome::Permanent));
    match (delivery.recipients.as_slice(), for_now + for_good) {
        _ if !delivery.mail.as_ref().is_none_or(is_granted) => "MAIL was refused".to_owned(),
        ([only], _) => format!("{} was {}", address(only), put_off(for_good == 0)),
        (all, count) => {
            let were = if count == 1 { "was" } else { "were" };
            let how = if for_now > 0 && for_good > 0 { "refused or put off" } else { put_off(for_good == 0) };
            format!("{count} of {} recipients {were} {how}, first", all.len())
        }
    }
}

/// Returns a row for each recipient: who, what, and the reply that decided.
fn table(delivery: &Delivery) -> Vec<String> {
    let width = delivery.recipients.iter().map(|recipient| address(recipient).chars().count()).max().unwrap_or(0);
    let row = |recipient: &Recipient| {
        let reply = deciding(recipient, delivery).map(ToString::to_string).unwrap_or_default();
        let word = match recipient.outcome {
            RecipientOutcome::Delivered => "delivered",
            RecipientOutcome::Temporary => "put off",
            RecipientOutcome::Permanent => "refused",
            _ if recipient.reply.as_ref().is_some_and(Reply::is_granted) => "accepted",
            _ => "undecided",
        };
        format!("{:width$}  {word:9}  {reply}", address(recipient)).trim_end().to_owned()
    };
    delivery.recipients.iter().map(row).collect()
}

/// Returns the reply that decided over a recipient.
fn deciding<'a>(recipient: &'a Recipient, delivery: &'a Delivery) -> Option<&'a Reply> {
    let refusals = [&delivery.mail, &recipient.reply, &delivery.data, &delivery.chunk, &delivery.closing];
    let refusal = refusals.into_iter().flatten().find(|reply| !reply.is_granted());
    recipient.final_reply.as_ref().or(refusal).or(recipient.reply.as_ref())
}

fn address(recipient: &Recipient) -> String {
    Visible(recipient.address.as_str().as_bytes()).to_string()
}
