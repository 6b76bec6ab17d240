//! Secrets that stand in steps: they are not shown.
//!
//! A step is shown in messages, in reports and by `Debug`. Where a secret begins in a line of the client's, the tracker
//! says, as it does of what is sent; a step is therefore looked at as what would be sent, names standing for four
//! letters of base64, and cut where that has a secret. A name by itself tells nothing, and is left, but its default
//! does.

use std::fmt;
use std::ops::Range;

use super::{Directive, Part, Side, Step, Text};
use crate::protocol::{ReplyLine, Tracker, Visible};

impl Step {
    /// Writes the step as a message shows it: as a dialogue has it, made visible, but for the secrets in it. What was
    /// sent before says whether a line answers a challenge.
    pub(crate) fn shown(&self, before: &Tracker) -> String {
        let text = match &self.directive {
            Directive::Authenticate { mechanism, user, secret } => match &*secret.0 {
                [Part::Value { default: None, .. }] => self.to_string(),
                _ => format!("C: *authenticate {mechanism} {user} [hidden]*"),
            },
            Directive::Line(text) | Directive::Bytes(text) if self.side == Side::Client => {
                let is_line = matches!(self.directive, Directive::Line(_));
                let end: &[u8] = if is_line { b"\r\n" } else { b"" };
                match Told::new(text, end).without_secrets(before.clone()) {
                    Some(text) => {
                        let directive = if is_line { Directive::Line(text) } else { Directive::Bytes(text) };
                        Step { directive, ..self.clone() }.to_string()
                    }
                    None => self.to_string(),
                }
            }
            _ => self.to_string(),
        };
        Visible(text.as_bytes()).to_string()
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nobody knows what stands before the step: base64 may be an answer.
        let mut before = Tracker::new();
        before.received(ReplyLine::new(b"220 ready\r\n"));
        before.sent(b"AUTH LOGIN\r\n");
        before.received(ReplyLine::new(b"504 refused\r\n"));
        write!(f, "{} {:?}", self.line, self.shown(&before))
    }
}

/// What a text tells, and where each of its parts is in that. A name tells nothing, but what stands for it where it has
/// no value does.
struct Told<'a> {
    bytes: Vec<u8>,
    parts: Vec<(&'a Part, Range<usize>)>,
}

impl<'a> Told<'a> {
    /// Puts the parts together, with what stands at the end of a line.
    fn new(text: &'a Text, end: &[u8]) -> Self {
        let (mut bytes, mut parts) = (Vec::new(), Vec::new());
        for part in &*text.0 {
            let start = bytes.len();
            bytes.extend_from_slice(match part {
                Part::Literal(literal) => literal,
                Part::Value { default: Some(default), .. } => default.as_bytes(),
                Part::Value { default: None, .. } => SOME_VALUE,
            });
            parts.push((part, start..bytes.len()));
        }
        bytes.extend_from_slice(end);
        Self { bytes, parts }
    }

    /// Writes it without the secrets in it, if they tell anything.
    fn without_secrets(&self, mut before: Tracker) -> Option<Text> {
        let mut secrets = before.sent_secrets(&self.bytes);
        secrets.retain(|secret| {
            let tells = |part: &Part| !matches!(part, Part::Value { default: None, .. });
            self.parts.iter().any(|(part, place)| tells(part) && overlap(place, secret))
        });
        let (mut shown, mut at) = (Vec::new(), 0);
        for secret in &secrets {
            shown.extend(self.parts_in(at..secret.start));
            shown.push(Part::Literal(b"[hidden]".to_vec()));
            at = secret.end;
        }
        shown.extend(self.parts_in(at..self.bytes.len()));
        if secrets.is_empty() { None } else { Some(Text::from(shown)) }
    }

    /// Returns what stands there; of a value only if it is there as a whole.
    fn parts_in(&self, there: Range<usize>) -> impl Iterator<Item = Part> {
        self.parts.iter().filter_map(move |(part, place)| {
            let (start, end) = (place.start.max(there.start), place.end.min(there.end));
            match part {
                _ if start >= end => None,
                Part::Literal(_) => Some(Part::Literal(self.bytes[start..end].to_vec())),
                Part::Value { .. } => (*place == (start..end)).then(|| (*part).clone()),
            }
        })
    }
}

/// Says whether two places have an octet in common.
fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

/// What a name may stand for: base64, in the least that there is of it.
const SOME_VALUE: &[u8] = b"xxxx";

#[cfg(test)]
mod tests {
    use super::super::Dialogue;
    use crate::protocol::{ReplyLine, Tracker};

    #[test]
    fn a_step_is_shown_without_the_password_in_it() {
        for (text, shown) in [
            ("C: AUTH PLAIN AHRpbQBwZW5jaWw=", "C: AUTH PLAIN [hidden]"),
            ("C> AUTH PLAIN AHRpbQBwZW5jaWw=\\r\\n", "C> AUTH PLAIN [hidden]\\r\\n"),
            ("C> RSET\\r\\nAUTH PLAIN dGV4dA==\\r\\nRSET", "C> RSET\\r\\nAUTH PLAIN [hidden]\\r\\n[hidden]"),
            ("C: AUTH ${mechanism} dGV4dA==", "C: AUTH ${mechanism} [hidden]"),
            ("C: \\*AUTH PLAIN dGV4dA==", "C: \\*AUTH PLAIN dGV4dA=="),
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
            assert_eq!(Dialogue::parse(text).unwrap().steps()[0].shown(&Tracker::new()), shown);
        }
    }

    #[test]
    fn an_answer_to_a_challenge_is_not_shown_but_for_the_name_of_one() {
        let mut asked = Tracker::new();
        asked.received(ReplyLine::new(b"220 ready\r\n"));
        asked.sent(b"AUTH LOGIN\r\n");
        for (text, shown) in [
            ("C: cGVuY2ls", "C: [hidden]"),
            ("C> cGVuY2ls\\r\\n", "C> [hidden]\\r\\n"),
            ("C: ${word:-cGVuY2ls}", "C: [hidden]"),
            ("C: ${word}", "C: ${word}"),
            ("C: *", "C: *"),
            ("S: 235", "S: 235"),
        ] {
            assert_eq!(Dialogue::parse(text).unwrap().steps()[0].shown(&asked), shown);
        }
    }
}
