//! `mconnect`: open a session with a mail server and be in charge of it.
//!
//! [`run`] is the one place where the modules meet; `docs/architecture.md` has the picture.

mod atomic_file;
mod connection;
#[cfg(feature = "dns")]
mod exchangers;
#[cfg(not(feature = "dns"))]
#[path = "without_dns.rs"]
mod exchangers;
mod explain;
mod failure;
mod help;
mod input;
mod judge;
mod line;
mod lock;
mod observers;
mod opening;
mod options;
mod paint;
mod password;
mod play;
#[cfg(feature = "probe")]
mod probe;
#[cfg(not(feature = "probe"))]
#[path = "without_probe.rs"]
mod probe;
mod progress;
mod prompt;
mod raw;
mod run;
mod screen;
mod secret;
#[cfg(feature = "tls")]
mod secure;
#[cfg(not(feature = "tls"))]
#[path = "without_tls.rs"]
mod secure;
mod send;
mod serve;
mod signals;
mod stderr;
mod terminal;
mod timestamps;
mod typing;
mod verdict;
mod waiting;

use std::alloc::System;
use std::process::ExitCode;

use zeroizing_alloc::ZeroAlloc;

/// Overwrites memory where it is freed: what the line editor, TLS and the like have held of a password is gone with it.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    let status = run::run(std::env::args_os().skip(1));
    if status == 0 && screen::has_lost_reader() {
        signals::die_of_broken_pipe();
    }
    ExitCode::from(status)
}
