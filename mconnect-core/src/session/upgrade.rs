//! Going on over another stream: into TLS, and out of it.
//!
//! ```text
//!   Session ── begin_upgrade ──► Upgrade: the stream alone ── wrap ──► finish ──► Session over what wrap made
//!                 │ something stands against it                          │ wrap failed
//!                 └────────────► closed, with the error ◄────────────────┘
//! ```
//! The way is one: a session that is being upgraded exists no more, and so nothing can go out in the clear by mistake.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::Session;
use super::deadline::Deadline;
use super::shared::Shared;
use crate::error::{Action, Error};
use crate::protocol::Phase;
use crate::stream::{LEAST_TIMEOUT, Stream, is_nothing_yet};

impl Session {
    /// Goes on over another stream, which `wrap` makes of this one: anybody's TLS, after the 220 to STARTTLS or before
    /// anything else. What the server said before is forgotten ([`extensions`](Self::extensions) too), and a greeting
    /// that is due stays so. `wrap` keeps its own deadline, best that of [`reply_timeout`](Self::reply_timeout), and
    /// may return something besides the stream. With the feature `tls`, `upgrade` does this with rustls.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// use std::sync::Arc;
    ///
    /// use mconnect_core::{Connect, Stream};
    ///
    /// /// Stands in for somebody's TLS: here, what is read and written is left as it is.
    /// struct Wrapped(Arc<dyn Stream>);
    ///
    /// impl Stream for Wrapped {
    ///     fn read(&self, buffer: &mut [u8]) -> std::io::Result<usize> {
    ///         self.0.read(buffer)
    ///     }
    ///     fn write(&self, bytes: &[u8]) -> std::io::Result<usize> {
    ///         self.0.write(bytes)
    ///     }
    ///     // The others likewise.
    /// #     fn set_read_timeout(&self, timeout: Option<std::time::Duration>) -> std::io::Result<()> {
    /// #         self.0.set_read_timeout(timeout)
    /// #     }
    /// #     fn set_write_timeout(&self, timeout: Option<std::time::Duration>) -> std::io::Result<()> {
    /// #         self.0.set_write_timeout(timeout)
    /// #     }
    /// #     fn half_close(&self) -> std::io::Result<()> {
    /// #         self.0.half_close()
    /// #     }
    /// #     fn shutdown(&self) -> std::io::Result<()> {
    /// #         self.0.shutdown()
    /// #     }
    /// }
    ///
    /// let session = Connect::new("127.0.0.1", server.port()).open()?;
    /// let (mut session, cipher) = session.upgrade_with(|stream| {
    ///     let wrapped: Arc<dyn Stream> = Arc::new(Wrapped(stream));
    ///     Ok((wrapped, "none"))
    /// })?;
    /// session.greeting()?.require(220)?;
    /// assert_eq!(cipher, "none");
    /// # session.quit()?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::OutOfStep`] if replies are due, other than to what was sent together with STARTTLS;
    /// [`Error::Injection`] if the server has sent plain text already; [`Error::Unfinished`] if a send was given up on
    /// its way; [`Error::Timeout`], [`Error::Aborted`] and [`Error::Tls`] if `wrap` failed. The connection is closed
    /// then, and nothing more is sent in the clear.
    #[doc(alias = "native-tls")]
    #[doc(alias = "openssl")]
    #[doc(alias = "starttls")]
    pub fn upgrade_with<T>(
        self,
        wrap: impl FnOnce(Arc<dyn Stream>) -> io::Result<(Arc<dyn Stream>, T)>,
    ) -> Result<(Self, T), Error> {
        let upgrade = self.begin_upgrade()?;
        let wrapped = wrap(upgrade.stream());
        upgrade.finish(wrapped)
    }

    /// Leaves the stream as it is for another over it, if nothing stands against that: what was received and not read
    /// would be taken for answers inside TLS, and replies that are due would never come. A greeting that nobody has
    /// answered may still be due: TLS from the first byte on.
    pub(crate) fn begin_upgrade(self) -> Result<Upgrade, Error> {
        let deadline = self.shared().deadline();
        let (is_fresh, context) = (self.phase() == Phase::Greeting, self.shared().context(Action::Handshake));
        let refusal = match (self.reader.partial().len(), self.outstanding()) {
            (octets @ 1.., _) => Some(Error::Injection { context, octets }),
            (0, 1..) if is_fresh && !context.has_sent => None,
            (0, outstanding @ 1..) if context.phase != Phase::StartTls => {
                Some(Error::OutOfStep { context, outstanding })
            }
            _ => self.shared().require_whole().err(),
        };
        let (shared, stream) = self.writer.into_parts();
        match refusal {
            Some(error) => {
                drop(stream.shutdown());
                Err(error)
            }
            None => Ok(Upgrade { shared, stream, deadline }),
        }
    }

    /// Ends TLS, or waits until the server does, and goes on in the clear. What the server said before is forgotten.
    /// This is for tests of servers and clients: no RFC has it for SMTP.
    pub(crate) fn end_tls(self, awaits: bool, patience: Duration) -> Result<Self, Error> {
        let (shared, stream) = self.writer.into_parts();
        let ended = stream
            .set_read_timeout(Some(patience.max(LEAST_TIMEOUT)))
            .and_then(|()| stream.end_tls(awaits))
            .map_err(|source| {
                if is_nothing_yet(&source) {
                    return shared.late(Action::EndTls, Deadline::after(patience), Vec::new());
                }
                Error::Tls { context: shared.context(Action::EndTls), source }
            });
        let stream = ended.inspect_err(|_| drop(stream.shutdown()))?;
        shared.tls_ended();
        Ok(Self::of(shared, stream))
    }
}

/// A session between two streams. It keeps the deadline that was due before, for the error of a handshake that takes
/// too long.
pub(crate) struct Upgrade {
    shared: Arc<Shared>,
    stream: Arc<dyn Stream>,
    deadline: Deadline,
}

impl Upgrade {
    /// Returns the stream that is to be wrapped.
    pub fn stream(&self) -> Arc<dyn Stream> {
        Arc::clone(&self.stream)
    }

    /// Goes on over the other stream, or closes.
    pub fn finish<T>(self, wrapped: io::Result<(Arc<dyn Stream>, T)>) -> Result<(Session, T), Error> {
        let Self { shared, stream, deadline } = self;
        let wrapped = wrapped.map_err(|source| {
            let context = shared.context(Action::Handshake);
            match source {
                _ if shared.closer.is_closed() => Error::Aborted { context },
                source if is_nothing_yet(&source) => shared.late(Action::Handshake, deadline, Vec::new()),
                source => Error::Tls { context, source },
            }
        });
        let (stream, extra) = wrapped.inspect_err(|_| drop(stream.shutdown()))?;
        shared.tls_started();
        Ok((Session::of(shared, stream), extra))
    }
}
