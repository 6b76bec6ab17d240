//! Where and why a text is no dialogue, and how that is shown.

use std::fmt;
use std::sync::Arc;

use crate::protocol::Visible;

/// Where and why a text is no dialogue.
///
/// [`Display`](fmt::Display) shows the line, made visible, and points at the place:
///
/// ```
/// let error = mconnect_core::dialogue::Dialogue::parse("S: 220\nC: *dance*").unwrap_err();
/// assert_eq!((error.line, error.column), (2, 5));
/// let told = error.to_string();
/// assert!(told.starts_with("line 2, column 5: expected *body* *file*"));
/// assert!(told.ends_with("\n  C: *dance*\n      ^"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}line {line}, column {column}: expected {expected}\n  {}\n  {}^", In(file), Visible(text.as_bytes()), Under(text, *column))]
#[non_exhaustive]
pub struct SyntaxError {
    /// The file, if it is from one: the name that [`Dialogue::load`](super::Dialogue::load) or
    /// [`Dialogue::parse_as`](super::Dialogue::parse_as) was given, or that of an included file.
    pub file: Option<Arc<str>>,
    /// The number of the line, counted from 1.
    pub line: usize,
    /// The column, in characters, counted from 1.
    pub column: usize,
    /// What should stand there: characters, words, or a sentence.
    pub expected: &'static str,
    /// The line as it stands, with its indentation.
    pub text: String,
}

/// The beginning of a message that names the file, if there is one.
pub(crate) struct In<'a>(pub &'a Option<Arc<str>>);

impl fmt::Display for In<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|file| write!(f, "{}: ", Visible(file.as_bytes())))
    }
}

/// As much space as the text takes before this column, as it is shown.
struct Under<'a>(&'a str, usize);

impl fmt::Display for Under<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before: String = self.0.chars().take(self.1.saturating_sub(1)).collect();
        let shown = Visible(before.as_bytes()).to_string();
        shown.chars().try_for_each(|c| f.write_str(if c == '\t' { "\t" } else { " " }))
    }
}
