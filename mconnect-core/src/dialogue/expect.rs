//! What a reply has to be.
//!
//! A reply is met line by line, in the order in which the lines are written down, with others between them; the code of
//! the last line is compared first, since it is that of the reply ([RFC 5321, section
//! 4.2.1](https://www.rfc-editor.org/rfc/rfc5321#section-4.2.1)). So `S: 250` is met by a reply of any number of lines,
//! and a server may come to say more without failing a test that was written before.

use super::Step;
use super::pattern::is_like;
use super::texts::Text;
use super::values::{Values, Whole};
use crate::protocol::{Code, Reply, ReplyLine};

/// A line of a reply, as a dialogue has it.
///
/// ```
/// use mconnect_core::dialogue::{Dialogue, Directive, Mark, Separator};
///
/// let dialogue = Dialogue::parse("S= 250-SIZE ${size}\nS= 250 HELP")?;
/// let Directive::Reply(wanted) = &dialogue.steps()[0].directive else { panic!() };
/// assert_eq!((wanted.mark, wanted.code.as_str()), (Mark::Exactly, "250"));
/// assert_eq!((wanted.separator, wanted.is_last()), (Separator::Hyphen, false));
/// assert_eq!(wanted.text.to_string(), "SIZE ${size}");
/// # Ok::<(), mconnect_core::dialogue::SyntaxError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Wanted {
    /// How it is meant.
    pub mark: Mark,
    /// The code, or the class that it has to be of.
    pub code: CodePattern,
    /// What stands between the code and the text. A hyphen means that the expectation goes on; whether the server wrote
    /// one in that line is not compared, but by `S=`, in that no other line may follow.
    pub separator: Separator,
    /// The text. A name in it that has neither a value nor a default takes what stands there.
    pub text: Text,
}

/// How a line of a reply is meant, by the mark after its `S`.
///
/// How much of a reply each of them looks at, for a server that says `220 mx.example.org ESMTP ready`:
///
/// ```
/// # #[cfg(feature = "server")] {
/// use mconnect_core::{Connect, server::Server};
///
/// for (dialogue, is_met) in [
///     ("S: 220", true),
///     ("S: 220 mx.example.org", true),
///     ("S: 220 ESMTP", false),
///     ("S= 220 mx.example.org", false),
///     ("S= 220 mx.example.org ESMTP ready", true),
///     ("S~ 220 *esmtp*", true),
///     ("S: 421\nS| 220", true),
///     ("S? 421\nS: 220", true),
/// ] {
///     let server = Server::play("S: 220 mx.example.org ESMTP ready")?;
///     let played = Connect::new("127.0.0.1", server.port()).open()?.play(&dialogue.parse()?);
///     assert_eq!(played.failure().is_none(), is_met, "{dialogue}");
///     drop(played);
///     server.join()?;
/// }
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mark {
    /// `S:` the reply has a line whose text begins so, in this case of its letters. Served, this line is sent.
    Begins,
    /// `S=` the reply has these lines, whole, and no others. Served, they are sent.
    Exactly,
    /// `S~` the reply has a line like this, `*` being anything and `?` one character; case does not matter. Names have
    /// to have values: none is taken here. Served, it is an error
    /// ([`Dialogue::require_servable`](super::Dialogue::require_servable)).
    Pattern,
    /// `S|` or else this reply: another alternative to the one before, which is compared as by `S:`. Served, the first
    /// one is sent.
    Or,
    /// `S?` this reply may come, or not. It is waited for for a second, or as a `*within*` before it says; another
    /// reply is left for the next step.
    Optional,
    /// `S*` any number of such replies may come, none and at most 10,000 of them; the first other one is left for the
    /// next step.
    AnyNumber,
}

impl Mark {
    /// Every mark and its character.
    pub(super) const ALL: [(char, Self); 6] = [
        (':', Self::Begins),
        ('=', Self::Exactly),
        ('~', Self::Pattern),
        ('|', Self::Or),
        ('?', Self::Optional),
        ('*', Self::AnyNumber),
    ];
}

/// Three digits, of which the last, the last two or all may be open: `250`, `25z`, `2yz`, `xyz`, in the letters of
/// [RFC 5321, section 4.2.1](https://www.rfc-editor.org/rfc/rfc5321#section-4.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodePattern([u8; 3]);

impl CodePattern {
    /// Reads a code or a class of codes. `None` is what is neither: an open digit before one that is known, capitals,
    /// or another length.
    ///
    /// ```
    /// use mconnect_core::dialogue::CodePattern;
    ///
    /// assert!(CodePattern::new("250").unwrap().is_whole());
    /// assert_eq!(CodePattern::new("25z").unwrap().as_str(), "25z");
    /// assert!(!CodePattern::new("xyz").unwrap().is_whole());
    /// assert_eq!(CodePattern::new("2y0"), None);
    /// ```
    pub fn new(text: &str) -> Option<Self> {
        match *text.as_bytes() {
            [b'x', b'y', b'z'] => Some(Self(*b"xyz")),
            [a @ b'0'..=b'9', b'y', b'z'] => Some(Self([a, b'y', b'z'])),
            [a @ b'0'..=b'9', b @ b'0'..=b'9', b'z'] => Some(Self([a, b, b'z'])),
            [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9'] => Some(Self([a, b, c])),
            _ => None,
        }
    }

    /// Returns it as it is written: three characters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits and letters are UTF-8")
    }

    /// Says whether all three digits are known, so that it can be sent.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.0.iter().all(u8::is_ascii_digit)
    }

    fn has(self, line: ReplyLine<'_>) -> bool {
        line.code().is_some_and(|code| self.is(code))
    }

    /// Says whether a code is this, or of this class.
    pub(super) fn is(self, code: Code) -> bool {
        let number = code.number();
        let digits = [number / 100, number / 10 % 10, number % 10];
        self.0.iter().zip(digits).all(|(wanted, digit)| !wanted.is_ascii_digit() || u16::from(wanted - b'0') == digit)
    }
}

/// What stands between a code and its text ([RFC 5321, section
/// 4.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.2)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    /// Nothing: the line ends after the code, which a client has to take, too.
    Nothing,
    /// A space, which ends the reply.
    Space,
    /// A hyphen: the reply goes on.
    Hyphen,
}

impl Wanted {
    /// Says whether the reply ends with this line: whether it has no hyphen after its code.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.separator != Separator::Hyphen
    }

    /// Returns the name in a pattern that has no value: none can be taken there.
    pub(super) fn lacks(&self, values: &Values) -> Option<String> {
        if self.mark == Mark::Pattern { values.fill(&self.text).err() } else { None }
    }

    /// Compares one line, and returns what its names took; `None` if it is another. A line without a code meets
    /// nothing.
    pub(super) fn is_met_by(&self, line: ReplyLine<'_>, values: &Values) -> Option<Vec<(String, Vec<u8>)>> {
        match self.mark {
            _ if !self.code.has(line) => None,
            Mark::Exactly => values.matches(&self.text.0, line.text(), Whole::Yes),
            Mark::Pattern if self.text.0.is_empty() => Some(Vec::new()),
            Mark::Pattern => is_like(&values.fill(&self.text).ok()?, line.text()).then(Vec::new),
            Mark::Begins | Mark::Or | Mark::Optional | Mark::AnyNumber => {
                values.matches(&self.text.0, line.text(), Whole::No)
            }
        }
    }
}

/// Says whether the reply has the lines of these steps, in this order, and ends with the code of the last; returns what
/// their names took.
pub(super) fn is_met(steps: &[Step], reply: &Reply, values: &Values) -> Option<Vec<(String, Vec<u8>)>> {
    let wanted = || steps.iter().filter_map(Step::wanted);
    let said = || reply.lines().filter(|line| line.code().is_some());
    let last = wanted().next_back()?;
    let is_exact = wanted().any(|line| line.mark == Mark::Exactly);
    if !last.code.has(said().last()?) || is_exact && said().count() != wanted().count() {
        return None;
    }
    // A last line without a text says where the reply ends, and with which code.
    let count = wanted().count() - usize::from(!is_exact && last.text.0.is_empty());
    let (mut said, mut taken) = (said(), Vec::new());
    for wanted in wanted().take(count) {
        let mut met = said.by_ref().map(|line| wanted.is_met_by(line, values));
        taken.extend(if is_exact { met.next()? } else { met.flatten().next() }?);
    }
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::super::Dialogue;
    use super::*;
    use crate::protocol::{Limits, LineBuffer, ReplyBuilder};

    fn reply(text: &str) -> Reply {
        let (mut lines, mut builder) = (LineBuffer::new(1000), ReplyBuilder::new(Limits::default()));
        lines.extend(text.as_bytes());
        while let Some(line) = lines.next_line() {
            if let Some(reply) = builder.push(line).unwrap() {
                return reply;
            }
        }
        panic!("no reply: {text}");
    }

    fn meets(dialogue: &str, said: &str) -> bool {
        is_met(Dialogue::parse(dialogue).unwrap().steps(), &reply(said), &Values::default()).is_some()
    }

    #[test]
    fn a_reply_meets_what_it_has_in_order() {
        let ehlo = "250-mx.example.org\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250 HELP\r\n";
        for wanted in [
            "S: 250",
            "S: 25z",
            "S: 2yz",
            "S: xyz",
            "S: 250-SIZE\nS: 250",
            "S: 250-PIPE\nS: 250-SIZE\nS: 250",
            "S: 250 mx.example",
            "S: 250-SIZE 1\nS: 250 HELP",
            "S~ 250 size *",
            "S~ 250-p?pelining\nS~ 250 *",
            "S= 250-mx.example.org\nS= 250-PIPELINING\nS= 250-SIZE 1000\nS= 250 HELP",
            "S= 250-${host}\nS= 250-PIPELINING\nS= 250-SIZE ${size}\nS= 250 HELP",
        ] {
            assert!(meets(wanted, ehlo), "{wanted}");
        }
        for wanted in [
            "S: 251",
            "S: 24z",
            "S: 5yz",
            "S: 250-SIZE\nS: 250-PIPE\nS: 250",
            "S: 250-size\nS: 250",
            "S~ 250 size",
            "S= 250 HELP",
            "S= 250-mx.example.org\nS= 250-PIPELINING\nS= 250-SIZE 1\nS= 250 HELP",
        ] {
            assert!(!meets(wanted, ehlo), "{wanted}");
        }
    }
}
