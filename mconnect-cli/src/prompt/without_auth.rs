//! The place of AUTH at the prompt, in a tool that was built without it.

use std::ops::ControlFlow::Continue;

use super::{Flow, Talk};
use crate::secure::WITHOUT;
use crate::stderr::say;

impl Talk<'_> {
    pub(super) fn authenticate(&mut self, _: &str) -> Flow {
        say(&format!("mconnect: {WITHOUT}"));
        Continue(())
    }

    pub(super) fn encode(&mut self, _: &[u8]) -> Flow {
        self.authenticate("")
    }
}
