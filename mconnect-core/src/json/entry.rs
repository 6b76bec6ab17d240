//! What a journal holds.

use std::net::IpAddr;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use serde::Serialize;

use crate::diagnosis::Finding;
use crate::protocol::{Code, EnhancedCode, Flaws, Phase, Recipient, RecipientOutcome, Reply, Request};
use crate::timings::Timing;
use crate::tls_info::Info;

/// Something that happened, and when.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Entry<'a> {
    /// [`VERSION`](super::VERSION).
    pub version: u32,
    /// Which session it happened to, counted from 1; 0 if to none.
    pub session: u32,
    /// When, by the clock on the wall, in UTC: `2026-11-23T03:05:13.000042Z`.
    pub time: String,
    /// When, in microseconds since the journal began, by a clock that never goes back.
    pub since_us: u64,
    /// What.
    #[serde(flatten)]
    pub happening: Happening<'a>,
}

/// What happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
#[allow(missing_docs, reason = "docs/json.md has every field")]
pub enum Happening<'a> {
    /// A name is being resolved.
    Resolving { host: &'a str },
    /// It was resolved, or could not be.
    Resolved {
        host: &'a str,
        addresses: Vec<IpAddr>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// An address is being connected to.
    Attempt { host: &'a str, address: Option<IpAddr>, port: Option<u16> },
    /// It could not be connected to.
    AttemptFailed { host: &'a str, address: Option<IpAddr>, port: Option<u16>, error: String, has_next: bool },
    /// The connection is open.
    Connected { host: &'a str, address: Option<IpAddr>, port: Option<u16> },
    /// A line of a command was sent, or a part of a body.
    Sent {
        phase: Phase,
        octets: u64,
        #[serde(skip_serializing_if = "is_zero")]
        hidden_octets: u64,
        #[serde(flatten)]
        text: LossyText,
    },
    /// A whole reply came.
    Reply {
        #[serde(flatten)]
        reply: KeptReply,
        took_us: Option<u64>,
    },
    /// Bytes came in raw mode.
    Received {
        octets: u64,
        #[serde(flatten)]
        text: LossyText,
    },
    /// The session went to another phase.
    Phase {
        phase: Phase,
        /// Of a chunk: how many octets are to come.
        #[serde(skip_serializing_if = "Option::is_none")]
        left: Option<u64>,
    },
    /// TLS was started: what follows is inside it.
    TlsStarted {},
    /// TLS was ended: what follows is in the clear again.
    TlsEnded {},
    /// What TLS agreed on, and what the server showed.
    Tls(&'a Info),
    /// The sending side was ended.
    HalfClosed {},
    /// A step of a dialogue has its outcome.
    Expectation {
        file: Option<&'a str>,
        line: usize,
        expected: &'a str,
        got: &'a str,
        outcome: &'static str,
        took_us: u64,
    },
    /// What came of a message for a recipient.
    Recipient { address: &'a str, outcome: &'static str, reply: Option<&'a Reply>, final_reply: Option<&'a Reply> },
    /// Why the session failed.
    Finding(&'a Finding),
    /// The session is over.
    Closed {
        by: &'static str,
        /// Lines of a reply that never came to its end.
        unfinished: Vec<LossyText>,
    },
    /// Everything is over.
    Summary {
        status: Option<u8>,
        error: Option<String>,
        sessions: u32,
        octets_sent: u64,
        octets_received: u64,
        replies: u64,
        took_us: u64,
        timings: Vec<Timing>,
    },
}

impl<'a> From<&'a Recipient> for Happening<'a> {
    fn from(recipient: &'a Recipient) -> Self {
        let Recipient { address, outcome, reply, final_reply } = recipient;
        let outcome = match outcome {
            RecipientOutcome::Undecided => "undecided",
            RecipientOutcome::Delivered => "delivered",
            RecipientOutcome::Temporary => "temporary",
            RecipientOutcome::Permanent => "permanent",
        };
        let (reply, final_reply) = (reply.as_ref(), final_reply.as_ref());
        Self::Recipient { address: address.as_str(), outcome, reply, final_reply }
    }
}

/// Some octets as text, and in base64 if they are not UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LossyText {
    /// The text; U+FFFD stands for what is not UTF-8.
    pub text: String,
    /// All octets, if they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
}

/// A whole reply, as far as it was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeptReply {
    /// What it answers, if it answers something.
    pub to: Option<Request>,
    /// The code of its last line.
    pub code: Code,
    /// The enhanced status code of the last line that has one.
    pub enhanced_code: Option<EnhancedCode>,
    /// The texts of the lines with a code.
    pub lines: Vec<LossyText>,
    /// The lines without one, which stood before or among them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub noise: Vec<LossyText>,
    /// It was too long to be kept whole.
    pub is_cut: bool,
    /// What it has against the rules.
    pub flaws: Flaws,
}

impl LossyText {
    /// Makes text of octets.
    pub fn new(octets: &[u8]) -> Self {
        match std::str::from_utf8(octets) {
            Ok(text) => Self { text: text.to_owned(), base64: None },
            Err(_) => {
                let text = String::from_utf8_lossy(octets).into_owned();
                Self { text, base64: Some(Base64::encode_string(octets)) }
            }
        }
    }
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
