//! The line editor: rustyline, left whenever there is something else to show, and gone back to with the line as it was.

use std::io;
use std::sync::Arc;

use rustyline::config::BellStyle;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{
    ColorMode, CompletionType, Config, EditMode, Editor as Rustyline, Event, EventHandler, GraphemeClusterMode,
};

use super::bell::Bell;
use super::helper::{Assistant, Knowledge};
use super::history::History;
use super::keys::{Keys, LeftBy};
use super::rows;
use crate::secret::Secret;

/// Reads lines from the terminal.
pub struct Editor {
    rustyline: Rustyline<Assistant, FileHistory>,
    bell: Arc<Bell>,
    keys: Keys,
    history: History,
    /// What goes before and after the cursor at the next prompt.
    left: String,
    right: String,
}

/// What came of reading.
#[derive(Debug)]
pub enum Typed {
    Line(String),
    /// An answer that was not shown.
    Secret(Secret),
    /// Several lines at once; what follows the last line end stays at the prompt.
    Lines(Vec<String>),
    /// There is something to show first.
    Break,
    EndOfInput,
    Suspend,
    Interrupt,
}

impl Editor {
    /// Makes an editor that `bell` breaks out of.
    ///
    /// # Errors
    /// What the system says.
    pub fn new(bell: Arc<Bell>, mode: EditMode, has_color: bool, history: History) -> io::Result<Self> {
        let config = Config::builder()
            .edit_mode(mode)
            .completion_type(CompletionType::List)
            .completion_prompt_limit(usize::MAX)
            .bell_style(BellStyle::None)
            // The helper sees each key only where colour is on; it does its own colouring.
            .color_mode(ColorMode::Forced)
            .max_history_size(super::history::MOST_LINES)
            .and_then(|builder| builder.history_ignore_dups(true))
            .map_err(io::Error::other)?
            .build();
        let mut rustyline = Rustyline::with_config(config).map_err(io::Error::other)?;
        let keys = Keys::new(Arc::clone(&bell));
        rustyline.set_helper(Some(Assistant::new(keys.clone(), has_color)));
        rustyline.bind_sequence(Event::Any, EventHandler::Conditional(Box::new(keys.clone())));
        history.load(&mut rustyline);
        Ok(Self { rustyline, bell, keys, history, left: String::new(), right: String::new() })
    }

    /// Tells what completion and hints go by.
    pub fn inform(&mut self, knowledge: Knowledge) {
        self.keys.typing().is_text = knowledge.is_text;
        if let Some(assistant) = self.rustyline.helper_mut() {
            assistant.knowledge = knowledge;
        }
    }

    /// Reads a line; with `is_secret`, without showing it.
    ///
    /// # Errors
    /// What the terminal says.
    pub fn read(&mut self, prompt: &str, is_secret: bool) -> io::Result<Typed> {
        {
            let mut typing = self.keys.typing();
            typing.left_by = None;
            typing.hint.clear();
            (typing.line, typing.at) = (format!("{}{}", self.left, self.right), self.left.len());
            match (is_secret, &typing.secret) {
                (true, None) => typing.secret = Some(Secret::default()),
                (false, Some(_)) => typing.secret = None,
                _ => {}
            }
        }
        let initial = (std::mem::take(&mut self.left), std::mem::take(&mut self.right));
        self.bell.enter();
        let read = self.rustyline.readline_with_initial(prompt, (&initial.0, &initial.1));
        let is_break = self.bell.leave(matches!(read, Err(ReadlineError::Interrupted)));
        let left_by = self.keys.typing().left_by.take();
        if self.bell.ending().is_some() {
            return Ok(Typed::Interrupt);
        }
        match (read, left_by) {
            (Ok(line), None) => Ok(match self.keys.typing().secret.as_mut() {
                Some(secret) => Typed::Secret(std::mem::take(secret)),
                None => Typed::Line(line),
            }),
            (Ok(_), Some(LeftBy::Interrupt)) => Ok(Typed::Interrupt),
            (Ok(_), Some(LeftBy::EndOfInput)) => Ok(Typed::EndOfInput),
            (Ok(_), Some(LeftBy::Suspend)) => {
                self.keep();
                Ok(Typed::Suspend)
            }
            (Ok(_), Some(LeftBy::Paste(text))) => {
                self.keep();
                self.erase(prompt, false)?;
                Ok(Typed::Lines(self.take_lines(&text)))
            }
            (Err(ReadlineError::Interrupted), _) if is_break => {
                self.keep();
                self.erase(prompt, true)?;
                Ok(Typed::Break)
            }
            (Err(ReadlineError::Interrupted), _) => Ok(Typed::Interrupt),
            (Err(ReadlineError::Eof), _) => Ok(Typed::EndOfInput),
            (Err(ReadlineError::Io(error)), _) if error.kind() == io::ErrorKind::InvalidData => {
                self.keep();
                self.erase(prompt, true)?;
                Err(error)
            }
            (Err(ReadlineError::Io(error)), _) => Err(error),
            (Err(ReadlineError::Errno(errno)), _) => Err(errno.into()),
            (Err(error), _) => Err(io::Error::other(error.to_string())),
        }
    }

    /// Puts a text at the next prompt, before what is there.
    pub fn put(&mut self, text: &str) {
        self.left.insert_str(0, text);
    }

    /// Forgets what is typed and not entered.
    pub fn clear(&mut self) {
        self.left.clear();
        self.right.clear();
    }

    /// Adds a line to the history.
    pub fn remember(&mut self, line: &str) {
        self.history.add(&mut self.rustyline, line);
    }

    /// Gives what is typed and not entered.
    pub fn unfinished(&self) -> String {
        format!("{}{}", self.left, self.right)
    }

    /// Keeps what was typed for the next prompt.
    fn keep(&mut self) {
        let typing = self.keys.typing();
        let (left, right) = typing.line.split_at_checked(typing.at).unwrap_or((&typing.line, ""));
        (self.left, self.right) = (left.to_owned(), right.to_owned());
    }

    /// Takes the whole lines of a paste at the cursor; the rest stays at the prompt.
    fn take_lines(&mut self, text: &str) -> Vec<String> {
        self.left.push_str(&text.replace("\r\n", "\n").replace('\r', "\n"));
        let Some((lines, rest)) = self.left.rsplit_once('\n') else { return Vec::new() };
        let lines = lines.split('\n').map(str::to_owned).collect();
        self.left = rest.to_owned();
        lines
    }

    /// Erases the prompt and what was typed at it, which the editor left on the screen.
    fn erase(&mut self, prompt: &str, has_hint: bool) -> io::Result<()> {
        let hint = if has_hint { self.keys.typing().hint.clone() } else { String::new() };
        let columns = self.rustyline.dimensions().map_or(80, |(columns, _)| columns);
        let text = format!("{prompt}{}{}{hint}", self.left, self.right);
        let rows = rows::below_first(&text, columns, GraphemeClusterMode::from_env()) + 1;
        crate::screen::put(format!("\x1b[{rows}A\r\x1b[J").as_bytes())
    }
}
