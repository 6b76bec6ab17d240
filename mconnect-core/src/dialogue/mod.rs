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
mod texts;
mod values;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

pub use cases::{Case, junit, tap};
pub use expect::{CodePattern, Mark, Separator, Wanted};
pub use load::LoadError;
pub use passwords::MissingPassword;
pub use play::{Failure, Outcome, Played, Player, Report, Verdict};
pub use record::Recorder;
pub use record_writer::{RecordSink, RecordWriter};
pub use texts::{Part, Text, unescape};
pub use values::Values;

use crate::protocol::Visible;
use crate::stream::Truncation;

#[cfg(feature = "server")]
pub(crate) use deadlines::{Deadlines, OVER};
#[cfg(feature = "server")]
pub(crate) use load::deliver;
#[cfg(feature = "server")]
pub(crate) use matched::Matched;
#[cfg(feature = "server")]
pub(crate) use pattern::is_like;
#[cfg(feature = "server")]
pub(crate) use values::Whole;

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

/// One line of a dialogue. Where it stands is no part of what it is: steps are equal if they say the same.
///
/// [`Display`](std::fmt::Display) writes it as a dialogue has it; [`Debug`](std::fmt::Debug) shows it without secrets,
/// which a line of base64 may be.
///
/// ```
/// let dialogue = mconnect_core::dialogue::Dialogue::parse("C: AUTH PLAIN AHRpbQBwZW5jaWw=")?;
/// let step = &dialogue.steps()[0];
/// assert_eq!(step.to_string(), "C: AUTH PLAIN AHRpbQBwZW5jaWw=");
/// assert_eq!(format!("{step:?}"), r#"1 "C: AUTH PLAIN [hidden]""#);
/// # Ok::<(), mconnect_core::dialogue::SyntaxError>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Step {
    /// The file that it is from, if it is from one. Names of files in it count from the folder of that.
    pub file: Option<Arc<str>>,
    /// The number of the line, counted from 1.
    pub line: usize,
    /// Whose step it is: who does it, while the other side expects it.
    pub side: Side,
    /// What is done there, or expected.
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
///
/// A directive of one side is done by whoever plays that side, and expected or waited out by the other. Times are
/// multiplied by [`Player::scale`] where they are deadlines; a pause is as long as it says.
///
/// ```
/// use mconnect_core::dialogue::{Dialogue, Directive, Side};
///
/// let dialogue = Dialogue::parse("S: 220\nC: *pause 20 ms*\nC> NO\\x00OP\\r\\n\nS: *reset*")?;
/// let [_, pause, bytes, reset] = dialogue.steps() else { panic!() };
/// assert_eq!(pause.directive, Directive::Pause(std::time::Duration::from_millis(20)));
/// assert!(matches!(bytes.directive, Directive::Bytes(_)));
/// assert_eq!((reset.side, &reset.directive), (Side::Server, &Directive::Reset));
/// # Ok::<(), mconnect_core::dialogue::SyntaxError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Directive {
    /// `C: text`: a line; the text is without its CR LF. Lines that follow each other go out together, which is how a
    /// pipeline is printed ([RFC 2920](https://www.rfc-editor.org/rfc/rfc2920)). Served, the line must come as it is,
    /// but for the case of its keywords ([RFC 5321, section 2.4](https://www.rfc-editor.org/rfc/rfc5321#section-2.4)).
    Line(Text),
    /// `S: 250-text`: a line of a reply. Those of one reply are steps that follow each other, up to the first without a
    /// hyphen.
    Reply(Wanted),
    /// `C> bytes`, `S> bytes`: exactly these bytes, with no line end but the one that is written. A line cut in two
    /// with a pause between, a bare LF, an octet that is no text: all of them are written so.
    Bytes(Text),
    /// `*body*`, `*body FILE*`: a message, with CR LF, dots stuffed ([RFC 5321, section
    /// 4.5.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.2)) and the lone dot: this file, or, where none is
    /// named, a small message of our own. Served, one that names no file takes any message of at most 100 MiB.
    Body(Option<Text>),
    /// `*file FILE*`: the bytes of a file as they are, read a block at a time. The other side expects just these.
    File(Text),
    /// `*octets N*`: so many octets of generated lines, each of 64 octets with its CR LF, the last one cut.
    Octets(u64),
    /// `*pause T*`: nothing is sent for so long. The other side does nothing about it.
    Pause(Duration),
    /// `*silence T*`: the other one says nothing for so long, and stays. To whoever plays the silent side it is a
    /// pause.
    Silence(Duration),
    /// `*no reply*`: none is awaited, and none may come within a second, or within the time of a `*within T*` before
    /// it.
    NoReply,
    /// `*half-close*`: the sending side is ended; inside TLS, by a close_notify. Replies may follow, but not inside TLS
    /// 1.2, where a close_notify ends both directions ([RFC 5246, section
    /// 7.2.1](https://www.rfc-editor.org/rfc/rfc5246#section-7.2.1)).
    HalfClose,
    /// `*close*`: the connection is closed; inside TLS, with its close_notify. To whoever expects it, a reset will do
    /// as well: closing with something unread makes the system send one.
    Close,
    /// `*close without close_notify*`, `*cut off inside tls*`: it is closed after a record, or inside of one, so that
    /// what came may be less than what was said.
    Truncate(Truncation),
    /// `*reset*`: the connection is torn down, so that the other end sees a reset.
    Reset,
    /// `*starttls*`: STARTTLS, its reply, and the handshake ([RFC 3207](https://www.rfc-editor.org/rfc/rfc3207)). A 220
    /// alone grants it; where it is not met the session ends, since what follows was meant for inside TLS.
    StartTls,
    /// `*tls*`: the handshake, now: after a STARTTLS that was written as a line, or before the greeting.
    Tls,
    /// `*end tls*`: TLS is ended by this side, and the session goes on in the clear. The other side answers with its
    /// own close_notify.
    EndTls,
    /// `*authenticate MECHANISM USER SECRET*`: the whole exchange, from AUTH to its last reply ([RFC 4954, section
    /// 4](https://www.rfc-editor.org/rfc/rfc4954#section-4)), for mechanisms whose answers depend on challenges. A 235
    /// alone meets it.
    Authenticate {
        /// The name of the SASL mechanism, as in [`Mechanism::from_name`](crate::sasl::Mechanism); one that is not
        /// known here is told when the step is played.
        mechanism: String,
        /// Who, in UTF-8.
        user: Text,
        /// The password or token, in UTF-8. It is shown nowhere.
        secret: Text,
    },
    /// `*within T*`: the deadline of the next thing that is awaited, and of that alone.
    Within(Duration),
    /// `*each within T*`: the deadline of each thing that is awaited from here on, until another one is set.
    EachWithin(Duration),
    /// `*all within T*`: the deadline of the whole session, counted from here on. Pauses end with it, too, and the step
    /// that it ends in was too late.
    AllWithin(Duration),
    /// `*place NAME*`: where playing can be stopped, by [`Player::quit_at`] or [`Player::drop_at`]; nothing happens
    /// there otherwise.
    Place(String),
    /// `*secret NAME*`: from here on, the value of this name is shown as `[hidden]`.
    Secret(String),
    /// `*include FILE*`: the steps of another file, read by [`Dialogue::load`]. There are no values in the name. One
    /// that is still there when it is played cannot be met ([`Verdict::Impossible`]).
    Include(String),
    /// `*next session*`: what follows belongs to another connection. A [`Player`] stops there; a server takes its
    /// clients in the order in which they connect, each by its session.
    NextSession,
}

/// Where and why a text is no dialogue.
///
/// [`Display`](std::fmt::Display) shows the line, made visible, and points at the place:
///
/// ```
/// let error = mconnect_core::dialogue::Dialogue::parse("S: 220\nC: *dance*").unwrap_err();
/// assert_eq!((error.line, error.column), (2, 5));
/// let told = error.to_string();
/// assert!(told.starts_with("line 2, column 5: expected *body* *file*"));
/// assert!(told.ends_with("\n  C: *dance*\n      ^"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}line {line}, column {column}: expected {expected}\n  {}\n  {}^", In(file), Visible(text.as_bytes()), Under(text, *column))]
#[non_exhaustive]
pub struct SyntaxError {
    /// The file, if it is from one: the name that [`Dialogue::load`] or [`Dialogue::parse_as`] was given, or that of an
    /// included file.
    pub file: Option<Arc<str>>,
    /// The number of the line, counted from 1.
    pub line: usize,
    /// The column, in characters, counted from 1.
    pub column: usize,
    /// What should stand there: characters, words, or a sentence.
    pub expected: &'static str,
    /// The line as it stands, with its indentation.
    pub text: String,
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

/// Reads a dialogue as [`Dialogue::parse`] does, so that one may be written where a string is: `text.parse()?`.
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
