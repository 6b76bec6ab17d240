//! How a server is to be.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use super::input::{CLOSE_PATIENCE, Input};
use super::rules::Rule;
use super::{Server, ServerError, failed};
use crate::dialogue::{Dialogue, Values};
use crate::stream::{ChannelBindings, Stream};

/// A server as one wants it: who it says it is, what it offers and demands, whom it refuses. The features `tls` and `auth`
/// add methods.
///
/// ```
/// use mconnect_core::{Connect, server::Setup};
///
/// let server = Setup::new()
///     .name("mx.example.org")
///     .extensions(["PIPELINING", "SIZE", "DSN"])
///     .size_limit(1000)
///     .refuse("*@example.net")
///     .start()?;
///
/// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
/// session.read_reply()?.require(220)?;
/// let hello = session.command("EHLO client.example")?;
/// assert_eq!(hello.to_string(), "250-mx.example.org / 250-PIPELINING / 250-SIZE 1000 / 250 DSN");
/// assert_eq!(session.command("MAIL FROM:<> SIZE=1001")?.code(), 552);
/// session.command("MAIL FROM:<> RET=HDRS")?.require(250)?;
/// assert_eq!(session.command("RCPT TO:<anybody@example.net>")?.code(), 550);
/// session.command("RCPT TO:<b@example.org> NOTIFY=NEVER")?.require(250)?;
/// session.message("hello\n".as_bytes())?.require(250)?;
/// session.quit()?;
/// assert_eq!(server.messages()[0].recipients[0].parameter("NOTIFY"), Some("NEVER"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "a setup listens once it is started, or plays"]
pub struct Setup {
    pub(super) tls: Option<Arc<dyn Accept>>,
    /// What TLS shows, in PEM, if that is known.
    pub(super) certificate: Option<String>,
    pub(super) is_tls_first: bool,
    pub(super) needs_tls: bool,
    pub(super) auth: Option<Arc<dyn Gate>>,
    pub(super) needs_auth: bool,
    pub(super) name: String,
    pub(super) extensions: Vec<String>,
    /// The largest message that is taken, in octets.
    pub(super) size_limit: usize,
    pub(super) rules: Vec<Rule>,
    pub(super) listener: Option<Arc<TcpListener>>,
    /// What the deadlines of a dialogue are multiplied by.
    pub(super) factor: f64,
    /// A dialogue is played again and again.
    pub(super) goes_on: bool,
}

/// The server's side of TLS.
pub(super) trait Accept: Send + Sync {
    /// Shakes hands, at most this long, and returns the stream inside TLS, and the version.
    fn accept(&self, stream: Arc<dyn Stream>, patience: Duration) -> io::Result<(Arc<dyn Stream>, String)>;

    /// Ends the connection.
    fn end(&self, stream: &dyn Stream) -> io::Result<()>;
}

/// The server's side of AUTH.
pub(super) trait Gate: Send + Sync {
    /// Returns the names of the mechanisms over this channel, as EHLO has them.
    fn mechanisms(&self, channel: &ChannelBindings) -> String;

    /// Begins an exchange; nothing if there is no such mechanism.
    fn begin(&self, mechanism: &[u8], channel: &ChannelBindings) -> Option<Box<dyn Exchange>>;
}

/// One exchange.
pub(super) trait Exchange {
    /// Says what to do after an answer of the client's, in base64; the first one may be missing.
    fn step(&mut self, answer: Option<&[u8]>) -> Step;

    /// Returns who the client says it is, so far.
    fn user(&self) -> &str;
}

impl dyn Exchange {
    /// Goes through with it: `ask` says a challenge and returns the line that answers it. Returns how it ended.
    pub(super) fn run(
        &mut self,
        initial: Option<Vec<u8>>,
        mut ask: impl FnMut(&str) -> io::Result<Vec<u8>>,
    ) -> io::Result<Verdict> {
        let mut answer = initial;
        loop {
            let challenge = match self.step(answer.as_deref()) {
                Step::Challenge(challenge) => challenge,
                Step::Over(verdict) => return Ok(verdict),
            };
            let line = ask(&format!("334 {challenge}"))?;
            match line.trim_ascii() {
                _ if !line.ends_with(b"\n") => return Err(io::ErrorKind::UnexpectedEof.into()),
                b"*" => return Ok(Verdict::Cancelled),
                line => answer = Some(line.to_vec()),
            }
        }
    }
}

#[cfg_attr(not(feature = "auth"), allow(dead_code, reason = "nobody begins an exchange then"))]
pub(super) enum Step {
    /// A challenge, in base64.
    Challenge(String),
    Over(Verdict),
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "auth"), allow(dead_code, reason = "nobody begins an exchange then"))]
pub(super) enum Verdict {
    Granted,
    Refused,
    Malformed,
    /// By the client.
    Cancelled,
}

impl Verdict {
    /// Returns the reply that says so.
    pub(super) fn reply(self) -> &'static str {
        match self {
            Self::Granted => "235 2.7.0 welcome",
            Self::Refused => "535 5.7.8 wrong user or password",
            Self::Malformed => "501 5.5.2 that is no answer",
            Self::Cancelled => "501 5.7.0 cancelled",
        }
    }
}

impl Setup {
    /// Begins with what the plain receiver has.
    pub fn new() -> Self {
        Self {
            tls: None,
            certificate: None,
            is_tls_first: false,
            needs_tls: false,
            auth: None,
            needs_auth: false,
            name: NAME.to_owned(),
            extensions: EXTENSIONS.map(str::to_owned).to_vec(),
            size_limit: LARGEST,
            rules: Vec::new(),
            listener: None,
            factor: 1.0,
            goes_on: false,
        }
    }

    /// Says this name in the greeting and in the replies to EHLO and HELO.
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Offers these extensions in the reply to EHLO, instead of PIPELINING, SIZE, 8BITMIME, SMTPUTF8, CHUNKING,
    /// ENHANCEDSTATUSCODES and HELP; STARTTLS and AUTH come to them by methods of their own. What is not offered is refused:
    /// BDAT without CHUNKING, the parameters of MAIL and RCPT without the extension that has them. SIZE says the limit.
    pub fn extensions<'a>(mut self, extensions: impl IntoIterator<Item = &'a str>) -> Self {
        self.extensions = extensions.into_iter().map(str::to_owned).collect();
        self
    }

    /// Takes messages of at most so many octets, and never more than 100 MiB.
    pub fn size_limit(mut self, octets: usize) -> Self {
        self.size_limit = octets.min(LARGEST);
        self
    }

    /// Serves the clients of a socket that listens already, instead of one on 127.0.0.1 with a port that the system chooses.
    ///
    /// ```
    /// use std::net::{Ipv4Addr, TcpListener};
    /// use mconnect_core::server::Setup;
    ///
    /// let listener = TcpListener::bind(("::1", 0))?;
    /// let address = listener.local_addr()?;
    /// let server = Setup::new().listener(listener).start()?;
    /// assert_eq!(server.address(), address);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn listener(mut self, listener: TcpListener) -> Self {
        self.listener = Some(Arc::new(listener));
        self
    }

    /// Multiplies every deadline of a dialogue by this: for a machine that is slower than the dialogue's.
    pub fn scale(mut self, factor: f64) -> Self {
        self.factor = factor;
        self
    }

    /// Plays a dialogue again and again, until the server is joined or dropped: after its last session comes the first.
    /// Of what the clients say nothing is kept but where they deviate: [`Server::wait_for_failure`].
    ///
    /// ```
    /// use std::time::Duration;
    /// use mconnect_core::{Connect, server::Setup};
    ///
    /// let dialogue = "S: 220 hello\nC: QUIT\nS: 221 bye".parse()?;
    /// let server = Setup::new().again_and_again().play(&dialogue, &Default::default())?;
    /// for command in ["QUIT", "NOOP"] {
    ///     let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    ///     session.read_reply()?.require(220)?;
    ///     session.send_line(command)?;
    /// }
    /// let failure = server.wait_for_failure(Duration::from_secs(10)).expect("NOOP is not QUIT");
    /// assert!(failure.to_string().starts_with("line 2 of the dialogue: expected `C: QUIT`, got `NOOP"));
    /// server.join()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn again_and_again(mut self) -> Self {
        self.goes_on = true;
        self
    }

    /// Plays the server's side of a dialogue, as [`Server::play_with`] does, with the certificate that was given here, or
    /// with one that is made for it.
    ///
    /// # Errors
    /// [`ServerError::Syntax`] if the dialogue is one that no server can play, [`ServerError::Io`].
    pub fn play(self, dialogue: &Dialogue, values: &Values) -> Result<Server, ServerError> {
        Server::play_as(self, dialogue, values)
    }

    /// Starts a receiver like this.
    ///
    /// # Errors
    /// [`ServerError::Io`] if the system does not let it listen.
    pub fn start(self) -> Result<Server, ServerError> {
        Server::receive(self)
    }

    /// Returns the socket that it is to listen on.
    pub(super) fn take_listener(&mut self) -> Result<Arc<TcpListener>, ServerError> {
        let listening = failed("listen");
        let listener = match self.listener.take() {
            Some(listener) => listener,
            None => Arc::new(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(listening)?),
        };
        listener.set_nonblocking(false).map_err(listening)?;
        Ok(listener)
    }

    /// Says whether an extension is offered.
    pub(super) fn offers(&self, extension: &str) -> bool {
        let is_it = |line: &String| line.split(' ').next().is_some_and(|word| word.eq_ignore_ascii_case(extension));
        self.extensions.iter().any(is_it)
    }

    /// Returns the lines of the reply to EHLO but those of STARTTLS and AUTH, after the first.
    pub(super) fn offered(&self) -> impl Iterator<Item = String> {
        self.extensions.iter().map(|line| match line.eq_ignore_ascii_case("SIZE") {
            true => format!("SIZE {}", self.size_limit),
            false => line.clone(),
        })
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

const NAME: &str = "loopback.mconnect.test";
/// What is offered unless it is said otherwise.
const EXTENSIONS: [&str; 7] = ["PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "CHUNKING", "ENHANCEDSTATUSCODES", "HELP"];
/// The largest message that is taken, in octets.
pub(super) const LARGEST: usize = 100 * 1024 * 1024;
