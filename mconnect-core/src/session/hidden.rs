//! What observers are not shown.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use memchr::{memchr, memmem};

use crate::observer::Event;

/// Texts that are secret, wherever they are sent.
#[derive(Default)]
pub(super) struct Hidden(Mutex<Vec<Vec<u8>>>);

impl Hidden {
    pub fn add(&self, secret: &[u8]) {
        let mut secrets = self.secrets();
        if !secret.is_empty() && !secrets.iter().any(|known| known == secret) {
            secrets.push(secret.to_vec());
        }
    }

    /// Tells of bytes that are sent; a secret, and the rest of its line with it, is told as octets alone.
    pub fn tell(&self, mut bytes: &[u8], mut tell: impl FnMut(&Event<'_>)) {
        while let Some(secret) = self.find(bytes) {
            let (shown, rest) = bytes.split_at(secret.start);
            let last = secret.len() - 1;
            let end = memchr(b'\n', &rest[last..]).map_or(rest.len(), |lf| last + lf + 1);
            if !shown.is_empty() {
                tell(&Event::Sent(shown));
            }
            tell(&Event::SentSecret(end));
            bytes = &rest[end..];
        }
        if !bytes.is_empty() {
            tell(&Event::Sent(bytes));
        }
    }

    /// Gives where the first secret stands.
    fn find(&self, bytes: &[u8]) -> Option<Range<usize>> {
        let secrets = self.secrets();
        let found = secrets.iter().filter_map(|secret| memmem::find(bytes, secret).map(|at| at..at + secret.len()));
        found.min_by_key(|found| found.start)
    }

    fn secrets(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_and_the_rest_of_its_line_are_left_out() {
        let hidden = Hidden::default();
        ["hush", "", "hush", "two\r\nlines"].iter().for_each(|secret| hidden.add(secret.as_bytes()));
        let told = |bytes: &[u8]| {
            let mut told = Vec::new();
            hidden.tell(bytes, |event| match event {
                Event::Sent(bytes) => told.push(bytes.escape_ascii().to_string()),
                Event::SentSecret(count) => told.push(format!("[{count}]")),
                _ => {}
            });
            told.join(" ")
        };
        assert_eq!(told(b"NOOP\r\n"), "NOOP\\r\\n");
        assert_eq!(told(b"X hush it\r\nhush\r\nY\r\n"), "X  [9] [6] Y\\r\\n");
        assert_eq!(told(b"hush"), "[4]");
        assert_eq!(told(b"two\r\nlines\r\nZ"), "[12] Z");
    }
}
