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
//! A [`Player`] plays the client's side, and compares what the server says with the server's; the loopback server of
//! the feature `server` plays the server's side. A [`Recorder`] writes a dialogue of a session, a [`RecordWriter`] has it
//! written as the session goes. `docs/dialogue.md` has every construct.
//!
//! # Two sides of one text
//!
//! Each side sends its own lines and compares what comes with the lines of the other:
//!
//! ```text
//!                        ┌───────────── Dialogue ─────────────┐
//!                        │                                    │
//!                 Player::play                          Server::play
//!        sends C lines, expects S lines         sends S lines, expects C lines
//!                        │                                    │
//!                        ▼                                    ▼
//!           Played: an Outcome for each step     Server::join: Ok, or ServerError
//!                                                 with the step that was not met
//! ```
//!
//! So the same text tests a server, tests a client, or, played by both at once, itself:
//!
//! ```
//! # #[cfg(feature = "server")] {
//! use mconnect_core::Connect;
//! use mconnect_core::dialogue::Dialogue;
//! use mconnect_core::server::Server;
//!
//! let text = "S: 220 mx\nC: EHLO client.example\nS: 250-mx\nS: 250 SIZE 1000\nC: QUIT\nS: 221 bye\nS: *close*";
//! let server = Server::play(text)?;
//! let session = Connect::new("127.0.0.1", server.port()).open()?;
//! session.play(&text.parse()?).require()?;
//! server.join()?;
//! # }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How replies are compared
//!
//! By code first, and by as much of the text as is written down:
//!
//! | mark | the reply |
//! |---|---|
//! | `S:` | ends with this code, and has a line whose text begins so |
//! | `S=` | has exactly these lines |
//! | `S~` | has a line like this: `*` is anything, `?` one character, in any case |
//! | <code>S&#124;</code> | is this one, where it was not the one before |
//! | `S?`, `S*` | may come, once or any number of times |
//!
//! What comes without being asked for is never taken for the reply to a later command: it is looked for before each
//! line of the client's goes out, and behind the last step.
//!
//! # What it does not do
//!
//! - A dialogue has neither conditions nor loops. Where what is sent next depends on what a server says, a
//!   [`Session`](crate::Session) in a program is the better place.
//! - It forbids nothing. It sends a password in the clear, breaks the rules of SMTP, and reads any variable of the
//!   environment and any file that it names: somebody else's dialogue is to be read before it is played.
//! - It opens no connection: a [`Player`] is given a session, and `*next session*` is for whoever opens the next one
//!   ([`Dialogue::sessions`]).
//! - It blocks. An awaited session's dialogue is for a thread where that may be.

mod cases;
mod deadlines;
mod expect;
mod load;
mod matched;
mod parse;
mod passwords;
mod pattern;
mod play;
mod print;
mod record;
mod record_writer;
mod recording;
mod secrets;
mod step;
mod syntax_error;
mod texts;
mod values;

use std::str::FromStr;
use std::sync::Arc;

pub use cases::{Case, junit, tap};
pub use expect::{CodePattern, Mark, Separator, Wanted};
pub use load::LoadError;
pub use passwords::MissingPassword;
pub use play::{Failure, Outcome, Played, Player, Report, Verdict};
pub use record::Recorder;
pub use record_writer::{RecordSink, RecordWriter};
pub use step::{Directive, Side, Step};
pub use syntax_error::SyntaxError;
pub use texts::{Part, Text, unescape};
pub use values::Values;

#[cfg(feature = "server")]
pub(crate) use deadlines::{Deadlines, OVER};
#[cfg(feature = "server")]
pub(crate) use load::{NOT_READ, deliver};
#[cfg(feature = "server")]
pub(crate) use matched::Matched;
#[cfg(feature = "server")]
pub(crate) use pattern::is_like;
#[cfg(feature = "server")]
pub(crate) use play::LastLines;
#[cfg(feature = "server")]
pub(crate) use syntax_error::In;
#[cfg(feature = "server")]
pub(crate) use values::{Whole, no_value};

/// One session or several, written down.
///
/// It is what was read, no more: names have no values yet, and the files that are to be sent are opened when they are.
/// A clone shares its steps. Two are equal if their steps say the same, wherever these stand;
/// [`Display`](std::fmt::Display) writes one so that it reads the same again, without its comments:
///
/// ```
/// use mconnect_core::dialogue::Dialogue;
///
/// let dialogue: Dialogue = "# Only a greeting.\n  S: 220\n  C: QUIT".parse()?;
/// assert_eq!(dialogue.to_string(), "S: 220\nC: QUIT\n");
/// assert_eq!(dialogue, dialogue.to_string().parse()?);
/// # Ok::<(), mconnect_core::dialogue::SyntaxError>(())
/// ```
#[doc(alias = "transcript")]
#[doc(alias = "script")]
#[doc(alias = "expect")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dialogue {
    steps: Arc<Vec<Step>>,
}

impl Dialogue {
    /// Reads a dialogue. An `*include*` in it stays as it is; [`load`](Self::load) reads the file that it names.
    ///
    /// Empty lines and lines that begin with `#` are passed over, a byte order mark before the first line is too, and
    /// each line may be indented, as the RFCs print sessions.
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
    /// [`SyntaxError`] shows the first line that is none, or that cannot follow the one before: a reply has to be whole
    /// before another step begins.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        Ok(Self { steps: Arc::new(parse::steps(text, None)?) })
    }

    /// Returns its steps, in order, with those of the files that [`load`](Self::load) read in the place of each
    /// `*include*`.
    ///
    /// ```
    /// use mconnect_core::dialogue::{Dialogue, Side};
    ///
    /// let dialogue = Dialogue::parse("S: 220\nC: NOOP\nS: 250\n*within 5 s*\nC: QUIT\nS: 221")?;
    /// let said: Vec<String> =
    ///     dialogue.steps().iter().filter(|step| step.side == Side::Client).map(ToString::to_string).collect();
    /// assert_eq!(said, ["C: NOOP", "C: QUIT"]);
    /// # Ok::<(), mconnect_core::dialogue::SyntaxError>(())
    /// ```
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Returns each of its sessions as a dialogue: what stands between `*next session*` lines. Without one, that is the
    /// dialogue itself.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::{Connect, dialogue::Dialogue, server::Server};
    ///
    /// let server = Server::play("S: 421 later\nS: *close*\n*next session*\nS: 220 now\nC: QUIT\nS: 221 bye")?;
    /// let dialogue = Dialogue::parse("S: 421\nS: *close*\n*next session*\nS: 220\nC: QUIT\nS: 221")?;
    /// for session in dialogue.sessions() {
    ///     Connect::new("127.0.0.1", server.port()).open()?.play(&session).require()?;
    /// }
    /// server.join()?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sessions(&self) -> Vec<Self> {
        if !self.steps.iter().any(|step| step.directive == Directive::NextSession) {
            return vec![self.clone()];
        }
        let sessions = self.steps.split(|step| step.directive == Directive::NextSession);
        sessions.map(|steps| Self { steps: Arc::new(steps.to_vec()) }).collect()
    }

    /// Says whether a server can play it: whether its replies have whole codes and texts that can be sent. Alternatives
    /// after the first (`S|`) and replies that may come or not (`S?`, `S*`) are no hindrance, since a server sends none
    /// of them.
    ///
    /// ```
    /// use mconnect_core::dialogue::Dialogue;
    ///
    /// assert!(Dialogue::parse("S: 220 hi\nS? 250\nC: QUIT\nS: 221")?.require_servable().is_ok());
    /// let error = Dialogue::parse("S: 220 hi\nC: QUIT\nS: 2yz")?.require_servable().unwrap_err();
    /// assert_eq!((error.line, error.expected), (3, "a whole code, since this is sent"));
    /// # Ok::<(), mconnect_core::dialogue::SyntaxError>(())
    /// ```
    ///
    /// # Errors
    /// [`SyntaxError`] shows the first reply of which that is not true.
    pub fn require_servable(&self) -> Result<(), SyntaxError> {
        for step in self.steps.iter() {
            let (column, expected) = match &step.directive {
                Directive::Reply(Wanted { mark: Mark::Pattern, .. }) => (1, "S: or S=, since a pattern cannot be sent"),
                Directive::Reply(Wanted { mark: Mark::Optional | Mark::Or | Mark::AnyNumber, .. }) => continue,
                Directive::Reply(wanted) if !wanted.code.is_whole() => (4, "a whole code, since this is sent"),
                _ => continue,
            };
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

/// Reads a dialogue as [`Dialogue::parse`] does, so that one may be written where a string is: `text.parse()?`.
impl FromStr for Dialogue {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        Self::parse(text)
    }
}
