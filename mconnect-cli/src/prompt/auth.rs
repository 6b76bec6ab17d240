//! AUTH at the prompt.

use std::ops::ControlFlow::{self, Continue};

use mconnect_core::protocol::{Code, Visible};

use super::ask::Asked;
use super::{Flow, Leave, Talk};
use crate::connection::Setting;
use crate::secret::Secret;
use crate::terminal::Manner;
use crate::typing::auth::Authenticating;

impl Authenticating for Talk<'_> {
    fn setting(&self) -> &Setting<'_> {
        self.setting
    }

    fn look(&mut self) -> Flow {
        self.show_what_came()
    }

    fn password(&mut self, user: &str) -> Asked<Secret> {
        let (secure, terminal) = (self.setting.secure, self.setting.terminal);
        if secure.has_password_command() {
            terminal.restore();
        }
        let given = secure.password();
        if secure.has_password_command() {
            let _ = terminal.enter(Manner::Prompt);
        }
        match given {
            Ok(Some(secret)) => Continue(Some(secret)),
            Ok(None) => self.ask(&format!("password of {}: ", Visible(user.as_bytes())), true),
            Err(failure) => {
                failure.tell();
                Continue(None)
            }
        }
    }

    fn hear(&mut self, line: &[u8]) -> ControlFlow<Leave, Option<(Code, Vec<u8>)>> {
        self.driver.take_auth_reply();
        self.send(line)?;
        self.wait_for_replies()?;
        Continue(self.driver.take_auth_reply())
    }
}
