//! Local help: SMTP commands from the installed help file or our own, and what reply codes mean.

mod file;

use std::fs;
use std::path::Path;

use mconnect_core::protocol::{explain, explain_all};

use crate::failure::{Failure, Status};
use crate::options::nearest;
use file::HelpFile;

/// Returns help on a topic: a command as it is typed, a word of an explanation, a reply code or an enhanced status code or how
/// such codes begin; without a topic, how a message goes, and the list.
///
/// # Errors
/// A failure that says why there is none.
pub fn on(topic: Option<&str>, path: Option<&Path>) -> Result<String, Failure> {
    let none = |message: String| Failure::new(Status::NoInput, message);
    let file = open(path)?;
    let find = |topic: &str| file.topic(topic).or_else(|| own().topic(topic));
    match topic {
        None => Ok(walk() + "\n" + &find("smtp").unwrap_or_default()),
        Some(topic) if topic.starts_with(|first: char| first.is_ascii_digit()) => {
            codes(topic).ok_or_else(|| none(format!("{topic} is no reply code of SMTP")))
        }
        Some(topic) => {
            let words = topic.to_lowercase();
            let mut words = words.split_whitespace().map(|word| word.trim_end_matches([':', '.', ',']));
            let (first, whole) =
                (words.clone().next().unwrap_or_default(), words.by_ref().collect::<Vec<_>>().join("-"));
            find(&whole).or_else(|| find(first)).ok_or_else(|| {
                let own = own();
                let known: Vec<&str> = file.topics().chain(own.topics()).collect();
                let meant = nearest(&whole, &known).or_else(|| nearest(first, &known));
                let hint = meant.map(|meant| format!(": is {meant} meant?"));
                none(format!("no help on {topic:?}{}", hint.unwrap_or_default()))
            })
        }
    }
}

/// Returns how a message goes, in ten lines.
pub fn walk() -> String {
    own().topic("walk").unwrap_or_default()
}

/// Returns what a code means, or else all codes that begin so.
fn codes(beginning: &str) -> Option<String> {
    let row = |(code, meaning): (String, &str)| format!("{code}\t{meaning}\n");
    match explain(beginning) {
        Some(meaning) => Some(row((beginning.to_owned(), meaning))),
        None => Some(explain_all(beginning).into_iter().map(row).collect()).filter(|rows: &String| !rows.is_empty()),
    }
}

/// Opens the help file that was named, or the first installed one that is not empty, or our own.
fn open(path: Option<&Path>) -> Result<HelpFile, Failure> {
    if let Some(path) = path {
        let text = fs::read(path).map_err(|error| Failure::cannot_read(path, &error))?;
        return Ok(HelpFile::parse(&String::from_utf8_lossy(&text)));
    }
    let installed = INSTALLED.iter().filter_map(|path| fs::read(path).ok());
    let usable = installed.map(|text| HelpFile::parse(&String::from_utf8_lossy(&text))).find(|file| !file.is_empty());
    Ok(usable.unwrap_or_else(own))
}

fn own() -> HelpFile {
    HelpFile::parse(include_str!("topics.hf"))
}

/// Where systems keep sendmail's help file.
const INSTALLED: &[&str] = &[
    "/etc/mail/sendmail.hf",
    "/etc/mail/helpfile",
    "/usr/lib/sendmail.hf",
    "/usr/share/misc/sendmail.hf",
    "/etc/sendmail.hf",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_commands_codes_and_beginnings_of_either() {
        assert!(on(None, None).unwrap().contains("STARTTLS"));
        for topic in ["RCPT", "rcpt to", "RCPT TO:", "RCPT TO:<you@example.org>"] {
            assert!(on(Some(topic), None).unwrap().starts_with("RCPT TO:<recipient>"), "{topic}");
        }
        assert!(on(Some("Block List"), None).unwrap().contains("RFC 5782"));
        assert!(on(Some("550"), None).unwrap().starts_with("550\t"));
        assert!(on(Some("5.7.1"), None).unwrap().contains("not authorized"));
        let (subject, beginning) = (on(Some("5.1"), None).unwrap(), on(Some("55"), None).unwrap());
        assert!(subject.starts_with("5.1.0\tsomething about an address\n5.1.1\t") && subject.lines().count() == 11);
        assert_eq!((beginning.lines().count(), &beginning[..4]), (7, "550\t"));
        for (topic, why) in [
            ("nonsense", "no help on \"nonsense\""),
            ("greylsting", "no help on \"greylsting\": is greylisting meant?"),
            ("RCTP TO", "no help on \"RCTP TO\": is rcpt meant?"),
            ("999", "999 is no reply code of SMTP"),
            ("5.9", "5.9 is no reply code of SMTP"),
        ] {
            assert_eq!(on(Some(topic), None).unwrap_err().to_string(), why);
        }
    }

    #[test]
    fn without_a_topic_a_message_is_walked_through_in_ten_lines() {
        assert_eq!(walk().lines().count(), 10);
        let text = on(None, None).unwrap();
        assert!(text.starts_with(&walk()) && text.contains("Commands:"), "{text}");
    }

    /// Every word with two capitals, and every one in brackets, that an explanation may say.
    #[test]
    fn what_the_explanations_speak_of_is_a_topic() {
        let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("../mconnect-core/src");
        let texts =
            [("diagnosis/causes.rs", "causes! {", "impl Act"), ("protocol/meaning.rs", "const REPLY", "mod tests")];
        let mut seen = 0;
        for (file, begin, end) in texts {
            let source = fs::read_to_string(core.join(file)).unwrap();
            let table = source.split_once(begin).unwrap().1.split_once(end).unwrap().0;
            for text in table.split('"').skip(1).step_by(2) {
                let bracketed = text.split('(').skip(1).filter_map(|rest| rest.split(')').next());
                let bracketed =
                    bracketed.flat_map(|words| words.split(", ")).filter(|word| !word.contains(['/', '<', '{']));
                let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-');
                let words = words.filter(|word| word.chars().filter(char::is_ascii_uppercase).count() > 1);
                for word in bracketed.filter(|word| !MACHINE.contains(word)).chain(words) {
                    assert!(on(Some(word), None).is_ok(), "{word} in {text:?}");
                    seen += 1;
                }
            }
        }
        assert!(seen > 100, "{seen}");
    }

    /// What stands in brackets for this machine's sake.
    const MACHINE: [&str; 2] = ["ca-certificates", "ulimit -n"];

    #[test]
    fn a_named_file_that_cannot_be_read_is_an_error() {
        let error = on(None, Some(Path::new("/nonexistent/help"))).unwrap_err();
        assert_eq!(error.to_string(), "cannot read /nonexistent/help: No such file or directory");
    }

    #[test]
    fn our_own_text_fits_a_terminal_and_has_every_topic_of_its_list() {
        for line in include_str!("topics.hf").lines().filter(|line| !line.starts_with('#')) {
            let (_, text) = line.split_once('\t').unwrap();
            let columns = text.chars().fold(0, |column, c| if c == '\t' { (column / 8 + 1) * 8 } else { column + 1 });
            assert!(columns <= 80, "{text}");
        }
        let list = own().topic("smtp").unwrap();
        for command in list.lines().skip(1).take(3).flat_map(str::split_whitespace) {
            assert!(own().topic(&command.to_lowercase()).is_some(), "{command}");
        }
    }
}
