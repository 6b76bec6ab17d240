//! What the client says.
//!
//! Nothing is sent before what has come already was looked at: a reply that was there before a command cannot be its
//! reply. What fails to go out is not told at once either, because what the server said before it closed says more.

use super::Verdict;
use super::game::{GRACE, Game};
use super::step_result::StepResult;
use crate::dialogue::load::deliver;
use crate::dialogue::{Side, Step};
use crate::protocol::{Code, Meaning, Phase, Tracker, hide, wipe};
use crate::script::LastAuth;
use crate::session::Session;

impl Game<'_, '_> {
    /// Puts what a step sends to what goes out together; where that is a lot, it goes out at once, so that a file of
    /// any size takes little memory.
    ///
    /// # Errors
    /// What is missing for the step, or why it could not go out.
    pub(super) fn send(&mut self, step: &Step) -> Result<(), StepResult> {
        let (values, mut unasked) = (self.values.clone(), None);
        let delivered = deliver(step, &values, &mut |bytes| {
            self.out.extend_from_slice(bytes);
            match self.out.len() >= BLOCK {
                true => self.flush().map_err(|result| {
                    unasked = Some(result);
                    String::new()
                }),
                false => Ok(()),
            }
        });
        match (unasked, delivered) {
            (Some(result), _) => Err(result),
            (None, Some(Err(why))) => Err(StepResult::not(Verdict::Impossible, why)),
            _ => Ok(()),
        }
    }

    /// Sends what goes out together. If that fails, what the server said before is looked at first: the error is kept,
    /// and told where what was expected did not come.
    ///
    /// # Errors
    /// A reply that had come before, and that nothing asked for: nothing is sent then.
    pub(super) fn flush(&mut self) -> Result<(), StepResult> {
        let mut bytes = std::mem::take(&mut self.out);
        if bytes.is_empty() || self.broken.is_some() {
            return Ok(());
        }
        self.look()?;
        let Some(session) = self.session.as_mut() else { return Err(StepResult::closed_here()) };
        self.values.secrets().for_each(|secret| session.hide(secret));
        let is_text = matches!(session.phase(), Phase::Body | Phase::Chunk { .. });
        let (secrets, sent) = session.send_noting(&bytes);
        self.broken = sent.err();
        let shown = hide(&bytes, &secrets);
        for line in shown.split_inclusive(|byte| *byte == b'\n').take(MOST_SHOWN) {
            let line = line.strip_suffix(b"\n").map_or(line, |line| line.strip_suffix(b"\r").unwrap_or(line));
            if !is_text {
                self.exchange = LastAuth::begun_by(line).unwrap_or(self.exchange);
            }
            self.note(Side::Client, line);
        }
        drop(shown);
        if !secrets.is_empty() || self.values.secrets().next().is_some() {
            wipe(&mut bytes);
        }
        bytes.clear();
        self.out = bytes;
        Ok(())
    }

    /// Looks at what has come before anything more is said: it cannot be the reply to that.
    fn look(&mut self) -> Result<(), StepResult> {
        let is_between_replies = self.held.is_none() && self.skip == 0 && self.reply.partial().is_empty();
        let Some(session) = self.session.as_mut().filter(|_| is_between_replies) else { return Ok(()) };
        let is_smtp_due = matches!(session.phase(), Phase::Command | Phase::Auth | Phase::Body | Phase::Chunk { .. });
        if !is_smtp_due || session.outstanding() > 0 || !session.has_arrived() || session.buffered().is_empty() {
            return Ok(());
        }
        let reply = self.read_reply(GRACE)?;
        // What comes next may be QUIT, which a 221 that was there before does not answer.
        if reply.meaning() != Meaning::OutOfStep && reply.code() != Code::CLOSING {
            // The server is about to close, or has refused a message early, and a later step may expect that.
            self.held = Some(reply);
            return Ok(());
        }
        let got = format!("{}, which nobody asked for; nothing more was sent", self.shown(&reply));
        Err(StepResult { reply: Some(reply), ..StepResult::not(Verdict::Other, got) })
    }

    /// Returns a step as it is shown, if it comes after what is sent already, and so many octets of what goes out next:
    /// whether a line of base64 is an answer depends on that.
    pub(super) fn step_shown(&self, step: &Step, pending: usize) -> String {
        let mut tracker = self.session.as_ref().map_or_else(Tracker::new, Session::tracker);
        tracker.sent(&self.out[..pending.min(self.out.len())]);
        step.shown(&tracker)
    }
}

/// What goes out together is at most about this many octets.
const BLOCK: usize = 64 * 1024;
/// How many lines of what goes out together are shown.
const MOST_SHOWN: usize = 1000;
