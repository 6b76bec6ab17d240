//! Starting TLS.

pub(super) use crate::tls::Config;

use super::finding::{Finding, told};
use super::game::Game;
use super::{Player, Report, Verdict};
use crate::error::Error;
use crate::protocol::Code;

impl Player<'_> {
    /// Says how TLS is to be, and whom to trust: by default, the system's trust store and the name that was connected
    /// to.
    pub fn tls(&mut self, config: &Config) -> &mut Self {
        self.tls = config.clone();
        self
    }
}

/// Sends STARTTLS if it is to, and shakes hands.
pub(super) fn start(game: &mut Game<'_, '_>, sends_command: bool) -> Finding {
    if sends_command && let Err(finding) = request(game) {
        return finding;
    }
    if let Some(reply) = game.held.take() {
        return Finding::not(Verdict::Other, game.shown(&reply));
    }
    let patience = game.patience();
    let Some(session) = game.session.take() else { return Finding::closed_here() };
    match session.upgrade_within(game.tls, patience) {
        Ok((session, info)) => {
            game.session = Some(session);
            let info = info.to_string();
            game.report(Report::TlsStarted(&info));
            Finding::met(info)
        }
        Err(Error::Timeout { .. }) => Finding::late(b"", patience),
        Err(error @ (Error::Tls { .. } | Error::Untrusted { .. } | Error::Injection { .. })) => {
            Finding::not(Verdict::Insecure, told(&error))
        }
        Err(error @ Error::OutOfStep { .. }) => Finding::not(Verdict::Impossible, told(&error)),
        Err(error) => Finding::broken(&error),
    }
}

/// Sends STARTTLS, and reads the 220 to it.
fn request(game: &mut Game<'_, '_>) -> Result<(), Finding> {
    game.out.extend_from_slice(b"STARTTLS\r\n");
    game.flush()?;
    let patience = game.patience();
    let reply = game.read_reply(patience)?;
    if reply.code() == Code::READY {
        return Ok(());
    }
    let got = game.shown(&reply);
    Err(Finding { reply: Some(reply), ..Finding::not(Verdict::Other, got) })
}
