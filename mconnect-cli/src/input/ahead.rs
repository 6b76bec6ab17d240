//! Reading ahead: a thread reads blocks, and makes a body ready for sending, while those before are on their way.

use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use mconnect_core::protocol::{LineInput, Phase, Ready};

use super::{BLOCK, Block};

/// The thread that reads ahead: blocks go round. Whoever has found none to take sets the bell, a pipe that then tells
/// of the next one.
pub(super) struct Ahead {
    read: Receiver<io::Result<Block>>,
    used: Sender<Block>,
    next: Option<io::Result<Block>>,
    bell: PipeReader,
    signs: Arc<Signs>,
    is_armed: bool,
}

/// What the two threads show each other.
#[derive(Default)]
struct Signs {
    /// The next block is to ring the bell; whoever rings takes this back.
    is_set: AtomicBool,
    /// A body is being sent.
    is_body: AtomicBool,
}

impl Ahead {
    pub(super) fn start() -> io::Result<Self> {
        let (bell, ring) = io::pipe()?;
        let signs = Arc::<Signs>::default();
        let theirs = Arc::clone(&signs);
        let (done, read) = channel();
        let (used, free) = channel();
        // With the one that is being sent, three go round.
        for _ in 0..2 {
            let _ = used.send(Block::new(BLOCK));
        }
        thread::Builder::new().name("input".to_owned()).spawn(move || read_ahead(&free, &done, ring, &theirs))?;
        Ok(Self { read, used, next: None, bell, signs, is_armed: false })
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    pub(super) fn expect(&self, phase: Phase) {
        self.signs.is_body.store(phase == Phase::Body, Ordering::Relaxed);
    }

    pub(super) fn is_ready(&mut self) -> bool {
        self.disarm();
        if self.next.is_none() {
            self.next = self.read.try_recv().ok();
        }
        if self.next.is_none() {
            self.is_armed = true;
            self.signs.is_set.store(true, Ordering::SeqCst);
            // What came before the bell was set does not ring it.
            self.next = self.read.try_recv().ok();
        }
        self.next.is_some()
    }

    /// Takes the next block, waiting for it; an empty one at the end.
    pub(super) fn take(&mut self) -> io::Result<Block> {
        let next = self.next.take();
        next.unwrap_or_else(|| self.read.recv().unwrap_or_else(|_| Ok(Block::new(0))))
    }

    pub(super) fn reuse(&self, block: Block) {
        let _ = self.used.send(block);
    }

    fn disarm(&mut self) {
        if std::mem::take(&mut self.is_armed) && !self.signs.is_set.swap(false, Ordering::SeqCst) {
            let _ = self.bell.read(&mut [0]);
        }
    }
}

fn read_ahead(free: &Receiver<Block>, done: &Sender<io::Result<Block>>, mut ring: PipeWriter, signs: &Signs) {
    let mut lines = LineInput::default();
    while let Ok(mut block) = free.recv() {
        let filled = block.fill();
        let (bytes, ready) = block.parts();
        // A block that is waited for goes as it is: whoever waits has the time for it.
        if signs.is_body.load(Ordering::Relaxed) && !signs.is_set.load(Ordering::SeqCst) {
            ready.make(bytes, lines.clone());
        }
        lines = Ready::after(bytes, lines);
        let is_over = !matches!(filled, Ok(true));
        let is_taken = done.send(filled.map(|_| block)).is_ok();
        if signs.is_set.swap(false, Ordering::SeqCst) {
            let _ = ring.write_all(&[0]);
        }
        if is_over || !is_taken {
            break;
        }
    }
}
