//! What a line may go on with, by what the server advertised and what was typed before.

use std::fs;

use mconnect_core::protocol::Extensions;

use super::escapes;

/// What completion and hints go by.
#[derive(Debug, Clone, Default)]
pub struct Knowledge {
    /// The line is text: nothing is completed, and Tab is a tab.
    pub is_text: bool,
    pub has_escapes: bool,
    /// What the server advertised.
    pub extensions: Option<Extensions>,
    /// The addresses used in this session.
    pub addresses: Vec<String>,
    /// What usually comes next.
    pub next: Option<String>,
}

/// A dim text after the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    pub shown: String,
    /// What the right arrow key inserts.
    pub inserted: Option<String>,
}

/// Returns where the word at the end of `line` begins, and what may stand there, in order.
pub fn complete(line: &str, knowledge: &Knowledge) -> (usize, Vec<String>) {
    if let Some(escape) = line.strip_prefix('~').filter(|_| knowledge.has_escapes) {
        return complete_escape(line, escape, knowledge);
    }
    if knowledge.is_text {
        return (line.len(), Vec::new());
    }
    let start = line.rfind(' ').map_or(0, |space| space + 1);
    let word = &line[start..];
    let candidates = match line.split_once(' ').map(|(verb, rest)| (verb.to_ascii_uppercase(), rest)) {
        None => verbs(knowledge),
        Some((verb, rest)) => match verb.as_str() {
            "MAIL" if !rest.contains(' ') && !rest.contains('>') => path(rest, "FROM:<", knowledge),
            "RCPT" if !rest.contains(' ') && !rest.contains('>') => path(rest, "TO:<", knowledge),
            "MAIL" => mail_parameters(knowledge),
            "RCPT" => rcpt_parameters(knowledge),
            "AUTH" if !rest.contains(' ') => mechanisms(knowledge),
            "BDAT" if rest.contains(' ') => vec!["LAST".to_owned()],
            "HELP" => verbs(knowledge),
            "VRFY" | "EXPN" => knowledge.addresses.clone(),
            _ => Vec::new(),
        },
    };
    // The case of what is typed is kept.
    let is_lower = word.chars().any(char::is_lowercase) && !word.chars().any(char::is_uppercase);
    let mut fitting: Vec<String> = candidates
        .into_iter()
        .filter(|candidate| starts_with(candidate, word))
        .map(|candidate| if is_lower { word.to_owned() + &candidate[word.len()..].to_lowercase() } else { candidate })
        .collect();
    fitting.sort();
    fitting.dedup();
    (start, fitting)
}

/// Returns the dim text after a line.
pub fn hint(line: &str, knowledge: &Knowledge) -> Option<Suggestion> {
    if knowledge.is_text {
        return None;
    }
    if line.is_empty() {
        let next = knowledge.next.clone()?;
        return Some(Suggestion { shown: next.clone(), inserted: Some(next) });
    }
    SYNTAX.iter().find(|(typed, _)| line.len() >= 3 && starts_with(typed, line)).map(|(whole, rest)| {
        let left = &whole[line.len()..];
        Suggestion { shown: format!("{left}{rest}"), inserted: Some(left.to_owned()).filter(|left| !left.is_empty()) }
    })
}

/// Cuts a sorted list to what a small screen shows at once. First and last stay, so that what all have in common stays
/// the same.
pub fn fit(mut candidates: Vec<String>) -> Vec<String> {
    if candidates.len() > MOST_SHOWN {
        candidates.drain(MOST_SHOWN - 1..candidates.len() - 1);
    }
    candidates
}

fn starts_with(candidate: &str, word: &str) -> bool {
    candidate.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

fn has(knowledge: &Knowledge, keyword: &str) -> bool {
    knowledge.extensions.as_ref().is_some_and(|extensions| extensions.has(keyword))
}

fn verbs(knowledge: &Knowledge) -> Vec<String> {
    let mut verbs = vec!["EHLO ", "HELO ", "MAIL FROM:<", "RCPT TO:<", "DATA", "RSET", "NOOP", "QUIT", "VRFY ", "HELP"];
    let offered = [
        ("CHUNKING", "BDAT "),
        ("STARTTLS", "STARTTLS"),
        ("ETRN", "ETRN "),
        ("EXPN", "EXPN "),
        ("XCLIENT", "XCLIENT "),
        ("XFORWARD", "XFORWARD "),
    ];
    verbs.extend(offered.iter().filter(|(keyword, _)| has(knowledge, keyword)).map(|(_, verb)| *verb));
    if !mechanisms(knowledge).is_empty() {
        verbs.push("AUTH ");
    }
    if knowledge.extensions.is_none() {
        verbs.push("LHLO ");
    }
    verbs.into_iter().map(str::to_owned).collect()
}

fn mechanisms(knowledge: &Knowledge) -> Vec<String> {
    let Some(extensions) = &knowledge.extensions else { return Vec::new() };
    let names = extensions.auth_mechanisms().into_iter().filter(|name| is_mechanism_name(name));
    names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

/// Says whether the server's word can be the name of a mechanism
/// ([RFC 4422, section 3.1](https://www.rfc-editor.org/rfc/rfc4422#section-3.1)); nothing else of its words is offered.
fn is_mechanism_name(name: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    (1..=LONGEST_MECHANISM).contains(&name.len()) && name.iter().all(is_part)
}

fn path(rest: &str, keyword: &str, knowledge: &Knowledge) -> Vec<String> {
    if !rest.contains('<') {
        return vec![keyword.to_owned()];
    }
    let typed = rest.split_once('<').map_or("", |(keyword, _)| keyword);
    knowledge.addresses.iter().map(|address| format!("{typed}<{address}>")).collect()
}

fn mail_parameters(knowledge: &Knowledge) -> Vec<String> {
    let offered: &[(&str, &[&str])] = &[
        ("SIZE", &["SIZE="]),
        ("8BITMIME", &["BODY=7BIT", "BODY=8BITMIME"]),
        ("BINARYMIME", &["BODY=BINARYMIME"]),
        ("SMTPUTF8", &["SMTPUTF8"]),
        ("DSN", &["RET=FULL", "RET=HDRS", "ENVID="]),
        ("AUTH", &["AUTH=<>"]),
        ("REQUIRETLS", &["REQUIRETLS"]),
        ("DELIVERBY", &["BY="]),
        ("FUTURERELEASE", &["HOLDFOR=", "HOLDUNTIL="]),
        ("MT-PRIORITY", &["MT-PRIORITY="]),
    ];
    parameters(offered, knowledge)
}

fn rcpt_parameters(knowledge: &Knowledge) -> Vec<String> {
    let notify = ["NOTIFY=NEVER", "NOTIFY=SUCCESS", "NOTIFY=FAILURE", "NOTIFY=DELAY", "ORCPT=rfc822;"];
    parameters(&[("DSN", &notify), ("RRVS", &["RRVS="])], knowledge)
}

fn parameters(offered: &[(&str, &[&str])], knowledge: &Knowledge) -> Vec<String> {
    let fitting = offered.iter().filter(|(keyword, _)| has(knowledge, keyword));
    fitting.flat_map(|(_, parameters)| parameters.iter().map(|text| (*text).to_owned())).collect()
}

fn complete_escape(line: &str, escape: &str, knowledge: &Knowledge) -> (usize, Vec<String>) {
    let start = line.rfind(' ').map_or(line.len(), |space| space + 1);
    if !escape.contains(' ') {
        let names = escapes::NAMES.iter().filter(|name| name.starts_with(line));
        return (0, names.map(|name| (*name).to_owned()).collect());
    }
    match escape.split_once(' ') {
        Some(("r" | "b" | "w", name)) => (line.len() - name.len(), files(name)),
        Some(("a", typed)) if !typed.contains(' ') => {
            let mut names = mechanisms(knowledge);
            names.retain(|name| starts_with(name, typed));
            names.sort();
            (start, names)
        }
        Some(("h", topic)) if !topic.contains(' ') => {
            let mut topics: Vec<String> = verbs(knowledge)
                .iter()
                .filter_map(|verb| verb.split([' ']).next())
                .filter(|verb| starts_with(verb, topic))
                .map(str::to_owned)
                .collect();
            topics.sort();
            (start, topics)
        }
        _ => (line.len(), Vec::new()),
    }
}

/// Returns the files whose path begins with `typed`; folders end in a slash.
fn files(typed: &str) -> Vec<String> {
    let (folder, start) = typed.rsplit_once('/').map_or(("", typed), |(folder, start)| (folder, start));
    let prefix = &typed[..typed.len() - start.len()];
    let place = match (folder, prefix) {
        ("", "/") => "/",
        ("", _) => ".",
        (folder, _) => folder,
    };
    let entries = fs::read_dir(crate::typing::expand(place)).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let slash = if entry.path().is_dir() { "/" } else { "" };
            // What is hidden is shown only where it is asked for.
            let is_meant = name.starts_with(start) && (!name.starts_with('.') || start.starts_with('.'));
            (is_meant && !name.contains(char::is_control)).then(|| format!("{prefix}{name}{slash}"))
        })
        .collect();
    names.sort();
    names
}

/// The syntax of commands: what is typed, and what is only shown after it.
const SYNTAX: &[(&str, &str)] = &[
    ("EHLO ", "client.example"),
    ("HELO ", "client.example"),
    ("LHLO ", "client.example"),
    ("MAIL FROM:<", "sender> [parameters]"),
    ("RCPT TO:<", "recipient> [parameters]"),
    ("BDAT ", "octets [LAST]"),
    ("AUTH ", "mechanism [initial response]"),
    ("VRFY ", "user"),
    ("EXPN ", "list"),
    ("STARTTLS", ""),
    ("DATA", ""),
    ("QUIT", ""),
    ("RSET", ""),
    ("NOOP", ""),
];

/// The longest name of a mechanism.
const LONGEST_MECHANISM: usize = 20;
/// Far fewer rows than this are on a screen only if its columns are many.
const MOST_SHOWN: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use mconnect_core::protocol::{Extensions, Limits, ReplyBuilder, ReplyLine};

    fn knowing(reply: &[u8]) -> Knowledge {
        let mut builder = ReplyBuilder::new(Limits::default());
        let reply =
            reply.split_inclusive(|byte| *byte == b'\n').find_map(|line| builder.push(ReplyLine::new(line)).unwrap());
        Knowledge {
            has_escapes: true,
            extensions: reply.as_ref().map(Extensions::from_reply),
            addresses: vec!["a@example.org".to_owned()],
            next: Some("QUIT".to_owned()),
            ..Knowledge::default()
        }
    }

    fn of(line: &str, knowledge: &Knowledge) -> Vec<String> {
        complete(line, knowledge).1
    }

    #[test]
    fn completion_follows_what_the_server_advertised() {
        let full = knowing(b"250-x\n250-SIZE 10\n250-DSN\n250-STARTTLS\n250-AUTH PLAIN LOGIN\n250 CHUNKING\n");
        let bare = knowing(b"250 x\n");
        assert_eq!(of("S", &full), ["STARTTLS"]);
        assert!(of("S", &bare).is_empty() && of("B", &bare).is_empty());
        assert_eq!(of("mail f", &full), ["from:<"]);
        assert_eq!(of("MAIL FROM:<", &full), ["FROM:<a@example.org>"]);
        assert_eq!(of("MAIL FROM:<> ", &full), ["AUTH=<>", "ENVID=", "RET=FULL", "RET=HDRS", "SIZE="]);
        assert_eq!(of("RCPT TO:<b@c> NOTIFY=S", &full), ["NOTIFY=SUCCESS"]);
        assert_eq!(of("AUTH ", &full), ["LOGIN", "PLAIN"]);
        assert_eq!((of("~a ", &full), of("~a p", &full)), (of("AUTH ", &full), vec!["PLAIN".to_owned()]));
        assert!(of("MAIL FROM:<> ", &bare).is_empty() && of("AUTH ", &bare).is_empty());
    }

    #[test]
    fn only_names_of_mechanisms_are_offered_of_the_servers_words() {
        let words = b"250-x\n250 AUTH X\x1b]52;c;eA==\x07 plain XOAUTH2 P\xc3\xa9 X\xc2\x9b A,B TWENTY-CHARACTERS_01 TWENTY-CHARACTERS_012 \xff\n";
        let knowledge = knowing(words);
        for line in ["AUTH ", "~a "] {
            assert_eq!(of(line, &knowledge), ["TWENTY-CHARACTERS_01", "XOAUTH2"]);
        }
    }

    #[test]
    fn nothing_is_completed_in_text_but_files_after_an_escape() {
        let mut text = knowing(b"250 x\n");
        text.is_text = true;
        assert!(of("M", &text).is_empty());
        assert_eq!(hint("MAI", &text), None);
        assert_eq!(of("~r Cargo.t", &text), ["Cargo.toml"]);
        assert_eq!(of("~b src/prompt/compl", &text), ["src/prompt/completion.rs"]);
        assert_eq!(of("~h DA", &text), ["DATA"]);
    }

    #[test]
    fn a_hint_shows_the_rest_and_inserts_what_is_sure() {
        let knowledge = knowing(b"250 x\n");
        assert_eq!(hint("", &knowledge).unwrap().inserted.unwrap(), "QUIT");
        let syntax = hint("MAIL", &knowledge).unwrap();
        assert_eq!(
            (syntax.shown.as_str(), syntax.inserted.as_deref()),
            (" FROM:<sender> [parameters]", Some(" FROM:<"))
        );
        assert_eq!(hint("MAIL FROM:<a", &knowledge), None);
    }

    #[test]
    fn a_long_list_is_cut_without_changing_what_all_have_in_common() {
        let many: Vec<String> = (100..200).map(|number| format!("f{number}")).collect();
        let cut = fit(many.clone());
        assert_eq!((cut.len(), &cut[0], &cut[MOST_SHOWN - 1]), (MOST_SHOWN, &many[0], &many[99]));
    }
}
