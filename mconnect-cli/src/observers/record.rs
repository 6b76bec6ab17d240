//! Writing sessions down as dialogues: from the arguments, and from the prompt.

use std::path::{Path, PathBuf};

use mconnect_core::dialogue::RecordWriter;

use crate::atomic_file::AtomicFile;
use crate::failure::Failure;
use crate::stderr::say;

/// What is recorded of the sessions, and the file that it goes to.
#[derive(Default)]
pub struct SessionLog(pub RecordWriter<AtomicFile>);

impl SessionLog {
    /// Starts writing down to a file, and says whether all of the session will be there.
    ///
    /// # Errors
    /// A failure that says why the file cannot be written.
    pub fn start(&self, file: &Path) -> Result<bool, Failure> {
        let started = AtomicFile::open(file).and_then(|file| self.0.start(file));
        started.map_err(|error| Failure::cannot_write(file, &error))
    }

    /// Stops, writes the file, and names it; if nothing was started, there is none.
    ///
    /// # Errors
    /// A failure that says why the file cannot be written.
    pub fn stop(&self) -> Result<Option<PathBuf>, Failure> {
        let Some((file, written)) = self.0.stop() else { return Ok(None) };
        written.map_err(|error| Failure::cannot_write(file.path(), &error))?;
        Ok(Some(file.path().to_owned()))
    }

    /// Starts as somebody who types asks for it, or stops; a file other than the one that is written is started after it.
    pub fn toggle(&self, name: &str) {
        match self.stop_aloud() {
            None if name.is_empty() => say("nothing is written down: ~w FILE starts that"),
            Some(written) if name.is_empty() || written.as_os_str() == name => {}
            _ => match self.start(Path::new(name)) {
                Ok(is_whole) => {
                    let from = if is_whole { "its beginning" } else { "here on: it was too long to be kept" };
                    say(&format!("the session is written down in {name}, from {from}: ~w stops that"));
                }
                Err(failure) => failure.tell(),
            },
        }
    }

    /// Stops as [`stop`](Self::stop) does, tells what came of it, and names the file.
    pub fn stop_aloud(&self) -> Option<PathBuf> {
        let file = self.stop().unwrap_or_else(|failure| {
            failure.tell();
            None
        })?;
        say(&format!("written: {}", file.display()));
        Some(file)
    }
}
