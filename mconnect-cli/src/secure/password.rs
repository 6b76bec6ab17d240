//! Where the password comes from that the options or the environment have.

use std::env;
use std::io;
use std::process::{Child, Command, Stdio};

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
    let (found, _held) = if let Some(path) = &security.password_file {
        return first_line_of(path).map(Some);
    } else if let Some(command) = &security.password_command {
        let cannot = |error| Failure::because(Status::NoInput, "cannot run sh", &error);
        let mut child = begin(command).map_err(cannot)?;
        let held = Held::begin();
        let text = child.stdout.take().map(read_all).transpose().map_err(cannot)?.unwrap_or_default();
        let ended = child.wait().map_err(cannot)?;
        if !ended.success() {
            return Err(no_password(format!("the password command failed: {ended}")));
        }
        (text, held)
    } else if let Some(password) = env::var_os(VARIABLE) {
        (Zeroizing::new(password.into_encoded_bytes()), Held::begin())
    } else {
        return Ok(None);
    };
    first_line(&found).map(Some)
}

/// Runs a command that writes the password. It has the terminal, and may ask there; the signals that this process waits
/// for act in it as ever, and the password of the environment is none of its business.
fn begin(command: &str) -> io::Result<Child> {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).env_remove(VARIABLE).stdin(Stdio::null()).stdout(Stdio::piped());
    signals::spawn(&mut shell)
}
