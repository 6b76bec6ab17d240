//! The end of a session that nobody reads any more.

use std::ops::ControlFlow::{self, Break, Continue};

use mconnect_core::Session;
use mconnect_core::protocol::Phase;

use super::{Conversation, Stop};
use crate::terminal;

impl Conversation<'_> {
    /// Goes on with the input that is at hand. Where more would have to be waited for, the session ends: with QUIT if a
    /// command is due, and without a word.
    pub(super) fn go_on_unheard(&mut self, session: &mut Session) -> ControlFlow<Stop, bool> {
        if self.input.is_at_hand() {
            return Continue(true);
        }
        self.script.forget_line();
        self.rest.is_over = true;
        self.wait_for_replies(session)?;
        if session.phase() == Phase::Command && self.script.end().is_none() {
            self.quit(session)?;
        }
        if self.is_typed() {
            // What was half typed must not end up as a command of the shell.
            terminal::drop_typed();
        }
        Break(Stop::End)
    }
}
