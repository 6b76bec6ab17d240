//! AUTH at the prompt: the exchange that `~a` does, and base64 for one by hand.

use std::ops::ControlFlow::{self, Continue};

use mconnect_core::Peer;
use mconnect_core::auth::{Credentials, Exchange, Mechanism, encode};
use mconnect_core::protocol::{Code, Phase, Visible};
use zeroize::Zeroizing;

pub use mconnect_core::auth::decode;

use super::editor::Typed;
use super::helper::Knowledge;
use super::{Flow, Leave, Talk};
use crate::secret::Secret;
use crate::verdict::say;

/// What was asked for, or why there is nothing: `None` was said already, or needs no word.
type Asked<T> = ControlFlow<Leave, Option<T>>;

impl Talk<'_> {
    /// Authenticates; the words are a mechanism and a user, both of which may be missing. What hinders it is told, and
    /// the session goes on.
    pub(super) fn authenticate(&mut self, words: &str) -> Flow {
        let peer = self.writer.peer().clone();
        let (mechanism, user) = match self.choose(words, &peer) {
            Ok(chosen) => chosen,
            Err(message) => {
                say(&format!("mconnect: {message}"));
                return Continue(());
            }
        };
        let Some((user, secret)) = self.identify(mechanism, user)? else {
            say("mconnect: nothing was sent");
            return Continue(());
        };
        // The server has had time to say something else.
        if !self.is_free() {
            say("mconnect: the server no longer waits for a command: nothing was sent");
            return Continue(());
        }
        let exchange = Exchange::new(mechanism, &Credentials::new(&user, &secret)).host(peer.name());
        self.setting.secure.note(&format!("> AUTH {mechanism} (answers not shown)"));
        self.exchange(exchange, &user, &peer)
    }

    /// Sends bytes in base64 as the answer to a 334; otherwise prints them.
    pub(super) fn encode(&mut self, bytes: &[u8]) -> Flow {
        let text = encode(bytes);
        if self.writer.standing().phase == Phase::Auth {
            return self.send_lines(vec![text]);
        }
        say(&text);
        Continue(())
    }

    /// Gives the mechanism, and the user if one is named.
    fn choose(&self, words: &str, peer: &Peer) -> Result<(Mechanism, Option<String>), String> {
        if !self.is_free() {
            return Err("~a goes where a command can be given and no reply is due".to_owned());
        }
        let mut words = words.split_whitespace();
        let (asked, user) = match (words.next(), words.next()) {
            (Some(user), None) if !is_mechanism(user) => (None, Some(user)),
            words => words,
        };
        if words.next().is_some() {
            return Err("~a takes a mechanism and a user; the password is asked for".to_owned());
        }
        let extensions = self.writer.extensions();
        if asked.is_none() && extensions.is_none() {
            return Err("EHLO comes first: its reply says by which mechanisms".to_owned());
        }
        let secure = self.setting.secure;
        let mechanism = secure.mechanism(asked, &extensions.unwrap_or_default(), peer)?;
        secure.require_hidden(mechanism, peer)?;
        Ok((mechanism, user.map(str::to_owned)))
    }

    /// Gives who the user is, and the password, asking for what is not known.
    fn identify(&mut self, mechanism: Mechanism, user: Option<String>) -> Asked<(String, Secret)> {
        if mechanism == Mechanism::External {
            return Continue(Some((user.unwrap_or_default(), Secret::default())));
        }
        if let Some(doubt) = self.setting.secure.doubt() {
            say(&format!("mconnect: the server is not proven: {doubt}"));
            let is_meant = self.ask("authenticate all the same? [y/N] ", false)?;
            if !is_meant.is_some_and(|word| ["y", "yes"].contains(&word.trim().to_ascii_lowercase().as_str())) {
                return Continue(None);
            }
        }
        let user = match user {
            Some(user) => user,
            None => match self.ask("user: ", false)? {
                Some(user) if !user.is_empty() => user.to_string(),
                _ => return Continue(None),
            },
        };
        let secret = match self.setting.secure.password() {
            Ok(Some(secret)) => Some(secret),
            Ok(None) => self.ask(&format!("password of {}: ", Visible(user.as_bytes())), true)?,
            Err((_, message)) => {
                say(&format!("mconnect: {message}"));
                None
            }
        };
        Continue(secret.map(|secret| (user, secret)))
    }

    fn exchange(&mut self, mut exchange: Exchange, user: &str, peer: &Peer) -> Flow {
        let mechanism = exchange.mechanism();
        let mut line = exchange.command();
        loop {
            self.heard = None;
            self.send(&Zeroizing::new([line.as_bytes(), b"\r\n"].concat()))?;
            self.wait_for_replies()?;
            let Some((code, text)) = self.heard.take() else { return Continue(()) };
            match (exchange.next(code, &text), code) {
                (Ok(Some(answer)), _) => line = answer,
                (Ok(None), Code::AUTHENTICATED) => {
                    self.setting.secure.note(&format!("authenticated as {user} by {mechanism}"));
                    return Continue(());
                }
                (Ok(None), _) => {
                    say(&format!("mconnect: authentication as {user} by {mechanism} was refused"));
                    return Continue(());
                }
                (Err(problem), Code::CHALLENGE) => {
                    say(&format!("mconnect: cannot authenticate with {peer}: {problem}"));
                    self.setting.secure.note("> *");
                    return self.send_bytes(b"*\r\n");
                }
                (Err(problem), _) => {
                    say(&format!("mconnect: do not trust {peer}: {problem}"));
                    return Continue(());
                }
            }
        }
    }

    /// Asks the user; nothing is an answer of `*`, or Ctrl-D. What the server says meanwhile is shown.
    fn ask(&mut self, question: &str, is_secret: bool) -> Asked<Secret> {
        // What is half typed when the server closes is no command to keep.
        self.asked = Phase::Auth;
        self.editor.inform(Knowledge { is_text: true, ..Knowledge::default() });
        loop {
            self.show_what_came()?;
            let answer = match self.editor.read(question, is_secret) {
                Ok(Typed::Line(line)) => Secret::new(line),
                Ok(Typed::Secret(line)) => line,
                // Of a paste, what goes on after its first line is not for here.
                Ok(Typed::Lines(lines)) => Secret::new(lines.into_iter().next().unwrap_or_default()),
                Ok(Typed::EndOfInput) => return Continue(None),
                Ok(Typed::Break) => continue,
                Ok(Typed::Suspend) => {
                    self.suspend();
                    continue;
                }
                Ok(Typed::Interrupt) => {
                    self.interrupt();
                    continue;
                }
                Err(error) => return self.cannot_type(&error).map_continue(|()| None),
            };
            return Continue(Some(answer).filter(|answer| answer.as_str() != "*"));
        }
    }

    /// Says whether a command can be given, and nothing that comes is the answer to something else.
    fn is_free(&self) -> bool {
        let standing = self.writer.standing();
        standing.phase == Phase::Command && standing.outstanding == 0 && !standing.is_closing
    }
}

/// Says whether a word names a mechanism.
pub fn is_mechanism(word: &str) -> bool {
    Mechanism::from_name(word.as_bytes()).is_some()
}
