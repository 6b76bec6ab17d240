//! Where a password comes from: never from an argument.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, raise};

use crate::args::Security;
use crate::terminal::Hidden;
use crate::verdict::{reason, status};

/// Finds the password: in a file, from a command, in the environment, or by asking at the terminal.
///
/// # Errors
/// An exit status and what is wrong.
pub fn find(security: &Security, user: &str) -> Result<String, (u8, String)> {
    let reason = |error: &io::Error| reason(&error.to_string());
    let found = if let Some(path) = &security.password_file {
        let text = fs::read(path);
        text.map_err(|error| (status::NO_INPUT, format!("cannot read {}: {}", path.display(), reason(&error))))?
    } else if let Some(command) = &security.password_command {
        let output = Command::new("sh").args(["-c", command]).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
        match output {
            Ok(output) if output.status.success() => output.stdout,
            Ok(output) => return Err((status::NO_INPUT, format!("the password command failed: {}", output.status))),
            Err(error) => return Err((status::NO_INPUT, format!("cannot run sh: {}", reason(&error)))),
        }
    } else if let Some(password) = env::var_os(VARIABLE) {
        password.into_encoded_bytes()
    } else {
        ask(user).map_err(|error| {
            let sources = format!("--password-file, --password-command, and the variable {VARIABLE}");
            (status::NO_INPUT, format!("no password: cannot ask at the terminal: {}: {sources}", reason(&error)))
        })?
    };
    let line = found.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    String::from_utf8(line.to_vec()).map_err(|_| (status::NO_INPUT, "the password is not UTF-8".to_owned()))
}

/// Asks at the terminal, without echo. Ctrl-C interrupts, with the terminal as it was.
fn ask(user: &str) -> io::Result<Vec<u8>> {
    let mut terminal = File::options().read(true).write(true).open("/dev/tty")?;
    let hidden = Hidden::begin(&terminal)?;
    let asked = write!(terminal, "password of {user}: ").and_then(|()| read_keys(&mut terminal));
    drop(hidden);
    terminal.write_all(b"\n")?;
    match asked? {
        Some(password) => Ok(password),
        None => {
            raise(Signal::SIGINT)?;
            Err(io::ErrorKind::Interrupted.into())
        }
    }
}

/// Reads up to Enter; nothing if Ctrl-C came.
fn read_keys(terminal: &mut File) -> io::Result<Option<Vec<u8>>> {
    let (mut password, mut key) = (Vec::new(), [0]);
    loop {
        match terminal.read(&mut key) {
            Ok(0) => return Ok(Some(password)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        match key[0] {
            b'\n' | b'\r' | END => return Ok(Some(password)),
            INTERRUPT => return Ok(None),
            ERASE | BACKSPACE => drop(password.pop()),
            KILL => password.clear(),
            other => password.push(other),
        }
    }
}

/// The environment variable that may hold the password.
const VARIABLE: &str = "MCONNECT_PASSWORD";
const INTERRUPT: u8 = 3;
const END: u8 = 4;
const BACKSPACE: u8 = 8;
const KILL: u8 = 21;
const ERASE: u8 = 127;
