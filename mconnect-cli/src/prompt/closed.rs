//! The prompt after a session that ended before anybody had ended it: what was on its way to the server stays here.

use mconnect_core::Session;
use mconnect_core::protocol::Phase;
use mconnect_core::suggest::Suggestions;

use super::completion::Knowledge;
use super::is_command;
use super::typist::{Typed, Typist};
use crate::connection::Setting;
use crate::failure::Failure;
use crate::signals;
use crate::stderr::say;
use crate::typing::escapes::{self, Escape};
use crate::typing::{Known, aside};

/// A session that has ended before anybody had ended it.
pub struct Past {
    /// How it ended.
    pub how: String,
    known: Known,
    /// In which phase a line was being typed.
    asked: Phase,
}

impl Past {
    pub fn new(how: String, mut known: Known, asked: Phase) -> Self {
        known.state += &format!("\nended     {how}");
        Self { how, known, asked }
    }
}

/// Takes what is typed until the session is opened again, and returns that; nothing if the prompt is left.
pub fn converse(editor: &mut dyn Typist, past: &Past, setting: &Setting<'_>) -> Option<Session> {
    // A password that was being typed is dropped, and what is typed on, too.
    let mut is_hidden = past.asked == Phase::Auth;
    if is_hidden {
        editor.clear();
        say("mconnect: what was being typed was not sent: the rest of it, up to Enter, is dropped unseen");
    }
    let has_escapes = setting.options.prompt.has_escapes;
    let suggestions = Suggestions::new(past.known.extensions.clone());
    editor.inform(Knowledge { has_escapes, suggestions, ..Knowledge::default() });
    loop {
        editor.waker().settle();
        if !editor.waker().set_closed(true) {
            return None;
        }
        let line = match editor.read("closed> ", is_hidden) {
            Ok(Typed::Line(line)) => line,
            Ok(Typed::Secret(_)) => {
                is_hidden = false;
                continue;
            }
            Ok(Typed::Lines { .. } | Typed::Octets(_)) => {
                editor.clear();
                say(CLOSED);
                continue;
            }
            Ok(Typed::Break) => continue,
            Ok(Typed::Interrupt) => {
                if let Some(signal) = editor.waker().ending() {
                    setting.watch.session_log.stop_aloud();
                    signals::act(signal, setting.terminal);
                }
                return None;
            }
            Ok(Typed::EndOfInput | Typed::Unheard) => return None,
            Err(error) => {
                setting.verdict.complain(Failure::cannot("read the terminal", &error));
                return None;
            }
        };
        // It can be called back once the session is open again; what was a text is none.
        if is_command(past.asked) && !line.trim().eq_ignore_ascii_case("QUIT") {
            editor.remember(&line);
        }
        match escapes::parse(&line).filter(|_| has_escapes) {
            // Ctrl-C may have left the prompt.
            Some(Escape::Reopen) if !editor.waker().set_closed(false) => return None,
            Some(Escape::Reopen) => {
                if let Some(session) = (setting.reopen)() {
                    return Some(session);
                }
            }
            Some(Escape::Close) => return None,
            Some(Escape::Aside(asked)) => aside::obey(asked, &past.known, setting),
            None if line.trim().eq_ignore_ascii_case("QUIT") => return None,
            None if line.trim().is_empty() => {}
            _ => say(CLOSED),
        }
    }
}

/// Said of a line that can go nowhere.
const CLOSED: &str = "mconnect: the connection is closed: ~o opens the session again, QUIT leaves";
