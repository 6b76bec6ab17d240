//! Any reader and any writer, as a stream.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Stream;

/// Any reader and any writer as a stream: the pipes of a child process, or memory.
///
/// It has no deadlines, neither those of the stages nor that of a whole session: a read or write that waits goes on
/// waiting, also after [`shutdown`](Stream::shutdown). The way out is a socket in the place of the pipes. A child
/// process reads and writes one as it does a pipe, and all deadlines hold:
///
/// ```
/// # #[cfg(unix)] {
/// use std::os::fd::OwnedFd;
/// use std::os::unix::net::UnixStream;
/// use std::process::Command;
/// use std::time::Duration;
///
/// use mconnect_core::Connect;
///
/// let (ours, theirs) = UnixStream::pair()?;
/// let theirs = OwnedFd::from(theirs);
/// let server = "echo 220 hi; read quit; echo 221 bye";
/// let mut child = Command::new("sh").args(["-c", server]).stdin(theirs.try_clone()?).stdout(theirs).spawn()?;
///
/// let mut session = Connect::new("the child", 25).deadline(Duration::from_secs(5)).over(ours);
/// session.greeting()?.require(220)?;
/// session.quit()?.require(221)?;
/// child.wait()?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Pair<R, W> {
    // Each is used by one thread only; the locks are never waited for.
    reader: Mutex<R>,
    writer: Mutex<Option<W>>,
}

impl<R: Read + Send, W: Write + Send> Pair<R, W> {
    /// Makes a stream that reads from `reader` and writes to `writer`. Half-closing it drops `writer`. A session of
    /// bytes that were kept, say:
    ///
    /// ```
    /// use mconnect_core::{Error, Pair, Session};
    ///
    /// let said = &b"220 ready\r\n250 ok\r\n"[..];
    /// let mut session = Session::from_stream(Pair::new(said, std::io::sink()), "a transcript");
    /// session.greeting()?.require(220)?;
    /// session.send_line("NOOP")?;
    /// session.read_reply()?.require(250)?;
    /// assert!(matches!(session.read_reply(), Err(Error::Closed { .. })), "it ends there");
    /// # Ok::<(), mconnect_core::Error>(())
    /// ```
    pub fn new(reader: R, writer: W) -> Self {
        Self { reader: Mutex::new(reader), writer: Mutex::new(Some(writer)) }
    }
}

impl<R: Read + Send, W: Write + Send> Stream for Pair<R, W> {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        lock(&self.reader).read(buffer)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut writer = lock(&self.writer);
        let Some(writer) = writer.as_mut() else { return Err(io::ErrorKind::BrokenPipe.into()) };
        let count = writer.write(bytes)?;
        writer.flush()?;
        Ok(count)
    }

    fn set_read_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn set_write_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }

    fn half_close(&self) -> io::Result<()> {
        lock(&self.writer).take();
        Ok(())
    }

    fn shutdown(&self) -> io::Result<()> {
        if let Ok(mut writer) = self.writer.try_lock() {
            writer.take();
        }
        Ok(())
    }
}

impl<R, W> fmt::Debug for Pair<R, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").finish_non_exhaustive()
    }
}

/// Takes a lock that nobody waits for.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
