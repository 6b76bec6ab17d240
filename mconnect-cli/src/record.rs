//! Writing a session down as a dialogue.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use mconnect_core::dialogue::Recorder;

use crate::verdict::reason;

/// A session's record, and where it goes.
pub struct Record {
    recorder: Recorder,
    file: PathBuf,
}

impl Record {
    /// Begins a record; its file is made now, so that what is wrong with it is known before the session begins.
    ///
    /// # Errors
    /// A sentence on why the file cannot be written.
    pub fn begin(file: &Path) -> Result<Self, String> {
        File::create(file).map_err(|error| cannot(file, &error))?;
        Ok(Self { recorder: Recorder::new(), file: file.to_owned() })
    }

    /// Gives what observes the session.
    pub fn recorder(&self) -> Recorder {
        self.recorder.clone()
    }

    /// Writes the dialogue.
    ///
    /// # Errors
    /// A sentence on why the file cannot be written.
    pub fn end(self) -> Result<(), String> {
        fs::write(&self.file, self.recorder.text()).map_err(|error| cannot(&self.file, &error))
    }
}

fn cannot(file: &Path, error: &std::io::Error) -> String {
    format!("cannot write {}: {}", file.display(), reason(&error.to_string()))
}
