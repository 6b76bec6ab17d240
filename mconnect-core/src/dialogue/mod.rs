//! Dialogues: sessions written down as RFC 5321 prints them.
//!
//! ```text
//! # A comment, or an empty line.
//! S: 220 mx.example.org ready        a line of the server's, sent with CR LF
//! C: EHLO client.example             a line of the client's, sent with CR LF
//! S> 250-mx.exam                     exact bytes: \r \n \t \0 \\ \xHH, no line end
//! S: *pause 20 ms*                   nothing is sent for so long
//! S> ple.org\r\n250 HELP\n
//! C: *body*                          everything up to the lone dot's line
//! S: \*close* is a text              a backslash before an asterisk: the line itself
//! S: *half-close*                    the sending side is ended
//! S: *close*                         the connection is closed
//! S: *reset*                         the connection is torn down
//! ```
//!
//! `C: *close*` says that the client ends its sending side. Lines of one side that follow each other go out together.

mod parse;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// A session written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialogue {
    steps: Vec<Step>,
}

/// One line of a dialogue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The number of the line, counted from 1.
    pub line: usize,
    /// Whose step it is.
    pub side: Side,
    /// What it is.
    pub deed: Deed,
}

/// One of the two that speak in a dialogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The client: `C`.
    Client,
    /// The server: `S`.
    Server,
}

/// What a side does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Deed {
    /// It sends a line; the text is without its CR LF.
    Line(Vec<u8>),
    /// It sends exactly these bytes.
    Bytes(Vec<u8>),
    /// It sends a body, up to and including the lone dot's line.
    Body,
    /// It sends nothing for so long.
    Pause(Duration),
    /// It ends its sending side.
    HalfClose,
    /// It closes the connection.
    Close,
    /// It tears the connection down, so that the other side sees a reset.
    Reset,
}

/// Where and why a text is no dialogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: expected {expected}\n  {text}\n  {}^", " ".repeat(column.saturating_sub(1)))]
pub struct SyntaxError {
    /// The number of the line, counted from 1.
    pub line: usize,
    /// The column, in characters, counted from 1.
    pub column: usize,
    /// What should stand there.
    pub expected: &'static str,
    /// The line.
    pub text: String,
}

impl Dialogue {
    /// Reads a dialogue.
    ///
    /// # Errors
    /// [`SyntaxError`] says where it is none.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        Ok(Self { steps: parse::steps(text)? })
    }

    /// Gives its steps, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
}

impl FromStr for Dialogue {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        Self::parse(text)
    }
}

impl fmt::Display for Step {
    /// Writes the step as a dialogue has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = match self.side {
            Side::Client => 'C',
            Side::Server => 'S',
        };
        match &self.deed {
            Deed::Line(text) => {
                let text = String::from_utf8_lossy(text);
                write!(f, "{side}: {}{text}", if text.starts_with(['*', '\\']) { "\\" } else { "" })
            }
            Deed::Bytes(bytes) => write!(f, "{side}> {}", bytes.escape_ascii()),
            Deed::Body => write!(f, "{side}: *body*"),
            Deed::Pause(time) => write!(f, "{side}: *pause {} ms*", time.as_millis()),
            Deed::HalfClose => write!(f, "{side}: *half-close*"),
            Deed::Close => write!(f, "{side}: *close*"),
            Deed::Reset => write!(f, "{side}: *reset*"),
        }
    }
}
