//! The place of AUTH, where lines are typed, of a tool that was built without it.

use std::ops::ControlFlow::{self, Continue};

use super::Typing;
use crate::secure::WITHOUT;
use crate::stderr::say;

pub fn authenticate<T: Typing>(_: &mut T, _: &str) -> ControlFlow<T::Leave> {
    say(&format!("mconnect: {WITHOUT}"));
    Continue(())
}

pub fn encode<T: Typing>(_: &mut T, _: &[u8]) -> ControlFlow<T::Leave> {
    say(&format!("mconnect: {WITHOUT}"));
    Continue(())
}
