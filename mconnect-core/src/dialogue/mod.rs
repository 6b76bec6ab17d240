//! Dialogues: sessions written down as RFC 5321 prints them.
//!
//! ```text
//! # A comment, or an empty line.
//! S: 220                             a reply with this code, whatever its text
//! C: EHLO ${helo:-client.example}    a line of the client's; a value, or what stands for it
//! S: 250-STARTTLS                    a reply 250 with a line that begins so ...
//! S: 250 SIZE                        ... and after it one that begins so
//! C: MAIL FROM:<a@example.org>       lines that follow each other go out together
//! C: RCPT TO:<b@example.org>
//! S: 2yz                             any code of the class
//! S: 250                             this reply ...
//! S| 550 5.1.1                       ... or this one
//! C> QUI                             exact bytes: \r \n \t \0 \\ \xHH, no line end
//! C: *pause 20 ms*                   what is between asterisks is done, not said
//! C> T\r\n
//! S: 221
//! S: *close*
//! ```
//!
//! A [`Player`] plays the client's side, and compares what the server says with the server's; the loopback server of the
//! feature `server` plays the server's side. A [`Recorder`] writes a dialogue of a session, a [`RecordWriter`] has it
//! written as the session goes. `docs/dialogue.md` has every
//! construct.

mod deadlines;
mod expect;
mod load;
mod matched;
mod parse;
mod passwords;
mod play;
mod print;
mod record;
mod record_writer;
mod secrets;
mod values;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

pub use expect::{CodePattern, Mark, Separator, Wanted};
pub use load::LoadError;
pub use passwords::MissingPassword;
pub use play::{Failure, Outcome, Played, Player, Report, Verdict};
pub use record::Recorder;
pub use record_writer::{RecordSink, RecordWriter};
pub use values::{Part, Text, Values};

use crate::protocol::Visible;
use crate::stream::Truncation;

#[cfg(feature = "server")]
pub(crate) use deadlines::{Deadlines, OVER};
#[cfg(feature = "server")]
pub(crate) use load::deliver;
#[cfg(feature = "server")]
pub(crate) use matched::Matched;
#[cfg(feature = "server")]
pub(crate) use values::{Whole, is_like};

/// One session or several, written down.
#[doc(alias = "transcript")]
#[doc(alias = "script")]
#[doc(alias = "expect")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dialogue {
    steps: Arc<Vec<Step>>,
}

/// One line of a dialogue. Where it stands is no part of what it is: steps are equal if they say the same.
/// [`Debug`](std::fmt::Debug) shows it without secrets.
#[derive(Clone)]
#[non_exhaustive]
pub struct Step {
    /// The file that it is from, if it is from one.
    pub file: Option<Arc<str>>,
    /// The number of the line, counted from 1.
    pub line: usize,
    /// Whose step it is.
    pub side: Side,
    /// What it is.
    pub directive: Directive,
}

/// One of the two that speak in a dialogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The client: `C`.
    Client,
    /// The server: `S`.
    Server,
    /// Neither: a direction for whoever plays.
    Neither,
}

/// What a side does, or what whoever plays is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Directive {
    /// `C: text`: a line; the text is without its CR LF.
    Line(Text),
    /// `S: 250-text`: a line of a reply.
    Reply(Wanted),
    /// `C> bytes`, `S> bytes`: exactly these bytes.
    Bytes(Text),
    /// `*body*`, `*body FILE*`: a message, with CR LF, dots stuffed and the lone dot: this file, or any.
    Body(Option<Text>),
    /// `*file FILE*`: the bytes of a file as they are.
    File(Text),
    /// `*octets N*`: so many octets of generated lines.
    Octets(u64),
    /// `*pause T*`: nothing is sent for so long.
    Pause(Duration),
    /// `*silence T*`: the other one says nothing for so long.
    Silence(Duration),
    /// `*no reply*`: none is awaited, and none may come at once.
    NoReply,
    /// `*half-close*`: the sending side is ended.
    HalfClose,
    /// `*close*`: the connection is closed; inside TLS, with its close_notify.
    Close,
    /// `*close without close_notify*`, `*cut off inside tls*`: it is closed after a record, or inside of one.
    Truncate(Truncation),
    /// `*reset*`: the connection is torn down, so that the other end sees a reset.
    Reset,
    /// `*starttls*`: STARTTLS, its reply, and the handshake.
    StartTls,
    /// `*tls*`: the handshake, now.
    Tls,
    /// `*end tls*`: TLS is ended, and the session goes on in the clear.
    EndTls,
    /// `*authenticate MECHANISM USER SECRET*`: the whole exchange.
    Authenticate {
        /// The SASL mechanism.
        mechanism: String,
        /// Who.
        user: Text,
        /// The password or token.
        secret: Text,
    },
    /// `*within T*`: the deadline of the next thing that is awaited.
    Within(Duration),
    /// `*each within T*`: the deadline of each thing that is awaited from here on.
    EachWithin(Duration),
    /// `*all within T*`: the deadline of the whole session.
    AllWithin(Duration),
    /// `*place NAME*`: where playing can be stopped.
    Place(String),
    /// `*secret NAME*`: the value of this name is shown as `[hidden]`.
    Secret(String),
    /// `*include FILE*`: the steps of another file, read by [`Dialogue::load`].
    Include(String),
    /// `*next session*`: what follows belongs to another connection.
    NextSession,
}

/// Where and why a text is no dialogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}line {line}, column {column}: expected {expected}\n  {}\n  {}^", In(file), Visible(text.as_bytes()), Under(text, *column))]
#[non_exhaustive]
pub struct SyntaxError {
    /// The file, if it is from one.
    pub file: Option<Arc<str>>,
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
    /// Reads a dialogue. An `*include*` in it stays as it is; [`load`](Self::load) reads the file that it names.
    ///
    /// ```
    /// use mconnect_core::dialogue::{Dialogue, Directive, Side};
    ///
    /// let dialogue = Dialogue::parse("S: 220\nC: QUIT\nS: 221\nS: *close*")?;
    /// let last = &dialogue.steps()[3];
    /// assert_eq!((last.line, last.side, &last.directive), (4, Side::Server, &Directive::Close));
    ///
    /// let error = Dialogue::parse("S: 220\nX: QUIT").unwrap_err();
    /// assert_eq!(error.line, 2);
    /// # Ok::<(), mconnect_core::dialogue::SyntaxError>(())
    /// ```
    ///
    /// # Errors
    /// [`SyntaxError`] says where it is none.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        Ok(Self { steps: Arc::new(parse::steps(text, None)?) })
    }

    /// Returns its steps, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Returns each of its sessions as a dialogue: what stands between `*next session*` lines.
    pub fn sessions(&self) -> Vec<Self> {
        if !self.steps.iter().any(|step| step.directive == Directive::NextSession) {
            return vec![self.clone()];
        }
        let sessions = self.steps.split(|step| step.directive == Directive::NextSession);
        sessions.map(|steps| Self { steps: Arc::new(steps.to_vec()) }).collect()
    }

    /// Says whether a server can play it: whether its replies have whole codes and texts that can be sent.
    ///
    /// # Errors
    /// [`SyntaxError`] shows the first reply of which that is not true.
    pub fn require_servable(&self) -> Result<(), SyntaxError> {
        for step in self.steps.iter() {
            let expected = match &step.directive {
                Directive::Reply(Wanted { mark: Mark::Pattern, .. }) => "S: or S=, since a pattern cannot be sent",
                Directive::Reply(Wanted { mark: Mark::Optional | Mark::Or | Mark::AnyNumber, .. }) => continue,
                Directive::Reply(wanted) if !wanted.code.is_whole() => "a whole code, since this is sent",
                _ => continue,
            };
            let column = if expected.starts_with("S:") { 1 } else { 4 };
            return Err(SyntaxError {
                file: step.file.clone(),
                line: step.line,
                column,
                expected,
                text: step.to_string(),
            });
        }
        Ok(())
    }
}

impl Dialogue {
    /// Says whether TLS starts in it.
    #[cfg(feature = "server")]
    pub(crate) fn starts_tls(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.directive, Directive::StartTls | Directive::Tls))
    }
}

impl FromStr for Dialogue {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        Self::parse(text)
    }
}

impl Step {
    /// Returns the line of a reply, if it is one.
    fn wanted(&self) -> Option<&Wanted> {
        match &self.directive {
            Directive::Reply(wanted) => Some(wanted),
            _ => None,
        }
    }
}

impl PartialEq for Step {
    fn eq(&self, other: &Self) -> bool {
        (self.side, &self.directive) == (other.side, &other.directive)
    }
}

impl Eq for Step {}

/// The beginning of a message that names the file, if there is one.
struct In<'a>(&'a Option<Arc<str>>);

impl std::fmt::Display for In<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(file) => write!(f, "{}: ", Visible(file.as_bytes())),
            None => Ok(()),
        }
    }
}

/// As much space as the text takes before this column, as it is shown.
struct Under<'a>(&'a str, usize);

impl std::fmt::Display for Under<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let before: String = self.0.chars().take(self.1.saturating_sub(1)).collect();
        let shown = Visible(before.as_bytes()).to_string();
        shown.chars().try_for_each(|c| f.write_str(if c == '\t' { "\t" } else { " " }))
    }
}
