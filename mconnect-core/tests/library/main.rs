//! The library without a socket: what its sources and documents keep to, what it publishes, and what its state machines
//! make of transcripts that are files.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod documents;
mod layers;
mod published;
mod scripts;
mod tracker;

use std::fs;
use std::path::{Path, PathBuf};

/// Returns every file in a folder, and in the folders in it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Returns the files of a folder here, each with its name and its text.
fn texts(folder: &str) -> Vec<(String, String)> {
    let named = |path: PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, fs::read_to_string(path).unwrap())
    };
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder)).into_iter().map(named).collect()
}
