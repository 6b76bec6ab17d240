//! The bare streams of a session: bytes as they come, nothing followed, nothing translated.
//!
//! No deadline holds here but that of writing. Whoever reads waits as long as the server is silent;
//! [`RawWriter::wait_end`] and a [`Closer`] are the ways out.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use super::deadline::Deadline;
use super::shared::Shared;
use super::{Reader, Writer};
use crate::closer::Closer;
use crate::error::{Action, Error};
use crate::observer::Event;
use crate::stream::{LEAST_TIMEOUT, Stream, is_nothing_yet};

/// Reads what the server sends, beginning with what was received before. It waits without a deadline;
/// [`RawWriter::wait_end`] keeps one, and a [`Closer`] ends any wait. [`Read`] does the same as
/// [`receive`](Self::receive), with the [`Error`] inside an [`io::Error`].
///
/// Two threads copy in the two directions, as `nc` does:
///
/// ```
/// # #[cfg(feature = "server")] {
/// # let server = mconnect_core::server::Server::start()?;
/// use std::io::{self, Read as _};
/// use std::time::Duration;
///
/// use mconnect_core::Connect;
///
/// let (mut reader, mut writer) = Connect::new("127.0.0.1", server.port()).open()?.into_raw();
/// let listening = std::thread::spawn(move || {
///     let mut said = Vec::new();
///     reader.read_to_end(&mut said).map(|_| said)
/// });
/// io::copy(&mut &b"NOOP\r\nQUIT\r\n"[..], &mut writer)?;
/// assert!(writer.wait_end(Duration::from_secs(5)), "the server closes after QUIT");
/// let said = listening.join().unwrap()?;
/// assert_eq!(said.split_inclusive(|byte| *byte == b'\n').count(), 3);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RawReader {
    shared: Arc<Shared>,
    stream: Arc<dyn Stream>,
    received: io::Cursor<Vec<u8>>,
}

/// Writes to the server. [`Write`] does the same as [`send`](Self::send), with the [`Error`] inside an [`io::Error`];
/// nothing is buffered, so that flushing does nothing. Observers are shown what is sent as it is: nothing is known of
/// secrets here.
pub struct RawWriter {
    shared: Arc<Shared>,
    stream: Arc<dyn Stream>,
}

/// Takes the halves apart. The reader gets what was received, also of a reply that is half read; the timeouts of the
/// stream are set once, here.
pub(super) fn into_raw(reader: Reader, writer: Writer) -> (RawReader, RawWriter) {
    let (shared, stream, received) = reader.into_parts();
    shared.enter_raw();
    drop(stream.set_read_timeout(None));
    let raw_reader = RawReader { shared, stream, received: io::Cursor::new(received) };
    let (shared, stream) = writer.into_parts();
    drop(stream.set_write_timeout(Some(shared.timeouts.block.max(LEAST_TIMEOUT))));
    (raw_reader, RawWriter { shared, stream })
}

impl RawReader {
    /// Reads some bytes, at most as many as `buffer` holds; none after the server closed. What the session had received
    /// comes first, by itself. It waits without a deadline.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Aborted`].
    pub fn receive(&mut self, buffer: &mut [u8]) -> Result<usize, Error> {
        self.shared.listens();
        let result = match self.received.read(buffer) {
            Ok(0) => loop {
                match self.stream.read(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(0) if self.shared.closer.is_closed() => break Err(io::ErrorKind::NotConnected.into()),
                    Ok(0) if !buffer.is_empty() => break self.shared.take_lost().map_or(Ok(0), Err),
                    result => break result,
                }
            },
            received => received,
        };
        let result = result.map_err(|error| self.shared.io_error(Action::Read, error));
        match result {
            Ok(count @ 1..) => {
                self.shared.heard_raw();
                self.shared.observe(&Event::ReceivedRaw(&buffer[..count]));
            }
            _ if buffer.is_empty() => {}
            _ => self.shared.ended(),
        }
        result
    }
}

impl RawWriter {
    /// Sends exactly these bytes, however many writes that takes. Telnet's own commands (the octet 255) and line ends
    /// are the caller's.
    ///
    /// # Errors
    /// [`Error::Timeout`] if nothing could be written for the time of a [`block`](crate::Timeouts::block);
    /// [`Error::Io`], [`Error::Aborted`]. How much went out is not known then.
    pub fn send(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        self.shared.observe(&Event::Sent(bytes));
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(count @ 1..) => bytes = &bytes[count..],
                Ok(_) => return Err(self.shared.io_error(Action::Write, io::ErrorKind::WriteZero.into())),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_nothing_yet(&error) => {
                    let deadline = Deadline::after(self.shared.timeouts.block);
                    return Err(self.shared.late(Action::Write, deadline, Vec::new()));
                }
                Err(error) => return Err(self.shared.io_error(Action::Write, error)),
            }
        }
        Ok(())
    }

    /// Ends the sending side: the server reads everything sent, and then the end of the stream; inside TLS,
    /// close_notify goes before.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Aborted`].
    pub fn half_close(&mut self) -> Result<(), Error> {
        self.shared.observe(&Event::HalfClosed);
        self.stream.half_close().map_err(|error| self.shared.io_error(Action::HalfClose, error))
    }

    /// Waits until the server closed, or has said nothing for this long, and says whether it closed. Another thread has
    /// to be reading; while that is busy with what it has read, the time does not count. Whatever comes meanwhile begins
    /// the time anew; a deadline of the whole session ends it.
    #[must_use]
    pub fn wait_end(&mut self, patience: Duration) -> bool {
        self.shared.wait_end(patience)
    }

    /// Returns a handle that closes the session from another thread, and ends the wait of the [`RawReader`].
    pub fn closer(&self) -> Closer {
        self.shared.closer.clone()
    }
}

impl Read for RawReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.receive(buffer).map_err(io::Error::other)
    }
}

impl Write for RawWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send(bytes).map_err(io::Error::other)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for RawReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f, "RawReader")
    }
}

impl fmt::Debug for RawWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f, "RawWriter")
    }
}
