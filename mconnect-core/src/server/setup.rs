//! How a server is to be.
//!
//! TLS and AUTH are behind two traits here, [`Accept`] and [`Gate`], so that a setup has the same fields in every
//! build: with the features, `server::tls` and `server::auth` put something into them, and without, nothing can.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use super::input::{CLOSE_PATIENCE, Input};
use super::rules::Rule;
use super::{Server, ServerError, failed};
use crate::dialogue::{Dialogue, Values};
use crate::stream::{ChannelBindings, Stream};

/// A server as one wants it: who it says it is, what it offers and demands, whom it refuses. The features `tls` and
/// `auth` add methods.
///
/// | default | changed by |
/// |---|---|
/// | `loopback.mconnect.test` | [`name`](Self::name) |
/// | PIPELINING, SIZE, 8BITMIME, SMTPUTF8, CHUNKING, ENHANCEDSTATUSCODES, HELP | [`extensions`](Self::extensions) |
/// | messages of 100 MiB | [`size_limit`](Self::size_limit) |
/// | every recipient but `refused@` and `later@` | [`refuse`](Self::refuse), [`defer`](Self::defer), [`rule`](Self::rule) |
/// | no TLS | `tls`, `tls_pem`, `tls_with`, `tls_first`, `require_tls` (feature `tls`) |
/// | no AUTH | `auth`, `auth_by`, `require_auth` (feature `auth`) |
/// | 127.0.0.1, a port that the system chooses | [`listener`](Self::listener) |
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
///
/// A clone starts another server with the same settings; one that was given a [`listener`](Self::listener) shares it.
#[derive(Clone)]
#[must_use = "a setup listens once it is started, or plays"]
pub struct Setup {
    /// The server's side of TLS, if there is any.
    pub(super) tls: Option<Arc<dyn Accept>>,
    /// What TLS shows, in PEM, if that is known.
    pub(super) certificate: Option<String>,
    pub(super) is_tls_first: bool,
    /// Each client begins with a PROXY header.
    pub(super) takes_header: bool,
    /// What is not for outside TLS is refused there.
    pub(super) needs_tls: bool,
    /// The server's side of AUTH, if there is any.
    pub(super) auth: Option<Arc<dyn Gate>>,
    pub(super) needs_auth: bool,
    pub(super) name: String,
    /// The lines of the reply to EHLO: a keyword, and its parameters.
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

/// The server's side of TLS. The feature `tls` has the one that there is; a test has another.
pub(super) trait Accept: Send + Sync {
    /// Shakes hands, at most this long, and returns the stream inside TLS, and the version.
    fn accept(&self, stream: Arc<dyn Stream>, patience: Duration) -> io::Result<(Arc<dyn Stream>, String)>;

    /// Ends the connection.
    fn end(&self, stream: &dyn Stream) -> io::Result<()>;
}

/// The server's side of AUTH: who may come in, and how.
pub(super) trait Gate: Send + Sync {
    /// Returns the names of the mechanisms over this channel, as EHLO has them.
    fn mechanisms(&self, channel: &ChannelBindings) -> String;

    /// Begins an exchange; nothing if there is no such mechanism.
    fn begin(&self, mechanism: &[u8], channel: &ChannelBindings) -> Option<Box<dyn Exchange>>;
}

/// One exchange, as a state that goes on with each answer of the client's.
pub(super) trait Exchange {
    /// Says what to do after an answer of the client's, in base64; the first one may be missing.
    fn step(&mut self, answer: Option<&[u8]>) -> Step;

    /// Returns who the client says it is, so far.
    fn user(&self) -> &str;
}

impl dyn Exchange {
    /// Goes through with it: `ask` says a challenge and returns the line that answers it. Returns how it ended; a lone
    /// `*` cancels it ([RFC 4954, section 4](https://www.rfc-editor.org/rfc/rfc4954#section-4)).
    ///
    /// # Errors
    /// Those of `ask`, and [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the client goes in the middle of an
    /// answer.
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

/// What an exchange does next.
#[cfg_attr(not(feature = "auth"), allow(dead_code, reason = "nobody begins an exchange then"))]
pub(super) enum Step {
    /// A challenge, in base64.
    Challenge(String),
    /// It has ended.
    Over(Verdict),
}

/// How an exchange ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(feature = "auth"), allow(dead_code, reason = "nobody begins an exchange then"))]
pub(super) enum Verdict {
    Granted,
    Refused,
    /// An answer was no base64, or has not the form that the mechanism asks for.
    Malformed,
    /// By the client.
    Cancelled,
}

impl Verdict {
    /// Returns the reply that says so ([RFC 4954, section 6](https://www.rfc-editor.org/rfc/rfc4954#section-6)).
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
    /// Begins with what the plain receiver has: the defaults of the table above.
    pub fn new() -> Self {
        Self {
            tls: None,
            certificate: None,
            is_tls_first: false,
            takes_header: false,
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

    /// Says this name in the greeting and in the replies to EHLO and HELO. Nothing is made of it: certificates have
    /// names of their own.
    pub fn name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.name);
        self
    }

    /// Offers these extensions in the reply to EHLO, each a keyword with its parameters, instead of PIPELINING, SIZE,
    /// 8BITMIME, SMTPUTF8, CHUNKING, ENHANCEDSTATUSCODES and HELP; STARTTLS and AUTH come to them by methods of their
    /// own. What is not offered is refused: BDAT without CHUNKING, the parameters of MAIL and RCPT without the
    /// extension that has them. SIZE says the limit.
    ///
    /// One that the receiver knows nothing of is offered all the same, and its parameters, of the same name, are taken:
    ///
    /// ```
    /// use mconnect_core::{Connect, server::Setup};
    ///
    /// let server = Setup::new().extensions(["XCOLOUR red blue"]).start()?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.greeting()?;
    /// session.hello("client.example")?.require()?;
    /// assert!(session.extensions().unwrap().has("XCOLOUR"));
    /// session.command("MAIL FROM:<> XCOLOUR=red")?.require(250)?;
    /// assert_eq!(session.command("BDAT 0 LAST")?.code(), 500);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn extensions<'a>(mut self, extensions: impl IntoIterator<Item = &'a str>) -> Self {
        self.extensions = extensions.into_iter().map(str::to_owned).collect();
        self
    }

    /// Takes messages of at most so many octets, and never more than 100 MiB. A larger one is refused with 552: at
    /// MAIL, if its SIZE says so ([RFC 1870](https://www.rfc-editor.org/rfc/rfc1870)), and otherwise when it has come.
    /// Behind DATA, the octets are counted as they were sent, with the dots that were stuffed and the lone one.
    ///
    /// ```
    /// use mconnect_core::{Connect, server::Setup};
    ///
    /// let server = Setup::new().size_limit(10).start()?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.greeting()?;
    /// session.hello("client.example")?;
    /// assert_eq!(session.extensions().unwrap().size_limit(), Some(10));
    /// session.pipeline(["MAIL FROM:<>", "RCPT TO:<a@example.org>"])?;
    /// let answer = session.message("more than ten octets\n".as_bytes())?;
    /// assert_eq!(answer.reply().code(), 552);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn size_limit(mut self, octets: usize) -> Self {
        self.size_limit = octets.min(LARGEST);
        self
    }

    /// Takes clients that say first whom their connection is from, in the PROXY protocol, version 1 or 2, and no others
    /// ([`Connect::haproxy`](crate::Connect::haproxy)). What was said is in the
    /// [`Transcript`](super::Transcript) of the session. A client that says something else is cut off without a word, and
    /// deviates from a dialogue.
    ///
    /// ```
    /// use mconnect_core::server::Setup;
    /// use mconnect_core::{Connect, ProxyHeader};
    ///
    /// let server = Setup::new().haproxy().start()?;
    /// let connect = Connect::new("127.0.0.1", server.port());
    /// assert!(connect.clone().haproxy(ProxyHeader::local()).open()?.greeting().is_ok());
    /// let mut bare = connect.open()?;
    /// bare.send_line("EHLO client.example")?;
    /// assert!(bare.greeting().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn haproxy(mut self) -> Self {
        self.takes_header = true;
        self
    }

    /// Serves the clients of a socket that listens already, instead of one on 127.0.0.1 with a port that the system
    /// chooses. It is made to block, whatever it did before.
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

    /// Multiplies every deadline of a dialogue by this, the ten seconds for a step included: for a machine that is
    /// slower than the dialogue's. A receiver has none of them.
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

    /// Plays the server's side of a dialogue, as [`Server::play_with`] does, with the certificate that was given here,
    /// or with one that is made for it where the dialogue starts TLS. What the dialogue says takes the place of the
    /// name, the extensions, the rules and the users.
    ///
    /// # Errors
    /// [`ServerError::Syntax`] if the dialogue is one that no server can play, [`ServerError::Io`].
    pub fn play(self, dialogue: &Dialogue, values: &Values) -> Result<Server, ServerError> {
        Server::play_as(self, dialogue, values)
    }

    /// Starts a receiver like this, which serves clients from now on.
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

    /// Says whether an extension is offered, whatever its parameters.
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

    /// Closes so that the client can still read everything: what it has sent is read before, for two seconds at most.
    /// Closing with something unread would make the system send a reset, which may overtake the last reply.
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

/// Who the server says it is unless it is said otherwise; a name below `.test` is nobody's
/// ([RFC 6761, section 6.2](https://www.rfc-editor.org/rfc/rfc6761#section-6.2)).
const NAME: &str = "loopback.mconnect.test";
/// What is offered unless it is said otherwise.
const EXTENSIONS: [&str; 7] = ["PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "CHUNKING", "ENHANCEDSTATUSCODES", "HELP"];
/// The largest message that is taken, in octets.
pub(super) const LARGEST: usize = 100 * 1024 * 1024;
