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
#[derive(Default)]
pub struct Tape {
    session: RefCell<Arc<Mutex<State>>>,
}

#[derive(Default)]
struct State {
    recorder: Recorder,
    size: usize,
    /// What is kept does not begin with the session.
    is_cut: bool,
    file: Option<PathBuf>,
}

impl Tape {
    /// Gives what observes the next session; the one before is forgotten.
    pub fn head(&self) -> impl Observer + use<> {
        let state = Arc::<Mutex<State>>::default();
        self.session.replace(Arc::clone(&state));
        move |at: Instant, event: &Event<'_>| locked(&state).observe(at, event)
    }

    /// Starts writing down to a file, and says whether all of the session will be there.
    ///
    /// # Errors
    /// A sentence on why the file cannot be written.
    pub fn start(&self, file: &Path) -> Result<bool, String> {
        File::create(file).map_err(|error| cannot(file, &error))?;
        let session = self.session.borrow();
        let mut state = locked(&session);
        state.file = Some(file.to_owned());
        Ok(!state.is_cut)
    }

    /// Stops, writes the file, and names it; if nothing was started, there is none.
    ///
    /// # Errors
    /// A sentence on why the file cannot be written.
    pub fn stop(&self) -> Result<Option<PathBuf>, String> {
        let session = self.session.borrow();
        let mut state = locked(&session);
        let (file, text) = (state.file.take(), state.recorder.text());
        drop(state);
        let Some(file) = file else { return Ok(None) };
        fs::write(&file, text).map_err(|error| cannot(&file, &error))?;
        Ok(Some(file))
    }
}

impl State {
    fn observe(&mut self, at: Instant, event: &Event<'_>) {
        self.size += match event {
            Event::Sent(bytes) => bytes.len(),
            Event::Received(line) => line.raw().len(),
            _ => 0,
        };
        if self.size > MOST_KEPT && self.file.is_none() {
            *self = Self { is_cut: true, ..Self::default() };
        }
        self.recorder.observe(at, event);
    }
}

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn cannot(file: &Path, error: &std::io::Error) -> String {
    format!("cannot write {}: {}", file.display(), reason(&error.to_string()))
}

/// So many octets of a session are kept before anybody asks for them.
const MOST_KEPT: usize = 1024 * 1024;
