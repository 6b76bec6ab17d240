//! AUTH where lines are typed without a prompt: the exchange that `~a` does, and base64 for one by hand.

use std::ops::ControlFlow::Continue;

use mconnect_core::Session;
use mconnect_core::auth::{AuthStep, Credentials, Exchange, Mechanism, encode};
use mconnect_core::protocol::{Phase, ReplyLine};
use zeroize::Zeroizing;

use super::{Flow, Talk};
use crate::prompt::auth::{choose, is_challenged, is_free, require_free};
use crate::screen;
use crate::secret::Secret;
use crate::secure::{ask_password, refused};
use crate::stderr::say;

impl Talk<'_> {
    /// Authenticates, as at the prompt.
    pub(super) fn authenticate(&mut self, session: &mut Session, words: &str) -> Flow {
        let (peer, extensions, channel) = (session.peer().clone(), session.extensions(), session.channel_bindings());
        let chosen = require_free(&session.standing())
            .and_then(|()| choose(words, extensions, &channel, &peer, self.setting.secure))
            .and_then(|(mechanism, is_named, user)| Ok((mechanism, is_named, self.identify(mechanism, user)?)));
        let (mechanism, is_named, user, secret) = match chosen {
            Ok((mechanism, is_named, Some((user, secret)))) => (mechanism, is_named, user, secret),
            Ok((.., None)) => {
                say("mconnect: nothing was sent");
                return Continue(());
            }
            Err(message) => {
                say(&format!("mconnect: {message}"));
                return Continue(());
            }
        };
        let credentials = Credentials::new(&user, &secret);
        let mut exchange = self.setting.secure.exchange(mechanism, is_named, &credentials, &peer);
        if let Err(problem) = exchange.bind(&channel, session.extensions().as_ref()) {
            say(&format!("mconnect: {problem}"));
            return Continue(());
        }
        self.setting.secure.note(&format!("> AUTH {mechanism} (answers not shown)"));
        self.exchange(session, exchange, &user)
    }

    /// Sends bytes in base64 as the answer to a 334; otherwise prints them.
    pub(super) fn encode(&mut self, session: &Session, bytes: &[u8]) {
        let text = encode(bytes);
        if session.phase() == Phase::Auth {
            self.rest.typed.extend_from_slice(Zeroizing::new(text + "\r\n").as_bytes());
        } else {
            say(&text);
        }
    }

    fn identify(&mut self, mechanism: Mechanism, user: Option<String>) -> Result<Option<(String, Secret)>, String> {
        if mechanism == Mechanism::External {
            return Ok(Some((user.unwrap_or_default(), Secret::default())));
        }
        if let Some(doubt) = self.setting.secure.doubt() {
            say(&format!("mconnect: the server is not proven: {doubt}"));
            if !self.ask("authenticate all the same? [y/N] ").is_some_and(|answer| answer.eq_ignore_ascii_case("y")) {
                return Ok(None);
            }
        }
        let Some(user) = user.or_else(|| self.ask("user: ")) else { return Ok(None) };
        let secret = match self.setting.secure.password() {
            Ok(Some(secret)) => Ok(secret),
            Ok(None) => ask_password(&user),
            Err(failure) => Err(failure),
        };
        secret
            .map(|secret| Some((user, secret)).filter(|(_, secret)| &**secret != "*"))
            .map_err(|failure| failure.to_string())
    }

    /// Asks for a line; nothing if it is empty, or a star.
    fn ask(&mut self, question: &str) -> Option<String> {
        let _ = screen::put(question.as_bytes());
        let block = self.setting.input.take().ok()?;
        let line = String::from_utf8_lossy(&block).trim().to_owned();
        Some(line).filter(|line| !line.is_empty() && line != "*")
    }

    fn exchange(&mut self, session: &mut Session, mut exchange: Exchange, user: &str) -> Flow {
        let (mechanism, peer) = (exchange.mechanism(), session.peer().clone());
        let mut line = exchange.command();
        let mut is_first = true;
        loop {
            // What has come already is looked at before a password goes out.
            self.listen(session)?;
            let standing = session.standing();
            let is_asked = if std::mem::take(&mut is_first) { is_free(&standing) } else { is_challenged(&standing) };
            if !is_asked {
                say("mconnect: nothing more of the exchange was sent: the server has said something else since");
                return Continue(());
            }
            self.send_and_hear(session, line.as_bytes())?;
            let Some(answer) = session.standing().last_answer else { return Continue(()) };
            let text = ReplyLine::new(&self.heard.last_line).text().to_vec();
            match exchange.next(answer.code, &text) {
                AuthStep::Answer(answer) => line = answer,
                AuthStep::Granted => {
                    self.setting.secure.note(&format!("authenticated as {user} by {mechanism}"));
                    return Continue(());
                }
                AuthStep::NotGranted => {
                    say(&format!("mconnect: {}", refused(user, mechanism, answer.code)));
                    return Continue(());
                }
                AuthStep::Cancel(problem) => {
                    say(&format!("mconnect: cannot authenticate with {peer}: {problem}"));
                    self.setting.secure.note("> *");
                    return self.send_and_hear(session, b"*");
                }
                AuthStep::Unproven(problem) => {
                    say(&format!("mconnect: do not trust {peer}: {problem}"));
                    return Continue(());
                }
            }
        }
    }

    fn send_and_hear(&mut self, session: &mut Session, line: &[u8]) -> Flow {
        self.heard.overdue.restart();
        self.send_octets(session, &Zeroizing::new([line, b"\r\n"].concat()))?;
        self.wait_for_replies(session)
    }
}
