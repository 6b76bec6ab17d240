//! Files that the tool writes: whole, made beside and renamed, and never through somebody else's link.
//!
//! What is no regular file, such as a FIFO, a device or a descriptor that is open already (`/dev/stdout`), is written as
//! it is.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use mconnect_core::dialogue::RecordSink;
use nix::errno::Errno;
use nix::unistd::Uid;

use crate::failure::Failure;

/// Writes a text to a file. Whatever ends the process meanwhile, what was there before or this is there.
///
/// # Errors
/// A failure that says why the file cannot be written.
pub fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let written = AtomicFile::open(path).and_then(|mut file| file.replace(text));
    written.map_err(|error| Failure::cannot_write(path, &error))
}

/// A file whose text can be written again and again, and grow.
pub struct AtomicFile {
    /// As it was named.
    path: PathBuf,
    /// Where it is, if it is a regular file or none yet.
    place: Option<PathBuf>,
    /// What was written last, or what is no regular file.
    file: Option<File>,
}

impl AtomicFile {
    /// Looks where the path leads. A regular file is left as it is until it is written.
    pub fn open(path: &Path) -> io::Result<Self> {
        let place = follow(path)?;
        let is_regular = !place.starts_with(DESCRIPTORS)
            && match fs::symlink_metadata(&place) {
                Ok(metadata) => metadata.is_file() || metadata.is_symlink(),
                Err(_) => true,
            };
        let path = path.to_owned();
        if is_regular {
            return Ok(Self { path, place: Some(place), file: None });
        }
        let file = OpenOptions::new().append(true).open(&place)?;
        Ok(Self { path, place: None, file: Some(file) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl RecordSink for AtomicFile {
    /// Writes a text in place of the one before; to what is no regular file, after it.
    fn replace(&mut self, text: &str) -> io::Result<()> {
        match &self.place {
            Some(place) => self.file = Some(replace(place, text)?),
            None => self.append(text)?,
        }
        Ok(())
    }

    fn append(&mut self, text: &str) -> io::Result<()> {
        match &mut self.file {
            Some(file) => file.write_all(text.as_bytes()),
            None => self.replace(text),
        }
    }

    fn is_replaceable(&self) -> bool {
        self.place.is_some()
    }
}

/// Follows links of one's own and of the system's: to the file, or to the link of somebody else.
fn follow(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?.to_owned();
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let place = folder.canonicalize()?.join(name);
        let is_followed = fs::symlink_metadata(&place).is_ok_and(|metadata| {
            let owner = Uid::from_raw(metadata.uid());
            metadata.is_symlink() && (owner.is_root() || owner == Uid::effective())
        });
        if !is_followed || place.starts_with(DESCRIPTORS) {
            return Ok(place);
        }
        path = place.with_file_name("").join(fs::read_link(&place)?);
    }
    Err(Errno::ELOOP.into())
}

/// Puts a file with this text in the place of another.
fn replace(path: &Path, text: &str) -> io::Result<File> {
    let old = fs::symlink_metadata(path).ok();
    let beside = beside(path);
    let replaced = successor(&beside, old.as_ref()).and_then(|mut file| {
        let written = file.write_all(text.as_bytes()).and_then(|()| fs::rename(&beside, path));
        written.map(|()| file).inspect_err(|_| drop(fs::remove_file(&beside)))
    });
    match old.filter(is_by_itself) {
        Some(old) => replaced.or_else(|_| overwrite(path, &old, text)),
        None => replaced,
    }
}

fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}", std::process::id()))
}

/// Makes the file that will take the place of another, and passes for it.
fn successor(name: &Path, old: Option<&Metadata>) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let Some(old) = old.filter(|old| old.is_file()) else { return options.open(name) };
    let file = options.mode(0o600).open(name)?;
    let is_alike = file.metadata().is_ok_and(|new| (new.uid(), new.gid()) == (old.uid(), old.gid()))
        && file.set_permissions(old.permissions()).is_ok();
    if is_alike {
        return Ok(file);
    }
    let _ = fs::remove_file(name);
    Err(io::ErrorKind::PermissionDenied.into())
}

/// Returns whether it is a file that no other name leads to, and no link to one.
fn is_by_itself(metadata: &Metadata) -> bool {
    metadata.is_file() && metadata.nlink() == 1
}

/// Writes over a file as it is: in a folder where no other can be made, or if it is somebody else's, who lets us.
fn overwrite(path: &Path, old: &Metadata, text: &str) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    let new = file.metadata()?;
    if (new.dev(), new.ino()) != (old.dev(), old.ino()) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    file.write_all(text.as_bytes())?;
    file.set_len(text.len() as u64)?;
    Ok(file)
}

/// Where the system has what is open already: `/dev/fd` and `/dev/stdout` lead there.
const DESCRIPTORS: &str = "/proc";
const MOST_LINKS: usize = 40;
