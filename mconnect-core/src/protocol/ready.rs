//! A block of a body made ready for sending before its turn.

use std::mem;

use super::line_input::{LineInput, Taken};
use super::phase::Phase;
use super::secret::wipe;

/// What a block of input will be on the wire, on the guess that it is a part of a body: made in another thread while the
/// blocks before it are sent, it spares the one that sends the work. [`Script::next_with`](crate::script::Script::next_with)
/// takes it.
///
/// ```
/// use mconnect_core::protocol::{LineInput, Phase, Ready};
///
/// let (mut ready, mut lines, mut out) = (Ready::default(), LineInput::default(), Vec::new());
/// // In the thread that reads ahead, with where the body will stand:
/// ready.make(b"Subject: hi\n", LineInput::default());
/// // In the one that sends, whatever the phase turns out to be:
/// let taken = ready.take(&mut lines, Phase::Body, b"Subject: hi\n", &mut out);
/// assert_eq!((taken.count, out.as_slice()), (12, &b"Subject: hi\r\n"[..]));
/// ```
#[derive(Debug, Default)]
pub struct Ready {
    wire: Vec<u8>,
    guess: Option<Guess>,
}

#[derive(Debug)]
struct Guess {
    /// How many octets the block has.
    octets: usize,
    before: LineInput,
    after: LineInput,
    taken: Taken,
}

impl Ready {
    /// Makes a block ready that comes where a body stands at `before`.
    pub fn make(&mut self, block: &[u8], before: LineInput) {
        self.wire.clear();
        let mut after = before.clone();
        let taken = after.take(Phase::Body, block, &mut self.wire);
        self.guess = Some(Guess { octets: block.len(), before, after, taken });
    }

    /// Forgets it, and leaves nothing of it in memory.
    pub fn wipe(&mut self) {
        self.guess = None;
        // What was longer before stands behind its end.
        self.wire.resize(self.wire.capacity(), 0);
        wipe(&mut self.wire);
        self.wire.clear();
    }

    /// Returns where a body stands after a block, which only its last line says.
    pub fn after(block: &[u8], before: LineInput) -> LineInput {
        let (mut lines, last) = match block.iter().rposition(|byte| *byte == b'\n') {
            Some(lf) => (LineInput::default(), &block[lf + 1..]),
            None => (before, block),
        };
        lines.take(Phase::Body, last, &mut Vec::new());
        lines
    }

    /// Does what `lines.take(phase, input, out)` does; without any work, where that was done ahead.
    pub fn take(&mut self, lines: &mut LineInput, phase: Phase, input: &[u8], out: &mut Vec<u8>) -> Taken {
        match self.guess.take() {
            Some(Guess { octets, before, after, taken })
                if phase == Phase::Body && octets == input.len() && before == *lines && out.is_empty() =>
            {
                mem::swap(out, &mut self.wire);
                *lines = after;
                taken
            }
            _ => lines.take(phase, input, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends blocks as the session would, and gives what goes out, up to the end of the body if that comes.
    fn sent(blocks: &[&[u8]], is_made_ready: bool) -> (Vec<u8>, bool) {
        let (mut wire, mut lines, mut ahead) = (Vec::new(), LineInput::default(), LineInput::default());
        for block in blocks {
            let (mut ready, mut out) = (Ready::default(), Vec::new());
            if is_made_ready {
                ready.make(block, ahead.clone());
            }
            ahead = Ready::after(block, ahead);
            assert_eq!(ready.wire.is_empty(), !is_made_ready || block.is_empty());
            let taken = ready.take(&mut lines, Phase::Body, block, &mut out);
            assert!(ready.wire.is_empty(), "what was made ready is what goes out");
            wire.append(&mut out);
            if taken.is_complete {
                return (wire, true);
            }
        }
        lines.finish(Phase::Body, &mut wire);
        (wire, false)
    }

    #[test]
    fn what_was_made_ready_is_what_would_have_been_sent_wherever_the_input_is_cut() {
        for input in [&b"one\ntwo\r\n.three\n\r\n..\n.x\r"[..], b"one\r\n.\r\nQUIT\n", b".\nQUIT\n", b"..\n.\n"] {
            for cut in 0..=input.len() {
                let blocks = [&input[..cut], &input[cut..]];
                assert_eq!(sent(&blocks, true), sent(&blocks, false), "{:?} cut at {cut}", input.escape_ascii());
            }
        }
    }

    #[test]
    fn what_is_wiped_is_forgotten() {
        let (mut ready, mut lines, mut out) = (Ready::default(), LineInput::default(), Vec::new());
        ready.make(b"secret\n", LineInput::default());
        ready.wipe();
        assert!(ready.wire.is_empty() && ready.guess.is_none());
        ready.take(&mut lines, Phase::Body, b"other\n", &mut out);
        assert_eq!(out, b"other\r\n");
    }

    #[test]
    fn a_wrong_guess_changes_nothing() {
        let places = [&b""[..], b"x", b"x\r", b"."].map(|before| {
            let mut lines = LineInput::default();
            lines.take(Phase::Body, before, &mut Vec::new());
            lines
        });
        let block = b"RSET\n\r\n\nx\r\n.\ny";
        for guessed in &places {
            for place in &places {
                for phase in [Phase::Command, Phase::Chunk { left: 4 }, Phase::Body] {
                    // The front of a block may have been taken before.
                    for input in [&block[..], &block[5..], &block[7..]] {
                        let (mut plain, mut expected) = (place.clone(), Vec::new());
                        let taken = plain.take(phase, input, &mut expected);
                        let (mut ready, mut lines, mut out) = (Ready::default(), place.clone(), Vec::new());
                        ready.make(block, guessed.clone());
                        let place = format!("{guessed:?}, {place:?}, {phase:?}, {}", input.escape_ascii());
                        assert_eq!(ready.take(&mut lines, phase, input, &mut out), taken, "{place}");
                        assert_eq!((lines, out), (plain, expected), "{place}");
                    }
                }
            }
        }
        // What is to be sent already stays in front.
        let (mut ready, mut lines, mut out) = (Ready::default(), LineInput::default(), b"DATA\r\n".to_vec());
        ready.make(b"x\n", lines.clone());
        ready.take(&mut lines, Phase::Body, b"x\n", &mut out);
        assert_eq!(out, b"DATA\r\nx\r\n");
    }
}
