//! Help on SMTP, for whoever types it: commands, the words that explanations use, and what reply codes mean.

mod file;

pub use file::HelpFile;

use crate::protocol::{explain, explain_all};
use crate::suggest::nearest;

/// There is no help on this topic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoHelp {
    /// It is not known.
    #[error("no help on {topic:?}{}", meant.as_ref().map(|meant| format!(": is {meant} meant?")).unwrap_or_default())]
    Topic {
        /// What was asked for.
        topic: String,
        /// The topic that may have been meant.
        meant: Option<String>,
    },
    /// It looks like a reply code, and is none.
    #[error("{0} is no reply code of SMTP")]
    Code(String),
}

impl HelpFile {
    /// Returns the library's own, which has every topic that its explanations speak of.
    pub fn own() -> Self {
        Self::parse(include_str!("topics.hf"))
    }

    /// Returns help on a topic, from this file or else the library's own: a command as it is typed, a word of an explanation,
    /// a reply code or an enhanced status code or how such codes begin; without a topic, how a message goes, and the list.
    ///
    /// ```
    /// use mconnect_core::help::HelpFile;
    ///
    /// let help = HelpFile::own();
    /// assert!(help.on(Some("RCPT TO:"))?.starts_with("RCPT TO:<recipient>"));
    /// assert!(help.on(Some("550"))?.starts_with("550\t"));
    /// assert_eq!(help.on(Some("greylsting")).unwrap_err().to_string(), "no help on \"greylsting\": is greylisting meant?");
    /// # Ok::<(), mconnect_core::help::NoHelp>(())
    /// ```
    ///
    /// # Errors
    /// [`NoHelp`].
    pub fn on(&self, topic: Option<&str>) -> Result<String, NoHelp> {
        let own = Self::own();
        let find = |topic: &str| self.topic(topic).or_else(|| own.topic(topic));
        let Some(topic) = topic else { return Ok(walk() + "\n" + &find("smtp").unwrap_or_default()) };
        if topic.starts_with(|first: char| first.is_ascii_digit()) {
            return codes(topic).ok_or_else(|| NoHelp::Code(topic.to_owned()));
        }
        let words = topic.to_lowercase();
        let words: Vec<&str> = words.split_whitespace().map(|word| word.trim_end_matches([':', '.', ','])).collect();
        let (first, whole) = (words.first().copied().unwrap_or_default(), words.join("-"));
        find(&whole).or_else(|| find(first)).ok_or_else(|| {
            let known: Vec<&str> = self.topics().chain(own.topics()).collect();
            let meant = nearest(&whole, &known).or_else(|| nearest(first, &known)).map(str::to_owned);
            NoHelp::Topic { topic: topic.to_owned(), meant }
        })
    }
}

/// Returns how a message goes, in ten lines.
pub fn walk() -> String {
    HelpFile::own().topic("walk").unwrap_or_default()
}

/// Returns what a code means, or else all codes that begin so.
fn codes(beginning: &str) -> Option<String> {
    let row = |(code, meaning): (String, &str)| format!("{code}\t{meaning}\n");
    match explain(beginning) {
        Some(meaning) => Some(row((beginning.to_owned(), meaning))),
        None => Some(explain_all(beginning).into_iter().map(row).collect()).filter(|rows: &String| !rows.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    fn on(topic: Option<&str>) -> Result<String, NoHelp> {
        HelpFile::own().on(topic)
    }

    #[test]
    fn topics_are_commands_codes_and_beginnings_of_either() {
        assert!(on(None).unwrap().contains("STARTTLS"));
        for topic in ["RCPT", "rcpt to", "RCPT TO:", "RCPT TO:<you@example.org>"] {
            assert!(on(Some(topic)).unwrap().starts_with("RCPT TO:<recipient>"), "{topic}");
        }
        assert!(on(Some("Block List")).unwrap().contains("RFC 5782"));
        assert!(on(Some("550")).unwrap().starts_with("550\t"));
        assert!(on(Some("5.7.1")).unwrap().contains("not authorized"));
        let (subject, beginning) = (on(Some("5.1")).unwrap(), on(Some("55")).unwrap());
        assert!(subject.starts_with("5.1.0\tsomething about an address\n5.1.1\t") && subject.lines().count() == 11);
        assert_eq!((beginning.lines().count(), &beginning[..4]), (7, "550\t"));
        for (topic, why) in [
            ("nonsense", "no help on \"nonsense\""),
            ("greylsting", "no help on \"greylsting\": is greylisting meant?"),
            ("RCTP TO", "no help on \"RCTP TO\": is rcpt meant?"),
            ("999", "999 is no reply code of SMTP"),
            ("5.9", "5.9 is no reply code of SMTP"),
        ] {
            assert_eq!(on(Some(topic)).unwrap_err().to_string(), why);
        }
    }

    #[test]
    fn without_a_topic_a_message_is_walked_through_in_ten_lines() {
        assert_eq!(walk().lines().count(), 10);
        let text = on(None).unwrap();
        assert!(text.starts_with(&walk()) && text.contains("Commands:"), "{text}");
    }

    /// Every word with two capitals, and every one in brackets, that an explanation may say.
    #[test]
    fn what_the_explanations_speak_of_is_a_topic() {
        let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
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
                    assert!(on(Some(word)).is_ok(), "{word} in {text:?}");
                    seen += 1;
                }
            }
        }
        assert!(seen > 100, "{seen}");
    }

    /// What stands in brackets for this machine's sake.
    const MACHINE: [&str; 2] = ["ca-certificates", "ulimit -n"];

    #[test]
    fn our_own_text_fits_a_terminal_and_has_every_topic_of_its_list() {
        for line in include_str!("topics.hf").lines().filter(|line| !line.starts_with('#')) {
            let (_, text) = line.split_once('\t').unwrap();
            let columns = text.chars().fold(0, |column, c| if c == '\t' { (column / 8 + 1) * 8 } else { column + 1 });
            assert!(columns <= 80, "{text}");
        }
        let list = HelpFile::own().topic("smtp").unwrap();
        for command in list.lines().skip(1).take(3).flat_map(str::split_whitespace) {
            assert!(HelpFile::own().topic(&command.to_lowercase()).is_some(), "{command}");
        }
    }
}
