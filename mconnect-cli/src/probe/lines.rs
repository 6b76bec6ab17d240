//! What files say, line by line: targets, and networks that are never contacted.

use std::io::{self, BufRead, Read as _};

use mconnect_core::probe::Network;

use super::super::options::ProbeTarget;

/// A line that has a target, or was meant to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// As it was written, without white space around it.
    pub written: String,
    /// What is probed, or why nothing is.
    pub target: Result<ProbeTarget, String>,
    /// The length of the line, and of what was passed over before it, in octets.
    pub octets: u64,
}

/// The lines of a file that have a target each. Blank lines and those that begin with `#` are passed over.
pub struct Lines<R> {
    read: R,
}

impl<R: BufRead> Lines<R> {
    pub fn new(read: R) -> Self {
        Self { read }
    }

    /// Returns the next line; `None` at the end.
    ///
    /// # Errors
    /// What the system says.
    pub fn next(&mut self) -> io::Result<Option<Line>> {
        let (mut octets, mut line) = (0, Vec::new());
        loop {
            line.clear();
            let count = self.read.by_ref().take(LONGEST_LINE as u64 + 1).read_until(b'\n', &mut line)?;
            octets += count as u64;
            if count == 0 {
                return Ok(None);
            }
            if count > LONGEST_LINE && !line.ends_with(b"\n") {
                octets += self.read.skip_until(b'\n')? as u64;
            }
            if let Some((written, target)) = read(&line) {
                return Ok(Some(Line { written, target, octets }));
            }
        }
    }
}

fn read(line: &[u8]) -> Option<(String, Result<ProbeTarget, String>)> {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_matches('\u{feff}').trim();
    if text.is_empty() || text.starts_with('#') {
        return None;
    }
    let is_cut = line.len() > LONGEST_LINE;
    let cut = text.char_indices().nth(LONGEST_TARGET).map_or(text, |(end, _)| &text[..end]);
    let written = cut.trim_end().to_owned();
    let target = match written.len() == text.len() && !is_cut {
        true => ProbeTarget::parse(&written),
        false => Err("it is too long for a domain".to_owned()),
    };
    Some((written, target))
}

/// Reads networks and addresses, one a line; what follows `#` or `;` is a comment.
///
/// # Errors
/// The number of the line that has none, and why.
pub fn networks(text: &[u8]) -> Result<Vec<Network>, (usize, String)> {
    let network = |(index, line): (usize, &[u8])| {
        let line = line.split(|octet| matches!(octet, b'#' | b';')).next().unwrap_or_default();
        let text = String::from_utf8_lossy(line);
        let text = text.trim_matches('\u{feff}').trim();
        let network = (!text.is_empty()).then(|| text.parse::<Network>());
        network.map(|network| network.map_err(|error| (index + 1, error.to_string())))
    };
    text.split(|octet| *octet == b'\n').enumerate().filter_map(network).collect()
}

/// In octets, with its end.
const LONGEST_LINE: usize = 4096;
/// In characters: more than any name has.
const LONGEST_TARGET: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8]) -> Vec<Line> {
        let mut lines = Lines::new(text);
        std::iter::from_fn(|| lines.next().unwrap()).collect()
    }

    #[test]
    fn blank_lines_and_comments_are_passed_over_and_the_rest_is_echoed_without_white_space() {
        let lines = all(b"\xef\xbb\xbfa.example\r\n\n# note\n  \t\n [192.0.2.1]  \nB\xc3\xbccher.example");
        let names: Vec<&str> = lines.iter().map(|line| line.target.as_ref().unwrap().name.as_str()).collect();
        assert_eq!(names, ["a.example", "[192.0.2.1]", "xn--bcher-kva.example"]);
        let written: Vec<&str> = lines.iter().map(|line| line.written.as_str()).collect();
        assert_eq!(written, ["a.example", "[192.0.2.1]", "B\u{fc}cher.example"]);
        assert_eq!(lines.iter().map(|line| line.octets).collect::<Vec<_>>(), [14, 27, 15]);
    }

    #[test]
    fn what_is_no_target_is_a_line_as_well() {
        let long = [b"x".repeat(10_000), b"\ngood.example\n".to_vec()].concat();
        let lines = all(&long);
        assert_eq!(lines[0].target, Err("it is too long for a domain".to_owned()));
        assert_eq!((lines[0].written.len(), lines[0].octets), (LONGEST_TARGET, 10_001));
        assert_eq!(lines[1].written, "good.example");
        for line in all(b"a@b\n\xff\xfe.example\na b\n") {
            assert!(line.target.is_err(), "{line:?}");
        }
    }

    #[test]
    fn networks_are_read_with_their_comments_and_what_is_none_is_named_by_its_line() {
        let networks_of = |text: &str| networks(text.as_bytes()).map(|all| all.len());
        assert_eq!(networks_of("# all\n192.0.2.0/24 ; SBL\n\n2001:db8::/32\r\n198.51.100.7"), Ok(3));
        assert_eq!(networks_of(""), Ok(0));
        assert_eq!(networks_of("192.0.2.1\n192.0.2.0/33\n").unwrap_err().0, 2);
    }
}
