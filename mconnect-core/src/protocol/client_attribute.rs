//! What XCLIENT and XFORWARD say of a client.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use super::envelope::Need;
use super::extensions::{Extension, Extensions};
use super::parameter::xtext;

/// What a server is to take a client for, or to note of it: an attribute of XCLIENT or XFORWARD, as
/// [Postfix](https://www.postfix.org/XCLIENT_README.html) [has them](https://www.postfix.org/XFORWARD_README.html):
/// `ADDR=192.0.2.66`, `NAME=spike.example.net`, `HELO`, `LOGIN`, `PROTO`, `PORT`. The value goes out as xtext, and an
/// address of IPv6 behind `IPV6:`.
///
/// ```
/// use mconnect_core::protocol::ClientAttribute;
///
/// let attributes = ["name=spike example".parse()?, ClientAttribute::new("ADDR", "2001:db8::1")?];
/// assert_eq!(ClientAttribute::command("XCLIENT", &attributes), "XCLIENT NAME=spike+20example ADDR=IPV6:2001:db8::1");
/// # Ok::<(), mconnect_core::protocol::InvalidAttribute>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientAttribute {
    name: String,
    value: String,
}

/// A text that is no attribute of XCLIENT or XFORWARD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an attribute is NAME=VALUE, its name of letters, digits and hyphens")]
pub struct InvalidAttribute;

impl ClientAttribute {
    /// Makes one; the name is written in capitals.
    ///
    /// # Errors
    /// The name is not a word of letters, digits and hyphens.
    pub fn new(name: &str, value: &str) -> Result<Self, InvalidAttribute> {
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            return Err(InvalidAttribute);
        }
        let name = name.to_ascii_uppercase();
        let is_six = name.ends_with("ADDR") && value.parse::<Ipv6Addr>().is_ok();
        let value = if is_six { format!("IPV6:{value}") } else { xtext(value) };
        Ok(Self { name, value })
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Writes the command that says these.
    pub fn command(verb: &str, attributes: &[Self]) -> String {
        attributes.iter().fold(verb.to_owned(), |line, attribute| format!("{line} {attribute}"))
    }

    /// Looks whether the server offers all of these for the command.
    ///
    /// # Errors
    /// [`Need::Attribute`] of the first that it does not.
    pub fn require(verb: &'static str, attributes: &[Self], offered: &Extensions) -> Result<(), Need> {
        let extension = offered.get(verb);
        let is_unknown = |attribute: &&Self| {
            let mut names = extension.into_iter().flat_map(Extension::params);
            !names.any(|name| name.eq_ignore_ascii_case(attribute.name.as_bytes()))
        };
        match attributes.iter().find(is_unknown) {
            Some(attribute) => Err(Need::Attribute { attribute: attribute.name.as_str().into(), command: verb }),
            None => Ok(()),
        }
    }
}

impl FromStr for ClientAttribute {
    type Err = InvalidAttribute;

    /// Reads `NAME=VALUE`.
    fn from_str(text: &str) -> Result<Self, InvalidAttribute> {
        let (name, value) = text.split_once('=').ok_or(InvalidAttribute)?;
        Self::new(name, value)
    }
}

impl fmt::Display for ClientAttribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_brings_no_line_and_no_word_of_its_own() {
        for text in ["", "ADDR", "=x", "A B=x", "A\r\nRSET=x", "ä=x"] {
            assert_eq!(text.parse::<ClientAttribute>(), Err(InvalidAttribute), "{text:?}");
        }
        let attribute: ClientAttribute = "name=a b\r\nRSET=+".parse().unwrap();
        assert_eq!((attribute.name(), attribute.to_string().as_str()), ("NAME", "NAME=a+20b+0D+0ARSET+3D+2B"));
    }
}
