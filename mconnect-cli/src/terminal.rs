//! The terminal: its settings, changed for raw mode, for the prompt and for secrets, and restored on every way out; its width
//! and its colours.

use std::env;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::panic;
use std::sync::{Mutex, OnceLock};

use nix::poll::PollTimeout;
use nix::sys::termios::{
    _POSIX_VDISABLE, FlushArg, InputFlags, LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcflush, tcgetattr,
    tcsetattr,
};
use nix::unistd::{getpgrp, tcgetpgrp};
use rustyline::history::MemHistory;
use rustyline::{Behavior, Config, Editor};

use crate::lock::locked;
use crate::options::Color;
use crate::waiting;

/// A handle on the terminal on standard input, which the process has once. Dropping any handle restores it.
pub struct Terminal(());

static SETTINGS: Mutex<Settings> = Mutex::new(Settings { changed: None, question: None, is_held: false });

struct Settings {
    changed: Option<Changed>,
    /// A question whose answer is not shown.
    question: Option<Question>,
    /// All is to stay as it was: the tool is ending, or stopped.
    is_held: bool,
}

struct Changed {
    original: Termios,
    manner: Manner,
}

/// What the terminal is changed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Every key at once and as it is: no line buffering, no CR and LF mapping, no flow control. Echo and the keys that
    /// send signals stay.
    Raw,
    /// What a line editor sets and goes back to: as raw, and no echo, so that what is typed between two prompts is
    /// neither shown nor changed. Ctrl-C sends SIGQUIT, which no editor handles.
    Prompt,
    /// Lines as ever, but what is typed is not shown.
    Hidden,
    /// Lines as ever, or unseen, and Ctrl-C ends one as Enter does, with itself at its end.
    Closed { is_hidden: bool },
}

impl Terminal {
    /// Makes a handle, and sees to it that a panic in any thread restores the terminal.
    pub fn new() -> Self {
        let (terminal, report) = (Self(()), panic::take_hook());
        panic::set_hook(Box::new(move |info| {
            locked(&SETTINGS).restore();
            report(info);
        }));
        terminal
    }

    /// Returns another handle on the same terminal.
    pub fn handle(&self) -> Self {
        Self(())
    }

    /// Changes the terminal, unless the tool is ending.
    ///
    /// # Errors
    /// What the system says.
    pub fn enter(&self, manner: Manner) -> nix::Result<()> {
        locked(&SETTINGS).enter(manner)
    }

    /// Sets the terminal again as it was, and keeps it so until it is resumed.
    pub fn hold(&self) {
        let mut settings = locked(&SETTINGS);
        settings.is_held = true;
        settings.restore();
    }

    /// Sets the terminal again as it was, if it was changed and is still ours to set.
    pub fn restore(&self) {
        locked(&SETTINGS).restore();
    }

    /// Sets the terminal again as it was, and leaves it so.
    pub fn leave(&self) {
        let mut settings = locked(&SETTINGS);
        settings.restore();
        settings.changed = None;
    }

    /// Changes the terminal again after a stop, if it was changed before.
    pub fn resume(&self) {
        let mut settings = locked(&SETTINGS);
        settings.is_held = false;
        if let Some(manner) = settings.changed.as_ref().map(|changed| changed.manner)
            && is_ours(io::stdin())
        {
            let _ = settings.enter(manner);
        }
        settings.hide();
    }
}

impl Settings {
    fn enter(&mut self, manner: Manner) -> nix::Result<()> {
        let original = match self.changed.take() {
            Some(before) => before.original,
            None => tcgetattr(io::stdin())?,
        };
        let settings = manner.settings(&original);
        self.changed = Some(Changed { original, manner });
        if self.is_held { Ok(()) } else { tcsetattr(io::stdin(), SetArg::TCSANOW, &settings) }
    }

    fn restore(&self) {
        if let Some(changed) = self.changed.as_ref()
            && is_ours(io::stdin())
        {
            let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &changed.original);
        }
        self.question.iter().for_each(|question| question.set(&question.before));
    }

    /// Hides an answer, unless the tool is ending.
    fn hide(&self) {
        self.question.iter().filter(|_| !self.is_held).for_each(|question| question.set(&question.hidden));
    }
}

/// A question whose answer is not shown. While it is asked, every handle of [`Terminal`] restores that, too; dropping it
/// does as well.
pub struct Hidden(());

struct Question {
    terminal: File,
    before: Termios,
    hidden: Termios,
}

impl Hidden {
    /// Hides what is typed at this terminal, and gives every key at once, also those that send signals.
    ///
    /// # Errors
    /// What the system says.
    #[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "only a password is asked for so"))]
    pub fn begin(terminal: &File) -> io::Result<Self> {
        let terminal = terminal.try_clone()?;
        let before = tcgetattr(&terminal)?;
        let mut hidden = before.clone();
        hidden.local_flags.remove(LocalFlags::ECHO | LocalFlags::ECHONL | LocalFlags::ICANON | LocalFlags::ISIG);
        let mut settings = locked(&SETTINGS);
        settings.question = Some(Question { terminal, before, hidden });
        settings.hide();
        Ok(Self(()))
    }
}

impl Question {
    fn set(&self, settings: &Termios) {
        if is_ours(&self.terminal) {
            // Draining, not flushing: an answer that was pasted early is an answer.
            let _ = tcsetattr(&self.terminal, SetArg::TCSADRAIN, settings);
        }
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        if let Some(question) = locked(&SETTINGS).question.take() {
            question.set(&question.before);
        }
    }
}

/// Returns whether the terminal may be set: from the background of one's own session that would stop the process. One that
/// controls another session, or none, tells no group, and stops nobody.
fn is_ours(terminal: impl AsFd) -> bool {
    tcgetpgrp(terminal).map_or(true, |group| group == getpgrp())
}

/// Returns how many columns and rows the terminal has: an editor that reads nothing tells, since the system is asked there
/// already.
pub fn size() -> (u16, u16) {
    let ruler = RULER.get_or_init(|| {
        let config = Config::builder().behavior(Behavior::PreferTerm).build();
        Editor::with_history(config, MemHistory::new()).ok().map(Mutex::new)
    });
    ruler.as_ref().and_then(|ruler| locked(ruler).dimensions()).unwrap_or((80, 24))
}

static RULER: OnceLock<Option<Mutex<Editor<(), MemHistory>>>> = OnceLock::new();

/// Returns whether what is shown is to be coloured.
pub fn is_color_wanted(color: Color) -> bool {
    match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => can_draw() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    }
}

/// Says whether the terminal can do more than print, by what it is called.
pub fn can_draw() -> bool {
    env::var("TERM").is_ok_and(|term| !["", "dumb", "cons25", "emacs"].contains(&term.as_str()))
}

/// Drops what was typed and not yet read, and says whether there was anything.
pub fn drop_typed() -> bool {
    let stdin = io::stdin();
    let is_there = waiting::is_readable(&stdin, PollTimeout::ZERO);
    let _ = tcflush(&stdin, FlushArg::TCIFLUSH);
    is_there
}

impl Manner {
    fn settings(self, original: &Termios) -> Termios {
        let mut settings = original.clone();
        if matches!(self, Self::Hidden | Self::Closed { is_hidden: true }) {
            settings.local_flags.remove(LocalFlags::ECHO);
            settings.local_flags.insert(LocalFlags::ECHONL);
        }
        if let Self::Closed { .. } = self {
            settings.control_chars[SpecialCharacterIndices::VINTR as usize] = _POSIX_VDISABLE;
            settings.control_chars[SpecialCharacterIndices::VEOL as usize] = CTRL_C;
        }
        if matches!(self, Self::Hidden | Self::Closed { .. }) {
            return settings;
        }
        settings
            .input_flags
            .remove(InputFlags::ICRNL | InputFlags::INLCR | InputFlags::IGNCR | InputFlags::IXON | InputFlags::ISTRIP);
        settings.local_flags.remove(LocalFlags::ICANON | LocalFlags::IEXTEN | LocalFlags::ECHOCTL);
        if self == Self::Prompt {
            settings.local_flags.remove(LocalFlags::ECHO | LocalFlags::ECHONL);
            settings.control_chars[SpecialCharacterIndices::VQUIT as usize] = CTRL_C;
            settings.control_chars[SpecialCharacterIndices::VINTR as usize] = _POSIX_VDISABLE;
        }
        settings.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        settings.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        settings
    }
}

/// What Ctrl-C types where it sends no signal.
pub const CTRL_C: u8 = 3;

impl Drop for Terminal {
    fn drop(&mut self) {
        self.restore();
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::process::{Command, Stdio};

    use nix::pty::openpty;

    use super::*;

    /// Run by the test below, on a pseudo-terminal of its own.
    #[test]
    #[ignore = "it panics in a thread, with the terminal in raw mode"]
    fn panics_in_raw_mode() {
        let terminal = Terminal::new();
        terminal.enter(Manner::Raw).unwrap();
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
