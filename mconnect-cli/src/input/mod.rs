//! The input of a session, in blocks: lines that are given, or standard input; once that turns out to be long, it is read
//! ahead by a thread of its own.

mod ahead;
mod room;

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{self, IsTerminal, Stdin};
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;

use mconnect_core::protocol::{Phase, Ready};
use nix::errno::Errno;
use nix::poll::PollTimeout;
use zeroize::Zeroize as _;

use crate::waiting;
use ahead::Ahead;
pub use room::Room;

/// Standard input, or what is given in its place.
pub struct Input {
    stdin: Stdin,
    given: Option<Vec<u8>>,
    block: Option<Block>,
    is_begun: bool,
    /// How much is read at once, in octets: more of an input that fills its blocks.
    size: usize,
    ahead: Option<Ahead>,
}

/// Some bytes that were read.
pub struct Block {
    bytes: Room,
    count: usize,
    /// How much of it was taken, and how much of that was wiped.
    taken: usize,
    wiped: usize,
    ready: Ready,
}

impl Input {
    pub fn new() -> Self {
        Self { stdin: io::stdin(), given: None, block: None, is_begun: false, size: FIRST, ahead: None }
    }

    /// Makes an input of these lines; standard input is not read.
    pub fn given(lines: &[OsString]) -> Self {
        let mut given = Vec::new();
        for line in lines {
            given.extend_from_slice(line.as_bytes());
            given.push(b'\n');
        }
        Self { given: Some(without_mark(&given).to_vec()), ..Self::new() }
    }

    /// Returns whether there is something to [`take`](Self::take) without waiting, as far as that is known. If not, the
    /// descriptor tells.
    pub fn is_ready(&mut self) -> bool {
        self.given.is_some() || self.ahead.as_mut().is_some_and(Ahead::is_ready)
    }

    /// Returns whether the input has turned out to be long, so that some of it is on its way here already.
    pub fn is_read_ahead(&self) -> bool {
        self.ahead.is_some()
    }

    /// Returns whether there is something to [`take`](Self::take), so that nobody has to be waited for; a file never keeps
    /// anybody waiting, and what is read ahead has a moment to come.
    pub fn is_at_hand(&self) -> bool {
        let is_file = || self.metadata().is_some_and(|data| data.is_file());
        let patience = if self.is_read_ahead() { AHEAD_PATIENCE } else { 0 };
        waiting::is_readable(self.as_fd(), patience) || (self.is_read_ahead() && is_file())
    }

    /// Returns how many octets there are of it, if that can be told beforehand.
    pub fn size(&self) -> Option<u64> {
        match &self.given {
            Some(given) => Some(given.len() as u64),
            None => self.metadata().filter(Metadata::is_file).map(|data| data.len()),
        }
    }

    fn metadata(&self) -> Option<Metadata> {
        let file = File::from(self.stdin.as_fd().try_clone_to_owned().ok()?);
        file.metadata().ok()
    }

    /// Returns the descriptor that is readable when there is something to [`take`](Self::take).
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.ahead {
            Some(ahead) => ahead.as_fd(),
            None => self.stdin.as_fd(),
        }
    }

    /// Says in which phase the next block will be sent, so that what is read ahead is made ready for it.
    pub fn expect(&self, phase: Phase) {
        if let Some(ahead) = &self.ahead {
            ahead.expect(phase);
        }
    }

    /// Takes the next block, waiting for it; an empty one at the end.
    ///
    /// # Errors
    /// What the system says.
    pub fn take(&mut self) -> io::Result<Block> {
        if let Some(ahead) = &mut self.ahead {
            return ahead.take();
        }
        if let Some(given) = &mut self.given {
            // Once taken, what is given has ended.
            return Ok(Block::of(std::mem::take(given)));
        }
        let block = self.block.take().filter(|block| block.bytes.len() == self.size);
        let mut block = block.unwrap_or_else(|| Block::new(self.size));
        block.fill()?;
        if block.count == self.size {
            self.size = (self.size * 8).min(BLOCK);
        }
        if !std::mem::replace(&mut self.is_begun, true) {
            block.drop_mark()?;
        }
        // A full block: there is more, and reading it while this one is sent saves time. A pipe gives less at once: what
        // fills it is a process of its own, and ahead already.
        if block.count == BLOCK {
            self.ahead = Ahead::start().ok();
        }
        Ok(block)
    }

    /// Takes back a block that was taken, to be filled again.
    pub fn reuse(&mut self, block: Block) {
        match &self.ahead {
            Some(ahead) => ahead.reuse(block),
            None if self.given.is_some() => {}
            None => self.block = Some(block),
        }
    }
}

impl Block {
    /// Makes an empty one with this much room, in octets.
    fn new(size: usize) -> Self {
        Self { bytes: Room::new(size), count: 0, taken: 0, wiped: 0, ready: Ready::default() }
    }

    /// Makes one of what came from elsewhere.
    pub fn of(bytes: Vec<u8>) -> Self {
        Self { count: bytes.len(), bytes: bytes.into(), ..Self::new(0) }
    }

    /// Reads, and says whether something came.
    fn fill(&mut self) -> io::Result<bool> {
        (self.taken, self.wiped) = (0, 0);
        self.count = read(&mut self.bytes)?;
        Ok(self.count > 0)
    }

    /// Drops a byte order mark at its front. What may be the beginning of one has a moment to go on.
    fn drop_mark(&mut self) -> io::Result<()> {
        let stdin = io::stdin();
        while (1..MARK.len()).contains(&self.count)
            && MARK.starts_with(self)
            && waiting::is_readable(&stdin, MARK_PATIENCE)
        {
            match read(&mut self.bytes[self.count..])? {
                0 => break,
                count => self.count += count,
            }
        }
        if **self == *MARK {
            // An empty block would be the end.
            return self.fill().map(drop);
        }
        self.taken = self.count - without_mark(self).len();
        Ok(())
    }

    /// Wipes what was taken, and what was made of it ahead: a part of it may be a secret.
    pub fn wipe_taken(&mut self) {
        self.bytes[self.wiped..self.taken].zeroize();
        self.ready.wipe();
        self.wiped = self.taken;
    }

    /// Notes that all was taken but so much of it.
    pub fn leave(&mut self, rest: usize) {
        self.taken = self.count - rest;
    }

    /// Returns what was not taken, and what was made of it ahead.
    pub fn parts(&mut self) -> (&[u8], &mut Ready) {
        (&self.bytes[self.taken..self.count], &mut self.ready)
    }
}

impl Deref for Block {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.taken..self.count]
    }
}

/// Returns a text without the byte order mark that some editors put before it.
pub fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(MARK).unwrap_or(text)
}

/// Reads some bytes from standard input; none at its end.
///
/// # Errors
/// What the system says.
pub fn read(buffer: &mut [u8]) -> io::Result<usize> {
    let stdin = io::stdin();
    loop {
        match nix::unistd::read(&stdin, buffer) {
            Ok(count) => return Ok(count),
            Err(Errno::EINTR) => {}
            Err(Errno::EAGAIN) => {
                waiting::is_readable(&stdin, PollTimeout::NONE);
            }
            // The terminal has gone: there will be no more input.
            Err(Errno::EIO) if stdin.is_terminal() => return Ok(0),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// A byte order mark in UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";
/// In milliseconds.
const MARK_PATIENCE: u16 = 1000;
const AHEAD_PATIENCE: u16 = 100;
/// How much is read at once of an input that may be short, in octets, and of one that is long. All of a block is cleared at
/// its beginning and its end, since it may hold a secret: most inputs are short.
const FIRST: usize = 4 * 1024;
const BLOCK: usize = 512 * 1024;
