//! CONNECT of HTTP ([RFC 9110, section 9.3.6](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6)).

use super::{ProxyError, cut, other};
use crate::protocol::Visible;

/// What the head of an answer comes to, if it is no refusal.
pub(super) enum Head {
    /// It has not come to its end.
    Unfinished,
    /// The answer is on its way, and has a head of its own.
    Interim,
    Granted,
}

/// Writes the request for a connection to `place`, a host and a port, and says where in it the login stands.
pub(super) fn request(place: &str, login: Option<&(String, String)>) -> (Vec<u8>, (usize, usize)) {
    let mut head = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n");
    let mut secret = (0, 0);
    if let Some((user, password)) = login {
        head.push_str("Proxy-Authorization: Basic ");
        secret.0 = head.len();
        head.push_str(&base64(format!("{user}:{password}").as_bytes()));
        secret.1 = head.len();
        head.push_str("\r\n");
    }
    head.push_str("\r\n");
    (head.into_bytes(), secret)
}

/// Looks at what came of an answer's head; `has_login` says whether the request had one.
pub(super) fn answer(head: &[u8], has_login: bool) -> Result<Head, ProxyError> {
    let size = head.len().min(BEGINNING.len());
    if head[..size] != BEGINNING[..size] {
        return Err(other("HTTP", head));
    }
    if head.len() > LONGEST_HEAD {
        return Err(ProxyError::Malformed("with a head that does not end"));
    }
    if !(head.ends_with(b"\n\n") || head.ends_with(b"\n\r\n")) {
        return Ok(Head::Unfinished);
    }
    let lines: Vec<&[u8]> = head.split(|byte| *byte == b'\n').collect();
    let (status, fields) = (lines[0].trim_ascii_end(), &lines[1..]);
    let code = status.split(|byte| *byte == b' ').nth(1).filter(|code| code.len() == 3);
    let code = code.and_then(|code| std::str::from_utf8(code).ok()?.parse::<u16>().ok());
    match code {
        Some(100..200) => Ok(Head::Interim),
        // Whatever length it tells of a body, there is none.
        Some(200..300) => Ok(Head::Granted),
        // The first is what some proxies say to a wrong login.
        Some(401 | 407) => {
            let wants = fields.iter().find_map(|field| {
                let (name, value) = field.split_at_checked(field.iter().position(|byte| *byte == b':')?)?;
                name.to_ascii_lowercase().ends_with(b"-authenticate").then_some(value[1..].trim_ascii())
            });
            let with = wants.map(|wants| format!(" ({})", Visible(cut(wants)))).unwrap_or_default();
            let says = if has_login { "refuses the user or the password" } else { "wants a login" };
            Err(ProxyError::Login(format!("{says}{with}")))
        }
        Some(_) => Err(ProxyError::Refused(Visible(cut(status)).to_string())),
        None => Err(ProxyError::Malformed("with a status line that has no code")),
    }
}

/// Writes octets in base64 ([RFC 4648, section 4](https://www.rfc-editor.org/rfc/rfc4648#section-4)).
fn base64(octets: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    octets.chunks(3).fold(String::new(), |mut text, chunk| {
        let bits = (0..3).fold(0, |bits, at| bits << 8 | u32::from(chunk.get(at).copied().unwrap_or_default()));
        for at in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * at)) as usize & 63];
            text.push(if at <= chunk.len() { char::from(digit) } else { '=' });
        }
        text
    })
}

/// What every answer begins with.
const BEGINNING: &[u8] = b"HTTP/1.";
/// In octets.
const LONGEST_HEAD: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_its_padding() {
        let all = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base64(text.as_bytes()));
        assert_eq!(all, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
    }
}
