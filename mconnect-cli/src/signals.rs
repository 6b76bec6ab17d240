//! Signals while the terminal is changed: one thread waits for them, and restores it before they act.

use std::io;
use std::process::{self, Child, Command};
use std::thread;

use nix::sys::signal::{SigSet, Signal, raise};
use signal_hook::low_level::emulate_default_handler;

use crate::stderr;
use crate::terminal::Terminal;

/// Blocks the signals that end or stop a process, in this thread and all that it starts from now on, and starts the
/// one that waits for them; `on_signal` gives which of them acts, if any does. To be called before any other thread is there.
///
/// # Errors
/// What the system says.
pub fn watch(terminal: Terminal, on_signal: impl FnMut(Signal) -> Option<Signal> + Send + 'static) -> io::Result<()> {
    let signals: SigSet = WATCHED.iter().copied().collect();
    signals.thread_block()?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || wait(&signals, &terminal, on_signal))?;
    Ok(())
}

fn wait(signals: &SigSet, terminal: &Terminal, mut on_signal: impl FnMut(Signal) -> Option<Signal>) {
    loop {
        match signals.wait().map(&mut on_signal) {
            Ok(Some(Signal::SIGCONT)) => terminal.resume(),
            Ok(Some(signal)) => {
                act(signal, terminal);
                // It did nothing, or is over.
                let _ = on_signal(Signal::SIGCONT);
            }
            Ok(None) | Err(_) => {}
        }
    }
}

/// Lets a signal do what it does, with the terminal as it was; the connection ends with the process.
pub fn act(signal: Signal, terminal: &Terminal) {
    stderr::leave();
    terminal.hold();
    let only = SigSet::from(signal);
    if only.thread_unblock().is_err() || raise(signal).is_err() {
        process::exit(128 + signal as i32);
    }
    if signal == Signal::SIGINT {
        // The line editor handles it, or whoever started us had it ignored: Ctrl-C closes all the same.
        let _ = emulate_default_handler(signal as i32);
    }
    // Still here: continued after a stop, or whoever started us had the signal ignored.
    stderr::resume();
    let _ = only.thread_block();
    terminal.resume();
}

/// Starts a process, in which signals act as ever: it has the mask of the thread that starts it.
///
/// # Errors
/// What the system says.
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    thread::scope(|scope| {
        let starting = thread::Builder::new().spawn_scoped(scope, || {
            SigSet::empty().thread_set_mask()?;
            command.spawn()
        })?;
        starting.join().unwrap_or_else(|_| Err(io::Error::other("the thread that starts it failed")))
    })
}

/// Ends the process as writing to a pipe without a reader ends others; the standard library has that signal ignored.
pub fn die_of_broken_pipe() {
    let _ = emulate_default_handler(Signal::SIGPIPE as i32);
}

const WATCHED: &[Signal] = &[
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGALRM,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGTSTP,
    Signal::SIGCONT,
];
