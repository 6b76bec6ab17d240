//! Errors of the library in words, with a hint and an exit status.

use std::error::Error as _;
use std::io::ErrorKind;
use std::time::Duration;

use mconnect_core::protocol::{Code, Phase, Severity};
use mconnect_core::{Error, Peer};

use crate::verdict::{reason, status};

/// Gives the exit status that an error asks for.
pub fn status(error: &Error) -> u8 {
    match error {
        Error::Address { .. } => status::USAGE,
        Error::Resolve { is_temporary: true, .. } => status::TEMPORARY,
        Error::Resolve { .. } => status::NO_HOST,
        Error::Connect { .. } => status::UNAVAILABLE,
        Error::Timeout { .. } => status::TEMPORARY,
        _ => status::PROTOCOL,
    }
}

/// Returns the exit status that a refusal asks for; a reply that is none is no SMTP there.
pub fn status_of_refusal(code: Code) -> u8 {
    match code.severity() {
        Severity::Transient => status::TEMPORARY,
        Severity::Permanent => status::UNAVAILABLE,
        _ => status::PROTOCOL,
    }
}

/// Returns the exit status that an AUTH asks for which was not granted.
pub fn status_of_refused_auth(code: Code) -> u8 {
    if code.is_temporary() { status::TEMPORARY } else { status::AUTH }
}

/// Gives an error with its causes, and a hint where there is one, on one line.
pub fn describe(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&reason(&error.to_string()));
        cause = error.source();
    }
    if let Some(hint) = hint(error) {
        text.push_str(": ");
        text.push_str(hint);
    }
    text
}

/// Says that a server neither says anything nor closes after the end of the input.
pub fn silence(peer: &Peer, after: Duration) -> String {
    let seconds = after.as_secs_f64();
    format!(
        "{peer} said nothing for {seconds} s after the end of the input, and did not close: does the input end with QUIT?"
    )
}

/// Says that the connection broke when all had come that was to come; nothing if there is nothing to say.
pub fn late_break(peer: &Peer, error: &Error) -> Option<String> {
    let cause = error.source().filter(|_| error.is_truncation())?;
    Some(format!("{peer}: {}; every reply had come", reason(&cause.to_string())))
}

fn hint(error: &Error) -> Option<&'static str> {
    match error {
        Error::Connect { source, attempts, port, .. } => match source.kind() {
            ErrorKind::ConnectionRefused if *port == 25 => {
                Some("is a server listening? submission is usually on port 587 (-p submission)")
            }
            ErrorKind::ConnectionRefused => Some("is a server listening?"),
            ErrorKind::TimedOut if *port == 25 => {
                Some("many networks block port 25; submission is usually on port 587 (-p submission)")
            }
            ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => {
                Some("is there a route to it? -4 and -6 choose the family")
            }
            ErrorKind::AddrNotAvailable if attempts.is_empty() => Some("-4, -6 and --source choose the family"),
            ErrorKind::AddrNotAvailable => Some("--source takes an address of this machine"),
            ErrorKind::PermissionDenied => Some("a firewall of this machine forbids it"),
            _ => None,
        },
        Error::Timeout { scene, .. } if scene.phase == Phase::Greeting => {
            Some("does the server speak SMTP there? port 465 expects TLS from the first byte")
        }
        error if error.is_truncation() => Some("what came before may have been cut short"),
        Error::Resolve { is_temporary: true, .. } => Some("does the name server answer?"),
        Error::Resolve { .. } => Some("is it spelt right? a domain's mail servers are in its MX records"),
        _ => None,
    }
}
