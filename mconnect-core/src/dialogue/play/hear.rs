//! What is expected of the server.

use std::time::{Duration, Instant};

use super::Verdict;
use super::finding::{Finding, is_reset};
use super::game::{GRACE, Game};
use crate::dialogue::deadlines::OVER;
use crate::dialogue::expect::is_met;
use crate::dialogue::load::deliver;
use crate::dialogue::matched::Matched;
use crate::dialogue::{Deed, Mark, Side, Step, Wanted};
use crate::error::Error;
use crate::protocol::{Phase, Reply, ReplyLine, Visible};

impl Game<'_, '_> {
    pub(super) fn expect_reply(&mut self, steps: &[Step]) -> Finding {
        let Some(last) = steps.iter().rev().find_map(Step::wanted) else { return Finding::met("") };
        if !last.is_last() {
            return self.expect_lines(steps);
        }
        if let Some(name) = steps.iter().filter_map(Step::wanted).find_map(|wanted| wanted.lacks(&self.values)) {
            return Finding::no_value(&name);
        }
        let mark = steps.first().and_then(Step::wanted).map_or(last.mark, |first| first.mark);
        let is_optional = matches!(mark, Mark::Optional | Mark::AnyNumber);
        let patience = match is_optional {
            true => {
                let grace = self.deadlines.scaled(GRACE);
                self.deadlines.of_this_or(grace)
            }
            false if self.has_lost() => self.patience().min(self.deadlines.scaled(LAST_WORDS)),
            false => self.patience(),
        };
        let mut count = 0;
        loop {
            let reply = match self.held.take().map_or_else(|| self.read_reply(patience), Ok) {
                Ok(reply) => reply,
                Err(finding) if is_optional && finding.verdict != Verdict::Impossible => {
                    return Finding::met(format!("{count} of them"));
                }
                Err(finding) => return finding,
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
                        return Finding::not(Verdict::Other, format!("more than {MOST_REPLIES} of them"));
                    }
                    let got = self.shown(&reply);
                    return Finding { reply: Some(reply), ..Finding::met(got) };
                }
                None if is_optional => {
                    self.held = Some(reply);
                    return Finding::met(format!("{count} of them"));
                }
                None => {
                    let got = self.shown(&reply);
                    return Finding { reply: Some(reply), ..Finding::not(Verdict::Other, got) };
                }
            }
        }
    }

    /// Says whether QUIT was answered while others were due: their replies come no more.
    fn has_lost(&self) -> bool {
        self.session.as_ref().is_some_and(|session| {
            let standing = session.standing();
            standing.lost > 0 && standing.outstanding == 0
        })
    }

    /// Expects lines of a reply whose end is expected as exact bytes.
    fn expect_lines(&mut self, steps: &[Step]) -> Finding {
        let patience = self.patience();
        let deadline = Instant::now().checked_add(patience);
        for wanted in steps.iter().filter_map(Step::wanted) {
            loop {
                let line = match self.read_line(left(deadline, patience), patience) {
                    Ok(line) => line,
                    Err(finding) => return finding,
                };
                let line = ReplyLine::new(&line);
                match wanted.is_met_by(line, &self.values) {
                    Some(taken) if !line.ends_reply() => {
                        self.values.capture(taken);
                        break;
                    }
                    None if !line.ends_reply() => {}
                    _ => {
                        let shown = self.values.mask(line.content());
                        return Finding::not(Verdict::Other, format!("`{}`", Visible(&shown)));
                    }
                }
            }
        }
        Finding::met("these lines")
    }

    pub(super) fn read_reply(&mut self, patience: Duration) -> Result<Reply, Finding> {
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
                Ok(None) => {}
                Err(limit) => {
                    drop(self.reply.take_partial());
                    return Err(Finding::not(Verdict::Other, limit.to_string()));
                }
            }
        }
    }

    /// Reads a whole line, in the time that is left.
    fn read_line(&mut self, left: Duration, patience: Duration) -> Result<Vec<u8>, Finding> {
        let skip = std::mem::take(&mut self.skip);
        let Some(session) = self.session.as_mut() else { return Err(Finding::closed_here()) };
        let line = match session.read_line_within(left) {
            Ok(Some(line)) => line.raw().get(skip..).unwrap_or_default().to_vec(),
            Ok(None) => return Err(Finding::closed_after(self.reply.partial())),
            Err(error) => return Err(Finding::late_or_broken(&error, self.reply.partial(), patience)),
        };
        let has_ended = session.phase() == Phase::Closed;
        let read = ReplyLine::new(&line);
        self.note(Side::Server, read.content());
        match read.is_finished() {
            true => Ok(line),
            false if has_ended => Err(Finding::closed_after(&[self.reply.partial(), &line].concat())),
            false => Err(Finding::not(Verdict::Other, format!("a line of more than {} octets", line.len()))),
        }
    }

    /// Expects exactly what a step sends, and compares it as it comes.
    pub(super) fn expect_bytes(&mut self, step: &Step) -> Finding {
        let patience = self.patience();
        let deadline = Instant::now().checked_add(patience);
        let (values, mut same, mut other) = (self.values.clone(), Matched::default(), None);
        let delivered = deliver(step, &values, &mut |block| {
            self.expect_block(block, &mut same, deadline, patience).map_err(|finding| {
                other = Some(finding);
                String::new()
            })
        });
        match (other, delivered) {
            (Some(finding), _) => finding,
            (None, Some(Err(why))) => Finding::not(Verdict::Impossible, why),
            _ => Finding::met("these bytes"),
        }
    }

    fn expect_block(
        &mut self,
        mut wanted: &[u8],
        same: &mut Matched,
        deadline: Option<Instant>,
        patience: Duration,
    ) -> Result<(), Finding> {
        while !wanted.is_empty() {
            let Some(session) = self.session.as_mut() else { return Err(Finding::closed_here()) };
            let there = session.buffered().get(self.skip..).unwrap_or_default();
            if there.is_empty() {
                let awaited = self.await_bytes(left(deadline, patience), same.all().unwrap_or_default(), patience);
                awaited.map_err(|finding| match same.all() {
                    Some(_) => finding,
                    None => Finding { got: same.followed_by(&finding.got), ..finding },
                })?;
                continue;
            }
            // A line at a time, so that whole lines are taken out of the session and its phase follows.
            let line_end = memchr::memchr(b'\n', there).map(|lf| lf + 1);
            let part = &there[..line_end.unwrap_or(there.len())];
            let size = same.add(wanted, part);
            if size < part.len().min(wanted.len()) {
                let got = match same.all() {
                    Some(same) => format!("`{}`", Visible(&self.values.mask(&[same, &part[size..]].concat()))),
                    None => same.followed_by("others"),
                };
                return Err(Finding::not(Verdict::Other, got));
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

    /// Waits for bytes behind those that were compared already, in the time that is left.
    fn await_bytes(&mut self, left: Duration, before: &[u8], patience: Duration) -> Result<(), Finding> {
        let Some(session) = self.session.as_mut() else { return Err(Finding::closed_here()) };
        if !session.is_ready() {
            return session.receive(left).map_err(|_| Finding::late(before, patience));
        }
        // The end of the stream, or a line so long that it comes in pieces.
        match session.read_line_within(left) {
            Ok(Some(line)) => {
                self.skip -= self.skip.min(line.raw().len());
                Ok(())
            }
            Ok(None) => Err(Finding::closed_after(before)),
            Err(error) => Err(Finding::late_or_broken(&error, before, patience)),
        }
    }

    pub(super) fn expect_end(&mut self, deed: &Deed) -> Finding {
        let patience = self.patience();
        if let Some(reply) = self.held.take() {
            return Finding::not(Verdict::Other, self.shown(&reply));
        }
        let skip = std::mem::take(&mut self.skip);
        let Some(session) = self.session.as_mut() else { return Finding::closed_here() };
        match (session.read_line_within(patience), deed) {
            (Ok(Some(line)), _) if line.raw().len() > skip => {
                let raw = line.raw()[skip..].to_vec();
                self.unexpected(&raw)
            }
            (Ok(Some(_)), _) => self.expect_end(deed),
            (Ok(None), Deed::Reset | Deed::Truncate(_)) => Finding::not(Verdict::Other, "an orderly end"),
            (Ok(None), _) => Finding::met("the end"),
            (Err(Error::Io { source, .. }), Deed::Reset | Deed::Close) if is_reset(&source) => Finding::met("a reset"),
            (Err(error), Deed::Truncate(how)) if error.truncation() == Some(*how) => Finding::met(how.to_string()),
            (Err(error), _) => Finding::late_or_broken(&error, b"", patience),
        }
    }

    pub(super) fn expect_silence(&mut self, time: Duration) -> Finding {
        let left = self.deadlines.at_most(time);
        match self.hear_nothing(left) {
            finding if left < time && finding.verdict == Verdict::Met => Finding::not(Verdict::TooLate, OVER),
            finding => finding,
        }
    }

    fn hear_nothing(&mut self, time: Duration) -> Finding {
        if let Some(reply) = self.held.take() {
            return Finding::not(Verdict::Other, self.shown(&reply));
        }
        let skip = std::mem::take(&mut self.skip);
        let Some(session) = self.session.as_mut() else { return Finding::closed_here() };
        match session.read_line_within(time) {
            Ok(Some(line)) if line.raw().len() > skip => {
                let raw = line.raw()[skip..].to_vec();
                self.unexpected(&raw)
            }
            Ok(Some(_)) => self.hear_nothing(time),
            Ok(None) => Finding::closed_after(b""),
            Err(Error::Timeout { partial, .. }) => {
                // They are in the session still.
                self.skip = skip;
                match partial.get(skip..).unwrap_or_default() {
                    [] => Finding::met("silence"),
                    more => Finding::not(Verdict::Other, format!("`{}`", Visible(&self.values.mask(more)))),
                }
            }
            Err(error) => Finding::broken(&error),
        }
    }

    /// A line came where none should.
    fn unexpected(&mut self, raw: &[u8]) -> Finding {
        self.note(Side::Server, ReplyLine::new(raw).content());
        Finding::not(Verdict::Other, format!("`{}`", Visible(&self.values.mask(raw))))
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
