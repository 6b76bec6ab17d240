//! Passwords that stand in lines: they are not shown.

use super::{Deed, Part, Side, Step, Text};
use crate::protocol::Visible;

/// Gives how a line of the client's with a password in it is shown, if it is one: AUTH with an initial response, or an
/// answer in such an exchange.
pub(crate) fn hidden(line: &[u8], is_answer: bool) -> Option<Vec<u8>> {
    let mut words = line.split(|byte| *byte == b' ');
    match (words.next(), words.next(), words.next()) {
        (Some(auth), Some(mechanism), Some(_)) if auth.eq_ignore_ascii_case(b"AUTH") => {
            Some([b"AUTH ", mechanism, b" [hidden]"].concat())
        }
        _ if is_answer && line != b"*" => Some(b"[hidden]".to_vec()),
        _ => None,
    }
}

/// Gives lines of the client's as they are shown; the first of them, at least, is an answer if it is said to be.
#[cfg(feature = "server")]
pub(crate) fn lines_hidden(bytes: &[u8], mut is_answer: bool) -> Vec<u8> {
    let mut shown = Vec::with_capacity(bytes.len());
    for whole in bytes.split_inclusive(|byte| *byte == b'\n') {
        let ended = whole.iter().rev().take_while(|byte| b"\r\n".contains(byte)).count();
        let (line, end) = whole.split_at(whole.len() - ended);
        shown.extend_from_slice(hidden(line, is_answer).as_deref().unwrap_or(line));
        shown.extend_from_slice(end);
        is_answer |= begins_exchange(line);
    }
    shown
}

/// Says whether this is an AUTH without an initial response: what goes out together with it are its answers.
pub(crate) fn begins_exchange(line: &[u8]) -> bool {
    line.split(|byte| *byte == b' ').count() == 2
        && line.get(..5).is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH "))
}

impl Step {
    /// Writes the step as a message shows it: as a dialogue has it, made visible, but for a password that stands in it.
    /// What the client says is one if it answers a challenge.
    pub(crate) fn shown(&self, is_answer: bool) -> String {
        let text = match &self.deed {
            Deed::Authenticate { mechanism, user, secret } => match &*secret.0 {
                [Part::Value { default: None, .. }] => self.to_string(),
                _ => format!("C: *authenticate {mechanism} {user} [hidden]*"),
            },
            Deed::Line(text) | Deed::Bytes(text) if self.side == Side::Client => match hidden_in(text, is_answer) {
                Some(line) => {
                    let mark = if matches!(self.deed, Deed::Bytes(_)) { '>' } else { ':' };
                    format!("C{mark} {}", String::from_utf8_lossy(&line))
                }
                None => self.to_string(),
            },
            _ => self.to_string(),
        };
        Visible(text.as_bytes()).to_string()
    }
}

/// Does the same with the text of a step. A name tells nothing, but what stands for it where it has no value does.
fn hidden_in(text: &Text, is_answer: bool) -> Option<Vec<u8>> {
    let told = text.0.iter().map(|part| match part {
        Part::Literal(bytes) => bytes,
        Part::Value { default, .. } => default.as_deref().unwrap_or_default().as_bytes(),
    });
    let told = told.collect::<Vec<_>>().concat();
    let told = told.trim_ascii();
    hidden(told, is_answer && !told.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::Dialogue;

    #[test]
    fn a_step_is_shown_without_the_password_in_it() {
        for (text, shown) in [
            ("C: AUTH PLAIN AHRpbQBwZW5jaWw=", "C: AUTH PLAIN [hidden]"),
            ("C> AUTH PLAIN AHRpbQBwZW5jaWw=\\r\\n", "C> AUTH PLAIN [hidden]"),
            ("C: AUTH PLAIN ${word:-dGV4dA==}", "C: AUTH PLAIN [hidden]"),
            ("C: AUTH PLAIN AHRpbQB${word}", "C: AUTH PLAIN [hidden]"),
            ("C: AUTH ${mechanism:-PLAIN} ${word}", "C: AUTH ${mechanism:-PLAIN} ${word}"),
            ("C: auth plain ${word}", "C: auth plain ${word}"),
            ("C: AUTH LOGIN", "C: AUTH LOGIN"),
            ("C: *authenticate PLAIN tim pencil*", "C: *authenticate PLAIN tim [hidden]*"),
            ("C: *authenticate PLAIN tim ${word:-pencil}*", "C: *authenticate PLAIN tim [hidden]*"),
            ("C: *authenticate PLAIN tim ${word}*", "C: *authenticate PLAIN tim ${word}*"),
            ("S: 250 AUTH PLAIN x", "S: 250 AUTH PLAIN x"),
        ] {
            assert_eq!(Dialogue::parse(text).unwrap().steps()[0].shown(false), shown);
        }
    }

    #[test]
    fn an_answer_to_a_challenge_is_not_shown_but_for_the_name_of_one() {
        for (text, shown) in [
            ("C: cGVuY2ls", "C: [hidden]"),
            ("C> cGVuY2ls\\r\\n", "C> [hidden]"),
            ("C: ${word:-cGVuY2ls}", "C: [hidden]"),
            ("C: ${word}", "C: ${word}"),
            ("C: *", "C: *"),
            ("S: 235", "S: 235"),
        ] {
            assert_eq!(Dialogue::parse(text).unwrap().steps()[0].shown(true), shown);
        }
    }
}
