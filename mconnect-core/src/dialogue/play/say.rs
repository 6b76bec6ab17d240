//! What the client says.

use super::Verdict;
use super::finding::Finding;
use super::game::Game;
use crate::dialogue::Step;
use crate::dialogue::load::deliver;
use crate::protocol::{Phase, Visible};

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
        let bytes = std::mem::take(&mut self.out);
        if bytes.is_empty() || self.broken.is_some() {
            return Ok(());
        }
        let Some(session) = self.session.as_mut() else { return Err(Finding::closed_here()) };
        self.values.secrets().for_each(|secret| session.hide(secret));
        let mut is_answer = session.phase() == Phase::Auth;
        self.broken = session.send(&bytes).err();
        for line in bytes.split_inclusive(|byte| *byte == b'\n').take(MOST_SHOWN) {
            let line = line.strip_suffix(b"\n").map_or(line, |line| line.strip_suffix(b"\r").unwrap_or(line));
            let shown = match hidden(line, is_answer) {
                Some(shown) => shown,
                None => Visible(&self.values.mask(line)).to_string(),
            };
            // What goes out together with an AUTH that has no initial response are its answers.
            is_answer |= line.split(|byte| *byte == b' ').count() == 2
                && line.get(..5).is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH "));
            self.note('C', &shown);
        }
        Ok(())
    }
}

/// Gives how a line with a password in it is shown, if it is one.
fn hidden(line: &[u8], is_answer: bool) -> Option<String> {
    let mut words = line.split(|byte| *byte == b' ');
    match (words.next(), words.next(), words.next()) {
        (Some(auth), Some(mechanism), Some(_)) if auth.eq_ignore_ascii_case(b"AUTH") => {
            Some(format!("AUTH {} [hidden]", Visible(mechanism)))
        }
        _ if is_answer && line != b"*" => Some("[hidden]".to_owned()),
        _ => None,
    }
}

/// What goes out together is at most about this many octets.
const BLOCK: usize = 64 * 1024;
/// How many lines of what goes out together are shown.
const MOST_SHOWN: usize = 1000;
