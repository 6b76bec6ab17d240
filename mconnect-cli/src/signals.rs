//! Signals while the terminal is changed: one thread waits for them, and restores it before they act.

use std::fs::File;
use std::io::{self, Read};
use std::panic::resume_unwind;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::pthread::{Pthread, pthread_kill, pthread_self};
use nix::sys::signal::{SigSet, Signal, raise};

use crate::stderr;
use crate::terminal::Terminal;

/// Blocks the signals that end or stop a process, in this thread and all that it starts from now on, and starts the
/// one that waits for them; `on_signal` gives which of them acts, if any does. To be called before any other thread is there.
///
/// # Errors
/// What the system says.
pub fn watch(terminal: Terminal, on_signal: impl FnMut(Signal) -> Option<Signal> + Send + 'static) -> io::Result<()> {
    let signals = block()?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || wait(&signals, &terminal, on_signal, || false))?;
    Ok(())
}

/// Does the same, but waits in this thread, which has to be the first, until `work` is done in another. A signal that is
/// sent to the process goes to its first thread if that waits for it: never to the line editor, which has its own use for
/// SIGINT, and may take one from outside for its own.
///
/// # Errors
/// What the system says.
pub fn watch_here<T: Send>(
    terminal: Terminal,
    on_signal: impl FnMut(Signal) -> Option<Signal>,
    work: impl FnOnce() -> T + Send,
) -> io::Result<T> {
    let signals = block()?;
    let (here, is_done) = (pthread_self(), AtomicBool::new(false));
    thread::scope(|scope| {
        let worker = thread::Builder::new().name("prompt".to_owned()).spawn_scoped(scope, || {
            let _done = Done { is_done: &is_done, waiting: here };
            wait_for_the_first();
            work()
        })?;
        wait(&signals, &terminal, on_signal, || is_done.load(Ordering::SeqCst));
        Ok(worker.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// Returns when the first thread waits for signals, as far as the system tells: its mask lets them through then.
fn wait_for_the_first() {
    let status = format!("/proc/self/task/{}/status", process::id());
    wait_while(|| is_in_set(&status, "SigBlk:", Signal::SIGINT));
}

/// Returns when no such signal is on its way to the first thread, as far as the system tells. Called before another
/// thread takes one of its own: it would take that one, too.
pub fn let_pass(signal: Signal) {
    wait_while(|| is_in_set("/proc/self/status", "ShdPnd:", signal));
}

fn wait_while(is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while is_so() && start.elapsed() < LONGEST_WAIT {
        thread::yield_now();
    }
}

/// Returns whether a set of signals holds this one; not, if the system does not tell.
fn is_in_set(path: &str, name: &str, signal: Signal) -> bool {
    // Room enough for all of it at once: this is part of every break.
    let mut status = String::with_capacity(4096);
    let _ = File::open(path).and_then(|mut file| file.read_to_string(&mut status));
    let set = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix(name)?.trim(), 16).ok());
    set.is_some_and(|set| set & (1 << (signal as u32 - 1)) != 0)
}

/// Ends the wait for signals when it is dropped, also in a panic.
struct Done<'a> {
    is_done: &'a AtomicBool,
    waiting: Pthread,
}

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.is_done.store(true, Ordering::SeqCst);
        let _ = pthread_kill(self.waiting, Signal::SIGCONT);
    }
}

fn block() -> io::Result<SigSet> {
    let mut signals = SigSet::empty();
    for signal in WATCHED {
        signals.add(*signal);
    }
    signals.thread_block()?;
    Ok(signals)
}

fn wait(
    signals: &SigSet,
    terminal: &Terminal,
    mut on_signal: impl FnMut(Signal) -> Option<Signal>,
    is_done: impl Fn() -> bool,
) {
    loop {
        let signal = signals.wait();
        if is_done() {
            return;
        }
        match signal.map(&mut on_signal) {
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
    let mut only = SigSet::empty();
    only.add(signal);
    if only.thread_unblock().is_err() || raise(signal).is_err() {
        process::exit(128 + signal as i32);
    }
    if signal == Signal::SIGINT {
        // The line editor has begun meanwhile and handles it, or whoever started us had it ignored: Ctrl-C closes all the same.
        process::exit(128 + signal as i32);
    }
    // Still here: continued after a stop, or whoever started us had the signal ignored.
    stderr::resume();
    let _ = only.thread_block();
    terminal.resume();
}

/// Ends the process as writing to a pipe without a reader ends others; the standard library has that signal ignored.
pub fn die_of_broken_pipe() {
    let _ = signal_hook::low_level::emulate_default_handler(Signal::SIGPIPE as i32);
}

/// The first thread does not take longer to begin to wait, or to take a signal, but for a very busy machine.
const LONGEST_WAIT: Duration = Duration::from_millis(100);

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
