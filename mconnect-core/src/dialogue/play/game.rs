//! A dialogue under way.

use std::collections::VecDeque;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use super::{Outcome, Report, Stop, Verdict, Watcher};
use crate::dialogue::expect::is_met;
use crate::dialogue::load::deliver;
use crate::dialogue::{Deed, Dialogue, Mark, Side, Step, Values, Wanted};
use crate::error::Error;
use crate::protocol::{Limits, Phase, Reply, ReplyBuilder, ReplyLine, Visible};
use crate::session::Session;

/// A dialogue that is being played.
#[derive(Default)]
pub(super) struct Game<'a, 'w> {
    pub session: Option<Session>,
    pub values: Values,
    keeps_going: bool,
    stop: Option<(String, Stop)>,
    watcher: Option<&'a mut Watcher<'w>>,
    /// What is to be sent next, together.
    out: Vec<u8>,
    /// Why nothing more can be sent; what the server said before is still read.
    broken: Option<Error>,
    /// How many bytes of the next line were compared already, by exact bytes that ended inside it.
    skip: usize,
    /// A reply that was read and belongs to a later step.
    held: Option<Reply>,
    /// The deadline of the next thing awaited, of each, and of all.
    next: Option<Duration>,
    each: Option<Duration>,
    end: Option<Instant>,
    last_lines: VecDeque<String>,
    pub outcomes: Vec<Outcome>,
}

/// What a step came to.
struct Finding {
    verdict: Verdict,
    got: String,
    reply: Option<Reply>,
}

impl Finding {
    fn met(got: impl Into<String>) -> Self {
        Self { verdict: Verdict::Met, got: got.into(), reply: None }
    }

    fn not(verdict: Verdict, got: impl Into<String>) -> Self {
        Self { verdict, got: got.into(), reply: None }
    }
}

impl<'a, 'w> Game<'a, 'w> {
    pub fn new(
        session: Session,
        values: Values,
        keeps_going: bool,
        stop: Option<(String, Stop)>,
        watcher: Option<&'a mut Watcher<'w>>,
    ) -> Self {
        Self { session: Some(session), values, keeps_going, stop, watcher, ..Self::default() }
    }
    pub fn run(&mut self, steps: &[Step]) {
        let mut at = 0;
        while let Some(step) = steps.get(at) {
            if step.deed == Deed::NextSession {
                break;
            }
            if let Deed::Place(name) = &step.deed
                && let Some((place, stop)) = &self.stop
                && name == place
            {
                let stop = *stop;
                return self.stop_here(step, stop);
            }
            let count = match &step.deed {
                Deed::Reply(_) => size_of_expectation(&steps[at..]),
                _ => 1,
            };
            if !self.play(&steps[at..at + count]) {
                return;
            }
            at += count;
        }
        if let (Some(last), false) = (steps.last(), self.out.is_empty() && self.broken.is_none()) {
            let (started, result) = (Instant::now(), self.flush());
            let result = result.err().or_else(|| self.broken.take().map(|error| told(&error)));
            if let Some(result) = result {
                self.settle(std::slice::from_ref(last), started, result);
            }
        }
    }

    /// Plays a step, or the lines of a reply, and says whether to go on.
    fn play(&mut self, steps: &[Step]) -> bool {
        let started = Instant::now();
        let step = &steps[0];
        let result = match (step.side, &step.deed) {
            (_, Deed::Line(_) | Deed::Bytes(_) | Deed::Body(_) | Deed::File(_) | Deed::Octets(_))
                if step.side == Side::Client =>
            {
                match self.send(step) {
                    Ok(()) => return true,
                    Err(why) => Finding::not(Verdict::Impossible, why),
                }
            }
            (Side::Neither, _) => {
                self.obey(&step.deed);
                return true;
            }
            _ => match self.flush() {
                Ok(()) => self.act(steps),
                Err(result) => result,
            },
        };
        self.settle(steps, started, result)
    }

    fn obey(&mut self, deed: &Deed) {
        match deed {
            Deed::Within(time) => self.next = Some(*time),
            Deed::EachWithin(time) => self.each = Some(*time),
            Deed::AllWithin(time) => self.end = Instant::now().checked_add(*time),
            Deed::Secret(name) => self.values.hide(name.clone()),
            _ => {}
        }
    }

    fn act(&mut self, steps: &[Step]) -> Finding {
        let step = &steps[0];
        match (step.side, &step.deed) {
            (_, Deed::Reply(_)) => self.expect_reply(steps),
            (Side::Server, Deed::Bytes(_) | Deed::File(_) | Deed::Octets(_)) => self.expect_bytes(step),
            (Side::Server, Deed::Close | Deed::HalfClose | Deed::Reset) => self.expect_end(&step.deed),
            (Side::Server, Deed::Silence(time)) => self.expect_silence(*time),
            (Side::Server, Deed::NoReply) => {
                let time = self.next.take().unwrap_or(GRACE);
                self.expect_silence(time)
            }
            (Side::Client, Deed::Pause(time)) => {
                thread::sleep(*time);
                Finding::met("")
            }
            (Side::Client, Deed::HalfClose) => match self.session.as_mut().map(Session::half_close) {
                Some(Ok(())) => Finding::met(""),
                Some(Err(error)) => told(&error),
                None => closed_here(),
            },
            (Side::Client, Deed::Close) => {
                self.session = None;
                Finding::met("")
            }
            (Side::Client, Deed::Reset) => match self.session.take() {
                Some(session) => match session.reset() {
                    Ok(()) => Finding::met(""),
                    Err(error) => Finding::not(Verdict::Impossible, error.to_string()),
                },
                None => closed_here(),
            },
            (Side::Client, Deed::StartTls | Deed::Tls | Deed::EndTls) => {
                Finding::not(Verdict::Impossible, "no TLS: this needs the feature tls")
            }
            (Side::Client, Deed::Authenticate { .. }) => {
                Finding::not(Verdict::Impossible, "no authentication: this build has none")
            }
            // What the other side does in silence.
            _ => Finding::met(""),
        }
    }

    /// Adds what a step sends to what goes out next, which goes out when it is much.
    fn send(&mut self, step: &Step) -> Result<(), String> {
        let values = self.values.clone();
        let mut sink = |bytes: &[u8]| {
            self.out.extend_from_slice(bytes);
            if self.out.len() >= BLOCK {
                return self.flush().map_err(|result| result.got);
            }
            Ok(())
        };
        deliver(step, &values, &mut sink).unwrap_or(Ok(()))
    }

    fn flush(&mut self) -> Result<(), Finding> {
        let bytes = std::mem::take(&mut self.out);
        if bytes.is_empty() || self.broken.is_some() {
            return Ok(());
        }
        let Some(session) = self.session.as_mut() else { return Err(closed_here()) };
        let mut is_answer = session.phase() == Phase::Auth;
        // The server may have said why it takes nothing more; that is looked at first.
        self.broken = session.send(&bytes).err();
        for line in bytes.split_inclusive(|byte| *byte == b'\n').take(MOST_SHOWN) {
            let line = line.strip_suffix(b"\n").map_or(line, |line| line.strip_suffix(b"\r").unwrap_or(line));
            let shown = match hidden(line, is_answer) {
                Some(shown) => shown,
                None => Visible(&self.values.mask(line)).to_string(),
            };
            // What goes out together with an AUTH that has no initial response are its answers.
            is_answer |= line.split(|byte| *byte == b' ').count() == 2
                && line.get(..5).is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH "));
            self.note('C', &shown);
        }
        Ok(())
    }

    fn expect_reply(&mut self, steps: &[Step]) -> Finding {
        let wanted: Vec<&Wanted> = steps
            .iter()
            .filter_map(|step| match &step.deed {
                Deed::Reply(wanted) => Some(wanted),
                _ => None,
            })
            .collect();
        let alternatives: Vec<&[&Wanted]> = wanted.split_inclusive(|wanted| wanted.is_last()).collect();
        let mark = wanted[0].mark;
        let is_optional = matches!(mark, Mark::Optional | Mark::AnyNumber);
        let patience = if is_optional { self.next.take().unwrap_or(GRACE) } else { self.patience() };
        let mut count = 0;
        loop {
            let reply = match self.held.take().map_or_else(|| self.read_reply(patience), Ok) {
                Ok(reply) => reply,
                Err(result) if is_optional && result.verdict != Verdict::Impossible => {
                    return Finding::met(format!("{count} of them"));
                }
                Err(result) => return result,
            };
            let taken = alternatives.iter().find_map(|lines| is_met(lines, &reply, &self.values));
            let got = format!("`{}`", String::from_utf8_lossy(&self.values.mask(reply.to_string().as_bytes())));
            match (taken, mark) {
                (Some(taken), _) => {
                    for (name, value) in taken {
                        self.values.set(name, value);
                    }
                    if mark == Mark::AnyNumber {
                        count += 1;
                        continue;
                    }
                    return Finding { reply: Some(reply), ..Finding::met(got) };
                }
                (None, Mark::Optional | Mark::AnyNumber) => {
                    self.held = Some(reply);
                    return Finding::met(format!("{count} of them"));
                }
                (None, _) => return Finding { reply: Some(reply), ..Finding::not(Verdict::Other, got) },
            }
        }
    }

    fn read_reply(&mut self, patience: Duration) -> Result<Reply, Finding> {
        let deadline = Instant::now().checked_add(patience);
        let mut builder = ReplyBuilder::new(Limits::default());
        loop {
            let left = deadline.map_or(patience, |at| at.saturating_duration_since(Instant::now()));
            let skip = std::mem::take(&mut self.skip);
            let Some(session) = self.session.as_mut() else { return Err(closed_here()) };
            let line = match session.read_line_within(left) {
                Ok(Some(line)) if skip > 0 => line.raw().get(skip..).unwrap_or_default().to_vec(),
                Ok(Some(line)) => line.raw().to_vec(),
                Ok(None) => return Err(Finding::not(Verdict::Closed, closed_after(builder.partial()))),
                Err(error) => return Err(late_or_broken(error, builder.partial(), patience)),
            };
            let line = ReplyLine::new(&line);
            self.note_received(line.content());
            if !line.is_finished() {
                return Err(Finding::not(Verdict::Closed, closed_after(&[builder.partial(), line.raw()].concat())));
            }
            match builder.push(line) {
                Ok(Some(reply)) => return Ok(reply),
                Ok(None) => {}
                Err(limit) => return Err(Finding::not(Verdict::Other, limit.to_string())),
            }
        }
    }

    fn expect_bytes(&mut self, step: &Step) -> Finding {
        let mut wanted = Vec::new();
        let values = self.values.clone();
        let delivered = deliver(step, &values, &mut |bytes: &[u8]| {
            wanted.extend_from_slice(bytes);
            Ok(())
        });
        if let Some(Err(why)) = delivered {
            return Finding::not(Verdict::Impossible, why);
        }
        let patience = self.patience();
        let deadline = Instant::now().checked_add(patience);
        let mut rest = wanted.as_slice();
        while !rest.is_empty() {
            let left = deadline.map_or(patience, |at| at.saturating_duration_since(Instant::now()));
            let Some(session) = self.session.as_mut() else { return closed_here() };
            let there = session.buffered().get(self.skip..).unwrap_or_default().to_vec();
            if there.is_empty() && !session.is_ready() {
                if let Err(error) = session.receive(left) {
                    return late_or_broken(error, &wanted[..wanted.len() - rest.len()], patience);
                }
                if session.buffered().len() > self.skip || !session.is_ready() {
                    continue;
                }
            }
            if there.is_empty() {
                match session.read_line_within(left) {
                    Ok(Some(line)) => self.skip -= self.skip.min(line.raw().len()),
                    _ => return Finding::not(Verdict::Closed, closed_after(&wanted[..wanted.len() - rest.len()])),
                }
                continue;
            }
            // A line at a time, so that whole lines are taken out of the session and its phase follows.
            let line_end = memchr::memchr(b'\n', &there).map(|lf| lf + 1);
            let part = &there[..line_end.unwrap_or(there.len())];
            let size = part.len().min(rest.len());
            if part[..size] != rest[..size] {
                let came = [&wanted[..wanted.len() - rest.len()], part].concat();
                return Finding::not(Verdict::Other, format!("`{}`", Visible(&self.values.mask(&came))));
            }
            rest = &rest[size..];
            if line_end.is_some_and(|end| end == size) {
                let whole = match session.read_line_within(left) {
                    Ok(Some(line)) => line.content().to_vec(),
                    _ => Vec::new(),
                };
                self.skip = 0;
                self.note_received(&whole);
            } else {
                self.skip += size;
            }
        }
        Finding::met("")
    }

    fn expect_end(&mut self, deed: &Deed) -> Finding {
        let patience = self.patience();
        if let Some(reply) = self.held.take() {
            return Finding { ..Finding::not(Verdict::Other, format!("`{reply}`")) };
        }
        let skip = std::mem::take(&mut self.skip);
        let Some(session) = self.session.as_mut() else { return closed_here() };
        match (session.read_line_within(patience), deed) {
            (Ok(Some(line)), _) if line.raw().len() > skip => {
                let (content, raw) = (line.content().to_vec(), line.raw().to_vec());
                self.note_received(&content);
                Finding::not(Verdict::Other, format!("`{}`", Visible(&raw)))
            }
            (Ok(Some(_)), _) => self.expect_end(deed),
            (Ok(None), Deed::Reset) => Finding::not(Verdict::Other, "an orderly end"),
            (Ok(None), _) => Finding::met("the end"),
            (Err(Error::Io { source, .. }), Deed::Reset | Deed::Close) if is_reset(&source) => Finding::met("a reset"),
            (Err(error), _) => late_or_broken(error, b"", patience),
        }
    }

    fn expect_silence(&mut self, time: Duration) -> Finding {
        if let Some(reply) = self.held.take() {
            return Finding::not(Verdict::Other, format!("`{reply}`"));
        }
        let Some(session) = self.session.as_mut() else { return closed_here() };
        match session.read_line_within(time) {
            Ok(Some(line)) => {
                let (content, raw) = (line.content().to_vec(), line.raw().to_vec());
                self.note_received(&content);
                Finding::not(Verdict::Other, format!("`{}`", Visible(&raw)))
            }
            Ok(None) => Finding::not(Verdict::Closed, "the end of the stream"),
            Err(Error::Timeout { partial, .. }) if partial.len() <= self.skip => Finding::met("silence"),
            Err(Error::Timeout { partial, .. }) => Finding::not(Verdict::Other, format!("`{}`", Visible(&partial))),
            Err(error) => told(&error),
        }
    }

    fn stop_here(&mut self, place: &Step, stop: Stop) {
        let (started, flushed) = (Instant::now(), self.flush());
        if flushed.is_ok() && stop == Stop::WithQuit {
            let quit = Dialogue::parse("C: QUIT\nS: 221").expect("these lines are a dialogue");
            for step in quit.steps {
                let step = Step { file: place.file.clone(), line: place.line, ..step };
                self.play(&[step]);
            }
        }
        if let Err(result) = flushed {
            self.settle(std::slice::from_ref(place), started, result);
        }
        self.session = None;
    }

    /// Keeps the outcome of a step, and says whether to go on.
    fn settle(&mut self, steps: &[Step], started: Instant, result: Finding) -> bool {
        let is_met = result.verdict == Verdict::Met;
        // A failure to write is told where what was expected did not come.
        let got = match (&result.verdict, self.broken.take()) {
            (Verdict::Met, broken) => {
                self.broken = broken;
                result.got
            }
            (_, Some(error)) => format!("{}; before that, {error}", result.got),
            (_, None) => result.got,
        };
        let expected: Vec<String> = steps.iter().map(ToString::to_string).collect();
        let outcome = Outcome {
            step: steps[steps.len() - 1].clone(),
            expected: expected.join(" / "),
            got,
            reply: result.reply,
            took: started.elapsed(),
            verdict: result.verdict,
            last_lines: if is_met { Vec::new() } else { self.last_lines.iter().cloned().collect() },
        };
        if let Some(watcher) = &mut self.watcher {
            watcher(Report::Outcome(&outcome));
        }
        self.outcomes.push(outcome);
        is_met || (self.keeps_going && result.verdict == Verdict::Other)
    }

    /// Gives the time that the next thing awaited may take.
    fn patience(&mut self) -> Duration {
        let own = self.session.as_ref().map_or(GRACE, Session::patience);
        let patience = self.next.take().or(self.each).unwrap_or(own);
        match self.end {
            Some(end) => patience.min(end.saturating_duration_since(Instant::now())),
            None => patience,
        }
    }

    fn note_received(&mut self, line: &[u8]) {
        let shown = Visible(&self.values.mask(line)).to_string();
        self.note('S', &shown);
    }

    fn note(&mut self, side: char, line: &str) {
        if let Some(watcher) = &mut self.watcher {
            watcher(if side == 'C' { Report::Sent(line) } else { Report::Received(line) });
        }
        if self.last_lines.len() == LAST_LINES {
            self.last_lines.pop_front();
        }
        self.last_lines.push_back(format!("{side}: {line}"));
    }
}

/// Counts the lines of a reply, with those of its alternatives.
fn size_of_expectation(steps: &[Step]) -> usize {
    let mut size = 0;
    while let Some(Step { deed: Deed::Reply(wanted), .. }) = steps.get(size) {
        let begins = size == 0 || steps.get(size - 1).is_some_and(ends_reply);
        if size > 0 && begins && wanted.mark != Mark::Or {
            break;
        }
        size += 1;
    }
    size
}

fn ends_reply(step: &Step) -> bool {
    matches!(&step.deed, Deed::Reply(wanted) if wanted.is_last())
}

/// Gives how a line with a password in it is shown, if it is one.
fn hidden(line: &[u8], is_answer: bool) -> Option<String> {
    let mut words = line.split(|byte| *byte == b' ');
    match (words.next(), words.next(), words.next()) {
        (Some(auth), Some(mechanism), Some(_)) if auth.eq_ignore_ascii_case(b"AUTH") => {
            Some(format!("AUTH {} [hidden]", Visible(mechanism)))
        }
        _ if is_answer && line != b"*" => Some("[hidden]".to_owned()),
        _ => None,
    }
}

fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

fn told(error: &Error) -> Finding {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    Finding::not(Verdict::Closed, format!("an error: {error}{cause}"))
}

fn late_or_broken(error: Error, before: &[u8], patience: Duration) -> Finding {
    match error {
        Error::Timeout { partial, .. } => {
            let partial = [before, &partial].concat();
            let what = match partial.as_slice() {
                [] => "nothing".to_owned(),
                partial => format!("only `{}`", Visible(partial)),
            };
            Finding::not(Verdict::TooLate, format!("{what} in {patience:?}"))
        }
        error => told(&error),
    }
}

fn closed_after(partial: &[u8]) -> String {
    match partial {
        [] => "the end of the stream".to_owned(),
        partial => format!("`{}` and the end of the stream", Visible(partial)),
    }
}

fn closed_here() -> Finding {
    Finding::not(Verdict::Impossible, "no session: the dialogue has closed it")
}

/// How long an optional reply, or one that must not come, is awaited.
const GRACE: Duration = Duration::from_secs(1);
/// What goes out together is at most about this many octets.
const BLOCK: usize = 64 * 1024;
/// How many lines of what goes out together are shown.
const MOST_SHOWN: usize = 1000;
/// How many lines a failure shows.
const LAST_LINES: usize = 10;
