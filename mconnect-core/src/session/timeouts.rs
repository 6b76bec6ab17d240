//! How long each stage of a session may take.

use std::time::Duration;

/// How long each stage may take. The defaults are those of
/// [RFC 5321, section 4.5.3.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.2), where it names one.
///
/// ```text
///   resolve   connect       greeting        command          data           block           end_of_data   closing
///   ├── connect: all ─┤├─ from reading ─┤├─ from the ─┤├─ DATA to 354 ─┤├─ each write ─┤├─ dot to 250 ─┤├─ 221 to the end
///      attempt: each                        last octet                     that moves on
/// ```
///
/// | field | default | what waits | RFC 5321 |
/// |---|---|---|---|
/// | [`attempt`](Self::attempt) | 30 s | connecting to one address | |
/// | [`connect`](Self::connect) | 2 min | resolving, and all attempts together | |
/// | [`greeting`](Self::greeting) | 5 min | the 220 | [4.5.3.2.1](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.2.1) |
/// | [`command`](Self::command) | 5 min | the reply to MAIL, RCPT and all other commands; the handshake after STARTTLS | [4.5.3.2.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.2.2), [.3](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.2.3) |
/// | [`data`](Self::data) | 2 min | the 354 | [4.5.3.2.4](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.2.4) |
/// | [`block`](Self::block) | 3 min | each step of writing | [4.5.3.2.5](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.2.5) |
/// | [`end_of_data`](Self::end_of_data) | 10 min | the 250 to the message, or to a chunk of BDAT | [4.5.3.2.6](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.2.6) |
/// | [`closing`](Self::closing) | 2 s | the server's end of the connection | |
///
/// Each is for the whole of what is awaited, however many pieces it comes in: a server that sends an octet a second
/// does not push it back. All of a session together may have a deadline, too
/// ([`Connect::deadline`](crate::Connect::deadline)). A time too long to be added to the clock (`Duration::MAX`) is
/// none.
///
/// ```
/// use std::time::Duration;
/// use mconnect_core::Timeouts;
///
/// let timeouts = Timeouts::default().replies(Duration::from_secs(20)).end_of_data(Duration::from_secs(60));
/// assert_eq!(timeouts.greeting, Duration::from_secs(20));
/// assert_eq!((timeouts.end_of_data, timeouts.closing), (Duration::from_secs(60), Duration::from_secs(2)));
/// ```
///
/// What the caller takes for its own part is not counted: reading the message to be sent, or thinking between two
/// commands. A server has its own patience with that
/// ([section 4.5.3.2.7](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.2.7): 5 minutes at least).
#[doc(alias = "deadline")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// Connecting to one address; 30 seconds. It is cut short by what is left of [`connect`](Self::connect).
    pub attempt: Duration,
    /// Resolving the name and connecting to its addresses, all together; 2 minutes.
    pub connect: Duration,
    /// The greeting, counted from when it is read for; 5 minutes.
    pub greeting: Duration,
    /// The whole reply to a command; 5 minutes. Also the handshake after STARTTLS, and how long the server may be
    /// silent where no reply is due.
    pub command: Duration,
    /// The whole reply to DATA; 2 minutes.
    pub data: Duration,
    /// Each step that writing makes, of a message mostly; 3 minutes. A server that takes a little now and then does not
    /// meet it.
    pub block: Duration,
    /// The whole reply to the end of a message, and to a chunk of BDAT; 10 minutes. Too short a time here is how
    /// messages come to be delivered twice.
    pub end_of_data: Duration,
    /// How long the server may take to close after it said that it would; 2 seconds. Also how long its last word is
    /// waited for after a write has failed.
    pub closing: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            attempt: Duration::from_secs(30),
            connect: Duration::from_secs(2 * 60),
            greeting: Duration::from_secs(5 * 60),
            command: Duration::from_secs(5 * 60),
            data: Duration::from_secs(2 * 60),
            block: Duration::from_secs(3 * 60),
            end_of_data: Duration::from_secs(10 * 60),
            closing: Duration::from_secs(2),
        }
    }
}

impl Timeouts {
    /// Sets the time of every reply, and of every step of writing: all but [`attempt`](Self::attempt),
    /// [`connect`](Self::connect) and [`closing`](Self::closing).
    #[must_use]
    pub fn replies(self, timeout: Duration) -> Self {
        Self { greeting: timeout, command: timeout, data: timeout, block: timeout, end_of_data: timeout, ..self }
    }

    /// Sets how long connecting to one address may take.
    #[must_use]
    pub fn attempt(self, timeout: Duration) -> Self {
        Self { attempt: timeout, ..self }
    }

    /// Sets how long resolving the name and connecting to its addresses may take, all together.
    #[must_use]
    pub fn connect(self, timeout: Duration) -> Self {
        Self { connect: timeout, ..self }
    }

    /// Sets how long the greeting may take.
    #[must_use]
    pub fn greeting(self, timeout: Duration) -> Self {
        Self { greeting: timeout, ..self }
    }

    /// Sets how long the whole reply to a command may take.
    #[must_use]
    pub fn command(self, timeout: Duration) -> Self {
        Self { command: timeout, ..self }
    }

    /// Sets how long the whole reply to DATA may take.
    #[must_use]
    pub fn data(self, timeout: Duration) -> Self {
        Self { data: timeout, ..self }
    }

    /// Sets how long each step that writing makes may take.
    #[must_use]
    pub fn block(self, timeout: Duration) -> Self {
        Self { block: timeout, ..self }
    }

    /// Sets how long the whole reply to the end of a message may take.
    #[must_use]
    pub fn end_of_data(self, timeout: Duration) -> Self {
        Self { end_of_data: timeout, ..self }
    }

    /// Sets how long the server may take to close after it said that it would.
    #[must_use]
    pub fn closing(self, timeout: Duration) -> Self {
        Self { closing: timeout, ..self }
    }
}
