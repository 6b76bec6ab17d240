//! The passwords of dialogues that are played.

use std::io::{self, IsTerminal};

use mconnect_core::dialogue::{Dialogue, Directive, Part, Side, Text};

use super::{Secure, password};
use crate::failure::Failure;

impl Secure {
    /// Returns the passwords that the exchanges of these dialogues name and nobody has set, each under its name: the one
    /// that an option or the environment has, or else one that is asked for, if a person is there to answer.
    ///
    /// # Errors
    /// The password cannot be had.
    pub fn passwords<'a>(
        &self,
        dialogues: impl IntoIterator<Item = &'a Dialogue>,
        values: &[(String, String)],
    ) -> Result<Vec<(String, password::Secret)>, Failure> {
        let mut passwords: Vec<(String, password::Secret)> = Vec::new();
        let value = |name: &str| values.iter().find(|(set, _)| set == name).map(|(_, value)| value.as_str());
        for step in dialogues.into_iter().flat_map(Dialogue::steps).filter(|step| step.side == Side::Client) {
            let Directive::Authenticate { user, secret, .. } = &step.directive else { continue };
            let Some(name) = name_of(secret).filter(|name| value(name).is_none()) else { continue };
            if passwords.iter().any(|(known, _)| known == name) {
                continue;
            }
            let asked = match self.password()? {
                Some(secret) => Some(secret),
                None if io::stdin().is_terminal() => {
                    let user =
                        name_of(user).map_or_else(|| literal(user), |name| value(name).unwrap_or(name).to_owned());
                    Some(password::ask(&user)?)
                }
                None => None,
            };
            passwords.extend(asked.map(|secret| (name.to_owned(), secret)));
        }
        Ok(passwords)
    }
}

/// Returns the name that a text is, if it is no more than that.
fn name_of(text: &Text) -> Option<&str> {
    match &*text.0 {
        [Part::Value { name, default: None }] => Some(name),
        _ => None,
    }
}

fn literal(text: &Text) -> String {
    let part = |part: &Part| match part {
        Part::Literal(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Part::Value { name, .. } => format!("${{{name}}}"),
        _ => String::new(),
    };
    text.0.iter().map(part).collect()
}
