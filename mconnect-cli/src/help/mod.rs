//! Local help: SMTP commands from the installed help file or our own, and what reply codes mean.

mod file;

use std::fs;
use std::path::Path;

use mconnect_core::protocol::explain;

use crate::failure::{Failure, Status};
use file::HelpFile;

/// Returns help on a topic: a command or parameter, a reply code or an enhanced status code; without a topic, the list.
///
/// # Errors
/// A failure that says why there is none.
pub fn on(topic: Option<&str>, path: Option<&Path>) -> Result<String, Failure> {
    let none = |message: String| Failure::new(Status::NoInput, message);
    let file = open(path)?;
    match topic {
        Some(topic) if topic.starts_with(|first: char| first.is_ascii_digit()) => {
            let meaning = explain(topic).ok_or_else(|| none(format!("{topic} is no reply code of SMTP")))?;
            Ok(format!("{topic}\t{meaning}\n"))
        }
        topic => {
            let topic = topic.unwrap_or("smtp").to_lowercase();
            file.topic(&topic).or_else(|| own().topic(&topic)).ok_or_else(|| none(format!("no help on {topic:?}")))
        }
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
        assert!(on(Some("RCPT"), None).unwrap().starts_with("RCPT TO:<recipient>"));
        assert!(on(Some("550"), None).unwrap().starts_with("550\t"));
        assert!(on(Some("5.7.1"), None).unwrap().contains("not authorized"));
        assert_eq!(on(Some("nonsense"), None).unwrap_err().to_string(), "no help on \"nonsense\"");
        assert_eq!(on(Some("999"), None).unwrap_err().to_string(), "999 is no reply code of SMTP");
    }

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
