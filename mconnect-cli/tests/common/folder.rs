//! Files of a test's own, and the tool as a server.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout};

use tempfile::TempDir;

use super::tool;

/// A folder of a test's own, gone with it.
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn text(&self) -> &str {
        self.path().to_str().unwrap()
    }

    /// Returns the name of a file in it.
    pub fn file(&self, name: &str) -> String {
        self.path().join(name).to_str().unwrap().to_owned()
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.file(name), text).unwrap();
        self.file(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    /// Returns the history of a prompt that keeps it here; empty, if there is none.
    pub fn history(&self) -> String {
        fs::read_to_string(self.path().join("mconnect/history")).unwrap_or_default()
    }
}

/// Starts the tool as a server, and gives the port that it says.
pub fn serve(args: &[&str]) -> (Child, String, BufReader<ChildStdout>) {
    let mut child = tool(args).spawn().unwrap();
    let (mut line, mut stdout) = (String::new(), BufReader::new(child.stdout.take().unwrap()));
    stdout.read_line(&mut line).unwrap();
    let port = line.trim_end().strip_prefix("listening on 127.0.0.1:").unwrap().to_owned();
    (child, port, stdout)
}
