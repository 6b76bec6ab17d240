//! Messages that are there already, to be sent as they are.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use crate::protocol::Content;

/// A message in a file, a pipe, or on standard input. One that can be read twice is sent as often as is wanted, and what is
/// in it is known before.
///
/// ```no_run
/// use std::fs::File;
///
/// use mconnect_core::protocol::Envelope;
/// use mconnect_core::{Connect, MessageFile};
///
/// let message = MessageFile::new(File::open("mail.eml")?)?;
/// let mut session = Connect::new("mx.example.org", 25).open()?;
/// session.greeting()?.require(220)?;
/// session.hello("client.example")?.require()?;
/// let envelope = Envelope::new(None).to("you@example.org".parse()?);
/// let envelope = message.content().cloned().map_or(envelope.clone(), |content| envelope.content(content));
/// session.deliver(&envelope, message.reader()?)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MessageFile {
    file: File,
    /// Where it begins there.
    start: u64,
    content: Option<Content>,
}

impl MessageFile {
    /// Takes the message that begins where the file is read next. One that can be read twice is read here for the first time.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(mut file: File) -> io::Result<Self> {
        let (mut start, mut content) = (0, None);
        if file.metadata()?.is_file() {
            start = file.stream_position()?;
            content = Some(Content::read(&file)?);
        }
        Ok(Self { file, start, content })
    }

    /// Returns what is known of it; `None` if it can be read once alone.
    pub fn content(&self) -> Option<&Content> {
        self.content.as_ref()
    }

    /// Returns the message, from its beginning if it can be read twice.
    ///
    /// # Errors
    /// What the system says.
    pub fn reader(&self) -> io::Result<impl Read + '_> {
        let mut file = &self.file;
        if self.content.is_some() {
            file.seek(SeekFrom::Start(self.start))?;
        }
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_file_is_read_again_and_again_from_where_it_was() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"not this\nSubject: hi\n").unwrap();
        file.seek(SeekFrom::Start(9)).unwrap();
        let message = MessageFile::new(file).unwrap();
        assert_eq!(message.content().unwrap().size(), Some(13));
        for _ in 0..2 {
            assert_eq!(io::read_to_string(message.reader().unwrap()).unwrap(), "Subject: hi\n");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_read_once_and_nothing_is_known_of_it() {
        let (read, mut write) = io::pipe().unwrap();
        write.write_all(b"Subject: hi\n").unwrap();
        drop(write);
        let message = MessageFile::new(File::from(std::os::fd::OwnedFd::from(read))).unwrap();
        assert_eq!(message.content(), None);
        assert_eq!(io::read_to_string(message.reader().unwrap()).unwrap(), "Subject: hi\n");
    }
}
