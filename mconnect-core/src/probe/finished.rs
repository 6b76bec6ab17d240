//! A file of reports that is gone on with: what it has is passed over, and the rest appended.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::BuildHasher as _;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom, Write as _};

/// What is in a file of reports, a JSON object a line ([`ReportLine`](super::ReportLine)): the targets that have one, as often
/// as they have one. Of each a number is kept, and nothing else.
///
/// ```
/// use mconnect_core::probe::Finished;
///
/// let file = "{\"input\":\"a.example\",\"status\":\"fine\"}\n{\"input\":\"b.exa";
/// let input = |line: &[u8]| Some(serde_json::from_slice::<serde_json::Value>(line).ok()?["input"].as_str()?.to_owned());
/// let mut finished = Finished::read(file.as_bytes(), input)?;
/// assert_eq!((finished.count, finished.whole), (1, 38));
/// assert!(finished.take("a.example") && !finished.take("a.example") && !finished.take("b.example"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Finished {
    /// So many lines have a report.
    pub count: u64,
    /// The file is whole up to here, in octets: what follows is a line that was torn.
    pub whole: u64,
    /// The last line is whole, but for its end.
    pub lacks_end: bool,
    counts: HashMap<u64, u32>,
    hasher: RandomState,
}

impl Finished {
    /// Reads a file of reports; `input` returns what a line says of its input, if it is JSON to its end. A line of a report
    /// that was not written to its end is no error, wherever it stands.
    ///
    /// # Errors
    /// What the system says, or [`InvalidData`](io::ErrorKind::InvalidData) with the line that has no report: the file is
    /// something else, and is not to be appended to.
    pub fn read(mut read: impl BufRead, input: impl Fn(&[u8]) -> Option<String>) -> io::Result<Self> {
        let (mut kept, mut line) = (Self::default(), Vec::new());
        loop {
            line.clear();
            let count = read.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line)? as u64;
            if count == 0 {
                return Ok(kept);
            }
            let is_ended = line.ends_with(b"\n");
            match input(&line) {
                Some(input) => {
                    kept.add(&input);
                    kept.lacks_end = !is_ended;
                }
                // A line of ours that was not written to its end, or what stands where one was.
                None if line.starts_with(BEGINNING) || BEGINNING.starts_with(&line) || line == b"\n" => {
                    if !is_ended && count < LONGEST_LINE {
                        return Ok(kept);
                    }
                }
                None => {
                    let number = kept.count + 1;
                    let why =
                        format!("line {number} or one after it is no report, and so this is no file to append to");
                    return Err(io::Error::new(io::ErrorKind::InvalidData, why));
                }
            }
            kept.whole += count;
        }
    }

    /// Reads a file of reports to go on with, as [`read`](Self::read) does, and mends its end: a line that was torn is cut
    /// off, and one that is whole but for its end gets that.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn mend(file: &File, input: impl Fn(&[u8]) -> Option<String>) -> io::Result<Self> {
        let finished = Self::read(BufReader::with_capacity(1 << 18, file), input)?;
        let mut end = file;
        if end.seek(SeekFrom::End(0))? > finished.whole {
            file.set_len(finished.whole)?;
        }
        if finished.lacks_end {
            end.write_all(b"\n")?;
        }
        Ok(finished)
    }

    /// Returns whether a target has a report that was not counted for another line of it.
    pub fn take(&mut self, written: &str) -> bool {
        let Some(count) = self.counts.get_mut(&self.hasher.hash_one(written)) else { return false };
        let is_left = *count > 0;
        *count = count.saturating_sub(1);
        is_left
    }

    fn add(&mut self, written: &str) {
        let count = self.counts.entry(self.hasher.hash_one(written)).or_default();
        *count = count.saturating_add(1);
        self.count += 1;
    }
}

/// How each report begins.
const BEGINNING: &[u8] = b"{\"input\":\"";
/// In octets: no report is that long.
const LONGEST_LINE: u64 = 256 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &[u8]) -> io::Result<Finished> {
        let input =
            |line: &[u8]| Some(serde_json::from_slice::<serde_json::Value>(line).ok()?["input"].as_str()?.into());
        Finished::read(file, input)
    }

    const TEXT: &str = "{\"input\":\"a\",\"status\":\"fine\"}\n{\"input\":\"b\\n\",\"status\":\"fine\",\"x\":[1]}\n";

    #[test]
    fn a_target_is_passed_over_as_often_as_it_has_a_report() {
        let mut kept = read([TEXT, TEXT].concat().as_bytes()).unwrap();
        assert_eq!((kept.count, kept.whole, kept.lacks_end), (4, 2 * TEXT.len() as u64, false));
        let taken = ["a", "b\n", "a", "a", "c", "b\n", "b\n"].map(|written| kept.take(written));
        assert_eq!(taken, [true, true, true, false, false, true, false]);
    }

    #[test]
    fn a_line_that_was_torn_anywhere_is_no_trouble() {
        let first = TEXT.find('\n').unwrap() + 1;
        for end in first..TEXT.len() {
            let mut kept = read(&TEXT.as_bytes()[..end]).unwrap();
            let is_whole = end == TEXT.len() - 1;
            let whole = if is_whole { end } else { first };
            assert_eq!((kept.whole, kept.lacks_end), (whole as u64, is_whole), "{end}");
            assert!(kept.take("a") && kept.take("b\n") == is_whole);
        }
        // Gone on with by somebody who did not look.
        let mut kept = read([&TEXT[..first + 20], "\n", TEXT].concat().as_bytes()).unwrap();
        assert!(kept.count == 3 && kept.take("b\n"));
    }

    #[test]
    fn a_file_of_something_else_is_not_appended_to() {
        for text in ["example.org\n", "example.org", "[1]\n", "{\"a\":1}\n", "\0\0"] {
            let error = read(text.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{text}");
        }
        assert_eq!(read(b"").unwrap().whole, 0);
    }
}
