//! Values: names in a text, what stands for them, and what is taken from what came.
//!
//! ```text
//!                      set by the caller ───┐
//!    taken from what came ──────────────────┼──► Values::get
//!    the environment (where it is sent) ────┼──► Values::fill ──► a text that is sent
//!    the default after :- ──────────────────┘
//!                                                Values::matches ──► what is compared, and what it took
//! ```
//!
//! What is sent may use the environment, and what is compared may not: a name that has neither value nor default takes
//! what stands there, and a variable that happens to have this name would change what a test expects.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::ops::Range;

use memchr::memmem;

use super::texts::{Part, Text};
use crate::protocol::wipe;

/// Names and what stands for them: set by the caller, taken from what the other side said (`S: 250 queued as ${id}`),
/// or, for a name that is neither, the environment's.
///
/// ```
/// use mconnect_core::dialogue::{Dialogue, Directive, Values};
///
/// let dialogue = Dialogue::parse("C: EHLO ${helo:-client.example}")?;
/// let Directive::Line(text) = &dialogue.steps()[0].directive else { panic!() };
/// let mut values = Values::default();
/// assert_eq!(values.fill(text), Ok(b"EHLO client.example".to_vec()));
/// values.set("helo", "mx.example.org");
/// assert_eq!(values.fill(text), Ok(b"EHLO mx.example.org".to_vec()));
/// # Ok::<(), mconnect_core::dialogue::SyntaxError>(())
/// ```
///
/// What a session took is in [`Played::values`](super::Played::values):
///
/// ```
/// # #[cfg(feature = "server")] {
/// use mconnect_core::{Connect, dialogue::Dialogue, server::Server};
///
/// let server = Server::play("S: 220 mx.example.org ESMTP\nC: QUIT\nS: 221 bye")?;
/// let played = Connect::new("127.0.0.1", server.port()).open()?.play(&"S: 220 ${host}\nC: QUIT\nS: 221".parse()?);
/// assert_eq!(played.require()?.values.get("host"), Some(&b"mx.example.org"[..]));
/// # server.join()?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Values of names that are [hidden](Self::hide) are overwritten when this is dropped, and [`Debug`](std::fmt::Debug)
/// does not show them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Values {
    values: BTreeMap<String, Vec<u8>>,
    secrets: BTreeSet<String>,
    /// Names whose values the other side chose.
    captured: BTreeSet<String>,
}

/// How much of what came a text has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whole {
    /// All of it.
    Yes,
    /// Its beginning.
    No,
}

impl Values {
    /// Sets the value of a name, in place of one that it had before. Whatever the bytes are, they stand in a text as
    /// they are: a CR LF in a value ends the line that it is in.
    ///
    /// ```
    /// use mconnect_core::dialogue::Values;
    ///
    /// let mut values = Values::default();
    /// values.set("host", "mx.example.org");
    /// values.set("host", b"\xff".to_vec());
    /// assert_eq!(values.get("host"), Some(&b"\xff"[..]));
    /// assert_eq!(values.get("other"), None);
    /// ```
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) {
        let name = name.into();
        self.captured.remove(&name);
        self.values.insert(name, value.into());
    }

    /// Sets the values of names that were taken from what came.
    pub(crate) fn capture(&mut self, taken: Vec<(String, Vec<u8>)>) {
        for (name, value) in taken {
            self.captured.insert(name.clone());
            self.values.insert(name, value);
        }
    }

    /// Returns the value of a name that was set or taken from what came. The environment is not asked, and defaults are
    /// those of a text.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.values.get(name).map(Vec::as_slice)
    }

    /// Marks a name as secret: its value is shown as `[hidden]`, in whatever text it stands, and whether it is set
    /// before or afterwards.
    ///
    /// ```
    /// let mut values = mconnect_core::dialogue::Values::default();
    /// values.hide("password");
    /// values.set("password", "pencil");
    /// assert_eq!(format!("{values:?}"), r#"{"password": "[hidden]"}"#);
    /// ```
    pub fn hide(&mut self, name: impl Into<String>) {
        self.secrets.insert(name.into());
    }

    /// Returns the text with a value for every name in it: one that was set or taken, one from the environment, or the
    /// default, in this order.
    ///
    /// # Errors
    /// The first name that has none.
    ///
    /// ```
    /// use mconnect_core::dialogue::{Dialogue, Directive, Values};
    ///
    /// let dialogue = Dialogue::parse("C: MAIL FROM:<${sender}> SIZE=${size:-0}")?;
    /// let Directive::Line(text) = &dialogue.steps()[0].directive else { panic!() };
    /// let mut values = Values::default();
    /// assert_eq!(values.fill(text), Err("sender".to_owned()));
    /// values.set("sender", "a@example.org");
    /// assert_eq!(values.fill(text), Ok(b"MAIL FROM:<a@example.org> SIZE=0".to_vec()));
    /// # Ok::<(), mconnect_core::dialogue::SyntaxError>(())
    /// ```
    pub fn fill(&self, text: &Text) -> Result<Vec<u8>, String> {
        let literal = |part: &Part| if let Part::Literal(bytes) = part { bytes.len() } else { 0 };
        let mut filled = Vec::with_capacity(text.0.iter().map(literal).sum::<usize>() + b"\r\n".len());
        for part in &*text.0 {
            match part {
                Part::Literal(bytes) => filled.extend_from_slice(bytes),
                Part::Value { name, default } => match (self.get(name), std::env::var_os(name), default) {
                    (Some(value), ..) => filled.extend_from_slice(value),
                    (None, Some(value), _) => filled.extend_from_slice(OsStr::as_encoded_bytes(&value)),
                    (None, None, Some(default)) => filled.extend_from_slice(default.as_bytes()),
                    (None, None, None) => return Err(name.clone()),
                },
            }
        }
        Ok(filled)
    }

    /// Returns the name of a file. What the other side said is no part of one: it would choose which file is read.
    ///
    /// # Errors
    /// A sentence on the name that has no value, or one from the other side.
    pub(crate) fn file_name(&self, text: &Text) -> Result<Vec<u8>, String> {
        let captured = text.0.iter().find_map(|part| match part {
            Part::Value { name, .. } if self.captured.contains(name) => Some(name),
            _ => None,
        });
        match captured {
            Some(name) => Err(format!("${{{name}}} was taken from what came: that names no file")),
            None => self.fill(text).map_err(|name| no_value(&name)),
        }
    }

    /// Returns the secrets that have a value, where that is not empty.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = Cow<'_, [u8]>> {
        let value = |name: &String| {
            let environment = || std::env::var_os(name).map(|value| value.into_encoded_bytes().into());
            self.get(name).map(Cow::Borrowed).or_else(environment)
        };
        self.secrets.iter().filter_map(value).filter(|secret| !secret.is_empty())
    }

    /// Returns bytes with every secret in them hidden, wherever one stands; borrowed, if there is none.
    ///
    /// ```
    /// let mut values = mconnect_core::dialogue::Values::default();
    /// values.set("password", "pencil");
    /// values.hide("password");
    /// assert_eq!(&*values.mask(b"535 no such password: pencil"), b"535 no such password: [hidden]");
    /// assert!(matches!(values.mask(b"250 ok"), std::borrow::Cow::Borrowed(_)));
    /// ```
    pub fn mask<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let mut secrets: Vec<_> = self.secrets().collect();
        // One may be a part of another, whose rest would be shown.
        secrets.sort_by_key(|secret| Reverse(secret.len()));
        let mut masked = Cow::Borrowed(bytes);
        for secret in secrets {
            let (mut rest, mut out) = (&*masked, Vec::new());
            while let Some(at) = memmem::find(rest, &secret) {
                out.extend_from_slice(&rest[..at]);
                out.extend_from_slice(HIDDEN);
                rest = &rest[at + secret.len()..];
            }
            if !out.is_empty() {
                out.extend_from_slice(rest);
                masked = Cow::Owned(out);
            }
        }
        masked
    }

    /// Compares what came with a text. A name without a value takes what stands there: up to the text that follows it,
    /// or at the end the rest, of a word only where the text need not be the whole.
    pub(crate) fn matches(&self, text: &[Part], came: &[u8], whole: Whole) -> Option<Vec<(String, Vec<u8>)>> {
        self.matches_command(text, came, &[], whole)
    }

    /// Compares as [`matches`](Self::matches) does, but for the case of what came in these places.
    pub(crate) fn matches_command(
        &self,
        text: &[Part],
        came: &[u8],
        keywords: &[Range<usize>],
        whole: Whole,
    ) -> Option<Vec<(String, Vec<u8>)>> {
        let (mut taken, mut at) = (Vec::new(), 0);
        let mut parts = text.iter().peekable();
        while let Some(part) = parts.next() {
            let name = match (part, self.known(part)) {
                (_, Some(bytes)) if stands_at(came, at, bytes, keywords) => {
                    at += bytes.len();
                    continue;
                }
                (_, Some(_)) => return None,
                (Part::Value { name, .. }, None) => name,
                (Part::Literal(_), None) => continue,
            };
            let rest = &came[at..];
            let size = match parts.peek().map(|next| self.known(next)) {
                Some(Some(next)) if keywords.is_empty() => memmem::find(rest, next)?,
                Some(Some(next)) => (0..=rest.len()).find(|size| stands_at(came, at + size, next, keywords))?,
                Some(None) => 0,
                None if whole == Whole::Yes => rest.len(),
                None => rest.iter().position(u8::is_ascii_whitespace).unwrap_or(rest.len()),
            };
            taken.push((name.clone(), rest[..size].to_vec()));
            at += size;
        }
        (whole == Whole::No || at == came.len()).then_some(taken)
    }

    /// Returns the bytes that a part stands for, if they are known before anything came.
    fn known<'a>(&'a self, part: &'a Part) -> Option<&'a [u8]> {
        match part {
            Part::Literal(bytes) => Some(bytes),
            Part::Value { name, default } => self.get(name).or(default.as_deref().map(str::as_bytes)),
        }
    }
}

impl Drop for Values {
    fn drop(&mut self) {
        for name in &self.secrets {
            self.values.get_mut(name).into_iter().for_each(|secret| wipe(secret));
        }
    }
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |name: &str, value: &[u8]| match self.secrets.contains(name) {
            true => "[hidden]".to_owned(),
            false => value.escape_ascii().to_string(),
        };
        f.debug_map().entries(self.values.iter().map(|(name, value)| (name, shown(name, value)))).finish()
    }
}

/// Tells of a name that stands for nothing.
pub(crate) fn no_value(name: &str) -> String {
    format!("${{{name}}} has no value")
}

/// Says whether some bytes stand at a place, but for the case of keywords.
fn stands_at(came: &[u8], at: usize, bytes: &[u8], keywords: &[Range<usize>]) -> bool {
    let before = |at: usize| keywords[..keywords.partition_point(|keyword| keyword.start <= at)].last();
    let is_keyword = |at: usize| before(at).is_some_and(|keyword| at < keyword.end);
    let is_same = |(offset, (one, other)): (usize, (&u8, &u8))| {
        one == other || (one.eq_ignore_ascii_case(other) && is_keyword(at + offset))
    };
    came[at..].get(..bytes.len()).is_some_and(|some| some.iter().zip(bytes).enumerate().all(is_same))
}

const HIDDEN: &[u8] = b"[hidden]";

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> Part {
        Part::Literal(text.into())
    }

    fn name(name: &str) -> Part {
        Part::Value { name: name.to_owned(), default: None }
    }

    #[test]
    fn a_name_without_a_value_takes_what_stands_there() {
        let values = Values::default();
        let text = Text::from(vec![literal("queued as "), name("id")]);
        let taken = |text: &Text, came: &str, whole| {
            values.matches(&text.0, came.as_bytes(), whole).map(|taken| String::from_utf8(taken[0].1.clone()).unwrap())
        };
        assert_eq!(taken(&text, "queued as 4X on mx", Whole::No).as_deref(), Some("4X"));
        assert_eq!(taken(&text, "queued as 4X on mx", Whole::Yes).as_deref(), Some("4X on mx"));
        assert_eq!(taken(&text, "not queued", Whole::No), None);
        let middle = Text::from(vec![literal("<"), name("id"), literal("> ok")]);
        assert_eq!(taken(&middle, "<a b> ok", Whole::Yes).as_deref(), Some("a b"));
        assert_eq!(taken(&middle, "<a b> no", Whole::Yes), None);
    }

    #[test]
    fn a_name_with_a_value_stands_for_it() {
        let mut values = Values::default();
        values.set("id", "7");
        let text =
            Text::from(vec![name("id"), Part::Value { name: "unset".to_owned(), default: Some("d".to_owned()) }]);
        assert_eq!(values.matches(&text.0, b"7d and more", Whole::No), Some(Vec::new()));
        assert_eq!(values.matches(&text.0, b"8d", Whole::No), None);
        assert_eq!(values.fill(&text).unwrap(), b"7d");
        assert_eq!(values.fill(&Text::from(vec![name("no such name")])).unwrap_err(), "no such name");
    }

    #[test]
    fn secrets_are_hidden_wherever_they_stand() {
        let mut values = Values::default();
        values.set("password", "hush");
        values.hide("password");
        assert_eq!(&*values.mask(b"AUTH hush, hush!"), b"AUTH [hidden], [hidden]!");
        values.set("another", "hu");
        values.hide("another");
        assert_eq!(&*values.mask(b"AUTH hush"), b"AUTH [hidden]");
        assert_eq!(format!("{values:?}"), "{\"another\": \"[hidden]\", \"password\": \"[hidden]\"}");
    }
}
