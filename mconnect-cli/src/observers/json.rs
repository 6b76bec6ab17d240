//! What happens, as JSON on standard output: an object a line. `docs/json.md` has every field.

use std::io;
use std::sync::{Arc, OnceLock};

use mconnect_core::json::{Entry, Journal};
use serde::Serialize;

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

/// Returns an entry as a line in which characters beyond ASCII, and DEL, are escapes: what a server says steers no terminal.
fn line(entry: &impl Serialize) -> String {
    let json = serde_json::to_string(entry).expect("an entry has nothing that JSON has not");
    let mut line = String::with_capacity(json.len() + 1);
    let mut rest = json.as_str();
    // Only strings hold them.
    while let Some(at) = rest.find(|c: char| !c.is_ascii() || c == '\x7f') {
        let (plain, other) = rest.split_at(at);
        let c = other.chars().next().unwrap_or_default();
        line.push_str(plain);
        line.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        rest = &other[c.len_utf8()..];
    }
    line + rest + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_is_written_so_that_it_is_read_again() {
        for text in ["", "plain \\ \" /", "\0\x1b\x7f\u{9b}\u{202e}é€\u{1f600}\u{10ffff}"] {
            let out = line(&text);
            assert!(out.trim_end().bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{out:?}");
            assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }
}
