//! How much a server may send.

/// How much a server may send for one line and one reply.
///
/// The defaults are far above what [RFC 5321, section 4.5.3.1](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1)
/// asks for (512 octets a line), and small enough that a hostile server cannot fill the memory.
///
/// | | default | what is over it |
/// |---|---|---|
/// | [`line`](Self::line) | 65,536 octets | comes in pieces, line by line; in a reply it is [`LimitExceeded::Line`] |
/// | [`lines`](Self::lines) | 10,000 | [`LimitExceeded::Lines`] |
/// | [`reply`](Self::reply) | 4 MiB | [`LimitExceeded::Reply`] |
///
/// ```
/// use mconnect_core::protocol::Limits;
///
/// let limits = Limits::default().lines(100).reply(64 * 1024);
/// assert_eq!((limits.line, limits.lines, limits.reply), (65_536, 100, 65_536));
/// assert_eq!((limits.line(512).line, limits.line(512).lines), (512, 100));
/// ```
///
/// [`Connect::limits`](crate::Connect::limits) has a session keep them:
///
/// ```
/// # #[cfg(feature = "server")] {
/// use mconnect_core::protocol::{LimitExceeded, Limits};
/// use mconnect_core::{Connect, Error, server::Server};
///
/// let server = Server::play("S: 220-one\nS: 220-two\nS: 220 three\nC: *close*")?;
/// let connect = Connect::new("127.0.0.1", server.port()).limits(Limits::default().lines(2));
/// match connect.open()?.greeting() {
///     Err(Error::Limit { source: LimitExceeded::Lines(2), partial, .. }) => {
///         assert_eq!(partial, b"220-one\r\n220-two\r\n");
///     }
///     other => panic!("{other:?}"),
/// }
/// # server.join()?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "max")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Octets in a line, its end included; 65,536 by default. A longer line comes in pieces of this size.
    pub line: usize,
    /// Lines in a reply; 10,000 by default.
    pub lines: usize,
    /// Octets in a reply; 4 MiB by default.
    pub reply: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { line: 64 * 1024, lines: 10_000, reply: 4 * 1024 * 1024 }
    }
}

impl Limits {
    /// Sets how many octets a line may have, its end included.
    #[must_use]
    pub fn line(self, octets: usize) -> Self {
        Self { line: octets, ..self }
    }

    /// Sets how many lines a reply may have.
    #[must_use]
    pub fn lines(self, lines: usize) -> Self {
        Self { lines, ..self }
    }

    /// Sets how many octets a reply may have.
    #[must_use]
    pub fn reply(self, octets: usize) -> Self {
        Self { reply: octets, ..self }
    }
}

/// A reply went over one of the [`Limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitExceeded {
    /// A line is longer than this many octets.
    #[error("a line is longer than {0} octets")]
    Line(usize),
    /// A reply has more lines than this.
    #[error("the reply has more than {0} lines")]
    Lines(usize),
    /// A reply is longer than this many octets.
    #[error("the reply is longer than {0} octets")]
    Reply(usize),
}
