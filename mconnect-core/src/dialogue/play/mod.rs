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
mod outcome;
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

#[cfg(feature = "server")]
pub(crate) use outcome::LastLines;
pub use outcome::{Failure, Outcome, Played, Report, Verdict};

use super::{Dialogue, Values};
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
