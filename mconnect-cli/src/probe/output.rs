//! Where the reports go: whole lines, one write each, and none that a signal tears.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use mconnect_core::probe::Finished;
use nix::errno::Errno;
use nix::poll::{PollTimeout, poll};
use nix::sys::signal::Signal;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::failure::{Failure, Status};
use crate::lock::locked;
use crate::screen;
use crate::signals;
use crate::stderr;

/// Standard output, and perhaps a file that is appended to.
pub struct Output {
    file: Option<(PathBuf, File)>,
    state: Mutex<State>,
    has_changed: Condvar,
}

#[derive(Default)]
struct State {
    is_writing: bool,
    /// The process is about to end: no line begins any more.
    is_sealed: bool,
}

impl Output {
    /// Opens the file of reports to go on with, if there is one, and returns what it has.
    ///
    /// # Errors
    /// It cannot be read or written, or is something else.
    pub fn open(path: Option<&Path>) -> Result<(Arc<Self>, Finished), Failure> {
        let (file, finished) = path.map(resume).transpose()?.unzip();
        let file = path.map(Path::to_owned).zip(file);
        Ok((
            Arc::new(Self { file, state: Mutex::default(), has_changed: Condvar::new() }),
            finished.unwrap_or_default(),
        ))
    }

    /// Returns whether there is a file.
    pub fn has_file(&self) -> bool {
        self.file.is_some()
    }

    /// Writes the line of a report to the file, if there is one, to its end.
    ///
    /// # Errors
    /// What the system says.
    pub fn append(&self, line: &str) -> Result<(), Failure> {
        let Some((path, file)) = &self.file else { return Ok(()) };
        let mut file = file;
        file.write_all(line.as_bytes()).map_err(|error| Failure::cannot_write(path, &error))
    }

    /// Writes a line to standard output.
    ///
    /// # Errors
    /// What the system says.
    pub fn show(&self, line: &str) -> io::Result<()> {
        if io::stdout().is_terminal() { screen::put(line.as_bytes()) } else { screen::put_unseen(line.as_bytes()) }
    }

    /// Does what is not to be torn by a signal: writing a line, and counting it.
    pub fn whole<T>(&self, act: impl FnOnce() -> T) -> T {
        let mut state = locked(&self.state);
        while state.is_sealed {
            state = self.has_changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.is_writing = true;
        drop(state);
        let done = act();
        locked(&self.state).is_writing = false;
        self.has_changed.notify_all();
        done
    }

    /// Ends the process once whoever reads standard output has gone, though nothing is written meanwhile: what is under way
    /// can take long, and targets may come slowly. Without a thread for that, the next line notices.
    pub fn watch_reader(self: &Arc<Self>) {
        let output = Arc::clone(self);
        let watch = move || {
            let stdout = io::stdout();
            let mut polled = [screen::reader(&stdout)];
            while poll(&mut polled, PollTimeout::NONE) == Err(Errno::EINTR) {}
            if screen::is_without_reader(&polled[0]) {
                output.before(Signal::SIGTERM);
                stderr::clear();
                signals::die_of_broken_pipe();
            }
        };
        let _ = thread::Builder::new().name("reader".to_owned()).spawn(watch);
    }

    /// Lets a line come to its end before a signal ends the process, unless nobody takes it.
    pub fn before(&self, signal: Signal) {
        let is_ending = matches!(signal, Signal::SIGINT | Signal::SIGTERM | Signal::SIGHUP | Signal::SIGQUIT);
        let mut state = locked(&self.state);
        state.is_sealed = is_ending;
        if is_ending {
            let waited = self.has_changed.wait_timeout_while(state, PATIENCE, |state| state.is_writing);
            drop(waited);
        } else {
            self.has_changed.notify_all();
        }
    }
}

/// Opens a file of reports to go on with: a line that was torn is cut off.
fn resume(path: &Path) -> Result<(File, Finished), Failure> {
    let cannot = |error: &io::Error| Failure::cannot_write(path, error);
    let file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(|error| cannot(&error))?;
    if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        let message = format!("{} is no regular file: reports are read there, and appended", path.display());
        return Err(Failure::new(Status::Usage, message));
    }
    if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
        return Err(Failure::new(Status::Temporary, format!("another mconnect appends to {} now", path.display())));
    }
    let finished = Finished::mend(&file, input).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => Failure::because(Status::Data, path.display(), &error),
        _ => cannot(&error),
    })?;
    Ok((file, finished))
}

/// Returns the input of a line that is a report to its end.
fn input(line: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Told {
        input: String,
        #[serde(rename = "status")]
        _status: IgnoredAny,
    }
    serde_json::from_slice::<Told>(line).ok().map(|told| told.input)
}

/// A reader of a pipe that takes nothing for so long has lost interest.
const PATIENCE: Duration = Duration::from_secs(5);
