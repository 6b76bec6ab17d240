//! Writing sessions down as dialogues: from the arguments, and from the prompt.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use mconnect_core::dialogue::Recorder;
use mconnect_core::{Event, Observer, observer_fn};

use crate::atomic_file::AtomicFile;
use crate::failure::Failure;
use crate::lock::locked;

/// The record of all sessions, and where it goes.
#[derive(Clone)]
pub struct Record(Arc<Mutex<Written>>);

impl Record {
    /// Begins a record; its file is made now, so that what is wrong with it is known before the session begins.
    ///
    /// # Errors
    /// A failure that says why the file cannot be written.
    pub fn begin(file: &Path) -> Result<Self, Failure> {
        Ok(Self(Arc::new(Mutex::new(Written::begin(file, Recorder::new())?))))
    }

    /// Returns what observes the next session.
    pub fn recorder(&self) -> impl Observer + use<> {
        let written = Arc::clone(&self.0);
        let recorder = locked(&written).recorder.next_session();
        observer_fn(move |at, event| {
            recorder.observe(at, event);
            locked(&written).observe(at, event);
        })
    }

    /// Writes the dialogue to its end.
    ///
    /// # Errors
    /// A failure that says why the file cannot be written.
    pub fn finish(&self) -> Result<(), Failure> {
        locked(&self.0).finish()
    }
}

/// The session at the prompt, kept in memory so that it can be written down once that is asked for.
///
/// Only so much is kept of a session that nobody has asked to be written.
#[derive(Default)]
pub struct SessionLog {
    session: RefCell<Arc<Mutex<Kept>>>,
}

#[derive(Default)]
struct Kept {
    recorder: Recorder,
    /// What is kept does not begin with the session.
    is_cut: bool,
    written: Option<Written>,
}

impl SessionLog {
    /// Returns what observes the next session; the one before is forgotten.
    pub fn head(&self) -> impl Observer + use<> {
        let state = Arc::<Mutex<Kept>>::default();
        self.session.replace(Arc::clone(&state));
        observer_fn(move |at, event| locked(&state).observe(at, event))
    }

    /// Starts writing down to a file, and says whether all of the session will be there.
    ///
    /// # Errors
    /// A failure that says why the file cannot be written.
    pub fn start(&self, file: &Path) -> Result<bool, Failure> {
        let session = self.session.borrow();
        let mut state = locked(&session);
        state.written = Some(Written::begin(file, state.recorder.clone())?);
        Ok(!state.is_cut)
    }

    /// Stops, writes the file, and names it; if nothing was started, there is none.
    ///
    /// # Errors
    /// A failure that says why the file cannot be written.
    pub fn stop(&self) -> Result<Option<PathBuf>, Failure> {
        let session = self.session.borrow();
        let mut state = locked(&session);
        let Some(mut written) = state.written.take() else { return Ok(None) };
        let result = written.finish();
        if written.grows {
            // What was written is kept no more.
            *state = Kept { is_cut: true, ..Kept::default() };
        }
        result.map(|()| Some(written.file.path().to_owned()))
    }
}

impl Kept {
    fn observe(&mut self, at: Instant, event: &Event<'_>) {
        if self.written.is_none() && self.recorder.size() > MOST_KEPT {
            *self = Self { is_cut: true, ..Self::default() };
        }
        self.recorder.observe(at, event);
        if let Some(written) = &mut self.written {
            written.observe(at, event);
        }
    }
}

/// A dialogue in a file.
///
/// While it is short it is written again and again, whole; then it grows, and only what was not written yet is in memory.
/// Whatever ends the sessions, it is there. What is no regular file, such as a pipe, has a short one once, at the end.
struct Written {
    file: AtomicFile,
    recorder: Recorder,
    grows: bool,
    at: Instant,
    /// Why not all of it is there.
    failure: Option<io::Error>,
}

impl Written {
    fn begin(path: &Path, recorder: Recorder) -> Result<Self, Failure> {
        let file = AtomicFile::open(path).and_then(|mut file| file.write("").map(|()| file));
        let file = file.map_err(|error| Failure::cannot_write(path, &error))?;
        let grows = !file.is_regular();
        Ok(Self { file, recorder, grows, at: Instant::now(), failure: None })
    }

    /// Writes once that is due, after the recorder was told of an event.
    fn observe(&mut self, at: Instant, event: &Event<'_>) {
        let is_reply = matches!(event, Event::Replied { .. });
        let is_due = match self.recorder.size() {
            size if size > MOST_UNWRITTEN => true,
            _ if !self.file.is_regular() || !is_reply => false,
            size => (!self.grows && size < SHORT) || at.saturating_duration_since(self.at) > NOW_AND_THEN,
        };
        if is_due {
            self.write();
            self.at = Instant::now();
        }
    }

    /// Writes what there is; what is wrong with the file is told at the end.
    fn write(&mut self) {
        if self.grows {
            self.append(&self.recorder.take());
        } else if self.recorder.size() < SHORT {
            self.failure = self.file.write(&self.recorder.text()).err();
        } else {
            self.grows = true;
            self.failure = self.file.write(&self.recorder.take()).err();
        }
    }

    fn append(&mut self, text: &str) {
        if self.failure.is_none() {
            self.failure = self.file.append(text).err();
        }
    }

    fn finish(&mut self) -> Result<(), Failure> {
        self.write();
        if self.grows {
            self.append(&self.recorder.text());
        }
        match &self.failure {
            Some(error) => Err(Failure::cannot_write(self.file.path(), error)),
            None => Ok(()),
        }
    }
}

/// A record of fewer octets is short, and is written at each reply; a longer one now and then.
const SHORT: usize = 16 * 1024;
const NOW_AND_THEN: Duration = Duration::from_secs(1);
/// So many octets wait at most.
const MOST_UNWRITTEN: usize = 64 * 1024;
/// So many octets of a session are kept before anybody asks for them.
const MOST_KEPT: usize = 1024 * 1024;
