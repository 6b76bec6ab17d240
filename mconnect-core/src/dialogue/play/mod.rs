//! Playing the client's side.
//!
//! ```text
//!            C: line, bytes, file           S: reply, bytes, close, silence
//!   Saying ◄───────────────────── step ─────────────────────────► Hearing
//!   kept, to go out together        ▲        what was kept goes out first
//!        └──────────────────────────┤                                │
//!                                   │ met                            ▼
//!                                   └────────────────────────── Outcome
//!                                   │ not met, keep_going            │ not met
//!      a refused DATA: its body ◄───┘                                ▼
//!      is passed over                                            the end
//! ```

#[cfg(feature = "auth")]
mod auth;
#[cfg(not(feature = "auth"))]
#[path = "without_auth.rs"]
mod auth;
mod game;
mod hear;
mod passing;
mod say;
mod settle;
mod step_result;
mod steps;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "without_tls.rs"]
mod tls;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Dialogue, Step, Values};
use crate::error::Error;
use crate::protocol::{Reply, Tracker, Visible};
use crate::session::Session;
use game::Game;
use tls::Config as TlsConfig;

/// What is told what happens.
type Watcher<'a> = dyn FnMut(Report<'_>) + 'a;

/// Plays the client's side of dialogues, and compares what the server says with the server's side.
///
/// It stops at the first step that does not go as expected, unless it is told to [`keep_going`](Self::keep_going). What
/// became of each step is in [`Played::outcomes`]; a step that only sends has an outcome only if it failed. Every wait has
/// a deadline: that of the dialogue (`*within T*`), or else the session's own.
///
/// ```
/// # #[cfg(feature = "server")] {
/// use mconnect_core::dialogue::{Dialogue, Player};
/// use mconnect_core::{Connect, server::Server};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::start()?;
/// let dialogue = Dialogue::parse("S: 220\nC: EHLO ${name}\nS: 250-PIPELINING\nS: 250\nC: QUIT\nS: 221\nS: *close*")?;
///
/// let mut player = Player::new();
/// player.set("name", "client.example");
/// let played = player.play(Connect::new("127.0.0.1", server.port()).open()?, &dialogue);
/// played.require()?;
/// # Ok(()) }
/// # main().unwrap();
/// # }
/// ```
#[doc(alias = "expect")]
#[doc(alias = "replay")]
#[doc(alias = "test")]
pub struct Player<'a> {
    values: Values,
    tls: TlsConfig,
    factor: f64,
    keeps_going: bool,
    stop: Option<(String, Stop)>,
    watcher: Option<Box<Watcher<'a>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    WithQuit,
    AtOnce,
}

/// What happens while a dialogue is played. Secrets are hidden.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Report<'a> {
    /// A line was sent.
    Sent(&'a str),
    /// A line was received.
    Received(&'a str),
    /// TLS was started: what was agreed, in words.
    TlsStarted(&'a str),
    /// A step has its outcome.
    Outcome(&'a Outcome),
}

/// How a step went.
#[derive(Debug, Clone)]
#[must_use]
pub struct Outcome {
    /// The step; the last line of the reply, where it is one.
    pub step: Step,
    /// The lines of the reply before it, and of its alternatives, where it is one.
    pub before: Vec<Step>,
    /// What came, or was the matter.
    pub got: String,
    /// The reply, if one came.
    pub reply: Option<Reply>,
    /// The error of the session, if that was the matter: a deadline that passed, a broken connection, a failed handshake.
    pub error: Option<Arc<Error>>,
    /// How long it took.
    pub took: Duration,
    /// Whether it went as expected.
    pub verdict: Verdict,
    /// If it did not: the last lines of the session until then.
    pub last_lines: Vec<String>,
    /// The step as it is shown, if that depends on what was sent before it.
    shown: Option<String>,
}

/// Whether a step went as expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub enum Verdict {
    /// It did.
    Met,
    /// Something else came.
    Other,
    /// Nothing came in time.
    TooLate,
    /// The connection was closed, or broke.
    Closed,
    /// TLS did not start, or the server is not proven to be who it is.
    Insecure,
    /// Authentication was refused.
    Refused,
    /// It could not be done at all: a value or a file is missing.
    Impossible,
}

/// How a dialogue went.
#[derive(Debug)]
#[non_exhaustive]
pub struct Played {
    /// Every step that had an outcome, in order.
    pub outcomes: Vec<Outcome>,
    /// The values in the end, with those that were taken from replies.
    pub values: Values,
    /// The session, unless the dialogue closed it, or a `*starttls*` in it was not met.
    pub session: Option<Session>,
}

/// A step that did not go as expected. [`Debug`](fmt::Debug) tells the same as [`Display`](fmt::Display), so that a test
/// that unwraps it tells what happened.
#[derive(thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub Box<Outcome>);

impl Outcome {
    /// Returns what was expected, as the dialogue has it; the lines of a reply are joined by ` / `.
    pub fn expected(&self) -> String {
        let steps = self.before.iter().chain([&self.step]);
        let shown = |step: &Step| step.shown(&Tracker::new());
        self.shown.clone().unwrap_or_else(|| steps.map(shown).collect::<Vec<_>>().join(" / "))
    }
}

impl Played {
    /// Returns what was played back if every step went as expected.
    ///
    /// # Errors
    /// The first step that did not.
    pub fn require(self) -> Result<Self, Failure> {
        match self.failure() {
            Some(outcome) => Err(Failure(Box::new(outcome.clone()))),
            None => Ok(self),
        }
    }

    /// Returns the first outcome that was not as expected.
    pub fn failure(&self) -> Option<&Outcome> {
        self.outcomes.iter().find(|outcome| outcome.verdict != Verdict::Met)
    }
}

impl Session {
    /// Plays the client's side of a dialogue; a [`Player`] has values and more.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// let dialogue = "S: 220\nC: NOOP\nS: 250\nC: QUIT\nS: 221".parse()?;
    /// session.play(&dialogue).require()?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "`require` makes an error of what did not go as expected"]
    pub fn play(self, dialogue: &Dialogue) -> Played {
        Player::new().play(self, dialogue)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'a> Player<'a> {
    /// Makes one without values, that stops at the first step that does not go as expected.
    pub fn new() -> Self {
        Self {
            values: Values::default(),
            tls: tls::Config::default(),
            factor: 1.0,
            keeps_going: false,
            stop: None,
            watcher: None,
        }
    }

    /// Sets the value of a name, which stands as `${name}` in dialogues. One that is not set is looked for in the
    /// environment.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> &mut Self {
        self.values.set(name, value);
        self
    }

    /// Sets the value of a name, which is shown as `[hidden]`.
    pub fn set_secret(&mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> &mut Self {
        let name = name.into();
        self.values.hide(name.clone());
        self.set(name, value)
    }

    /// Goes on after a step that did not go as expected, as long as the connection lasts and the steps that follow can
    /// still mean what they say: where DATA was refused, those of its body are passed over, and where TLS did not start,
    /// an AUTH with answers to follow was refused, or client and server are out of step, it ends.
    pub fn keep_going(&mut self) -> &mut Self {
        self.keeps_going = true;
        self
    }

    /// Multiplies every deadline of the dialogues by this: for a machine that is slower than theirs.
    pub fn scale(&mut self, factor: f64) -> &mut Self {
        self.factor = factor;
        self
    }

    /// Stops at the `*place NAME*` of this name: sends QUIT and waits for its reply, or closes where no command is due,
    /// as inside a message.
    pub fn quit_at(&mut self, place: impl Into<String>) -> &mut Self {
        self.stop = Some((place.into(), Stop::WithQuit));
        self
    }

    /// Stops at the `*place NAME*` of this name: closes, without QUIT, so that a server sees a client that is gone.
    pub fn drop_at(&mut self, place: impl Into<String>) -> &mut Self {
        self.stop = Some((place.into(), Stop::AtOnce));
        self
    }

    /// Tells a function what happens, as it happens.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// use mconnect_core::dialogue::{Player, Report};
    ///
    /// let dialogue = "S: 220\nC: NOOP\nS: 250\nC: QUIT\nS: 221".parse()?;
    /// let mut said = Vec::new();
    /// let mut player = Player::new();
    /// player.watch(|report| {
    ///     if let Report::Sent(line) = report {
    ///         said.push(line.to_owned());
    ///     }
    /// });
    /// player.play(session, &dialogue).require()?;
    /// drop(player);
    /// assert_eq!(said, ["NOOP", "QUIT"]);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn watch(&mut self, watcher: impl FnMut(Report<'_>) + 'a) -> &mut Self {
        self.watcher = Some(Box::new(watcher));
        self
    }

    /// Plays the client's side of the first session of a dialogue.
    #[must_use = "`require` makes an error of what did not go as expected"]
    pub fn play(&mut self, session: Session, dialogue: &Dialogue) -> Played {
        let mut game = Game::new(self, session);
        game.run(dialogue.steps());
        Played { outcomes: game.outcomes, values: game.values, session: game.session }
    }
}

impl Default for Player<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Player<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Player").field("values", &self.values).field("stop", &self.stop).finish_non_exhaustive()
    }
}

impl fmt::Display for Outcome {
    /// Tells the whole story, in lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.step.file {
            Some(file) => write!(f, "{}:{}: ", Visible(file.as_bytes()), self.step.line)?,
            None => write!(f, "line {}: ", self.step.line)?,
        }
        write!(f, "expected `{}`, got {}, after {:.3} s", self.expected(), self.got, self.took.as_secs_f64())?;
        if !self.last_lines.is_empty() {
            f.write_str("\nthe last lines of the session:")?;
        }
        self.last_lines.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}
