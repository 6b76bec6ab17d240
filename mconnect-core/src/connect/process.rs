//! The road to a process of this machine's: a pair of sockets, one of which is its standard input and output.
//!
//! ```text
//!   Session ── socket ════ standard input, output ── sh -c COMMAND
//!                          standard error ── pipe ── a thread ──► Event::ProcessSaid
//!   dropped ── shut down ──► the process is waited for, a grace long ── killed ──► Event::ProcessEnded
//! ```

use std::ffi::OsString;
use std::io::{self, ErrorKind, Read};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::observer::{Event, Observer};

/// What is started.
pub(super) struct Process {
    pub command: OsString,
    /// Starts it, instead of [`Command::spawn`].
    pub start: Option<Box<Start>>,
}

pub(super) type Start = dyn Fn(&mut Command) -> io::Result<Child> + Send + Sync;

impl Process {
    /// Starts it, and returns this side's socket, and the process, which ends when that is dropped.
    pub fn start(
        &self,
        observer: Option<Arc<dyn Observer>>,
        grace: Duration,
        waits: bool,
    ) -> io::Result<(UnixStream, Running)> {
        let (ours, theirs) = UnixStream::pair()?;
        let (socket, theirs) = (ours.try_clone()?, OwnedFd::from(theirs));
        // The command keeps the other end open, and is gone before the session begins.
        let mut command = Command::new("sh");
        command.arg("-c").arg(&self.command).stdin(theirs.try_clone()?).stdout(theirs).stderr(Stdio::piped());
        let mut child = match &self.start {
            Some(start) => start(&mut command)?,
            None => command.spawn()?,
        };
        let errors = child.stderr.take();
        let mut ending = Ending { child, heard: None, observer, grace };
        if let Some(errors) = errors {
            ending.listen(errors)?;
        }
        Ok((ours, Running { socket, ending: Mutex::new(Some(ending)), waits }))
    }
}

/// A process that was started. Dropping it shuts its socket down, waits for its end, and ends it if that does not come.
pub(super) struct Running {
    socket: UnixStream,
    // A receiver is for one thread; nobody waits for the lock.
    ending: Mutex<Option<Ending>>,
    /// Who drops it may be kept waiting.
    waits: bool,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
        let Some(ending) = self.ending.get_mut().unwrap_or_else(PoisonError::into_inner).take() else { return };
        if self.waits {
            ending.run();
        } else {
            let _ = thread::Builder::new().name("process".to_owned()).spawn(move || ending.run());
        }
    }
}

/// What is left to do once the socket is shut down.
struct Ending {
    child: Child,
    /// Is told when standard error has come to its end.
    heard: Option<mpsc::Receiver<()>>,
    observer: Option<Arc<dyn Observer>>,
    grace: Duration,
}

impl Ending {
    /// Has a thread tell what comes on standard error, by the line. It ends when nobody has that open any more, which
    /// may be later than the process.
    fn listen(&mut self, errors: impl Read + Send + 'static) -> io::Result<()> {
        let (tell, heard) = mpsc::channel();
        let observer = self.observer.clone();
        thread::Builder::new().name("standard error".to_owned()).spawn(move || {
            by_line(errors, |line| observe(observer.as_deref(), &Event::ProcessSaid(line)));
            let _ = tell.send(());
        })?;
        self.heard = Some(heard);
        Ok(())
    }

    /// Waits for the process, ends it if it does not end by itself, hears what it said last, and tells how it ended.
    fn run(mut self) {
        let Ok(status) = wait(&mut self.child, self.grace) else { return };
        if let Some(heard) = self.heard {
            let _ = heard.recv_timeout(LAST_WORDS);
        }
        observe(self.observer.as_deref(), &Event::ProcessEnded(status));
    }
}

fn observe(observer: Option<&dyn Observer>, event: &Event<'_>) {
    if let Some(observer) = observer {
        observer.observe(Instant::now(), event);
    }
}

/// Waits for a process, which is killed after the grace. The standard library has no wait with an end, and so it is
/// asked again and again, ever less often.
fn wait(child: &mut Child, grace: Duration) -> io::Result<ExitStatus> {
    let until = Instant::now().checked_add(grace);
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let left = until.map_or(pause, |until| until.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            child.kill()?;
            return child.wait();
        }
        thread::sleep(pause.min(left));
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
}

/// Hands on what is read by the line, without its end; of a long one, a piece at a time.
fn by_line(mut from: impl Read, mut tell: impl FnMut(&[u8])) {
    let (mut line, mut block) = (Vec::new(), [0; 4096]);
    loop {
        let count = match from.read(&mut block) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => break,
            Ok(count) => count,
        };
        for piece in block[..count].split_inclusive(|byte| *byte == b'\n').flat_map(|line| line.chunks(LONGEST_LINE)) {
            if line.len() + piece.len() > LONGEST_LINE {
                tell(&line);
                line.clear();
            }
            line.extend_from_slice(piece);
            if let Some(whole) = line.strip_suffix(b"\n") {
                tell(whole.strip_suffix(b"\r").unwrap_or(whole));
                line.clear();
            }
        }
    }
    if !line.is_empty() {
        tell(&line);
    }
}

/// A line of standard error that is longer comes in pieces.
const LONGEST_LINE: usize = 1024;
/// How long standard error is listened to after the end of the process: a child of its own may have it open for ever.
const LAST_WORDS: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives so many octets at a time.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let room = buffer.len().min(self.1);
            self.0.read(&mut buffer[..room])
        }
    }

    #[test]
    fn standard_error_is_told_by_the_line_and_a_long_line_in_pieces() {
        let long = "x".repeat(5000);
        let text = format!("one\r\n\n{long}\nlast");
        for room in [1, 7, 4096] {
            let mut told = Vec::new();
            by_line(Drip(text.as_bytes(), room), |line| told.push(String::from_utf8_lossy(line).into_owned()));
            assert_eq!((told[0].as_str(), told[1].as_str(), told.last().unwrap().as_str()), ("one", "", "last"));
            assert_eq!(told[2..told.len() - 1].concat(), long);
            assert!(told.iter().all(|line| line.len() <= LONGEST_LINE));
        }
    }
}
