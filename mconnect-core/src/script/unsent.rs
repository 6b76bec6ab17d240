//! Counting what was not sent.

use std::fmt;

/// Input that was not sent, counted in lines and octets; blank lines do not count. [`Display`](fmt::Display) has it in
/// words.
///
/// ```
/// use mconnect_core::script::Unsent;
///
/// let mut unsent = Unsent::default();
/// unsent.count(b"NOOP\n\nMAIL FR");
/// unsent.count(b"OM:<>\n");
/// assert_eq!(unsent.to_string(), "2 lines of the input (18 octets)");
/// assert_eq!(unsent.total(), 19, "with the blank one");
/// ```
#[derive(Debug, Default, Clone, PartialEq, Eq)]
#[must_use]
pub struct Unsent {
    octets: u64,
    lines: u64,
    blanks: u64,
    /// As much of the blanks as the line under way begins with.
    leading: u64,
    /// That line has more than blanks.
    is_mid_line: bool,
}

impl Unsent {
    /// Counts some input, cut anywhere.
    pub fn count(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if !self.is_mid_line && !part.trim_ascii().is_empty() {
                self.is_mid_line = true;
                self.lines += 1;
                self.blanks -= self.leading;
                self.octets += self.leading;
            }
            if self.is_mid_line {
                self.octets += part.len() as u64;
            } else {
                self.blanks += part.len() as u64;
                self.leading += part.len() as u64;
            }
            if part.ends_with(b"\n") {
                (self.is_mid_line, self.leading) = (false, 0);
            }
        }
    }

    /// Says whether nothing was left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.octets == 0
    }

    /// Returns how many lines were counted.
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Returns how many octets were counted, with those of blank lines.
    pub fn total(&self) -> u64 {
        self.octets + self.blanks
    }
}

impl fmt::Display for Unsent {
    /// Shows `3 lines of the input (57 octets)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = if self.lines == 1 { "line" } else { "lines" };
        write!(f, "{} {lines} of the input ({} octets)", self.lines, self.octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_octets_are_counted_wherever_the_input_is_cut() {
        let input = b"NOOP\r\n\n  \n  MAIL FROM:<>\nhalf";
        for cut in 0..=input.len() {
            let mut unsent = Unsent::default();
            unsent.count(&input[..cut]);
            unsent.count(&input[cut..]);
            assert_eq!(unsent.to_string(), "3 lines of the input (25 octets)", "cut at {cut}");
            assert_eq!(unsent.total(), input.len() as u64);
        }
    }
}
