//! How a session ends: with QUIT, without it, and torn down.
//!
//! ```text
//!   quit ── QUIT, 221 ──┐
//!                       ▼
//!   close ──► replies that are due ──► FIN, or close_notify ──► the server's end, or 2 seconds ──► closed
//!   reset ──────────────────────────────────────────────────────────────────────────────────────► RST
//!   drop  ──► closed, with what is unread as it is
//! ```

use std::io;
use std::time::Duration;

use super::Session;
use super::drive::{Blocking, Drive, ready};
use crate::error::Error;
use crate::protocol::{Phase, Reply};
use crate::stream::Truncation;

impl Session {
    /// Sends QUIT, reads its reply, and closes as [`close`](Self::close) does
    /// ([RFC 5321, section 4.1.1.10](https://www.rfc-editor.org/rfc/rfc5321#section-4.1.1.10)). The reply is returned,
    /// whatever it is: `require(221)` makes an error of another. A server that does not close after that gets
    /// [`Timeouts::closing`](crate::Timeouts::closing) for it.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// # session.greeting()?;
    /// session.quit()?.require(221)?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`command`](Self::command), and those of [`close`](Self::close). The session is gone in any case.
    #[doc(alias = "QUIT")]
    pub fn quit(mut self) -> Result<Reply, Error> {
        ready(self.quit_by(&Blocking))
    }

    /// Ends the sending side: the server reads everything sent, and then the end of the stream; inside TLS,
    /// close_notify goes before. Replies are read as before. Sending more fails with [`Error::Io`] then; a second call
    /// does nothing.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// # session.greeting()?;
    /// session.send_line("NOOP")?;
    /// session.half_close()?;
    /// session.read_reply()?.require(250)?;
    /// assert!(session.send_line("NOOP").is_err());
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Timeout`] if close_notify could not be sent within [`Timeouts::closing`](crate::Timeouts::closing);
    /// [`Error::Io`], [`Error::Aborted`].
    #[doc(alias = "FIN")]
    #[doc(alias = "shutdown")]
    pub fn half_close(&mut self) -> Result<(), Error> {
        self.writer.half_close()
    }

    /// Ends the sending side inside TLS without its farewell.
    pub(crate) fn truncate(&mut self, how: Truncation) -> Result<(), Error> {
        self.writer.truncate(how)
    }

    /// Closes in an orderly way: reads the replies that are still due and returns them, ends the sending side, waits a
    /// moment ([`Timeouts::closing`](crate::Timeouts::closing)) for the server to do the same, and closes. Without that
    /// wait, what the server sends at last could make the system destroy what was sent to it at last.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// # session.greeting()?;
    /// session.send_line("NOOP")?;
    /// session.send_line("QUIT")?;
    /// let codes: Vec<u16> = session.close()?.iter().map(|reply| reply.code().number()).collect();
    /// assert_eq!(codes, [250, 221]);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Of the replies that are due: as [`read_reply`](Self::read_reply). The connection is closed all the same.
    #[doc(alias = "disconnect")]
    #[doc(alias = "shutdown")]
    pub fn close(mut self) -> Result<Vec<Reply>, Error> {
        ready(self.close_by(&Blocking))
    }

    /// Tears the connection down, so that the server sees a reset: after half a message, so that nobody takes it for a
    /// whole one, or to see what a server makes of it. Nothing is waited for. A [`Closer`](crate::Closer) shuts the
    /// connection down instead, which the server sees as its end.
    ///
    /// ```
    /// # #[cfg(unix)] {
    /// use std::io::{ErrorKind, Read as _};
    /// use std::net::{TcpListener, TcpStream};
    ///
    /// use mconnect_core::Session;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let session = Session::from_stream(TcpStream::connect(listener.local_addr()?)?, "a server in a test");
    /// let (mut server, _) = listener.accept()?;
    /// session.reset()?;
    /// assert_eq!(server.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Unsupported`](io::ErrorKind::Unsupported) if the stream is none that can be reset: a [`Pair`](crate::Pair),
    /// say. It is closed all the same.
    #[doc(alias = "RST")]
    #[doc(alias = "abort")]
    pub fn reset(self) -> io::Result<()> {
        #[cfg(unix)]
        let fd = self.as_fd();
        #[cfg(not(unix))]
        let fd = None::<&std::net::TcpStream>;
        let Some(fd) = fd else { return Err(io::ErrorKind::Unsupported.into()) };
        // Closing the last handle with a linger of zero makes the system send a reset.
        socket2::SockRef::from(&fd).set_linger(Some(Duration::ZERO))
    }

    pub(super) async fn quit_by(&mut self, drive: &impl Drive) -> Result<Reply, Error> {
        let reply = self.command_by(drive, b"QUIT").await?;
        self.close_by(drive).await?;
        Ok(reply)
    }

    /// Reads what is due, and then ends both directions, the own one first.
    pub(super) async fn close_by(&mut self, drive: &impl Drive) -> Result<Vec<Reply>, Error> {
        let mut replies = Vec::new();
        while self.outstanding() > 0 && self.phase() != Phase::Closed {
            replies.push(self.read_reply_by(drive).await?);
        }
        // Unread data at closing would make the system send a reset, which can destroy our last bytes on their way.
        if self.writer.half_close_by(drive).await.is_ok() {
            let grace = self.shared().within(self.shared().timeouts.closing);
            let is_left = || grace.left().is_none_or(|left| !left.is_zero());
            while is_left() && matches!(self.reader.read_line_by(drive, Some(grace)).await, Ok(Some(_))) {}
        }
        Ok(replies)
    }
}
