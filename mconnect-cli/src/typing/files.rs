//! Files on their way out, block by block.

use std::env;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::ops::ControlFlow::{self, Continue};
use std::path::PathBuf;

use mconnect_core::Encoded;
use mconnect_core::protocol::{Phase, is_command};

use super::Typing;
use crate::failure::Failure;
use crate::progress::Work;
use crate::stderr::say;

/// Sends a file: as the body, with its dots doubled and its end; into a chunk as it is; otherwise as typed lines.
pub fn send_file<T: Typing>(talk: &mut T, name: &str) -> ControlFlow<T::Leave> {
    let (file, size) = match open(name) {
        Ok(opened) => opened,
        Err(error) => return cannot_read(name, &error),
    };
    match talk.standing().phase {
        Phase::Body => {
            note_size(talk, name, size);
            *talk.work() = Some(Work::new(name, size));
            send_blocks(talk, name, Encoded::body(file))
        }
        Phase::Chunk { left } => {
            *talk.work() = Some(Work::new(name, size.map(|size| size.min(left))));
            send_blocks(talk, name, file.take(left))
        }
        _ => {
            let lines = match FileLines::of(name, file, size) {
                Ok(lines) => lines,
                Err(error) => return cannot_read(name, &error),
            };
            let question = format!("{name} does not begin with an SMTP command: send its lines as commands?");
            if !is_command(lines.lines.buffer()) && !talk.is_meant(&question)? {
                say("mconnect: nothing was sent");
                return Continue(());
            }
            talk.put_lines(lines)
        }
    }
}

/// Sends a file as one chunk, the last one of a message ([RFC 3030](https://www.rfc-editor.org/rfc/rfc3030)).
pub fn send_chunk<T: Typing>(talk: &mut T, name: &str) -> ControlFlow<T::Leave> {
    let (file, size) = match open(name) {
        Ok((file, Some(size))) => (file, size),
        Ok(_) => {
            say(&format!("mconnect: {name} has no size: only a file can be a chunk"));
            return Continue(());
        }
        Err(error) => return cannot_read(name, &error),
    };
    if talk.standing().phase != Phase::Command {
        say("mconnect: a chunk begins where a command is due");
        return Continue(());
    }
    note_size(talk, name, Some(size));
    *talk.work() = Some(Work::new(name, Some(size)));
    talk.put(format!("BDAT {size} LAST\r\n").as_bytes())?;
    send_blocks(talk, name, file.take(size))
}

/// Says so if a file is larger than the messages that the server takes
/// ([RFC 1870](https://www.rfc-editor.org/rfc/rfc1870)); it may have its reasons to go out all the same.
fn note_size<T: Typing>(talk: &T, name: &str, size: Option<u64>) {
    let limit = talk.session().extensions().and_then(|extensions| extensions.size_limit());
    if let (Some(size), Some(limit)) = (size, limit)
        && size > limit
    {
        say(&format!("mconnect: {name} has {size} octets, and the server takes messages of up to {limit} (SIZE)"));
    }
}

/// Sends octets block by block.
fn send_blocks<T: Typing>(talk: &mut T, name: &str, mut octets: impl Read) -> ControlFlow<T::Leave> {
    let mut block = vec![0; BLOCK];
    loop {
        match octets.read(&mut block) {
            Ok(0) => return talk.settle(),
            Ok(count) => talk.put(&block[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Half a message must not be delivered: the body, or the chunk, stays open.
            Err(error) => {
                Failure::cannot_read(name, &error).tell();
                return talk.settle();
            }
        }
    }
}

/// The lines of a file, each with its CR LF.
pub struct FileLines {
    name: String,
    size: Option<u64>,
    /// What was read last, and not taken, is in its buffer; nothing at the end.
    lines: BufReader<Encoded<File>>,
}

impl FileLines {
    fn of(name: &str, file: File, size: Option<u64>) -> io::Result<Self> {
        let mut lines = BufReader::with_capacity(BLOCK, Encoded::lines(file));
        lines.fill_buf()?;
        Ok(Self { name: name.to_owned(), size, lines })
    }

    /// Begins the work that sending them is.
    pub fn work(&self) -> Work {
        Work::new(&self.name, self.size)
    }

    /// Takes the next lines, if there are more: what is left of the file stays there.
    pub fn read_on(lines: &mut Option<Self>, out: &mut Vec<u8>) -> bool {
        let Some(file) = lines else { return false };
        let count = file.lines.buffer().len();
        out.extend_from_slice(file.lines.buffer());
        file.lines.consume(count);
        let is_over = match file.lines.fill_buf() {
            Ok(more) => more.is_empty(),
            Err(error) => {
                Failure::cannot_read(&file.name, &error).tell();
                true
            }
        };
        if is_over {
            *lines = None;
        }
        count > 0
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

fn cannot_read<L>(name: &str, error: &io::Error) -> ControlFlow<L> {
    Failure::cannot_read(name, error).tell();
    Continue(())
}

/// How much is read at once, in octets.
const BLOCK: usize = 64 * 1024;
