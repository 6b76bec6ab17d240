//! Watching a session: records, traces and timings hang on this.

use std::io;
use std::net::SocketAddr;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Instant;

use crate::error::Peer;
use crate::protocol::{Answer, Phase, ReplyLine};
use crate::stream::Truncation;
use crate::tls_info::Info;

/// Sees everything that happens to a session, as it happens, in the threads in which it happens. No lock is held
/// meanwhile; what takes long delays the session. [`observer_fn`] makes one of a function; an `Arc` of one is one. It
/// is set before the session is opened ([`Connect::observer`](crate::Connect::observer)), and sees the way there, too.
///
/// This one logs both sides, secrets left out, with the time since it began:
///
/// ```
/// # #[cfg(feature = "server")] {
/// use std::time::Instant;
///
/// use mconnect_core::protocol::Visible;
/// use mconnect_core::{Connect, Event, observer_fn, server::Server};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let server = Server::start()?;
/// let start = Instant::now();
/// let log = observer_fn(move |at, event| {
///     let since = at.saturating_duration_since(start).as_millis();
///     match event {
///         Event::Connected { peer } => eprintln!("{since} ms: connected to {peer}"),
///         Event::Sent(bytes) => eprintln!("{since} ms: C: {}", Visible(bytes.trim_ascii_end())),
///         Event::SentSecret(octets) => eprintln!("{since} ms: C: {octets} secret octets"),
///         Event::Received(line) => eprintln!("{since} ms: S: {line}"),
///         // Events may come that are not known yet.
///         _ => {}
///     }
/// });
/// let mut session = Connect::new("127.0.0.1", server.port()).observer(log).open()?;
/// session.read_reply()?.require(220)?;
/// session.quit()?;
/// # Ok(()) }
/// # main().unwrap();
/// # }
/// ```
///
/// Ready-made ones are [`Timings`](crate::Timings), [`dialogue::Recorder`](crate::dialogue::Recorder),
/// [`diagnosis::Evidence`](crate::diagnosis::Evidence) and, with the feature `json`, `json::Journal`.
///
/// # What holds of the order
/// * Bytes are told before they go out, and a line before the session goes by it: who sees a reply's last line knows
///   that nobody has acted on it.
/// * In a split session the events of the two directions come from two threads, those of each in order. One observer
///   may be told by both at once.
/// * An observer must not wait for the session it watches; it may close it, by a [`Closer`](crate::Closer).
#[doc(alias = "log")]
#[doc(alias = "trace")]
#[doc(alias = "hook")]
pub trait Observer: Send + Sync {
    /// Is told what happened, and when. A panic here goes through to whoever called the session.
    fn observe(&self, at: Instant, event: &Event<'_>);
}

impl<O: Observer + ?Sized> Observer for Arc<O> {
    fn observe(&self, at: Instant, event: &Event<'_>) {
        (**self).observe(at, event);
    }
}

/// Makes an observer of a function.
///
/// ```
/// use mconnect_core::{Connect, Event, observer_fn};
///
/// let connect = Connect::new("mx.example.org", 25).observer(observer_fn(|_, event| {
///     if let Event::Received(line) = event {
///         eprintln!("{line}");
///     }
/// }));
/// ```
pub fn observer_fn(observe: impl Fn(Instant, &Event<'_>) + Send + Sync) -> impl Observer {
    ByFn(observe)
}

struct ByFn<F>(F);

impl<F: Fn(Instant, &Event<'_>) + Send + Sync> Observer for ByFn<F> {
    fn observe(&self, at: Instant, event: &Event<'_>) {
        (self.0)(at, event);
    }
}

/// Two observers, told in this order.
pub(crate) struct Both<A, B>(pub A, pub B);

impl<A: Observer, B: Observer> Observer for Both<A, B> {
    fn observe(&self, at: Instant, event: &Event<'_>) {
        self.0.observe(at, event);
        self.1.observe(at, event);
    }
}

/// What happens to a session.
///
/// ```text
///   Resolving, Resolved              once, if there is a name to resolve
///   Connecting, ConnectFailed        for each address in turn, until
///   RoadSent, RoadReceived           what is said on the way: to a proxy, a PROXY header
///   Connected
///   Sent, SentSecret                 before the bytes go out
///   Received ... Replied, Phase      line by line; Replied after the last line of a reply
///   TlsStarted, Tls                  then all of this again, inside
///   HalfClosed, Truncated            the ends of the two directions
///   Ended | Aborted                  the server closed, or this side did
///   ProcessSaid, ProcessEnded        of a process: at any time, and at the very end
/// ```
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A name is being resolved.
    Resolving {
        /// The name.
        host: &'a str,
    },
    /// It was resolved, or could not be.
    Resolved {
        /// The name.
        host: &'a str,
        /// Its addresses, in the order in which they are tried, those that are not wanted with them; or why there are none.
        result: Result<&'a [SocketAddr], &'a io::Error>,
    },
    /// An address is being connected to.
    Connecting {
        /// The host and the address.
        peer: &'a Peer,
    },
    /// It could not be connected to.
    ConnectFailed {
        /// The host and the address.
        peer: &'a Peer,
        /// Why.
        error: &'a io::Error,
        /// Another address is tried next.
        has_next: bool,
    },
    /// The connection is open.
    Connected {
        /// The host and the address.
        peer: &'a Peer,
    },
    /// Bytes are sent, cut as they were handed over and at the beginning and end of a secret. What may hold a password
    /// is left out and comes as [`SentSecret`](Self::SentSecret); but not in raw mode, where nothing is known of the
    /// bytes.
    Sent(&'a [u8]),
    /// This many octets are sent that may hold a password: the initial response of AUTH, an answer to a 334, or what was
    /// [hidden](crate::Session::hide).
    SentSecret(usize),
    /// A line was received, or a piece of a long one. What was [hidden](crate::Session::hide) is stars in it.
    Received(ReplyLine<'a>),
    /// A reply ended with the line before.
    Replied {
        /// Its code, and what it answers.
        answer: Answer,
        /// How many more replies are due.
        outstanding: usize,
    },
    /// Bytes were received in raw mode.
    ReceivedRaw(&'a [u8]),
    /// The session went from one phase to another.
    Phase(Phase),
    /// TLS was started: what follows is inside it.
    TlsStarted,
    /// What TLS agreed on, what the server showed, and what is wrong with that; of TLS that was started by
    /// [`Session::upgrade`](crate::Session), with the feature `tls`.
    Tls(&'a Info),
    /// TLS was ended: what follows is in the clear again.
    TlsEnded,
    /// The sending side was ended.
    HalfClosed,
    /// The server ends the connection inside TLS without the farewell that TLS has; [`Ended`](Self::Ended) follows.
    Truncated(Truncation),
    /// The server closed, or the connection broke. It comes once, and nothing is received after it.
    Ended,
    /// The connection was closed from this side, by a [`Closer`](crate::Closer).
    Aborted,
    /// Octets are sent on the way, before the session: the PROXY header, what is said to a proxy. Eight stars stand in the
    /// place of a login.
    RoadSent(&'a [u8]),
    /// Octets were received on the way: what a proxy answers.
    RoadReceived(&'a [u8]),
    /// The process that the session goes to ([`Connect::spawn`](crate::Connect)) has written a line to its standard error,
    /// or a piece of a long one, which is here without its end. It comes from a thread of its own, at any time.
    ProcessSaid(&'a [u8]),
    /// That process has ended, which is told once the session has.
    ProcessEnded(ExitStatus),
}
