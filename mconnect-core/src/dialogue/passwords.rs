//! Which passwords a dialogue wants.

use super::{Dialogue, Directive, Part, Side, Text, Values};

/// A password that a dialogue has a name for, and nobody has set.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MissingPassword {
    /// Its name: [`Player::set_secret`](super::Player::set_secret) sets it.
    pub name: String,
    /// Whose it is, as far as that is known: the user, or else the user's name in the dialogue.
    pub user: String,
}

impl Dialogue {
    /// Returns the passwords that its `*authenticate*` steps name and `values` does not have, each once: for a caller who
    /// asks for them before the session begins.
    ///
    /// ```
    /// use mconnect_core::dialogue::{Dialogue, Values};
    ///
    /// let dialogue = Dialogue::parse("S: 220\nC: EHLO x\nS: 250\nC: *authenticate plain ${user} ${password}*")?;
    /// let mut values = Values::default();
    /// values.set("user", "kim");
    /// let missing = dialogue.missing_passwords(&values);
    /// assert_eq!((missing[0].name.as_str(), missing[0].user.as_str()), ("password", "kim"));
    /// values.set("password", "pencil");
    /// assert!(dialogue.missing_passwords(&values).is_empty());
    /// # Ok::<(), mconnect_core::dialogue::SyntaxError>(())
    /// ```
    pub fn missing_passwords(&self, values: &Values) -> Vec<MissingPassword> {
        let mut missing = Vec::<MissingPassword>::new();
        for step in self.steps().iter().filter(|step| step.side == Side::Client) {
            let Directive::Authenticate { user, secret, .. } = &step.directive else { continue };
            let Some(name) = name_of(secret).filter(|name| values.get(name).is_none()) else { continue };
            if missing.iter().all(|known| known.name != name) {
                let is_set = values.fill(user).map(|user| String::from_utf8_lossy(&user).into_owned());
                let user = is_set.unwrap_or_else(|_| name_of(user).map_or_else(|| user.to_string(), str::to_owned));
                missing.push(MissingPassword { name: name.to_owned(), user });
            }
        }
        missing
    }
}

/// Returns the name that a text is, if it is no more than that.
fn name_of(text: &Text) -> Option<&str> {
    match &*text.0 {
        [Part::Value { name, default: None }] => Some(name),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_named_once_with_whom_it_is_of_and_none_that_is_written_or_the_servers() {
        let dialogue = Dialogue::parse(
            "S: 220\nC: *authenticate plain ${nobody_has_set_this} ${one}*\nC: *authenticate plain kim ${one}*\n\
             C: *authenticate plain kim@${nobody_has_set_this} ${other}*\nC: *authenticate plain kim pencil*\n",
        );
        let missing = dialogue.unwrap().missing_passwords(&Values::default());
        let told: Vec<(&str, &str)> = missing.iter().map(|one| (&*one.name, &*one.user)).collect();
        assert_eq!(told, [("one", "nobody_has_set_this"), ("other", "kim@${nobody_has_set_this}")]);
    }
}
