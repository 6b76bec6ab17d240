//! Where a secret begins in what a client sends: decided here, for the screen, the history, records, traces, dialogues
//! and errors alike.

use super::phase::Request;

/// Returns where the secret in a line begins: behind the mechanism of an AUTH and the one octet after that. A verb in
/// any case, behind any blanks, and parted from its mechanism by anything is one.
///
/// ```
/// use mconnect_core::protocol::secret_start;
///
/// assert_eq!(secret_start(b"AUTH PLAIN AHVzZXI="), Some(11));
/// assert_eq!(secret_start(b"\tauth\x0cplain\tAHVzZXI="), Some(12));
/// assert_eq!(secret_start(b"AUTH LOGIN"), None);
/// assert_eq!(secret_start(b"AUTHORS ARE many"), None);
/// ```
pub fn secret_start(line: &[u8]) -> Option<usize> {
    let mechanism = mechanism_start(line)?;
    let size = line[mechanism..].iter().position(|byte| !is_of_mechanism(*byte))?;
    match &line[mechanism + size..] {
        [b'\n', ..] | [b'\r'] | [b'\r', b'\n', ..] => None,
        _ => Some(mechanism + size + 1),
    }
}

/// Returns the mechanism that an AUTH names, if a line is one.
pub fn auth_mechanism(line: &[u8]) -> Option<&[u8]> {
    let rest = &line[mechanism_start(line)?..];
    let size = rest.iter().position(|byte| !is_of_mechanism(*byte)).unwrap_or(rest.len());
    Some(&rest[..size])
}

/// Says whether a line may be an answer in AUTH that lost its place: it is nothing but base64, and no command.
///
/// ```
/// use mconnect_core::protocol::is_base64_line;
///
/// assert!(is_base64_line(b"dXNlcg==\r\n"));
/// assert!(!is_base64_line(b"Subject: hi") && !is_base64_line(b"QUIT\r\n") && !is_base64_line(b""));
/// ```
pub fn is_base64_line(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let digits = line.iter().take_while(|byte| is_base64(**byte)).count();
    let is_padded = line.len() - digits <= 2 && line[digits..].iter().all(|byte| *byte == b'=');
    digits > 0 && line.len().is_multiple_of(4) && is_padded && !is_verb(line)
}

fn is_verb(word: &[u8]) -> bool {
    Request::of_verb(word) != Request::Other || VERBS.iter().any(|verb| word.eq_ignore_ascii_case(verb.as_bytes()))
}

/// Returns where the secret begins in a line, or a part of one, after the session has come out of step: what is said then
/// may be an AUTH or an answer in it, though the server takes it for something else.
pub(super) fn lost_secret_start(line: &[u8]) -> Option<usize> {
    let is_part = !line.ends_with(b"\n");
    let is_answer = is_base64_line(line) || (is_part && line.iter().all(|byte| is_base64(*byte) || *byte == b'='));
    if is_answer { Some(0) } else { secret_start(line) }
}

/// Says whether an octet is a digit of base64.
fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

/// Returns where the mechanism of an AUTH begins, or would; `None` if the line is no AUTH, or ends with the verb.
fn mechanism_start(line: &[u8]) -> Option<usize> {
    let verb = line.iter().position(|byte| !is_blank(*byte))?;
    let rest = line[verb..].split_at_checked(VERB.len()).filter(|(verb, _)| verb.eq_ignore_ascii_case(VERB))?.1;
    if rest.first().is_none_or(u8::is_ascii_alphanumeric) {
        return None;
    }
    let gap = rest.iter().position(|byte| is_of_mechanism(*byte)).unwrap_or(rest.len());
    Some(verb + VERB.len() + gap)
}

/// White space, and all else that is not seen.
fn is_blank(byte: u8) -> bool {
    byte <= b' '
}

/// The octets of a mechanism's name ([RFC 4422, section 3.1](https://www.rfc-editor.org/rfc/rfc4422#section-3.1)), in
/// either case.
fn is_of_mechanism(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

const VERB: &[u8] = b"AUTH";
/// Verbs of commands that make no difference to a session, of a length that base64 has.
const VERBS: [&str; 7] = ["NOOP", "HELP", "VRFY", "EXPN", "ETRN", "ATRN", "XFORWARD"];
