//! The prompt after a session that ended before anybody had ended it: what was on its way to the server stays here.

use mconnect_core::Session;
use mconnect_core::protocol::{Extensions, Phase, Standing};

use super::completion::Knowledge;
use super::editor::{Editor, Typed};
use super::escapes::{self, Escape};
use super::{explain, is_command, session_log};
use crate::connection::Setting;
use crate::failure::Failure;
use crate::signals;
use crate::stderr::say;

/// What is known of a session that has ended.
pub struct Past {
    /// How it ended.
    pub how: String,
    /// Where it stood, told as `~s` does.
    pub state: String,
    pub extensions: Option<Extensions>,
    /// In which phase a line was being typed.
    pub asked: Phase,
}

/// Takes what is typed until the session is opened again, and returns that; nothing if the prompt is left.
pub fn converse(editor: &mut Editor, past: &Past, setting: &Setting<'_>) -> Option<Session> {
    // A password that was being typed is dropped, and what is typed on, too.
    let mut is_hidden = past.asked == Phase::Auth;
    if is_hidden {
        editor.clear();
        say("mconnect: what was being typed was not sent: the rest of it, up to Enter, is dropped unseen");
    }
    let has_escapes = setting.options.prompt.has_escapes;
    editor.inform(Knowledge { has_escapes, extensions: past.extensions.clone(), ..Knowledge::default() });
    loop {
        editor.waker.set_idle(true);
        editor.waker.settle();
        if editor.waker.has_left() {
            return None;
        }
        let line = match editor.read("closed> ", is_hidden) {
            Ok(Typed::Line(line)) => line,
            Ok(Typed::Secret(_)) => {
                is_hidden = false;
                continue;
            }
            Ok(Typed::Lines { .. }) => {
                editor.clear();
                say(CLOSED);
                continue;
            }
            Ok(Typed::Break) => continue,
            Ok(Typed::Interrupt) => {
                if let Some(signal) = editor.waker.ending() {
                    session_log::stop(&setting.watch.session_log);
                    signals::act(signal, setting.terminal);
                }
                return None;
            }
            Ok(Typed::EndOfInput) => return None,
            Err(error) => {
                setting.verdict.complain(Failure::cannot("read the terminal", &error));
                return None;
            }
        };
        if line.trim().eq_ignore_ascii_case("QUIT") {
            return None;
        }
        // It can be called back once the session is open again; what was a text is none.
        if is_command(past.asked) {
            editor.remember(&line);
        }
        match escapes::parse(&line).filter(|_| has_escapes) {
            Some(Escape::Reopen) => {
                editor.waker.set_idle(false);
                if let Some(session) = (setting.reopen)() {
                    return Some(session);
                }
            }
            Some(Escape::Close) => return None,
            Some(Escape::Aside(aside)) => explain::aside(aside, setting),
            Some(Escape::Extensions) => explain::extensions(past.extensions.as_ref()),
            Some(Escape::State) => say(&format!("{}\nended     {}", past.state, past.how)),
            None if line.trim().is_empty() => {}
            _ => say(CLOSED),
        }
    }
}

/// Says how a session ended whose connection did: by what the server said, or by what happened.
pub fn how(end: Option<&crate::judge::End>, standing: &Standing) -> String {
    use crate::judge::End;
    match (end, standing.last_answer.filter(|_| standing.is_closing)) {
        (Some(End::Closed), Some(answer)) => format!("the server closed after {}", answer.code),
        (Some(End::Closed), None) => "the server closed".to_owned(),
        (Some(End::Broken(error)), _) => Failure::from(error).to_string(),
        (Some(End::Given) | None, _) => "the server did not reply in time".to_owned(),
    }
}

/// Said of a line that can go nowhere.
pub const CLOSED: &str = "mconnect: the connection is closed: ~o opens the session again, QUIT leaves";
