//! Where the password comes from that the options or the environment have.

use std::env;
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use crate::failure::{Failure, Status};
use crate::options::Security;
use crate::password::{VARIABLE, first_line, first_line_of, no_password, read_all};
use crate::secret::{Held, Secret};
use crate::signals;

/// Returns the password, if a file, a command or the environment has it.
///
/// # Errors
/// A failure that says what is wrong.
pub fn given(security: &Security) -> Result<Option<Secret>, Failure> {
    if let Some(path) = &security.password_file {
        return first_line_of(path).map(Some);
    }
    if let Some(command) = &security.password_command {
        return printed_by(command).map(Some);
    }
    let Some(password) = env::var_os(VARIABLE) else { return Ok(None) };
    let _held = Held::begin();
    first_line(&Zeroizing::new(password.into_encoded_bytes())).map(Some)
}

/// Runs a command that prints the password. It has the terminal, and may ask there; the signals that this process waits
/// for act in it as ever, and the password of the environment is none of its business.
fn printed_by(command: &str) -> Result<Secret, Failure> {
    let cannot = |error| Failure::because(Status::NoInput, "cannot run sh", &error);
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).env_remove(VARIABLE).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = signals::spawn(&mut shell).map_err(cannot)?;
    let _held = Held::begin();
    let text = child.stdout.take().map(read_all).transpose().map_err(cannot)?.unwrap_or_default();
    let ended = child.wait().map_err(cannot)?;
    if !ended.success() {
        return Err(no_password(format!("the password command failed: {ended}")));
    }
    first_line(&text)
}
