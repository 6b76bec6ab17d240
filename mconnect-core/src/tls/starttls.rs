//! STARTTLS as one call, and what rustls says when it fails.

use super::{Config, Info, Problem, errors};
use crate::error::Error;
use crate::session::Session;
use crate::session::drive::{Blocking, Drive, ready};

impl Session {
    /// Sends STARTTLS ([RFC 3207](https://www.rfc-editor.org/rfc/rfc3207)) and, after a 220 and nothing else, starts
    /// TLS. What the server offered before counts no more: EHLO comes again. Whether it offers STARTTLS is not looked
    /// at: an offer may have been taken out on the way.
    ///
    /// To go on in the clear with a server that refuses, use [`command`](Self::command) and [`upgrade`](Self::upgrade).
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # use mconnect_core::server::{Identity, Setup};
    /// # let identity = Identity::self_signed(["127.0.0.1"]);
    /// # let server = Setup::new().tls(&identity).start()?;
    /// # let pem = identity.pem();
    /// use mconnect_core::{Connect, tls::Config};
    ///
    /// let mut session = Connect::new("127.0.0.1", server.port()).open()?;
    /// session.greeting()?.require(220)?;
    /// session.hello("client.example")?.require()?;
    /// let (mut session, info) = session.starttls(&Config::new().authorities(pem.as_bytes())?)?;
    /// assert!(info.is_verified());
    /// session.hello("client.example")?.require()?;
    /// session.quit()?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Unexpected`] holds the reply that refuses; otherwise as [`command`](Self::command) and
    /// [`upgrade`](Self::upgrade). The connection is closed then.
    pub fn starttls(self, config: &Config) -> Result<(Self, Info), Error> {
        ready(self.starttls_by(&Blocking, config))
    }

    pub(super) async fn starttls_by(mut self, drive: &impl Drive, config: &Config) -> Result<(Self, Info), Error> {
        self.command_by(drive, b"STARTTLS").await?.require(220)?;
        let patience = self.reply_timeout();
        self.upgrade_by(drive, config, patience).await
    }
}

impl Error {
    /// Returns what rustls says, if that is the cause: for a program that tells its alerts apart. The words for people,
    /// and [`TlsFailure`](crate::TlsFailure), are in the error's source.
    pub fn rustls(&self) -> Option<&rustls::Error> {
        match self {
            Self::Tls { source, .. } | Self::Io { source, .. } => errors::rustls_error(source),
            Self::Pipeline { source, .. } | Self::Delivery { source, .. } => source.rustls(),
            _ => None,
        }
    }

    /// Returns what is wrong with the server's certificates, if that is the cause; otherwise nothing.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # use mconnect_core::server::{Identity, Setup};
    /// # let server = Setup::new().tls(&Identity::self_signed(["127.0.0.1"])).tls_first().start()?;
    /// use mconnect_core::tls::{Config, Problem};
    /// use mconnect_core::Connect;
    ///
    /// let error = Connect::new("127.0.0.1", server.port()).open()?.upgrade(&Config::new()).unwrap_err();
    /// assert_eq!(error.problems(), [Problem::SelfSigned]);
    /// assert!(error.to_string().starts_with("cannot trust 127.0.0.1:"));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Untrusted { info, .. } => &info.problems,
            _ => &[],
        }
    }
}
