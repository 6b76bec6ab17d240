//! The place of TLS in a build without it.

use super::Verdict;
use super::finding::Finding;
use super::game::Game;

#[derive(Default)]
pub(super) struct Config {}

pub(super) fn start(game: &mut Game<'_, '_>, _: bool) -> Finding {
    let Config {} = game.tls;
    Finding::not(Verdict::Impossible, "no TLS: this needs the feature tls")
}
