//! The history of typed lines: a file in the state folder of the user, without secrets.

use std::env;
use std::fs::{self, DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

use mconnect_core::protocol::{is_base64_line, secret_start};
use mconnect_core::sasl::Mechanism;
use rustyline::history::FileHistory;
use rustyline::{Editor, Helper};

use crate::stderr::say;

/// Where lines are kept, if they are kept.
pub struct History {
    path: Option<PathBuf>,
}

impl History {
    /// Finds the file, `$XDG_STATE_HOME/mconnect/history`; where `is_kept` is not set, nothing is read or written.
    pub fn new(is_kept: bool) -> Self {
        let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = || absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
        Self { path: state().filter(|_| is_kept).map(|state| state.join("mconnect/history")) }
    }

    /// Reads what was kept, making the folder and the file for the user alone where they are not there.
    pub fn load<H: Helper>(&self, editor: &mut Editor<H, FileHistory>) {
        let Some(path) = &self.path else { return };
        if let Some(folder) = path.parent() {
            let _ = DirBuilder::new().recursive(true).mode(0o700).create(folder);
        }
        let _ = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        // The editor draws lines as they are. None that is kept here has such a character: somebody else wrote that one.
        if fs::read(path).is_ok_and(|text| String::from_utf8_lossy(&text).lines().any(has_control)) {
            return say(&format!("mconnect: {} holds control characters, and was not read", path.display()));
        }
        // Without a history one can do.
        let _ = editor.load_history(path);
    }

    /// Adds a line, and appends it to what all sessions keep.
    pub fn add<H: Helper>(&self, editor: &mut Editor<H, FileHistory>, line: &str) {
        let line = without_secrets(line);
        if line.trim().is_empty() || has_control(&line) {
            return;
        }
        if let (Ok(true), Some(path)) = (editor.add_history_entry(line), &self.path) {
            let _ = editor.append_history(path);
        }
    }
}

fn has_control(line: &str) -> bool {
    line.contains(char::is_control)
}

/// Returns a command line without what may be a password in it: the initial response of AUTH, or an answer that came too
/// late to be one.
fn without_secrets(line: &str) -> String {
    if let Some(start) = secret_start(line.as_bytes()) {
        return line[..line.floor_char_boundary(start)].trim().to_owned();
    }
    let mut words = line.split_whitespace();
    match (words.next(), words.next()) {
        _ if is_base64_line(line.as_bytes()) => String::new(),
        (Some("~64"), _) => String::new(),
        // A password has no place there, but may have been put there.
        (Some("~a"), Some(first)) => match words.next().filter(|_| Mechanism::from_name(first.as_bytes()).is_some()) {
            Some(user) => format!("~a {first} {user}"),
            None => format!("~a {first}"),
        },
        // Bytes of an escape may hold the command anywhere.
        (Some("~x"), _) if line.to_ascii_uppercase().contains("AUTH") => String::new(),
        _ => line.to_owned(),
    }
}

/// So many lines are kept.
pub const MOST_LINES: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_initial_response_of_auth_is_left_out() {
        for (line, kept) in [
            ("AUTH PLAIN AGEAYg==", "AUTH PLAIN"),
            (" auth  plain\tAGEAYg== more", "auth  plain"),
            ("AUTH=PLAIN AGEAYg==", "AUTH=PLAIN"),
            ("AUTH \u{a0}PLAIN AGEAYg==", "AUTH \u{a0}PLAIN"),
            ("AUTH PLAIN\u{a0}AGEAYg==", "AUTH PLAIN"),
            ("AUTH LOGIN", "AUTH LOGIN"),
            ("AGEAYg==", ""),
            ("~64 \\0user\\0password", ""),
            ("~x AUTH PLAIN AGEAYg==\\r\\n", ""),
            ("MAIL FROM:<a@b> AUTH=<>", "MAIL FROM:<a@b> AUTH=<>"),
        ] {
            assert_eq!(without_secrets(line), kept);
        }
    }

    #[cfg(feature = "tls")]
    #[test]
    fn what_was_put_behind_a_user_is_left_out() {
        for (line, kept) in [
            ("~a PLAIN user", "~a PLAIN user"),
            ("~a PLAIN user password", "~a PLAIN user"),
            ("~a user password", "~a user"),
            ("~a", "~a"),
        ] {
            assert_eq!(without_secrets(line), kept);
        }
    }
}
