//! Failures: what is told of them, in one line, and the exit status that they ask for.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use mconnect_core::dialogue::LoadError;
use mconnect_core::script::Fault;
use mconnect_core::server::ServerError;
use mconnect_core::{Error, Peer, chain};

use crate::stderr::say;

/// The exit statuses, after sysexits.h.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// An expectation of a dialogue was not met; a probe has something to warn of.
    Unmet = 1,
    /// A probe found that mail does not arrive, or not from everybody.
    #[cfg_attr(not(feature = "probe"), allow(dead_code, reason = "nothing is probed"))]
    Failing = 2,
    Usage = 64,
    Data = 65,
    NoInput = 66,
    NoHost = 68,
    Unavailable = 69,
    Io = 74,
    Temporary = 75,
    Protocol = 76,
    Auth = 77,
}

/// What keeps a session from its end, or makes that a bad one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub status: Status,
    /// What happened, what lies beneath it, and what to do about it.
    pub message: String,
}

impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Temporary => Self::Temporary,
            Fault::Refused => Self::Unavailable,
            Fault::Auth => Self::Auth,
            _ => Self::Protocol,
        }
    }
}

impl Status {
    /// Returns the status that an error of the library asks for.
    fn of(error: &Error) -> Self {
        match error {
            Error::Address { .. } => Self::Usage,
            Error::Resolve { is_temporary: false, .. } => Self::NoHost,
            Error::Connect { .. } | Error::Need { .. } => Self::Unavailable,
            Error::Resolve { .. } | Error::Timeout { .. } => Self::Temporary,
            Error::Message { .. } => Self::Io,
            Error::Auth { .. } => Self::Auth,
            Error::Delivery { source, .. } => Self::of(source),
            _ => Self::Protocol,
        }
    }
}

impl Failure {
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// A failure that an error is the cause of.
    pub fn because(status: Status, message: impl fmt::Display, error: &dyn StdError) -> Self {
        Self::new(status, format!("{message}: {}", chain(error)))
    }

    /// The system does not do something for us.
    pub fn cannot(act: &str, error: &dyn StdError) -> Self {
        Self::because(Status::Io, format!("cannot {act}"), error)
    }

    pub fn cannot_read(file: impl AsRef<Path>, error: &io::Error) -> Self {
        Self::because(Status::NoInput, format!("cannot read {}", file.as_ref().display()), error)
    }

    pub fn cannot_write(file: impl AsRef<Path>, error: &io::Error) -> Self {
        Self::cannot(&format!("write {}", file.as_ref().display()), error)
    }

    /// A server neither says anything nor closes after the end of the input.
    pub fn silence(peer: &Peer, after: Duration) -> Self {
        let seconds = after.as_secs_f64();
        let message = format!("{peer} said nothing for {seconds} s after the end of the input, and did not close");
        Self::new(Status::Temporary, message)
    }

    /// Adds a hint, which begins with the sign that it is joined by.
    pub fn hint(mut self, hint: &str) -> Self {
        self.message.push_str(hint);
        self
    }

    /// Tells it on standard error.
    pub fn tell(&self) {
        say(&format!("mconnect: {self}"));
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let status = Status::of(error);
        let hint = if error.is_truncation() { ": what came before may have been cut short" } else { "" };
        Self::new(status, error.chain()).hint(hint)
    }
}

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Self {
        let status = match error {
            ServerError::Syntax(_) => Status::Data,
            ServerError::NoClient(_) => Status::Temporary,
            ServerError::Deviation { .. } => Status::Unmet,
            _ => Status::Protocol,
        };
        Self::new(status, chain(&error))
    }
}

impl From<LoadError> for Failure {
    fn from(error: LoadError) -> Self {
        let status = if matches!(error, LoadError::Read { .. }) { Status::NoInput } else { Status::Data };
        Self::new(status, chain(&error))
    }
}

/// What is wrong with most scripts whose server falls silent.
pub const NO_QUIT: &str = ": does the input end with QUIT?";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_with_its_cause_and_what_to_do_about_it() {
        let source = io::Error::from_raw_os_error(nix::errno::Errno::ECONNREFUSED as i32);
        let failure = Failure::cannot_read("a.txt", &source);
        assert_eq!(failure.to_string(), "cannot read a.txt: Connection refused");
        assert_eq!(failure.status, Status::NoInput);
        let peer = Peer::new("mx.example", None);
        let error = Error::Connect { peer, port: 25, attempts: Vec::new(), source };
        let failure = Failure::from(&error);
        assert_eq!(failure.status as u8, 69);
        assert_eq!(
            failure.hint("; more").to_string(),
            "cannot connect to mx.example, port 25: Connection refused; more"
        );
    }
}
