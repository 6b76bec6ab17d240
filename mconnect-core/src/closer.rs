//! Ending a session from anywhere.
//!
//! A closer is a slot with what shuts the connection down. Whoever waits puts that there ([`Closer::arm`]), anew for
//! each thing that is waited for: the resolver, a socket that connects, the stream of a session, the one inside TLS.
//! Its lock is held for the slot alone, and never while anything is shut down.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Closes a session from another thread, at once, whatever it is doing: resolving, connecting, reading or writing.
/// Clones are of the same session; it is cheap, `Send` and `Sync`.
///
/// What was waiting fails: with [`Error::Aborted`](crate::Error::Aborted) once the session is open, and before that
/// with the error of resolving or connecting, whose kind is then
/// [`ConnectionAborted`](std::io::ErrorKind::ConnectionAborted). A closer is for one session, and does not keep it
/// open. Nothing is said to the server: for that there are [`quit`](crate::Session::quit) and
/// [`close`](crate::Session::close).
///
/// ```
/// # #[cfg(feature = "server")] {
/// use std::thread;
///
/// use mconnect_core::{Connect, Error, server::Server};
///
/// let server = Server::start()?;
/// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
/// session.greeting()?;
/// // On Ctrl-C, say; here, at once.
/// let closer = session.closer();
/// let other = thread::spawn(move || closer.close());
/// // Nothing is due, and so this would wait for long.
/// let error = session.read_line().unwrap_err();
/// assert!(matches!(error, Error::Aborted { .. }));
/// other.join().unwrap();
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A stream that cannot be shut down, such as a [`Pair`](crate::Pair) of pipes, goes on waiting.
#[doc(alias = "cancel")]
#[doc(alias = "abort")]
#[doc(alias = "shutdown")]
#[derive(Clone, Default)]
pub struct Closer(Arc<Mutex<Slot>>);

/// What closing means now, and whether it has happened.
#[derive(Default)]
struct Slot {
    is_closed: bool,
    shut: Option<Box<Shut>>,
}

type Shut = dyn Fn() + Send + Sync;

impl Closer {
    /// Makes one for [`Connect::open_with`](crate::Connect::open_with); a session that is open has its own
    /// ([`Session::closer`](crate::Session::closer)).
    pub fn new() -> Self {
        Self::default()
    }

    /// Closes the connection. Later calls do nothing.
    pub fn close(&self) {
        let mut slot = self.slot();
        slot.is_closed = true;
        let shut = slot.shut.take();
        drop(slot);
        if let Some(shut) = shut {
            shut();
        }
    }

    /// Says whether the connection was closed from this side.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.slot().is_closed
    }

    /// Says what closing means from now on; if it has happened already, it is done here.
    pub(crate) fn arm(&self, shut: impl Fn() + Send + Sync + 'static) {
        let mut slot = self.slot();
        if slot.is_closed {
            drop(slot);
            shut();
        } else {
            slot.shut = Some(Box::new(shut));
        }
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Closer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closer").field("is_closed", &self.is_closed()).finish_non_exhaustive()
    }
}
