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
//!
//! A [`Game`] is what a dialogue under way consists of, and each file here is what it does: `steps` goes through the
//! steps, `say` sends, `hear` compares, `settle` keeps the outcome and decides whether to go on, `passing` passes over
//! what is meant for a body that was refused, `tls` and `auth` do the steps that are whole exchanges. What follows an
//! unexpected reply is not decided here: [`Course`](crate::script::Course) does, for scripts as well.

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
/// became of each step is in [`Played::outcomes`]; a step that only sends has an outcome only if it failed. Every wait
/// has a deadline: that of the dialogue (`*within T*`), or else the session's own.
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
///
/// One player plays as often as it is asked to, each time with the values that it was given: what one session took is
/// not there in the next. Where the values, the trust in certificates or a slower machine do not matter,
/// [`Session::play`](crate::Session::play) is all it takes.
///
/// The lifetime is that of what a [`watch`](Self::watch)er borrows.
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

/// How a session is stopped at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    WithQuit,
    AtOnce,
}

/// What happens while a dialogue is played, for [`Player::watch`]. Secrets are hidden, and control characters made
/// visible, so that each can be shown as it is.
///
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
    shown: Option<String>,
}

/// Whether a step went as expected.
///
/// | verdict | whose fault | can the dialogue go on ([`Player::keep_going`])? |
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
        self.outcomes.iter().find(|outcome| outcome.verdict != Verdict::Met)
    }
}

impl Session {
    /// Plays the client's side of a dialogue, of its first session if it has several; a [`Player`] has values and more.
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
    /// Makes one without values, that trusts as the system does, and stops at the first step that does not go as
    /// expected.
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
    /// environment where it is sent, and takes what stands there where it is expected.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> &mut Self {
        self.values.set(name, value);
        self
    }

    /// Sets the values of all these names, in place of what was set before.
    pub fn values(&mut self, values: &Values) -> &mut Self {
        self.values = values.clone();
        self
    }

    /// Sets the value of a name, which is shown as `[hidden]` in reports, outcomes and messages, wherever it stands.
    ///
    /// ```
    /// # #[cfg(all(feature = "server", feature = "auth"))] {
    /// use mconnect_core::dialogue::Player;
    /// use mconnect_core::{Connect, server::Setup};
    ///
    /// let server = Setup::new().auth([("tim", "pencil")]).start()?;
    /// let mut player = Player::new();
    /// player.set_secret("password", "crayon");
    /// let dialogue = "S: 220\nC: EHLO x\nS: 250\nC: *authenticate PLAIN tim ${password}*".parse()?;
    /// let failure = player.play(Connect::new("127.0.0.1", server.port()).open()?, &dialogue).require().unwrap_err();
    /// assert!(failure.to_string().contains("535") && !failure.to_string().contains("crayon"));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn set_secret(&mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> &mut Self {
        let name = name.into();
        self.values.hide(name.clone());
        self.set(name, value)
    }

    /// Goes on after a step that did not go as expected, as long as the connection lasts and the steps that follow can
    /// still mean what they say: where DATA was refused, those of its body are passed over, and where TLS did not
    /// start, an AUTH with answers to follow was refused, or client and server are out of step, it ends.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::dialogue::{Player, Verdict};
    /// use mconnect_core::{Connect, server::Server};
    ///
    /// let server = Server::start()?;
    /// let dialogue = "S: 220\nC: VRFY a\nS: 550\nC: DATA\nS: 354\nC: *body*\nS: 250\nC: QUIT\nS: 221".parse()?;
    /// let played = Player::new().keep_going().play(Connect::new("127.0.0.1", server.port()).open()?, &dialogue);
    /// let wrong: Vec<usize> =
    ///     played.outcomes.iter().filter(|outcome| outcome.verdict != Verdict::Met).map(|outcome| outcome.step.line).collect();
    /// assert_eq!(wrong, [3, 5], "the body and its reply are passed over, and QUIT is not");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn keep_going(&mut self) -> &mut Self {
        self.keeps_going = true;
        self
    }

    /// Multiplies every deadline of the dialogues by this, and the second that an optional reply is waited for: for a
    /// machine that is slower than theirs. Pauses stay as they are.
    ///
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::dialogue::{Player, Verdict};
    /// use mconnect_core::{Connect, server::Server};
    ///
    /// // Written for a fast machine, and played on a slow one.
    /// let dialogue = "*within 5 ms*\nS: 220\nC: QUIT\nS: 221".parse()?;
    /// for (factor, verdict) in [(1.0, Verdict::TooLate), (2000.0, Verdict::Met)] {
    ///     let server = Server::play("S: *pause 60 ms*\nS: 220 hi\nC: QUIT\nS: 221 bye")?;
    ///     let session = Connect::new("127.0.0.1", server.port()).open()?;
    ///     let played = Player::new().scale(factor).play(session, &dialogue);
    ///     assert_eq!(played.outcomes[0].verdict, verdict);
    ///     drop((played, server.join()));
    /// }
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn scale(&mut self, factor: f64) -> &mut Self {
        self.factor = factor;
        self
    }

    /// Stops at the `*place NAME*` of this name: sends QUIT and waits for its reply, or closes where no command is due,
    /// as inside a message. A place that is not reached stops nothing.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::dialogue::{Dialogue, Player};
    /// use mconnect_core::{Connect, server::Server};
    ///
    /// let server = Server::start()?;
    /// let dialogue = Dialogue::parse("S: 220\nC: EHLO x\nS: 250\n*place hello*\nC: MAIL FROM:<>\nS: 250")?;
    /// let session = Connect::new("127.0.0.1", server.port()).open()?;
    /// let played = Player::new().quit_at("hello").play(session, &dialogue).require()?;
    /// assert_eq!(played.outcomes.last().unwrap().reply.as_ref().unwrap().code(), 221);
    /// assert!(played.session.is_none());
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn quit_at(&mut self, place: impl Into<String>) -> &mut Self {
        self.stop = Some((place.into(), Stop::WithQuit));
        self
    }

    /// Stops at the `*place NAME*` of this name: closes, without QUIT, so that a server sees a client that is gone. Of
    /// this and [`quit_at`](Self::quit_at), the one that was called last counts.
    ///
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::dialogue::Player;
    /// use mconnect_core::{Connect, server::Server};
    ///
    /// // What becomes of a message whose client goes before its end?
    /// let server = Server::start()?;
    /// let dialogue = "S: 220\nC: EHLO x\nS: 250\nC: MAIL FROM:<>\nC: RCPT TO:<a@example.org>\nC: DATA\n\
    ///                 S: 250\nS: 250\nS: 354\nC: half a message\n*place half*\nC: .\nS: 250";
    /// let session = Connect::new("127.0.0.1", server.port()).open()?;
    /// let played = Player::new().drop_at("half").play(session, &dialogue.parse()?).require()?;
    /// assert!(played.session.is_none());
    /// assert!(server.messages().is_empty());
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn drop_at(&mut self, place: impl Into<String>) -> &mut Self {
        self.stop = Some((place.into(), Stop::AtOnce));
        self
    }

    /// Tells a function what happens, as it happens: for progress on a screen, or a log of one's own.
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

    /// Plays the client's side of the first session of a dialogue. It returns when the last step is settled, at the
    /// first one that is not met, or at a place where it was to stop; all that was to go out has gone then.
    ///
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::dialogue::{Dialogue, Player};
    /// use mconnect_core::{Connect, server::Server};
    ///
    /// // The same to each of a few servers, told apart by a value.
    /// let dialogue = Dialogue::parse("S: 220\nC: EHLO ${name}\nS: 250\nC: QUIT\nS: 221")?;
    /// let mut player = Player::new();
    /// for name in ["one.example", "two.example"] {
    ///     let server = Server::start()?;
    ///     player.set("name", name);
    ///     player.play(Connect::new("127.0.0.1", server.port()).open()?, &dialogue).require()?;
    ///     assert_eq!(server.sessions()[0].commands()[0], format!("EHLO {name}"));
    /// }
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "`require` makes an error of what did not go as expected"]
    pub fn play(&mut self, session: Session, dialogue: &Dialogue) -> Played {
        let mut game = Game::new(self, session);
        game.run(dialogue.steps());
        Played { outcomes: game.outcomes, values: game.values, session: game.session }
    }
}

/// As [`new`](Player::new).
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
