//! Hosts: as they are written, and as they are looked up and verified.

use std::borrow::Cow;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};

use crate::connect::Connect;

/// A host in the form that goes over the wire: an address, or a name whose letters beyond ASCII stand in A-labels
/// ([RFC 5890, section 2.3.2.1](https://www.rfc-editor.org/rfc/rfc5890#section-2.3.2.1)).
///
/// ```
/// use mconnect_core::{Host, InvalidHost};
///
/// let host = Host::parse("müller.example")?;
/// assert_eq!(host.name, "xn--mller-kva.example");
/// let connect = host.connect(25);
/// assert_eq!(Host::parse("mx.example:25"), Err(InvalidHost::Port));
/// # Ok::<(), InvalidHost>(())
/// ```
#[doc(alias = "IDNA")]
#[doc(alias = "punycode")]
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Host {
    /// What is looked up: a name, or an address.
    pub name: String,
    /// How it was written, where that is something else.
    pub written: Option<String>,
}

/// Why a text is not a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidHost {
    /// It ends with a port, or is none but a port: a resolver would take a number for an address.
    #[error("a port is no part of it")]
    Port,
    /// It breaks the rules of IDNA ([RFC 5891](https://www.rfc-editor.org/rfc/rfc5891)), as these words say.
    #[error("{0}")]
    Name(String),
}

impl Host {
    /// Reads a host as people write it; a port in the wrong place is an error.
    ///
    /// # Errors
    /// [`InvalidHost`].
    pub fn parse(written: &str) -> Result<Self, InvalidHost> {
        if has_port(written) {
            return Err(InvalidHost::Port);
        }
        let host = Self::from_name(written)?;
        // Digits of other scripts are digits in the end.
        if host.written.is_some() && has_port(&host.name) { Err(InvalidHost::Port) } else { Ok(host) }
    }

    /// Reads a name. What is ASCII is taken as it is: that it can be looked up is for the resolver to say.
    ///
    /// # Errors
    /// [`InvalidHost::Name`].
    pub fn from_name(written: &str) -> Result<Self, InvalidHost> {
        if written.is_ascii() {
            return Ok(Self { name: written.to_owned(), written: None });
        }
        match to_ascii(written, DnsLength::VerifyAllowRootDot) {
            Some(name) => Ok(Self { name: name.into_owned(), written: Some(written.to_owned()) }),
            None => Err(InvalidHost::Name(reason(written))),
        }
    }

    /// Makes ready a connection to it, which tells it in messages as people know it, too.
    pub fn connect(&self, port: u16) -> Connect {
        let connect = Connect::new(&self.name, port);
        self.written.iter().fold(connect, |connect, written| connect.known_as(written))
    }

    /// Returns a text with the name in it told in both forms.
    pub fn tell_in(&self, text: String) -> String {
        match &self.written {
            Some(written) => text.replace(&self.name, &format!("{} ({written})", self.name)),
            None => text,
        }
    }
}

fn has_port(host: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match host.rsplit_once(':') {
        Some((name, port)) => is_number(port) && (name.ends_with(']') || !name.contains(':')),
        None => is_number(host),
    }
}

/// Returns a name or a part of one in A-labels, if it has them.
fn to_ascii(text: &str, length: DnsLength) -> Option<Cow<'_, str>> {
    Uts46::new().to_ascii(text.as_bytes(), AsciiDenyList::URL, Hyphens::CheckFirstLast, length).ok()
}

/// Says why a name has no A-labels.
fn reason(name: &str) -> String {
    let stands = |text: &str| to_ascii(text, DnsLength::Ignore).is_some();
    for label in name.split(DOTS) {
        let Some(ascii) = to_ascii(label, DnsLength::Ignore) else {
            // A combining mark and a hyphen need letters around them, and a letter that is written to the left none of the others.
            return match label.chars().find(|c| !stands(c.encode_utf8(&mut [0; 4])) && !stands(&format!("a{c}a"))) {
                Some(c) => format!("{c:?} (U+{:04X}) may not stand there", u32::from(c)),
                None => format!("the label {label:?} breaks the rules of IDNA (RFC 5891, section 4.2)"),
            };
        };
        if ascii.len() > LONGEST_LABEL {
            return format!("the label {label:?} has {} octets as {ascii}, of {LONGEST_LABEL} at most", ascii.len());
        }
    }
    match to_ascii(name, DnsLength::Ignore) {
        None => "its labels mix the directions of writing (RFC 5893)".to_owned(),
        Some(ascii) if ascii.len() > LONGEST_NAME => {
            format!("it has {} octets in A-labels, of {LONGEST_NAME} at most", ascii.len())
        }
        Some(_) => "a label is empty".to_owned(),
    }
}

/// What IDNA takes for a dot ([RFC 3490, section 3.1](https://www.rfc-editor.org/rfc/rfc3490#section-3.1)).
const DOTS: [char; 4] = ['.', '\u{3002}', '\u{ff0e}', '\u{ff61}'];
const LONGEST_LABEL: usize = 63;
/// In octets, without a last dot.
const LONGEST_NAME: usize = 253;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_beyond_ascii_are_converted() {
        for (written, name) in [
            ("müller.example", "xn--mller-kva.example"),
            ("MÜLLER-PC.local", "xn--mller-pc-65a.local"),
            ("mu\u{308}ller.example", "xn--mller-kva.example"),
            ("faß.example", "xn--fa-hia.example"),
            ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
            ("mx.müller.example.", "mx.xn--mller-kva.example."),
            ("my_app.müller", "my_app.xn--mller-kva"),
            ("דוגמה.example", "xn--6dbbec0c.example"),
            ("１２７.0.0.１", "127.0.0.1"),
        ] {
            let host = Host::parse(written).unwrap();
            assert_eq!((host.name.as_str(), host.written.as_deref()), (name, Some(written)));
        }
    }

    #[test]
    fn ascii_is_taken_as_it_is() {
        for written in ["mx.example", "MX", "a..b", "has space", "xn--wrong-", "::1", "[fe80::1%eth0]", "-h", ""] {
            assert_eq!(Host::parse(written), Ok(Host { name: written.to_owned(), written: None }));
        }
    }

    #[test]
    fn what_is_no_name_is_told_with_the_reason() {
        let (label, name) = ("ü".repeat(64), "ü.".repeat(60));
        for (written, reason) in [
            ("müller..example", "a label is empty"),
            (".müller", "a label is empty"),
            ("\u{ad}", "a label is empty"),
            ("has space.müller", "' ' (U+0020) may not stand there"),
            ("müller\n", "'\\n' (U+000A) may not stand there"),
            ("a\u{200d}ü", "'\\u{200d}' (U+200D) may not stand there"),
            ("mü/ller", "'/' (U+002F) may not stand there"),
            ("\u{308}u.example", "the label \"\\u{308}u\" breaks the rules of IDNA (RFC 5891, section 4.2)"),
            ("-müller.example", "the label \"-müller\" breaks the rules of IDNA (RFC 5891, section 4.2)"),
            ("xn--a.müller", "the label \"xn--a\" breaks the rules of IDNA (RFC 5891, section 4.2)"),
            ("1a.דוגמה", "its labels mix the directions of writing (RFC 5893)"),
            ("müller:25", "a port is no part of it"),
            ("２５", "a port is no part of it"),
            ("mx:25", "a port is no part of it"),
        ] {
            assert_eq!(Host::parse(written).unwrap_err().to_string(), reason, "{written}");
        }
        let error = Host::parse(&label).unwrap_err().to_string();
        assert!(error.contains("octets as xn--") && error.ends_with(", of 63 at most"), "{error}");
        let error = Host::parse(&name).unwrap_err().to_string();
        assert!(error.ends_with("octets in A-labels, of 253 at most"), "{error}");
    }

    #[test]
    fn a_converted_name_is_told_in_both_forms() {
        let host = Host::parse("müller.example").unwrap();
        let told = host.tell_in("not for xn--mller-kva.example but for x".to_owned());
        assert_eq!(told, "not for xn--mller-kva.example (müller.example) but for x");
    }
}
