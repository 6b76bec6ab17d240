//! What watches the sessions, as the options ask for it: made ready before they begin, and ended after them.

use std::time::Instant;

use mconnect_core::{Connect, Timings};

use crate::args::Options;
use crate::json::Json;
use crate::narrator::Narrator;
use crate::record::{Record, Tape};
use crate::stamp;
use crate::timing;
use crate::trace::Trace;
use crate::verdict::{Verdict, status};

/// Everything that is told of a session beside what the server says.
pub struct Watch<'a> {
    options: &'a Options,
    start: Instant,
    record: Option<Record>,
    /// What is kept for whoever asks for a record at the prompt.
    tape: Tape,
    has_prompt: bool,
    json: Option<Json>,
    timings: Option<Timings>,
}

impl<'a> Watch<'a> {
    /// Makes ready what the options ask for, and what a prompt may.
    ///
    /// # Errors
    /// A sentence on what file cannot be written.
    pub fn begin(options: &'a Options, has_prompt: bool) -> Result<Self, String> {
        if options.output.has_stamps {
            stamp::begin();
        }
        let record = options.record.as_deref().map(Record::begin).transpose()?;
        let json = options.output.is_json.then(Json::begin);
        let timings = match &json {
            _ if !options.output.has_timing => None,
            Some(json) => Some(json.timings()),
            None => Some(Timings::new()),
        };
        Ok(Self { options, start: Instant::now(), record, tape: Tape::default(), has_prompt, json, timings })
    }

    /// Has the next session watched, if it is opened so.
    pub fn over(&self, connect: Connect) -> Connect {
        let mut connect = connect;
        if !self.options.is_quiet {
            connect = connect.observer(Narrator);
        }
        if let Some(form) = self.options.trace {
            connect = connect.observer(Trace::new(form));
        }
        if let Some(record) = &self.record {
            connect = connect.observer(record.recorder());
        }
        if self.has_prompt {
            connect = connect.observer(self.tape.head());
        }
        match (&self.json, &self.timings) {
            (Some(json), _) => connect.observer(json.observer()),
            (None, Some(timings)) => connect.observer(timings.clone()),
            (None, None) => connect,
        }
    }

    pub fn tape(&self) -> &Tape {
        &self.tape
    }

    pub fn json(&self) -> Option<&Json> {
        self.json.as_ref()
    }

    /// Writes what is written at the end.
    pub fn end(self, verdict: &Verdict) {
        if let Some(Err(message)) = self.record.as_ref().map(Record::finish) {
            verdict.complain(status::IO, &message);
        }
        if let Some(timings) = self.timings {
            timing::tell(&timings.all(), self.start.elapsed(), self.options.prompt.color);
        }
        if let Some(json) = self.json {
            json.end(verdict);
        }
    }
}
