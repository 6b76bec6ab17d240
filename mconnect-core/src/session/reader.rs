//! The reading half.
//!
//! ```text
//!   Stream::read ──► LineBuffer ──► ReplyLine ──► Shared::received (the observer, the tracker) ──► read_line
//!      fill          cut anywhere                                     └──► ReplyBuilder ──► read_reply
//! ```

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Writer;
use super::deadline::Deadline;
use super::drive::{Blocking, Drive, ready};
use super::shared::Shared;
use crate::closer::Closer;
use crate::error::{Action, Error};
use crate::observer::Event;
use crate::protocol::{LineBuffer, Reply, ReplyBuilder, ReplyLine, Standing};
use crate::stream::{LEAST_TIMEOUT, Stream, Truncation, is_nothing_yet};

/// The half of a session that reads, of a [`Session::split`](super::Session::split). By itself it waits without a
/// deadline: [`Writer::wait`] keeps the deadline for both halves, and a [`Closer`] ends any wait.
///
/// ```text
///   thread 1                          thread 2
///   Reader::read_line ◄── network     Writer::send_line ──► network
///          │                                  │
///          └── follows the line ──►  phase,   └── wait: until no reply is due
///                                replies due ◄────────┘
/// ```
///
/// A thread that only reads sees the end by `None`, or by [`Error::Closed`] if it reads whole replies; it is the one
/// that has to go on reading, so that the writing half can wait:
///
/// ```
/// # #[cfg(feature = "server")] {
/// # let server = mconnect_core::server::Server::start()?;
/// use std::sync::mpsc;
///
/// use mconnect_core::Connect;
///
/// let (mut reader, mut writer) = Connect::new("127.0.0.1", server.port()).open()?.split();
/// let (said, replies) = mpsc::channel();
/// let listening = std::thread::spawn(move || {
///     while let Ok(reply) = reader.read_reply() {
///         let _ = said.send(reply);
///     }
/// });
/// writer.wait()?;
/// writer.send_line("QUIT")?;
/// listening.join().unwrap();
/// let codes: Vec<u16> = replies.iter().map(|reply| reply.code().number()).collect();
/// assert_eq!(codes, [220, 221]);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Reader {
    shared: Arc<Shared>,
    stream: Arc<dyn Stream>,
    lines: LineBuffer,
    reply: ReplyBuilder,
    /// The read timeout that the stream has.
    timeout: Option<Duration>,
    end: End,
    /// The deadline after which one more look was taken.
    overtime: Option<Instant>,
}

/// Whether more can be received. A failure is kept until all that came before it has been handed out, and is told once:
/// after that, it is that nothing is connected.
enum End {
    Open,
    Closed,
    Failed(Option<Error>),
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>, stream: Arc<dyn Stream>) -> Self {
        let (lines, reply) = (LineBuffer::new(shared.limits.line), ReplyBuilder::new(shared.limits));
        Self { shared, stream, lines, reply, timeout: None, end: End::Open, overtime: None }
    }

    /// Reads the next line, or a piece of one longer than the limit, or at the end of the stream what is left of an
    /// unfinished one; `None` after that. It waits until there is one, however long that takes.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Aborted`], after everything that was received has been handed out.
    pub fn read_line(&mut self) -> Result<Option<ReplyLine<'_>>, Error> {
        ready(self.read_line_by(&Blocking, None))
    }

    /// Reads the next reply, whole. What it answers is in it ([`Reply::request`]). It waits until that has come,
    /// however long that takes.
    ///
    /// # Errors
    /// [`Error::Closed`] at the end, with what came of the reply; [`Error::Limit`], [`Error::OtherProtocol`],
    /// [`Error::Io`], [`Error::Aborted`].
    pub fn read_reply(&mut self) -> Result<Reply, Error> {
        ready(self.read_reply_by(&Blocking, None))
    }

    /// Says whether the next line can be had without waiting, from what was received already. The end is none: see
    /// [`is_ready`](Self::is_ready).
    #[must_use]
    pub fn has_line(&mut self) -> bool {
        self.lines.has_line()
    }

    /// Waits until something was received, whether or not a line ends with it, or the end came. Nothing is followed
    /// before [`read_line`](Self::read_line): who calls that under a lock of their own, while it
    /// [is ready](Self::is_ready), sees the session and what they have read of it go together. A failure is kept, and
    /// is told by `read_line`.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// use std::sync::Mutex;
    ///
    /// use mconnect_core::Connect;
    ///
    /// let (mut reader, _writer) = Connect::new("127.0.0.1", server.port()).open()?.split();
    /// let screen = Mutex::new(Vec::new());
    /// while !reader.is_ready() {
    ///     reader.receive();
    /// }
    /// let mut lines = screen.lock().unwrap();
    /// while reader.has_line() {
    ///     lines.extend(reader.read_line()?.map(|line| line.to_string()));
    /// }
    /// assert!(lines[0].starts_with("220 "));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn receive(&mut self) {
        if matches!(self.end, End::Open) {
            // A failure is kept, and told by read_line.
            let _ = ready(self.fill(&Blocking, None));
        }
    }

    /// Returns what was received and not read yet: what came of a line that has not ended.
    pub fn buffered(&self) -> &[u8] {
        self.lines.buffered()
    }

    /// Returns what was received and not handed out: of a reply that is half read, its lines, too.
    pub(super) fn partial(&self) -> Vec<u8> {
        [self.reply.partial(), self.lines.buffered()].concat()
    }

    /// Says where the session stands, for both halves.
    pub fn standing(&self) -> Standing {
        self.shared.state().standing()
    }

    /// Returns a handle that closes the session from another thread, and ends the wait of either half.
    pub fn closer(&self) -> Closer {
        self.shared.closer.clone()
    }

    /// Reads once, whether or not a line ends with that. After the end it does nothing.
    pub(super) async fn receive_by(&mut self, drive: &impl Drive, deadline: Deadline) -> Result<(), Error> {
        match self.end {
            End::Open => self.fill_or_be_interrupted(drive, Some(deadline)).await.map(drop),
            End::Closed | End::Failed(_) => Ok(()),
        }
    }

    /// Says whether [`read_line`](Self::read_line) returns at once, with a line or with the end. It takes what TLS has
    /// decrypted already, and does not ask the network.
    #[must_use]
    pub fn is_ready(&mut self) -> bool {
        while !self.lines.has_line() && matches!(self.end, End::Open) && self.stream.has_received() {
            if ready(self.fill(&Blocking, Some(Deadline::after(LEAST_TIMEOUT)))).is_err() {
                break;
            }
        }
        self.lines.has_line() || !matches!(self.end, End::Open)
    }

    /// Takes what has arrived, without waiting, and says whether a line, or the end, is there.
    pub(super) async fn has_arrived(&mut self, drive: &impl Drive) -> bool {
        while !self.is_ready() {
            match drive.is_readable(&*self.stream) {
                Ok(true) => {
                    if self.fill_or_be_interrupted(drive, Some(Deadline::after(LEAST_TIMEOUT))).await.is_err() {
                        break;
                    }
                }
                Ok(false) => break,
                Err(error) => self.end_with(Some(error)),
            }
        }
        self.is_ready()
    }

    /// Hands out a line, and has it followed by then: an unfinished one at the end of the stream, too.
    pub(super) async fn read_line_by(
        &mut self,
        drive: &impl Drive,
        deadline: Option<Deadline>,
    ) -> Result<Option<ReplyLine<'_>>, Error> {
        if !self.await_line(drive, deadline).await? {
            return Ok(None);
        }
        let line = self.lines.finish();
        if let Some(line) = line {
            self.shared.received(line);
        }
        Ok(line)
    }

    /// Reads lines until a reply ends with one. A deadline that passes between leaves those before in the builder.
    pub(super) async fn read_reply_by(
        &mut self,
        drive: &impl Drive,
        deadline: Option<Deadline>,
    ) -> Result<Reply, Error> {
        loop {
            if let Some(reply) = self.read_reply_line(drive, deadline).await? {
                return Ok(reply);
            }
        }
    }

    /// Reads what has arrived of a reply, without waiting, and returns it if it is whole; a later call goes on with it.
    pub(super) async fn read_arrived(&mut self, drive: &impl Drive) -> Result<Option<Reply>, Error> {
        while self.has_arrived(drive).await {
            if let Some(reply) = self.read_reply_line(drive, None).await? {
                return Ok(Some(reply));
            }
        }
        Ok(None)
    }

    /// Reads a line of a reply, and returns that if it ends with it.
    async fn read_reply_line(
        &mut self,
        drive: &impl Drive,
        deadline: Option<Deadline>,
    ) -> Result<Option<Reply>, Error> {
        let line = if self.await_line(drive, deadline).await? { self.lines.finish() } else { None };
        let Some(line) = line else {
            let context = self.shared.context(Action::ReadReply);
            return Err(Error::Closed { context, partial: self.reply.take_partial() });
        };
        let request = self.shared.received(line);
        match self.reply.push(line) {
            Ok(None) => self.shared.other_protocol(|| self.reply.take_partial()).map_or(Ok(None), Err),
            Ok(reply) => Ok(reply.map(|reply| reply.in_answer_to(request, Arc::clone(&self.shared.peer_name)))),
            Err(source) => {
                let context = self.shared.context(Action::ReadReply);
                Err(Error::Limit { context, partial: self.reply.take_partial(), source })
            }
        }
    }

    /// Reads until a line, or the unfinished last one, is there, and says whether it is; otherwise the server closed.
    async fn await_line(&mut self, drive: &impl Drive, deadline: Option<Deadline>) -> Result<bool, Error> {
        while !self.lines.has_line() && matches!(self.end, End::Open) {
            self.fill(drive, deadline).await?;
        }
        match &mut self.end {
            End::Open => Ok(true),
            _ if !self.lines.buffered().is_empty() => Ok(true),
            End::Closed => Ok(false),
            End::Failed(error) => Err(error.take().unwrap_or_else(|| self.gone())),
        }
    }

    /// Keeps what the server has said while it does not read, if there is something and room for it.
    pub(super) async fn absorb(&mut self, drive: &impl Drive) {
        while self.has_room() {
            if self.fill(drive, Some(Deadline::after(Duration::ZERO))).await.is_err() {
                break;
            }
        }
    }

    /// Says whether more may be received before what there is has been read.
    pub(super) fn has_room(&self) -> bool {
        matches!(self.end, End::Open) && self.lines.buffered().len() < self.shared.limits.reply
    }

    #[cfg(unix)]
    pub(super) fn as_fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
        self.stream.as_fd()
    }

    /// Says whether the two halves are of one session.
    pub(super) fn is_of(&self, writer: &Writer) -> bool {
        std::ptr::eq(&raw const *self.shared, writer.shared())
    }

    /// Takes the half apart; what was received and not handed out goes with it, in the order in which it came.
    pub(super) fn into_parts(self) -> (Arc<Shared>, Arc<dyn Stream>, Vec<u8>) {
        let received = self.partial();
        (self.shared, self.stream, received)
    }

    /// The error of a connection that has failed before, or was closed from this side.
    fn gone(&self) -> Error {
        self.shared.io_error(Action::Read, io::ErrorKind::NotConnected.into())
    }

    /// Reads once. A failure that is not the deadline's ends the stream, and is kept until all that was received has been
    /// handed out.
    async fn fill(&mut self, drive: &impl Drive, deadline: Option<Deadline>) -> Result<(), Error> {
        while self.fill_or_be_interrupted(drive, deadline).await?.is_none() {}
        Ok(())
    }

    /// Does the same, once; `None` if the read was interrupted, or brought only what TLS keeps to itself.
    async fn fill_or_be_interrupted(
        &mut self,
        drive: &impl Drive,
        deadline: Option<Deadline>,
    ) -> Result<Option<()>, Error> {
        loop {
            let mut left = deadline.and_then(Deadline::left);
            if let (Some(Duration::ZERO), Some(deadline)) = (left, deadline) {
                // After a stop of the process, what was awaited may be here: one look is taken, and no more.
                if self.overtime == deadline.at {
                    return Err(self.shared.late(Action::ReadReply, deadline, self.partial()));
                }
                self.overtime = deadline.at;
                left = Some(LEAST_TIMEOUT);
            }
            self.set_timeout(left);
            let error = match self.stream.read(self.lines.space()) {
                Ok(0) => {
                    self.end_with(None);
                    return Ok(Some(()));
                }
                Ok(count) => {
                    self.lines.filled(count);
                    self.shared.heard();
                    return Ok(Some(()));
                }
                Err(error) => error,
            };
            let is_nothing_yet = is_nothing_yet(&error);
            self.lines.release();
            if is_nothing_yet
                && (drive.readable(deadline.and_then(|deadline| deadline.at)).await || self.timeout.is_some())
            {
                continue;
            }
            if error.kind() == io::ErrorKind::Interrupted {
                return Ok(None);
            }
            self.end_with(Some(error));
            return Ok(Some(()));
        }
    }

    /// Keeps how the stream ended. An end without an error, and one without TLS's farewell, is what is left of a
    /// connection whose own error a write was told of.
    fn end_with(&mut self, error: Option<io::Error>) {
        let how = error.as_ref().and_then(Truncation::of);
        let error = if error.is_none() || how.is_some() { self.shared.take_lost().or(error) } else { error };
        if let Some(how) = error.as_ref().and_then(Truncation::of).filter(|_| !self.shared.closer.is_closed()) {
            self.shared.observe(&Event::Truncated(how));
        }
        self.end = match error {
            Some(error) => End::Failed(Some(self.shared.io_error(Action::Read, error))),
            None if self.shared.closer.is_closed() => End::Failed(Some(self.gone())),
            None => End::Closed,
        };
        self.shared.ended();
    }

    /// Leaves the stream the time left, unless the one that it has serves as well: about as much.
    fn set_timeout(&mut self, left: Option<Duration>) {
        let serves = match (self.timeout, left) {
            (None, None) => true,
            (Some(set), Some(left)) => set <= left + left / 64 && set + set / 8 >= left,
            _ => false,
        };
        if !serves && self.stream.set_read_timeout(left).is_ok() {
            self.timeout = left;
        }
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f, "Reader")
    }
}
