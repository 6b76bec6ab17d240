//! Patterns with stars and question marks.

/// Says whether a pattern, in which `*` is any bytes and `?` one, is the whole of what came; case does not matter.
/// Going back to the last `*` alone is enough, so that no pattern takes more than the product of both lengths.
pub(crate) fn is_like(pattern: &[u8], came: &[u8]) -> bool {
    let (mut p, mut c, mut retry) = (0, 0, None);
    while c < came.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p, c));
                p += 1;
            }
            Some(b'?') => (p, c) = (p + 1, c + 1),
            Some(byte) if byte.eq_ignore_ascii_case(&came[c]) => (p, c) = (p + 1, c + 1),
            _ => match &mut retry {
                Some((star, from)) => {
                    *from += 1;
                    (p, c) = (*star + 1, *from);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_stars_and_question_marks_and_no_case() {
        for (pattern, came) in
            [("*", ""), ("ok", "OK"), ("*queued*as ?", "2.0.0 Queued, now AS 7"), ("a*b*c", "aXbbXc")]
        {
            assert!(is_like(pattern.as_bytes(), came.as_bytes()), "{pattern} {came}");
        }
        for (pattern, came) in [("", "x"), ("?", ""), ("ok", "ok!"), ("a*b*c", "aXbX")] {
            assert!(!is_like(pattern.as_bytes(), came.as_bytes()), "{pattern} {came}");
        }
    }
}
