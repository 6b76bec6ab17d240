//! Standard input, in blocks; once it turns out to be long, read ahead by a thread of its own.

use std::io::{self, IsTerminal, PipeReader, PipeWriter, Read, Stdin, Write};
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Standard input.
pub struct Input {
    stdin: Stdin,
    block: Option<Block>,
    ahead: Option<Ahead>,
}

/// Some bytes that were read.
pub struct Block {
    // Zeroed memory that is never written to costs nothing, so this stays at its full size.
    bytes: Vec<u8>,
    count: usize,
}

/// The thread that reads ahead: blocks go round, and a pipe tells when there is one to take.
struct Ahead {
    read: Receiver<io::Result<Block>>,
    used: Sender<Block>,
    bell: PipeReader,
}

impl Input {
    pub fn new() -> Self {
        Self { stdin: io::stdin(), block: None, ahead: None }
    }

    /// Gives the descriptor that is readable when there is something to [`take`](Self::take).
    pub fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.ahead {
            Some(ahead) => ahead.bell.as_fd(),
            None => self.stdin.as_fd(),
        }
    }

    /// Takes the next block, waiting for it; an empty one at the end.
    ///
    /// # Errors
    /// What the system says.
    pub fn take(&mut self) -> io::Result<Block> {
        if let Some(ahead) = &mut self.ahead {
            ahead.bell.read_exact(&mut [0])?;
            return ahead.read.recv().unwrap_or_else(|_| Ok(Block::new()));
        }
        let mut block = self.block.take().unwrap_or_else(Block::new);
        block.count = read(&mut block.bytes)?;
        // A full block: there is more, and reading it while this one is sent saves time.
        if block.count == BLOCK {
            self.ahead = Ahead::start().ok();
        }
        Ok(block)
    }

    /// Gives back a block that was taken.
    pub fn reuse(&mut self, block: Block) {
        match &self.ahead {
            Some(ahead) => {
                let _ = ahead.used.send(block);
            }
            None => self.block = Some(block),
        }
    }
}

impl Block {
    fn new() -> Self {
        Self { bytes: vec![0; BLOCK], count: 0 }
    }
}

impl Deref for Block {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.count]
    }
}

impl Ahead {
    fn start() -> io::Result<Self> {
        let (bell, ring) = io::pipe()?;
        let (done, read) = channel();
        let (used, free) = channel();
        for _ in 0..2 {
            let _ = used.send(Block::new());
        }
        thread::Builder::new().name("input".to_owned()).spawn(move || read_ahead(&free, &done, ring))?;
        Ok(Self { read, used, bell })
    }
}

fn read_ahead(free: &Receiver<Block>, done: &Sender<io::Result<Block>>, mut ring: PipeWriter) {
    while let Ok(mut block) = free.recv() {
        let result = read(&mut block.bytes).map(|count| Block { count, ..block });
        let is_over = result.as_ref().map_or(true, |block| block.is_empty());
        if done.send(result).is_err() || ring.write_all(&[0]).is_err() || is_over {
            break;
        }
    }
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
                let mut fds = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
                let _ = poll(&mut fds, PollTimeout::NONE);
            }
            // The terminal has gone: there will be no more input.
            Err(Errno::EIO) if stdin.is_terminal() => return Ok(0),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// How much is read at once, in octets.
const BLOCK: usize = 256 * 1024;
