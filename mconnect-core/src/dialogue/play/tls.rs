//! Starting TLS ([RFC 3207](https://www.rfc-editor.org/rfc/rfc3207)).
//!
//! A reply that is held when the handshake begins came in plain text, and would be taken for one inside TLS: it fails
//! the step, as plain text behind the 220 fails the [upgrade](crate::Session::upgrade) itself.

pub(super) use crate::tls::Config;

use super::game::Game;
use super::step_result::StepResult;
use super::{Player, Report, Verdict};
use crate::error::Error;
use crate::protocol::Request;

impl Player<'_> {
    /// Says how TLS is to be, and whom to trust: by default, the system's trust store and the name that was connected
    /// to.
    ///
    /// ```
    /// # #[cfg(feature = "server")] {
    /// use mconnect_core::dialogue::{Dialogue, Player};
    /// use mconnect_core::{Connect, server::Server, tls};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let dialogue = Dialogue::parse("S: 220 hi\nC: *starttls*\nC: QUIT\nS: 221 bye")?;
    /// let server = Server::play_with(&dialogue, &Default::default())?;
    /// let trust = tls::Config::new().name("localhost").authorities(server.certificate().unwrap().as_bytes())?;
    ///
    /// let session = Connect::new("127.0.0.1", server.port()).open()?;
    /// Player::new().tls(&trust).play(session, &dialogue).require()?;
    /// server.join()?;
    /// # Ok(()) }
    /// # main().unwrap();
    /// # }
    /// ```
    pub fn tls(&mut self, config: &Config) -> &mut Self {
        self.tls = config.clone();
        self
    }
}

/// Sends STARTTLS if it is to, and shakes hands.
pub(super) fn start(game: &mut Game<'_, '_>, sends_command: bool) -> StepResult {
    if sends_command {
        if let Err(result) = request(game) {
            return result;
        }
    }
    if let Some(reply) = game.held.take() {
        return StepResult::not(Verdict::Other, game.shown(&reply));
    }
    let patience = game.reply_timeout();
    let Some(session) = game.session.take() else { return StepResult::closed_here() };
    match session.upgrade_within(game.tls, patience) {
        Ok((session, info)) => {
            game.session = Some(session);
            let info = info.to_string();
            game.report(Report::TlsStarted(&info));
            StepResult::met(info)
        }
        Err(error @ Error::Timeout { .. }) => game.late(b"", patience).because(error),
        Err(error @ (Error::Tls { .. } | Error::Untrusted { .. } | Error::Injection { .. })) => {
            StepResult::not(Verdict::Insecure, error.chain()).because(error)
        }
        Err(error @ Error::OutOfStep { .. }) => StepResult::not(Verdict::Impossible, error.chain()),
        Err(error) => StepResult::broken(error),
    }
}

/// Sends STARTTLS, and reads the reply that grants it.
fn request(game: &mut Game<'_, '_>) -> Result<(), StepResult> {
    game.out.extend_from_slice(b"STARTTLS\r\n");
    game.flush()?;
    let patience = game.reply_timeout();
    let reply = game.read_reply(patience)?;
    if reply.request() == Some(Request::StartTls) && reply.is_granted() {
        return Ok(());
    }
    let got = game.shown(&reply);
    Err(StepResult { reply: Some(reply), ..StepResult::not(Verdict::Other, got) })
}
