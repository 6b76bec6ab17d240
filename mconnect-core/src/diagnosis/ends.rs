//! Who closed, and who was silent: told by place and time.
//!
//! ```text
//!    connected ── greeting ── command ── reply ── DATA ── message ── lone dot ── reply ── QUIT
//!       │  ClosedAtOnce │ ClosedAtCommand │ ClosedIdle │ ClosedInMessage │ ClosedAfterMessage
//!       │  ClosedWaiting│ SilentCommand   │            │                 │ SilentMessage
//!       │  SilentGreeting
//! ```
//!
//! A server that has said that it closes, by 421 or its answer to QUIT, has said why; and who has ended the sending
//! side, or waits for nothing, is not told of an end.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use super::record::{Failed, Record};
use super::{Cause, Certainty, Facts, Finding, Recognized};
use crate::protocol::{Phase, Request};

use Certainty::{Certain, Likely, Possible};

/// How a session ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Closed,
    Reset,
    Silent(Duration),
}

/// Returns what an end before its time tells, if there was one. A handshake that failed without a word of its own
/// counts as an end of the connection, by the place where it stood.
pub(super) fn finding(record: &Record, facts: &Facts) -> Option<Finding> {
    if let Some(Failed::Tls { phase, failure: None, source }) = &record.error {
        let is_first = *phase == Phase::Greeting;
        if let Some(other) = is_first.then(|| who_waits(record, facts, &source.text)).flatten() {
            return Some(other.told(facts));
        }
        return Some(broken_handshake(*phase, source.kind == ErrorKind::TimedOut, &source.text).told(facts));
    }
    let end = end(record)?;
    let by_the_process = matches!(end, End::Closed | End::Reset).then(|| by_the_process(record)).flatten();
    if let Some(found) = by_the_process {
        return Some(found.told(facts));
    }
    if let (Some(Failed::Timeout { phase: Phase::StartTls, .. }), End::Silent(_)) = (&record.error, end) {
        let evidence = "the handshake timed out";
        return Some(Recognized::new(Cause::SilentHandshake, Likely, evidence).told(facts));
    }
    if record.has_been_told_of_the_end() {
        return None;
    }
    let place = place(record);
    let is_waiting = match place {
        Place::Greeting { after, has_begun: false } => {
            after >= AT_ONCE || record.has_spoken_first || matches!(end, End::Silent(_))
        }
        _ => false,
    };
    if let Some(other) = is_waiting.then(|| who_waits(record, facts, "no greeting came")).flatten() {
        return Some(other.told(facts));
    }
    let recognized = match (end, place) {
        // What has come of it is looked at elsewhere.
        (End::Silent(_), Place::Greeting { has_begun: true, .. }) => return None,
        (End::Silent(after), Place::Greeting { .. }) if facts.is_tls_first && !record.is_tls => {
            Recognized::new(Cause::SilentTlsFirst, Likely, format!("nothing came in {} s", seconds(after)))
        }
        (End::Silent(after), Place::Greeting { .. }) => {
            let evidence = format!("nothing came in {} s", seconds(after));
            let port = record.port(facts);
            match port {
                Some(465) if !record.is_tls => Recognized::new(Cause::TlsExpected, Likely, evidence),
                _ => Recognized::new(Cause::SilentGreeting, Certain, evidence).with("seconds", seconds(after)),
            }
        }
        (End::Silent(after), Place::At(Request::EndOfData | Request::Bdat)) => {
            silent(Cause::SilentMessage, after, "the message")
        }
        (End::Silent(after), Place::At(Request::Auth | Request::AuthAnswer)) => {
            silent(Cause::SilentAuth, after, "AUTH")
        }
        (End::Silent(after), Place::At(request)) => silent(Cause::SilentCommand, after, request),
        // Whoever waits without anything due has no complaint.
        (End::Silent(_), Place::Idle { .. } | Place::Message { .. }) => return None,
        (_, Place::Idle { after }) if record.was_truncated => {
            Recognized::new(Cause::CutInTls, Certain, evidence(end, after))
        }
        (_, Place::Idle { after }) if after < A_MOMENT && !record.has_half_closed && record.last_sent.is_none() => {
            after_greeting(end, after, "", facts)
        }
        (_, Place::Idle { after }) if record.has_half_closed || after < A_MOMENT => return None,
        (_, Place::Idle { after }) => {
            Recognized::new(Cause::ClosedIdle, Certain, evidence(end, after)).with("seconds", seconds(after))
        }
        (_, Place::Greeting { after, has_begun: true }) => {
            Recognized::new(Cause::ClosedInGreeting, Certain, evidence(end, after))
        }
        (_, Place::Greeting { after, .. }) if record.has_spoken_first => {
            Recognized::new(Cause::TlsExpected, Possible, format!("{}, once it was spoken to", evidence(end, after)))
        }
        (_, Place::Greeting { after, .. }) if after < AT_ONCE => {
            Recognized::new(Cause::ClosedAtOnce, Certain, evidence(end, after))
        }
        (_, Place::Greeting { after, .. }) => {
            Recognized::new(Cause::ClosedWaiting, Certain, evidence(end, after)).with("seconds", seconds(after))
        }
        // Who ends within a message has ended it.
        (_, Place::Message { .. }) if record.has_half_closed => return None,
        (_, Place::Message { after }) => {
            Recognized::new(Cause::ClosedInMessage, Certain, evidence(end, after)).with("seconds", seconds(after))
        }
        // The command and the server's close may have passed each other on the way; a reset says that they did.
        (_, Place::At(request))
            if (request != Request::Quit || end == End::Reset)
                && record.has_only_greeted()
                && since(record.greeted, record) < A_MOMENT =>
        {
            after_greeting(end, since(record.greeted, record), &format!(", without answering {request}"), facts)
        }
        (_, Place::At(Request::EndOfData | Request::Bdat)) => {
            Recognized::new(Cause::ClosedAfterMessage, Certain, evidence(end, since(record.last_sent, record)))
        }
        (_, Place::At(Request::Auth | Request::AuthAnswer)) => {
            Recognized::new(Cause::ClosedAtAuth, Certain, evidence(end, since(record.last_sent, record)))
        }
        // Some servers close without an answer to QUIT.
        (_, Place::At(Request::Quit)) => return None,
        (_, Place::At(request)) => {
            Recognized::new(Cause::ClosedAtCommand, Certain, evidence(end, since(record.last_sent, record)))
                .with("command", request)
        }
    };
    Some(recognized.told(facts))
}

/// Where a session stood.
enum Place {
    /// Before the greeting, or in it: how long after connecting.
    Greeting { after: Duration, has_begun: bool },
    /// In the body of a message: how long after DATA.
    Message { after: Duration },
    /// A reply was due.
    At(Request),
    /// No reply was due: for how long.
    Idle { after: Duration },
}

/// Returns where a session stood when it ended.
fn place(record: &Record) -> Place {
    let phase = match (&record.error, record.phase) {
        (Some(Failed::Timeout { phase, .. }), _) => Some(*phase),
        (_, phase) => phase,
    };
    match (record.greeted, record.due.front(), phase) {
        (None, ..) => {
            let partial = match &record.error {
                Some(Failed::Closed { partial } | Failed::Timeout { partial, .. }) => !partial.is_empty(),
                _ => false,
            };
            let has_begun = partial || !record.first_line.is_empty();
            Place::Greeting { after: since(record.connected, record), has_begun }
        }
        (_, Some(request), _) => Place::At(*request),
        (_, None, _) if record.is_in_message => Place::Message { after: since(record.last_heard, record) },
        _ => Place::Idle { after: since(record.last_heard, record) },
    }
}

/// Returns how a session ended; `None` if it has not, or not in this way.
fn end(record: &Record) -> Option<End> {
    match &record.error {
        Some(Failed::Timeout { after, .. }) => Some(End::Silent(*after)),
        Some(Failed::Io(failure)) if failure.kind == ErrorKind::ConnectionReset => Some(End::Reset),
        Some(Failed::Io(_) | Failed::Closed { .. }) => Some(End::Closed),
        Some(Failed::Tls { .. } | Failed::Other) => None,
        None => record.ended.map(|_| End::Closed),
    }
}

/// Recognizes, where there is no greeting, a server that waits for the client to speak, by the port that is its
/// protocol's.
fn who_waits<'a>(record: &Record, facts: &Facts, evidence: &str) -> Option<Recognized<'a>> {
    let port = record.port(facts)?;
    let protocol = match port {
        80 | 443 => "HTTP",
        389 | 636 => "LDAP",
        445 => "SMB",
        1433 => "TDS (SQL Server)",
        3389 => "RDP",
        5432 => "PostgreSQL",
        6379 => "Redis",
        _ => return None,
    };
    Some(Recognized::new(Cause::OtherProtocol, Likely, evidence).with("protocol", protocol).with("port", port))
}

/// Recognizes that the process which the session went to is at fault: it has ended, and not well.
fn by_the_process<'a>(record: &Record) -> Option<Recognized<'a>> {
    let status = record.process_ended.filter(|status| !status.success() && !record.has_been_told_of_the_end())?;
    let cause = if status.code() == Some(NO_COMMAND) { Cause::CommandNotFound } else { Cause::ProcessFailed };
    let said = String::from_utf8_lossy(&record.process_said);
    Some(Recognized::new(cause, Certain, format!("{status}: {said}")).with("name", &record.host).with("how", status))
}

/// Recognizes a handshake that the server broke off, or did not answer.
fn broken_handshake<'a>(phase: Phase, is_silent: bool, text: &str) -> Recognized<'a> {
    let cause = match (phase, is_silent) {
        (Phase::Greeting, false) => Cause::ClosedInTlsFirst,
        (Phase::Greeting, true) => Cause::SilentTlsFirst,
        (_, false) => Cause::ClosedInHandshake,
        (_, true) => Cause::SilentHandshake,
    };
    Recognized::new(cause, Certain, text)
}

/// Recognizes a close right after the greeting. A PROXY header that was sent may be behind it: to a server that expects
/// none, it is the first command.
fn after_greeting<'a>(end: End, after: Duration, unanswered: &str, facts: &Facts) -> Recognized<'a> {
    let header = if facts.sends_header { "the PROXY header, if it expects none, " } else { "" };
    Recognized::new(Cause::ClosedAfterGreeting, Certain, evidence(end, after))
        .with("unanswered", unanswered)
        .with("header", header)
}

/// Recognizes silence after something.
fn silent<'a>(cause: Cause, after: Duration, command: impl ToString) -> Recognized<'a> {
    let command = command.to_string();
    let evidence = format!("nothing came in {} s after {command}", seconds(after));
    Recognized::new(cause, Certain, evidence).with("seconds", seconds(after)).with("command", command)
}

/// Tells how and when the server ended the connection.
fn evidence(end: End, after: Duration) -> String {
    let how = if end == End::Reset { "reset" } else { "closed" };
    format!("the server {how} the connection after {} s", seconds(after))
}

/// Returns how long before the end something was; where nothing ended it, the last that was heard or sent stands for
/// the end.
fn since(begin: Option<Instant>, record: &Record) -> Duration {
    let end = record.ended.unwrap_or_else(|| record.last_heard.or(record.last_sent).unwrap_or_else(Instant::now));
    begin.map_or(Duration::ZERO, |begin| end.saturating_duration_since(begin))
}

/// Writes a time as people say it: `0.3`, `12`.
fn seconds(time: Duration) -> String {
    match time.as_secs_f64() {
        long if long >= 10.0 => format!("{long:.0}"),
        short => format!("{short:.1}"),
    }
}

/// A server that closes before this has waited for nothing.
const AT_ONCE: Duration = Duration::from_secs(1);
/// A server that closes so soon after its last reply was not waiting for a command: it closed with that reply.
const A_MOMENT: Duration = Duration::from_secs(1);
/// What sh ends with if there is no such command.
const NO_COMMAND: i32 = 127;
