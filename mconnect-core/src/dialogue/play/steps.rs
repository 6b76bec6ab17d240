//! Going through the steps of a dialogue, one after the other.
//!
//! Steps are played in the order in which they stand, but not each by itself: those of one reply are one expectation,
//! and what the client says is kept until it has to be out, which is when something is awaited, when a pause comes, or
//! at the end.

use std::time::Instant;

use super::game::{GRACE, Game};
use super::step_result::StepResult;
use super::{Stop, Verdict, auth, tls};
use crate::dialogue::load::NOT_READ;
use crate::dialogue::{Dialogue, Directive, Mark, Side, Step};
use crate::error::Error;
use crate::protocol::{Phase, wipe};
use crate::session::Session;

impl<'a> Game<'a, '_> {
    /// Goes through the steps up to the end, the next session, a place where it is to stop, or the first that is not
    /// met. What is kept goes out in the end, and what has come behind the last step is looked at.
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
        // Where a reply that was expected came after it, that is what became of what could not be sent.
        let is_answered =
            steps[..at].iter().rfind(|step| step.side != Side::Neither).is_some_and(|step| step.side == Side::Server);
        let broken = self.broken.take().filter(|_| !is_answered);
        let result = flushed.err().or_else(|| broken.map(StepResult::broken));
        match result.or_else(|| self.in_time().err()) {
            Some(result) => {
                let shown = self.step_shown(last, 0);
                self.settle(std::slice::from_ref(last), started, result, Some(shown));
            }
            None => self.look_back(last),
        }
    }

    /// Looks at what has come behind the last step, unless another went wrong: then its replies may have gone astray.
    /// Only what is there already is looked at; nothing is waited for.
    fn look_back(&mut self, last: &Step) {
        if self.outcomes.iter().any(|outcome| outcome.verdict != Verdict::Met) {
            return;
        }
        let (started, result) = (Instant::now(), self.unasked());
        if let Some(result) = result {
            self.settle(std::slice::from_ref(last), started, result, Some(END.to_owned()));
        }
    }

    /// Plays a step, or the lines of a reply, and says whether to go on. What only sends has no outcome of its own,
    /// unless it fails.
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

    /// Does a step that needs all that was kept to be out.
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

    /// Ends the sending side in this way; what the server still says can be read.
    fn end_sending(&mut self, end: impl FnOnce(&mut Session) -> Result<(), Error>) -> StepResult {
        match self.session.as_mut().map(end) {
            Some(Ok(())) => StepResult::met(""),
            Some(Err(error)) => StepResult::broken(error),
            None => StepResult::closed_here(),
        }
    }

    /// Ends TLS, as the side of the step does it. What has come inside TLS and was not expected would be lost, and is
    /// told instead.
    fn end_tls(&mut self, side: Side) -> StepResult {
        if let Some(reply) = self.held.take() {
            return StepResult::not(Verdict::Other, self.shown(&reply));
        }
        let patience = self.reply_timeout();
        let Some(session) = self.session.take() else { return StepResult::closed_here() };
        if !session.buffered().is_empty() {
            return StepResult::not(Verdict::Other, format!("{} inside TLS", self.quoted(session.buffered())));
        }
        match session.end_tls(side == Side::Server, patience) {
            Ok(session) => {
                self.session = Some(session);
                StepResult::met("the end of TLS")
            }
            Err(error) => self.late_or_broken(error, b"", patience),
        }
    }

    /// Stops at a place: by QUIT, where that would be a command, or by closing.
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
}

/// Counts the lines of a reply, with those of its alternatives, and with the pauses between them: what is expected as
/// one.
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

/// What is expected behind the last step.
const END: &str = "the end of the dialogue";
