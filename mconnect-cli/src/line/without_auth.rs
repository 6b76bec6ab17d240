//! The place of AUTH in typed lines of a tool that was built without it.

use std::ops::ControlFlow::Continue;

use mconnect_core::Session;

use super::{Flow, Talk};
use crate::secure::WITHOUT;
use crate::stderr::say;

impl Talk<'_> {
    pub(super) fn authenticate(&mut self, _: &mut Session, _: &str) -> Flow {
        say(&format!("mconnect: {WITHOUT}"));
        Continue(())
    }

    pub(super) fn encode(&mut self, _: &Session, _: &[u8]) {
        say(&format!("mconnect: {WITHOUT}"));
    }
}
