//! What came, as values for a test to compare, which read as a session does where an assertion fails.
//!
//! All of them have their fields in the open and [`Debug`](fmt::Debug) for people: what a failed `assert_eq!` shows is
//! the message, or the session, line by line, with control characters made visible.

use std::borrow::Cow;
use std::fmt;

use crate::dialogue::Side;
use crate::protocol::Visible;
use crate::proxy_header::ProxyHeader;

/// A message that the server accepted.
///
/// ```
/// use mconnect_core::{Connect, server::Server};
///
/// let server = Server::start()?;
/// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
/// session.read_reply()?.require(220)?;
/// session.command("EHLO client.example")?.require(250)?;
/// session.command("MAIL FROM:<a@example.org> SIZE=20")?.require(250)?;
/// session.command("RCPT TO:<b@example.org>")?.require(250)?;
/// session.message("Subject: hello\n\nIt works.\n".as_bytes())?.require(250)?;
/// session.quit()?;
///
/// let message = &server.messages()[0];
/// assert_eq!(message.sender, "a@example.org");
/// assert_eq!(message.sender.parameter("SIZE"), Some("20"));
/// assert_eq!(message.recipients, ["b@example.org"]);
/// assert_eq!(message.text(), "Subject: hello\r\n\r\nIt works.\r\n");
/// assert_eq!((&message.user, &message.tls), (&None, &None));
/// assert_eq!(
///     format!("{message:?}"),
///     "MAIL FROM:<a@example.org> SIZE=20\nRCPT TO:<b@example.org>\n\nSubject: hello\n\nIt works.\n"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Message {
    /// The session that it came in, counted from 0: its [`Transcript`] is at this place in
    /// [`Server::sessions`](super::Server::sessions).
    pub session: usize,
    /// The reverse-path, with the parameters of MAIL; of a dialogue that is played, an empty one.
    pub sender: Path,
    /// The forward-paths of the recipients that were accepted, each with the parameters of its RCPT; of a dialogue that
    /// is played, none.
    pub recipients: Vec<Path>,
    /// The content, dots unstuffed ([RFC 5321, section 4.5.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.2)),
    /// line ends as they were sent; that of chunks is put together.
    pub content: Vec<u8>,
    /// Who had authenticated, by the name that AUTH proved.
    pub user: Option<String>,
    /// The version of TLS that it came in, `TLS 1.3`; `None` in the clear.
    pub tls: Option<String>,
}

/// A path of the envelope: what stood between the angle brackets of MAIL or RCPT, and the parameters behind them ([RFC
/// 5321, section 4.1.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.1.2)). It equals a text or bytes that are its
/// address, so that a test compares it as it is written; of its parameters, nothing is said by that.
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Path {
    /// The address, as it was written; empty for the null reverse-path. It is not checked, and need not be UTF-8.
    pub address: Vec<u8>,
    /// The parameters, as they were written and in their order: `SIZE=20`. What is no UTF-8 in them is replaced.
    pub parameters: Vec<String>,
}

/// What was said in one session: the client's commands and the server's replies, in order. Of what a body holds, and of
/// octets that `*octets*` stands for, there is nothing; passwords are `[hidden]`.
///
/// ```
/// use mconnect_core::{Connect, server::Server};
///
/// let server = Server::start()?;
/// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
/// session.read_reply()?.require(220)?;
/// session.command("HELO client.example")?.require(250)?;
/// session.quit()?;
///
/// let transcript = &server.sessions()[0];
/// assert_eq!(transcript.commands(), ["HELO client.example", "QUIT"]);
/// assert_eq!(
///     format!("{transcript:?}"),
///     "S: 220 loopback.mconnect.test ESMTP mconnect loopback server\n\
///      C: HELO client.example\nS: 250 loopback.mconnect.test\nC: QUIT\nS: 221 2.0.0 goodbye\n"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transcript {
    /// The lines, in the order in which the server heard and said them: in a pipelined group, all commands that were
    /// there come before the replies, which go out together.
    pub lines: Vec<Said>,
    /// Who authenticated last.
    pub user: Option<String>,
    /// The version of TLS that was started last, `TLS 1.3`, though it may have ended since.
    pub tls: Option<String>,
    /// Whom the connection was said to be from ([`Setup::haproxy`](super::Setup::haproxy)).
    pub proxied: Option<ProxyHeader>,
}

/// A line of a session, without its end. [`Debug`](fmt::Debug) shows it as a dialogue has it: `C: QUIT`.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Said {
    /// Who said it.
    pub side: Side,
    /// The line, `[hidden]` in the place of a secret.
    pub line: Vec<u8>,
}

impl Message {
    /// Returns the content as text, line ends as they were sent; what is no UTF-8 is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.content)
    }
}

impl Path {
    /// Returns the address as text; what is no UTF-8 is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.address)
    }

    /// Returns the value of a parameter, empty if it has none; `None` if it was not given. Case does not matter in its
    /// name ([RFC 5321, section 2.4](https://www.rfc-editor.org/rfc/rfc5321#section-2.4)), and of several, the first
    /// counts.
    ///
    /// ```
    /// # use mconnect_core::{Connect, server::Server};
    /// # let server = Server::start()?;
    /// # let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// # session.greeting()?;
    /// # session.command("EHLO x")?;
    /// session.pipeline(["MAIL FROM:<> body=8BITMIME SMTPUTF8", "RCPT TO:<a@example.org>", "DATA"])?;
    /// # session.send(b"hi\r\n.\r\n")?;
    /// # session.read_reply()?;
    /// let message = &server.messages()[0];
    /// assert_eq!(message.sender.parameter("BODY"), Some("8BITMIME"));
    /// assert_eq!(message.sender.parameter("smtputf8"), Some(""));
    /// assert_eq!(message.sender.parameter("SIZE"), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find_map(|parameter| {
            let (its, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            its.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

impl Transcript {
    /// Returns the lines that the client said, in order; answers in AUTH are `[hidden]`, and what is no UTF-8 is
    /// replaced.
    pub fn commands(&self) -> Vec<Cow<'_, str>> {
        self.lines.iter().filter(|said| said.side == Side::Client).map(Said::text).collect()
    }
}

impl Said {
    /// Returns the line as text; what is no UTF-8 is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.line)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        head(f, &self.tls, &self.user)?;
        writeln!(f, "MAIL FROM:{:?}", self.sender)?;
        self.recipients.iter().try_for_each(|recipient| writeln!(f, "RCPT TO:{recipient:?}"))?;
        writeln!(f)?;
        self.content.split_inclusive(|byte| *byte == b'\n').try_for_each(|line| writeln!(f, "{}", shown(line)))
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}>", Visible(&self.address))?;
        self.parameters.iter().try_for_each(|parameter| write!(f, " {}", Visible(parameter.as_bytes())))
    }
}

impl fmt::Debug for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        head(f, &self.tls, &self.user)?;
        self.lines.iter().try_for_each(|said| writeln!(f, "{said:?}"))
    }
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.side == Side::Client { 'C' } else { 'S' };
        write!(f, "{mark}: {}", Visible(&self.line))
    }
}

impl PartialEq<[u8]> for Path {
    fn eq(&self, address: &[u8]) -> bool {
        self.address == address
    }
}

impl<const N: usize> PartialEq<&[u8; N]> for Path {
    fn eq(&self, address: &&[u8; N]) -> bool {
        self == &address[..]
    }
}

impl PartialEq<str> for Path {
    fn eq(&self, address: &str) -> bool {
        self == address.as_bytes()
    }
}

impl PartialEq<&str> for Path {
    fn eq(&self, address: &&str) -> bool {
        self == address.as_bytes()
    }
}

/// Says first, as a comment of a dialogue, what was agreed before.
fn head(f: &mut fmt::Formatter<'_>, tls: &Option<String>, user: &Option<String>) -> fmt::Result {
    if let Some(version) = tls {
        writeln!(f, "# {version}")?;
    }
    match user {
        Some(user) => writeln!(f, "# authenticated as {}", Visible(user.as_bytes())),
        None => Ok(()),
    }
}

/// Makes a line visible, without its end, of whichever kind that is.
fn shown(line: &[u8]) -> Visible<'_> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    Visible(line.strip_suffix(b"\r").unwrap_or(line))
}
