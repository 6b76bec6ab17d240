//! What a line may go on with: an escape, the name of a file, or a command of SMTP, as the library suggests.

use std::fs;

use mconnect_core::suggest::Suggestions;

use super::files::expand;
use crate::typing::escapes;

/// What completion and hints go by.
#[derive(Debug, Clone, Default)]
pub struct Knowledge {
    /// The line is text: nothing is completed, and Tab is a tab.
    pub is_text: bool,
    pub has_escapes: bool,
    /// What may go on a command line.
    pub suggestions: Suggestions,
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
    match line.strip_prefix('~').filter(|_| knowledge.has_escapes) {
        Some(escape) => complete_escape(line, escape, &knowledge.suggestions),
        None if knowledge.is_text => (line.len(), Vec::new()),
        None => knowledge.suggestions.complete(line),
    }
}

/// Returns the dim text after a line.
pub fn hint(line: &str, knowledge: &Knowledge) -> Option<Suggestion> {
    if knowledge.is_text {
        return None;
    }
    if line.is_empty() {
        let next = knowledge.next.clone()?;
        let rest = knowledge.suggestions.syntax(&next).map(|(left, rest)| left + rest).unwrap_or_default();
        return Some(Suggestion { shown: format!("{next}{rest}"), inserted: Some(next) });
    }
    let (left, rest) = knowledge.suggestions.syntax(line)?;
    Some(Suggestion { shown: format!("{left}{rest}"), inserted: Some(left).filter(|left| !left.is_empty()) })
}

/// Cuts a sorted list to what a small screen shows at once. First and last stay, so that what all have in common stays
/// the same.
pub fn fit(mut candidates: Vec<String>) -> Vec<String> {
    if candidates.len() > MOST_SHOWN {
        candidates.drain(MOST_SHOWN - 1..candidates.len() - 1);
    }
    candidates
}

fn complete_escape(line: &str, escape: &str, suggestions: &Suggestions) -> (usize, Vec<String>) {
    match escape.split_once(' ') {
        None => (0, beginning(escapes::NAMES.map(str::to_owned), line)),
        Some(("r" | "b" | "w", name)) => (line.len() - name.len(), files(name)),
        Some(("a", typed)) if !typed.contains(' ') => {
            (line.len() - typed.len(), beginning(suggestions.mechanisms(), typed))
        }
        Some(("h", topic)) if !topic.contains(' ') => {
            let verbs = suggestions.verbs().into_iter().filter_map(|verb| verb.split(' ').next().map(str::to_owned));
            (line.len() - topic.len(), beginning(verbs, topic))
        }
        _ => (line.len(), Vec::new()),
    }
}

/// Returns those that begin with a word, in any case, in order.
fn beginning(candidates: impl IntoIterator<Item = String>, word: &str) -> Vec<String> {
    let begins = |text: &str| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    let mut fitting: Vec<String> = candidates.into_iter().filter(|candidate| begins(candidate)).collect();
    fitting.sort();
    fitting
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
    let entries = fs::read_dir(expand(place)).into_iter().flatten().flatten();
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
            suggestions: Suggestions::new(reply.as_ref().map(Extensions::from_reply)),
            next: Some("QUIT".to_owned()),
            ..Knowledge::default()
        }
    }

    fn of(line: &str, knowledge: &Knowledge) -> Vec<String> {
        complete(line, knowledge).1
    }

    #[test]
    fn the_mechanisms_that_the_server_advertised_are_completed_after_the_escape_as_after_auth() {
        let full = knowing(b"250-x\n250 AUTH PLAIN LOGIN X\x1b]52;c;eA==\x07\n");
        assert_eq!(of("AUTH ", &full), ["LOGIN", "PLAIN"]);
        assert_eq!((of("~a ", &full), of("~a p", &full)), (of("AUTH ", &full), vec!["PLAIN".to_owned()]));
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
            (" FROM:<SENDER> [PARAMETERS]", Some(" FROM:<"))
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
