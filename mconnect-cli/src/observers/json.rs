//! What happens, as JSON on standard output: an object a line. `docs/json.md` has every field.

use std::io;
use std::sync::{Arc, OnceLock};

use mconnect_core::json::{Entry, Journal};
use serde::Serialize as _;
use serde_json::Serializer;
use serde_json::ser::Formatter;

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
                && let Err(error) = screen::put(&line(entry))
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

fn line(entry: &Entry<'_>) -> Vec<u8> {
    let mut line = Vec::new();
    entry.serialize(&mut Serializer::with_formatter(&mut line, Ascii)).expect("an entry has nothing that JSON has not");
    line.push(b'\n');
    line
}

/// Writes characters beyond ASCII, and DEL, as escapes: what a server says steers no terminal.
struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some(at) = rest.find(|c: char| !c.is_ascii() || c == '\x7f') {
            let (plain, other) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let c = other.chars().next().unwrap_or_default();
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &other[c.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_is_written_so_that_it_is_read_again() {
        for text in ["", "plain \\ \" /", "\0\x1b\x7f\u{9b}\u{202e}é€\u{1f600}\u{10ffff}"] {
            let mut out = Vec::new();
            text.serialize(&mut Serializer::with_formatter(&mut out, Ascii)).unwrap();
            assert!(out.iter().all(|byte| (b' '..=b'~').contains(byte)), "{out:?}");
            assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }
}
