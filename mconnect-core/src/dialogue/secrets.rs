//! Passwords that stand in lines: they are not shown.

use super::{Deed, Part, Step};

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

impl Step {
    /// Writes the step as a message shows it: as a dialogue has it, but for a password that stands in it.
    pub(crate) fn shown(&self) -> String {
        match &self.deed {
            Deed::Authenticate { mechanism, user, secret } => match &*secret.0 {
                [Part::Value { default: None, .. }] => self.to_string(),
                _ => format!("C: *authenticate {mechanism} {user} [hidden]*"),
            },
            Deed::Line(text) => match &*text.0 {
                [Part::Literal(line)] => match hidden(line, false) {
                    Some(line) => format!("C: {}", String::from_utf8_lossy(&line)),
                    None => self.to_string(),
                },
                _ => self.to_string(),
            },
            _ => self.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Dialogue;

    #[test]
    fn a_step_is_shown_without_the_password_in_it() {
        for (text, shown) in [
            ("C: AUTH PLAIN AHRpbQBwZW5jaWw=", "C: AUTH PLAIN [hidden]"),
            ("C: auth plain ${word}", "C: auth plain ${word}"),
            ("C: AUTH LOGIN", "C: AUTH LOGIN"),
            ("C: *authenticate PLAIN tim pencil*", "C: *authenticate PLAIN tim [hidden]*"),
            ("C: *authenticate PLAIN tim ${word:-pencil}*", "C: *authenticate PLAIN tim [hidden]*"),
            ("C: *authenticate PLAIN tim ${word}*", "C: *authenticate PLAIN tim ${word}*"),
            ("S: 250 AUTH PLAIN x", "S: 250 AUTH PLAIN x"),
        ] {
            assert_eq!(Dialogue::parse(text).unwrap().steps()[0].shown(), shown);
        }
    }
}
