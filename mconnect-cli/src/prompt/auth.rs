//! AUTH where lines are typed: the exchange that `~a` does, and base64 for one by hand.

use std::ops::ControlFlow::Continue;

use mconnect_core::auth::{AuthStep, Credentials, Exchange, Mechanism, encode as base64};
use mconnect_core::protocol::{Code, Phase, Visible};
use zeroize::Zeroizing;

use super::ask::Asked;
use super::{Flow, Talk};
use crate::secret::Secret;
use crate::secure::refused;
use crate::stderr::{note, say};

impl Talk<'_> {
    /// Authenticates; the words are a mechanism and a user, both of which may be missing. What hinders it is told, and the
    /// session goes on.
    pub(super) fn authenticate(&mut self, words: &str) -> Flow {
        let (mechanism, is_named, user) = match self.choose(words) {
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
        if !self.session.standing().takes_command() {
            say("mconnect: the server no longer waits for a command: nothing was sent");
            return Continue(());
        }
        let credentials = Credentials::new(&user, &secret);
        let (secure, session) = (self.setting.secure, &self.session);
        let mut exchange = secure.exchange(mechanism, is_named, &credentials, session.peer());
        if let Err(problem) = exchange.bind(&session.channel_bindings(), session.extensions().as_ref()) {
            say(&format!("mconnect: {problem}"));
            return Continue(());
        }
        note(&format!("> AUTH {mechanism} (answers not shown)"), self.setting.options.is_quiet);
        self.authenticate_by(exchange, &user)
    }

    /// Sends bytes in base64 as the answer to a 334; otherwise prints them.
    pub(super) fn encode(&mut self, bytes: &[u8]) -> Flow {
        let text = base64(bytes);
        if self.session.standing().phase == Phase::Auth {
            self.send(Zeroizing::new(text + "\r\n").as_bytes())?;
            return self.conclude();
        }
        say(&text);
        Continue(())
    }

    /// Returns who the user is, and the password; nothing if that is not said.
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
            Some(user) => Some(user),
            None => self.inquire("user: ")?.filter(|user| !user.is_empty()),
        };
        let Some(user) = user else { return Continue(None) };
        let secret = self.password(&user)?;
        Continue(secret.map(|secret| (user, secret)))
    }

    fn authenticate_by(&mut self, mut exchange: Exchange, user: &str) -> Flow {
        let (mechanism, peer) = (exchange.mechanism(), self.session.peer().clone());
        let mut line = exchange.command();
        let mut is_first = true;
        loop {
            // What has come already is looked at before a password goes out.
            self.show_what_came()?;
            let standing = self.session.standing();
            let is_asked =
                if std::mem::take(&mut is_first) { standing.takes_command() } else { standing.takes_answer() };
            if !is_asked {
                say("mconnect: nothing more of the exchange was sent: the server has said something else since");
                return Continue(());
            }
            let Some((code, text)) = self.hear_answer(&Zeroizing::new([line.as_bytes(), b"\r\n"].concat()))? else {
                return Continue(());
            };
            match exchange.next(code, &text) {
                AuthStep::Answer(answer) => line = answer,
                AuthStep::Granted => {
                    self.setting.secure.authenticated(user);
                    note(&format!("authenticated as {user} by {mechanism}"), self.setting.options.is_quiet);
                    return Continue(());
                }
                AuthStep::NotGranted => {
                    self.conclude()?;
                    say(&format!("mconnect: {}", refused(user, mechanism, code)));
                    return Continue(());
                }
                AuthStep::Cancel(problem) => {
                    say(&format!("mconnect: cannot authenticate with {peer}: {problem}"));
                    note("> *", self.setting.options.is_quiet);
                    self.send(b"*\r\n")?;
                    return self.conclude();
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
    fn choose(&self, words: &str) -> Result<(Mechanism, bool, Option<String>), String> {
        if !self.session.standing().takes_command() {
            return Err("~a goes where a command can be given and no reply is due".to_owned());
        }
        let (secure, session) = (self.setting.secure, &self.session);
        let mut words = words.split_whitespace();
        let (asked, user) = match (words.next(), words.next()) {
            (Some(user), None) if Mechanism::from_name(user.as_bytes()).is_none() => (None, Some(user)),
            words => words,
        };
        if words.next().is_some() {
            return Err("~a takes a mechanism and a user; the password is asked for".to_owned());
        }
        if asked.is_none() && session.extensions().is_none() {
            return Err("EHLO comes first: its reply says by which mechanisms".to_owned());
        }
        let asked = asked.map(str::parse::<Mechanism>).transpose().map_err(|unknown| unknown.to_string())?;
        let mechanism = secure.mechanism(asked, session)?;
        Ok((mechanism, asked.is_some(), user.map(str::to_owned)))
    }

    /// Returns the password of a user, who is asked for it if need be; nothing if there is none, which has been told.
    fn password(&mut self, user: &str) -> Asked<Secret> {
        let (secure, terminal) = (self.setting.secure, self.setting.terminal);
        if secure.has_password_command() {
            terminal.restore();
        }
        let given = secure.password();
        if secure.has_password_command() {
            terminal.resume();
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

    /// Sends a line, and returns the code and the text of the reply to it, if one came.
    fn hear_answer(&mut self, line: &[u8]) -> Asked<(Code, Vec<u8>)> {
        self.driver.take_auth_reply();
        self.send(line)?;
        self.wait_for_replies()?;
        Continue(self.driver.take_auth_reply())
    }
}
