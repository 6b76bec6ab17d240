//! The place of AUTH in a build without it.

use super::Verdict;
use super::game::Game;
use super::step_result::StepResult;

pub(super) fn authenticate(_: &mut Game<'_, '_>, _: &str, _: &[u8], _: &[u8]) -> StepResult {
    StepResult::not(Verdict::Impossible, "no authentication: this needs the feature auth")
}
