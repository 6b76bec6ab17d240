//! Writing sessions down as dialogues: from the arguments, and from the prompt.

mod page;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mconnect_core::dialogue::Recorder;
use mconnect_core::{Event, Observer};

use crate::verdict::reason;
use page::Page;

/// The record of all sessions, and where it goes.
///
/// It is written again and again as the sessions go on: whatever ends them, it is there. What is no regular file, such
/// as a pipe, has it once, at the end.
#[derive(Clone)]
pub struct Record(Arc<Inner>);

struct Inner {
    sessions: Mutex<Vec<Recorder>>,
    page: Page,
    /// When it was written last, and how long it was.
    last: Mutex<(Instant, usize)>,
}

impl Record {
    /// Begins a record; its file is made now, so that what is wrong with it is known before the session begins.
    ///
    /// # Errors
    /// A sentence on why the file cannot be written.
    pub fn begin(file: &Path) -> Result<Self, String> {
        let page = Page::open(file).map_err(|error| cannot(file, &error))?;
        let last = Mutex::new((Instant::now(), 0));
        Ok(Self(Arc::new(Inner { sessions: Mutex::default(), page, last })))
    }

    /// Gives what observes the next session.
    pub fn recorder(&self) -> impl Observer + use<> {
        let (recorder, record) = (Recorder::new(), self.clone());
        locked(&self.0.sessions).push(recorder.clone());
        move |at: Instant, event: &Event<'_>| {
            recorder.observe(at, event);
            if matches!(event, Event::Replied { .. }) && record.is_due(at) {
                // What is wrong with the file is told at the end.
                let _ = record.write();
            }
        }
    }

    /// Writes the dialogue as it is so far.
    ///
    /// # Errors
    /// A sentence on why the file cannot be written.
    pub fn write(&self) -> Result<(), String> {
        // Held until the text is written, so that none takes the place of a newer one.
        let mut last = locked(&self.0.last);
        let recorders = locked(&self.0.sessions).clone();
        let texts: Vec<String> = recorders.iter().map(Recorder::text).filter(|text| !text.is_empty()).collect();
        let text = texts.join("*next session*\n");
        *last = (Instant::now(), text.len());
        self.0.page.write(&text).map_err(|error| cannot(self.0.page.path(), &error))
    }

    /// A short record is written at each reply, a long one now and then.
    fn is_due(&self, now: Instant) -> bool {
        let (written, size) = *locked(&self.0.last);
        self.0.page.is_regular() && (size < SHORT || now.saturating_duration_since(written) > NOW_AND_THEN)
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
    page: Option<Page>,
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
        let page = Page::open(file).map_err(|error| cannot(file, &error))?;
        let session = self.session.borrow();
        let mut state = locked(&session);
        state.page = Some(page);
        Ok(!state.is_cut)
    }

    /// Stops, writes the file, and names it; if nothing was started, there is none.
    ///
    /// # Errors
    /// A sentence on why the file cannot be written.
    pub fn stop(&self) -> Result<Option<PathBuf>, String> {
        let session = self.session.borrow();
        let mut state = locked(&session);
        let (page, text) = (state.page.take(), state.recorder.text());
        drop(state);
        let Some(page) = page else { return Ok(None) };
        page.write(&text).map_err(|error| cannot(page.path(), &error))?;
        Ok(Some(page.path().to_owned()))
    }
}

impl State {
    fn observe(&mut self, at: Instant, event: &Event<'_>) {
        self.size += match event {
            Event::Sent(bytes) => bytes.len(),
            Event::Received(line) => line.raw().len(),
            _ => 0,
        };
        if self.size > MOST_KEPT && self.page.is_none() {
            *self = Self { is_cut: true, ..Self::default() };
        }
        self.recorder.observe(at, event);
    }
}

fn locked<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

fn cannot(file: &Path, error: &std::io::Error) -> String {
    format!("cannot write {}: {}", file.display(), reason(&error.to_string()))
}

/// A record of fewer octets is short.
const SHORT: usize = 16 * 1024;
const NOW_AND_THEN: Duration = Duration::from_secs(1);
/// So many octets of a session are kept before anybody asks for them.
const MOST_KEPT: usize = 1024 * 1024;
