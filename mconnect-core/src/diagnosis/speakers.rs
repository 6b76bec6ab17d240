//! Who is there: servers of other protocols, by the first that they say, and lines that no SMTP server sends.
//!
//! What came first decides, be it a line or what a time-out has left of one: a server that speaks TLS, or MySQL, ends
//! no line.

use super::record::{Exchange, Failed, Record};
use super::{Cause, Certainty, Facts, Finding, Recognized, refusals};
use crate::error::TlsFailure;
use crate::protocol::{Extension, Meaning, Phase, Request, Visible, protocol_of};

use Certainty::{Certain, Likely};

/// Returns who speaks there, if it is no SMTP server, or one that nobody can read. Without a connection there is
/// nobody.
pub(super) fn finding(record: &Record, facts: &Facts) -> Option<Finding> {
    record.connected?;
    if let Some(Failed::Tls { phase, failure: Some(TlsFailure::PlainText(line)), .. }) = &record.error {
        let evidence = format!("\"{}\"", Visible(line));
        if *phase == Phase::StartTls && line.first().is_some_and(u8::is_ascii_digit) {
            return Some(Recognized::new(Cause::ClosedInHandshake, Certain, evidence).told(facts));
        }
        return Some(other(line, record, facts).unwrap_or_else(|| {
            let cause = match line.first() {
                Some(b'4' | b'5') if !takes_for_commands(line) => Cause::RefusedInPlain,
                Some(digit) if digit.is_ascii_digit() => Cause::PlainExpected,
                _ => Cause::NotTls,
            };
            Recognized::new(cause, Certain, evidence).with("line", String::from_utf8_lossy(line)).told(facts)
        }));
    }
    let first = first_words(record);
    if let (Some(certainty), false) = (speaks_tls(first), record.is_tls) {
        return Some(Recognized::new(Cause::TlsExpected, certainty, "a record of TLS came").told(facts));
    }
    if let Some(found) = header_unwanted(record, facts) {
        return Some(found);
    }
    let has_unknown = record.refusals.iter().any(refusals::is_unknown) || facts.is_tls_asked && !record.is_tls;
    let misunderstood = || misunderstood(record, facts).filter(|_| has_unknown);
    other(first, record, facts).or_else(misunderstood).or_else(|| odd(record, facts))
}

/// Recognizes a server that answers a PROXY header, which it does not expect.
fn header_unwanted(record: &Record, facts: &Facts) -> Option<Finding> {
    let answers = |refusal: &&Exchange| match refusal.answer.request {
        None => true,
        Some(Request::Greeting | Request::Ehlo | Request::Helo) => takes_for_commands(&refusal.reply.text()),
        // Its answer was taken for that to EHLO.
        Some(_) => refusal.answer.meaning() == Meaning::OutOfStep,
    };
    let refusal = record.refusals.iter().find(answers).filter(|_| facts.sends_header)?;
    Some(Recognized::new(Cause::HeaderUnwanted, Likely, refusal.reply.to_string()).told(facts))
}

/// Says whether a refusal is about a handshake or a header, which a server that expects none takes for commands before
/// their time.
fn takes_for_commands(line: &[u8]) -> bool {
    let text = String::from_utf8_lossy(line).to_lowercase();
    let says =
        ["synchroni", "pipelining", "too soon", "pregreet", "unrecognized", "syntax", "command", "protocol error"];
    line.starts_with(b"50") || says.iter().any(|word| text.contains(word))
}

/// The first that came, a line or not.
fn first_words(record: &Record) -> &[u8] {
    match (&record.error, record.first_line.as_slice()) {
        (Some(Failed::Timeout { partial, .. } | Failed::Closed { partial }), []) => partial,
        (_, first) => first,
    }
}

/// Recognizes another protocol by the first words.
fn other(first: &[u8], record: &Record, facts: &Facts) -> Option<Finding> {
    // FTP's 220 is a greeting: it is told once something was refused.
    let protocol = protocol_of(first).filter(|name| *name != "FTP" || !record.refusals.is_empty())?;
    let port = record.port(facts).map_or_else(String::new, |port| port.to_string());
    let line = first.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    let evidence = format!("\"{}\"", Visible(&line[..line.len().min(MOST_SHOWN)]));
    let recognized = Recognized::new(Cause::OtherProtocol, Certain, evidence);
    Some(recognized.with("protocol", protocol).with("port", port).told(facts))
}

/// Returns why commands are not known where they should be.
pub(super) fn misunderstood(record: &Record, facts: &Facts) -> Option<Finding> {
    lmtp(record, facts).or_else(|| inspected(record, facts))
}

/// Recognizes LMTP ([RFC 2033](https://www.rfc-editor.org/rfc/rfc2033)) by its greeting, once EHLO was refused.
fn lmtp(record: &Record, facts: &Facts) -> Option<Finding> {
    let greeting = record.greeting.as_ref()?;
    let text = greeting.text().to_ascii_uppercase();
    let says_so = text.split(|byte| !byte.is_ascii_alphanumeric()).any(|word| word == b"LMTP");
    let is_hello = |request| matches!(request, Some(Request::Ehlo | Request::Helo));
    let refusal = record.refusals.iter().find(|refusal| is_hello(refusal.answer.request))?;
    says_so.then(|| Recognized::new(Cause::SpeaksLmtp, Certain, refusal.reply.to_string()).told(facts))
}

/// A firewall's work: asterisks for a greeting, and X's for what it will not have offered.
fn inspected(record: &Record, facts: &Facts) -> Option<Finding> {
    let greeting = record.greeting.as_ref()?;
    let text = greeting.text();
    let stars = text.iter().filter(|byte| **byte == b'*').count();
    let is_masked = |extension: &Extension| extension.keyword().starts_with(b"XXXXX");
    let has_masked = record.extensions.as_ref().is_some_and(|extensions| extensions.iter().any(is_masked));
    // A command that it does not know, it hands on as X's, which the server then repeats.
    let repeats = |refusal: &Exchange| refusal.reply.text().windows(5).any(|part| matches!(part, b"\"XXXX" | b" XXXX"));
    let has_masked = has_masked || record.refusals.iter().any(repeats);
    let is_inspected = has_masked || stars > 10 && stars * 2 > text.len();
    is_inspected.then(|| Recognized::new(Cause::Inspected, Likely, greeting.to_string()).told(facts))
}

/// Recognizes lines that are none, or none of a server's: NUL, asterisks in the place of words, CR alone, no end.
fn odd(record: &Record, facts: &Facts) -> Option<Finding> {
    if record.has_nul && (record.greeted.is_none() || record.error.is_some()) {
        return Some(Recognized::new(Cause::NulInReply, Certain, "a line begins with NUL").told(facts));
    }
    let (partial, is_silent) = match &record.error {
        Some(Failed::Timeout { partial, .. }) => (partial, true),
        Some(Failed::Closed { partial }) => (partial, false),
        _ => return None,
    };
    let shown = &partial[..partial.len().min(MOST_SHOWN)];
    let evidence = format!("what came: \"{}\"", Visible(shown));
    let tail = partial.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let has_lines = partial.contains(&b'\n');
    let recognized = match tail {
        tail if tail.contains(&b'\r') => Recognized::new(Cause::CrAlone, Certain, evidence),
        // What is cut off by a close has no end for that reason.
        _ if !is_silent => return None,
        [] if has_lines && record.greeted.is_none() => Recognized::new(Cause::GreetingWithoutEnd, Likely, evidence),
        [] if has_lines => {
            let command = record.due.front().map_or_else(|| "the command".to_owned(), ToString::to_string);
            Recognized::new(Cause::ReplyWithoutEnd, Likely, evidence).with("command", command)
        }
        [] => return None,
        tail => {
            let line = Visible(&tail[..tail.len().min(MOST_SHOWN)]).to_string();
            Recognized::new(Cause::LineWithoutEnd, Certain, evidence).with("line", format!("\"{line}\""))
        }
    };
    Some(recognized.told(facts))
}

/// Says how surely a server speaks TLS that says this in the clear: by an alert it complains of what it was told.
fn speaks_tls(bytes: &[u8]) -> Option<Certainty> {
    match bytes {
        [21, 3, 0..=4, ..] => Some(Certain),
        [22, 3, 0..=4, ..] => Some(Likely),
        _ => None,
    }
}

/// How much of a line is shown.
const MOST_SHOWN: usize = 100;
