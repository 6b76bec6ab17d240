//! What shells complete, written from the table of options. The tool knows nothing of it: these are tests, and one that is
//! ignored writes `docs/completions`.
//!
//! What is offered for a value is said by its name in the option's row, or is the words of the row.

mod bash;
mod fish;
mod zsh;

use std::ffi::OsString;
use std::fs;

use mconnect_core::help::HelpFile;
use mconnect_core::sasl::Mechanism;

use super::option::{Act, Opt};
use super::parse;
use super::table::all;

/// What is offered where a value is expected.
enum Offer {
    Nothing,
    Files,
    Hosts,
    Commands,
    Words(Vec<&'static str>),
    /// One of these, behind a user and a colon.
    Mechanisms(Vec<&'static str>),
}

/// Returns what is offered for a value of this name.
fn named(value: &str) -> Offer {
    match value {
        "FILE" => Offer::Files,
        "NAME" => Offer::Hosts,
        "COMMAND" => Offer::Commands,
        "PORT" => Offer::Words(vec!["smtp", "submission", "submissions", "smtps", "lmtp"]),
        "URL" => Offer::Words(vec!["socks5://", "socks5h://", "http://"]),
        "FROM[,TO]" => Offer::Words(vec!["local"]),
        "USER[:MECHANISM]" => Offer::Mechanisms(mechanisms()),
        "ADDRESS" | "ADDRESS[:PORT]" | "SHA256" => Offer::Nothing,
        "COUNT" | "DAYS" | "FACTOR" | "OCTETS" | "SECONDS" => Offer::Nothing,
        "HEADER" | "LINE" | "NAME=VALUE" | "PARAMETER" | "PLACE" | "TEXT" => Offer::Nothing,
        other => panic!("what is offered for {other}?"),
    }
}

fn mechanisms() -> Vec<&'static str> {
    Mechanism::ALL.iter().map(|mechanism| mechanism.name()).collect()
}

/// Returns what help on SMTP is there on.
fn topics() -> String {
    let file = HelpFile::own();
    let mut topics: Vec<&str> = file.topics().collect();
    // Each line of a help file has its own.
    topics.dedup();
    topics.join(" ")
}

impl Opt {
    /// Returns the name of its value, if it takes one.
    fn value(&self) -> Option<&'static str> {
        match self.act {
            Act::Flag(_) | Act::Ask(_) => None,
            Act::Optional(_) => self.head.split_once("[=").map(|(_, value)| value.trim_end_matches(']')),
            Act::Text(_) | Act::Raw(_) | Act::Word(_) | Act::File(_) => {
                self.head.rsplit_once(' ').map(|(_, value)| value)
            }
        }
    }

    fn offer(&self) -> Option<Offer> {
        let value = self.value()?;
        Some(match self.act {
            Act::Word(known) => Offer::Words(known.iter().map(|(word, _)| *word).collect()),
            // In small letters it is no name, but the value itself.
            Act::Optional(_) if value.bytes().all(|byte| byte.is_ascii_lowercase()) => Offer::Words(vec![value]),
            _ => named(value),
        })
    }

    fn is_value_optional(&self) -> bool {
        matches!(self.act, Act::Optional(_))
    }

    /// Returns the flags that it does not go with, whichever of the two rows says so.
    fn excluded(&self) -> Vec<&'static str> {
        let names = |one: &Opt, other: &Opt| {
            let mut others = one.apart.iter().flat_map(|(others, _)| others.split(' '));
            others.any(|flag| other.has(flag))
        };
        all().filter(|other| names(self, other) || names(other, self)).flat_map(Opt::flags).collect()
    }
}

#[test]
fn the_completions_are_those_of_the_table() {
    for (name, script) in scripts() {
        let written = fs::read_to_string(format!("{FOLDER}{name}")).unwrap_or_default();
        assert!(written == script, "docs/completions/{name} is not what the table gives: {WRITE} writes it anew");
    }
}

#[test]
#[ignore = "it writes docs/completions"]
fn completions_are_written() {
    for (name, script) in scripts() {
        fs::write(format!("{FOLDER}{name}"), script).unwrap();
    }
}

fn scripts() -> [(&'static str, String); 3] {
    [("mconnect.bash", bash::script()), ("_mconnect", zsh::script()), ("mconnect.fish", fish::script())]
}

#[test]
fn every_word_that_is_offered_is_taken() {
    for option in all() {
        let (words, before) = match option.offer() {
            Some(Offer::Words(words)) => (words, ""),
            Some(Offer::Mechanisms(words)) => (words, "user:"),
            _ => continue,
        };
        for word in words {
            // A URL is only begun.
            let behind = if word.ends_with("://") { "proxy.example:1080" } else { "" };
            let argument = format!("{}={before}{word}{behind}", option.name());
            let companions = ["--haproxy=local", "--to=a@x", "--auth=user"];
            parse(companions.into_iter().chain([argument.as_str()]).map(OsString::from))
                .unwrap_or_else(|why| panic!("{argument}: {why}"));
        }
    }
}

/// Where they are; from here it is a link.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/completions/");
const WRITE: &str = "cargo test -p mconnect-cli --bin mconnect completions -- --ignored";
