//! Files on their way out, block by block.

use std::env;
use std::fs::File;
use std::io::{self, Read};
use std::ops::ControlFlow::Continue;
use std::path::PathBuf;

use mconnect_core::Encoded;
use mconnect_core::protocol::Phase;
use mconnect_core::script::Pace;

use super::file_lines::FileLines;
use super::send::Lines;
use super::{Flow, Talk};
use crate::failure::Failure;
use crate::progress::Work;
use crate::stderr::say;

impl Talk<'_> {
    /// Sends a file: as the body, with its dots doubled and its end; into a chunk as it is; otherwise as typed lines.
    pub(super) fn send_file(&mut self, name: &str) -> Flow {
        let (file, size) = match open(name) {
            Ok(opened) => opened,
            Err(error) => return cannot_read(name, &error),
        };
        match self.session.standing().phase {
            Phase::Body => {
                self.note_size(name, size);
                self.work = Some(Work::new(name, size));
                self.send_blocks(name, Encoded::body(file))
            }
            Phase::Chunk { left } => {
                self.work = Some(Work::new(name, size.map(|size| size.min(left))));
                self.send_blocks(name, file.take(left))
            }
            _ => {
                let lines = match FileLines::of(name, file) {
                    Ok(lines) => lines,
                    Err(error) => return cannot_read(name, &error),
                };
                let question = format!("{name} does not begin with an SMTP command: send its lines as commands?");
                if !lines.begin_with_a_command() && !self.is_meant(&question)? {
                    say("mconnect: nothing was sent");
                    return Continue(());
                }
                self.work = Some(Work::new(name, size));
                self.begin(Pace::InStep, Lines::of_file(lines));
                self.conclude()
            }
        }
    }

    /// Sends a file as one chunk, the last one of a message ([RFC 3030](https://www.rfc-editor.org/rfc/rfc3030)).
    pub(super) fn send_chunk(&mut self, name: &str) -> Flow {
        let (file, size) = match open(name) {
            Ok((file, Some(size))) => (file, size),
            Ok(_) => {
                say(&format!("mconnect: {name} has no size: only a file can be a chunk"));
                return Continue(());
            }
            Err(error) => return cannot_read(name, &error),
        };
        if self.session.standing().phase != Phase::Command {
            say("mconnect: a chunk begins where a command is due");
            return Continue(());
        }
        self.note_size(name, Some(size));
        self.work = Some(Work::new(name, Some(size)));
        self.send(format!("BDAT {size} LAST\r\n").as_bytes())?;
        self.send_blocks(name, file.take(size))
    }

    /// Says so if a file is larger than the messages that the server takes
    /// ([RFC 1870](https://www.rfc-editor.org/rfc/rfc1870)); it may have its reasons to go out all the same.
    fn note_size(&self, name: &str, size: Option<u64>) {
        let limit = self.session.extensions().and_then(|extensions| extensions.size_limit());
        if let (Some(size), Some(limit)) = (size, limit)
            && size > limit
        {
            say(&format!("mconnect: {name} has {size} octets, and the server takes messages of up to {limit} (SIZE)"));
        }
    }

    /// Sends octets block by block.
    fn send_blocks(&mut self, name: &str, mut octets: impl Read) -> Flow {
        let mut block = vec![0; BLOCK];
        loop {
            match octets.read(&mut block) {
                Ok(0) => return self.conclude(),
                Ok(count) => self.send(&block[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Half a message must not be delivered: the body, or the chunk, stays open.
                Err(error) => {
                    Failure::cannot_read(name, &error).tell();
                    return self.conclude();
                }
            }
        }
    }

    /// All of it went out, or as much as can: what the server says to it is shown.
    pub(super) fn conclude(&mut self) -> Flow {
        if !self.is_paste() {
            self.end_work();
        }
        self.advance()?;
        self.settle()
    }
}

/// Opens a file, and returns its size, if it has one; a folder is none.
fn open(name: &str) -> io::Result<(File, Option<u64>)> {
    let file = File::open(expand(name))?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok((file, Some(metadata.len()).filter(|_| metadata.is_file())))
}

/// Returns the path that a name stands for: `~/` is the user's own folder.
pub fn expand(name: &str) -> PathBuf {
    match (name.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/')), env::var_os("HOME")) {
        (Some(rest), Some(home)) if !home.is_empty() => PathBuf::from(home).join(rest.trim_start_matches('/')),
        _ => name.into(),
    }
}

fn cannot_read(name: &str, error: &io::Error) -> Flow {
    Failure::cannot_read(name, error).tell();
    Continue(())
}

/// How much is read at once, in octets.
const BLOCK: usize = 64 * 1024;
