//! What observers are not shown.
//!
//! The secrets of AUTH are found by the tracker, from the grammar. These here are texts that the caller named
//! ([`Session::hide`](super::Session::hide)), and are found as texts: in each write by itself, and in each line of a
//! reply.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use memchr::memmem;

use crate::observer::Event;
use crate::protocol::{ReplyLine, scan, wipe};

/// Texts that are secret, wherever they are sent, and wherever the server repeats them. Its lock is taken for a look,
/// and never while the observer is told.
#[derive(Default)]
pub(super) struct Hidden(Mutex<Vec<Vec<u8>>>);

impl Hidden {
    /// Keeps a copy of a secret, once, to be wiped in the end; a line end behind it is none of it. An empty one would be
    /// everywhere, and is left out.
    pub fn add(&self, secret: &[u8]) {
        let mut secrets = self.secrets();
        let end = secret.iter().rposition(|octet| !matches!(octet, b'\r' | b'\n')).map_or(0, |last| last + 1);
        let secret = &secret[..end];
        if !secret.is_empty() && !secrets.iter().any(|known| known == secret) {
            secrets.push(secret.to_vec());
        }
    }

    /// Tells of bytes that are sent; a secret, and the rest of its line with it, is told as octets alone.
    pub fn tell(&self, mut bytes: &[u8], mut tell: impl FnMut(&Event<'_>)) {
        while let Some(secret) = self.find(bytes) {
            let (shown, rest) = bytes.split_at(secret.start);
            let last = secret.len() - 1;
            let end = scan::find(b'\n', &rest[last..]).map_or(rest.len(), |lf| last + lf + 1);
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

    /// Tells of a line that was received; each octet of a secret in its text is told as `*`. A piece of a line longer
    /// than the limit is told as it is.
    pub fn tell_line(&self, line: ReplyLine<'_>, mut tell: impl FnMut(&Event<'_>)) {
        let masked = self.masked(line);
        tell(&Event::Received(masked.as_deref().map_or(line, ReplyLine::new)));
    }

    /// Returns a line without the secrets in its text; nothing if there are none, or it is a later piece of a long one.
    /// The code in front stays what it is, also if a secret has the same digits: what follows the session by its events
    /// would go wrong otherwise.
    fn masked(&self, line: ReplyLine<'_>) -> Option<Vec<u8>> {
        let (raw, content) = (line.raw(), line.content());
        let start = content.len() - line.text().len();
        let mut masked = None;
        for secret in self.secrets().iter() {
            for at in memmem::find_iter(&raw[start..], secret) {
                let masked: &mut Vec<u8> = masked.get_or_insert_with(|| raw.to_vec());
                masked[start + at..][..secret.len()].fill(b'*');
            }
        }
        let mut masked = masked.filter(|_| ReplyLine::new(raw) == line)?;
        if ReplyLine::new(&masked).code() != line.code() {
            // A letter right after the code is what makes it one.
            masked[start] = b'x';
        }
        Some(masked)
    }

    /// Says whether one of the secrets is in some bytes.
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.find(bytes).is_some()
    }

    /// Returns where the first secret stands.
    fn find(&self, bytes: &[u8]) -> Option<Range<usize>> {
        let secrets = self.secrets();
        let found = secrets.iter().filter_map(|secret| memmem::find(bytes, secret).map(|at| at..at + secret.len()));
        found.min_by_key(|found| found.start)
    }

    fn secrets(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        self.secrets().iter_mut().for_each(|secret| wipe(secret));
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

    #[test]
    fn a_secret_that_the_server_repeats_is_told_as_stars_and_its_code_stays() {
        let hidden = Hidden::default();
        let told = |line: &'static [u8]| {
            let mut told = None;
            hidden.tell_line(ReplyLine::new(line), |event| match event {
                Event::Received(line) => told = Some((line.raw().to_vec(), line.code(), line.ends_reply())),
                other => panic!("{other:?}"),
            });
            let (raw, code, ends_reply) = told.unwrap();
            assert_eq!((code, ends_reply), (ReplyLine::new(line).code(), ReplyLine::new(line).ends_reply()));
            raw.escape_ascii().to_string()
        };
        assert_eq!(told(b"550 hush\r\n"), "550 hush\\r\\n");
        ["hush\n", "550", "\r\n"].iter().for_each(|secret| hidden.add(secret.as_bytes()));
        assert_eq!(told(b"550 no\r\n"), "550 no\\r\\n");
        assert_eq!(told(b"550-no hush, hush!\r\n"), "550-no ****, ****!\\r\\n");
        assert_eq!(told(b"550 550\n"), "550 ***\\n");
        assert_eq!(told(b"550 hush\n"), "550 ****\\n");
        assert_eq!(told(b"hush"), "****");
        assert_eq!(told(b"550hush\n"), "550x***\\n");
    }
}
