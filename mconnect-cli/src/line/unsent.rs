//! Counting what could not be sent.

use crate::verdict::say;

/// Input that was not sent; blank lines do not count.
#[derive(Debug, Default)]
pub struct Unsent {
    pub octets: u64,
    lines: u64,
    blanks: u64,
    is_mid_line: bool,
}

impl Unsent {
    /// Counts some input, cut anywhere.
    pub fn count(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let is_blank = part.trim_ascii().is_empty();
            match (is_blank, self.is_mid_line) {
                (true, false) => self.blanks += part.len() as u64,
                (true, true) => self.octets += part.len() as u64,
                (false, is_mid_line) => {
                    self.lines += u64::from(!is_mid_line);
                    self.octets += part.len() as u64;
                    self.is_mid_line = true;
                }
            }
            if part.ends_with(b"\n") {
                self.is_mid_line = false;
            }
        }
    }

    /// Gives how many octets were counted, with the blank lines.
    pub fn total(&self) -> u64 {
        self.octets + self.blanks
    }

    /// Tells how much it was, if it was anything; `is_all` says whether it was counted to its end.
    pub fn tell(&self, is_all: bool) {
        if self.octets > 0 {
            let least = if is_all { "" } else { "at least " };
            let lines = if self.lines == 1 { "line" } else { "lines" };
            say(&format!("mconnect: not sent: {least}{} {lines} of the input ({} octets)", self.lines, self.octets));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_octets_are_counted_wherever_the_input_is_cut() {
        let input = b"NOOP\r\n\n  \nMAIL FROM:<>\nhalf";
        for cut in 0..=input.len() {
            let mut unsent = Unsent::default();
            unsent.count(&input[..cut]);
            unsent.count(&input[cut..]);
            assert_eq!(unsent.lines, 3, "cut at {cut}");
            assert_eq!(unsent.octets + unsent.blanks, input.len() as u64);
        }
    }
}
