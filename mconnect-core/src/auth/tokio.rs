//! AUTH, awaited.

use super::Exchange;
use crate::error::Error;
use crate::protocol::Reply;
use crate::session::AsyncSession;

impl AsyncSession {
    /// Does an exchange, as [`Session::authenticate`](crate::Session::authenticate) does. What SCRAM computes, up to a
    /// second of work if a server asks for that many rounds, is done in the runtime's thread.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// # let server = mconnect_core::server::Setup::new().auth([("user", "pencil")]).start()?;
    /// use mconnect_core::Connect;
    /// use mconnect_core::auth::{Credentials, Exchange, Mechanism};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let mut session = Connect::new("127.0.0.1", server.port()).open_async().await?;
    /// session.greeting().await?.require(220)?;
    /// session.hello("client.example").await?.require()?;
    /// let exchange = Exchange::new(Mechanism::ScramSha256, &Credentials::new("user", "pencil"));
    /// session.authenticate(exchange).await?.require(235)?;
    /// session.quit().await?;
    /// # Ok::<(), mconnect_core::Error>(())
    /// # })?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Session::authenticate`](crate::Session::authenticate).
    pub async fn authenticate(&mut self, exchange: Exchange) -> Result<Reply, Error> {
        self.authenticate_with(exchange, |_| {}).await
    }

    /// Does the same, and shows every reply, as it comes.
    ///
    /// # Errors
    /// As [`Session::authenticate`](crate::Session::authenticate).
    pub async fn authenticate_with(&mut self, exchange: Exchange, see: impl FnMut(&Reply)) -> Result<Reply, Error> {
        let Self { session, socket } = self;
        session.authenticate_by(&**socket, exchange, see).await
    }
}
