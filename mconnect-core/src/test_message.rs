//! A small message, to see whether mail arrives.

use std::fmt;
use std::process;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::calendar::message_date;
use crate::protocol::Address;

/// A small message that says where it comes from, with the headers that a message has
/// ([RFC 5322, section 3.6](https://www.rfc-editor.org/rfc/rfc5322#section-3.6)). [`Display`](fmt::Display) writes it, for
/// [`Session::deliver`](crate::Session::deliver).
///
/// ```
/// use mconnect_core::TestMessage;
///
/// let message = TestMessage::new("a test", "client.example").to(&["you@example.org".parse()?]);
/// let text = message.header("X-Purpose: testing".parse()?).body("Hello.").to_string();
/// assert!(text.contains("\nFrom: postmaster@client.example\nTo: you@example.org\nSubject: a test\n"));
/// assert!(text.ends_with("\nX-Purpose: testing\n\nHello.\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct TestMessage {
    date: String,
    id: String,
    from: String,
    to: String,
    subject: String,
    headers: Vec<MessageHeader>,
    body: String,
}

/// A header of one line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MessageHeader {
    /// What stands before the colon.
    pub name: String,
    /// What stands behind it.
    pub value: String,
}

/// A text is no header of one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not 'Name: value' on one line")]
pub struct InvalidHeader(String);

impl FromStr for MessageHeader {
    type Err = InvalidHeader;

    fn from_str(text: &str) -> Result<Self, InvalidHeader> {
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
        match text.split_once(':') {
            Some((name, value)) if is_name(name) && !value.contains(NOT_IN_HEADER) => {
                Ok(Self { name: name.to_owned(), value: value.trim_start().to_owned() })
            }
            _ => Err(InvalidHeader(text.to_owned())),
        }
    }
}

impl TestMessage {
    /// Makes one with this subject, of now and of this machine, which calls itself so; from its postmaster, to nobody, and
    /// without a body. Line breaks in subject and name become spaces: what follows one would be another header.
    pub fn new(subject: &str, own_name: &str) -> Self {
        let [subject, own_name] = [subject, own_name].map(|text| text.replace(NOT_IN_HEADER, " "));
        let now = SystemTime::now();
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            date: message_date(now),
            id: format!("<{:x}.{:x}.{}@{own_name}>", since.as_secs(), since.subsec_nanos(), process::id()),
            from: format!("postmaster@{own_name}"),
            to: String::new(),
            subject,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    /// Names the sender.
    #[must_use]
    pub fn from(mut self, sender: &Address) -> Self {
        self.from = sender.to_string();
        self
    }

    /// Names the recipients.
    #[must_use]
    pub fn to(mut self, recipients: &[Address]) -> Self {
        self.to = recipients.iter().map(Address::as_str).collect::<Vec<_>>().join(",\n\t");
        self
    }

    /// Adds a header, which stands for the usual one of the same name.
    #[must_use]
    pub fn header(mut self, header: MessageHeader) -> Self {
        self.headers.push(header);
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: &str) -> Self {
        self.body = body.to_owned();
        self
    }
}

impl fmt::Display for TestMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usual = [
            ("Date", &self.date),
            ("Message-ID", &self.id),
            ("From", &self.from),
            ("To", &self.to),
            ("Subject", &self.subject),
        ];
        let is_given = |name: &str| self.headers.iter().any(|header| header.name.eq_ignore_ascii_case(name));
        for (name, value) in usual.iter().filter(|(name, value)| !value.is_empty() && !is_given(name)) {
            writeln!(f, "{name}: {value}")?;
        }
        for MessageHeader { name, value } in &self.headers {
            writeln!(f, "{}", format!("{name}: {value}").trim_end())?;
        }
        writeln!(f, "\n{}", self.body)
    }
}

/// What ends the line of a header, or cannot be in one.
const NOT_IN_HEADER: [char; 3] = ['\r', '\n', '\0'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_makes_a_header_of_its_own() {
        let text = TestMessage::new("hi\r\nBcc: all", "mx\nX: y").to_string();
        let names: Vec<&str> = text.lines().map_while(|line| line.split_once(':')).map(|(name, _)| name).collect();
        assert_eq!(names, ["Date", "Message-ID", "From", "Subject"], "{text}");
        assert!("Bcc: a\r\nX: y".parse::<MessageHeader>().is_err());
    }
}
