//! How long each stage of a session may take.

use std::time::Duration;

/// How long each stage may take. The defaults are those of
/// [RFC 5321, section 4.5.3.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.2).
///
/// ```text
///   resolve   connect       greeting        command          data           block           end_of_data   closing
///   ├── connect: all ─┤├─ from opening ─┤├─ from the ─┤├─ DATA to 354 ─┤├─ each write ─┤├─ dot to 250 ─┤├─ 221 to the end
///      attempt: each                        last octet                     that moves on
/// ```
///
/// Each is for the whole of what is awaited, however many pieces it comes in: a server that sends an octet a second does
/// not push it back. All of a session together may have a deadline, too ([`Connect::deadline`](crate::Connect::deadline)).
///
/// ```
/// use std::time::Duration;
/// use mconnect_core::Timeouts;
///
/// let timeouts = Timeouts::default().replies(Duration::from_secs(20)).end_of_data(Duration::from_secs(60));
/// assert_eq!(timeouts.greeting, Duration::from_secs(20));
/// ```
#[doc(alias = "deadline")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timeouts {
    /// Connecting to one address; 30 seconds.
    pub attempt: Duration,
    /// Resolving the name and connecting to its addresses, all together; 2 minutes.
    pub connect: Duration,
    /// The greeting; 5 minutes.
    pub greeting: Duration,
    /// The whole reply to a command; 5 minutes. Also how long the server may be silent after the sending side ended.
    pub command: Duration,
    /// The whole reply to DATA; 2 minutes.
    pub data: Duration,
    /// Each step that writing makes, of a message mostly; 3 minutes.
    pub block: Duration,
    /// The whole reply to the end of a message; 10 minutes.
    pub end_of_data: Duration,
    /// How long the server may take to close after it said that it would; 2 seconds.
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
    /// Sets the time of every reply, and of every step of writing.
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
