//! The line editor: rustyline, left whenever there is something else to show, and gone back to with the line as it was.

use std::io;
use std::sync::Arc;

use nix::sys::signal::{Signal, raise};
use rustyline::config::{BellStyle, Configurer};
use rustyline::error::ReadlineError;
use rustyline::history::{FileHistory, History as _};
use rustyline::{
    ColorMode, CompletionType, Config, EditMode, Editor as Rustyline, Event, EventHandler, ExternalPrinter,
};

use super::completion::Knowledge;
use super::draft::LeftBy;
use super::helper::Assistant;
use super::history::History;
use super::keys::Keys;
use super::prompt_text::Label;
use super::rows;
use super::typist::{Typed, Typist};
use super::waker::Waker;
use crate::options::{Options, Prompt};
use crate::paint::{self, Look};
use crate::screen;
use crate::secret::Secret;
use crate::stderr::say;
use crate::terminal::{self, Manner, Terminal, is_color_wanted};

/// Reads lines from the terminal.
pub struct Editor {
    rustyline: Rustyline<Assistant, FileHistory>,
    waker: Arc<Waker>,
    terminal: Terminal,
    keys: Keys,
    /// Nothing is printed by it, but while there is one, the editor waits for signals along with keys.
    _printer: Box<dyn ExternalPrinter>,
    has_color: bool,
    history: History,
    /// What goes before and after the cursor at the next prompt.
    left: String,
    right: String,
}

impl Editor {
    /// Makes an editor, and has `waker` break out of it.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(options: &Prompt, terminal: Terminal, waker: Arc<Waker>) -> io::Result<Self> {
        let (mode, has_color) = (options.keys, is_color_wanted(options.color));
        let config = Config::builder()
            .edit_mode(mode)
            .keyseq_timeout(Some(if mode == EditMode::Vi { LONGEST_SEQUENCE } else { LONGEST_PREFIX }))
            .grapheme_cluster_mode(rows::WIDTHS)
            .completion_type(CompletionType::List)
            .completion_prompt_limit(usize::MAX)
            // Otherwise it would wait for a second Tab, and for nothing else.
            .completion_show_all_if_ambiguous(true)
            .bell_style(BellStyle::None)
            // The helper sees each key only where colour is on; it does its own colouring.
            .color_mode(ColorMode::Forced)
            .max_history_size(super::history::MOST_LINES)
            .and_then(|builder| builder.history_ignore_dups(true))
            .map_err(io::Error::other)?
            .build();
        let mut rustyline = Rustyline::with_config(config).map_err(io::Error::other)?;
        // One update spans more than one of the editor's drawings.
        rustyline.enable_synchronized_output(false);
        let printer = rustyline.create_external_printer().map_err(io::Error::other)?;
        waker.start()?;
        let keys = Keys::new(Arc::clone(&waker));
        rustyline.set_helper(Some(Assistant::new(keys.clone(), Arc::clone(&waker), has_color)));
        rustyline.bind_sequence(Event::Any, EventHandler::Conditional(Box::new(keys.clone())));
        let history = History::new(options.has_history);
        history.load(&mut rustyline);
        Ok(Self {
            rustyline,
            waker,
            terminal,
            keys,
            _printer: Box::new(printer),
            has_color,
            history,
            left: String::new(),
            right: String::new(),
        })
    }

    fn suspend(&self) {
        self.terminal.restore();
        let _ = raise(Signal::SIGSTOP);
        let _ = self.terminal.enter(Manner::Prompt);
    }

    /// Keeps what was typed for the next prompt.
    fn keep(&mut self) {
        let typing = self.keys.typing();
        let (left, right) = typing.line.split_at_checked(typing.at).unwrap_or((&typing.line, ""));
        (self.left, self.right) = (left.to_owned(), right.to_owned());
    }

    /// Takes the whole lines of a paste at the cursor; the rest stays at the prompt.
    fn take_lines(&mut self, text: &str) -> String {
        let is_text = self.keys.typing().is_text;
        let text = if is_doubled(text, is_text) { text.replace("\r\r", "\n") } else { text.replace("\r\n", "\n") };
        self.left.push_str(&text.replace('\r', "\n"));
        let rest = self.left.rfind('\n').map_or(0, |end| end + 1);
        let rest = self.left.split_off(rest);
        std::mem::replace(&mut self.left, rest)
    }

    /// Erases the prompt and what was typed at it, which the editor left on the screen.
    fn erase(&self, prompt: &str) -> io::Result<()> {
        let typing = self.keys.typing();
        let rows = rows::end_of(&format!("{prompt}{}{}", typing.line, typing.hint), typing.columns).row + 1;
        screen::put(format!("\x1b[{rows}A\r\x1b[J").as_bytes())
    }
}

impl Typist for Editor {
    fn open(&self, options: &Options) {
        if options.is_quiet || !options.prompt.has_history || !self.rustyline.history().is_empty() {
            return;
        }
        let arrow = if self.has_color { Some("→ takes the suggestion") } else { None };
        let escapes = if options.prompt.has_escapes { Some("~? lists more") } else { None };
        let words = [arrow, Some("Tab completes"), escapes, Some("QUIT ends")];
        let mut text = String::new();
        paint::note(
            &words.into_iter().flatten().collect::<Vec<_>>().join(", "),
            Look { has_color: self.has_color, columns: terminal::size().0 },
            &mut text,
        );
        // Where nothing can be shown, the first line of the server's tells.
        let _ = screen::put(text.as_bytes());
    }

    fn waker(&self) -> &Waker {
        &self.waker
    }

    fn read(&mut self, prompt: &str, is_secret: bool) -> io::Result<Typed> {
        {
            let mut typing = self.keys.typing();
            (typing.left_by, typing.is_ending, typing.columns) = (None, false, terminal::size().0);
            typing.hint.clear();
            typing.set_line(&format!("{}{}", self.left, self.right));
            typing.at = self.left.len();
            match (is_secret, &typing.secret) {
                (true, None) => typing.secret = Some(Secret::default()),
                (false, Some(_)) => typing.secret = None,
                _ => {}
            }
        }
        let initial = (std::mem::take(&mut self.left), std::mem::take(&mut self.right));
        self.waker.enter();
        let read = self.rustyline.readline_with_initial(prompt, (&initial.0, &initial.1));
        self.waker.left();
        let left_by = self.keys.typing().left_by.take();
        let is_ending = self.waker.ending().is_some();
        if is_ending || !matches!(read, Err(ReadlineError::Interrupted)) {
            self.waker.end_update();
        }
        if is_ending {
            return Ok(Typed::Interrupt);
        }
        let pasted = match (read.map_err(failure_of), left_by) {
            (Ok(line), None) => {
                return Ok(match self.keys.typing().secret.as_mut() {
                    Some(secret) => Typed::Secret(std::mem::take(secret)),
                    None => Typed::Line(line),
                });
            }
            (Ok(_), Some(LeftBy::Interrupt)) => return Ok(Typed::Interrupt),
            (Ok(_), Some(LeftBy::EndOfInput)) => return Ok(Typed::EndOfInput),
            (Ok(_), Some(LeftBy::Suspend)) => {
                self.keep();
                self.suspend();
                return Ok(Typed::Break);
            }
            (Ok(_), Some(LeftBy::Paste(text))) => Ok(text),
            (Ok(_), Some(LeftBy::Insert)) => Err(io::ErrorKind::Interrupted),
            (Err(error), _) => match error.kind() {
                io::ErrorKind::UnexpectedEof => return Ok(Typed::EndOfInput),
                kind @ (io::ErrorKind::Interrupted | io::ErrorKind::InvalidData) => Err(kind),
                _ => return Err(error),
            },
        };
        self.keep();
        self.erase(prompt)?;
        match pasted {
            Ok(text) => {
                let goes_on = self.keys.typing().is_pasting();
                return Ok(Typed::Lines { text: self.take_lines(&text), goes_on });
            }
            Err(io::ErrorKind::InvalidData) => {
                say("mconnect: what was typed is not UTF-8, and was dropped: ~r sends such a file");
            }
            Err(_) => {}
        }
        Ok(Typed::Break)
    }

    fn drop_typed(&mut self) -> io::Result<bool> {
        self.keys.typing().dropped = Some(0);
        let read = loop {
            self.keys.typing().is_ending = false;
            self.waker.wake();
            self.waker.enter();
            let read = self.rustyline.readline("");
            self.waker.left();
            // The row that the editor left behind: there was neither prompt nor line.
            screen::put(b"\x1b[A\r\x1b[J")?;
            match read.map_err(failure_of) {
                _ if self.waker.ending().is_some() || self.keys.typing().left_by.take().is_some() => {
                    break Err(io::ErrorKind::Interrupted.into());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => break Ok(()),
                Err(error) if error.kind() != io::ErrorKind::InvalidData => break Err(error),
                _ => {}
            }
        };
        let dropped = self.keys.typing().dropped.take();
        read.map(|()| dropped.is_some_and(|keys| keys > 0))
    }

    fn put(&mut self, text: &[u8]) {
        self.left.insert_str(0, &String::from_utf8_lossy(text));
    }

    fn has_color(&self) -> bool {
        self.has_color
    }

    fn label(&mut self, label: Label) {
        if let Some(assistant) = self.rustyline.helper_mut() {
            assistant.label = label;
        }
    }

    fn inform(&mut self, knowledge: Knowledge) {
        self.keys.typing().is_text = knowledge.is_text;
        if let Some(assistant) = self.rustyline.helper_mut() {
            assistant.knowledge = knowledge;
        }
    }

    fn remember(&mut self, line: &str) {
        self.history.add(&mut self.rustyline, line);
    }

    fn clear(&mut self) {
        self.left.clear();
        self.right.clear();
    }

    fn unfinished(&self) -> String {
        format!("{}{}", self.left, self.right)
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        self.waker.end_update();
    }
}

/// Returns why the editor read no line: what is [`Interrupted`](io::ErrorKind::Interrupted) is broken out of,
/// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) the end of the input, and [`InvalidData`](io::ErrorKind::InvalidData) not
/// UTF-8.
fn failure_of(error: ReadlineError) -> io::Error {
    match error {
        ReadlineError::Io(error) => error,
        ReadlineError::Errno(errno) => errno.into(),
        ReadlineError::Eof => io::ErrorKind::UnexpectedEof.into(),
        ReadlineError::Interrupted => io::ErrorKind::Interrupted.into(),
        error => io::Error::other(error.to_string()),
    }
}

/// Says whether each CR in a paste stands for CR or for LF of one CR LF: a multiplexer pastes either as CR. In text, where
/// an empty line has a meaning, the paste has to be of whole lines, more than one.
fn is_doubled(paste: &str, is_text: bool) -> bool {
    let mut ends = paste.split(|c| c != '\r').filter(|end| !end.is_empty()).peekable();
    let is_whole = !is_text || (paste.ends_with('\r') && ends.clone().count() > 1);
    is_whole && ends.peek().is_some() && !paste.contains('\n') && ends.all(|end| end.len() % 2 == 0)
}

/// The bytes of one key come in less than so many milliseconds; what comes later after Escape is a key of its own.
const LONGEST_SEQUENCE: u16 = 25;
/// With the keys of emacs, Escape is the beginning of a key for so many milliseconds.
const LONGEST_PREFIX: u16 = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cr_lf_pasted_as_cr_cr_is_told_from_empty_lines() {
        for (paste, in_commands, in_text) in [
            ("NOOP\r\r", true, false),
            ("a\r\rb\r\r", true, true),
            ("a\r\r\r\rb\r\r", true, true),
            ("Subject: x\r\rbody", true, false),
            ("Subject: x\r\rbody\r", false, false),
            ("a\r\nb\r\n", false, false),
            ("a\rb\r", false, false),
        ] {
            assert_eq!((is_doubled(paste, false), is_doubled(paste, true)), (in_commands, in_text), "{paste:?}");
        }
    }
}
