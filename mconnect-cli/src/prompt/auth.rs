//! AUTH at the prompt: the exchange that `~a` does, and base64 for one by hand.

use std::ops::ControlFlow::Continue;

use mconnect_core::auth::{AuthStep, Credentials, Exchange, Mechanism, encode};
use mconnect_core::protocol::{Extensions, Phase, Request, Standing, Visible};
use mconnect_core::{ChannelBindings, Peer};
use zeroize::Zeroizing;

use super::ask::Asked;
use super::{Flow, Talk};
use crate::secret::Secret;
use crate::secure::{Secure, is_mechanism, refused};
use crate::stderr::say;
use crate::terminal::Manner;

impl Talk<'_> {
    /// Authenticates; the words are a mechanism and a user, both of which may be missing. What hinders it is told, and
    /// the session goes on.
    pub(super) fn authenticate(&mut self, words: &str) -> Flow {
        let peer = self.writer.peer().clone();
        let (extensions, channel) = (self.writer.extensions(), self.writer.channel_bindings());
        let chosen = require_free(&self.writer.standing())
            .and_then(|()| choose(words, extensions, &channel, &peer, self.setting.secure));
        let (mechanism, is_named, user) = match chosen {
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
        self.show_what_came()?;
        // The server has had time to say something else.
        if !is_free(&self.writer.standing()) {
            say("mconnect: the server no longer waits for a command: nothing was sent");
            return Continue(());
        }
        let credentials = Credentials::new(&user, &secret);
        let mut exchange = self.setting.secure.exchange(mechanism, is_named, &credentials, &peer);
        if let Err(problem) = exchange.bind(&self.writer.channel_bindings(), self.writer.extensions().as_ref()) {
            say(&format!("mconnect: {problem}"));
            return Continue(());
        }
        self.setting.secure.note(&format!("> AUTH {mechanism} (answers not shown)"));
        self.exchange(exchange, &user, &peer)
    }

    /// Sends bytes in base64 as the answer to a 334; otherwise prints them.
    pub(super) fn encode(&mut self, bytes: &[u8]) -> Flow {
        let text = encode(bytes);
        if self.writer.standing().phase == Phase::Auth {
            return self.send_answer(&text);
        }
        say(&text);
        Continue(())
    }

    /// Gives who the user is, and the password, asking for what is not known.
    fn identify(&mut self, mechanism: Mechanism, user: Option<String>) -> Asked<(String, Secret)> {
        if mechanism == Mechanism::External {
            return Continue(Some((user.unwrap_or_default(), Secret::default())));
        }
        if let Some(doubt) = self.setting.secure.doubt() {
            say(&format!("mconnect: the server is not proven: {doubt}"));
            if !self.is_meant("authenticate all the same?")? {
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
        let (secure, terminal) = (self.setting.secure, self.setting.terminal);
        if secure.has_password_command() {
            terminal.restore();
        }
        let given = secure.password();
        if secure.has_password_command() {
            let _ = terminal.enter(Manner::Prompt);
        }
        let secret = match given {
            Ok(Some(secret)) => Some(secret),
            Ok(None) => self.ask(&format!("password of {}: ", Visible(user.as_bytes())), true)?,
            Err(failure) => {
                failure.tell();
                None
            }
        };
        Continue(secret.map(|secret| (user, secret)))
    }

    fn exchange(&mut self, mut exchange: Exchange, user: &str, peer: &Peer) -> Flow {
        let mechanism = exchange.mechanism();
        let mut line = exchange.command();
        let mut is_first = true;
        loop {
            // What has come already is looked at before a password goes out.
            self.show_what_came()?;
            let standing = self.writer.standing();
            let is_asked = if std::mem::take(&mut is_first) { is_free(&standing) } else { is_challenged(&standing) };
            if !is_asked {
                say("mconnect: nothing more of the exchange was sent: the server has said something else since");
                return Continue(());
            }
            self.heard = None;
            self.send(&Zeroizing::new([line.as_bytes(), b"\r\n"].concat()))?;
            self.wait_for_replies()?;
            let Some((code, text)) = self.heard.take() else { return Continue(()) };
            match exchange.next(code, &text) {
                AuthStep::Answer(answer) => line = answer,
                AuthStep::Granted => {
                    self.setting.secure.note(&format!("authenticated as {user} by {mechanism}"));
                    return Continue(());
                }
                AuthStep::NotGranted => {
                    self.advance()?;
                    say(&format!("mconnect: {}", refused(user, mechanism, code)));
                    return Continue(());
                }
                AuthStep::Cancel(problem) => {
                    say(&format!("mconnect: cannot authenticate with {peer}: {problem}"));
                    self.setting.secure.note("> *");
                    return self.send_bytes(b"*\r\n");
                }
                AuthStep::Unproven(problem) => {
                    say(&format!("mconnect: do not trust {peer}: {problem}"));
                    return Continue(());
                }
            }
        }
    }
}

/// Returns the mechanism, whether it was named, and the user if one is named.
///
/// # Errors
/// A sentence on what is wrong with the words, or hinders it.
pub fn choose(
    words: &str,
    extensions: Option<Extensions>,
    channel: &ChannelBindings,
    peer: &Peer,
    secure: &Secure,
) -> Result<(Mechanism, bool, Option<String>), String> {
    let mut words = words.split_whitespace();
    let (asked, user) = match (words.next(), words.next()) {
        (Some(user), None) if !is_mechanism(user) => (None, Some(user)),
        words => words,
    };
    if words.next().is_some() {
        return Err("~a takes a mechanism and a user; the password is asked for".to_owned());
    }
    if asked.is_none() && extensions.is_none() {
        return Err("EHLO comes first: its reply says by which mechanisms".to_owned());
    }
    let mechanism = secure.mechanism(asked, &extensions.unwrap_or_default(), channel, peer)?;
    secure.require_hidden(mechanism, peer)?;
    Ok((mechanism, asked.is_some(), user.map(str::to_owned)))
}

/// Looks whether an exchange can begin.
///
/// # Errors
/// A sentence that says where one goes.
pub fn require_free(standing: &Standing) -> Result<(), String> {
    if is_free(standing) { Ok(()) } else { Err("~a goes where a command can be given and no reply is due".to_owned()) }
}

/// Says whether a command can be given, and nothing that comes is the answer to something else.
pub fn is_free(standing: &Standing) -> bool {
    standing.phase == Phase::Command && standing.outstanding == 0 && !standing.is_closing
}

/// Says whether the last that was said is a challenge.
pub fn is_challenged(standing: &Standing) -> bool {
    let is_of_auth = |request| matches!(request, Some(Request::Auth | Request::AuthAnswer));
    let was_asked = standing.last_answer.is_some_and(|answer| is_of_auth(answer.request));
    standing.phase == Phase::Auth && standing.outstanding == 0 && was_asked
}
