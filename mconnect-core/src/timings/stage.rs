//! What takes time, and how much.

use std::fmt;
use std::time::Duration;

use crate::protocol::Code;

/// What takes time. [`Display`](fmt::Display) has it in words: `TLS handshake`, `RCPT`, `end of data`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimedStage {
    /// Finding the addresses of a name.
    Resolve,
    /// Connecting to an address, whether or not that succeeded.
    Connect,
    /// The handshake of TLS.
    Tls,
    /// The greeting, from the connection on, or from TLS on where that comes first.
    Greeting,
    /// A command, from its first octet to the end of its reply; BDAT with its chunk. It is named by its verb in
    /// capitals, cut after 16 octets. Of commands that went out together, each but the first from the end of the reply
    /// before.
    Command(String),
    /// The body of a message, from its first octets to its last as they are handed to the system.
    Body,
    /// The reply to a message, from then on.
    EndOfData,
    /// What the server said unasked, which takes no time.
    Unasked,
}

/// How long something took.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timing {
    /// What.
    pub stage: TimedStage,
    /// When it began, counted from the first event, or from the time that
    /// [`Timings::since`](super::Timings::since) was given; of several, when the first did.
    pub start: Duration,
    /// How long it took; of several, all together.
    pub took: Duration,
    /// The code of the reply, if there was one; of several, of the last.
    pub code: Option<Code>,
    /// How many there were: 1, unless it is beyond a hundred timings, where those of one stage are counted together.
    pub count: u64,
}

impl fmt::Display for TimedStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "TLS handshake",
            Self::Greeting => "greeting",
            Self::Command(word) => word,
            Self::Body => "message",
            Self::EndOfData => "end of data",
            Self::Unasked => "unasked",
        })
    }
}
