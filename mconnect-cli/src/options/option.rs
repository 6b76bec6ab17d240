//! An option: all that there is to be said of it.

use std::ffi::OsString;
use std::path::PathBuf;

use super::{Options, Request};

/// An option.
pub struct Opt {
    /// Its flags, and its value if it takes one, as help shows them: `-p, --port PORT`.
    pub head: &'static str,
    /// What it does, in one line.
    pub help: &'static str,
    /// It is one of the dozen to begin with.
    pub is_first: bool,
    pub act: Act,
    /// Options that it does not go with, by one flag of each, and why.
    pub apart: &'static [(&'static str, &'static str)],
    /// If there are any: it goes with one of these alone.
    pub with: &'static str,
}

/// What an option does to what is asked for.
pub enum Act {
    Flag(fn(&mut Options)),
    Text(fn(&mut Options, &str) -> Result<(), String>),
    /// The value need not be UTF-8.
    Raw(fn(&mut Options, OsString)),
    /// The value is one of these words.
    Word(&'static [Word]),
    /// The value names a file, which belongs there.
    File(fn(&mut Options) -> &mut Option<PathBuf>),
    /// The value may be left out, and otherwise follows `=`.
    Optional(fn(&mut Options, Option<&str>) -> Result<(), String>),
    /// Something else is asked for than a session, whatever comes after it.
    Ask(fn() -> Request),
}

/// A word that an option takes, and what it does.
pub type Word = (&'static str, fn(&mut Options));

pub const fn option(head: &'static str, help: &'static str, act: Act) -> Opt {
    Opt { head, help, is_first: false, act, apart: &[], with: "" }
}

pub const fn flag(head: &'static str, help: &'static str, set: fn(&mut Options)) -> Opt {
    option(head, help, Act::Flag(set))
}

pub const fn text(head: &'static str, help: &'static str, set: fn(&mut Options, &str) -> Result<(), String>) -> Opt {
    option(head, help, Act::Text(set))
}

pub const fn word(head: &'static str, help: &'static str, known: &'static [Word]) -> Opt {
    option(head, help, Act::Word(known))
}

pub const fn raw(head: &'static str, help: &'static str, set: fn(&mut Options, OsString)) -> Opt {
    option(head, help, Act::Raw(set))
}

pub const fn file(head: &'static str, help: &'static str, place: fn(&mut Options) -> &mut Option<PathBuf>) -> Opt {
    option(head, help, Act::File(place))
}

impl Opt {
    /// It is one of the dozen to begin with.
    pub const fn first(self) -> Self {
        Self { is_first: true, ..self }
    }

    /// It does not go with others.
    pub const fn apart(self, apart: &'static [(&'static str, &'static str)]) -> Self {
        Self { apart, ..self }
    }

    /// It goes with one of these alone.
    pub const fn with(self, with: &'static str) -> Self {
        Self { with, ..self }
    }

    pub fn flags(&self) -> impl Iterator<Item = &'static str> {
        self.head.split([',', ' ', '[']).filter(|word| word.starts_with('-'))
    }

    pub fn has(&self, flag: &str) -> bool {
        self.flags().any(|known| known == flag)
    }

    /// Returns the flag that errors name it by: the last one, which is long if there is a long one.
    pub fn name(&self) -> &'static str {
        self.flags().last().unwrap_or_default()
    }
}
