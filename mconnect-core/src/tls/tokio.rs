//! TLS, awaited: the same state, driven over a socket that does not block. What a handshake needs is kept apart, and given
//! back with it.

use super::{Config, Info};
use crate::error::Error;
use crate::session::AsyncSession;

impl AsyncSession {
    /// Sends STARTTLS and, after a 220 and nothing else, starts TLS, as [`Session::starttls`](crate::Session::starttls)
    /// does.
    ///
    /// # Errors
    /// As [`Session::starttls`](crate::Session::starttls).
    pub async fn starttls(self, config: &Config) -> Result<(Self, Info), Error> {
        let Self { session, socket } = self;
        let (session, info) = Box::pin(session.starttls_by(&*socket, config)).await?;
        Ok((Self { session: Box::new(session), socket }, info))
    }

    /// Starts TLS, as [`Session::upgrade`](crate::Session::upgrade) does. The system's trust store is read at the first
    /// use of a [`Config`], and not again by its clones.
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
