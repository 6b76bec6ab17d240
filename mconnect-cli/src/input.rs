//! Standard input, read by a thread of its own in blocks, a few of them ahead.

use std::io;
use std::os::fd::AsFd;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// The sender of blocks that are to be read into.
pub struct Blocks(Sender<Vec<u8>>);

impl Blocks {
    /// Gives back a block that was used.
    pub fn reuse(&self, block: Vec<u8>) {
        let _ = self.0.send(block);
    }
}

/// What reading gave.
pub enum Input {
    Block(Vec<u8>),
    End,
    Failed(io::Error),
}

/// Begins to read; each block comes by `deliver`, whose answer says whether to go on. As many blocks are ahead as can
/// be in use at once: one read into, one waiting, one being sent.
pub fn start(deliver: impl Fn(Input) -> bool + Send + 'static) -> io::Result<Blocks> {
    let (used, free) = channel();
    for _ in 0..3 {
        let _ = used.send(vec![0; BLOCK]);
    }
    thread::Builder::new().name("input".to_owned()).spawn(move || read_all(&free, deliver))?;
    Ok(Blocks(used))
}

fn read_all(free: &Receiver<Vec<u8>>, deliver: impl Fn(Input) -> bool) {
    while let Ok(mut block) = free.recv() {
        block.resize(BLOCK, 0);
        let input = match read(&mut block) {
            Ok(0) => Input::End,
            Ok(count) => {
                block.truncate(count);
                Input::Block(block)
            }
            Err(error) => Input::Failed(error),
        };
        let is_over = !matches!(input, Input::Block(_));
        if !deliver(input) || is_over {
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
            Err(Errno::EIO) if io::IsTerminal::is_terminal(&stdin) => return Ok(0),
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// How much is read at once, in octets.
const BLOCK: usize = 256 * 1024;
