//! Files: dialogues, what they include, and what they send.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Deed, Dialogue, Step, SyntaxError, Values, parse};
use crate::protocol::{BodyEncoder, Visible};

/// Why a file gives no dialogue.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// It is no dialogue.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// It cannot be read.
    #[error("cannot read {}", Visible(file.as_os_str().as_encoded_bytes()))]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Files include each other, more than 16 deep.
    #[error("{}: files include each other without end", Visible(file.as_os_str().as_encoded_bytes()))]
    Endless {
        /// The file where that was noticed.
        file: PathBuf,
    },
}

impl Dialogue {
    /// Reads a dialogue from a file, with the files that it includes. Their names, and those of the files that are sent,
    /// count from the folder of the file that names them.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn load(file: impl AsRef<Path>) -> Result<Self, LoadError> {
        let mut steps = Vec::new();
        include(file.as_ref(), &mut steps, 0)?;
        Ok(Self { steps: Arc::new(steps) })
    }

    /// Reads a dialogue from a text, as [`load`](Self::load) does from a file; `name` is the file's name in messages.
    ///
    /// # Errors
    /// [`LoadError`].
    pub fn parse_as(name: &str, text: &str) -> Result<Self, LoadError> {
        let mut steps = Vec::new();
        include_text(name, text, &mut steps, 0)?;
        Ok(Self { steps: Arc::new(steps) })
    }
}

fn include(file: &Path, steps: &mut Vec<Step>, depth: usize) -> Result<(), LoadError> {
    if depth > DEEPEST {
        return Err(LoadError::Endless { file: file.to_owned() });
    }
    let text = fs::read_to_string(file).map_err(|source| LoadError::Read { file: file.to_owned(), source })?;
    include_text(&file.to_string_lossy(), &text, steps, depth)
}

fn include_text(name: &str, text: &str, steps: &mut Vec<Step>, depth: usize) -> Result<(), LoadError> {
    let name: Arc<str> = name.into();
    let read = parse::steps(text, Some(&name))?;
    if steps.is_empty() && !read.iter().any(|step| matches!(step.deed, Deed::Include(_))) {
        *steps = read;
        return Ok(());
    }
    for step in read {
        match &step.deed {
            Deed::Include(other) => include(&path_of(&step, other.as_bytes()), steps, depth + 1)?,
            _ => steps.push(step),
        }
    }
    Ok(())
}

/// Gives the path of a file that a step names.
pub(crate) fn path_of(step: &Step, name: &[u8]) -> PathBuf {
    let name = PathBuf::from(String::from_utf8_lossy(name).into_owned());
    match step.file.as_deref().and_then(|file| Path::new(file).parent()) {
        Some(folder) => folder.join(name),
        None => name,
    }
}

/// Takes what a step sends, a block at a time.
pub(crate) type Sink<'a> = dyn FnMut(&[u8]) -> Result<(), String> + 'a;

/// Gives what a step sends to `sink`, in blocks; `None` if it sends nothing.
///
/// # Errors
/// A sentence on the value or the file that is missing, or what `sink` says.
pub(crate) fn deliver(step: &Step, values: &Values, sink: &mut Sink<'_>) -> Option<Result<(), String>> {
    let fill = |text| values.fill(text).map_err(|name| format!("${{{name}}} has no value"));
    Some(match &step.deed {
        Deed::Line(text) => fill(text).and_then(|mut line| {
            line.extend_from_slice(b"\r\n");
            sink(&line)
        }),
        Deed::Bytes(text) => fill(text).and_then(|bytes| sink(&bytes)),
        Deed::File(name) => fill(name).and_then(|name| read(&path_of(step, &name), sink)),
        Deed::Body(Some(name)) => fill(name).and_then(|name| {
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
        Deed::Body(None) => sink(TEST_MESSAGE),
        Deed::Octets(count) => {
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

/// How deep files may include each other.
const DEEPEST: usize = 16;
const BLOCK: usize = 64 * 1024;
const TEST_MESSAGE: &[u8] = b"Subject: test\r\n\r\nThis is a test.\r\n.\r\n";
/// 64 octets, so that blocks end with lines.
const OCTETS_LINE: &[u8] = b"abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ 01234567\r\n";
