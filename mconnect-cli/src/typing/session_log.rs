//! Writing the session down, from the prompt.

use std::path::Path;

use crate::observers::record::SessionLog;
use crate::stderr::say;

/// Starts writing the session down, or stops; a file other than the one that is written is started after it.
pub fn record(log: &SessionLog, name: &str) {
    let written = stop(log);
    let is_same = written.as_deref().is_some_and(|written| written == name);
    match name {
        "" if written.is_none() => say("nothing is written down: ~w FILE starts that"),
        "" => {}
        _ if is_same => {}
        name => match log.start(Path::new(name)) {
            Ok(true) => say(&format!("the session is written down in {name}, from its beginning: ~w stops that")),
            Ok(false) => say(&format!(
                "the session is written down in {name}, from here on: it was too long to be kept: ~w stops that"
            )),
            Err(failure) => failure.tell(),
        },
    }
}

/// Writes the file that was asked for, if one was, tells that, and names it.
pub fn stop(log: &SessionLog) -> Option<String> {
    match log.stop() {
        Ok(file) => {
            let file = file?.display().to_string();
            say(&format!("written: {file}"));
            Some(file)
        }
        Err(failure) => {
            failure.tell();
            None
        }
    }
}
