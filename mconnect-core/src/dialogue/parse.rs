//! From text to steps.

use std::time::Duration;

use super::{Deed, Side, Step, SyntaxError};

/// What should have stood there, and the rest of the line from there on.
type Miss<'a> = (&'static str, &'a str);

pub(super) fn steps(text: &str) -> Result<Vec<Step>, SyntaxError> {
    let mut steps = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let (side, deed) = step(line).map_err(|(expected, rest)| SyntaxError {
            line: index + 1,
            column: line[..line.len() - rest.len()].chars().count() + 1,
            expected,
            text: line.to_owned(),
        })?;
        steps.push(Step { line: index + 1, side, deed });
    }
    Ok(steps)
}

fn step(line: &str) -> Result<(Side, Deed), Miss<'_>> {
    let (side, rest) = match line.split_at_checked(1) {
        Some(("C", rest)) => (Side::Client, rest),
        Some(("S", rest)) => (Side::Server, rest),
        _ => return Err(("S: S> C: C> or #", line)),
    };
    let Some((mark @ (":" | ">"), rest)) = rest.split_at_checked(1) else { return Err((": or >", rest)) };
    let rest = match rest.strip_prefix(' ') {
        Some(rest) => rest,
        None if rest.is_empty() => rest,
        None => return Err(("a space", rest)),
    };
    let deed = match mark {
        ">" => Deed::Bytes(bytes(rest)?),
        _ => line_or_direction(rest)?,
    };
    Ok((side, deed))
}

fn line_or_direction(text: &str) -> Result<Deed, Miss<'_>> {
    if let Some(literal) = text.strip_prefix('\\').filter(|rest| rest.starts_with(['*', '\\'])) {
        return Ok(Deed::Line(literal.as_bytes().to_vec()));
    }
    let Some(direction) = text.strip_prefix('*').and_then(|rest| rest.trim_end().strip_suffix('*')) else {
        return Ok(Deed::Line(text.as_bytes().to_vec()));
    };
    let mut words = direction.split_whitespace();
    let deed = match (words.next(), words.next(), words.next()) {
        (Some("body"), None, _) => Deed::Body,
        (Some("half-close"), None, _) => Deed::HalfClose,
        (Some("close"), None, _) => Deed::Close,
        (Some("reset"), None, _) => Deed::Reset,
        (Some("pause"), Some(count), Some("ms")) => match count.parse() {
            Ok(count) => Deed::Pause(Duration::from_millis(count)),
            Err(_) => return Err(("a count of milliseconds", &text["*pause ".len()..])),
        },
        _ => {
            return Err((
                "*body* *pause N ms* *half-close* *close* or *reset*, or \\* for a line that begins so",
                text,
            ));
        }
    };
    Ok(deed)
}

/// Reads bytes with escapes.
fn bytes(text: &str) -> Result<Vec<u8>, Miss<'_>> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(escape) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..escape]);
        let escaped = &rest[escape + 1..];
        let (byte, size) = match escaped.as_bytes() {
            [b'r', ..] => (b'\r', 1),
            [b'n', ..] => (b'\n', 1),
            [b't', ..] => (b'\t', 1),
            [b'0', ..] => (0, 1),
            [b'\\', ..] => (b'\\', 1),
            [b'\'' | b'"', ..] => (escaped.as_bytes()[0], 1),
            [b'x', high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                (u8::from_str_radix(&escaped[1..3], 16).expect("two hexadecimal digits are a byte"), 3)
            }
            _ => return Err(("an escape: \\r \\n \\t \\0 \\\\ or \\xHH", &rest[escape..])),
        };
        bytes.push(byte);
        rest = &escaped[size..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_written_again_as_it_was() {
        let text = "S: 220 hi\nC: \nS> 250-\\x00\\\\\\r\\n\nC: *body*\nS: *pause 20 ms*\nS: \\*close*\nS: \\\\*x\nC: a\\b\nS: *half-close*\nS: *close*\nC: *reset*";
        let steps = steps(text).unwrap();
        assert_eq!(steps[2].deed, Deed::Bytes(b"250-\0\\\r\n".to_vec()));
        assert_eq!(steps[5].deed, Deed::Line(b"*close*".to_vec()));
        assert_eq!(steps[6].deed, Deed::Line(b"\\*x".to_vec()));
        let written: Vec<String> = steps.iter().map(ToString::to_string).collect();
        assert_eq!(written.join("\n"), text);
    }

    #[test]
    fn an_error_shows_the_place_and_what_should_stand_there() {
        let cases = [
            ("S: 220\nX: hi", "line 2, column 1: expected S: S> C: C> or #\n  X: hi\n  ^"),
            ("S 220", "line 1, column 2: expected : or >\n  S 220\n   ^"),
            ("S:220", "line 1, column 3: expected a space\n  S:220\n    ^"),
            (
                "S: *pause x ms*",
                "line 1, column 11: expected a count of milliseconds\n  S: *pause x ms*\n            ^",
            ),
            ("é", "line 1, column 1: expected S: S> C: C> or #\n  é\n  ^"),
            ("S> é\\q", "line 1, column 5: expected an escape: \\r \\n \\t \\0 \\\\ or \\xHH\n  S> é\\q\n      ^"),
        ];
        for (text, message) in cases {
            assert_eq!(steps(text).unwrap_err().to_string(), message);
        }
        assert!(steps("C: *dance*").unwrap_err().expected.starts_with("*body*"));
    }
}
