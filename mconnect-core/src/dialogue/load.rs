//! Files: dialogues, what they include, and what they send.
//!
//! Two things are read here, at two times. A dialogue and what it includes are read before anything is played, within
//! bounds, so that what is wrong with them is told first. What it sends is read while it is sent, a block at a time, so
//! that a file of any size goes out in little memory; [`deliver`] is the one place that knows what a step is on the
//! wire, for both sides: what one sends, the other compares with.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::values::no_value;
use super::{Dialogue, Directive, Step, SyntaxError, Values, parse};
use crate::protocol::{BodyEncoder, Visible, wipe};

/// Why a file gives no dialogue.
///
/// The file that is at fault may be one that was included; each variant names it.
///
/// ```
/// use mconnect_core::dialogue::{Dialogue, LoadError};
///
/// let error = Dialogue::load("there/is/no/such/file.txt").unwrap_err();
/// assert!(matches!(error, LoadError::Read { .. }));
/// assert_eq!(error.to_string(), "cannot read there/is/no/such/file.txt");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// It is no dialogue.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// It cannot be read: there is none, it is no UTF-8, or the system refuses.
    #[error("cannot read {}", Visible(file.as_os_str().as_encoded_bytes()))]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Files include each other, more than 16 deep. That is what a circle looks like, too.
    #[error("{}: files include each other without end", Visible(file.as_os_str().as_encoded_bytes()))]
    Endless {
        /// The file where that was noticed.
        file: PathBuf,
    },
    /// More than 1,000 files are included, or more than 64 MiB in all.
    #[error("{}: more than 1,000 files or 64 MiB are included", Visible(file.as_os_str().as_encoded_bytes()))]
    TooMuch {
        /// The file that is too much.
        file: PathBuf,
    },
}

impl Dialogue {
    /// Reads a dialogue from a file, with the files that it includes. Their names, and those of the files that are
    /// sent, count from the folder of the file that names them.
    ///
    /// ```
    /// use mconnect_core::dialogue::Dialogue;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// std::fs::write(folder.path().join("hello.txt"), "S: 220\nC: EHLO client.example\nS: 250\n")?;
    /// std::fs::write(folder.path().join("quit.txt"), "*include hello.txt*\nC: QUIT\nS: 221\n")?;
    ///
    /// let dialogue = Dialogue::load(folder.path().join("quit.txt"))?;
    /// assert_eq!(dialogue.steps().len(), 5);
    /// assert!(dialogue.steps()[0].file.as_deref().is_some_and(|file| file.ends_with("hello.txt")));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`LoadError`]: a file that cannot be read, that is no dialogue, or that includes too much. The first file itself
    /// may have any size.
    pub fn load(file: impl AsRef<Path>) -> Result<Self, LoadError> {
        let file = file.as_ref();
        let text = fs::read_to_string(file).map_err(|source| LoadError::Read { file: file.to_owned(), source })?;
        Self::parse_as(&file.to_string_lossy(), &text)
    }

    /// Reads a dialogue from where there is one, such as standard input, under this name, as
    /// [`parse_as`](Self::parse_as).
    ///
    /// # Errors
    /// [`LoadError`], as of [`load`](Self::load).
    pub fn read(name: &str, from: impl Read) -> Result<Self, LoadError> {
        let text = io::read_to_string(from).map_err(|source| LoadError::Read { file: name.into(), source })?;
        Self::parse_as(name, &text)
    }

    /// Reads a dialogue from a text, as [`load`](Self::load) does from a file: what it includes is read, too, from the
    /// folder of `name`, which is the file's name in messages. For a text from standard input, say, or from a test:
    ///
    /// ```
    /// use mconnect_core::dialogue::Dialogue;
    ///
    /// let error = Dialogue::parse_as("folder/hello.txt", "S: ok").unwrap_err();
    /// assert!(error.to_string().starts_with("folder/hello.txt: line 1, column 4: expected a code"));
    /// ```
    ///
    /// # Errors
    /// [`LoadError`], as of [`load`](Self::load).
    pub fn parse_as(name: &str, text: &str) -> Result<Self, LoadError> {
        let mut reading = Reading { steps: Vec::new(), files_left: MOST_FILES, octets_left: MOST_OCTETS };
        reading.add(name, text, 0)?;
        Ok(Self { steps: Arc::new(reading.steps) })
    }
}

/// A dialogue that is being read, and what may still be included. The bounds are of all files together, since a few
/// small ones that include each other twice each would be many in the end.
struct Reading {
    steps: Vec<Step>,
    files_left: usize,
    octets_left: u64,
}

impl Reading {
    /// Adds the steps of a text, with those of the files that it includes.
    fn add(&mut self, name: &str, text: &str, depth: usize) -> Result<(), LoadError> {
        let name: Arc<str> = name.into();
        let read = parse::steps(text, Some(&name))?;
        if self.steps.is_empty() && !read.iter().any(|step| matches!(step.directive, Directive::Include(_))) {
            self.steps = read;
            return Ok(());
        }
        for step in read {
            match &step.directive {
                Directive::Include(other) => self.include(&path_of(&step, other.as_bytes()), depth + 1)?,
                _ => self.steps.push(step),
            }
        }
        Ok(())
    }

    fn include(&mut self, path: &Path, depth: usize) -> Result<(), LoadError> {
        if depth > DEEPEST {
            return Err(LoadError::Endless { file: path.to_owned() });
        }
        let cannot = |source| LoadError::Read { file: path.to_owned(), source };
        let file = File::open(path).map_err(cannot)?;
        let mut text = String::new();
        let size = file.take(self.octets_left + 1).read_to_string(&mut text).map_err(cannot)? as u64;
        if self.files_left == 0 || size > self.octets_left {
            return Err(LoadError::TooMuch { file: path.to_owned() });
        }
        (self.files_left, self.octets_left) = (self.files_left - 1, self.octets_left - size);
        self.add(&path.to_string_lossy(), &text, depth)
    }
}

/// Returns the path of a file that a step names.
fn path_of(step: &Step, name: &[u8]) -> PathBuf {
    let name = PathBuf::from(String::from_utf8_lossy(name).into_owned());
    match step.file.as_deref().and_then(|file| Path::new(file).parent()) {
        Some(folder) => folder.join(name),
        None => name,
    }
}

/// Takes what a step sends, a block at a time; an error of it ends the delivery, and is what is told.
pub(crate) type Sink<'a> = dyn FnMut(&[u8]) -> Result<(), String> + 'a;

/// Returns what a step sends to `sink`, files in blocks of 64 KiB; `None` if it sends nothing. What was filled with
/// values is overwritten after it has served, since a secret may be among them.
///
/// # Errors
/// A sentence on the value or the file that is missing, or what `sink` says.
pub(crate) fn deliver(step: &Step, values: &Values, sink: &mut Sink<'_>) -> Option<Result<(), String>> {
    let fill = |text| values.fill(text).map_err(|name| no_value(&name));
    Some(match &step.directive {
        Directive::Line(text) => fill(text).and_then(|mut line| {
            line.extend_from_slice(b"\r\n");
            let sunk = sink(&line);
            wipe(&mut line);
            sunk
        }),
        Directive::Bytes(text) => fill(text).and_then(|mut bytes| {
            let sunk = sink(&bytes);
            wipe(&mut bytes);
            sunk
        }),
        Directive::File(name) => values.file_name(name).and_then(|name| read(&path_of(step, &name), sink)),
        Directive::Body(Some(name)) => values.file_name(name).and_then(|name| {
            let (mut encoder, mut out) = (BodyEncoder::default(), Vec::new());
            read(&path_of(step, &name), &mut |block| {
                out.clear();
                encoder.encode(block, &mut out);
                sink(&out)
            })?;
            out.clear();
            encoder.finish(&mut out);
            sink(&out)
        }),
        Directive::Body(None) => sink(TEST_MESSAGE),
        Directive::Octets(count) => {
            let mut left = *count;
            let block = OCTETS_LINE.repeat(BLOCK / OCTETS_LINE.len());
            let mut result = Ok(());
            while left > 0 && result.is_ok() {
                let size = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
                result = sink(&block[..size]);
                left -= size as u64;
            }
            result
        }
        _ => return None,
    })
}

/// Reads a file in blocks.
fn read(path: &Path, sink: &mut Sink<'_>) -> Result<(), String> {
    let cannot = |error: io::Error| format!("cannot read {}: {error}", Visible(path.as_os_str().as_encoded_bytes()));
    let (mut file, mut block) = (File::open(path).map_err(cannot)?, vec![0; BLOCK]);
    loop {
        match file.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(count) => sink(&block[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(cannot(error)),
        }
    }
}

/// Why an `*include*` is still there when it is played.
pub(crate) const NOT_READ: &str = "a file that was not read: Dialogue::load reads it";
/// How deep files may include each other.
const DEEPEST: usize = 16;
/// How much may be included.
const MOST_FILES: usize = 1000;
const MOST_OCTETS: u64 = 64 * 1024 * 1024;
const BLOCK: usize = 64 * 1024;
const TEST_MESSAGE: &[u8] = b"Subject: test\r\n\r\nThis is a test.\r\n.\r\n";
/// 64 octets, so that blocks end with lines.
const OCTETS_LINE: &[u8] = b"abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 01234567\r\n";
