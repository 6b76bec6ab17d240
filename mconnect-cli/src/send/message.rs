//! The message: a file, standard input, or a small one that is made.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd as _;
use std::path::Path;

use mconnect_core::protocol::{Address, Content};
use mconnect_core::{MessageFile, Peer, TestMessage};

use crate::failure::{Failure, Status};
use crate::options::{Options, Sending};
use crate::progress::{WHOLE_MESSAGE, Work};
use crate::stderr::at_interrupt;

/// The message that is sent.
pub struct Message {
    /// What it is called.
    pub name: String,
    /// Where it comes from; nothing if it is made.
    file: Option<MessageFile>,
}

impl Message {
    /// Opens the file that was named, and reads it once if it can be read twice.
    ///
    /// # Errors
    /// It cannot be read, or not as often as it is to be sent.
    pub fn prepare(sending: &Sending, repeat: usize) -> Result<Self, Failure> {
        let Some(path) = &sending.message else { return Ok(Self { name: "the message".to_owned(), file: None }) };
        let is_input = path == Path::new("-");
        let name = if is_input { "standard input".to_owned() } else { path.display().to_string() };
        let opened = if is_input { io::stdin().as_fd().try_clone_to_owned().map(File::from) } else { File::open(path) };
        let file = opened.and_then(MessageFile::new).map_err(|error| Failure::cannot_read(&name, &error))?;
        if file.content().is_none() && repeat > 1 {
            let told = format!("{name} can be read once, and --repeat needs it again");
            return Err(Failure::new(Status::Usage, told));
        }
        Ok(Self { name, file: Some(file) })
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
        let Some(file) = &self.file else {
            let made = made(&options.sending, own_name, sender, peer).to_string();
            return Ok((None, Box::new(io::Cursor::new(made))));
        };
        let reader = file.reader().map_err(|error| Failure::cannot_read(&self.name, &error))?;
        Ok((file.content().cloned(), Box::new(reader)))
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

/// Makes a message that says where it comes from.
fn made(sending: &Sending, own_name: &str, sender: Option<&Address>, peer: &Peer) -> TestMessage {
    let message = TestMessage::new("a test message of mconnect", own_name).to(&sending.to);
    let message = sender.into_iter().fold(message, TestMessage::from);
    let message = sending.headers.iter().cloned().fold(message, TestMessage::header);
    match &sending.body {
        Some(body) => message.body(body),
        None => {
            let version = env!("CARGO_PKG_VERSION");
            message.body(&format!("mconnect {version} has sent this message from {own_name} to {}.", peer.name()))
        }
    }
}
