//! JSON in ASCII alone.

/// Returns JSON with escapes for the characters beyond ASCII and DEL: it says the same, and what a server has said in it
/// steers no terminal that shows it.
///
/// ```
/// use mconnect_core::json::ascii;
///
/// assert_eq!(ascii("\"caf\u{e9} \u{9b}31m \u{1f600}\""), r#""caf\u00e9 \u009b31m \ud83d\ude00""#);
/// ```
#[must_use]
pub fn ascii(json: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(json.len()), json);
    // Only strings hold them.
    while let Some(at) = rest.find(|c: char| !c.is_ascii() || c == '\x7f') {
        let (plain, other) = rest.split_at(at);
        let c = other.chars().next().unwrap_or_default();
        out.push_str(plain);
        out.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        rest = &other[c.len_utf8()..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_is_written_so_that_it_is_read_again() {
        for text in ["", "plain \\ \" /", "\0\x1b\x7f\u{9b}\u{202e}é€\u{1f600}\u{10ffff}"] {
            let out = ascii(&serde_json::to_string(text).unwrap());
            assert!(out.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{out:?}");
            assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
        }
    }
}
