//! What is said of a session at its end: failures as they happen, and an exit status, which the first of them sets.

use std::io;
use std::sync::{Mutex, OnceLock};

use mconnect_core::Error;
use mconnect_core::diagnosis::Evidence;

use crate::failure::{Failure, Status};
use crate::lock::locked;

/// Remembers the first failure.
#[derive(Debug, Default)]
pub struct Verdict {
    status: OnceLock<Status>,
    complaint: OnceLock<String>,
    /// What is seen of the session under way, for what is said of its failure.
    evidence: Mutex<Evidence>,
}

impl Verdict {
    /// Fails the session with this status, unless it has failed before.
    pub fn fail(&self, status: Status) {
        let _ = self.status.set(status);
    }

    /// Tells a failure, and fails the session with its status.
    pub fn complain(&self, failure: Failure) {
        failure.tell();
        self.fail_for(&failure);
    }

    /// Tells an error of the library's, and fails the session with its status.
    pub fn failed(&self, error: &Error) {
        self.complain(self.failure_of(error));
    }

    /// Makes a failure of an error that a session came to, which is kept for what is said of it.
    pub fn failure_of(&self, error: &Error) -> Failure {
        self.evidence().failed(error);
        Failure::from(error)
    }

    /// Begins what is seen of another session, and returns it.
    pub fn begin_evidence(&self) -> Evidence {
        let evidence = Evidence::new();
        *locked(&self.evidence) = evidence.clone();
        evidence
    }

    /// Returns what is seen of the session under way.
    pub fn evidence(&self) -> Evidence {
        locked(&self.evidence).clone()
    }

    /// Tells a failure, if it is one, and otherwise returns what came of it.
    pub fn check<T>(&self, result: Result<T, Failure>) -> Option<T> {
        result.map_err(|failure| self.complain(failure)).ok()
    }

    /// Fails the session for a failure that is told elsewhere.
    pub fn fail_for(&self, failure: &Failure) {
        let _ = self.complaint.set(failure.to_string());
        self.fail(failure.status);
    }

    /// Returns the first failure that was told.
    pub fn complaint(&self) -> Option<&str> {
        self.complaint.get().map(String::as_str)
    }

    /// Tells that standard input cannot be read.
    pub fn input_failed(&self, error: &io::Error) {
        self.complain(Failure::cannot("read standard input", error));
    }

    /// Tells that standard output cannot be written. A reader that has seen enough is no failure.
    pub fn output_failed(&self, error: &io::Error) {
        if error.kind() != io::ErrorKind::BrokenPipe {
            self.complain(Failure::cannot("write to standard output", error));
        }
    }

    /// Returns the exit status.
    pub fn status(&self) -> u8 {
        self.status.get().map_or(0, |status| *status as u8)
    }
}
