//! Names in certificates, in words.
//!
//! A name is a list of attributes, such as CN (common name) and O (organisation), the widest one first. It is written
//! the other way round, as OpenSSL and browsers show it: `CN=mx.example.org,O=Example,C=DE`.

use std::fmt::Write as _;

use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::{Encode as _, Tag, Tagged as _};
use x509_cert::name::Name;

/// Writes a name as [RFC 4514](https://www.rfc-editor.org/rfc/rfc4514) has it: its last part first. A part of a kind that
/// is not [known](KINDS) stands there as numbers.
pub(super) fn in_words(name: &Name) -> String {
    let parts = name.iter_rdn().map(|part| part.iter().map(attribute).collect::<Vec<_>>().join("+"));
    let parts: Vec<String> = parts.collect();
    parts.into_iter().rev().collect::<Vec<_>>().join(",")
}

/// Writes one attribute; what is no text, or of a kind that is not known, as hexadecimal digits.
fn attribute(attribute: &AttributeTypeAndValue) -> String {
    let (oid, value) = (attribute.oid.to_string(), &attribute.value);
    let is_text = matches!(value.tag(), Tag::PrintableString | Tag::Utf8String | Tag::Ia5String | Tag::TeletexString);
    let text = std::str::from_utf8(value.value()).ok().filter(|_| is_text);
    match (KINDS.iter().find(|(known, _)| *known == oid), text) {
        (Some((_, kind)), Some(text)) => format!("{kind}={}", escaped(text)),
        _ => {
            let bytes = value.to_der().unwrap_or_default();
            bytes.iter().fold(format!("{oid}=#"), |text, byte| text + &format!("{byte:02x}"))
        }
    }
}

/// Escapes what would be taken for something else
/// ([RFC 4514, section 2.4](https://www.rfc-editor.org/rfc/rfc4514#section-2.4)).
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        match c {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => escaped.extend(['\\', c]),
            '#' if at == 0 => escaped.push_str("\\#"),
            ' ' if at == 0 || at + 1 == text.len() => escaped.push_str("\\ "),
            '\0'..='\x1f' | '\x7f' => write!(escaped, "\\{:02x}", u32::from(c)).expect("a string takes all"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// What names are made of, as RFC 4514, section 3, and RFC 4519 call it. The list of all that was ever registered would be
/// a third of what the system has to correct in the tool at every start.
const KINDS: &[(&str, &str)] = &[
    ("2.5.4.3", "CN"),
    ("2.5.4.4", "SN"),
    ("2.5.4.5", "SERIALNUMBER"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.12", "TITLE"),
    ("2.5.4.15", "BUSINESSCATEGORY"),
    ("2.5.4.17", "POSTALCODE"),
    ("2.5.4.42", "GN"),
    ("2.5.4.97", "ORGANIZATIONIDENTIFIER"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("1.2.840.113549.1.9.1", "EMAILADDRESS"),
    ("1.3.6.1.4.1.311.60.2.1.2", "JURISDICTIONST"),
    ("1.3.6.1.4.1.311.60.2.1.3", "JURISDICTIONC"),
];

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use super::*;

    #[test]
    fn a_name_is_written_as_it_is_read() {
        for text in [
            "CN=mx.example.org",
            "CN=a\\, b,L=d+OU=c,O=\\#e\\ ,C=DE",
            "UID=tim,DC=example,DC=org",
            "CN=\u{fc}",
            "2.5.4.41=#0c0178",
        ] {
            let name = Name::from_str(text).unwrap();
            assert_eq!(in_words(&name), text);
        }
        assert_eq!(escaped("\u{1}\\\"<>;+#\u{7f}"), "\\01\\\\\\\"\\<\\>\\;\\+#\\7f");
    }
}
