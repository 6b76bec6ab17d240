//! What an error says when it is asked: whether to try again, what to do instead, where it happened.

use std::io;

use super::{Action, Context, Error};
use crate::protocol::{Phase, RecipientOutcome, Severity, Unexpected};
use crate::stream::Truncation;

impl Error {
    /// Says whether a deadline passed, or the system gave up waiting: for a reply, for writing, for connecting, for the
    /// resolver; also within a pipeline.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use std::os::unix::net::UnixStream;
    /// use std::time::Duration;
    ///
    /// use mconnect_core::Connect;
    ///
    /// // The other end says nothing.
    /// let (ours, _theirs) = UnixStream::pair()?;
    /// let mut session = Connect::new("nobody", 25).deadline(Duration::from_millis(20)).over(ours);
    /// assert!(session.greeting().unwrap_err().is_timeout());
    /// # }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::Timeout { .. } => true,
            Self::Connect { source, .. } | Self::Resolve { source, .. } => source.kind() == io::ErrorKind::TimedOut,
            Self::Pipeline { source, .. } | Self::Delivery { source, .. } => source.is_timeout(),
            _ => false,
        }
    }

    /// Says whether trying again later may help, as a queue would
    /// ([RFC 5321, section 4.2.1 and 4.5.4.1](https://www.rfc-editor.org/rfc/rfc5321#section-4.2.1)): whatever keeps a
    /// server from answering may pass, and so may a 4yz; a 5yz does not, nor what the caller has to mend. A 552 to RCPT
    /// is a 452 in older words ([section 4.5.3.1.10](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1.10)).
    ///
    /// | | |
    /// |---|---|
    /// | yes | the connection, a deadline, the limits, TLS, certificates that do not prove the server; a resolver that asks to try again; a 4yz, and what is neither grant nor refusal |
    /// | no | no such name, no address of the family that is wanted; a 5yz; the caller's mistakes, `Auth`, a configuration of TLS that cannot be |
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// # session.greeting()?;
    /// # session.hello("client.example")?;
    /// use mconnect_core::Error;
    ///
    /// session.command("MAIL FROM:<>")?.require(250)?;
    /// let later = session.command("RCPT TO:<later@example.org>")?.require(250).unwrap_err();
    /// assert!(Error::from(later).is_temporary());
    /// let never = session.command("RCPT TO:<refused@example.org>")?.require(250).unwrap_err();
    /// assert!(!Error::from(never).is_temporary());
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "retry")]
    #[doc(alias = "transient")]
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Resolve { is_temporary, .. } => *is_temporary,
            Self::Connect { attempts, .. } => !attempts.is_empty(),
            Self::Unexpected(Unexpected { reply, .. }) => match reply.code().severity() {
                Severity::Transient | Severity::Permanent => RecipientOutcome::of(reply) == RecipientOutcome::Temporary,
                _ => !reply.is_granted(),
            },
            Self::Pipeline { source, .. } | Self::Delivery { source, .. } => source.is_temporary(),
            Self::Tls { source, .. } => source.kind() != io::ErrorKind::InvalidInput,
            Self::Io { .. }
            | Self::Timeout { .. }
            | Self::Closed { .. }
            | Self::Aborted { .. }
            | Self::Limit { .. }
            | Self::OtherProtocol { .. }
            | Self::Surprise { .. }
            | Self::Injection { .. }
            | Self::Untrusted { .. }
            | Self::Message { .. }
            | Self::Unfinished { .. } => true,
            Self::Address { .. }
            | Self::OutOfStep { .. }
            | Self::LineBreak { .. }
            | Self::Need { .. }
            | Self::Auth { .. } => false,
        }
    }

    /// Returns what to do instead, where the mistake is the caller's: one line, which names the method. `None` for what
    /// is nobody's here.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// let error = session.command("NOOP").unwrap_err();
    /// assert!(error.to_string().ends_with("(greeting phase): 1 earlier reply is still due"));
    /// assert_eq!(error.hint(), Some("read the greeting first (Session::greeting)"));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "help")]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::OutOfStep { context, outstanding } => Some(match (context.phase, outstanding) {
                (Phase::Greeting, 1..) => "read the greeting first (Session::greeting)",
                (_, 1..) => {
                    "read the replies that are due first (Session::read_reply), or send a group (Session::pipeline)"
                }
                (Phase::Body, 0) => "the server waits for a message (Session::message)",
                (Phase::Chunk { .. }, 0) => "the server waits for the rest of a chunk (Session::send)",
                (Phase::StartTls, 0) => "the server waits for a handshake (Session::upgrade)",
                (_, 0) if context.action == Action::ReadReply => "the greeting is the first reply, and comes once",
                _ => return None,
            }),
            Self::Injection { context, .. } if context.phase != Phase::StartTls => {
                Some("TLS from the first byte begins before anything else is read")
            }
            Self::LineBreak { .. } => {
                Some("a line ends by itself: send several one by one, or in a group (Session::pipeline)")
            }
            Self::Message { .. } | Self::Unfinished { .. } => {
                Some("close the session, so that half a message is not delivered (Session::reset)")
            }
            Self::Tls { source, .. } if source.kind() == io::ErrorKind::Unsupported => {
                Some("only a session inside TLS can end it")
            }
            Self::Need { .. } => {
                Some("parameters of MAIL that say so are sent, whatever was offered (Envelope::parameter)")
            }
            Self::Pipeline { source, .. } | Self::Delivery { source, .. } => source.hint(),
            _ => None,
        }
    }

    /// Returns the error and its causes on one line, `a: b: c`, without the numbers that systems have for theirs.
    ///
    /// ```
    /// use mconnect_core::Connect;
    ///
    /// // Nobody listens there.
    /// let nobody = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    /// let error = Connect::new("127.0.0.1", nobody.port()).open().unwrap_err();
    /// assert!(error.chain().starts_with("cannot connect to 127.0.0.1, port "));
    /// assert!(error.chain().ends_with(": Connection refused"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[doc(alias = "source")]
    #[doc(alias = "cause")]
    pub fn chain(&self) -> String {
        chain(self)
    }

    /// Returns how the connection ended, if that was inside TLS and without the farewell that TLS has. Many servers do
    /// so after QUIT; before that, what came last may have been cut short, by anybody on the way.
    pub fn truncation(&self) -> Option<Truncation> {
        match self {
            Self::Io { source, .. } => Truncation::of(source),
            _ => None,
        }
    }

    /// Says whether the connection ended without the farewell that TLS has, also of a stream of one's own that fails
    /// with [`UnexpectedEof`](io::ErrorKind::UnexpectedEof): what came before may have been cut short.
    #[must_use]
    pub fn is_truncation(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::UnexpectedEof)
    }

    /// Says whether anything had been sent to the server before: if not, another server of the same name may be tried,
    /// and nobody gets a message twice. A mistake of the caller's, after which nothing was sent either, does not change
    /// that.
    #[must_use]
    pub fn has_sent(&self) -> bool {
        match self {
            Self::Pipeline { .. } | Self::Delivery { .. } | Self::Unexpected(_) => true,
            _ => self.context().is_some_and(|context| context.has_sent),
        }
    }

    /// Returns what was being done, if there was a session: for a program that shows its errors in another way.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::protocol::{Phase, Request};
    /// use mconnect_core::{Action, Connect, server::Server};
    ///
    /// let server = Server::play("S: 220 hi\nC: NOOP\nS: *close*")?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.greeting()?;
    /// let error = session.command("NOOP").unwrap_err();
    /// let context = error.context().ok_or("there was a session")?;
    /// assert_eq!((context.action, context.phase), (Action::ReadReply, Phase::Command));
    /// let awaited = context.awaited.as_ref().ok_or("a reply was due")?;
    /// assert_eq!((awaited.request, awaited.command.as_deref()), (Request::Other, Some("NOOP")));
    /// # drop(session);
    /// # server.join()?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn context(&self) -> Option<&Context> {
        match self {
            Self::Io { context, .. }
            | Self::Timeout { context, .. }
            | Self::Closed { context, .. }
            | Self::Aborted { context }
            | Self::Limit { context, .. }
            | Self::OtherProtocol { context, .. }
            | Self::OutOfStep { context, .. }
            | Self::Surprise { context, .. }
            | Self::LineBreak { context }
            | Self::Tls { context, .. }
            | Self::Injection { context, .. }
            | Self::Untrusted { context, .. }
            | Self::Auth { context, .. }
            | Self::Message { context, .. }
            | Self::Need { context, .. }
            | Self::Unfinished { context } => Some(context),
            Self::Pipeline { source, .. } | Self::Delivery { source, .. } => source.context(),
            Self::Address { .. } | Self::Resolve { .. } | Self::Connect { .. } | Self::Unexpected(_) => None,
        }
    }
}

/// Returns any error and its causes on one line, as [`Error::chain`] does.
///
/// ```
/// use mconnect_core::chain;
///
/// let error = std::fs::read("/no/such/file").unwrap_err();
/// assert_eq!(chain(&error), "No such file or directory");
/// ```
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut chain = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let words = error.to_string();
        let words = without_number(&words);
        let words = words.strip_prefix("failed to lookup address information: ").unwrap_or(words);
        chain.push_str(if chain.is_empty() { "" } else { ": " });
        chain.push_str(words);
        next = error.source();
    }
    chain
}

/// Cuts off the ` (os error 2)` that the standard library puts behind what the system says. A reply may say the same, of
/// the server's system, and keeps it.
fn without_number(words: &str) -> &str {
    let is_number = |end: &str| end.strip_suffix(')').is_some_and(|number| number.parse::<i32>().is_ok());
    words.rsplit_once(" (os error ").filter(|(_, end)| is_number(end)).map_or(words, |(words, _)| words)
}
