//! Where a password comes from: never from an argument.

use std::env;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use mconnect_core::protocol::Visible;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use zeroize::Zeroizing;

use crate::args::Security;
use crate::input::without_mark;
pub use crate::secret::Secret;
use crate::terminal::Hidden;
use crate::verdict::{reason, status};

/// Gives the password, if a file, a command or the environment has it.
///
/// # Errors
/// An exit status and what is wrong.
pub fn given(security: &Security) -> Result<Option<Secret>, (u8, String)> {
    let found = if let Some(path) = &security.password_file {
        let text = fs::read(path);
        text.map_err(|error| (status::NO_INPUT, format!("cannot read {}: {}", path.display(), words(&error))))?
    } else if let Some(command) = &security.password_command {
        let output = Command::new("sh").args(["-c", command]).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
        match output {
            Ok(output) if output.status.success() => output.stdout,
            Ok(output) => return Err((status::NO_INPUT, format!("the password command failed: {}", output.status))),
            Err(error) => return Err((status::NO_INPUT, format!("cannot run sh: {}", words(&error)))),
        }
    } else if let Some(password) = env::var_os(VARIABLE) {
        password.into_encoded_bytes()
    } else {
        return Ok(None);
    };
    let found = Zeroizing::new(found);
    first_line(without_mark(&found)).map(Some)
}

/// Asks for the password at the terminal.
///
/// # Errors
/// An exit status and what is wrong.
pub fn ask(user: &str) -> Result<Secret, (u8, String)> {
    let keys = ask_keys(user).map_err(|error| {
        let sources = format!("--password-file, --password-command, and the variable {VARIABLE}");
        (status::NO_INPUT, format!("no password: cannot ask at the terminal: {}: {sources}", words(&error)))
    })?;
    first_line(&keys)
}

fn first_line(text: &[u8]) -> Result<Secret, (u8, String)> {
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = str::from_utf8(line).map_err(|_| (status::NO_INPUT, "the password is not UTF-8".to_owned()))?;
    if line.is_empty() {
        return Err((status::NO_INPUT, "no password: it is empty".to_owned()));
    }
    Ok(Secret::new(line.to_owned()))
}

fn words(error: &io::Error) -> String {
    reason(&error.to_string())
}

/// Asks at the terminal, without echo. Ctrl-C interrupts, with the terminal as it was.
fn ask_keys(user: &str) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut terminal = File::options().read(true).write(true).open("/dev/tty")?;
    let hidden = Hidden::begin(&terminal)?;
    let asked = write!(terminal, "password of {}: ", Visible(user.as_bytes())).and_then(|()| read_keys(&mut terminal));
    drop(hidden);
    terminal.write_all(b"\n")?;
    match asked? {
        Some(password) => Ok(password),
        None => {
            // To the process, not to this thread: where signals are watched, another one waits for them.
            kill(Pid::this(), Signal::SIGINT)?;
            thread::park_timeout(Duration::from_secs(1));
            Err(io::ErrorKind::Interrupted.into())
        }
    }
}

/// Reads up to Enter; nothing if Ctrl-C came.
fn read_keys(terminal: &mut File) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    // Room for what is typed: what a growing text leaves behind is not wiped.
    let (mut password, mut key) = (Zeroizing::new(Vec::with_capacity(4096)), [0]);
    loop {
        match terminal.read(&mut key) {
            Ok(0) => return Ok(Some(password)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
            Ok(_) => {}
        }
        match key[0] {
            b'\n' | b'\r' | END => return Ok(Some(password)),
            INTERRUPT | QUIT => return Ok(None),
            ERASE | BACKSPACE => while password.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {},
            KILL => password.clear(),
            0..b' ' => {}
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
const QUIT: u8 = 28;
const ERASE: u8 = 127;
