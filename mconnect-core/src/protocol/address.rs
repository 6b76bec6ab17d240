//! Addresses, as they stand in the commands of a transaction.

use std::fmt;
use std::str::FromStr;

use super::visible::Visible;

/// A mailbox, as it stands between the angle brackets of MAIL and RCPT
/// ([RFC 5321, section 4.1.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.1.2)): a local part and a domain or an
/// address literal, or, as for `Postmaster` and in LMTP, a local part alone. What cannot be written there cannot be made:
/// an address that ends the path early, or the line, would be a parameter or another command to the server.
///
/// A local part that is no dot-string gets the quotes it needs; one that was written in quotes keeps them:
///
/// | read | written |
/// |---|---|
/// | `a+b.c@example.org`, with angle brackets or without | as it is |
/// | `john smith@example.org`, `a..b@example.org` | `"john smith"@example.org`, `"a..b"@example.org` |
/// | `"a@b"@example.org` | as it is: without its quotes it would be somebody else's |
/// | `jörg@bücher.example` | as it is, and needs SMTPUTF8; A-labels are for the caller to make |
/// | `Postmaster` | as it is |
/// | `a@b@example.org`, `a@example.org> SIZE=1`, `Ann <a@example.org>`, line breaks | never |
///
/// ```
/// use mconnect_core::protocol::Address;
///
/// let address: Address = "john smith@example.org".parse()?;
/// assert_eq!(address.as_str(), r#""john smith"@example.org"#);
/// assert_eq!((address.local_part(), address.domain()), ("john smith".to_owned(), Some("example.org")));
/// assert_eq!("<root@[IPv6:::1]>".parse::<Address>()?.as_str(), "root@[IPv6:::1]");
///
/// let injected = "b@example.org> NOTIFY=NEVER".parse::<Address>().unwrap_err();
/// assert!(injected.to_string().ends_with("there cannot be '>' in a domain"));
/// # Ok::<(), mconnect_core::protocol::Unwritable>(())
/// ```
#[doc(alias = "mailbox")]
#[doc(alias = "forward-path")]
#[doc(alias = "reverse-path")]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    written: String,
    /// The octets of the local part, its quotes with it.
    local: usize,
}

impl Address {
    /// Makes one of a local part, whatever is in it, and a domain or an address literal.
    ///
    /// ```
    /// use mconnect_core::protocol::Address;
    ///
    /// assert_eq!(Address::new("a>b\"c", "example.org")?.as_str(), r#""a>b\"c"@example.org"#);
    /// assert!(Address::new("", "example.org").is_err());
    /// # Ok::<(), mconnect_core::protocol::Unwritable>(())
    /// ```
    ///
    /// # Errors
    /// [`Unwritable`] if the local part is empty or holds a control character, or the domain cannot be one.
    pub fn new(local_part: &str, domain: &str) -> Result<Self, Unwritable> {
        Self::of(&quoted(local_part), Some(domain)).map_err(|why| why.of("address", &format!("{local_part}@{domain}")))
    }

    /// Reads a reverse-path: an address, or `<>` or nothing, the null reverse-path of a notification
    /// ([RFC 5321, section 4.5.5](https://www.rfc-editor.org/rfc/rfc5321#section-4.5.5)).
    ///
    /// ```
    /// use mconnect_core::protocol::Address;
    ///
    /// assert_eq!(Address::reverse_path("<>")?, None);
    /// assert_eq!(Address::reverse_path("<a@example.org>")?.unwrap().as_str(), "a@example.org");
    /// # Ok::<(), mconnect_core::protocol::Unwritable>(())
    /// ```
    ///
    /// # Errors
    /// [`Unwritable`] if it is another text that is no address.
    pub fn reverse_path(text: &str) -> Result<Option<Self>, Unwritable> {
        if matches!(text, "" | "<>") { Ok(None) } else { text.parse().map(Some) }
    }

    /// Returns it as it is written, without angle brackets.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// Returns the local part without the quotes.
    pub fn local_part(&self) -> String {
        let local = &self.written[..self.local];
        let Some(inner) = local.strip_prefix('"').and_then(|local| local.strip_suffix('"')) else {
            return local.to_owned();
        };
        let mut is_escaped = false;
        let mut shown = |c: &char| {
            is_escaped = *c == '\\' && !is_escaped;
            !is_escaped
        };
        inner.chars().filter(|c| shown(c)).collect()
    }

    /// Returns the domain, or the address literal in its brackets.
    pub fn domain(&self) -> Option<&str> {
        self.written.get(self.local + 1..)
    }

    /// Says whether a server has to offer SMTPUTF8 for it
    /// ([RFC 6531, section 3.3](https://www.rfc-editor.org/rfc/rfc6531#section-3.3)): anything in it is beyond ASCII, be it
    /// the local part or the domain.
    ///
    /// ```
    /// use mconnect_core::protocol::Address;
    ///
    /// assert!("jörg@example.org".parse::<Address>()?.needs_utf8());
    /// assert!(!"joerg@xn--bcher-kva.example".parse::<Address>()?.needs_utf8());
    /// # Ok::<(), mconnect_core::protocol::Unwritable>(())
    /// ```
    #[must_use]
    pub fn needs_utf8(&self) -> bool {
        !self.written.is_ascii()
    }

    /// Makes one of a local part in quotes or without, as it is to be written.
    fn of(local: &str, domain: Option<&str>) -> Result<Self, Why> {
        let inner = local.strip_prefix('"').and_then(|local| local.strip_suffix('"')).unwrap_or(local);
        match domain {
            _ if inner.is_empty() => return Err(Why::Missing("local part")),
            _ if inner.contains(char::is_control) => return Err(Why::Control),
            Some(domain) => require_domain(domain)?,
            None => {}
        }
        let written = domain.map_or(local.to_owned(), |domain| format!("{local}@{domain}"));
        Ok(Self { written, local: local.len() })
    }

    fn read(text: &str) -> Result<Self, Why> {
        let inner = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text);
        if let Some(rest) = inner.strip_prefix('"') {
            let end = closing_quote(rest).ok_or(Why::Missing("closing quote"))?;
            let (local, rest) = inner.split_at(end + 2);
            return match rest.strip_prefix('@') {
                None if !rest.is_empty() => Err(Why::Missing("@ after the quotes")),
                domain => Self::of(local, domain),
            };
        }
        let (local, domain) = match inner.rsplit_once('@') {
            Some((local, domain)) => (local, Some(domain)),
            None => (inner, None),
        };
        match local.chars().find(|c| matches!(c, '<' | '>' | '@' | '"')) {
            // In quotes, it would be somebody else's address.
            Some(c) => Err(Why::Unquoted(c)),
            None => Self::of(&quoted(local), domain),
        }
    }
}

impl FromStr for Address {
    type Err = Unwritable;

    /// Reads an address as it is written, with angle brackets or without, and adds quotes where it lacks them.
    fn from_str(text: &str) -> Result<Self, Unwritable> {
        Self::read(text).map_err(|why| why.of("address", text))
    }
}

impl fmt::Display for Address {
    /// Writes it as [`as_str`](Self::as_str) returns it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// Writes a local part: as it is if it is a dot-string, otherwise in quotes.
fn quoted(local: &str) -> String {
    let is_atom = |atom: &str| {
        !atom.is_empty() && atom.chars().all(|c| !c.is_ascii() || c.is_ascii_alphanumeric() || ATOM_MARKS.contains(c))
    };
    if local.is_empty() || local.split('.').all(is_atom) {
        return local.to_owned();
    }
    let inner: String = local.chars().fold(String::new(), |mut inner, c| {
        inner.extend(matches!(c, '"' | '\\').then_some('\\'));
        inner.push(c);
        inner
    });
    format!("\"{inner}\"")
}

/// Returns where a quoted string ends that has begun before.
fn closing_quote(rest: &str) -> Option<usize> {
    let mut is_escaped = false;
    rest.find(|c: char| {
        let ends = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        ends
    })
}

fn require_domain(domain: &str) -> Result<(), Why> {
    // The RFC lets these four stand there, too; no address has them, and a careless server ends the path at them.
    let is_in_literal = |c: char| matches!(c, '!'..='Z' | '^'..='~') && !matches!(c, '<' | '>' | '@' | '"');
    let is_in_name = |c: char| !(c.is_control() || c.is_whitespace() || "<>()[]\\,;:@\"".contains(c));
    let literal = domain.strip_prefix('[').and_then(|domain| domain.strip_suffix(']'));
    let wrong = match literal {
        _ if domain.is_empty() || literal == Some("") => return Err(Why::Missing("domain")),
        Some(literal) => literal.chars().find(|c| !is_in_literal(*c)),
        None => domain.chars().find(|c| !is_in_name(*c)),
    };
    wrong.map_or(Ok(()), |c| Err(if c.is_control() { Why::Control } else { Why::NotIn(c, "domain") }))
}

/// A text that cannot be written where it was meant to stand in a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{}\" cannot be written as {} {kind}: {why}", Visible(text.as_bytes()), if *kind == "address" { "an" } else { "a" })]
pub struct Unwritable {
    text: String,
    kind: &'static str,
    why: Why,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Why {
    #[error("it has no {0}")]
    Missing(&'static str),
    #[error("it holds a control character")]
    Control,
    #[error("there cannot be {0:?} in a {1}")]
    NotIn(char, &'static str),
    #[error("{0:?} in a local part needs quotes around it")]
    Unquoted(char),
}

impl Why {
    pub(super) fn of(self, kind: &'static str, text: &str) -> Unwritable {
        Unwritable { text: text.to_owned(), kind, why: self }
    }
}

/// What may stand in an atom beside letters and digits
/// ([RFC 5322, section 3.2.3](https://www.rfc-editor.org/rfc/rfc5322#section-3.2.3)).
const ATOM_MARKS: &str = "!#$%&'*+-/=?^_`{|}~";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_local_part_gets_the_quotes_it_needs_and_keeps_those_it_has() {
        for (text, written, local) in [
            ("a@example.org", "a@example.org", "a"),
            ("<a+b.c@example.org>", "a+b.c@example.org", "a+b.c"),
            ("Postmaster", "Postmaster", "Postmaster"),
            (r#""a b""#, r#""a b""#, "a b"),
            ("a..b@x", r#""a..b"@x"#, "a..b"),
            (".a@x", r#"".a"@x"#, ".a"),
            ("a b@x", r#""a b"@x"#, "a b"),
            (r"a\b@x", r#""a\\b"@x"#, r"a\b"),
            (r#""a"@x"#, r#""a"@x"#, "a"),
            (r#""a@b>\"\\"@x"#, r#""a@b>\"\\"@x"#, r#"a@b>"\"#),
            ("a@[192.0.2.1]", "a@[192.0.2.1]", "a"),
            ("jörg@bücher.example", "jörg@bücher.example", "jörg"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!((address.as_str(), address.local_part().as_str()), (written, local), "{text}");
            assert_eq!(written.parse::<Address>().unwrap(), address, "it reads as it is written");
            assert_eq!(address.needs_utf8(), !text.is_ascii());
            assert_eq!(address.domain(), written.rsplit_once('@').map(|(_, domain)| domain));
            assert_eq!(address.to_string(), written);
        }
    }

    #[test]
    fn what_would_end_the_path_or_the_line_is_no_address() {
        for text in [
            "",
            "<>",
            "@x",
            "a@",
            "a@[]",
            "\"\"@x",
            "\"a@x",
            "\"a\"b@x",
            "a>b@x",
            "a<b@x",
            "a@b@x",
            "a@x,b@y",
            "a@x>",
            "a@x y",
            "a\nb@x",
            "a@x\r\nDATA",
            "a\0@x",
            "a@x\0",
            "a@[x]y]",
            "a@[x>y]",
            "\"a\"@[IPv6::<\"b]",
            "a@[x y]",
            "\"a\rb\"@x",
            "a@\u{85}",
            "a@x> SIZE=1",
            "a\"b@x",
            "\"a\\\"@x",
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(!error.contains(char::is_control), "{error}");
        }
        assert_eq!(Address::reverse_path("<>"), Ok(None));
        assert!(
            Address::reverse_path("a@").is_err()
                && Address::new("a\n", "x").is_err()
                && Address::new("a", "b>").is_err()
        );
    }
}
