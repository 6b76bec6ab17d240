//! The input of a session, in blocks: lines that are given, or standard input; once that turns out to be long, it is read
//! ahead by a thread of its own.

use std::ffi::OsString;
use std::io::{self, IsTerminal, PipeReader, PipeWriter, Read, Stdin, Write};
use std::ops::Deref;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Standard input, or what is given in its place.
pub struct Input {
    stdin: Stdin,
    given: Option<Vec<u8>>,
    block: Option<Block>,
    ahead: Option<Ahead>,
}

/// Some bytes that were read.
pub struct Block {
    // Zeroed memory that is never written to costs nothing, so this stays at its full size.
    bytes: Vec<u8>,
    count: usize,
}

/// The thread that reads ahead: blocks go round. Whoever has found none to take sets the bell, a pipe that then tells
/// of the next one.
struct Ahead {
    read: Receiver<io::Result<Block>>,
    used: Sender<Block>,
    next: Option<io::Result<Block>>,
    bell: PipeReader,
    /// The next block is to ring the bell; whoever rings takes this back.
    is_set: Arc<AtomicBool>,
    is_armed: bool,
}

impl Input {
    pub fn new() -> Self {
        Self { stdin: io::stdin(), given: None, block: None, ahead: None }
    }

    /// Makes an input of these lines; standard input is not read.
    pub fn given(lines: &[OsString]) -> Self {
        let mut given = Vec::new();
        for line in lines {
            given.extend_from_slice(line.as_bytes());
            given.push(b'\n');
        }
        Self { given: Some(given), ..Self::new() }
    }

    /// Says whether there is something to [`take`](Self::take) without waiting, as far as that is known. If not, the
    /// descriptor tells.
    pub fn is_ready(&mut self) -> bool {
        self.given.is_some() || self.ahead.as_mut().is_some_and(Ahead::is_ready)
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
            let next = ahead.next.take();
            return next.unwrap_or_else(|| ahead.read.recv().unwrap_or_else(|_| Ok(Block::new())));
        }
        if let Some(given) = &mut self.given {
            // Once taken, what is given has ended.
            let bytes = std::mem::take(given);
            return Ok(Block { count: bytes.len(), bytes });
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
            None if self.given.is_some() => {}
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
        let is_set = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&is_set);
        let (done, read) = channel();
        let (used, free) = channel();
        for _ in 0..2 {
            let _ = used.send(Block::new());
        }
        thread::Builder::new().name("input".to_owned()).spawn(move || read_ahead(&free, &done, ring, &theirs))?;
        Ok(Self { read, used, next: None, bell, is_set, is_armed: false })
    }

    fn is_ready(&mut self) -> bool {
        self.disarm();
        if self.next.is_none() {
            self.next = self.read.try_recv().ok();
        }
        if self.next.is_none() {
            self.is_armed = true;
            self.is_set.store(true, Ordering::SeqCst);
            // What came before the bell was set does not ring it.
            self.next = self.read.try_recv().ok();
        }
        self.next.is_some()
    }

    fn disarm(&mut self) {
        if std::mem::take(&mut self.is_armed) && !self.is_set.swap(false, Ordering::SeqCst) {
            let _ = self.bell.read(&mut [0]);
        }
    }
}

fn read_ahead(free: &Receiver<Block>, done: &Sender<io::Result<Block>>, mut ring: PipeWriter, is_set: &AtomicBool) {
    while let Ok(mut block) = free.recv() {
        let result = read(&mut block.bytes).map(|count| Block { count, ..block });
        let is_over = result.as_ref().map_or(true, |block| block.is_empty());
        let is_taken = done.send(result).is_ok();
        if is_set.swap(false, Ordering::SeqCst) {
            let _ = ring.write_all(&[0]);
        }
        if is_over || !is_taken {
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
