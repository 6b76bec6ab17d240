//! Reading without sending: lines, what has arrived of one, and how long there is for it.
//!
//! ```text
//!   network ──► receive: once, whatever came ──► buffered ──► is_ready? ──► read_line, read_reply
//! ```

use std::time::Duration;

use super::Session;
use super::deadline::Deadline;
use super::drive::{Blocking, Drive, ready};
use crate::error::{Action, Error};
use crate::protocol::ReplyLine;

impl Session {
    /// Reads the next line, or a piece of one longer than the limit ([`Limits::line`](crate::protocol::Limits::line));
    /// `None` after the server closed. A line is shown as it came, whether or not it can be one of a reply; a last one
    /// without its end comes before the `None`. The whole line has the time of the reply due next, and if none is due
    /// that of a [`command`](crate::Timeouts::command).
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// session.send_line("HELP")?;
    /// while session.outstanding() > 0 {
    ///     let line = session.read_line()?.ok_or("the server closed")?;
    ///     println!("{line}");
    /// }
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// A line is borrowed from the session until it is used next: a copy is [`raw`](ReplyLine::raw)`().to_vec()`. Lines
    /// that are read so are followed as those of replies are; they are not in a [`Reply`](crate::protocol::Reply) that
    /// is read later.
    ///
    /// # Errors
    /// [`Error::Timeout`], after which a later call goes on with the same line; [`Error::Io`] and [`Error::Aborted`],
    /// after everything that was received has been handed out; [`Error::Unfinished`] if a send was given up on its way.
    /// The limits of a reply do not count here, and the end is no error.
    #[doc(alias = "recv")]
    pub fn read_line(&mut self) -> Result<Option<ReplyLine<'_>>, Error> {
        ready(self.read_line_by(&Blocking))
    }

    /// Reads the next line as [`read_line`](Self::read_line) does, in this time.
    pub(crate) fn read_line_within(&mut self, patience: Duration) -> Result<Option<ReplyLine<'_>>, Error> {
        let deadline = self.shared().within(patience);
        ready(self.reader.read_line_by(&Blocking, Some(deadline)))
    }

    /// Returns what was received and not read yet: what came of an unfinished line, when a deadline has passed. Of a
    /// reply that is half read it has what came after its last whole line.
    pub fn buffered(&self) -> &[u8] {
        self.reader.buffered()
    }

    /// Waits until something was received, or the server closed, at most this long; whether or not a line ends with it,
    /// and even if it was something that TLS keeps to itself. One read of the stream is all that it does, and after the
    /// end it does nothing. Together with [`is_ready`](Self::is_ready), this lets one thread serve a session and
    /// something else: it reads lines as long as the session is ready, does the other thing, and waits again. On Unix,
    /// `as_fd` has the descriptor for a `poll` of both.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use std::time::Duration;
    ///
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// while session.outstanding() > 0 {
    ///     session.receive(Duration::from_secs(5))?;
    ///     while session.is_ready() {
    ///         let Some(line) = session.read_line()? else { break };
    ///         println!("{line}");
    ///     }
    /// }
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Timeout`], whose `partial` has what came of a line; it may be called again. Other failures are kept,
    /// make the session [ready](Self::is_ready), and are what [`read_line`](Self::read_line) returns after the last
    /// line.
    #[doc(alias = "poll")]
    #[doc(alias = "wait")]
    pub fn receive(&mut self, patience: Duration) -> Result<(), Error> {
        let deadline = self.shared().within(patience);
        ready(self.reader.receive_by(&Blocking, deadline))
    }

    /// Says whether [`read_line`](Self::read_line) returns at once, be it with the end or with an error. It takes what
    /// TLS has decrypted already, and does not ask the network: for that there is [`receive`](Self::receive).
    #[must_use]
    pub fn is_ready(&mut self) -> bool {
        self.reader.is_ready()
    }

    /// Takes what has arrived, without waiting, and says whether [`read_line`](Self::read_line) returns at once then. Before a
    /// command goes out, this tells what the server has said meanwhile.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// session.greeting()?;
    /// assert!(!session.has_arrived(), "nothing was asked for");
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn has_arrived(&mut self) -> bool {
        ready(self.reader.has_arrived(&Blocking))
    }

    /// Returns the time that the reply due next may take: that of its stage in [`Timeouts`](crate::Timeouts), or what
    /// is left until the deadline of the whole session, if that comes first. Where no reply is due, it is the time of a
    /// [`command`](crate::Timeouts::command).
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// use std::time::Duration;
    ///
    /// use mconnect_core::{Connect, Timeouts};
    ///
    /// let timeouts = Timeouts::default().greeting(Duration::from_secs(7)).command(Duration::from_secs(8));
    /// let mut session = Connect::new("127.0.0.1", server.port()).timeouts(timeouts).open()?;
    /// assert_eq!(session.reply_timeout(), Duration::from_secs(7));
    /// session.greeting()?;
    /// assert_eq!(session.reply_timeout(), Duration::from_secs(8));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reply_timeout(&self) -> Duration {
        self.shared().deadline().reply_timeout()
    }

    /// Makes the error of the reply due next that did not come in this time: for whoever waits by
    /// [`receive`](Self::receive) or by a `poll`, and wants the same [`Error::Timeout`] as everybody else. The session
    /// is left as it is.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # use std::time::Duration;
    /// # let server = mconnect_core::server::Server::play("S: 220 hi\nC: NOOP\nC: *close*")?;
    /// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// # session.greeting()?;
    /// session.send_line("NOOP")?;
    /// let error = session.overdue(Duration::from_secs(3));
    /// assert!(error.to_string().starts_with("no reply to NOOP from 127.0.0.1:"));
    /// assert!(error.to_string().ends_with("(command phase): timed out after 3 s"));
    /// # drop(session);
    /// # server.join()?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn overdue(&self, after: Duration) -> Error {
        self.shared().late(Action::ReadReply, Deadline::after(after), self.buffered().to_vec())
    }

    /// Makes the error of a server that greeted in another protocol than SMTP, if it did: for whoever reads lines, since the
    /// greeting will not come.
    pub fn other_protocol(&self) -> Option<Error> {
        self.shared().other_protocol(Vec::new)
    }

    /// Reads a line in the time of the reply due next.
    pub(super) async fn read_line_by(&mut self, drive: &impl Drive) -> Result<Option<ReplyLine<'_>>, Error> {
        self.shared().require_whole()?;
        let deadline = self.shared().deadline();
        self.reader.read_line_by(drive, Some(deadline)).await
    }
}
