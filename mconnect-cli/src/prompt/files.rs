//! Files on their way out.

use std::env;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::ops::ControlFlow::{self, Continue};
use std::path::PathBuf;

use mconnect_core::protocol::{BodyEncoder, CrlfEncoder, Phase};

use super::{Flow, Leave, Talk};
use crate::failure::Failure;
use crate::progress::Work;
use crate::stderr::say;

impl Talk<'_> {
    /// Sends a file: as the body, with its dots doubled and its end; into a chunk as it is; otherwise as typed lines.
    pub(super) fn send_file(&mut self, name: &str) -> Flow {
        let (metadata, mut file) = match open(name) {
            Ok(opened) => opened,
            Err(error) => return cannot_read(name, &error),
        };
        let total = Some(metadata.len()).filter(|_| metadata.is_file());
        match self.writer.standing().phase {
            Phase::Body => {
                self.work = Some(Work::new(name, total));
                self.send_body(name, &mut file)
            }
            Phase::Chunk { left } => {
                self.work = Some(Work::new(name, total.map(|total| total.min(left))));
                self.send_octets(name, &mut file.take(left))?;
                self.settle()
            }
            _ => {
                let mut text = Vec::new();
                if let Err(error) = file.read_to_end(&mut text) {
                    return cannot_read(name, &error);
                }
                if !text.ends_with(b"\n") {
                    text.push(b'\n');
                }
                if !begins_with_command(&text)
                    && !self
                        .is_meant(&format!("{name} does not begin with an SMTP command: send its lines as commands?"))?
                {
                    say("mconnect: nothing was sent");
                    return Continue(());
                }
                let mut lines = Vec::new();
                CrlfEncoder::default().encode(&text, &mut lines);
                self.send_paste(name, lines, false)
            }
        }
    }

    /// Sends a file as one chunk, the last one of a message ([RFC 3030](https://www.rfc-editor.org/rfc/rfc3030)).
    pub(super) fn send_chunk(&mut self, name: &str) -> Flow {
        let (size, file) = match open(name) {
            Ok((metadata, file)) if metadata.is_file() => (metadata.len(), file),
            Ok(_) => {
                say(&format!("mconnect: {name} has no size: only a file can be a chunk"));
                return Continue(());
            }
            Err(error) => return cannot_read(name, &error),
        };
        if !matches!(self.writer.standing().phase, Phase::Command | Phase::Greeting) {
            say("mconnect: a chunk begins where a command is due");
            return Continue(());
        }
        self.work = Some(Work::new(name, Some(size)));
        self.send(format!("BDAT {size} LAST\r\n").as_bytes())?;
        self.send_octets(name, &mut file.take(size))?;
        self.settle()
    }

    fn send_body(&mut self, name: &str, file: &mut File) -> Flow {
        let (mut encoder, mut end) = (BodyEncoder::default(), Vec::new());
        // Half a message must not be delivered: where not all of it was read, the body stays open.
        if self.send_blocks(name, file, |block, out| encoder.encode(block, out))? {
            encoder.finish(&mut end);
            self.send(&end)?;
        }
        self.end_work();
        self.advance()?;
        self.settle()
    }

    fn send_octets(&mut self, name: &str, input: &mut impl Read) -> Flow {
        self.send_blocks(name, input, |block, out| out.extend_from_slice(block))?;
        self.end_work();
        Continue(())
    }

    /// Sends what is read, as it is encoded, and says whether that was all.
    fn send_blocks(
        &mut self,
        name: &str,
        input: &mut impl Read,
        mut encode: impl FnMut(&[u8], &mut Vec<u8>),
    ) -> ControlFlow<Leave, bool> {
        let (mut block, mut out) = (vec![0; BLOCK], Vec::new());
        loop {
            match input.read(&mut block) {
                Ok(0) => return Continue(true),
                Ok(count) => {
                    out.clear();
                    encode(&block[..count], &mut out);
                    self.send(&out)?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return cannot_read(name, &error).map_continue(|()| false),
            }
        }
    }
}

/// Says whether the first line is one of SMTP's.
fn begins_with_command(text: &[u8]) -> bool {
    let verb = text.split(|byte| *byte <= b' ').next().unwrap_or_default();
    VERBS.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(verb))
}

/// Opens a file; a folder is none.
fn open(name: &str) -> io::Result<(Metadata, File)> {
    let file = File::open(expand(name))?;
    let metadata = file.metadata()?;
    if metadata.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok((metadata, file)) }
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
/// The verbs of SMTP, LMTP and their extensions.
const VERBS: [&str; 22] = [
    "EHLO", "HELO", "LHLO", "MAIL", "RCPT", "DATA", "BDAT", "BURL", "RSET", "NOOP", "QUIT", "VRFY", "EXPN", "HELP",
    "STARTTLS", "AUTH", "ETRN", "ATRN", "TURN", "SEND", "XCLIENT", "XFORWARD",
];
