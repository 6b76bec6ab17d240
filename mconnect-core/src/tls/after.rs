//! What comes after TLS has ended on a connection that goes on.
//!
//! That is for tests alone: one end says close_notify and goes on in the clear, and the other has to cope.

use std::io;
#[cfg(unix)]
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::received::Received;
use crate::stream::Stream;

/// The stream below TLS, once TLS has ended. Records that still come, such as the other end's farewell, are left out;
/// what had come behind them is handed out first.
pub(super) struct AfterTls {
    under: Arc<dyn Stream>,
    received: Mutex<Received>,
}

impl AfterTls {
    pub fn new(under: Arc<dyn Stream>, received: Received) -> Self {
        Self { under, received: Mutex::new(received) }
    }

    /// Takes the lock of what was received.
    fn received(&self) -> MutexGuard<'_, Received> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream for AfterTls {
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut received = self.received();
        let count = received.take_plain(buffer);
        if count > 0 {
            return Ok(count);
        }
        if received.is_plain() {
            drop(received);
            return self.under.read(buffer);
        }
        let mut theirs = std::mem::take(&mut *received);
        drop(received);
        let filled = theirs.fill(&*self.under);
        let count = theirs.take_plain(buffer);
        *self.received() = theirs;
        match (filled?, count) {
            // Nothing but records: who waits for either this or something else can look.
            (1.., 0) => Err(io::ErrorKind::Interrupted.into()),
            _ => Ok(count),
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        self.under.write(bytes)
    }

    fn set_read_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.under.set_read_timeout(timeout)
    }

    fn set_write_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        self.under.set_write_timeout(timeout)
    }

    fn half_close(&self) -> io::Result<()> {
        self.under.half_close()
    }

    fn shutdown(&self) -> io::Result<()> {
        self.under.shutdown()
    }

    fn has_received(&self) -> bool {
        !self.received().plain().is_empty()
    }

    #[cfg(unix)]
    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        self.under.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::stream::Pair;

    /// Returns the bytes in pieces of this size.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let size = self.1.min(self.0.len());
            let count = (&self.0[..size]).read(buffer)?;
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    #[test]
    fn what_follows_the_records_is_clear_text_wherever_it_is_cut() {
        let wire =
            b"\x17\x03\x03\x00\x03abc\x15\x03\x03\x00\x00\x15\x03\x03\x00\x02xy250 clear\r\n\x17 is no record\r\n";
        for size in 1..=wire.len() {
            let after = AfterTls::new(Arc::new(Pair::new(Pieces(wire, size), io::sink())), Received::default());
            let (mut text, mut buffer) = (Vec::new(), [0; 7]);
            loop {
                match after.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => text.extend_from_slice(&buffer[..count]),
                    Err(error) => assert_eq!(error.kind(), io::ErrorKind::Interrupted),
                }
            }
            assert_eq!(text, b"250 clear\r\n\x17 is no record\r\n", "{size}");
        }
    }
}
