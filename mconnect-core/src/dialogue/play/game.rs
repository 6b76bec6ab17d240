//! A dialogue under way.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::passing::Passing;
use super::step_result::StepResult;
use super::{Outcome, Player, Report, Stop, Verdict, Watcher, auth, tls};
use crate::dialogue::deadlines::{Deadlines, OVER};
use crate::dialogue::{Dialogue, Directive, Mark, Side, Step, Values};
use crate::error::Error;
use crate::protocol::{Answer, BodyDecoder, Limits, Phase, Reply, ReplyBuilder, Visible, wipe};
use crate::script::{Course, LastAuth, Pace, Rules};
use crate::session::Session;

/// A dialogue that is being played.
pub(super) struct Game<'a, 'w> {
    pub session: Option<Session>,
    pub values: Values,
    pub outcomes: Vec<Outcome>,
    pub(super) tls: &'a tls::Config,
    pub(super) deadlines: Deadlines,
    keeps_going: bool,
    stop: Option<&'a (String, Stop)>,
    watcher: Option<&'a mut Watcher<'w>>,
    /// What is to be sent next, together.
    pub(super) out: Vec<u8>,
    /// Why nothing more can be sent; what the server said before is still read.
    pub(super) broken: Option<Error>,
    /// How many bytes of the next line were compared already, by exact bytes that ended inside it.
    pub(super) skip: usize,
    /// The reply that is being read.
    pub(super) reply: ReplyBuilder,
    /// A reply that was read and belongs to a later step.
    pub(super) held: Option<Reply>,
    /// How the last AUTH began.
    pub(super) exchange: LastAuth,
    /// The handshake is what the client does next.
    is_tls_next: bool,
    /// What is passed over, since DATA was refused.
    pub(super) passing: Passing,
    last_lines: VecDeque<(Side, Vec<u8>)>,
    /// Lines are missing after the first of them.
    has_gap: bool,
}

impl<'a, 'w> Game<'a, 'w> {
    pub fn new(player: &'a mut Player<'w>, session: Session) -> Self {
        Self {
            session: Some(session),
            values: player.values.clone(),
            outcomes: Vec::new(),
            tls: &player.tls,
            deadlines: Deadlines::new(player.factor),
            keeps_going: player.keeps_going,
            stop: player.stop.as_ref(),
            watcher: player.watcher.as_deref_mut(),
            out: Vec::new(),
            broken: None,
            skip: 0,
            reply: ReplyBuilder::new(Limits::default()),
            held: None,
            exchange: LastAuth::None,
            is_tls_next: false,
            passing: Passing::Nothing,
            last_lines: VecDeque::new(),
            has_gap: false,
        }
    }

    pub fn run(&mut self, steps: &[Step]) {
        let mut at = 0;
        while let Some(step) = steps.get(at) {
            match (&step.directive, self.stop) {
                (Directive::NextSession, _) => break,
                (Directive::Place(name), Some((place, stop))) if name == place => return self.stop_here(step, *stop),
                _ => {}
            }
            if self.passes_over(step) {
                at += 1;
                continue;
            }
            let count = match &step.directive {
                Directive::Reply(_) => size_of_expectation(&steps[at..]),
                _ => 1,
            };
            let (these, rest) = steps[at..].split_at(count);
            self.is_tls_next =
                rest.iter().find(|step| step.side == Side::Client).is_some_and(|s| s.directive == Directive::Tls);
            if !self.play(these) {
                return;
            }
            at += count;
        }
        let Some(last) = steps[..at].last() else { return };
        let (started, flushed) = (Instant::now(), self.flush());
        let result = flushed.err().or_else(|| self.broken.take().map(|error| StepResult::broken(&error)));
        match result.or_else(|| self.in_time().err()) {
            Some(result) => {
                let shown = self.step_shown(last, 0);
                self.settle(std::slice::from_ref(last), started, result, Some(shown));
            }
            None => self.look_back(last),
        }
    }

    /// Looks at what has come behind the last step, unless another went wrong: then its replies may have gone astray.
    fn look_back(&mut self, last: &Step) {
        if self.outcomes.iter().any(|outcome| outcome.verdict != Verdict::Met) {
            return;
        }
        let (started, result) = (Instant::now(), self.unasked());
        if let Some(result) = result {
            self.settle(std::slice::from_ref(last), started, result, Some(END.to_owned()));
        }
    }

    /// Plays a step, or the lines of a reply, and says whether to go on.
    fn play(&mut self, steps: &[Step]) -> bool {
        let (step, started) = (&steps[0], Instant::now());
        let result = match (step.side, &step.directive) {
            (
                Side::Client,
                Directive::Line(_)
                | Directive::Bytes(_)
                | Directive::Body(_)
                | Directive::File(_)
                | Directive::Octets(_),
            ) => {
                let pending = self.out.len();
                return match self.send(step).and_then(|()| self.in_time()) {
                    Ok(()) => true,
                    Err(result) => {
                        let shown = self.step_shown(step, pending);
                        self.settle(steps, started, result, Some(shown))
                    }
                };
            }
            (Side::Neither, Directive::Include(_)) => StepResult::not(Verdict::Impossible, NOT_READ),
            (Side::Neither, directive) => {
                self.deadlines.take(directive);
                if let Directive::Secret(name) = directive {
                    self.values.hide(name.clone());
                }
                return true;
            }
            _ => match self.flush() {
                Ok(()) => self.act(steps),
                Err(result) => result,
            },
        };
        let result = match result.verdict {
            Verdict::Met => self.in_time().err().unwrap_or(result),
            _ => result,
        };
        self.settle(steps, started, result, None)
    }

    fn act(&mut self, steps: &[Step]) -> StepResult {
        let step = &steps[0];
        match (step.side, &step.directive) {
            (_, Directive::Reply(_)) => self.expect_reply(steps),
            (Side::Server, Directive::Bytes(_) | Directive::File(_) | Directive::Octets(_)) => self.expect_bytes(step),
            (Side::Server, Directive::Close | Directive::Truncate(_) | Directive::HalfClose | Directive::Reset) => {
                self.expect_end(&step.directive)
            }
            (Side::Server, Directive::Silence(time)) => self.expect_silence(*time),
            (Side::Server, Directive::NoReply) => {
                let grace = self.deadlines.scaled(GRACE);
                let time = self.deadlines.whole_or(grace);
                self.expect_silence(time)
            }
            (Side::Client, Directive::Pause(time) | Directive::Silence(time)) => {
                self.deadlines.pause(*time);
                StepResult::met("")
            }
            (Side::Client, Directive::HalfClose) => self.end_sending(Session::half_close),
            (Side::Client, Directive::Close) => {
                // Whoever has gone before does not hear it.
                drop(self.session.take().map(|mut session| session.half_close()));
                StepResult::met("")
            }
            (Side::Client, Directive::Truncate(how)) => {
                let result = self.end_sending(|session| session.truncate(*how));
                self.session = None;
                result
            }
            (Side::Client, Directive::Reset) => match self.session.take().map(Session::reset) {
                Some(Ok(())) => StepResult::met(""),
                Some(Err(error)) => StepResult::not(Verdict::Impossible, error.to_string()),
                None => StepResult::closed_here(),
            },
            (Side::Client, Directive::StartTls) => tls::start(self, true),
            (Side::Client, Directive::Tls) => tls::start(self, false),
            (side, Directive::EndTls) => self.end_tls(side),
            (Side::Client, Directive::Authenticate { mechanism, user, secret }) => {
                match (self.values.fill(user), self.values.fill(secret)) {
                    (Ok(user), Ok(mut secret)) => {
                        let result = auth::authenticate(self, mechanism, &user, &secret);
                        wipe(&mut secret);
                        result
                    }
                    (Err(name), _) | (_, Err(name)) => StepResult::no_value(&name),
                }
            }
            // What the other side does in silence.
            _ => StepResult::met(""),
        }
    }

    fn end_sending(&mut self, end: impl FnOnce(&mut Session) -> Result<(), Error>) -> StepResult {
        match self.session.as_mut().map(end) {
            Some(Ok(())) => StepResult::met(""),
            Some(Err(error)) => StepResult::broken(&error),
            None => StepResult::closed_here(),
        }
    }

    /// Says whether the session has time left.
    fn in_time(&self) -> Result<(), StepResult> {
        if self.deadlines.are_over() { Err(StepResult::not(Verdict::TooLate, OVER)) } else { Ok(()) }
    }

    fn end_tls(&mut self, side: Side) -> StepResult {
        if let Some(reply) = self.held.take() {
            return StepResult::not(Verdict::Other, self.shown(&reply));
        }
        let patience = self.reply_timeout();
        let Some(session) = self.session.take() else { return StepResult::closed_here() };
        if !session.buffered().is_empty() {
            let came = Visible(&self.values.mask(session.buffered())).to_string();
            return StepResult::not(Verdict::Other, format!("`{came}` inside TLS"));
        }
        match session.end_tls(side == Side::Server, patience) {
            Ok(session) => {
                self.session = Some(session);
                StepResult::met("the end of TLS")
            }
            Err(error) => StepResult::late_or_broken(&error, b"", patience),
        }
    }

    fn stop_here(&mut self, place: &Step, stop: Stop) {
        let (started, flushed) = (Instant::now(), self.flush());
        // What would be a body's text, an answer or the beginning of a handshake is no QUIT.
        let is_command_due = self.session.as_ref().is_none_or(|session| {
            !matches!(session.phase(), Phase::Body | Phase::Chunk { .. } | Phase::Auth | Phase::StartTls)
        });
        if flushed.is_ok() && stop == Stop::WithQuit && is_command_due {
            let quit = Dialogue::parse("C: QUIT\nS: 221").expect("these lines are a dialogue");
            for step in quit.steps() {
                let step = Step { file: place.file.clone(), line: place.line, ..step.clone() };
                if !self.play(&[step]) {
                    break;
                }
            }
            self.look_back(place);
        }
        if let Err(result) = flushed {
            self.settle(std::slice::from_ref(place), started, result, None);
        }
        self.session = None;
    }

    /// Keeps the outcome of a step, and says whether to go on; `shown` is the step as it is shown, where that depends on
    /// what was sent before it.
    fn settle(&mut self, steps: &[Step], started: Instant, result: StepResult, shown: Option<String>) -> bool {
        let is_met = result.verdict == Verdict::Met;
        // A failure to write is told where what was expected did not come.
        let goes_on = is_met || self.goes_on(steps, &result);
        let mut got = match (is_met, self.broken.take()) {
            (true, broken) => {
                self.broken = broken;
                result.got
            }
            (false, Some(error)) => format!("{}; before that, {}", result.got, error.chain()),
            (false, None) => result.got,
        };
        let lost = self.session.as_ref().map_or(0, |session| session.standing().lost);
        if !is_met && lost > 0 {
            let _ = write!(got, "; QUIT was answered, and replies due before it never came: {lost}");
        }
        if matches!(self.passing, Passing::Body(_)) {
            got.push_str("; the steps of its body are passed over");
        }
        let outcome = Outcome {
            step: steps[steps.len() - 1].clone(),
            before: steps[..steps.len() - 1].to_vec(),
            got,
            reply: result.reply,
            took: started.elapsed(),
            verdict: result.verdict,
            shown,
            last_lines: if is_met { Vec::new() } else { self.last_lines() },
        };
        self.report(Report::Outcome(&outcome));
        self.outcomes.push(outcome);
        goes_on
    }

    /// Says whether to go on after a step that was not met: as long as the connection lasts, and what follows can mean
    /// what it was meant for.
    fn goes_on(&mut self, steps: &[Step], result: &StepResult) -> bool {
        let step = &steps[0];
        if (step.side, &step.directive) == (Side::Client, &Directive::StartTls) {
            // What was to be sent inside TLS goes to nobody.
            self.session = None;
        }
        let is_reply = match &step.directive {
            Directive::StartTls | Directive::Tls => false,
            // Nobody knows where the next reply begins.
            Directive::Bytes(_) | Directive::File(_) | Directive::Octets(_) => false,
            _ => matches!(result.verdict, Verdict::Other | Verdict::Refused),
        };
        let Some(session) = self.session.as_ref().filter(|_| self.keeps_going && is_reply) else { return false };
        let standing = session.standing();
        let said = result.reply.as_ref().map(|reply| Answer { request: reply.request(), code: reply.code() });
        let Some(answer) = said.or(standing.last_answer) else { return true };
        let is_code = |step: &Step| step.wanted().is_some_and(|wanted| wanted.is_last() && wanted.code.is(answer.code));
        if answer.request.is_some() && steps.iter().any(is_code) {
            // Another text, but what was to follow was meant for after this code.
            return true;
        }
        let exchange = match step.directive {
            Directive::Authenticate { .. } => LastAuth::Whole,
            _ => self.exchange,
        };
        let rules = Rules { upgrades: self.is_tls_next, ..Rules::new(Pace::InStep) };
        match Course::after_unexpected(answer, exchange, rules) {
            Course::GoOn => true,
            // A body that was sent together with DATA has gone.
            Course::SkipBody => {
                if standing.outstanding == 0 {
                    self.passing = Passing::Body(BodyDecoder::default());
                }
                true
            }
            // The exchange of a step is over, whatever became of it.
            Course::Cancel => matches!(step.directive, Directive::Authenticate { .. }),
            Course::End(_) => false,
        }
    }

    /// Returns the time that the next thing awaited may take.
    pub(super) fn reply_timeout(&mut self) -> Duration {
        let usual = self.session.as_ref().map_or(GRACE, Session::reply_timeout);
        self.deadlines.next_or(usual)
    }

    /// Returns a reply as it is shown.
    pub(super) fn shown(&self, reply: &Reply) -> String {
        let mut shown = String::with_capacity(reply.raw().len() + 8);
        write!(shown, "`{reply}`").expect("writing to a string does not fail");
        match self.values.mask(shown.as_bytes()) {
            Cow::Borrowed(_) => shown,
            Cow::Owned(masked) => String::from_utf8_lossy(&masked).into_owned(),
        }
    }

    /// Notes a line that was sent or received.
    pub(super) fn note(&mut self, side: Side, line: &[u8]) {
        let masked = self.values.mask(line);
        if let Some(watcher) = &mut self.watcher {
            let shown = Visible(&masked).to_string();
            watcher(if side == Side::Client { Report::Sent(&shown) } else { Report::Received(&shown) });
        }
        // The oldest line gives its room to the newest; but the last command stays, however long its reply is.
        let mut kept = match self.last_lines.len() {
            LAST_LINES => {
                let mut commands = self.last_lines.iter().map(|(side, _)| *side == Side::Client);
                self.has_gap = side == Side::Server && commands.next() == Some(true) && !commands.any(|is_one| is_one);
                let oldest = self.last_lines.remove(usize::from(self.has_gap));
                oldest.map_or_else(Vec::new, |(_, line)| line)
            }
            _ => Vec::new(),
        };
        kept.clear();
        kept.extend_from_slice(&masked);
        self.last_lines.push_back((side, kept));
    }

    fn last_lines(&self) -> Vec<String> {
        let shown = |(side, line): &(Side, Vec<u8>)| {
            format!("{}: {}", if *side == Side::Client { 'C' } else { 'S' }, Visible(line))
        };
        let mut lines: Vec<String> = self.last_lines.iter().map(shown).collect();
        if self.has_gap {
            lines.insert(1, "...".to_owned());
        }
        lines
    }

    pub(super) fn report(&mut self, report: Report<'_>) {
        if let Some(watcher) = &mut self.watcher {
            watcher(report);
        }
    }
}

/// Counts the lines of a reply, with those of its alternatives, and with the pauses between them.
fn size_of_expectation(steps: &[Step]) -> usize {
    let (mut size, mut has_ended) = (0, false);
    for (index, step) in steps.iter().enumerate() {
        match &step.directive {
            Directive::Reply(wanted) if has_ended && wanted.mark != Mark::Or => break,
            Directive::Reply(wanted) => (size, has_ended) = (index + 1, wanted.is_last()),
            Directive::Pause(_) if !has_ended => {}
            _ => break,
        }
    }
    size
}

/// How long an optional reply, or one that must not come, is awaited.
pub(super) const GRACE: Duration = Duration::from_secs(1);
/// What is expected behind the last step.
const END: &str = "the end of the dialogue";
/// Why an `*include*` is still there.
const NOT_READ: &str = "a file that was not read: Dialogue::load reads it";
/// How many lines a failure shows.
const LAST_LINES: usize = 20;
