//! The end of a session that nobody reads any more.

use std::ops::ControlFlow::{self, Break, Continue};

use mconnect_core::protocol::Phase;

use super::{Pace, Talk};
use crate::terminal;

impl Talk<'_> {
    /// Goes on with the input that is at hand. Where more would have to be waited for, the session ends: with QUIT if a
    /// command is due, and without a word.
    pub(super) fn go_on_unheard(&mut self) -> ControlFlow<()> {
        if self.input.is_at_hand() {
            return Continue(());
        }
        // Half a line is no command.
        self.out.clear();
        self.is_input_over = true;
        self.wait_for_replies()?;
        if self.session.phase() == Phase::Command && !self.has_ended_by_word() && self.session.send(b"QUIT\r\n").is_ok()
        {
            self.wait_for_replies()?;
        }
        if self.pace == Pace::Typed {
            // What was half typed must not end up as a command of the shell.
            terminal::drop_typed();
        }
        Break(())
    }
}
