//! What a step came to, and whether the dialogue goes on after it.
//!
//! Only a player that [keeps going](super::Player::keep_going) asks whether to go on after a step that was not met. The
//! rule is that nothing is sent in another meaning than it was written in; [`Course`] has it, for what a reply leaves
//! of a script and of a dialogue alike.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use super::game::{Game, Passing};
use super::step_result::StepResult;
use super::{Outcome, Report, Verdict};
use crate::dialogue::{Directive, Side, Step};
use crate::protocol::{Answer, BodyDecoder};
use crate::script::{Course, LastAuth, Pace, Rules};

impl Game<'_, '_> {
    /// Keeps the outcome of a step, and says whether to go on; `shown` is the step as it is shown, where that depends
    /// on what was sent before it.
    pub(super) fn settle(
        &mut self,
        steps: &[Step],
        started: Instant,
        result: StepResult,
        shown: Option<String>,
    ) -> bool {
        let is_met = result.verdict == Verdict::Met;
        // A failure to write is told where what was expected did not come.
        let goes_on = is_met || self.goes_on(steps, &result);
        let mut error = result.error;
        let mut got = match (is_met, self.broken.take()) {
            (true, broken) => {
                self.broken = broken;
                result.got
            }
            (false, Some(broken)) => {
                let got = format!("{}; before that, {}", result.got, broken.chain());
                error = Some(Arc::new(broken));
                got
            }
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
            error,
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
    ///
    /// | what was not met | goes on |
    /// |---|---|
    /// | STARTTLS, or a handshake | never: what was to be sent inside TLS goes to nobody |
    /// | exact bytes | never: nobody knows where the next reply begins |
    /// | a reply, by its text alone | always: what follows was meant for after this code |
    /// | a reply, by its code | as `Course` says for a script |
    /// | anything that came too late, or not at all | never |
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
}
