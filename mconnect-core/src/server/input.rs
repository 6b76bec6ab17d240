//! What a client sends, by the line or as it comes.
//!
//! A receiver takes commands by the line and bodies as they come, and so does a player; what was read together with one
//! of them waits here for the other. One deadline can count for several reads: a client that drips meets it, where the
//! socket's own timeout would begin anew with each octet.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use memchr::memchr;

use crate::stream::{Stream, left};

/// The octets of a connection that were read and not yet taken.
pub(super) struct Input {
    stream: Arc<dyn Stream>,
    bytes: Vec<u8>,
    start: usize,
    /// By when what is read has to come, however many reads that takes; without one, the stream's own timeout holds.
    pub deadline: Option<Instant>,
}

impl Input {
    /// Begins with nothing: what was in the input of a stream below this one is gone, which after STARTTLS it has to be
    /// ([RFC 3207, section 4.2](https://www.rfc-editor.org/rfc/rfc3207#section-4.2)).
    pub fn new(stream: Arc<dyn Stream>) -> Self {
        Self { stream, bytes: Vec::new(), start: 0, deadline: None }
    }

    /// Returns what has come and was not taken.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Returns the next line with its LF, a piece of one that is longer than 64 KiB, or at the end what is left;
    /// nothing after that.
    ///
    /// # Errors
    /// What reading failed with; [`TimedOut`](io::ErrorKind::TimedOut) once the deadline has passed. What came before
    /// that stays.
    pub fn line(&mut self) -> io::Result<Vec<u8>> {
        loop {
            let rest = &self.bytes[self.start..];
            let size = match memchr(b'\n', rest) {
                Some(lf) => lf + 1,
                None if rest.len() >= LONGEST_LINE => rest.len(),
                None if self.fill()? => continue,
                None => self.bytes.len() - self.start,
            };
            let line = self.bytes[self.start..self.start + size].to_vec();
            self.start += size;
            return Ok(line);
        }
    }

    /// Says whether a line is there already, so that answering can wait for it.
    pub fn has_line(&self) -> bool {
        memchr(b'\n', &self.bytes[self.start..]).is_some()
    }

    /// Returns the bytes that are there, at least one unless the client ended its sending side; [`take`](Self::take)
    /// then says how many were used.
    ///
    /// # Errors
    /// As of [`line`](Self::line).
    pub fn some(&mut self) -> io::Result<&[u8]> {
        if self.start == self.bytes.len() {
            self.fill()?;
        }
        Ok(&self.bytes[self.start..])
    }

    /// Takes so many octets of those that are there.
    pub fn take(&mut self, count: usize) {
        self.start += count;
    }

    /// Drops what still comes, until the client closes: unread data would make the system send a reset, which can
    /// destroy our last bytes on their way.
    pub fn drain(&mut self) -> io::Result<()> {
        self.deadline = Some(Instant::now() + CLOSE_PATIENCE);
        loop {
            let count = self.some()?.len();
            if count == 0 {
                return Ok(());
            }
            self.take(count);
        }
    }

    /// Reads more, and says whether something came; nothing does at the end of the stream.
    fn fill(&mut self) -> io::Result<bool> {
        self.bytes.drain(..self.start);
        self.start = 0;
        let before = self.bytes.len();
        self.bytes.resize(before + ROOM, 0);
        let result = loop {
            match self.wait().and_then(|()| self.stream.read(&mut self.bytes[before..])) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => break result,
            }
        };
        self.bytes.truncate(before + *result.as_ref().unwrap_or(&0));
        Ok(result? > 0)
    }

    /// Has the next read wait as long as is left.
    fn wait(&self) -> io::Result<()> {
        match left(self.deadline)? {
            Some(left) => self.stream.set_read_timeout(Some(left)),
            None => Ok(()),
        }
    }
}

/// What has no line end after so many octets is handed out in pieces.
const LONGEST_LINE: usize = 64 * 1024;
/// How long a client may take to close after the server did.
pub(super) const CLOSE_PATIENCE: Duration = Duration::from_secs(2);
/// How much is read at once.
const ROOM: usize = 16 * 1024;
