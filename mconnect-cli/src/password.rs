//! Passwords: from files, and from whoever sits at the terminal; never from an argument.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use mconnect_core::protocol::Visible;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use zeroize::Zeroizing;

use crate::failure::{Failure, Status};
use crate::input::without_mark;
use crate::secret::{Held, ROOM, Secret};
use crate::terminal::Hidden;

/// Returns the password that stands in the first line of a file.
///
/// # Errors
/// A failure that says what is wrong.
pub fn first_line_of(path: &Path) -> Result<Secret, Failure> {
    let cannot = |error| Failure::cannot_read(path, &error);
    // What is opened under /proc, as /dev/stdin is, has to be open before the process may not be looked into.
    let file = File::open(path).map_err(cannot)?;
    let _held = Held::begin();
    first_line(&read_all(file).map_err(cannot)?)
}

/// Reads all that there is, into memory that is wiped in the end.
pub fn read_all(mut from: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
    // What a growing text leaves behind is not wiped.
    let mut text = Zeroizing::new(Vec::with_capacity(ROOM));
    from.read_to_end(&mut text)?;
    Ok(text)
}

/// Asks for the password at the terminal.
///
/// # Errors
/// A failure that says what is wrong.
pub fn ask(user: &str) -> Result<Secret, Failure> {
    let keys = ask_keys(user).map_err(|error| {
        let sources = format!(": --password-file, --password-command, and the variable {VARIABLE}");
        Failure::because(Status::NoInput, "no password: cannot ask at the terminal", &error).hint(&sources)
    })?;
    first_line(&keys)
}

/// Returns the password that stands in the first line of a text.
///
/// # Errors
/// A failure that says what is wrong.
pub fn first_line(text: &[u8]) -> Result<Secret, Failure> {
    let line = without_mark(text).split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = str::from_utf8(line).map_err(|_| no_password("the password is not UTF-8"))?;
    if line.is_empty() {
        return Err(no_password("no password: it is empty"));
    }
    Ok(Secret::new(line.to_owned()))
}

/// There is no password, for this reason.
pub fn no_password(message: impl Into<String>) -> Failure {
    Failure::new(Status::NoInput, message)
}

/// Asks at the terminal, without echo. Ctrl-C interrupts, with the terminal as it was.
fn ask_keys(user: &str) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut terminal = File::options().read(true).write(true).open("/dev/tty")?;
    let hidden = Hidden::begin(&terminal)?;
    let _held = Held::begin();
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
    // What a growing text leaves behind is not wiped.
    let (mut password, mut key) = (Zeroizing::new(Vec::with_capacity(ROOM)), [0]);
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
pub const VARIABLE: &str = "MCONNECT_PASSWORD";
const INTERRUPT: u8 = 3;
const END: u8 = 4;
const BACKSPACE: u8 = 8;
const KILL: u8 = 21;
const QUIT: u8 = 28;
const ERASE: u8 = 127;
