//! The passwords of dialogues that are played.

use std::io::{self, IsTerminal};

use mconnect_core::dialogue::{Dialogue, Values};

use super::Secure;
use crate::failure::Failure;
use crate::password::ask as ask_password;
use crate::secret::Secret;

impl Secure {
    /// Returns the passwords that the exchanges of these dialogues name and nobody has set, each under its name: the one
    /// that an option or the environment has, or else one that is asked for, if a person is there to answer.
    ///
    /// # Errors
    /// The password cannot be had.
    pub fn passwords<'a>(
        &self,
        dialogues: impl IntoIterator<Item = &'a Dialogue>,
        values: &Values,
    ) -> Result<Vec<(String, Secret)>, Failure> {
        let mut passwords: Vec<(String, Secret)> = Vec::new();
        for missing in dialogues.into_iter().flat_map(|dialogue| dialogue.missing_passwords(values)) {
            if passwords.iter().any(|(known, _)| *known == missing.name) {
                continue;
            }
            let asked = match self.password()? {
                Some(secret) => Some(secret),
                None if io::stdin().is_terminal() => Some(ask_password(&missing.user)?),
                None => None,
            };
            passwords.extend(asked.map(|secret| (missing.name, secret)));
        }
        Ok(passwords)
    }
}
