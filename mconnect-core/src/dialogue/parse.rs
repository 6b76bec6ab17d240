//! From text to steps.
//!
//! A line at a time, and each line from left to right: whoever meets something that cannot stand there returns what
//! should, and the rest of the line from there on ([`Miss`]). Where that is in the line follows from the rest being a
//! part of it, so that no function has to carry a column. What depends on the line before is one function, `follows`.

use std::sync::Arc;
use std::time::Duration;

use super::texts::{Miss, bytes, name, plain, text};
use super::{CodePattern, Directive, Mark, Separator, Side, Step, SyntaxError, Wanted};
use crate::stream::Truncation;

/// Reads the steps of a text; `file` is what each of them is said to be from.
pub(super) fn steps(text: &str, file: Option<&Arc<str>>) -> Result<Vec<Step>, SyntaxError> {
    let mut steps: Vec<Step> = Vec::new();
    // Some editors put a byte order mark before a text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_end_matches('\r');
        // The RFCs print sessions indented.
        let said = line.trim_start_matches([' ', '\t']);
        if said.trim().is_empty() || said.starts_with('#') {
            continue;
        }
        let error = |(expected, rest): Miss<'_>| SyntaxError {
            file: file.cloned(),
            line: index + 1,
            // `rest` is a part of `line`.
            column: line[..rest.as_ptr() as usize - line.as_ptr() as usize].chars().count() + 1,
            expected,
            text: line.to_owned(),
        };
        let (side, directive) = step(said).map_err(error)?;
        follows(steps.last().map(|step| &step.directive), &directive).map_err(|expected| error((expected, said)))?;
        steps.push(Step { file: file.cloned(), line: index + 1, side, directive });
    }
    match steps.last() {
        Some(Step { line, directive: Directive::Reply(wanted), .. }) if !wanted.is_last() => Err(SyntaxError {
            file: file.cloned(),
            line: *line,
            column: 1,
            expected: REST_OF_REPLY,
            text: text.lines().nth(line - 1).unwrap_or_default().trim_end_matches('\r').to_owned(),
        }),
        _ => Ok(steps),
    }
}

/// Checks what depends on the line before: a reply is whole before anything else comes.
fn follows(before: Option<&Directive>, directive: &Directive) -> Result<(), &'static str> {
    match (before, directive) {
        (Some(Directive::Reply(before)), Directive::Reply(wanted))
            if !before.is_last() && before.mark != wanted.mark =>
        {
            Err(REST_OF_REPLY)
        }
        (Some(Directive::Reply(before)), Directive::Reply(Wanted { mark: Mark::Or, .. }))
            if matches!(before.mark, Mark::Optional | Mark::AnyNumber) =>
        {
            Err("a reply with S: S= or S~ before S|")
        }
        (Some(Directive::Reply(_)), Directive::Reply(_)) => Ok(()),
        // Exact bytes or a pause may come between the lines that a server sends.
        (Some(Directive::Reply(before)), directive)
            if !before.is_last() && !matches!(directive, Directive::Bytes(_) | Directive::Pause(_)) =>
        {
            Err(REST_OF_REPLY)
        }
        (_, Directive::Reply(Wanted { mark: Mark::Or, .. })) => Err("a reply before S|"),
        _ => Ok(()),
    }
}

/// Reads one line, without its indentation: a side, its mark, and what stands behind.
fn step(line: &str) -> Result<(Side, Directive), Miss<'_>> {
    let (side, rest) = match line.split_at_checked(1) {
        Some(("C", rest)) => (Side::Client, rest),
        Some(("S", rest)) => (Side::Server, rest),
        Some(("*", _)) => return Ok((Side::Neither, directed(line, &direction_of_neither)?)),
        _ => return Err(("S: S> C: C> a *direction* or #", line)),
    };
    let mark = rest.chars().next().unwrap_or('\n');
    let is_known = match side {
        Side::Server => mark == '>' || Mark::ALL.iter().any(|(known, _)| *known == mark),
        Side::Client | Side::Neither => mark == ':' || mark == '>',
    };
    if !is_known {
        return Err((if side == Side::Server { ": > = ~ | ? or *" } else { ": or >" }, rest));
    }
    let rest = match rest[1..].strip_prefix(' ') {
        Some(rest) => rest,
        None if rest.len() == 1 => &rest[1..],
        None => return Err(("a space", &rest[1..])),
    };
    let directive = match (side, mark) {
        (_, '>') => Directive::Bytes(text(rest, bytes)?),
        (Side::Client, _) if is_direction(rest) => directed(rest, &direction_of_client)?,
        (Side::Server, ':') if is_direction(rest) => directed(rest, &direction_of_server)?,
        (Side::Server, _) => {
            let (_, mark) = Mark::ALL.iter().find(|(known, _)| *known == mark).expect("the mark was looked up before");
            Directive::Reply(reply(rest, *mark)?)
        }
        _ => {
            let literal = rest.strip_prefix('\\').filter(|rest| rest.starts_with(['*', '\\']));
            Directive::Line(text(literal.unwrap_or(rest), plain)?)
        }
    };
    Ok((side, directive))
}

/// Says whether what a side does stands there, and not what it says. A lone asterisk is what cancels AUTH.
fn is_direction(text: &str) -> bool {
    text.starts_with('*') && text.len() > 1 && text.trim_end().ends_with('*')
}

/// Reads what stands between the asterisks.
fn directed<'a>(
    text: &'a str,
    read: &dyn Fn(&'a str, &'a str) -> Result<Directive, Miss<'a>>,
) -> Result<Directive, Miss<'a>> {
    let trimmed = text.trim_end();
    match trimmed.strip_prefix('*').and_then(|rest| rest.strip_suffix('*')) {
        Some(inner) => read(inner, inner.trim()),
        None => Err(("an asterisk at the end", &text[trimmed.len()..])),
    }
}

/// Reads what only a client does, or either side.
fn direction_of_client<'a>(inner: &'a str, words: &'a str) -> Result<Directive, Miss<'a>> {
    let (verb, rest) = first_word(words);
    Ok(match (verb, rest) {
        ("body", "") => Directive::Body(None),
        ("body", file) => Directive::Body(Some(text(file, plain)?)),
        ("starttls", "") => Directive::StartTls,
        ("tls", "") => Directive::Tls,
        ("authenticate", rest) => {
            let (mechanism, rest) = first_word(rest);
            let (user, secret) = first_word(rest);
            if mechanism.is_empty() || user.is_empty() || secret.is_empty() {
                return Err(("authenticate MECHANISM USER SECRET", inner));
            }
            Directive::Authenticate {
                mechanism: mechanism.to_owned(),
                user: text(user, plain)?,
                secret: text(secret, plain)?,
            }
        }
        _ => match direction_of_either(verb, rest)? {
            Some(directive) => directive,
            None => return Err((CLIENTS, inner)),
        },
    })
}

/// Reads what only a server does, or either side.
fn direction_of_server<'a>(inner: &'a str, words: &'a str) -> Result<Directive, Miss<'a>> {
    let (verb, rest) = first_word(words);
    match (words, direction_of_either(verb, rest)?) {
        ("no reply", _) => Ok(Directive::NoReply),
        (_, Some(directive)) => Ok(directive),
        _ => Err((SERVERS, inner)),
    }
}

/// Reads what either side does; `None` is for whoever knows more.
fn direction_of_either<'a>(verb: &'a str, rest: &'a str) -> Result<Option<Directive>, Miss<'a>> {
    Ok(Some(match (verb, rest) {
        ("file", file) if !file.is_empty() => Directive::File(text(file, plain)?),
        ("octets", count) => Directive::Octets(count.parse().map_err(|_| ("a count of octets", count))?),
        ("pause", time) => Directive::Pause(duration(time)?),
        ("silence", time) => Directive::Silence(duration(time)?),
        ("half-close", "") => Directive::HalfClose,
        ("close", "") => Directive::Close,
        ("close", "without close_notify") => Directive::Truncate(Truncation::BetweenRecords),
        ("cut", "off inside tls") => Directive::Truncate(Truncation::InsideRecord),
        ("reset", "") => Directive::Reset,
        ("end", "tls") => Directive::EndTls,
        _ => return Ok(None),
    }))
}

/// Reads what is for whoever plays.
fn direction_of_neither<'a>(inner: &'a str, words: &'a str) -> Result<Directive, Miss<'a>> {
    let (verb, rest) = first_word(words);
    Ok(match (verb, rest) {
        ("within", time) => Directive::Within(duration(time)?),
        ("each", rest) if first_word(rest).0 == "within" => Directive::EachWithin(duration(first_word(rest).1)?),
        ("all", rest) if first_word(rest).0 == "within" => Directive::AllWithin(duration(first_word(rest).1)?),
        ("place", place) => Directive::Place(name(place)?),
        ("secret", secret) => Directive::Secret(name(secret)?),
        ("include", file) if !file.is_empty() => Directive::Include(file.to_owned()),
        ("next", "session") => Directive::NextSession,
        _ => return Err((NEITHERS, inner)),
    })
}

fn first_word(text: &str) -> (&str, &str) {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// Reads a whole number and its unit. A number that fits 32 bits cannot overflow in milliseconds.
fn duration(text: &str) -> Result<Duration, Miss<'_>> {
    let (count, unit) = first_word(text);
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "min" => 60_000,
        _ => return Err(("a time such as 20 ms, 5 s or 2 min", if unit.is_empty() { text } else { unit })),
    };
    match count.parse::<u32>() {
        Ok(count) => Ok(Duration::from_millis(u64::from(count) * milliseconds)),
        Err(_) => Err(("a whole number", count)),
    }
}

/// Reads a code, what stands behind it, and the text.
fn reply(line: &str, mark: Mark) -> Result<Wanted, Miss<'_>> {
    let code = line.split_at_checked(3).and_then(|(code, rest)| Some((CodePattern::new(code)?, rest)));
    let Some((code, rest)) = code else { return Err((CODE, line)) };
    let separator = match rest.as_bytes().first() {
        None => Separator::Nothing,
        Some(b' ') => Separator::Space,
        Some(b'-') => Separator::Hyphen,
        Some(_) => return Err(("a space, a hyphen or the end of the line", rest)),
    };
    let text = text(rest.get(1..).unwrap_or_default(), plain)?;
    Ok(Wanted { mark, code, separator, text })
}

const REST_OF_REPLY: &str = "the rest of the reply: a line with the same mark and no hyphen after the code ends it";
const CODE: &str =
    "a code such as 250, a class such as 25z or 2yz, xyz, or a *direction*; S> for a line that is no reply";
const CLIENTS: &str = "*body* *file* *octets* *pause* *silence* *half-close* *close* *close without close_notify* \
    *cut off inside tls* *reset* *starttls* *tls* *end tls* or *authenticate*, or \\* for a line that begins so";
const SERVERS: &str = "*close* *close without close_notify* *cut off inside tls* *half-close* *reset* *silence* \
    *no reply* *pause* *file* *octets* or *end tls*";
const NEITHERS: &str = "*within* *each within* *all within* *place* *secret* *include* or *next session*";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_written_again_as_it_was() {
        let text = "S: 220 hi\nC: \nS> 250-\\x00\\\\\\r\\n\nC: *body*\nC: *body message ${n}.eml*\nS: *pause 20 ms*\n\
            C: \\*close*\nC: \\\\*x\nC: a\\b\nC: *\nS: *half-close*\nS: *close*\nC: *reset*\nS= 250-a\nS= 250\nS: 25z a\n\
            S| 5yz ${why}\nS? 250 ok\nS* xyz\nS~ 250 *OK?\nC: A ${a} ${b:-c d} $${no}\nC> ${x}\\r\\n\nC> \\x24${x}$${y}$\nC: *octets 5*\n\
            C: *file a b*\nS: *silence 2 s*\nS: *no reply*\nC: *starttls*\nC: *tls*\nC: *end tls*\n\
            C: *authenticate PLAIN u${x} p w*\n*within 1 s*\n*each within 90 s*\n*all within 2 min*\n*place p-1*\n\
            *secret p*\nC: *close without close_notify*\nS: *cut off inside tls*\n*include other file.txt*\n*next session*\nS: 250-\nS: 250 ";
        let steps = steps(text, None).unwrap();
        let written: Vec<String> = steps.iter().map(ToString::to_string).collect();
        assert_eq!(written.join("\n"), text);
        for (step, line) in steps.iter().zip(&written) {
            let start = if step.side == Side::Neither { 0 } else { 3 };
            let Some(words) = line[start..].strip_prefix('*').and_then(|words| words.strip_suffix('*')) else {
                continue;
            };
            let (verb, rest) = first_word(words);
            let lists: &[&str] = match step.side {
                Side::Neither => &[NEITHERS],
                _ if matches!(direction_of_either(verb, rest), Ok(Some(_))) => &[CLIENTS, SERVERS],
                Side::Client => &[CLIENTS],
                Side::Server => &[SERVERS],
            };
            assert!(lists.iter().all(|list| list.contains(&format!("*{verb}"))), "an error does not list {line}");
        }
    }

    #[test]
    fn an_error_shows_the_place_and_what_should_stand_there() {
        let names = "a name: letters, digits, _ and -";
        let cases = [
            ("S: 220\nX: hi", 2, 1, "S: S> C: C> a *direction* or #"),
            ("é", 1, 1, "S: S> C: C> a *direction* or #"),
            ("  # indented\n  S: 22", 2, 6, CODE),
            ("  C: A\n  S| 250", 2, 3, "a reply before S|"),
            ("S 220", 1, 2, ": > = ~ | ? or *"),
            ("C", 1, 2, ": or >"),
            ("C= x", 1, 2, ": or >"),
            ("S:220", 1, 3, "a space"),
            ("S: hello", 1, 4, CODE),
            ("S: ", 1, 4, CODE),
            ("S: 2y0", 1, 4, CODE),
            ("S: 250_x", 1, 7, "a space, a hyphen or the end of the line"),
            ("S: *pause x ms*", 1, 11, "a whole number"),
            ("S: *pause 5 days*", 1, 13, "a time such as 20 ms, 5 s or 2 min"),
            ("S: *pause*", 1, 10, "a time such as 20 ms, 5 s or 2 min"),
            ("C: *octets many*", 1, 12, "a count of octets"),
            ("C: *dance*", 1, 5, CLIENTS),
            ("S: *body*", 1, 5, SERVERS),
            ("*body*", 1, 2, NEITHERS),
            ("*within 5 s", 1, 12, "an asterisk at the end"),
            ("*place a b*", 1, 9, names),
            ("*secret *", 1, 8, names),
            ("C: *authenticate PLAIN me*", 1, 5, "authenticate MECHANISM USER SECRET"),
            ("C: ${a b}", 1, 7, names),
            ("C: ${}", 1, 6, names),
            ("C: ${a", 1, 7, "a } after the name"),
            ("S> é\\q", 1, 5, "an escape: \\r \\n \\t \\0 \\\\ or \\xHH"),
            ("S: 250-a\nC: QUIT", 2, 1, REST_OF_REPLY),
            ("S: 250-a\nS= 250", 2, 1, REST_OF_REPLY),
            ("S: 250-a", 1, 1, REST_OF_REPLY),
            ("C: A\nS| 250", 2, 1, "a reply before S|"),
            ("S? 250\nS| 250", 2, 1, "a reply with S: S= or S~ before S|"),
        ];
        for (text, line, column, expected) in cases {
            let error = steps(text, None).expect_err(text);
            assert_eq!((error.line, error.column, error.expected), (line, column, expected), "{text}");
        }
        let error = steps("S: 220\nC: é${x", Some(&"a.txt".into())).unwrap_err();
        assert_eq!(error.to_string(), "a.txt: line 2, column 8: expected a } after the name\n  C: é${x\n         ^");
        let error = steps("\tX: \x1b[31m", None).unwrap_err();
        assert!(error.to_string().ends_with("\n  \tX: \\x1b[31m\n  \t^"), "{error}");
        let error = steps("C> \x1b\t\\q", None).unwrap_err();
        assert!(error.to_string().ends_with("\n  C> \\x1b\t\\q\n         \t^"), "{error}");
        assert_eq!(steps("S: 250-a\r", None).unwrap_err().text, "S: 250-a");
    }
}
