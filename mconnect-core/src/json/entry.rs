//! What a journal holds.
//!
//! The shapes are given by serde's derive: a field here is a field in JSON, and a change of one is a change for
//! readers, which [`VERSION`](super::VERSION) has to tell unless it is a new one.

use std::net::IpAddr;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use serde::Serialize;

use crate::diagnosis::Finding;
use crate::protocol::{Code, EnhancedCode, Flaws, Phase, Recipient, RecipientOutcome, Reply, Request};
use crate::timings::Timing;
use crate::tls_info::Info;

/// Something that happened, and when.
///
/// As JSON it is one object: what happened is in the field `event`, with its own fields beside the four here.
///
/// ```
/// # #[cfg(feature = "server")] {
/// # use mconnect_core::{Connect, json::Journal, server::Server};
/// # let server = Server::play("S: 220 hi")?;
/// # let (told, lines) = std::sync::mpsc::channel();
/// # let journal = Journal::new(move |entry| told.send(serde_json::to_value(entry).unwrap()).unwrap());
/// # Connect::new("127.0.0.1", server.port()).observer(journal).open()?.greeting()?;
/// # server.join()?;
/// # let lines: Vec<serde_json::Value> = lines.try_iter().collect();
/// // Of a session that was greeted.
/// let reply = lines.iter().find(|line| line["event"] == "reply").unwrap();
/// assert_eq!((&reply["version"], &reply["session"]), (&1.into(), &1.into()));
/// assert_eq!((&reply["to"], &reply["code"], &reply["lines"][0]["text"]), (&"greeting".into(), &220.into(), &"hi".into()));
/// assert!(reply["time"].as_str().unwrap().ends_with('Z') && reply["since_us"].is_u64());
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Entry<'a> {
    /// [`VERSION`](super::VERSION).
    pub version: u32,
    /// Which session it happened to, counted from 1; 0 if to none. One that never came about, since its name was not
    /// resolved or no address answered, has a number, too.
    pub session: u32,
    /// When, by the clock on the wall, in UTC, after [RFC 3339](https://www.rfc-editor.org/rfc/rfc3339):
    /// `2026-11-23T03:05:13.000042Z`.
    pub time: String,
    /// When, in microseconds since the journal began, by a clock that never goes back.
    pub since_us: u64,
    /// What happened: `event` and its fields.
    #[serde(flatten)]
    pub happening: Happening<'a>,
}

/// What happened: a variant is an event, by its name in small letters with underscores, `attempt_failed`, and its
/// fields are the event's.
///
/// Times that end in `_us` are in microseconds; counts of octets are of what was on the wire, inside TLS of what was in
/// it.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
#[allow(missing_docs, reason = "docs/json.md has every field")]
pub enum Happening<'a> {
    /// A name is being resolved. An address is not.
    Resolving { host: &'a str },
    /// It was resolved, or could not be: then there are no addresses, and `error` is what the system says.
    Resolved {
        host: &'a str,
        addresses: Vec<IpAddr>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// An address is being connected to.
    Attempt { host: &'a str, address: Option<IpAddr>, port: Option<u16> },
    /// It could not be connected to; `has_next` says whether another address is tried then.
    AttemptFailed { host: &'a str, address: Option<IpAddr>, port: Option<u16>, error: String, has_next: bool },
    /// The connection is open.
    Connected { host: &'a str, address: Option<IpAddr>, port: Option<u16> },
    /// A line of a command was sent, or a part of a body, which is cut at no character. What is hidden of it is counted
    /// apart, and `[hidden]` stands in its place.
    Sent {
        phase: Phase,
        octets: u64,
        #[serde(skip_serializing_if = "is_zero")]
        hidden_octets: u64,
        #[serde(flatten)]
        text: LossyText,
    },
    /// A whole reply came, which took so long from when what it answers was sent; `took_us` is null where it answers
    /// nothing.
    Reply {
        #[serde(flatten)]
        reply: KeptReply,
        took_us: Option<u64>,
    },
    /// Bytes came in raw mode, where nothing is known of lines.
    Received {
        octets: u64,
        #[serde(flatten)]
        text: LossyText,
    },
    /// The session went to another phase ([`Phase`]). What was sent in one is told before the next.
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
    /// What TLS agreed on, and what the server showed, whether or not that proves it.
    Tls(&'a Info),
    /// The sending side was ended; replies may follow.
    HalfClosed {},
    /// Octets were sent on the way, before the session; a login is stars.
    RoadSent {
        #[serde(flatten)]
        text: LossyText,
    },
    /// Octets were received on the way.
    RoadReceived {
        #[serde(flatten)]
        text: LossyText,
    },
    /// The process that the session goes to has written a line to its standard error.
    ProcessSaid {
        #[serde(flatten)]
        text: LossyText,
    },
    /// That process has ended: with this exit status or, where it has none, by a signal.
    ProcessEnded { status: Option<i32>, how: String },
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
    /// Why the session failed ([`Journal::findings`](super::Journal::findings)).
    Finding(&'a Finding),
    /// The session is over: by whom, `server` or `client`.
    Closed {
        by: &'static str,
        /// Lines of a reply that never came to its end.
        unfinished: Vec<LossyText>,
    },
    /// Everything is over ([`Journal::end`](super::Journal::end)): over all sessions, what was sent and received, and
    /// where the time went.
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
///
/// ```
/// use mconnect_core::json::LossyText;
///
/// assert_eq!(serde_json::to_value(LossyText::new(b"550 no"))?, serde_json::json!({ "text": "550 no" }));
/// let odd = serde_json::to_value(LossyText::new(b"caf\xe9"))?;
/// assert_eq!(odd, serde_json::json!({ "text": "caf\u{fffd}", "base64": "Y2Fm6Q==" }));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LossyText {
    /// The text; U+FFFD stands for what is not UTF-8.
    pub text: String,
    /// All octets, those that are text as well, if some are not UTF-8
    /// ([RFC 4648, section 4](https://www.rfc-editor.org/rfc/rfc4648#section-4)); otherwise it is not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
}

/// A whole reply, as far as it was kept. A [`Reply`](crate::protocol::Reply) serialises in the same shape; what a
/// session hands out was never cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeptReply {
    /// What it answers; null if nothing asked for it.
    pub to: Option<Request>,
    /// The code of its last line, which is that of the reply
    /// ([RFC 5321, section 4.2.1](https://www.rfc-editor.org/rfc/rfc5321#section-4.2.1)).
    pub code: Code,
    /// The enhanced status code ([RFC 3463](https://www.rfc-editor.org/rfc/rfc3463)) of the last line that has one.
    pub enhanced_code: Option<EnhancedCode>,
    /// The texts of the lines with a code, without it.
    pub lines: Vec<LossyText>,
    /// The lines without one, which stood before or among them; where there are none, this is not written.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub noise: Vec<LossyText>,
    /// It was longer than 1 MiB or 10,000 lines, and is not here whole.
    pub is_cut: bool,
    /// What it has against the rules, by name: `codes_differ`, `line_without_code`, `bare_lf`, `missing_separator`.
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

/// Returns a time in microseconds; half a million years are the longest.
pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Says whether a field can be left out.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde wants a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
