//! Why a token of OAuth was refused: a 334 says so, in base64 and JSON
//! ([RFC 7628, section 3.2.2](https://www.rfc-editor.org/rfc/rfc7628#section-3.2.2)).
//!
//! It is read here, and not by a reader of JSON: the status is all that is wanted of it, and this is built without any.

/// Returns the status in such a challenge: `invalid_token`, or `401`.
pub(super) fn status(challenge: &[u8]) -> Option<String> {
    let json = String::from_utf8(decode(challenge.trim_ascii())?).ok()?;
    let rest = json.trim_start().strip_prefix('{')?.split_once("\"status\"")?.1;
    let value = rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?;
    let status = value.split('"').next()?;
    (status.len() <= LONGEST && !status.is_empty()).then(|| status.to_owned())
}

/// Decodes base64 of either alphabet, whether or not it is padded: providers differ in both.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    let end = text.iter().position(|byte| *byte == b'=').unwrap_or(text.len());
    for byte in &text[..end] {
        let digit = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        (bits, count) = (bits << 6 | u32::from(digit), count + 6);
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    Some(bytes)
}

/// A longer status is none.
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_a_refused_token_is_read() {
        // {"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}
        let google =
            b"eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ==";
        assert_eq!(status(google).as_deref(), Some("400"));
        // {"status":"invalid_token"}, without padding.
        assert_eq!(status(b"eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0").as_deref(), Some("invalid_token"));
        for odd in [&b""[..], b"VXNlcm5hbWU6", b"not base64", b"eyJzdGF0dXMiOg==", b"\xff\xfe"] {
            assert_eq!(status(odd), None, "{}", odd.escape_ascii());
        }
    }
}
