//! Who is there: servers of other protocols, by the first that they say, and lines that no SMTP server sends.
//!
//! What came first decides, be it a line or what a time-out has left of one: a server that speaks TLS, or MySQL, ends
//! no line.

use super::evidence::{Failed, Record};
use super::{Cause, Certainty, Facts, Finding, Recognized};
use crate::error::TlsFailure;
use crate::protocol::{Request, Visible};

use Certainty::{Certain, Likely};

/// Returns the name of the protocol that speaks so at first, if it is none of mail submission: `SSH`, `IMAP`, `HTTP`.
/// Enough of its first line is enough of it. Known are SSH, IMAP, POP3, Redis, HTTP, XMPP, VNC, ManageSieve, rsync,
/// AMQP, IRC, RDP, Telnet, MySQL, FTP and NNTP, those that speak first, or that answer when they are spoken to in SMTP.
///
/// ```
/// use mconnect_core::diagnosis::protocol_of;
///
/// assert_eq!(protocol_of(b"SSH-2.0-OpenSSH_10.2\r\n"), Some("SSH"));
/// assert_eq!(protocol_of(b"220 mx.example.org ESMTP\r\n"), None);
/// ```
pub fn protocol_of(bytes: &[u8]) -> Option<&'static str> {
    let is_mysql = matches!(bytes, [_, _, 0, 0, 10 | 255, ..]);
    let begins = |(start, _): &&(&[u8], &str)| bytes.starts_with(start);
    let is_ftp = bytes.starts_with(b"220") && {
        let line = bytes.to_ascii_lowercase();
        FTP.iter().any(|word| line.windows(word.len()).any(|part| part == word.as_bytes()))
    };
    let is_news = matches!(bytes, [b'2', b'0', b'0' | b'1', b' ', ..]);
    match STARTS.iter().find(begins) {
        Some((_, name)) => Some(name),
        None if is_mysql => Some("MySQL"),
        None if is_ftp => Some("FTP"),
        None if is_news => Some("NNTP"),
        None => None,
    }
}

/// Returns who speaks there, if it is no SMTP server, or one that nobody can read. Without a connection there is
/// nobody.
pub(super) fn finding(record: &Record, facts: &Facts) -> Option<Finding> {
    record.connected?;
    if let Some(Failed::Tls { failure: Some(TlsFailure::PlainText(line)), .. }) = &record.error {
        let evidence = format!("\"{}\"", Visible(line));
        return Some(other(line, record, facts).unwrap_or_else(|| {
            let cause = match line.first() {
                Some(b'4' | b'5') if !complains_of_tls(line) => Cause::RefusedInPlain,
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
    other(first, record, facts).or_else(|| lmtp(record, facts)).or_else(|| odd(record, facts))
}

/// Says whether a refusal is about the handshake, which a server in plain text takes for commands before their time.
fn complains_of_tls(line: &[u8]) -> bool {
    let text = String::from_utf8_lossy(line).to_lowercase();
    let says = ["synchroni", "pipelining", "too soon", "pregreet", "unrecognized", "syntax", "command"];
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

/// Recognizes LMTP ([RFC 2033](https://www.rfc-editor.org/rfc/rfc2033)) by its greeting, once EHLO was refused.
fn lmtp(record: &Record, facts: &Facts) -> Option<Finding> {
    let greeting = record.greeting.as_ref()?;
    let text = greeting.text().to_ascii_uppercase();
    let says_so = text.split(|byte| !byte.is_ascii_alphanumeric()).any(|word| word == b"LMTP");
    let is_hello = |request| matches!(request, Some(Request::Ehlo | Request::Helo));
    let refusal = record.refusals.iter().find(|refusal| is_hello(refusal.answer.request))?;
    says_so.then(|| Recognized::new(Cause::SpeaksLmtp, Certain, refusal.reply.to_string()).told(facts))
}

/// Recognizes lines that are none, or none of a server's: NUL, asterisks in the place of words, CR alone, no end.
fn odd(record: &Record, facts: &Facts) -> Option<Finding> {
    if record.has_nul && (record.greeted.is_none() || record.error.is_some()) {
        return Some(Recognized::new(Cause::NulInReply, Certain, "a line begins with NUL").told(facts));
    }
    if let Some(greeting) = record.greeting.as_ref().filter(|_| !record.refusals.is_empty()) {
        let text = greeting.text();
        let stars = text.iter().filter(|byte| **byte == b'*').count();
        if stars > 10 && stars * 2 > text.len() {
            return Some(Recognized::new(Cause::Inspected, Likely, greeting.to_string()).told(facts));
        }
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

/// How protocols begin, each enough to tell it.
const STARTS: &[(&[u8], &str)] = &[
    (b"SSH-", "SSH"),
    (b"* OK", "IMAP"),
    (b"* PREAUTH", "IMAP"),
    (b"* BYE", "IMAP"),
    (b"+OK", "POP3"),
    (b"-ERR unknown command", "Redis"),
    (b"-ERR", "POP3"),
    (b"HTTP/", "HTTP"),
    (b"<!DOCTYPE", "HTTP"),
    (b"<html", "HTTP"),
    (b"<?xml", "XMPP"),
    (b"<stream:", "XMPP"),
    (b"RFB 0", "VNC"),
    (b"\"IMPLEMENTATION\"", "ManageSieve"),
    (b"@RSYNCD:", "rsync"),
    (b"AMQP", "AMQP"),
    (b":irc", "IRC"),
    (b"NOTICE AUTH", "IRC"),
    (b"\x03\x00\x00", "RDP"),
    (b"\xff\xfd", "Telnet"),
    (b"\xff\xfb", "Telnet"),
];
/// Words of the greetings of FTP servers, which have SMTP's code.
const FTP: [&str; 5] = ["ftp", "filezilla", "welcome to pure", "serv-u", "vsftpd"];
/// How much of a line is shown.
const MOST_SHOWN: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_told_by_how_they_begin() {
        for (bytes, name) in [
            (&b"* OK [CAPABILITY IMAP4rev1] Dovecot ready.\r\n"[..], "IMAP"),
            (b"+OK POP3 ready\r\n", "POP3"),
            (b"HTTP/1.1 400 Bad Request\r\n", "HTTP"),
            (b"J\0\0\0\n8.0.46\0", "MySQL"),
            (b"F\0\0\0\xffj\x04Host 'x' is not allowed to connect", "MySQL"),
            (b"220 (vsFTPd 3.0.5)\r\n", "FTP"),
            (b"220 ProFTPD Server\r\n", "FTP"),
            (b"200 news.example.org ready\r\n", "NNTP"),
            (b"-ERR unknown command 'EHLO'\r\n", "Redis"),
            (b"RFB 003.008\n", "VNC"),
        ] {
            assert_eq!(protocol_of(bytes), Some(name), "{}", bytes.escape_ascii());
        }
        for bytes in [&b"220 mx.example.org ESMTP Postfix"[..], b"554 no", b"", b"2", b"220-mx", b"421 later"] {
            assert_eq!(protocol_of(bytes), None, "{}", bytes.escape_ascii());
        }
    }
}
