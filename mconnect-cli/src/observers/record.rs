//! Writing sessions down as dialogues: from the arguments, and from the prompt.

use std::path::{Path, PathBuf};

use mconnect_core::dialogue::RecordWriter;

use crate::atomic_file::AtomicFile;
use crate::failure::Failure;

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
}
