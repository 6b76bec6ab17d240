//! What the whole process holds while sessions go on, and after them: the tests go one after the other.
//!
//! Some take long: `cargo test -p mconnect-core --features server,probe --test endurance -- --ignored`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod flat;
mod left_behind;
#[cfg(feature = "probe")]
mod many;

#[path = "../common/mod.rs"]
mod common;

use std::fs;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

static ALONE: Mutex<()> = Mutex::new(());

/// Waits until no other test runs, and keeps the others waiting.
fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns a number of what the system knows of the process.
fn number(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The most memory that the process has held so far, in KiB.
struct Peak(u64);

impl Peak {
    fn now() -> Self {
        Self(number("VmHWM:"))
    }

    /// Requires that no more than so much came on top of it.
    #[track_caller]
    fn require_flat(&self, growth: u64) {
        let grown = number("VmHWM:") - self.0;
        assert!(grown < growth, "memory grew by {grown} KiB");
    }
}

/// What the process holds: open files, threads, and memory in KiB.
#[derive(Debug, Clone, Copy)]
struct Held {
    files: usize,
    threads: u64,
    memory: u64,
}

impl Held {
    fn now() -> Self {
        Self {
            files: fs::read_dir("/proc/self/fd").unwrap().count(),
            threads: number("Threads:"),
            memory: number("VmRSS:"),
        }
    }

    /// Waits until no more files and threads are held than before: the server's threads end after their clients.
    #[track_caller]
    fn require_back(self, memory: u64) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let now = Self::now();
            if now.files <= self.files && now.threads <= self.threads {
                assert!(now.memory <= self.memory + memory, "before {self:?}, now {now:?}");
                println!("before {self:?}, now {now:?}");
                return;
            }
            assert!(Instant::now() < deadline, "before {self:?}, now {now:?}");
            thread::yield_now();
        }
    }
}
