//! The message: a file, standard input, or a small one that is made.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use mconnect_core::protocol::{Address, Content};
use mconnect_core::{Peer, message_date};

use crate::failure::{Failure, Status};
use crate::options::{Options, Sending};
use crate::progress::{WHOLE_MESSAGE, Work};
use crate::stderr::at_interrupt;

/// The message that is sent.
pub struct Message {
    /// What it is called.
    pub name: String,
    /// Where it comes from; nothing if it is made.
    file: Option<File>,
    /// Where it begins there, and what is known of it: then it is read from there on, again and again.
    start: u64,
    content: Option<Content>,
}

impl Message {
    /// Opens the file that was named, and reads it once if it can be read twice.
    ///
    /// # Errors
    /// It cannot be read, or not as often as it is to be sent.
    pub fn prepare(sending: &Sending, repeat: usize) -> Result<Self, Failure> {
        let mut message = Self { name: "the message".to_owned(), file: None, start: 0, content: None };
        let Some(path) = &sending.message else { return Ok(message) };
        let is_input = path == Path::new("-");
        message.name = if is_input { "standard input".to_owned() } else { path.display().to_string() };
        message.look(path, is_input).map_err(|error| Failure::cannot_read(&message.name, &error))?;
        if message.content.is_none() && repeat > 1 {
            let told = format!("{} can be read once, and --repeat needs it again", message.name);
            return Err(Failure::new(Status::Usage, told));
        }
        Ok(message)
    }

    fn look(&mut self, path: &Path, is_input: bool) -> io::Result<()> {
        let mut file = if is_input { File::from(io::stdin().as_fd().try_clone_to_owned()?) } else { File::open(path)? };
        if file.metadata()?.is_file() {
            self.start = file.stream_position()?;
            self.content = Some(Content::read(&file)?);
        }
        self.file = Some(file);
        Ok(())
    }

    /// Returns what is known of it, and the message, from its beginning.
    ///
    /// # Errors
    /// It cannot be read again.
    pub fn open(
        &self,
        options: &Options,
        own_name: &str,
        sender: Option<&Address>,
        peer: &Peer,
    ) -> Result<(Option<Content>, Box<dyn Read + '_>), Failure> {
        let Some(mut file) = self.file.as_ref() else {
            let made = made(&options.sending, own_name, sender, peer).into_bytes();
            return Ok((None, Box::new(io::Cursor::new(made))));
        };
        if self.content.is_some() {
            file.seek(SeekFrom::Start(self.start)).map_err(|error| Failure::cannot_read(&self.name, &error))?;
        }
        Ok((self.content.clone(), Box::new(file)))
    }
}

/// A message that is counted as it goes.
pub struct Counted<'a> {
    source: Box<dyn Read + 'a>,
    work: &'a Work,
}

impl<'a> Counted<'a> {
    pub fn new(source: Box<dyn Read + 'a>, work: &'a Work) -> Self {
        Self { source, work }
    }
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.work.add(count, count > 0);
        if count == 0 {
            at_interrupt(Some(WHOLE_MESSAGE.to_owned()));
        }
        Ok(count)
    }
}

/// Makes a message that says where it comes from. Headers that were given stand for those of the same name.
fn made(sending: &Sending, own_name: &str, sender: Option<&Address>, peer: &Peer) -> String {
    let now = SystemTime::now();
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let id = format!("<{:x}.{:x}.{}@{own_name}>", since.as_secs(), since.subsec_nanos(), process::id());
    let to: Vec<&str> = sending.to.iter().map(Address::as_str).collect();
    let from = sender.map_or_else(|| format!("postmaster@{own_name}"), ToString::to_string);
    let usual = [
        ("Date", message_date(now)),
        ("Message-ID", id),
        ("From", from),
        ("To", to.join(",\n\t")),
        ("Subject", "a test message of mconnect".to_owned()),
    ];
    let is_given = |name: &str| sending.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
    let usual = usual.into_iter().filter(|(name, value)| !is_given(name) && !value.is_empty());
    let usual = usual.map(|(name, value)| (name.to_owned(), value));
    let header: String = usual.chain(sending.headers.clone()).fold(String::new(), |header, (name, value)| {
        let line = format!("{name}: {value}");
        header + line.trim_end() + "\n"
    });
    let body = sending.body.clone().unwrap_or_else(|| {
        let version = env!("CARGO_PKG_VERSION");
        format!("mconnect {version} has sent this message from {own_name} to {}.", peer.name())
    });
    format!("{header}\n{body}\n")
}
