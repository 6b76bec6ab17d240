//! Where typed lines come from: the line editor, or plain lines where there can be none.

use std::io;

use super::completion::Knowledge;
use super::prompt_text::Label;
use super::waker::Waker;
use crate::options::Options;
use crate::screen::Said;
use crate::secret::Secret;

/// Hands over what is typed, line by line. What only an editor does is nothing elsewhere.
pub trait Typist {
    /// Says what helps to whom has typed nothing here yet.
    fn open(&self, options: &Options);

    /// Returns what knows where the server is heard, and when to break.
    fn waker(&self) -> &Waker;

    /// Reads a line; with `is_secret`, without showing it.
    ///
    /// # Errors
    /// What the terminal says.
    fn read(&mut self, prompt: &str, is_secret: bool) -> io::Result<Typed>;

    /// Drops what was typed and not read yet, and says whether there was something.
    ///
    /// # Errors
    /// What the terminal says; [`Interrupted`](io::ErrorKind::Interrupted) if that was asked for, by a key or a signal.
    fn drop_typed(&mut self) -> io::Result<bool>;

    /// Puts a text before what is typed next.
    fn put(&mut self, text: &[u8]);

    /// Returns where the server's lines go as they come, if there is no prompt.
    fn said(&mut self) -> Option<&mut Said> {
        None
    }

    /// Hides what is typed, or shows it again, where there is no prompt to do that.
    fn hide(&mut self, _is_hidden: bool) {}

    /// Drops what was typed, where there is no prompt, before the reply is shown that it was not meant for: what is typed in
    /// answer to that is meant.
    fn drop_early(&mut self) {}

    fn has_color(&self) -> bool {
        false
    }

    /// Tells of what the next prompt is made.
    fn label(&mut self, _: Label) {}

    /// Tells what completion and hints go by.
    fn inform(&mut self, _: Knowledge) {}

    /// Adds a line to the history.
    fn remember(&mut self, _: &str) {}

    /// Forgets what is typed and not entered.
    fn clear(&mut self) {}

    /// Returns what is typed and not entered.
    fn unfinished(&self) -> String {
        String::new()
    }
}

/// What came of reading.
#[derive(Debug)]
pub enum Typed {
    Line(String),
    /// A line that is not UTF-8.
    Octets(Vec<u8>),
    /// An answer that was not shown.
    Secret(Secret),
    /// Whole lines of a paste; what follows the last line end stays at the prompt, and `goes_on` says whether more of
    /// the paste is to come.
    Lines {
        text: String,
        goes_on: bool,
    },
    /// There is something to show first.
    Break,
    EndOfInput,
    Interrupt,
    /// Nobody sees any more what is shown, and nothing is typed.
    Unheard,
}
