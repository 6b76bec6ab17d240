//! What the client says.

use super::Verdict;
use super::finding::Finding;
use super::game::Game;
use crate::dialogue::load::deliver;
use crate::dialogue::secrets::{begins_exchange, hidden};
use crate::dialogue::{Side, Step};
use crate::protocol::Phase;

impl Game<'_, '_> {
    /// Puts what a step sends to what goes out together; where that is a lot, it goes out at once.
    pub(super) fn send(&mut self, step: &Step) -> Result<(), Finding> {
        let values = self.values.clone();
        let mut sink = |bytes: &[u8]| {
            self.out.extend_from_slice(bytes);
            match self.out.len() >= BLOCK {
                true => self.flush().map_err(|finding| finding.got),
                false => Ok(()),
            }
        };
        let delivered = deliver(step, &values, &mut sink).unwrap_or(Ok(()));
        delivered.map_err(|why| Finding::not(Verdict::Impossible, why))
    }

    /// Sends what goes out together. If that fails, what the server said before is looked at first.
    pub(super) fn flush(&mut self) -> Result<(), Finding> {
        let mut bytes = std::mem::take(&mut self.out);
        if bytes.is_empty() || self.broken.is_some() {
            return Ok(());
        }
        let Some(session) = self.session.as_mut() else { return Err(Finding::closed_here()) };
        self.values.secrets().for_each(|secret| session.hide(secret));
        let mut is_answer = session.phase() == Phase::Auth;
        self.broken = session.send(&bytes).err();
        for line in bytes.split_inclusive(|byte| *byte == b'\n').take(MOST_SHOWN) {
            let line = line.strip_suffix(b"\n").map_or(line, |line| line.strip_suffix(b"\r").unwrap_or(line));
            let hidden = hidden(line, is_answer);
            is_answer |= begins_exchange(line);
            self.note(Side::Client, hidden.as_deref().unwrap_or(line));
        }
        bytes.clear();
        self.out = bytes;
        Ok(())
    }

    /// Says whether what is sent next answers a challenge, or goes out together with an AUTH that will bring some.
    pub(super) fn is_answering(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.phase() == Phase::Auth)
            || self.out.split(|byte| *byte == b'\n').any(begins_exchange)
    }
}

/// What goes out together is at most about this many octets.
const BLOCK: usize = 64 * 1024;
/// How many lines of what goes out together are shown.
const MOST_SHOWN: usize = 1000;
