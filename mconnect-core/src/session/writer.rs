//! The writing half.
//!
//! ```text
//!   send ──► Shared::sent (the tracker, the observer) ──► marked unfinished ──► Stream::write ──► the mark is taken away
//!                                                             │ it takes longer than 50 ms, or would block
//!                                                             └─► the reading half keeps what the server says meanwhile
//! ```
//! Only a [`Session`](super::Session), which has both halves, listens while it writes: in a split one another thread
//! reads.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut, Range};
use std::sync::Arc;
use std::time::Duration;

use super::Reader;
use super::drive::{Blocking, Drive, ready};
use super::shared::Shared;
use crate::closer::Closer;
use crate::error::{Action, Error, Peer};
use crate::observer::Event;
use crate::protocol::{Extensions, Phase, Request, Standing, scan, wipe};
use crate::stream::{ChannelBindings, LEAST_TIMEOUT, Stream, Truncation, is_nothing_yet};

/// The half of a session that writes, and that keeps the deadlines while another thread reads: of a
/// [`Session::split`](super::Session::split), which has an example.
///
/// Nothing here waits for a reply but [`wait`](Self::wait); what one asks for between two of them goes out as a group.
/// The halves share what is known of the session, so that either says the same of [`standing`](Self::standing).
pub struct Writer {
    shared: Arc<Shared>,
    stream: Arc<dyn Stream>,
    /// The write timeout that the stream has.
    timeout: Option<Duration>,
    is_half_closed: bool,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, stream: Arc<dyn Stream>) -> Self {
        Self { shared, stream, timeout: None, is_half_closed: false }
    }

    /// Sends one line and its CR LF, in one write.
    ///
    /// # Errors
    /// [`Error::LineBreak`] if the line holds CR or LF, with nothing sent; otherwise as [`send`](Self::send).
    pub fn send_line(&mut self, line: impl AsRef<[u8]>) -> Result<(), Error> {
        let line = self.whole_line(line.as_ref())?;
        self.send(&line)
    }

    /// Sends exactly these bytes. The reading half has to go on reading meanwhile: a server may stop reading until its
    /// replies are read.
    ///
    /// # Errors
    /// [`Error::Timeout`] if nothing could be written for the time of a [`block`](crate::Timeouts::block);
    /// [`Error::Io`], [`Error::Aborted`]. What the server said before is still there for the reading half, and may tell
    /// why.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        ready(self.send_by(&Blocking, bytes, None)).1
    }

    /// Waits until no reply is due, or the server closed, and returns the phase then. Another thread has to be reading.
    /// Each reply has the time of its own stage, counted from when it became the one due next.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// use mconnect_core::Connect;
    /// use mconnect_core::protocol::Phase;
    ///
    /// let (mut reader, mut writer) = Connect::new("127.0.0.1", server.port()).open()?.split();
    /// let listening = std::thread::spawn(move || while let Ok(Some(_line)) = reader.read_line() {});
    /// assert_eq!(writer.wait()?, Phase::Command);
    /// writer.send_line("NOOP")?;
    /// writer.send_line("QUIT")?;
    /// writer.wait()?;
    /// assert!(writer.standing().has_quit);
    /// listening.join().unwrap();
    /// assert_eq!(writer.standing().phase, Phase::Closed);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Timeout`] at the deadline of a reply. The connection is closed then: a late reply must not be taken for
    /// another's.
    pub fn wait(&mut self) -> Result<Phase, Error> {
        loop {
            let due = self.shared.state().outstanding();
            let deadline = self.shared.deadline();
            let state = self.shared.wait_until(deadline, |state| state.outstanding() < due || state.outstanding() == 0);
            if state.outstanding() == 0 || state.phase() == Phase::Closed {
                return Ok(state.phase());
            }
            if state.outstanding() < due {
                continue;
            }
            drop(state);
            let late = self.shared.late(Action::ReadReply, deadline, Vec::new());
            self.shared.closer.close();
            return Err(late);
        }
    }

    /// Waits until the server closed, or has said nothing for this long, and says whether it closed. Another thread has
    /// to be reading. Whatever comes meanwhile begins the time anew; a deadline of the whole session ends it. For after
    /// [`half_close`](Self::half_close) or QUIT.
    #[must_use]
    pub fn wait_end(&mut self, patience: Duration) -> bool {
        self.shared.wait_end(patience)
    }

    /// Ends the sending side: the server reads everything sent, and then the end of the stream; inside TLS,
    /// close_notify goes before, within [`Timeouts::closing`](crate::Timeouts::closing). Sending more is an
    /// [`Error::Io`] then; a second call does nothing.
    ///
    /// # Errors
    /// [`Error::Timeout`] if close_notify could not be sent in that time; [`Error::Io`], [`Error::Aborted`].
    pub fn half_close(&mut self) -> Result<(), Error> {
        ready(self.half_close_by(&Blocking))
    }

    /// Inside TLS there is a farewell to be sent before, which may have to wait for room; at most as long as closing
    /// may take.
    pub(super) async fn half_close_by(&mut self, drive: &impl Drive) -> Result<(), Error> {
        let patience = self.shared.within(self.shared.timeouts.closing);
        while !self.is_half_closed {
            let left = patience.left().unwrap_or(patience.after).max(LEAST_TIMEOUT);
            // A session that has sent something has a shorter one, and tries again.
            if self.timeout.is_none_or(|timeout| timeout > left) {
                self.set_timeout(left);
            }
            match self.stream.half_close() {
                Ok(()) => {
                    self.is_half_closed = true;
                    self.shared.observe(&Event::HalfClosed);
                }
                Err(error) if is_nothing_yet(&error) => {
                    if !drive.writable(false, patience.at).await && patience.left() == Some(Duration::ZERO) {
                        return Err(self.shared.late(Action::HalfClose, patience, Vec::new()));
                    }
                }
                Err(error) => return Err(self.shared.io_error(Action::HalfClose, error)),
            }
        }
        Ok(())
    }

    /// Ends the sending side inside TLS without its farewell: for tests of those who read.
    pub(super) fn truncate(&mut self, how: Truncation) -> Result<(), Error> {
        self.stream.truncate(how).map_err(|error| self.shared.io_error(Action::HalfClose, error))?;
        self.is_half_closed = true;
        Ok(())
    }

    /// Stops expecting a reply to an empty line, if that is what is due next: some servers give none.
    pub fn forgo_empty_line(&self) {
        self.shared.forgo_empty_line();
    }

    /// Says where the session stands, all of one moment.
    pub fn standing(&self) -> Standing {
        self.shared.state().standing()
    }

    /// Says whether a reply is due, not only as the next one, to a request of such a kind.
    #[must_use]
    pub fn owes(&self, is_it: impl Fn(Request) -> bool) -> bool {
        self.shared.state().owes(is_it)
    }

    /// Returns what the server advertised in its last positive reply to EHLO or LHLO: a copy. `None` before that, and
    /// after TLS has started.
    pub fn extensions(&self) -> Option<Extensions> {
        self.shared.state().extensions().cloned()
    }

    /// Returns what an authentication can be bound to here: something inside TLS only.
    pub fn channel_bindings(&self) -> ChannelBindings {
        self.stream.channel_bindings()
    }

    /// Returns the address of this end, if it has one, as [`Session::local_address`](super::Session::local_address)
    /// does.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.shared.local
    }

    /// Returns the time that the reply due next may take, as [`Session::reply_timeout`](super::Session::reply_timeout)
    /// does.
    pub fn reply_timeout(&self) -> Duration {
        self.shared.deadline().reply_timeout()
    }

    /// Returns the other end.
    pub fn peer(&self) -> &Peer {
        &self.shared.peer
    }

    /// Returns a handle that closes the session from another thread, and ends the wait of either half.
    pub fn closer(&self) -> Closer {
        self.shared.closer.clone()
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    pub(super) fn share(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }

    /// Returns an error if a line would be two: a command that somebody has put into an address, say.
    pub(super) fn require_one_line(&self, line: &[u8]) -> Result<(), Error> {
        match [b'\r', b'\n'].into_iter().any(|end| scan::find(end, line).is_some()) {
            false => Ok(()),
            true => Err(Error::LineBreak { context: self.shared.context(Action::Write) }),
        }
    }

    /// Returns a line as it is sent. It may be a secret, and is wiped when it has served.
    pub(super) fn whole_line(&self, line: &[u8]) -> Result<Wiped, Error> {
        self.require_one_line(line)?;
        Ok(Wiped([line, b"\r\n"].concat()))
    }

    /// Sends exactly these bytes; whenever that takes a moment, `listening` keeps what the server says meanwhile. Says
    /// where the secrets in them stand, too.
    pub(super) async fn send_by(
        &mut self,
        drive: &impl Drive,
        bytes: &[u8],
        listening: Option<&mut Reader>,
    ) -> (Vec<Range<usize>>, Result<(), Error>) {
        if self.is_half_closed {
            return (Vec::new(), Err(self.shared.io_error(Action::Write, io::ErrorKind::BrokenPipe.into())));
        }
        let is_whole = self.shared.require_whole();
        if is_whole.is_err() || bytes.is_empty() {
            return (Vec::new(), is_whole);
        }
        let phase = self.shared.state().phase();
        // Recorded before the write: the reply can be here as soon as the bytes are out.
        // Whoever drops this future before its end leaves the mark behind.
        let secrets = self.shared.sent(bytes);
        let written = self.write(drive, bytes, listening).await;
        self.shared.finished();
        (secrets, written.map_err(|error| error.in_phase(phase)))
    }

    /// Writes all of it. The deadline moves on with each octet that goes out; a call of the stream that only waited has
    /// not moved it.
    async fn write(
        &mut self,
        drive: &impl Drive,
        mut bytes: &[u8],
        mut listening: Option<&mut Reader>,
    ) -> Result<(), Error> {
        let block = self.shared.timeouts.block.max(LEAST_TIMEOUT);
        let mut deadline = self.shared.within(block);
        let patience = deadline.left().unwrap_or(block).max(LEAST_TIMEOUT);
        self.set_timeout(if listening.is_some() { patience.min(STALL) } else { patience });
        while !bytes.is_empty() {
            match self.stream.write(bytes) {
                Ok(0) => return Err(self.shared.io_error(Action::Write, io::ErrorKind::WriteZero.into())),
                Ok(count) => {
                    bytes = &bytes[count..];
                    if !bytes.is_empty() {
                        deadline = self.shared.within(block);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_nothing_yet(&error) => {
                    if deadline.left().is_some_and(|left| left.is_zero()) {
                        return Err(self.shared.late(Action::Write, deadline, Vec::new()));
                    }
                    if let Some(reader) = listening.as_mut() {
                        reader.absorb(drive).await;
                    }
                    drive.writable(listening.as_ref().is_some_and(|reader| reader.has_room()), deadline.at).await;
                }
                Err(error) => return Err(self.shared.io_error(Action::Write, error)),
            }
        }
        Ok(())
    }

    /// Takes the half apart, for another stream or for none.
    pub(super) fn into_parts(self) -> (Arc<Shared>, Arc<dyn Stream>) {
        (self.shared, self.stream)
    }

    /// Gives the stream a write timeout, unless it has that: a system call for each line would be one too many.
    fn set_timeout(&mut self, timeout: Duration) {
        if self.timeout != Some(timeout) && self.stream.set_write_timeout(Some(timeout)).is_ok() {
            self.timeout = Some(timeout);
        }
    }
}

/// What is to be sent, and overwritten once it has served: it may be a secret.
pub(super) struct Wiped(pub Vec<u8>);

impl Deref for Wiped {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Wiped {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f, "Writer")
    }
}

/// A write that takes longer than this lets the session look whether the server has something to say.
const STALL: Duration = Duration::from_millis(50);
