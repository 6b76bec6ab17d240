//! A text that is wiped in the end and that nothing shows.

use std::fmt;
use std::ops::{Deref, DerefMut};

use zeroize::Zeroizing;

/// A password, or an answer that may hold one.
pub struct Secret(Zeroizing<String>);

impl Secret {
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl Default for Secret {
    fn default() -> Self {
        // A text that grows is moved, and what it leaves behind is not wiped.
        Self::new(String::with_capacity(ROOM))
    }
}

impl Deref for Secret {
    type Target = String;

    fn deref(&self) -> &String {
        &self.0
    }
}

impl DerefMut for Secret {
    fn deref_mut(&mut self) -> &mut String {
        &mut self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Few answers are longer, in octets.
const ROOM: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_not_shown() {
        assert_eq!(
            format!("{:?} {:#?}", Secret::new("pencil".to_owned()), Some(Secret::default())),
            "Secret Some(\n    Secret,\n)"
        );
    }
}
