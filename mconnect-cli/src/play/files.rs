//! No file is read and written at once: neither a dialogue nor a report is lost to another option.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::failure::{Failure, Status};
use crate::options::Play;

/// Looks whether a file that will be written is one that is played, or is to be written twice.
///
/// # Errors
/// A failure that names the file.
pub fn check(record: Option<&Path>, play: &Play) -> Result<(), Failure> {
    let failure = |message: String| Err(Failure::new(Status::Usage, message));
    let junit = play.junit.as_deref();
    for (option, written) in [("--record", record), ("--junit", junit)] {
        if let Some(written) = written.filter(|written| play.files.iter().any(|played| is_same(played, written))) {
            return failure(format!("{} is played: {option} would write over it", written.display()));
        }
    }
    match (record, junit) {
        (Some(record), Some(junit)) if is_same(junit, record) => {
            failure(format!("--record and --junit would both write {}", record.display()))
        }
        _ => Ok(()),
    }
}

/// Returns whether what is at the first path, or on standard input, would be lost by writing to the second.
fn is_same(one: &Path, written: &Path) -> bool {
    match (look(one), fs::metadata(written)) {
        (Ok(one), Ok(written)) => one.is_file() && (one.dev(), one.ino()) == (written.dev(), written.ino()),
        (Err(_), Err(_)) => one == written,
        _ => false,
    }
}

fn look(path: &Path) -> io::Result<Metadata> {
    if path != Path::new("-") {
        return fs::metadata(path);
    }
    File::from(io::stdin().as_fd().try_clone_to_owned()?).metadata()
}
