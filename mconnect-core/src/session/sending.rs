//! Sending without reading: lines, and bytes as they are.

use std::ops::Range;

use super::Session;
use super::drive::{Blocking, Drive, ready};
use crate::error::Error;

impl Session {
    /// Sends one line and its CR LF, in one write, and reads nothing: what answers is due then. Several in a row are a
    /// pipeline by hand, whatever the server offered; nothing is refused here because of the phase, or because replies
    /// are due.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// # session.greeting()?;
    /// session.send_line("NOOP")?;
    /// session.send_line("XYZZY")?;
    /// assert_eq!(session.outstanding(), 2);
    /// assert_eq!(session.read_reply()?.code(), 250);
    /// assert_eq!(session.read_reply()?.code(), 500);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// The line may be empty, may be no UTF-8, and is not limited in length. In a [body](crate::protocol::Phase::Body)
    /// it is a line of the body, whose dots are the caller's.
    ///
    /// # Errors
    /// [`Error::LineBreak`] if the line holds CR or LF, with nothing sent; otherwise as [`send`](Self::send).
    pub fn send_line(&mut self, line: impl AsRef<[u8]>) -> Result<(), Error> {
        let line = self.writer.whole_line(line.as_ref())?;
        self.send(&line)
    }

    /// Sends exactly these bytes. What the server says meanwhile is kept, up to the size of a reply
    /// ([`Limits::reply`](crate::protocol::Limits::reply)), so that a server that does not read before it is read from
    /// blocks nothing. No line end is added, no dot doubled; that the bytes may be cut anywhere keeps the session's
    /// view of the phase right all the same.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// # session.greeting()?;
    /// // A client that ends its lines with LF alone: what does the server say?
    /// session.send(b"NO")?;
    /// session.send(b"OP\n")?;
    /// println!("{}", session.read_reply()?);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Timeout`] if nothing could be written for the time of a [`block`](crate::Timeouts::block), or at the
    /// deadline of the whole session; [`Error::Io`], also after [`half_close`](Self::half_close); [`Error::Aborted`];
    /// [`Error::Unfinished`] if an earlier call was given up on its way. How much went out is not known then; what the
    /// server said before is still there to be read, and may tell why.
    #[doc(alias = "write")]
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.send_noting(bytes).1
    }

    /// Sends bytes as [`send`](Self::send) does, and says where the secrets in them stand, too.
    pub(crate) fn send_noting(&mut self, bytes: &[u8]) -> (Vec<Range<usize>>, Result<(), Error>) {
        ready(self.send_by(&Blocking, bytes))
    }

    /// Sends bytes, keeps what the server says meanwhile, and says where the secrets in them stand.
    pub(super) async fn send_by(&mut self, drive: &impl Drive, bytes: &[u8]) -> (Vec<Range<usize>>, Result<(), Error>) {
        self.writer.send_by(drive, bytes, Some(&mut self.reader)).await
    }
}
