//! What is expected of the server.
//!
//! Replies are read whole and then compared; exact bytes are compared as they come, since what they do not end with may
//! be a part of a line. Both leave the session where its tracker agrees with what was taken out of it: bytes are taken
//! a line at a time, and what was compared inside of a line is skipped when the line is read.

use std::time::{Duration, Instant};

use super::Verdict;
use super::game::{GRACE, Game};
use super::step_result::{StepResult, is_reset};
use crate::dialogue::deadlines::OVER;
use crate::dialogue::expect::is_met;
use crate::dialogue::load::deliver;
use crate::dialogue::matched::Matched;
use crate::dialogue::{Directive, Mark, Side, Step, Wanted};
use crate::error::Error;
use crate::protocol::{Phase, Reply, ReplyLine};
use crate::session::Session;

impl Game<'_, '_> {
    /// Expects a reply, one of several, one that may come, or any number of them: what these steps say, that are its
    /// lines and those of its alternatives.
    pub(super) fn expect_reply(&mut self, steps: &[Step]) -> StepResult {
        let Some(last) = steps.iter().rev().find_map(Step::wanted) else { return StepResult::met("") };
        if !last.is_last() {
            return self.expect_lines(steps);
        }
        if let Some(name) = steps.iter().filter_map(Step::wanted).find_map(|wanted| wanted.lacks(&self.values)) {
            return StepResult::no_value(&name);
        }
        let mark = steps.first().and_then(Step::wanted).map_or(last.mark, |first| first.mark);
        let is_optional = matches!(mark, Mark::Optional | Mark::AnyNumber);
        let patience = match is_optional {
            true => {
                let grace = self.deadlines.scaled(GRACE);
                self.deadlines.of_this_or(grace)
            }
            false if self.has_lost() => self.reply_timeout().min(self.deadlines.scaled(LAST_WORDS)),
            false => self.reply_timeout(),
        };
        let mut count = 0;
        loop {
            let reply = match self.held.take().map_or_else(|| self.read_reply(patience), Ok) {
                Ok(reply) => reply,
                Err(result) if is_optional && result.verdict != Verdict::Impossible => {
                    return StepResult::met(format!("{count} of them"));
                }
                Err(result) => return result,
            };
            let mut alternatives = steps.split_inclusive(|step| step.wanted().is_some_and(Wanted::is_last));
            match alternatives.find_map(|steps| is_met(steps, &reply, &self.values)) {
                Some(taken) => {
                    self.values.capture(taken);
                    if mark == Mark::AnyNumber && count < MOST_REPLIES {
                        count += 1;
                        continue;
                    }
                    if mark == Mark::AnyNumber {
                        return StepResult::not(Verdict::Other, format!("more than {MOST_REPLIES} of them"));
                    }
                    let got = self.shown(&reply);
                    return StepResult { reply: Some(reply), ..StepResult::met(got) };
                }
                None if is_optional => {
                    self.held = Some(reply);
                    return StepResult::met(format!("{count} of them"));
                }
                None => {
                    let got = self.shown(&reply);
                    return StepResult { reply: Some(reply), ..StepResult::not(Verdict::Other, got) };
                }
            }
        }
    }

    /// Says whether QUIT was answered while others were due: their replies come no more, and are not waited for long.
    fn has_lost(&self) -> bool {
        self.session.as_ref().is_some_and(|session| {
            let standing = session.standing();
            standing.lost > 0 && standing.outstanding == 0
        })
    }

    /// Expects lines of a reply whose end is expected as exact bytes.
    fn expect_lines(&mut self, steps: &[Step]) -> StepResult {
        let patience = self.reply_timeout();
        let deadline = Instant::now().checked_add(patience);
        for wanted in steps.iter().filter_map(Step::wanted) {
            loop {
                let line = match self.read_line(left(deadline, patience), patience) {
                    Ok(line) => line,
                    Err(result) => return result,
                };
                let line = ReplyLine::new(&line);
                match wanted.is_met_by(line, &self.values) {
                    Some(taken) if !line.ends_reply() => {
                        self.values.capture(taken);
                        break;
                    }
                    None if !line.ends_reply() => {}
                    _ => {
                        return StepResult::not(Verdict::Other, self.quoted(line.content()));
                    }
                }
            }
        }
        StepResult::met("these lines")
    }

    /// Reads a whole reply, for so long at most, and tells the session what it answers.
    pub(super) fn read_reply(&mut self, patience: Duration) -> Result<Reply, StepResult> {
        let deadline = Instant::now().checked_add(patience);
        loop {
            let line = self.read_line(left(deadline, patience), patience)?;
            match self.reply.push(ReplyLine::new(&line)) {
                Ok(Some(reply)) => {
                    return Ok(match &self.session {
                        Some(session) => session.answered(reply),
                        None => reply,
                    });
                }
                Ok(None) => {
                    if let Some(error) = self.session.as_ref().and_then(Session::other_protocol) {
                        return Err(StepResult::broken(error));
                    }
                }
                Err(limit) => {
                    drop(self.reply.take_partial());
                    return Err(StepResult::not(Verdict::Other, limit.to_string()));
                }
            }
        }
    }

    /// Reads a whole line, in the time that is left, but for what of it was compared already. One that is longer than a
    /// session takes, or that the end cuts off, is none.
    fn read_line(&mut self, left: Duration, patience: Duration) -> Result<Vec<u8>, StepResult> {
        let skip = std::mem::take(&mut self.skip);
        let Some(session) = self.session.as_mut() else { return Err(StepResult::closed_here()) };
        let line = match session.read_line_within(left) {
            Ok(Some(line)) => line.raw().get(skip..).unwrap_or_default().to_vec(),
            Ok(None) => return Err(self.closed_after(self.reply.partial())),
            Err(error) => return Err(self.late_or_broken(error, self.reply.partial(), patience)),
        };
        let has_ended = session.phase() == Phase::Closed;
        let read = ReplyLine::new(&line);
        self.note(Side::Server, read.content());
        match read.is_finished() {
            true => Ok(line),
            false if has_ended => Err(self.closed_after(&[self.reply.partial(), &line].concat())),
            false => Err(StepResult::not(Verdict::Other, format!("a line of more than {} octets", line.len()))),
        }
    }

    /// Expects exactly what a step sends, and compares it as it comes.
    pub(super) fn expect_bytes(&mut self, step: &Step) -> StepResult {
        let patience = self.reply_timeout();
        let deadline = Instant::now().checked_add(patience);
        let (values, mut same, mut other) = (self.values.clone(), Matched::default(), None);
        let delivered = deliver(step, &values, &mut |block| {
            self.expect_block(block, &mut same, deadline, patience).map_err(|result| {
                other = Some(result);
                String::new()
            })
        });
        match (other, delivered) {
            (Some(result), _) => result,
            (None, Some(Err(why))) => StepResult::not(Verdict::Impossible, why),
            _ => StepResult::met("these bytes"),
        }
    }

    /// Compares a block of what is expected with what comes, as long as it comes.
    fn expect_block(
        &mut self,
        mut wanted: &[u8],
        same: &mut Matched,
        deadline: Option<Instant>,
        patience: Duration,
    ) -> Result<(), StepResult> {
        while !wanted.is_empty() {
            let Some(session) = self.session.as_mut() else { return Err(StepResult::closed_here()) };
            let there = session.buffered().get(self.skip..).unwrap_or_default();
            if there.is_empty() {
                let awaited = self.await_bytes(left(deadline, patience), same.all().unwrap_or_default(), patience);
                awaited.map_err(|result| match same.all() {
                    Some(_) => result,
                    None => StepResult { got: same.followed_by(&result.got), ..result },
                })?;
                continue;
            }
            // A line at a time, so that whole lines are taken out of the session and its phase follows.
            let line_end = memchr::memchr(b'\n', there).map(|lf| lf + 1);
            let part = &there[..line_end.unwrap_or(there.len())];
            let size = same.add(wanted, part);
            if size < part.len().min(wanted.len()) {
                let got = match same.all() {
                    Some(same) => {
                        let came = [same, &part[size..]].concat();
                        self.quoted(&came)
                    }
                    None => same.followed_by("others"),
                };
                return Err(StepResult::not(Verdict::Other, got));
            }
            wanted = &wanted[size..];
            if line_end.is_some_and(|end| end == size) {
                let whole = match session.read_line_within(left(deadline, patience)) {
                    Ok(Some(line)) => line.content().to_vec(),
                    _ => Vec::new(),
                };
                self.skip = 0;
                self.note(Side::Server, &whole);
            } else {
                self.skip += size;
            }
        }
        Ok(())
    }

    /// Waits for bytes behind those that were compared already, in the time that is left. At the end of the stream, or
    /// in a line that is longer than the buffer, the session is asked for a line, so that there is room again.
    fn await_bytes(&mut self, left: Duration, before: &[u8], patience: Duration) -> Result<(), StepResult> {
        let Some(session) = self.session.as_mut() else { return Err(StepResult::closed_here()) };
        if !session.is_ready() {
            return session.receive(left).map_err(|error| self.late(before, patience).because(error));
        }
        // The end of the stream, or a line so long that it comes in pieces.
        match session.read_line_within(left) {
            Ok(Some(line)) => {
                self.skip -= self.skip.min(line.raw().len());
                Ok(())
            }
            Ok(None) => Err(self.closed_after(before)),
            Err(error) => Err(self.late_or_broken(error, before, patience)),
        }
    }

    /// Expects the end of the connection, in the manner that the step says. An end of TLS without a close_notify is
    /// none, and is told as what it is.
    pub(super) fn expect_end(&mut self, directive: &Directive) -> StepResult {
        let patience = self.reply_timeout();
        if let Some(reply) = self.held.take() {
            return StepResult::not(Verdict::Other, self.shown(&reply));
        }
        let skip = std::mem::take(&mut self.skip);
        let Some(session) = self.session.as_mut() else { return StepResult::closed_here() };
        match (session.read_line_within(patience), directive) {
            (Ok(Some(line)), _) if line.raw().len() > skip => {
                let raw = line.raw()[skip..].to_vec();
                self.unexpected(&raw)
            }
            (Ok(Some(_)), _) => self.expect_end(directive),
            (Ok(None), Directive::Reset | Directive::Truncate(_)) => StepResult::not(Verdict::Other, "an orderly end"),
            (Ok(None), _) => StepResult::met("the end"),
            (Err(Error::Io { source, .. }), Directive::Reset | Directive::Close) if is_reset(&source) => {
                StepResult::met("a reset")
            }
            (Err(error), Directive::Truncate(how)) if error.truncation() == Some(*how) => {
                StepResult::met(how.to_string())
            }
            (Err(error), _) => self.late_or_broken(error, b"", patience),
        }
    }

    /// Expects that nothing comes for so long. A silence that the end of the whole time cuts short has not been one.
    pub(super) fn expect_silence(&mut self, time: Duration) -> StepResult {
        let left = self.deadlines.at_most(time);
        match self.hear_nothing(left) {
            result if left < time && result.verdict == Verdict::Met => StepResult::not(Verdict::TooLate, OVER),
            result => result,
        }
    }

    /// Waits for so long, and returns what came instead of silence.
    fn hear_nothing(&mut self, time: Duration) -> StepResult {
        if let Some(reply) = self.held.take() {
            return StepResult::not(Verdict::Other, self.shown(&reply));
        }
        let skip = std::mem::take(&mut self.skip);
        let Some(session) = self.session.as_mut() else { return StepResult::closed_here() };
        match session.read_line_within(time) {
            Ok(Some(line)) if line.raw().len() > skip => {
                let raw = line.raw()[skip..].to_vec();
                self.unexpected(&raw)
            }
            Ok(Some(_)) => self.hear_nothing(time),
            Ok(None) => self.closed_after(b""),
            Err(Error::Timeout { partial, .. }) => {
                // They are in the session still.
                self.skip = skip;
                match partial.get(skip..).unwrap_or_default() {
                    [] => StepResult::met("silence"),
                    more => StepResult::not(Verdict::Other, self.quoted(more)),
                }
            }
            Err(error) => StepResult::broken(error),
        }
    }

    /// Returns what has come already, though nobody asked for it, if something has; while a reply is due, what comes
    /// may be that.
    pub(super) fn unasked(&mut self) -> Option<StepResult> {
        let session = self.session.as_mut()?;
        if self.held.is_none() {
            // A part of a line is none that is ready, and has come all the same.
            let is_settled = session.outstanding() == 0 && (session.has_arrived() || !session.buffered().is_empty());
            session.buffered().get(self.skip..).filter(|more| is_settled && !more.is_empty())?;
        }
        let result = self.hear_nothing(Duration::ZERO);
        let got = format!("{}, which nobody asked for", result.got);
        (result.verdict == Verdict::Other).then(|| StepResult::not(Verdict::Other, got))
    }

    /// Notes a line that came where none should, and returns that it did.
    fn unexpected(&mut self, raw: &[u8]) -> StepResult {
        self.note(Side::Server, ReplyLine::new(raw).content());
        StepResult::not(Verdict::Other, self.quoted(raw))
    }
}

/// Returns the time until a deadline; one that is too far away is as good as the whole time.
fn left(deadline: Option<Instant>, patience: Duration) -> Duration {
    deadline.map_or(patience, |at| at.saturating_duration_since(Instant::now()))
}

/// How long a reply is awaited that comes no more.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How many replies "any number" is at most: a server that never ends is not listened to for ever.
const MOST_REPLIES: usize = 10_000;
