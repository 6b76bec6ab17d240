//! What stands in a line: names, texts with names in them, and octets with escapes.

use std::sync::Arc;

/// A text with names in it: `250 queued as ${id}`. A `$${` in a dialogue is a `${` that is none.
///
/// [`Display`](std::fmt::Display) writes it as a dialogue has it, octets that are no UTF-8 replaced.
///
/// ```
/// use mconnect_core::dialogue::{Dialogue, Directive, Part};
///
/// let dialogue = Dialogue::parse("C: XQUEUE ${id:-none}")?;
/// let Directive::Line(text) = &dialogue.steps()[0].directive else { panic!() };
/// let [Part::Literal(before), Part::Value { name, default }] = &*text.0 else { panic!() };
/// assert_eq!((before.as_slice(), name.as_str(), default.as_deref()), (&b"XQUEUE "[..], "id", Some("none")));
/// assert_eq!(text.to_string(), "XQUEUE ${id:-none}");
/// # Ok::<(), mconnect_core::dialogue::SyntaxError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(pub Arc<[Part]>);

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// Bytes, escapes and `$${` already read.
    Literal(Vec<u8>),
    /// `${name}` or `${name:-default}`.
    Value {
        /// The name: letters, digits, `_` and `-`.
        name: String,
        /// What stands for it where it has no value; an empty one stands for nothing at all.
        default: Option<String>,
    },
}

impl From<Vec<Part>> for Text {
    fn from(parts: Vec<Part>) -> Self {
        Self(parts.into())
    }
}

/// What should have stood there, and the rest of the line from there on.
pub(super) type Miss<'a> = (&'static str, &'a str);

pub(super) fn name(text: &str) -> Result<String, Miss<'_>> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match text.find(|c| !is_name(c)) {
        Some(at) => Err((NAME, &text[at..])),
        None if text.is_empty() => Err((NAME, text)),
        None => Ok(text.to_owned()),
    }
}

/// Reads a text with names in it; `literal` reads what is between them.
pub(super) fn text<'a>(
    line: &'a str,
    literal: impl Fn(&'a str) -> Result<Vec<u8>, Miss<'a>>,
) -> Result<Text, Miss<'a>> {
    if find_name(line).is_none() {
        let bytes = literal(line)?;
        return Ok(Text(if bytes.is_empty() { Arc::default() } else { Arc::from([Part::Literal(bytes)]) }));
    }
    let (mut parts, mut rest, mut bytes) = (Vec::new(), line, Vec::new());
    while let Some(at) = find_name(rest) {
        if rest[..at].ends_with('$') {
            bytes.extend(literal(&rest[..at - 1])?);
            bytes.extend_from_slice(b"${");
            rest = &rest[at + 2..];
            continue;
        }
        bytes.extend(literal(&rest[..at])?);
        let inner = &rest[at + 2..];
        let Some(end) = inner.find('}') else { return Err(("a } after the name", &rest[rest.len()..])) };
        let (value, default) = match inner[..end].split_once(":-") {
            Some((value, default)) => (value, Some(default.to_owned())),
            None => (&inner[..end], None),
        };
        if value.is_empty() {
            return Err((NAME, inner));
        }
        if !bytes.is_empty() {
            parts.push(Part::Literal(std::mem::take(&mut bytes)));
        }
        parts.push(Part::Value { name: name(value)?, default });
        rest = &inner[end + 1..];
    }
    bytes.extend(literal(rest)?);
    if !bytes.is_empty() {
        parts.push(Part::Literal(bytes));
    }
    Ok(Text::from(parts))
}

/// Finds the next `${`.
fn find_name(text: &str) -> Option<usize> {
    memchr::memchr_iter(b'$', text.as_bytes()).find(|at| text.as_bytes().get(at + 1) == Some(&b'{'))
}

/// Reads bytes as they stand.
pub(super) fn plain(text: &str) -> Result<Vec<u8>, Miss<'_>> {
    Ok(text.as_bytes().to_vec())
}

/// Reads bytes with escapes.
pub(super) fn bytes(text: &str) -> Result<Vec<u8>, Miss<'_>> {
    unescape(text).map_err(|at| ("an escape: \\r \\n \\t \\0 \\\\ or \\xHH", &text[at..]))
}

/// Reads a text with the escapes `\r`, `\n`, `\t`, `\0`, `\\` and `\xHH`, as they stand in `C>` and `S>` lines.
///
/// ```
/// use mconnect_core::dialogue::unescape;
///
/// assert_eq!(unescape("NO\\x00OP\\r\\n").as_deref(), Ok(&b"NO\0OP\r\n"[..]));
/// assert_eq!(unescape("a\\q"), Err(1));
/// ```
///
/// # Errors
/// Where a backslash stands that begins none of them.
pub fn unescape(text: &str) -> Result<Vec<u8>, usize> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(escape) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..escape]);
        let escaped = &rest[escape + 1..];
        let (byte, size) = match escaped.as_bytes() {
            [b'r', ..] => (b'\r', 1),
            [b'n', ..] => (b'\n', 1),
            [b't', ..] => (b'\t', 1),
            [b'0', ..] => (0, 1),
            [b'\\', ..] => (b'\\', 1),
            [b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (u8::from_str_radix(&escaped[1..3], 16).expect("two hexadecimal digits are a byte"), 3)
            }
            _ => return Err(text.len() - escaped.len() - 1),
        };
        bytes.push(byte);
        rest = &escaped[size..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

const NAME: &str = "a name: letters, digits, _ and -";
