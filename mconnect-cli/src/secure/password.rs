//! Where a password comes from: never from an argument.

use std::env;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use mconnect_core::protocol::Visible;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::Pid;
use zeroize::Zeroizing;

use crate::failure::{Failure, Status};
use crate::input::without_mark;
use crate::options::Security;
use crate::secret::Held;
pub use crate::secret::Secret;
use crate::terminal::Hidden;

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
    first_line(without_mark(&found)).map(Some)
}

/// Returns the password that stands in the first line of a file.
///
/// # Errors
/// A failure that says what is wrong.
pub fn first_line_of(path: &Path) -> Result<Secret, Failure> {
    let cannot = |error| Failure::cannot_read(path, &error);
    // What is opened under /proc, as /dev/stdin is, has to be open before the process may not be looked into.
    let file = File::open(path).map_err(cannot)?;
    let _held = Held::begin();
    first_line(without_mark(&read_all(file).map_err(cannot)?))
}

/// Runs a command that writes the password. It has the terminal, and may ask there; the signals that this process waits
/// for act in it as ever, and the password of the environment is none of its business.
fn begin(command: &str) -> io::Result<Child> {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).env_remove(VARIABLE).stdin(Stdio::null()).stdout(Stdio::piped());
    // A child has the mask of the thread that starts it.
    let starting = thread::Builder::new().spawn(move || {
        SigSet::empty().thread_set_mask()?;
        shell.spawn()
    })?;
    starting.join().unwrap_or_else(|_| Err(io::Error::other("the thread that starts it failed")))
}

/// Reads all that there is, into memory that is wiped in the end.
fn read_all(mut from: impl Read) -> io::Result<Zeroizing<Vec<u8>>> {
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

fn first_line(text: &[u8]) -> Result<Secret, Failure> {
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = str::from_utf8(line).map_err(|_| no_password("the password is not UTF-8"))?;
    if line.is_empty() {
        return Err(no_password("no password: it is empty"));
    }
    Ok(Secret::new(line.to_owned()))
}

fn no_password(message: impl Into<String>) -> Failure {
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

/// Few passwords are longer, in octets.
const ROOM: usize = 4096;
/// The environment variable that may hold the password.
const VARIABLE: &str = "MCONNECT_PASSWORD";
const INTERRUPT: u8 = 3;
const END: u8 = 4;
const BACKSPACE: u8 = 8;
const KILL: u8 = 21;
const QUIT: u8 = 28;
const ERASE: u8 = 127;
