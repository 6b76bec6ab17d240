//! AUTH that a person asks for in a session under way, at the prompt or where lines are typed without one.

use std::ops::ControlFlow::{self, Continue};

use mconnect_core::auth::{AuthStep, Credentials, Exchange, Mechanism};
use mconnect_core::protocol::{Code, Extensions, Phase, Request, Standing};
use mconnect_core::{ChannelBindings, Peer};

use super::{Secure, is_mechanism, refused};
use crate::failure::Failure;
use crate::secret::Secret;
use crate::stderr::say;

/// Whoever has a person and a session between them.
pub trait Between {
    /// Why the session is left meanwhile.
    type Leave;

    fn secure(&self) -> &Secure;

    fn place(&self) -> Footing;

    /// Asks the person; nothing is an answer of `*`, or none.
    fn ask(&mut self, question: &str) -> ControlFlow<Self::Leave, Option<String>>;

    /// Finds the password, or asks for it.
    fn password(&mut self, user: &str) -> ControlFlow<Self::Leave, Result<Option<Secret>, Failure>>;

    /// Shows what the server has said.
    fn catch_up(&mut self) -> ControlFlow<Self::Leave>;

    /// Sends a line, waits for the reply, and returns its code and the text of its last line.
    fn exchange(&mut self, line: &[u8]) -> ControlFlow<Self::Leave, Option<(Code, Vec<u8>)>>;

    /// Goes on after an exchange that granted nothing.
    fn go_on(&mut self) -> ControlFlow<Self::Leave>;
}

/// Where a session stands, and with whom.
pub struct Footing {
    pub peer: Peer,
    pub standing: Standing,
    pub extensions: Option<Extensions>,
    pub channel: ChannelBindings,
}

/// Authenticates; the words are a mechanism and a user, both of which may be missing. What hinders it is told, and the
/// session goes on.
pub fn authenticate<B: Between>(between: &mut B, words: &str) -> ControlFlow<B::Leave> {
    let begun = match choose(words, &between.place(), between.secure()) {
        Ok((mechanism, is_named, user)) => begin(between, mechanism, is_named, user)?,
        Err(message) => Err(message),
    };
    match begun {
        Ok((exchange, user)) => converse(between, exchange, &user),
        Err(message) => {
            say(&format!("mconnect: {message}"));
            Continue(())
        }
    }
}

/// Returns the mechanism, whether it was named, and the user if one is named.
///
/// # Errors
/// A sentence on what is wrong with the words, or hinders it.
fn choose(words: &str, place: &Footing, secure: &Secure) -> Result<(Mechanism, bool, Option<String>), String> {
    if !is_free(&place.standing) {
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
    if asked.is_none() && place.extensions.is_none() {
        return Err("EHLO comes first: its reply says by which mechanisms".to_owned());
    }
    let offered = place.extensions.clone().unwrap_or_default();
    let mechanism = secure.mechanism(asked, &offered, &place.channel, &place.peer)?;
    secure.require_hidden(mechanism, &place.peer)?;
    Ok((mechanism, asked.is_some(), user.map(str::to_owned)))
}

/// Returns the exchange and its user, or a sentence that says why there is none.
fn begin<B: Between>(
    between: &mut B,
    mechanism: Mechanism,
    is_named: bool,
    user: Option<String>,
) -> ControlFlow<B::Leave, Result<(Exchange, String), String>> {
    let Some((user, secret)) = identify(between, mechanism, user)? else {
        return Continue(Err("nothing was sent".to_owned()));
    };
    between.catch_up()?;
    let place = between.place();
    // The server has had time to say something else.
    if !is_free(&place.standing) {
        return Continue(Err("the server no longer waits for a command: nothing was sent".to_owned()));
    }
    let credentials = Credentials::new(&user, &secret);
    let mut exchange = between.secure().exchange(mechanism, is_named, &credentials, &place.peer);
    let bound = exchange.bind(&place.channel, place.extensions.as_ref());
    Continue(bound.map(|()| (exchange, user)).map_err(|problem| problem.to_string()))
}

/// Returns who the user is, and the password, asking for what is not known.
fn identify<B: Between>(
    between: &mut B,
    mechanism: Mechanism,
    user: Option<String>,
) -> ControlFlow<B::Leave, Option<(String, Secret)>> {
    if mechanism == Mechanism::External {
        return Continue(Some((user.unwrap_or_default(), Secret::default())));
    }
    if let Some(doubt) = between.secure().doubt() {
        say(&format!("mconnect: the server is not proven: {doubt}"));
        let answer = between.ask("authenticate all the same? [y/N] ")?;
        if !answer.is_some_and(|word| ["y", "yes"].contains(&word.trim().to_ascii_lowercase().as_str())) {
            return Continue(None);
        }
    }
    let user = match user {
        Some(user) => Some(user),
        None => between.ask("user: ")?.filter(|user| !user.is_empty()),
    };
    let Some(user) = user else { return Continue(None) };
    let secret = between.password(&user)?.unwrap_or_else(|failure| {
        failure.tell();
        None
    });
    Continue(secret.map(|secret| (user, secret)))
}

fn converse<B: Between>(between: &mut B, mut exchange: Exchange, user: &str) -> ControlFlow<B::Leave> {
    let (mechanism, peer) = (exchange.mechanism(), between.place().peer);
    between.secure().note(&format!("> AUTH {mechanism} (answers not shown)"));
    let mut line = exchange.command();
    let mut is_asked: fn(&Standing) -> bool = is_free;
    loop {
        // What has come already is looked at before a password goes out.
        between.catch_up()?;
        if !is_asked(&between.place().standing) {
            say("mconnect: nothing more of the exchange was sent: the server has said something else since");
            return Continue(());
        }
        is_asked = is_challenged;
        let Some((code, text)) = between.exchange(line.as_bytes())? else { return Continue(()) };
        match exchange.next(code, &text) {
            AuthStep::Answer(answer) => line = answer,
            AuthStep::Granted => {
                between.secure().note(&format!("authenticated as {user} by {mechanism}"));
                return Continue(());
            }
            AuthStep::NotGranted => {
                between.go_on()?;
                say(&format!("mconnect: {}", refused(user, mechanism)));
                return Continue(());
            }
            AuthStep::Cancel(problem) => {
                say(&format!("mconnect: cannot authenticate with {peer}: {problem}"));
                between.secure().note("> *");
                between.exchange(b"*")?;
                return between.go_on();
            }
            AuthStep::Unproven(problem) => {
                say(&format!("mconnect: do not trust {peer}: {problem}"));
                return Continue(());
            }
        }
    }
}

/// Says whether a command can be given, and nothing that comes is the answer to something else.
fn is_free(standing: &Standing) -> bool {
    standing.phase == Phase::Command && standing.outstanding == 0 && !standing.is_closing
}

/// Says whether the last that was said is a challenge.
fn is_challenged(standing: &Standing) -> bool {
    let is_of_auth = |request| matches!(request, Some(Request::Auth | Request::AuthAnswer));
    let was_asked = standing.last_answer.is_some_and(|answer| is_of_auth(answer.request));
    standing.phase == Phase::Auth && standing.outstanding == 0 && was_asked
}
