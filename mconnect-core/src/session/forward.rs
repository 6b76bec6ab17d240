//! Saying whom the server is to take the client for: XCLIENT and XFORWARD.

use super::Session;
use super::drive::{Blocking, Drive, ready};
use crate::error::{Action, Error};
use crate::protocol::{ClientAttribute, Reply};

impl Session {
    /// Says XCLIENT, so that a server which trusts this client takes it for another one: its rules can be tried so. A granted
    /// one is answered by 220, as a greeting is, and the session begins anew: what was offered is forgotten, and
    /// [`hello`](Self::hello) comes next. TLS stays. What is not offered is not said; `command` says it all the same, with
    /// [`ClientAttribute::command`].
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::protocol::ClientAttribute;
    /// use mconnect_core::{Connect, server::Server};
    ///
    /// let server = Server::play(
    ///     "S: 220 mx\nC: EHLO me\nS: 250-mx\nS: 250 XCLIENT NAME ADDR\n\
    ///      C: XCLIENT ADDR=192.0.2.66\nS: 220 mx\nC: EHLO me\nS: 250 mx",
    /// )?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.greeting()?.require(220)?;
    /// session.hello("me")?.require()?;
    /// session.xclient(&[ClientAttribute::new("ADDR", "192.0.2.66")?])?.require(220)?;
    /// session.hello("me")?.require()?;
    /// # drop(session);
    /// # server.join()?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Need`] if an attribute is not offered; as [`command`](Self::command). A refusal is a reply.
    pub fn xclient(&mut self, attributes: &[ClientAttribute]) -> Result<Reply, Error> {
        ready(self.say_by(&Blocking, "XCLIENT", attributes))
    }

    /// Says XFORWARD, so that a server which trusts this client notes in its log for whom the next messages are forwarded.
    /// What is not offered is not said.
    ///
    /// # Errors
    /// [`Error::Need`] if an attribute is not offered; as [`command`](Self::command). A refusal is a reply.
    pub fn xforward(&mut self, attributes: &[ClientAttribute]) -> Result<Reply, Error> {
        ready(self.say_by(&Blocking, "XFORWARD", attributes))
    }

    pub(super) async fn say_by(
        &mut self,
        drive: &impl Drive,
        verb: &'static str,
        attributes: &[ClientAttribute],
    ) -> Result<Reply, Error> {
        let offered = self.extensions().unwrap_or_default();
        if let Err(need) = ClientAttribute::require(verb, attributes, &offered) {
            return Err(Error::Need { context: self.shared().context(Action::Write), need });
        }
        self.command_by(drive, ClientAttribute::command(verb, attributes).as_bytes()).await
    }
}
