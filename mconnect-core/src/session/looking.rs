//! What a session tells of itself, without waiting. An `AsyncSession` has all of it by dereference.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::Session;
use crate::closer::Closer;
use crate::error::{Action, Context, Peer};
use crate::protocol::{Extensions, Phase, Reply, Request, Standing, Tracker};
use crate::stream::ChannelBindings;

impl Session {
    /// Says where the session stands: phase, replies due, whether the two ends are in step, all of one moment. In a
    /// split session, where the other half may follow something meanwhile, separate questions may have answers of two
    /// moments.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// use mconnect_core::protocol::{Phase, Request};
    ///
    /// let standing = session.standing();
    /// assert_eq!((standing.phase, standing.awaited), (Phase::Greeting, Some(Request::Greeting)));
    /// session.greeting()?;
    /// session.command("QUIT")?;
    /// assert!(session.standing().is_closing && session.standing().has_quit);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn standing(&self) -> Standing {
        self.shared().state().standing()
    }

    /// Says what the next bytes sent will mean to the server. Of a phase that depends on a reply which is not here yet,
    /// the client's hope is taken: after DATA it is [`Phase::Body`], until a reply other than 354 comes.
    pub fn phase(&self) -> Phase {
        self.shared().state().phase()
    }

    /// Returns how many replies are due, the greeting among them. While client and server are
    /// [out of step](Standing::is_in_step), the server may send more.
    pub fn outstanding(&self) -> usize {
        self.shared().state().outstanding()
    }

    /// Says whether a reply is due, not only as the next one, to a request of such a kind.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Server::start()?;
    /// # let mut session = mconnect_core::Connect::new("127.0.0.1", server.port()).open()?;
    /// # session.greeting()?;
    /// use mconnect_core::protocol::Request;
    ///
    /// session.send_line("NOOP")?;
    /// session.send_line("STARTTLS")?;
    /// // Nothing else may go out before that is decided.
    /// assert!(session.owes(Request::is_turn));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn owes(&self, is_it: impl Fn(Request) -> bool) -> bool {
        self.shared().state().owes(is_it)
    }

    /// Returns what the server advertised in its last positive reply to EHLO or LHLO: a copy. `None` before that, after
    /// TLS has started or ended ([RFC 3207, section 4.2](https://www.rfc-editor.org/rfc/rfc3207#section-4.2)), and
    /// after an XCLIENT that was granted. A HELO changes nothing.
    #[doc(alias = "capabilities")]
    #[doc(alias = "EHLO")]
    pub fn extensions(&self) -> Option<Extensions> {
        self.shared().state().extensions().cloned()
    }

    /// Returns what an authentication can be bound to here: something inside TLS only, and nothing if the TLS is
    /// somebody else's that does not tell.
    pub fn channel_bindings(&self) -> ChannelBindings {
        self.writer.channel_bindings()
    }

    /// Returns the other end: the name that was asked for, and the address that answered.
    pub fn peer(&self) -> &Peer {
        &self.shared().peer
    }

    /// Returns the address of this end, if it has one: sessions that [`Connect`](crate::Connect) opened do, those over
    /// a stream that was open already do not. [`own_name`](fn@crate::own_name) makes a name for EHLO of it.
    pub fn local_address(&self) -> Option<SocketAddr> {
        self.shared().local
    }

    /// Returns a handle that closes the session from another thread, at once, whatever it is doing.
    pub fn closer(&self) -> Closer {
        self.shared().closer.clone()
    }

    /// Returns a copy of what follows the session: for a look at what bytes would mean that are not sent yet.
    pub(crate) fn tracker(&self) -> Tracker {
        Tracker::clone(&self.shared().state())
    }

    /// Says what is being done, for an error.
    pub(crate) fn context(&self, action: Action) -> Context {
        self.shared().context(action)
    }

    /// Attaches to a reply, whose last line was the last that was read, what it answers.
    pub(crate) fn answered(&self, reply: Reply) -> Reply {
        let request = self.standing().last_answer.and_then(|answer| answer.request);
        reply.in_answer_to(request, Arc::clone(&self.shared().peer_name))
    }

    /// Returns what tells the observer, also of a session that is no more.
    #[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "it is TLS that has more to tell"))]
    pub(crate) fn teller(&self) -> impl Fn(&crate::observer::Event<'_>) + use<> {
        let shared = self.writer.share();
        move |event| shared.observe(event)
    }

    /// Returns when the whole session is to be over, if that was set.
    #[cfg_attr(not(feature = "tokio"), allow(dead_code, reason = "a source that blocks waits as it likes"))]
    pub(super) fn overall(&self) -> Option<Instant> {
        self.shared().overall().and_then(|deadline| deadline.at)
    }
}
