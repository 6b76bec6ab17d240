//! TLS, awaited: the same state, driven over a socket that does not block. What a handshake needs is kept apart, and given
//! back with it.

use super::{Config, Info};
use crate::error::Error;
use crate::session::AsyncSession;

impl AsyncSession {
    /// Sends STARTTLS and, after a 220 and nothing else, starts TLS, as [`Session::starttls`](crate::Session::starttls)
    /// does.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # use mconnect_core::server::{Authority, Setup};
    /// # let authority = Authority::new("Our Root");
    /// # let server = Setup::new().tls(&authority.issue(["127.0.0.1"])).start()?;
    /// use mconnect_core::{Connect, tls::Config};
    ///
    /// let config = Config::new().authorities(authority.pem().as_bytes())?;
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let mut session = Connect::new("127.0.0.1", server.port()).open_async().await?;
    /// session.greeting().await?.require(220)?;
    /// session.hello("client.example").await?.require()?;
    /// let (mut session, info) = session.starttls(&config).await?;
    /// assert!(info.is_verified());
    /// session.hello("client.example").await?.require()?;
    /// session.quit().await?;
    /// # Ok::<(), mconnect_core::Error>(())
    /// # })?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::starttls`](crate::Session::starttls).
    pub async fn starttls(self, config: &Config) -> Result<(Self, Info), Error> {
        let Self { session, socket } = self;
        let (session, info) = Box::pin(session.starttls_by(&*socket, config)).await?;
        Ok((Self { session: Box::new(session), socket }, info))
    }

    /// Starts TLS, as [`Session::upgrade`](crate::Session::upgrade) does. The system's trust store is read at the first
    /// use of a [`Config`], which blocks for a moment, and not again by its clones.
    ///
    /// # Errors
    /// As [`Session::upgrade`](crate::Session::upgrade).
    pub async fn upgrade(self, config: &Config) -> Result<(Self, Info), Error> {
        let Self { session, socket } = self;
        let patience = session.reply_timeout();
        let (session, info) = Box::pin(session.upgrade_by(&*socket, config, patience)).await?;
        Ok((Self { session: Box::new(session), socket }, info))
    }
}
