//! The place of probing in a tool that was built without it.

use crate::failure::{Failure, Status};
use crate::options::Options;
use crate::verdict::Verdict;

/// # Errors
/// Always: nothing is probed.
pub fn run(_: &Options, _: &Verdict) -> Result<(), Failure> {
    Err(Failure::new(Status::Usage, "this mconnect was built without probing (the feature probe)"))
}
