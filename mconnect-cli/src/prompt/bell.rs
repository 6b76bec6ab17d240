//! Breaking out of the line editor from another thread.
//!
//! The editor waits in a read that only a signal ends, and while it reads, it handles SIGINT and SIGWINCH itself. One
//! SIGINT asks it to stop; if that came between two reads, SIGWINCH, which does no harm at any time, wakes the next
//! one. A second SIGINT could come when the editor has just ended, and would end the tool: it is sent only if the first
//! was lost. SIGINT is blocked but while the editor is known to handle it: from its first callback to the key that ends it.

use std::fs;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::pthread::{Pthread, pthread_kill, pthread_self};
use nix::sys::signal::{SigSet, Signal};

/// Interrupts the editor when there is something to show.
#[derive(Default)]
pub struct Bell {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// There is something to show.
    is_due: bool,
    /// The editor reads, and can be broken out of.
    is_armed: bool,
    /// Counts how often the editor was left.
    left: u64,
    /// The editor was asked to stop, and has not been stopped by that yet.
    is_rung: bool,
    /// The editor is about to change the terminal and to read.
    is_entering: bool,
    /// The editor reads.
    is_reading: bool,
    /// The signal that is to end it all.
    ending: Option<Signal>,
    /// The tool is ending: the editor must not begin any more.
    is_frozen: bool,
    /// It must not be woken just now.
    is_paused: bool,
    /// It ended by itself after it was asked to stop: a signal may still be on its way.
    is_stale: bool,
}

impl Bell {
    /// Starts the thread that breaks out of an editor run by the calling thread, in which SIGINT is blocked.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(self: &Arc<Self>) -> io::Result<()> {
        let (theirs, editor) = (Arc::clone(self), pthread_self());
        thread::Builder::new().name("bell".to_owned()).spawn(move || theirs.watch(editor))?;
        Ok(())
    }

    /// Asks for a break.
    pub fn ring(&self) {
        self.state().is_due = true;
        self.changed.notify_all();
    }

    /// Takes that back: what there was to show is being shown.
    pub fn hush(&self) {
        self.state().is_due = false;
    }

    /// Is told that the editor is about to begin. While the tool is ending, this does not return.
    pub fn enter(&self) {
        let mut state = self.state();
        while state.is_frozen {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.is_entering = true;
    }

    /// Gives which signal acts on the tool, for one that came from outside or from a key between two prompts.
    pub fn sort(&self, signal: Signal) -> Option<Signal> {
        match signal {
            // After a stop, or a signal that did nothing, the prompt is drawn again.
            Signal::SIGCONT => {
                self.thaw();
                self.ring();
                Some(signal)
            }
            Signal::SIGTSTP => Some(signal),
            // Ctrl-C is SIGQUIT at a prompt.
            Signal::SIGQUIT => Some(self.end_by(Signal::SIGINT)),
            signal => Some(self.end_by(signal)),
        }
    }

    /// Ends the tool by the editor's thread, if that is at the prompt; otherwise it does not get there any more. So nobody
    /// changes the terminal while it is being restored. Returns where that takes too long: the signal has to act then.
    fn end_by(&self, signal: Signal) -> Signal {
        let mut state = self.state();
        let deadline = Instant::now() + LONGEST_ENTRY;
        while state.is_entering && Instant::now() < deadline {
            state = self.changed.wait_timeout(state, LOST).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.is_frozen = !state.is_reading;
        state.ending = Some(signal);
        state.is_due = true;
        self.changed.notify_all();
        while state.is_reading && Instant::now() < deadline {
            state = self.changed.wait_timeout(state, LOST).unwrap_or_else(PoisonError::into_inner).0;
        }
        signal
    }

    /// Gives the signal that the tool is to end by, if there is one.
    pub fn ending(&self) -> Option<Signal> {
        self.state().ending
    }

    /// Goes on after a signal that did nothing.
    fn thaw(&self) {
        let mut state = self.state();
        (state.is_frozen, state.ending) = (false, None);
        self.changed.notify_all();
    }

    /// Lets the editor be broken out of, from now on. To be called by its thread once it handles SIGINT.
    pub fn arm(&self) {
        let mut state = self.state();
        if !state.is_armed {
            (state.is_entering, state.is_reading) = (false, true);
            state.is_armed = !state.is_rung;
            state.is_paused = false;
            // One from outside is on its way to the first thread: this one would take it there, and the editor forget it.
            let start = Instant::now();
            while mask_of("ShdPnd:").is_some_and(has_sigint) && start.elapsed() < LOST {
                thread::yield_now();
            }
            let _ = sigint().thread_unblock();
            self.changed.notify_all();
        }
    }

    /// Does not let it be broken out of any more: it is about to end, or in the middle of a paste.
    pub fn disarm(&self) {
        let mut state = self.state();
        (state.is_armed, state.is_paused) = (false, true);
        let _ = sigint().thread_block();
    }

    /// Is told that the editor was left; says whether, if it was interrupted, that was a break.
    pub fn leave(&self, is_interrupted: bool) -> bool {
        let _ = sigint().thread_block();
        let mut state = self.state();
        (state.is_armed, state.is_paused) = (false, false);
        (state.is_entering, state.is_reading) = (false, false);
        state.left += 1;
        let is_break = is_interrupted && (state.is_rung || state.is_stale);
        state.is_stale = state.is_rung && !is_interrupted;
        state.is_rung = false;
        self.changed.notify_all();
        is_break
    }

    fn watch(&self, editor: Pthread) {
        // When the breaks so far are paid off, at one per gap.
        let mut paid = Instant::now();
        let mut state = self.state();
        loop {
            if !(state.is_due && state.is_armed) {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let now = Instant::now();
            let early = paid.saturating_duration_since(now).saturating_sub(GAP * AT_ONCE);
            if !early.is_zero() {
                state = self.changed.wait_timeout(state, early).unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            paid = paid.max(now) + GAP;
            (state.is_armed, state.is_rung) = (false, true);
            let left = state.left;
            let _ = pthread_kill(editor, Signal::SIGINT);
            let (rung, mut patience) = (Instant::now(), Duration::from_millis(4));
            let mut is_lost_after = LOST;
            while state.left == left && state.is_rung {
                state = self.changed.wait_timeout(state, patience).unwrap_or_else(PoisonError::into_inner).0;
                if state.left == left && state.is_rung && !state.is_paused {
                    if rung.elapsed() > is_lost_after && is_sigint_caught() {
                        is_lost_after = rung.elapsed() + LOST;
                        let _ = pthread_kill(editor, Signal::SIGINT);
                    } else {
                        let _ = pthread_kill(editor, Signal::SIGWINCH);
                    }
                    patience = (patience * 2).min(Duration::from_millis(20));
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sigint() -> SigSet {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals
}

/// Says whether the editor handles SIGINT, as far as the system tells.
fn is_sigint_caught() -> bool {
    mask_of("SigCgt:").is_none_or(has_sigint)
}

/// Gives a set of signals of this process, if the system tells.
fn mask_of(name: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix(name)?.trim(), 16).ok())
}

fn has_sigint(mask: u64) -> bool {
    mask & (1 << (Signal::SIGINT as u32 - 1)) != 0
}

/// The editor forgets a SIGINT that comes together with a SIGWINCH; after so long it is sent again.
const LOST: Duration = Duration::from_millis(100);
/// The editor takes no longer than this to begin, unless the terminal takes nothing.
const LONGEST_ENTRY: Duration = Duration::from_secs(2);
/// Breaks are so far apart, but for a few at once.
const GAP: Duration = Duration::from_millis(45);
const AT_ONCE: u32 = 10;
