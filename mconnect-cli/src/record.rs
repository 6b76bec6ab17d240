//! Writing sessions down as dialogues: from the arguments, and from the prompt.

use std::cell::RefCell;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use mconnect_core::dialogue::Recorder;
use mconnect_core::{Event, Observer};

use crate::verdict::reason;

/// The record of all sessions, and where it goes.
pub struct Record {
    sessions: RefCell<Vec<Recorder>>,
    file: PathBuf,
}

impl Record {
    /// Begins a record; its file is made now, so that what is wrong with it is known before the session begins.
    ///
    /// # Errors
    /// A sentence on why the file cannot be written.
    pub fn begin(file: &Path) -> Result<Self, String> {
        File::create(file).map_err(|error| cannot(file, &error))?;
        Ok(Self { sessions: RefCell::default(), file: file.to_owned() })
    }

    /// Gives what observes the next session.
    pub fn recorder(&self) -> Recorder {
        let recorder = Recorder::new();
        self.sessions.borrow_mut().push(recorder.clone());
        recorder
    }

    /// Writes the dialogue as it is so far.
    ///
    /// # Errors
    /// A sentence on why the file cannot be written.
    pub fn write(&self) -> Result<(), String> {
        let texts: Vec<String> = self.sessions.borrow().iter().map(Recorder::text).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).filter(|text| !text.is_empty()).collect();
        fs::write(&self.file, texts.join("*next session*\n")).map_err(|error| cannot(&self.file, &error))
    }
}

/// The session at the prompt, kept in memory so that it can be written down once that is asked for.
///
/// Only so much is kept of a session that nobody has asked to be written.
#[derive(Clone, Default)]
pub struct Tape(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    recorder: Recorder,
    size: usize,
    /// What is kept does not begin with the session.
    is_cut: bool,
    file: Option<PathBuf>,
}

impl Tape {
    /// Forgets the session before.
    pub fn rewind(&self) {
        *self.state() = State::default();
    }

    /// Starts writing down to a file, and says whether all of the session will be there.
    ///
    /// # Errors
    /// A sentence on why the file cannot be written.
    pub fn start(&self, file: &Path) -> Result<bool, String> {
        File::create(file).map_err(|error| cannot(file, &error))?;
        let mut state = self.state();
        state.file = Some(file.to_owned());
        Ok(!state.is_cut)
    }

    /// Stops, writes the file, and names it; if nothing was started, there is none.
    ///
    /// # Errors
    /// A sentence on why the file cannot be written.
    pub fn stop(&self) -> Result<Option<PathBuf>, String> {
        let mut state = self.state();
        let (file, text) = (state.file.take(), state.recorder.text());
        drop(state);
        let Some(file) = file else { return Ok(None) };
        fs::write(&file, text).map_err(|error| cannot(&file, &error))?;
        Ok(Some(file))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Tape {
    fn observe(&self, at: Instant, event: &Event<'_>) {
        let mut state = self.state();
        state.size += match event {
            Event::Sent(bytes) => bytes.len(),
            Event::Received(line) => line.raw().len(),
            _ => 0,
        };
        if state.size > MOST_KEPT && state.file.is_none() {
            let file = None;
            *state = State { is_cut: true, file, ..State::default() };
        }
        state.recorder.observe(at, event);
    }
}

fn cannot(file: &Path, error: &std::io::Error) -> String {
    format!("cannot write {}: {}", file.display(), reason(&error.to_string()))
}

/// So many octets of a session are kept before anybody asks for them.
const MOST_KEPT: usize = 1024 * 1024;
