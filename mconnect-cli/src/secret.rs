//! A text that is wiped in the end, that nothing shows, and that is in no dump of the process.

use std::fmt;
use std::ops::{Deref, DerefMut};
#[cfg(target_os = "linux")]
use std::sync::Mutex;

#[cfg(target_os = "linux")]
use nix::sys::prctl::{get_dumpable, set_dumpable};
use zeroize::Zeroizing;

#[cfg(target_os = "linux")]
use crate::lock::locked;

/// A password, or an answer that may hold one.
pub struct Secret {
    text: Zeroizing<String>,
    _held: Held,
}

impl Secret {
    pub fn new(text: String) -> Self {
        Self { text: Zeroizing::new(text), _held: Held::begin() }
    }
}

/// While there is one of these, the process leaves no core dump, and no other process of the user may look into its
/// memory (on Linux).
pub struct Held(());

impl Held {
    pub fn begin() -> Self {
        #[cfg(target_os = "linux")]
        {
            let mut held = locked(&HELD);
            if held.count == 0 {
                held.was_dumpable = get_dumpable().unwrap_or(false);
                // Where it cannot be forbidden, a secret is no less needed.
                let _ = set_dumpable(false);
            }
            held.count += 1;
        }
        Self(())
    }
}

#[cfg(target_os = "linux")]
impl Drop for Held {
    fn drop(&mut self) {
        let mut held = locked(&HELD);
        held.count -= 1;
        if held.count == 0 && held.was_dumpable {
            let _ = set_dumpable(true);
        }
    }
}

/// How many secrets there are, and whether the process could be dumped before the first of them.
#[cfg(target_os = "linux")]
struct Count {
    count: usize,
    was_dumpable: bool,
}

#[cfg(target_os = "linux")]
static HELD: Mutex<Count> = Mutex::new(Count { count: 0, was_dumpable: false });

impl Default for Secret {
    fn default() -> Self {
        // A text that grows is moved, and what it leaves behind is not wiped.
        Self::new(String::with_capacity(ROOM))
    }
}

impl Deref for Secret {
    type Target = String;

    fn deref(&self) -> &String {
        &self.text
    }
}

impl DerefMut for Secret {
    fn deref_mut(&mut self) -> &mut String {
        &mut self.text
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Few answers and passwords are longer, in octets.
pub const ROOM: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn while_there_is_one_the_process_cannot_be_dumped() {
        let first = Secret::default();
        let second = Secret::new("pencil".to_owned());
        assert_eq!(get_dumpable(), Ok(false));
        drop(first);
        assert_eq!(get_dumpable(), Ok(false));
        drop(second);
    }

    #[test]
    fn it_is_not_shown() {
        assert_eq!(
            format!("{:?} {:#?}", Secret::new("pencil".to_owned()), Some(Secret::default())),
            "Secret Some(\n    Secret,\n)"
        );
    }
}
