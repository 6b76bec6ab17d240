//! What watches the sessions, as the options ask for it: made ready before they begin, and ended after them.

mod connecting;
mod json;
pub mod record;
pub mod sides;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use mconnect_core::diagnosis::Finding;
use mconnect_core::protocol::Reply;
use mconnect_core::{Connect, Timings, Trace};

use crate::explain;
use crate::failure::Failure;
use crate::options::Options;
use crate::stderr::{self, say};
use crate::terminal::{self, is_color_wanted};
use crate::timestamps;
use crate::verdict::Verdict;
use connecting::Connecting;
use json::Json;
use record::SessionLog;
use sides::Sides;

/// Everything that is told of a session beside what the server says.
pub struct Observers<'a> {
    options: &'a Options,
    start: Instant,
    record: Option<SessionLog>,
    /// What is kept for whoever asks for a record at the prompt.
    pub session_log: SessionLog,
    is_typed: bool,
    pub json: Option<Json>,
    sides: Option<Arc<Sides>>,
    /// How long everything takes: told at the end if that is asked for, and at the prompt.
    pub timings: Option<Timings>,
}

/// Does something that is watched as the options ask for; what is written at the end is written after a failure, too.
pub fn watched(
    options: &Options,
    is_typed: bool,
    verdict: &Verdict,
    act: impl FnOnce(&Observers<'_>) -> Result<(), Failure>,
) {
    let Some(watch) = verdict.check(Observers::begin(options, is_typed)) else { return };
    verdict.check(act(&watch));
    watch.end(verdict);
}

impl<'a> Observers<'a> {
    /// Makes ready what the options ask for, and what a prompt may.
    ///
    /// # Errors
    /// A failure that says what file cannot be written.
    fn begin(options: &'a Options, is_typed: bool) -> Result<Self, Failure> {
        if let Some(day) = options.output.stamps.and_then(timestamps::begin).filter(|_| !options.is_quiet) {
            say(&format!("mconnect: times are of {day}"));
        }
        let start = |file: &PathBuf| {
            let record = SessionLog::default();
            record.start(file).map(|_| record)
        };
        let record = options.record.as_ref().map(start).transpose()?;
        let json = options.output.is_json.then(Json::begin);
        let timings = match &json {
            _ if !options.output.has_timing && !is_typed => None,
            Some(json) => Some(json.journal.timings()),
            None => Some(Timings::new()),
        };
        // What passes is shown once.
        let sides = (options.output.has_sides && options.trace.is_none()).then(|| Sides::of_both(options));
        let (start, session_log) = (Instant::now(), SessionLog::default());
        Ok(Self { options, start, record, session_log, is_typed, json, timings, sides })
    }

    /// Has the next session watched, if it is opened so.
    pub fn over(&self, connect: Connect, verdict: &Verdict) -> Connect {
        let mut connect = connect.observer(Connecting::new(self.is_typed, self.options.is_quiet));
        if let Some(form) = self.options.trace {
            connect = connect.observer(Trace::new(form, say));
        }
        if let Some(sides) = &self.sides {
            connect = connect.observer(sides.observer());
        }
        if let Some(record) = &self.record {
            connect = connect.observer(record.0.next_session());
        }
        if self.is_typed {
            connect = connect.observer(self.session_log.0.next_session());
        }
        if self.explains() {
            connect = connect.observer(verdict.begin_evidence());
        }
        match (&self.json, &self.timings) {
            (Some(json), _) => connect.observer(json.journal.clone()),
            (None, Some(timings)) => connect.observer(timings.clone()),
            (None, None) => connect,
        }
    }

    /// Tells why the session that has ended failed, if it did and that is known.
    pub fn explain(&self, verdict: &Verdict) {
        let evidence = verdict.evidence();
        // Most sessions go well, and end the sooner for it.
        if (verdict.status() != 0 || evidence.has_refusals()) && self.explains() {
            let findings = evidence.findings(&explain::facts(self.options, evidence.unreached()));
            explain::tell(findings.first(), self.options);
            self.json.iter().for_each(|json| json.journal.findings(&findings));
        }
    }

    /// Tells, and returns, why a session ended whose refusals were explained as they came, or were met by a dialogue: by
    /// the reply to a step that was not, or else by how it ended.
    pub fn explain_end(&self, reply: Option<&Reply>, verdict: &Verdict) -> Option<Finding> {
        if !self.explains() {
            return None;
        }
        let evidence = verdict.evidence();
        let facts = explain::facts(self.options, evidence.unreached());
        let refusal = reply.and_then(|reply| evidence.refusal(reply.raw(), &facts));
        let found = refusal.or_else(|| evidence.ending(&facts));
        if !self.options.play.is_tap {
            explain::tell(found.as_ref(), self.options);
        }
        self.json.iter().for_each(|json| json.journal.findings(found.as_slice()));
        found
    }

    fn explains(&self) -> bool {
        self.json.is_some() || explain::is_wanted(self.options)
    }

    /// Writes what is written at the end.
    fn end(self, verdict: &Verdict) {
        if let Some(record) = &self.record {
            verdict.check(record.stop());
        }
        if let Some(sides) = &self.sides {
            sides.end(verdict);
        }
        if let Some(timings) = self.timings.filter(|_| self.options.output.has_timing) {
            let width = if stderr::is_shown() { terminal::size().0.into() } else { WIDTH };
            let has_color = stderr::is_shown() && is_color_wanted(self.options.prompt.color);
            let chart = timings.chart(self.start.elapsed(), width, has_color);
            // Where nobody can read it, there is nobody to tell.
            let _ = io::stderr().write_all(chart.as_bytes());
        }
        if let Some(json) = self.json {
            json.end(verdict);
        }
    }
}

/// How wide the chart of the timings is where there is no terminal.
const WIDTH: usize = 72;
