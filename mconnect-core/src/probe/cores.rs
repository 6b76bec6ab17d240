//! A runtime for each core, on a thread of its own; tasks are dealt out in turn, and stay where they are.
//!
//! Probes have little to do with each other, and none is long at work: nothing needs to move, as it would in a runtime of
//! many threads. That one also brings the mathematical library into the start of whatever is linked with it.

use std::io;
use std::num::NonZero;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot::{Sender, channel};

use super::turns::FETCHES_AT_ONCE;

/// Where tasks run. Dropping it ends them.
pub(super) struct Cores {
    cores: Vec<Core>,
    next: usize,
}

struct Core {
    handle: Handle,
    _until_dropped: Sender<()>,
}

impl Cores {
    /// Returns as many as this process may use.
    ///
    /// # Errors
    /// The system has no means for a runtime and a thread.
    pub fn all() -> io::Result<Self> {
        let count = thread::available_parallelism().map_or(1, NonZero::get);
        let cores = (0..count).map(|_| Core::start()).collect::<io::Result<_>>()?;
        Ok(Self { cores, next: 0 })
    }

    /// Returns the one whose turn it is.
    pub fn next(&mut self) -> &Handle {
        self.next = (self.next + 1) % self.cores.len();
        &self.cores[self.next].handle
    }
}

impl Core {
    fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(FETCHES_AT_ONCE).build()?;
        let (handle, (sender, receiver)) = (runtime.handle().clone(), channel());
        thread::Builder::new().name("probes".to_owned()).spawn(move || {
            // It is never told anything: the sender is dropped.
            let _ = runtime.block_on(receiver);
            runtime.shutdown_background();
        })?;
        Ok(Self { handle, _until_dropped: sender })
    }
}
