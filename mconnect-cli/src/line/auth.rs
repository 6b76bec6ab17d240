//! AUTH where lines are typed without a prompt.

use std::ops::ControlFlow::{self, Continue};

use mconnect_core::protocol::Code;

use super::typed::AtSession;
use super::{Onward, Stop};
use crate::connection::Setting;
use crate::password;
use crate::secret::Secret;
use crate::typing::Typing;
use crate::typing::auth::Authenticating;

impl Authenticating for AtSession<'_, '_> {
    fn setting(&self) -> &Setting<'_> {
        self.talk.setting
    }

    fn look(&mut self) -> Onward {
        self.talk.listen(self.session)
    }

    fn password(&mut self, user: &str) -> ControlFlow<Stop, Option<Secret>> {
        let given = self.talk.setting.secure.password();
        let secret = given.and_then(|secret| secret.map_or_else(|| password::ask(user), Ok));
        match secret {
            Ok(secret) => Continue(Some(secret).filter(|secret| &**secret != "*")),
            Err(failure) => {
                failure.tell();
                Continue(None)
            }
        }
    }

    fn hear(&mut self, line: &[u8]) -> ControlFlow<Stop, Option<(Code, Vec<u8>)>> {
        self.talk.driver.take_auth_reply();
        self.put(line)?;
        self.talk.wait_for_replies(self.session)?;
        Continue(self.talk.driver.take_auth_reply())
    }
}
