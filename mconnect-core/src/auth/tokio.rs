//! AUTH, awaited.

use super::Exchange;
use crate::error::Error;
use crate::protocol::Reply;
use crate::session::AsyncSession;

impl AsyncSession {
    /// Does an exchange, as [`Session::authenticate`](crate::Session::authenticate) does.
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
