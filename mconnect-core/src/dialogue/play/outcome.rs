//! How a dialogue went: each step's outcome, and all of them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::dialogue::{Step, Values};
use crate::error::Error;
use crate::protocol::{Reply, Tracker, Visible};
use crate::session::Session;

/// What happens while a dialogue is played, for [`Player::watch`](super::Player::watch). Secrets are hidden, and control
/// characters made visible, so that each can be shown as it is.
///
/// ```
/// # #[cfg(feature = "server")] {
/// use mconnect_core::dialogue::{Player, Report};
/// use mconnect_core::{Connect, server::Server};
///
/// let server = Server::start()?;
/// let mut log = String::new();
/// let mut player = Player::new();
/// player.watch(|report| match report {
///     Report::Sent(line) => log += &format!("> {line}\n"),
///     Report::Received(line) => log += &format!("< {line}\n"),
///     Report::Outcome(outcome) => log += &format!("{:?}\n", outcome.verdict),
///     _ => {}
/// });
/// player.play(Connect::new("127.0.0.1", server.port()).open()?, &"S: 220\nC: NOOP\nS: 250".parse()?).require()?;
/// drop(player);
/// assert!(log.ends_with("Met\n> NOOP\n< 250 2.0.0 nothing done\nMet\n"), "{log}");
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Report<'a> {
    /// A line was sent; it is without its line end. Of what goes out at once, 1,000 lines are reported at most.
    Sent(&'a str),
    /// A line was received, whether or not it is as expected; it is without its line end.
    Received(&'a str),
    /// TLS was started: what was agreed, in words.
    TlsStarted(&'a str),
    /// A step has its outcome, which [`Played::outcomes`] will have, too.
    Outcome(&'a Outcome),
}

/// How a step went.
///
/// [`Display`](fmt::Display) tells the whole story: where the step stands, what was expected, what came, and the lines
/// before it.
///
/// ```
/// # #[cfg(feature = "server")] {
/// use mconnect_core::{Connect, dialogue::Verdict, server::Server};
///
/// let server = Server::start()?;
/// let session = Connect::new("127.0.0.1", server.port()).open()?;
/// let played = session.play(&"S: 220\nC: RCPT TO:<a@example.org>\nS: 250".parse()?);
///
/// let outcome = played.failure().unwrap();
/// assert_eq!((outcome.step.line, outcome.verdict), (3, Verdict::Other));
/// assert_eq!(outcome.reply.as_ref().unwrap().code(), 503);
/// assert!(outcome.to_string().starts_with("line 3: expected `S: 250`, got `503 "));
/// assert_eq!(outcome.last_lines[1], "C: RCPT TO:<a@example.org>");
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct Outcome {
    /// The step; the last line of the reply, where it is one.
    pub step: Step,
    /// The lines of the reply before it, and of its alternatives, where it is one. Empty for every other step.
    pub before: Vec<Step>,
    /// What came, in words or between backquotes; what was the matter, where nothing did. It is empty for a step of the
    /// client's that was done.
    pub got: String,
    /// The reply, if one came whole, with the request that it answers.
    pub reply: Option<Reply>,
    /// The error of the session, if that was the matter: a deadline that passed, a broken connection, a failed handshake.
    pub error: Option<Arc<Error>>,
    /// How long it took, from when its turn came until it was settled.
    pub took: Duration,
    /// Whether it went as expected, and if not, what kind of thing went wrong.
    pub verdict: Verdict,
    /// If it did not: the last lines of the session until then, at most 20, each after its `C: ` or `S: `, with secrets
    /// hidden; the last command is among them, with `...` behind it where its reply was longer.
    pub last_lines: Vec<String>,
    /// The step as it is shown, if that depends on what was sent before it.
    pub(super) shown: Option<String>,
}

/// Whether a step went as expected.
///
/// | verdict | whose fault | can the dialogue go on ([`Player::keep_going`](super::Player::keep_going))? |
/// |---|---|---|
/// | [`Met`](Self::Met) | nobody's | yes |
/// | [`Other`](Self::Other), [`Refused`](Self::Refused) | the server said something else | if what follows still means what it says |
/// | [`TooLate`](Self::TooLate), [`Closed`](Self::Closed), [`Insecure`](Self::Insecure) | the server or the network | no |
/// | [`Impossible`](Self::Impossible) | the dialogue, or who plays it | no |
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum Verdict {
    /// It did.
    Met,
    /// Something else came: another reply, other bytes, something where silence was expected.
    Other,
    /// Nothing came in time, not all of it did, or the time for the whole dialogue is over.
    TooLate,
    /// The connection was closed, or broke, before what was expected had come.
    Closed,
    /// TLS did not start, or the server is not proven to be who it is. Nothing was sent inside it.
    Insecure,
    /// Authentication was refused, or the server has not proven that it knows the password, where the mechanism asks
    /// for that.
    Refused,
    /// It could not be done at all: a value or a file is missing, a mechanism is not known, a feature is not built, or
    /// the session was closed by the dialogue before.
    Impossible,
}

/// How a dialogue went.
///
/// ```
/// # #[cfg(feature = "server")] {
/// # let server = mconnect_core::server::Server::start()?;
/// # let session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
/// // What the dialogue leaves open can be gone on with.
/// let played = session.play(&"S: 220\nC: EHLO client.example\nS: 250".parse()?).require()?;
/// let session = played.session.expect("no step closes it");
/// assert!(session.extensions().unwrap().has("PIPELINING"));
/// session.quit()?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Played {
    /// Every step that had an outcome, in order. If all were met, what was left over in the end may be the last of
    /// them.
    pub outcomes: Vec<Outcome>,
    /// The values in the end: those of the player, and those that were taken from what the server said.
    pub values: Values,
    /// The session, unless the dialogue closed it, a `*starttls*` in it was not met, or playing stopped at a place.
    pub session: Option<Session>,
}

/// A step that did not go as expected, with its [`Outcome`]. [`Debug`](fmt::Debug) tells the same as
/// [`Display`](fmt::Display), so that a test that unwraps it tells what happened.
#[derive(thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub Box<Outcome>);

impl Outcome {
    /// Returns what was expected, as the dialogue has it; the lines of a reply are joined by ` / `, and secrets hidden.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::{Connect, server::Server};
    ///
    /// let server = Server::start()?;
    /// let session = Connect::new("127.0.0.1", server.port()).open()?;
    /// let played = session.play(&"S: 220\nC: EHLO x\nS: 250-XCOLOUR\nS: 250\nS| 550".parse()?);
    /// assert_eq!(played.failure().unwrap().expected(), "S: 250-XCOLOUR / S: 250 / S| 550");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn expected(&self) -> String {
        let steps = self.before.iter().chain([&self.step]);
        let shown = |step: &Step| step.shown(&Tracker::new());
        self.shown.clone().unwrap_or_else(|| steps.map(shown).collect::<Vec<_>>().join(" / "))
    }
}

impl Played {
    /// Returns what was played back if every step went as expected. In a test that unwraps it, the message of the panic
    /// is the whole story.
    ///
    /// # Errors
    /// The first step that did not.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::{Connect, server::Server};
    ///
    /// let server = Server::start()?;
    /// let session = Connect::new("127.0.0.1", server.port()).open()?;
    /// let failure = session.play(&"S: 220\nC: NOOP\nS: 251".parse()?).require().unwrap_err();
    /// let told = failure.to_string();
    /// assert!(told.starts_with("line 3: expected `S: 251`, got `250 2.0.0 nothing done`, after 0."));
    /// assert!(told.ends_with("\n  C: NOOP\n  S: 250 2.0.0 nothing done"), "{told}");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn require(self) -> Result<Self, Failure> {
        match self.failure() {
            Some(outcome) => Err(Failure(Box::new(outcome.clone()))),
            None => Ok(self),
        }
    }

    /// Returns the first outcome that was not as expected. After a player that keeps going, there may be others behind
    /// it in [`outcomes`](Self::outcomes).
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::{Connect, dialogue::Verdict, server::Server};
    ///
    /// let server = Server::play("S: 220 hi\nC: NOOP\nC: *close*")?;
    /// let session = Connect::new("127.0.0.1", server.port()).open()?;
    /// let played = session.play(&"S: 220\nC: NOOP\n*within 20 ms*\nS: 250".parse()?);
    /// let failure = played.failure().unwrap();
    /// assert_eq!((failure.step.line, failure.verdict), (4, Verdict::TooLate));
    /// assert_eq!(failure.got, "nothing in 20ms");
    /// # drop((played, server.join()));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn failure(&self) -> Option<&Outcome> {
        self.outcomes.iter().find(|outcome| !outcome.is_met())
    }

    /// Returns the stories of all steps that did not go as expected, in lines; an empty text if every one did.
    pub fn story(&self) -> String {
        let unmet = self.outcomes.iter().filter(|outcome| !outcome.is_met());
        unmet.map(Outcome::to_string).collect::<Vec<_>>().join("\n")
    }
}

impl Outcome {
    /// Says whether the step went as expected.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.verdict == Verdict::Met
    }
}

impl fmt::Display for Outcome {
    /// Tells the whole story, in lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.step.file {
            Some(file) => write!(f, "{}:{}: ", Visible(file.as_bytes()), self.step.line)?,
            None => write!(f, "line {}: ", self.step.line)?,
        }
        let (expected, took) = (self.expected(), self.took.as_secs_f64());
        write!(f, "expected `{expected}`, got {}, after {took:.3} s{}", self.got, LastLines(&self.last_lines))
    }
}

/// The end of a message that shows what went before.
pub(crate) struct LastLines<'a>(pub &'a [String]);

impl fmt::Display for LastLines<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty() {
            f.write_str("\nthe last lines of the session:")?;
        }
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
