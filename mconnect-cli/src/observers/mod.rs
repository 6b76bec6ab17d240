//! What watches the sessions, as the options ask for it: made ready before they begin, and ended after them.

mod attempts;
mod json;
pub mod record;
mod timing;
mod trace;

use std::time::Instant;

use mconnect_core::{Connect, Event, Observer, Timings};

use crate::failure::Failure;
use crate::options::Options;
use crate::timestamps;
use crate::verdict::Verdict;
use attempts::Attempts;
use json::Json;
use record::{Record, SessionLog};
use trace::Trace;

/// Everything that is told of a session beside what the server says.
pub struct Observers<'a> {
    options: &'a Options,
    start: Instant,
    record: Option<Record>,
    /// What is kept for whoever asks for a record at the prompt.
    session_log: SessionLog,
    is_typed: bool,
    json: Option<Json>,
    timings: Option<Timings>,
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
        if options.output.has_stamps {
            timestamps::begin();
        }
        let record = options.record.as_deref().map(Record::begin).transpose()?;
        let json = options.output.is_json.then(Json::begin);
        let timings = match &json {
            _ if !options.output.has_timing => None,
            Some(json) => Some(json.timings()),
            None => Some(Timings::new()),
        };
        Ok(Self { options, start: Instant::now(), record, session_log: SessionLog::default(), is_typed, json, timings })
    }

    /// Has the next session watched, if it is opened so.
    pub fn over(&self, connect: Connect) -> Connect {
        let mut observers: Vec<Box<dyn Observer>> = Vec::new();
        if !self.options.is_quiet {
            observers.push(Box::new(Attempts));
        }
        if let Some(form) = self.options.trace {
            observers.push(Box::new(Trace::new(form)));
        }
        if let Some(record) = &self.record {
            observers.push(Box::new(record.recorder()));
        }
        if self.is_typed {
            observers.push(Box::new(self.session_log.head()));
        }
        match (&self.json, &self.timings) {
            (Some(json), _) => observers.push(Box::new(json.observer())),
            (None, Some(timings)) => observers.push(Box::new(timings.clone())),
            (None, None) => {}
        }
        if observers.is_empty() { connect } else { connect.observer(Tee(observers)) }
    }

    pub fn session_log(&self) -> &SessionLog {
        &self.session_log
    }

    pub fn json(&self) -> Option<&Json> {
        self.json.as_ref()
    }

    /// Writes what is written at the end.
    fn end(self, verdict: &Verdict) {
        if let Some(Err(failure)) = self.record.as_ref().map(Record::finish) {
            verdict.complain(failure);
        }
        if let Some(timings) = self.timings {
            timing::tell(&timings.all(), self.start.elapsed(), self.options.prompt.color);
        }
        if let Some(json) = self.json {
            json.end(verdict);
        }
    }
}

/// Tells several observers.
struct Tee(Vec<Box<dyn Observer>>);

impl Observer for Tee {
    fn observe(&self, at: Instant, event: &Event<'_>) {
        for observer in &self.0 {
            observer.observe(at, event);
        }
    }
}
