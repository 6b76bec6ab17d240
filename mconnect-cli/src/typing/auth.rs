//! AUTH where lines are typed: the exchange that `~a` does, and base64 for one by hand.

use std::ops::ControlFlow::{self, Continue};

use mconnect_core::auth::{AuthStep, Credentials, Exchange, Mechanism, encode as base64};
use mconnect_core::protocol::{Code, Phase};
use zeroize::Zeroizing;

use super::Typing;
use crate::connection::Setting;
use crate::secret::Secret;
use crate::secure::refused;
use crate::stderr::say;

/// A session that a person types at, as an exchange needs it.
pub trait Authenticating: Typing {
    fn setting(&self) -> &Setting<'_>;

    /// Shows what the server has said already.
    fn look(&mut self) -> ControlFlow<Self::Leave>;

    /// Returns the password of a user, who is asked for it if need be; nothing if there is none, which has been told.
    fn password(&mut self, user: &str) -> ControlFlow<Self::Leave, Option<Secret>>;

    /// Sends a line, and returns the code and the text of the reply to it, if one came.
    fn hear(&mut self, line: &[u8]) -> ControlFlow<Self::Leave, Option<(Code, Vec<u8>)>>;
}

/// Authenticates; the words are a mechanism and a user, both of which may be missing. What hinders it is told, and the
/// session goes on.
pub fn authenticate<T: Authenticating>(talk: &mut T, words: &str) -> ControlFlow<T::Leave> {
    let (mechanism, is_named, user) = match choose(words, talk) {
        Ok(chosen) => chosen,
        Err(message) => {
            say(&format!("mconnect: {message}"));
            return Continue(());
        }
    };
    let Some((user, secret)) = identify(talk, mechanism, user)? else {
        say("mconnect: nothing was sent");
        return Continue(());
    };
    talk.look()?;
    // The server has had time to say something else.
    if !talk.standing().takes_command() {
        say("mconnect: the server no longer waits for a command: nothing was sent");
        return Continue(());
    }
    let credentials = Credentials::new(&user, &secret);
    let (secure, session) = (talk.setting().secure, talk.session());
    let mut exchange = secure.exchange(mechanism, is_named, &credentials, session.peer());
    if let Err(problem) = exchange.bind(&session.channel_bindings(), session.extensions().as_ref()) {
        say(&format!("mconnect: {problem}"));
        return Continue(());
    }
    secure.note(&format!("> AUTH {mechanism} (answers not shown)"));
    converse(talk, exchange, &user)
}

/// Sends bytes in base64 as the answer to a 334; otherwise prints them.
pub fn encode<T: Typing>(talk: &mut T, bytes: &[u8]) -> ControlFlow<T::Leave> {
    let text = base64(bytes);
    if talk.standing().phase == Phase::Auth {
        talk.put(Zeroizing::new(text + "\r\n").as_bytes())?;
        return talk.settle();
    }
    say(&text);
    Continue(())
}

/// Returns who the user is, and the password; nothing if that is not said.
fn identify<T: Authenticating>(
    talk: &mut T,
    mechanism: Mechanism,
    user: Option<String>,
) -> ControlFlow<T::Leave, Option<(String, Secret)>> {
    if mechanism == Mechanism::External {
        return Continue(Some((user.unwrap_or_default(), Secret::default())));
    }
    if let Some(doubt) = talk.setting().secure.doubt() {
        say(&format!("mconnect: the server is not proven: {doubt}"));
        if !talk.is_meant("authenticate all the same?")? {
            return Continue(None);
        }
    }
    let user = match user {
        Some(user) => Some(user),
        None => talk.inquire("user: ")?.filter(|user| !user.is_empty()),
    };
    let Some(user) = user else { return Continue(None) };
    let secret = talk.password(&user)?;
    Continue(secret.map(|secret| (user, secret)))
}

fn converse<T: Authenticating>(talk: &mut T, mut exchange: Exchange, user: &str) -> ControlFlow<T::Leave> {
    let (mechanism, peer) = (exchange.mechanism(), talk.session().peer().clone());
    let mut line = exchange.command();
    let mut is_first = true;
    loop {
        // What has come already is looked at before a password goes out.
        talk.look()?;
        let standing = talk.standing();
        let is_asked = if std::mem::take(&mut is_first) { standing.takes_command() } else { standing.takes_answer() };
        if !is_asked {
            say("mconnect: nothing more of the exchange was sent: the server has said something else since");
            return Continue(());
        }
        let Some((code, text)) = talk.hear(&Zeroizing::new([line.as_bytes(), b"\r\n"].concat()))? else {
            return Continue(());
        };
        match exchange.next(code, &text) {
            AuthStep::Answer(answer) => line = answer,
            AuthStep::Granted => {
                talk.setting().secure.authenticated(user);
                talk.setting().secure.note(&format!("authenticated as {user} by {mechanism}"));
                return Continue(());
            }
            AuthStep::NotGranted => {
                talk.settle()?;
                say(&format!("mconnect: {}", refused(user, mechanism, code)));
                return Continue(());
            }
            AuthStep::Cancel(problem) => {
                say(&format!("mconnect: cannot authenticate with {peer}: {problem}"));
                talk.setting().secure.note("> *");
                talk.put(b"*\r\n")?;
                return talk.settle();
            }
            AuthStep::Unproven(problem) => {
                say(&format!("mconnect: do not trust {peer}: {problem}"));
                return Continue(());
            }
        }
    }
}

/// Returns the mechanism, whether it was named, and the user if one is named.
///
/// # Errors
/// A sentence on what is wrong with the words, or hinders it.
fn choose<T: Authenticating>(words: &str, talk: &T) -> Result<(Mechanism, bool, Option<String>), String> {
    if !talk.standing().takes_command() {
        return Err("~a goes where a command can be given and no reply is due".to_owned());
    }
    let (secure, session) = (talk.setting().secure, talk.session());
    let (extensions, peer) = (session.extensions(), session.peer());
    let mut words = words.split_whitespace();
    let (asked, user) = match (words.next(), words.next()) {
        (Some(user), None) if Mechanism::from_name(user.as_bytes()).is_none() => (None, Some(user)),
        words => words,
    };
    if words.next().is_some() {
        return Err("~a takes a mechanism and a user; the password is asked for".to_owned());
    }
    if asked.is_none() && extensions.is_none() {
        return Err("EHLO comes first: its reply says by which mechanisms".to_owned());
    }
    let asked = asked.map(str::parse::<Mechanism>).transpose().map_err(|unknown| unknown.to_string())?;
    let mechanism = secure.mechanism(asked, &extensions.unwrap_or_default(), &session.channel_bindings(), peer)?;
    Ok((mechanism, asked.is_some(), user.map(str::to_owned)))
}
