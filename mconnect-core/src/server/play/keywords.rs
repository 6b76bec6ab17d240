//! Where in a command case does not matter: its keywords
//! ([RFC 5321, section 2.4](https://www.rfc-editor.org/rfc/rfc5321#section-2.4)).
//!
//! Everything else in a command is compared as it is: a local part may differ by its case alone
//! ([RFC 5321, section 2.4](https://www.rfc-editor.org/rfc/rfc5321#section-2.4)), and base64 does.

use std::ops::Range;

/// Returns where the keywords of a command line stand: the verb, `FROM:` and `TO:`, the keywords of parameters, the
/// mechanism of AUTH, LAST.
pub(super) fn keywords(line: &[u8]) -> Vec<Range<usize>> {
    let verb = word(line, 0);
    let arguments = words(line, verb.end);
    let mut keywords = vec![verb.clone()];
    match line[verb].to_ascii_uppercase().as_slice() {
        b"MAIL" => path(line, &arguments, b"FROM:", &mut keywords),
        b"RCPT" => path(line, &arguments, b"TO:", &mut keywords),
        b"AUTH" => keywords.extend(arguments.into_iter().next()),
        b"BDAT" => keywords.extend(arguments.into_iter().nth(1)),
        b"XCLIENT" | b"XFORWARD" => parameters(line, arguments, &mut keywords),
        _ => {}
    }
    keywords
}

/// Adds the keyword before a path, and those of the parameters behind it.
fn path(line: &[u8], arguments: &[Range<usize>], keyword: &[u8], keywords: &mut Vec<Range<usize>>) {
    let Some(start) = arguments.first().map(|first| first.start) else { return };
    let end = start + keyword.len();
    if !line.get(start..end).is_some_and(|named| named.eq_ignore_ascii_case(keyword)) {
        return;
    }
    keywords.push(start..end);
    let path = words(line, end).first().map_or(line.len(), |first| first.start);
    parameters(line, words(line, path_end(line, path)), keywords);
}

/// Adds what stands before the `=` in each parameter, or all of it.
fn parameters(line: &[u8], words: Vec<Range<usize>>, keywords: &mut Vec<Range<usize>>) {
    for Range { start, end } in words {
        let size = line[start..end].iter().position(|byte| *byte == b'=').unwrap_or(end - start);
        keywords.push(start..start + size);
    }
}

/// Returns where a path ends that begins here; a `>` in a quoted string does not end it.
fn path_end(line: &[u8], start: usize) -> usize {
    if line.get(start) != Some(&b'<') {
        return word(line, start).end;
    }
    let (mut at, mut is_quoted) = (start, false);
    while at < line.len() {
        match line[at] {
            b'\\' if is_quoted => at += 1,
            b'"' => is_quoted = !is_quoted,
            b'>' if !is_quoted => return at + 1,
            _ => {}
        }
        at += 1;
    }
    line.len()
}

/// Returns where the words stand from a place on.
fn words(line: &[u8], mut at: usize) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    while let Some(blanks) = line.get(at..).and_then(|rest| rest.iter().position(|byte| !is_blank(*byte))) {
        let word = word(line, at + blanks);
        at = word.end;
        words.push(word);
    }
    words
}

/// Returns where the word stands that begins here; it may be empty.
fn word(line: &[u8], start: usize) -> Range<usize> {
    let size = line[start..].iter().position(|byte| is_blank(*byte)).unwrap_or(line.len() - start);
    start..start + size
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keywords_of_a_command_are_found_and_nothing_else() {
        for (line, found) in [
            ("", &[""][..]),
            ("quit", &["quit"]),
            ("ehlo Me.Example", &["ehlo"]),
            ("mail from:<A@b> size=3 BODY=8bitmime smtputf8", &["mail", "from:", "size", "BODY", "smtputf8"]),
            ("MAIL  FROM: <\"a> x=1\\\" \"@b>\tret=HDRS", &["MAIL", "FROM:", "ret"]),
            ("mail from:<>size=3", &["mail", "from:", "size"]),
            ("mail from:a@b x=y", &["mail", "from:", "x"]),
            ("mail from:", &["mail", "from:"]),
            ("mail from:<a x=y", &["mail", "from:"]),
            ("mail to:<a@b> x=y", &["mail"]),
            ("mail", &["mail"]),
            ("rcpt to:<a@b> notify=NEVER", &["rcpt", "to:", "notify"]),
            ("auth plain AGEAYg==", &["auth", "plain"]),
            ("bdat 3 last", &["bdat", "last"]),
            ("bdat 3", &["bdat"]),
            ("xclient addr=::1 name=x", &["xclient", "addr", "name"]),
            ("vrfy from:<a>", &["vrfy"]),
        ] {
            let words: Vec<&str> = keywords(line.as_bytes()).into_iter().map(|word| &line[word]).collect();
            assert_eq!(words, found, "{line}");
        }
    }
}
