//! A file that holds one text, which is written whole.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A regular file, which can be written again and again, or something else, which takes its text once.
pub struct Page {
    path: PathBuf,
    file: File,
    is_regular: bool,
}

impl Page {
    /// Makes the file, or empties it.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::create(path)?;
        let is_regular = file.metadata()?.is_file();
        Ok(Self { path: path.to_owned(), file, is_regular })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says whether a text can take the place of the one before.
    pub fn is_regular(&self) -> bool {
        self.is_regular
    }

    /// Writes a text. Whatever ends the process meanwhile, the one before or this one is there; only a file that
    /// another cannot stand in for, such as one behind a link, is written over as it is.
    pub fn write(&self, text: &str) -> io::Result<()> {
        if !self.is_regular {
            return (&self.file).write_all(text.as_bytes());
        }
        let name = beside(&self.path);
        let Some(mut file) = successor(&self.path, &name) else { return overwrite(&self.path, text) };
        let written = file.write_all(text.as_bytes()).and_then(|()| fs::rename(&name, &self.path));
        written.inspect_err(|_| drop(fs::remove_file(&name)))
    }
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}", std::process::id()))
}

/// Makes the file that will take the place of another; none if it cannot be made, or could not pass for the other.
fn successor(path: &Path, name: &Path) -> Option<File> {
    let old = fs::symlink_metadata(path).ok().filter(is_by_itself)?;
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(name).ok()?;
    let is_alike = file.metadata().is_ok_and(|new| (new.uid(), new.gid()) == (old.uid(), old.gid()))
        && file.set_permissions(old.permissions()).is_ok();
    if !is_alike {
        let _ = fs::remove_file(name);
    }
    is_alike.then_some(file)
}

/// Says whether it is a file that no other name leads to, and no link to one.
fn is_by_itself(metadata: &Metadata) -> bool {
    metadata.is_file() && metadata.nlink() == 1
}

fn overwrite(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)
}
