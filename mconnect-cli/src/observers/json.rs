//! What happens, as JSON on standard output: an object a line. `docs/json.md` has every field.

use std::io;
use std::sync::{Arc, OnceLock};

use mconnect_core::json::{Entry, Journal, ascii};

use crate::screen;
use crate::verdict::Verdict;

/// A journal that is written as it goes.
pub struct Json {
    pub journal: Journal<Box<Write>>,
    /// Why nothing more is written, once that is so.
    failure: Arc<OnceLock<io::Error>>,
}

type Write = dyn Fn(&Entry<'_>) + Send + Sync;

impl Json {
    pub fn begin() -> Self {
        let failure = Arc::<OnceLock<io::Error>>::default();
        let theirs = Arc::clone(&failure);
        let write = move |entry: &Entry<'_>| {
            if theirs.get().is_none()
                && let Err(error) = screen::put(line(entry).as_bytes())
            {
                let _ = theirs.set(error);
            }
        };
        Self { journal: Journal::new(Box::new(write)), failure }
    }

    /// Writes the summary.
    pub fn end(self, verdict: &Verdict) {
        self.journal.end(Some(verdict.status()), verdict.complaint());
        if let Some(error) = self.failure.get() {
            verdict.output_failed(error);
        }
    }
}

fn line(entry: &Entry<'_>) -> String {
    ascii(&serde_json::to_string(entry).expect("an entry has nothing that JSON has not")) + "\n"
}
