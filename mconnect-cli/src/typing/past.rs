//! What is known of a session that has ended before anybody had ended it.

use std::ops::ControlFlow::{self, Break, Continue};

use mconnect_core::Session;
use mconnect_core::protocol::Phase;

use super::escapes::{self, Escape};
use super::{Known, aside, session_log};
use crate::connection::Setting;
use crate::stderr::say;

/// A session that has ended before anybody had ended it.
pub struct Past {
    /// How it ended.
    pub how: String,
    pub known: Known,
    /// In which phase a line was being typed.
    pub asked: Phase,
}

impl Past {
    pub fn new(how: String, mut known: Known, asked: Phase) -> Self {
        known.state += &format!("\nended     {how}");
        Self { how, known, asked }
    }

    /// Does what a line asks for that is typed after the session: breaks with the one that is opened again, or with
    /// nothing where that is not wanted, as `is_wanted` says just before one is opened.
    pub fn obey(
        &self,
        line: &str,
        setting: &Setting<'_>,
        is_wanted: impl FnOnce() -> bool,
    ) -> ControlFlow<Option<Session>> {
        match escapes::parse(line).filter(|_| setting.options.prompt.has_escapes) {
            Some(Escape::Reopen) if !is_wanted() => return Break(None),
            Some(Escape::Reopen) => {
                if let Some(session) = (setting.reopen)() {
                    return Break(Some(session));
                }
            }
            Some(Escape::Close) => return Break(None),
            Some(Escape::Aside(asked)) => aside::obey(asked, &self.known, setting),
            None if line.trim().eq_ignore_ascii_case("QUIT") => return Break(None),
            None if line.trim().is_empty() => {}
            _ => say(CLOSED),
        }
        Continue(())
    }
}

/// What came of a session that somebody types at.
pub enum Over {
    /// It is left for good.
    Left,
    /// It ended, and nobody had ended it.
    Closed(Past),
    /// It is to be opened again.
    Reopen(Past),
}

impl Over {
    /// Returns the session that is opened after it, and how it ended; `stay` takes what is typed meanwhile.
    pub fn next(
        self,
        setting: &Setting<'_>,
        stay: impl FnOnce(&Past) -> Option<Session>,
    ) -> Option<(Session, Option<String>)> {
        session_log::stop(&setting.watch.session_log);
        let (past, opened) = match self {
            Self::Left => return None,
            Self::Closed(past) => (past, None),
            Self::Reopen(past) => (past, (setting.reopen)()),
        };
        let session = opened.or_else(|| stay(&past))?;
        Some((session, Some(past.how)))
    }
}

/// Said of a line that can go nowhere.
pub const CLOSED: &str = "mconnect: the connection is closed: ~o opens the session again, QUIT leaves";
