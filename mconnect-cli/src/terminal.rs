//! The terminal's settings: changed for raw mode, restored on every way out.

use std::io;
use std::panic;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::termios::{
    FlushArg, InputFlags, LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcflush, tcgetattr, tcsetattr,
};
use nix::unistd::{getpgrp, tcgetpgrp};

/// The terminal on standard input. Dropping any handle restores it.
pub struct Terminal {
    original: Arc<Mutex<Option<Termios>>>,
}

impl Terminal {
    /// Makes a handle, and sees to it that a panic in any thread restores the terminal.
    pub fn new() -> Self {
        let terminal = Self { original: Arc::default() };
        let (handle, report) = (terminal.handle(), panic::take_hook());
        panic::set_hook(Box::new(move |info| {
            handle.restore();
            report(info);
        }));
        terminal
    }

    /// Gives another handle on the same terminal.
    pub fn handle(&self) -> Self {
        Self { original: Arc::clone(&self.original) }
    }

    /// Gives every key at once and as it is: no line buffering, no CR and LF mapping, no flow control. Echo and the
    /// keys that send signals stay.
    ///
    /// # Errors
    /// What the system says.
    pub fn enter_raw(&self) -> nix::Result<()> {
        let mut original = self.original();
        let before = match original.take() {
            Some(before) => before,
            None => tcgetattr(io::stdin())?,
        };
        let mut raw = before.clone();
        raw.input_flags
            .remove(InputFlags::ICRNL | InputFlags::INLCR | InputFlags::IGNCR | InputFlags::IXON | InputFlags::ISTRIP);
        raw.local_flags.remove(LocalFlags::ICANON | LocalFlags::IEXTEN | LocalFlags::ECHOCTL);
        raw.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        raw.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        *original = Some(before);
        tcsetattr(io::stdin(), SetArg::TCSANOW, &raw)
    }

    /// Sets the terminal again as it was, if it was changed and is still ours to set.
    pub fn restore(&self) {
        if let Some(before) = self.original().as_ref()
            && self.is_ours()
        {
            let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, before);
        }
    }

    /// Enters raw mode again after a stop, if it was entered before.
    pub fn resume(&self) {
        let was_raw = self.original().is_some();
        if was_raw && self.is_ours() {
            let _ = self.enter_raw();
        }
    }

    /// Says whether the terminal belongs to this process group: setting it from the background would stop the process.
    fn is_ours(&self) -> bool {
        tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp())
    }

    fn original(&self) -> MutexGuard<'_, Option<Termios>> {
        self.original.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops what was typed and not yet read.
pub fn drop_typed() {
    let _ = tcflush(io::stdin(), FlushArg::TCIFLUSH);
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.restore();
    }
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::fs::File;
    use std::process::{Command, Stdio};

    use nix::pty::openpty;

    use super::*;

    /// Run by the test below, on a pseudo-terminal of its own.
    #[test]
    #[ignore = "it panics in a thread, with the terminal in raw mode"]
    fn panics_in_raw_mode() {
        let terminal = Terminal::new();
        terminal.enter_raw().unwrap();
        let thread = std::thread::spawn(|| panic!("on purpose"));
        assert!(thread.join().is_err());
        // No handle is dropped: the panic alone has to restore the terminal.
        std::process::exit(7);
    }

    #[test]
    fn a_panic_in_any_thread_restores_the_terminal() {
        let pty = openpty(None, None).unwrap();
        let slave = File::from(pty.slave);
        let before = tcgetattr(&slave).unwrap();
        let status = Command::new("setsid")
            .args(["--ctty", env::current_exe().unwrap().to_str().unwrap()])
            .args(["--ignored", "--exact", "terminal::tests::panics_in_raw_mode"])
            .stdin(Stdio::from(slave.try_clone().unwrap()))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(7));
        assert_eq!(tcgetattr(&slave).unwrap(), before);
    }
}
