//! How a session waits. What it does is written once, as futures that wait for the stream in these calls alone: a
//! session that blocks waits inside the calls of its stream instead, and so its futures never suspend.
//!
//! ```text
//!   try the stream ──► it did something ──► go on
//!        │ WouldBlock, TimedOut
//!        ▼
//!   Drive::readable, writable ──► true: try again
//!                             └─► false: time is up, and whoever waits looks at the deadline
//! ```
//! For [`Blocking`] the stream was given a timeout before, and has slept through it: there is nothing left to wait for.
//! For tokio's sockets the stream answers at once, and the time is spent in the [`Drive`].

use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use crate::stream::Stream;

/// Waits for a stream that had nothing to give, or took nothing.
pub(crate) trait Drive {
    /// Says whether the system has something for the stream's socket. An error of the connection's is the last that is
    /// heard of it: looking takes it away, and the next read would find an orderly end.
    fn is_readable(&self, stream: &dyn Stream) -> io::Result<bool>;

    /// Waits until the stream may have something, or until this time, and says whether it is to be asked again.
    async fn readable(&self, until: Option<Instant>) -> bool;

    /// Waits until the stream may take something, or have something if that is wanted, too, or until this time, and
    /// says whether it is to be asked again. That it may have something is wanted while a send is under way: a server
    /// that does not read before it is read from would wait for ever.
    async fn writable(&self, or_readable: bool, until: Option<Instant>) -> bool;
}

/// The stream has waited itself, as long as its timeouts let it.
pub(crate) struct Blocking;

impl Drive for Blocking {
    fn is_readable(&self, stream: &dyn Stream) -> io::Result<bool> {
        #[cfg(unix)]
        if let Some(fd) = stream.as_fd() {
            return seen(&socket2::SockRef::from(&fd), look);
        }
        #[cfg(not(unix))]
        let _ = stream;
        Ok(false)
    }

    async fn readable(&self, _: Option<Instant>) -> bool {
        false
    }

    async fn writable(&self, _: bool, _: Option<Instant>) -> bool {
        false
    }
}

/// Linux looks without waiting in one call, whatever the socket is set to.
#[cfg(target_os = "linux")]
fn look(socket: &socket2::Socket) -> io::Result<usize> {
    const MSG_PEEK_DONTWAIT: i32 = 0x02 | 0x40;
    socket.recv_with_flags(&mut [std::mem::MaybeUninit::uninit()], MSG_PEEK_DONTWAIT)
}

#[cfg(all(unix, not(target_os = "linux")))]
fn look(socket: &socket2::Socket) -> io::Result<usize> {
    socket.set_nonblocking(true)?;
    let looked = socket.peek(&mut [std::mem::MaybeUninit::uninit()]);
    socket.set_nonblocking(false).and(looked)
}

/// Says whether a look at a socket finds something: octets, or the end. What is no socket cannot be looked into.
#[cfg(any(unix, feature = "tokio"))]
pub(super) fn seen(socket: &socket2::Socket, look: impl Fn(&socket2::Socket) -> io::Result<usize>) -> io::Result<bool> {
    match look(socket) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(false),
        Err(error) => socket.r#type().map_or(Ok(false), |_| Err(error)),
    }
}

/// Runs what a session that blocks does: its future is polled once, and is done. One that is not has waited for
/// something that nobody will tell: a mistake of this crate.
pub(crate) fn ready<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => unreachable!("what blocks does not suspend"),
    }
}
