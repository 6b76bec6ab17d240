//! The place of TLS in a build without it.

use super::Verdict;
use super::game::Game;
use super::step_result::StepResult;

#[derive(Default)]
pub(super) struct Config {}

pub(super) fn start(game: &mut Game<'_, '_>, _: bool) -> StepResult {
    let Config {} = game.tls;
    StepResult::not(Verdict::Impossible, "no TLS: this needs the feature tls")
}
