//! Where a secret begins in what a client sends: decided here, for the screen, the history, records, traces, dialogues
//! and errors alike.
//!
//! ```text
//!   AUTH PLAIN AHVzZXIAcGVuY2ls      secret from the initial response on
//!   AUTH LOGIN                       none yet; the lines after it are
//!   dXNlcg==                         an answer that lost its place: all of it, if client and server may be out of step
//! ```
//! The grammar is taken as widely as any server may: one secret too many is a nuisance, one too few is told to
//! everybody.

use std::borrow::Cow;
use std::hint::black_box;
use std::ops::Range;

use super::phase::Request;

/// Returns where the secret in a line begins: behind the mechanism of an AUTH and the one octet after that. A verb in
/// any case, behind any blanks, and parted from its mechanism by anything is one. `None` if the line is no AUTH, or has
/// nothing behind its mechanism. Answers in an exchange are not seen from their own line:
/// [`Tracker::sent_secrets`](super::Tracker::sent_secrets) knows them.
///
/// ```
/// use mconnect_core::protocol::secret_start;
///
/// assert_eq!(secret_start(b"AUTH PLAIN AHVzZXI="), Some(11));
/// assert_eq!(secret_start(b"\tauth\x0cplain\tAHVzZXI="), Some(12));
/// assert_eq!(secret_start(b"AUTH LOGIN"), None);
/// assert_eq!(secret_start(b"AUTHORS ARE many"), None);
/// ```
#[doc(alias = "redact")]
#[doc(alias = "mask")]
pub fn secret_start(line: &[u8]) -> Option<usize> {
    let mechanism = mechanism_start(line)?;
    let size = line[mechanism..].iter().position(|byte| !is_of_mechanism(*byte))?;
    match &line[mechanism + size..] {
        [b'\n', ..] | [b'\r'] | [b'\r', b'\n', ..] => None,
        _ => Some(mechanism + size + 1),
    }
}

/// Returns the mechanism that an AUTH names, as it is written there, if a line is one.
///
/// ```
/// use mconnect_core::protocol::auth_mechanism;
///
/// assert_eq!(auth_mechanism(b"auth Plain AHVzZXI=\r\n"), Some(&b"Plain"[..]));
/// assert_eq!(auth_mechanism(b"NOOP"), None);
/// ```
pub fn auth_mechanism(line: &[u8]) -> Option<&[u8]> {
    let rest = &line[mechanism_start(line)?..];
    let size = rest.iter().position(|byte| !is_of_mechanism(*byte)).unwrap_or(rest.len());
    Some(&rest[..size])
}

/// Says whether a line begins with a verb of SMTP, LMTP or their extensions, in any case.
///
/// ```
/// use mconnect_core::protocol::is_command;
///
/// assert!(is_command(b"mail from:<>") && is_command(b"XFORWARD\r\n"));
/// assert!(!is_command(b"Subject: hi") && !is_command(b"MAILBOX full"));
/// ```
#[must_use]
pub fn is_command(line: &[u8]) -> bool {
    is_verb(line.split(|byte| *byte <= b' ').next().unwrap_or_default())
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
    if line.is_empty() || !line.len().is_multiple_of(4) {
        return false;
    }
    let digits = line.iter().take_while(|byte| is_base64(**byte)).count();
    let is_padded = line.len() - digits <= 2 && line[digits..].iter().all(|byte| *byte == b'=');
    is_padded && !is_verb(line)
}

/// Returns bytes as they are shown: with `[hidden]` in the place of each of these secrets, which stand in order.
pub(crate) fn hide<'a>(bytes: &'a [u8], secrets: &[Range<usize>]) -> Cow<'a, [u8]> {
    if secrets.is_empty() {
        return Cow::Borrowed(bytes);
    }
    let (mut shown, mut at) = (Vec::with_capacity(bytes.len()), 0);
    for secret in secrets {
        shown.extend_from_slice(&bytes[at..secret.start]);
        shown.extend_from_slice(HIDDEN);
        at = secret.end;
    }
    shown.extend_from_slice(&bytes[at..]);
    Cow::Owned(shown)
}

/// Overwrites a secret that has served: memory that is freed must not hold it.
pub(crate) fn wipe(secret: &mut [u8]) {
    secret.fill(0);
    // Nobody reads it again; seen from outside, somebody may.
    black_box(secret);
}

/// Says whether a word is a command by itself: of those that are base64 in their looks, too.
fn is_verb(word: &[u8]) -> bool {
    verbs().any(|verb| word.eq_ignore_ascii_case(verb))
}

/// Says whether a command may begin so.
fn begins_verb(part: &[u8]) -> bool {
    verbs().any(|verb| verb.get(..part.len()).is_some_and(|start| part.eq_ignore_ascii_case(start)))
}

/// The verbs that are known here: those that replies tell apart, and the others of the length of base64.
fn verbs() -> impl Iterator<Item = &'static [u8]> {
    Request::ALL.iter().copied().filter_map(Request::verb).chain(VERBS).map(str::as_bytes)
}

/// Returns where the secret begins in a line, or a part of one, that may be an AUTH or an answer in it, though the server
/// takes it for something else. Where client and server are in step, a part that begins a command is most likely one.
pub(super) fn lost_secret_start(line: &[u8], is_in_step: bool) -> Option<usize> {
    let text = line.trim_ascii();
    let is_other = line.ends_with(b"\n") || text.is_empty() || (is_in_step && begins_verb(text));
    let is_answer = is_base64_line(line) || (!is_other && text.iter().all(|byte| is_base64(*byte) || *byte == b'='));
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

/// The verb behind which secrets stand.
const VERB: &[u8] = b"AUTH";
/// What stands in the place of a secret where bytes are shown.
const HIDDEN: &[u8] = b"[hidden]";
/// Verbs of commands that make no difference to a session, of a length that base64 has.
const VERBS: [&str; 10] = ["NOOP", "HELP", "VRFY", "EXPN", "ETRN", "ATRN", "TURN", "BURL", "SEND", "XFORWARD"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_base64_is_an_answer_that_lost_its_place() {
        for (line, is_answer) in [
            ("dXNlcg==\r\n", true),
            (" dXNlcjE= ", true),
            ("AAAA", true),
            ("", false),
            ("\r\n", false),
            ("====", false),
            ("A===", false),
            ("dXN!", false),
            ("dXN!=", false),
            ("d=N=", false),
            ("dXNlc", false),
            ("ehlo", false),
            ("XFORWARD", false),
        ] {
            assert_eq!(is_base64_line(line.as_bytes()), is_answer, "{line:?}");
        }
        // A part of a line may go on as one; a whole line is one or not.
        for (part, start) in
            [("dXNlcg", Some(0)), ("dXNlcg\n", None), ("", None), (" ", None), ("AUTH PLAIN A", Some(11))]
        {
            assert_eq!(lost_secret_start(part.as_bytes(), false), start, "{part:?}");
        }
        assert_eq!((lost_secret_start(b"MAI", true), lost_secret_start(b"MAI", false)), (None, Some(0)));
    }

    #[test]
    fn each_secret_is_hidden_and_what_is_wiped_is_gone() {
        let bytes = b"AUTH LOGIN dQ==\r\ncA==\r\nNOOP";
        let shown = |secrets: &[Range<usize>]| hide(bytes, secrets).escape_ascii().to_string();
        assert_eq!(shown(&[]), r"AUTH LOGIN dQ==\r\ncA==\r\nNOOP");
        assert_eq!(shown(&[11..15, 17..21]), r"AUTH LOGIN [hidden]\r\n[hidden]\r\nNOOP");
        let mut secret = *b"pencil";
        wipe(&mut secret);
        assert_eq!(secret, [0; 6]);
    }
}
