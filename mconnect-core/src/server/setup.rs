//! How a server is to be.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use super::input::{CLOSE_PATIENCE, Input};
use super::rules::Rule;
use super::{Server, ServerError, bind};
use crate::dialogue::{Dialogue, Values};
use crate::stream::{ChannelBindings, Stream};

/// A server with more than the plain one has. The features `tls` and `auth` add methods.
#[derive(Clone)]
pub struct Setup {
    pub(super) tls: Option<Arc<dyn Accept>>,
    /// What TLS shows, in PEM, if that is known.
    pub(super) certificate: Option<String>,
    pub(super) is_tls_first: bool,
    pub(super) auth: Option<Arc<dyn Gate>>,
    pub(super) rules: Vec<Rule>,
    /// What the deadlines of a dialogue are multiplied by.
    pub(super) factor: f64,
}

/// The server's side of TLS.
pub(super) trait Accept: Send + Sync {
    /// Shakes hands, at most this long.
    fn accept(&self, stream: Arc<dyn Stream>, patience: Duration) -> io::Result<Arc<dyn Stream>>;

    /// Ends the connection.
    fn end(&self, stream: &dyn Stream) -> io::Result<()>;
}

/// The server's side of AUTH.
pub(super) trait Gate: Send + Sync {
    /// Gives the names of the mechanisms over this channel, as EHLO has them.
    fn mechanisms(&self, channel: &ChannelBindings) -> String;

    /// Begins an exchange; nothing if there is no such mechanism.
    fn begin(&self, mechanism: &[u8], channel: &ChannelBindings) -> Option<Box<dyn Exchange>>;
}

/// One exchange.
pub(super) trait Exchange {
    /// Says what to do after an answer of the client's, in base64; the first one may be missing.
    fn step(&mut self, answer: Option<&[u8]>) -> Step;
}

impl dyn Exchange {
    /// Goes through with it: `ask` says a challenge and gives the line that answers it. Gives the reply that ends it, and
    /// whether that grants.
    pub(super) fn run(
        &mut self,
        initial: Option<Vec<u8>>,
        mut ask: impl FnMut(&str) -> io::Result<Vec<u8>>,
    ) -> io::Result<(bool, &'static str)> {
        let mut answer = initial;
        loop {
            let challenge = match self.step(answer.as_deref()) {
                Step::Challenge(challenge) => challenge,
                Step::Granted => return Ok((true, "235 2.7.0 welcome")),
                Step::Refused => return Ok((false, "535 5.7.8 wrong user or password")),
                Step::Malformed => return Ok((false, "501 5.5.2 that is no answer")),
            };
            let line = ask(&format!("334 {challenge}"))?;
            match line.trim_ascii() {
                _ if !line.ends_with(b"\n") => return Err(io::ErrorKind::UnexpectedEof.into()),
                b"*" => return Ok((false, "501 5.7.0 cancelled")),
                line => answer = Some(line.to_vec()),
            }
        }
    }
}

#[cfg_attr(not(feature = "auth"), allow(dead_code, reason = "nobody begins an exchange then"))]
pub(super) enum Step {
    /// A challenge, in base64.
    Challenge(String),
    Granted,
    Refused,
    Malformed,
}

impl Setup {
    /// Begins with what the plain receiver has.
    pub fn new() -> Self {
        Self { tls: None, certificate: None, is_tls_first: false, auth: None, rules: Vec::new(), factor: 1.0 }
    }

    /// Multiplies every deadline of a dialogue by this: for a machine that is slower than the dialogue's.
    #[must_use]
    pub fn scale(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// Plays the server's side of a dialogue, as [`Server::play_with`] does, with the certificate that was given here, or
    /// with one that is made for it.
    ///
    /// # Errors
    /// [`ServerError::Syntax`] if the dialogue is one that no server can play, [`ServerError::Io`].
    pub fn play(self, dialogue: &Dialogue, values: &Values) -> Result<Server, ServerError> {
        self.play_on(bind()?, dialogue, values)
    }

    /// Plays as [`play`](Self::play) does, to the clients of a socket that listens already.
    ///
    /// # Errors
    /// As [`play`](Self::play).
    pub fn play_on(self, listener: TcpListener, dialogue: &Dialogue, values: &Values) -> Result<Server, ServerError> {
        Server::play_on(listener, self, dialogue, values)
    }

    /// Closes so that the client can still read everything: what it has sent is read before.
    pub(super) fn close(&self, stream: &dyn Stream, input: &mut Input, is_inside_tls: bool) -> io::Result<()> {
        stream.set_write_timeout(Some(CLOSE_PATIENCE))?;
        match &self.tls {
            Some(tls) if is_inside_tls => tls.end(stream)?,
            _ => stream.half_close()?,
        }
        input.drain()
    }

    /// Starts a receiver like this.
    ///
    /// # Errors
    /// [`ServerError::Io`] if the system does not let it listen.
    pub fn start(self) -> Result<Server, ServerError> {
        Server::receive(self)
    }
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup").field("is_tls_first", &self.is_tls_first).finish_non_exhaustive()
    }
}
