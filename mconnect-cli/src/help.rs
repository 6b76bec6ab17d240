//! Help on SMTP, from an installed help file or the library's own.

use std::fs;
use std::path::Path;

use mconnect_core::help::HelpFile;

use crate::failure::{Failure, Status};

/// Returns help on a topic, from the file that was named, or the first installed one that is not empty.
///
/// # Errors
/// A failure that says why there is none.
pub fn on(topic: Option<&str>, path: Option<&Path>) -> Result<String, Failure> {
    let read = |path: &Path| fs::read(path).map(|text| HelpFile::parse(&String::from_utf8_lossy(&text)));
    let file = match path {
        Some(path) => read(path).map_err(|error| Failure::cannot_read(path, &error))?,
        None => {
            let mut installed = INSTALLED.iter().filter_map(|path| read(Path::new(path)).ok());
            installed.find(|file| !file.is_empty()).unwrap_or_else(HelpFile::own)
        }
    };
    file.on(topic).map_err(|none| Failure::new(Status::NoInput, none.to_string()))
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
    fn a_named_file_that_cannot_be_read_is_an_error() {
        let error = on(None, Some(Path::new("/nonexistent/help"))).unwrap_err();
        assert_eq!(error.to_string(), "cannot read /nonexistent/help: No such file or directory");
    }
}
