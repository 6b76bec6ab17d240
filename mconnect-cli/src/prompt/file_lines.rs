//! The lines of a file that stand for typed ones.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader};

use mconnect_core::Encoded;
use mconnect_core::protocol::is_command;

use crate::failure::Failure;

/// The lines of a file, each with its CR LF.
pub struct FileLines {
    name: String,
    /// What was read last, and not taken, is in its buffer; nothing at the end.
    lines: BufReader<Encoded<File>>,
}

impl FileLines {
    pub fn of(name: &str, file: File) -> io::Result<Self> {
        let mut lines = BufReader::with_capacity(BLOCK, Encoded::lines(file));
        lines.fill_buf()?;
        Ok(Self { name: name.to_owned(), lines })
    }

    /// Says whether they begin as a session does.
    pub fn begin_with_a_command(&self) -> bool {
        is_command(self.lines.buffer())
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

/// How much is read at once, in octets.
const BLOCK: usize = 64 * 1024;
