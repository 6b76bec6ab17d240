//! From a session in the clear to one inside TLS.
//!
//! ```text
//!   begin_upgrade ──► the handshake, in which the Verifier sees the certificates ──► finish ──► verified? ──► Session, Info
//!                        │ it fails                    │ refused early (a client            │ no, nor insecure
//!                        ▼                             ▼  with a certificate)               ▼
//!                     Error::Tls                    Error::Untrusted                     close_notify, Error::Untrusted
//! ```

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConnection;

use super::verifier::Verifier;
use super::{Config, Info, TlsStream};
use crate::error::{Action, Error};
use crate::observer::Event;
use crate::session::Session;
use crate::session::drive::{Blocking, Drive, ready};
use crate::stream::Stream;

impl Session {
    /// Starts TLS: after the 220 to STARTTLS ([RFC 3207](https://www.rfc-editor.org/rfc/rfc3207)), or before the
    /// greeting. The handshake has the time of the reply due next: after STARTTLS that of a command, before the
    /// greeting that of the greeting. After it, the extensions are to be asked for again (EHLO).
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::Connect;
    /// use mconnect_core::server::{Identity, Setup};
    /// use mconnect_core::tls::{Config, Problem};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let server = Setup::new().tls(&Identity::self_signed(["127.0.0.1"])).start()?;
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.read_reply()?.require(220)?;
    /// session.command("EHLO client.example")?.require(250)?;
    /// session.command("STARTTLS")?.require(220)?;
    ///
    /// // A prober wants to know, whatever is wrong; without `insecure`, this would be `Error::Untrusted`.
    /// let (mut session, info) = session.upgrade(&Config::new().insecure())?;
    /// assert_eq!(info.version, "TLS 1.3");
    /// assert_eq!(info.problems, [Problem::SelfSigned]);
    /// session.command("EHLO client.example")?.require(250)?;
    /// session.quit()?;
    /// # Ok(()) }
    /// # main().unwrap();
    /// # }
    /// ```
    ///
    /// The observer is told of the [`Info`] in either case. [`starttls`](Self::starttls) says STARTTLS, too.
    ///
    /// # Errors
    /// [`Error::Untrusted`] if the server's certificates do not prove who it is, unless the configuration is
    /// [`insecure`](Config::insecure); [`Error::Tls`] if the handshake fails, whose `source` says why
    /// ([`TlsFailure`](crate::TlsFailure)); otherwise as [`upgrade_with`](Self::upgrade_with). The connection is closed
    /// then, and nothing more is sent in the clear.
    #[doc(alias = "starttls")]
    #[doc(alias = "ssl")]
    #[doc(alias = "smtps")]
    pub fn upgrade(self, config: &Config) -> Result<(Self, Info), Error> {
        let patience = self.reply_timeout();
        ready(self.upgrade_by(&Blocking, config, patience))
    }

    /// Does the same, in this time.
    pub(crate) fn upgrade_within(self, config: &Config, patience: Duration) -> Result<(Self, Info), Error> {
        ready(self.upgrade_by(&Blocking, config, patience))
    }

    /// Shakes hands over the session's stream, and goes on over the new one, if what came of it is good enough.
    pub(super) async fn upgrade_by(
        self,
        drive: &impl Drive,
        config: &Config,
        patience: Duration,
    ) -> Result<(Self, Info), Error> {
        let (peer, tell) = (self.peer().clone(), self.teller());
        let name = config.name.as_deref().unwrap_or(peer.name()).trim_end_matches('.').to_owned();
        let mut refused = None;
        let upgrade = self.begin_upgrade()?;
        let under = upgrade.stream();
        let wrapped = async {
            let invalid = |error: rustls::Error| io::Error::new(io::ErrorKind::InvalidInput, error);
            let verifier = Arc::new(Verifier::new(config, &name));
            let client =
                config.client(&verifier).map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
            let connection = ClientConnection::new(client, verifier.server_name()).map_err(invalid)?;
            let least = if config.is_13_only { "1.3" } else { "1.2" };
            let stream = TlsStream::new(under, connection, least);
            let shaken = stream.shake_within(drive, patience).await;
            let inspect = || stream.with(|connection| config.inspect(connection, &name, &verifier));
            if verifier.has_refused() {
                refused = Some(inspect());
            }
            shaken?;
            let info = inspect();
            Ok((Arc::new(stream) as Arc<dyn Stream>, info))
        };
        let wrapped = wrapped.await;
        let (mut session, info) = match (upgrade.finish(wrapped), refused) {
            (Ok(upgraded), _) => upgraded,
            (Err(Error::Tls { context, .. }), Some(info)) => {
                tell(&Event::Tls(&info));
                return Err(Error::Untrusted { context, info: Box::new(info) });
            }
            (Err(error), _) => return Err(error),
        };
        tell(&Event::Tls(&info));
        if info.is_verified() || config.is_insecure {
            return Ok((session, info));
        }
        let context = session.context(Action::Handshake);
        // The farewell is sent inside TLS; nothing is waited for.
        drop(session.half_close());
        session.closer().close();
        Err(Error::Untrusted { context, info: Box::new(info) })
    }
}
