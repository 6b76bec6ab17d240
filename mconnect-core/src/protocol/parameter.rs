//! Parameters, as they stand in the commands of a transaction.

use std::str::FromStr;

use super::address::{Unwritable, Why};

/// A parameter of MAIL or RCPT: `NOTIFY=SUCCESS`, `SMTPUTF8`
/// ([RFC 5321, section 4.1.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.1.2)). Values that are xtext go in as they
/// are meant and are encoded here: of ENVID, of AUTH, and of ORCPT behind the type.
///
/// ```
/// use mconnect_core::protocol::Parameter;
///
/// assert_eq!("NOTIFY=SUCCESS,DELAY".parse::<Parameter>()?.as_str(), "NOTIFY=SUCCESS,DELAY");
/// assert_eq!("ORCPT=rfc822;a+b@example.org".parse::<Parameter>()?.as_str(), "ORCPT=rfc822;a+2Bb@example.org");
/// assert!("RET=HDRS SIZE=1".parse::<Parameter>().is_err());
/// # Ok::<(), mconnect_core::protocol::Unwritable>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Parameter {
    written: String,
    keyword: usize,
}

impl Parameter {
    /// Returns it as it is written: `ENVID=a+2Bb`.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// Says whether it is of this keyword, in whatever case.
    #[must_use]
    pub fn is(&self, keyword: &str) -> bool {
        self.written[..self.keyword].eq_ignore_ascii_case(keyword)
    }

    /// Returns the value as it is written.
    pub fn value(&self) -> Option<&str> {
        self.written.get(self.keyword + 1..)
    }

    fn read(text: &str) -> Result<Self, Why> {
        let (keyword, value) = match text.split_once('=') {
            Some((keyword, value)) => (keyword, Some(value)),
            None => (text, None),
        };
        let is_in_keyword = |(at, c): (usize, char)| c.is_ascii_alphanumeric() || (c == '-' && at > 0);
        let is_in_value = |c: char| !c.is_control() && c != '=' && (!c.is_ascii() || c.is_ascii_graphic());
        if keyword.is_empty() {
            return Err(Why::Missing("keyword"));
        }
        if let Some((_, c)) = keyword.char_indices().find(|found| !is_in_keyword(*found)) {
            return Err(Why::NotIn(c, "keyword"));
        }
        let Some(value) = value else { return Ok(Self { written: keyword.to_owned(), keyword: keyword.len() }) };
        let value = match (keyword.to_ascii_uppercase().as_str(), value.split_once(';')) {
            ("ENVID" | "AUTH", _) => xtext(value),
            // RFC 6533, section 3, has its own escapes.
            ("ORCPT", Some((kind, original))) if !kind.eq_ignore_ascii_case("utf-8") => {
                format!("{kind};{}", xtext(original))
            }
            _ => value.to_owned(),
        };
        match value.chars().find(|c| !is_in_value(*c)) {
            _ if value.is_empty() => Err(Why::Missing("value after the =")),
            Some(c) => Err(Why::NotIn(c, "value")),
            None => Ok(Self { written: format!("{keyword}={value}"), keyword: keyword.len() }),
        }
    }
}

impl FromStr for Parameter {
    type Err = Unwritable;

    /// Reads `KEYWORD` or `KEYWORD=value`.
    fn from_str(text: &str) -> Result<Self, Unwritable> {
        Self::read(text).map_err(|why| why.of("parameter", text))
    }
}

/// Writes a text so that it is one word without `=`: every octet but the visible ones, and `+` and `=` of those, as `+` and
/// two hexadecimal digits ([RFC 3461, section 4](https://www.rfc-editor.org/rfc/rfc3461#section-4)).
///
/// ```
/// assert_eq!(mconnect_core::protocol::xtext("a b+c=é"), "a+20b+2Bc+3D+C3+A9");
/// ```
pub fn xtext(text: impl AsRef<[u8]>) -> String {
    text.as_ref().iter().fold(String::new(), |mut out, byte| {
        match byte {
            b'!'..=b'~' if !matches!(byte, b'+' | b'=') => out.push(char::from(*byte)),
            _ => out.push_str(&format!("+{byte:02X}")),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_one_word_and_its_xtext_is_encoded() {
        for (text, written) in [
            ("SMTPUTF8", "SMTPUTF8"),
            ("ENVID=a b=", "ENVID=a+20b+3D"),
            ("auth=<>", "auth=<>"),
            ("AUTH=a=b@x", "AUTH=a+3Db@x"),
            ("ORCPT=utf-8;\\x{E9}@x", "ORCPT=utf-8;\\x{E9}@x"),
            ("ORCPT=utf-8;é@x", "ORCPT=utf-8;é@x"),
            ("X-A-1=b", "X-A-1=b"),
        ] {
            assert_eq!(text.parse::<Parameter>().unwrap().as_str(), written);
        }
        for text in ["", "=x", "-A=1", "A B", "A=", "A=b c", "A=b=c", "A=b\r\nDATA", "É=1", "A=\u{7f}", "A=\u{97}"] {
            assert!(text.parse::<Parameter>().is_err(), "{text:?}");
        }
        let parameter: Parameter = "Ret=HDRS".parse().unwrap();
        assert!(parameter.is("RET") && !parameter.is("RE") && parameter.value() == Some("HDRS"));
    }
}
