//! AUTH at the prompt: who asks for the password there, and how its exchange goes.

use std::ops::ControlFlow::{self, Continue};

use mconnect_core::protocol::{Code, Visible};
use zeroize::Zeroizing;

use super::{Flow, Leave, Talk};
use crate::connection::Setting;
use crate::failure::Failure;
use crate::secret::Secret;
use crate::secure::{Between, Footing, Secure};
use crate::terminal::Manner;

impl Between for Talk<'_> {
    type Leave = Leave;

    fn secure(&self) -> &Secure {
        self.setting.secure
    }

    fn place(&self) -> Footing {
        Footing {
            peer: self.writer.peer().clone(),
            standing: self.writer.standing(),
            extensions: self.writer.extensions(),
            channel: self.writer.channel_bindings(),
        }
    }

    fn ask(&mut self, question: &str) -> ControlFlow<Leave, Option<String>> {
        Talk::ask(self, question, false).map_continue(|answer| answer.map(|answer| answer.to_string()))
    }

    fn password(&mut self, user: &str) -> ControlFlow<Leave, Result<Option<Secret>, Failure>> {
        let Setting { secure, terminal, .. } = self.setting;
        if secure.has_password_command() {
            terminal.restore();
        }
        let given = secure.password();
        if secure.has_password_command() {
            let _ = terminal.enter(Manner::Prompt);
        }
        match given {
            Ok(None) => Talk::ask(self, &format!("password of {}: ", Visible(user.as_bytes())), true).map_continue(Ok),
            given => Continue(given),
        }
    }

    fn catch_up(&mut self) -> Flow {
        self.show_what_came()
    }

    fn exchange(&mut self, line: &[u8]) -> ControlFlow<Leave, Option<(Code, Vec<u8>)>> {
        self.heard = None;
        self.send(&Zeroizing::new([line, b"\r\n"].concat()))?;
        self.wait_for_replies()?;
        Continue(self.heard.take())
    }

    fn go_on(&mut self) -> Flow {
        self.advance()
    }
}
