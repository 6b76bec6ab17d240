//! Files of a test's own, and the tool as a server.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout};

use tempfile::TempDir;

use super::tool;

/// A folder of a test's own, gone with it.
pub struct Folder(TempDir);

impl Folder {
    pub fn new(name: &str) -> Self {
        Self(TempDir::with_prefix(name).unwrap())
    }

    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    pub fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
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
