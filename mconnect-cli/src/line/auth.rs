//! AUTH where lines are typed without a prompt: who asks for the password there, and how its exchange goes.

use std::ops::ControlFlow::{self, Continue};

use mconnect_core::Session;
use mconnect_core::protocol::{Code, ReplyLine};
use zeroize::Zeroizing;

use super::{Flow, Stop, Talk};
use crate::failure::Failure;
use crate::screen;
use crate::secret::Secret;
use crate::secure::{Between, Footing, Secure, ask_password};

impl Between for (&mut Talk<'_>, &mut Session) {
    type Leave = Stop;

    fn secure(&self) -> &Secure {
        self.0.setting.secure
    }

    fn place(&self) -> Footing {
        let session = &*self.1;
        Footing {
            peer: session.peer().clone(),
            standing: session.standing(),
            extensions: session.extensions(),
            channel: session.channel_bindings(),
        }
    }

    fn ask(&mut self, question: &str) -> ControlFlow<Stop, Option<String>> {
        let _ = screen::put(question.as_bytes());
        let answer = self.0.input.take().ok().map(|block| String::from_utf8_lossy(&block).trim().to_owned());
        Continue(answer.filter(|answer| answer != "*"))
    }

    fn password(&mut self, user: &str) -> ControlFlow<Stop, Result<Option<Secret>, Failure>> {
        let secret = match self.0.setting.secure.password() {
            Ok(None) => ask_password(user).map(Some),
            given => given,
        };
        Continue(secret.map(|secret| secret.filter(|secret| secret.as_str() != "*")))
    }

    fn catch_up(&mut self) -> Flow {
        self.0.listen(self.1)
    }

    fn exchange(&mut self, line: &[u8]) -> ControlFlow<Stop, Option<(Code, Vec<u8>)>> {
        let (talk, session) = self;
        talk.heard.overdue.restart();
        talk.send_octets(session, &Zeroizing::new([line, b"\r\n"].concat()))?;
        talk.wait_for_replies(session)?;
        let text = ReplyLine::new(&talk.heard.last_line).text().to_vec();
        Continue(session.standing().last_answer.map(|answer| (answer.code, text)))
    }

    fn go_on(&mut self) -> Flow {
        Continue(())
    }
}
