//! What files say, line by line: targets, and networks that are never contacted.

use std::io::{self, BufRead, Read as _};

use super::network::{InvalidNetwork, Network};
use super::report::Target;
use crate::host::{Host, InvalidHost};

/// A text is no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{written:?} is not a domain: {why}")]
#[non_exhaustive]
pub struct InvalidTarget {
    /// What was written.
    pub written: String,
    /// What is wrong with it.
    pub why: InvalidHost,
}

impl Target {
    /// Reads what people write, as [`parse`](Self::parse) does: names in the letters of any language, too, and what cannot
    /// be a target is an error.
    ///
    /// ```
    /// use mconnect_core::probe::Target;
    ///
    /// assert_eq!(Target::read("bücher.example")?, Target::Domain("xn--bcher-kva.example".to_owned()));
    /// let error = Target::read("you@example.org").unwrap_err();
    /// assert_eq!(error.to_string(), "\"you@example.org\" is not a domain: what follows the @ is");
    /// # Ok::<(), mconnect_core::probe::InvalidTarget>(())
    /// ```
    ///
    /// # Errors
    /// [`InvalidTarget`].
    pub fn read(written: &str) -> Result<Self, InvalidTarget> {
        if let address @ Self::Address(_) = Self::parse(written) {
            return Ok(address);
        }
        let inner = written.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
        let bare = inner.unwrap_or(written);
        let because = |words: &str| Err(InvalidHost::Name(words.to_owned()));
        let host = match bare {
            _ if written.contains('@') => because("what follows the @ is"),
            "" => because("it is empty"),
            _ if bare.contains(|c: char| c.is_whitespace() || c.is_control()) => because("it is several words"),
            _ if bare.contains(['[', ']']) => because("brackets stand around all of it, or nowhere"),
            _ if bare.contains("..") || bare.starts_with('.') => because("a label of it is empty"),
            _ => Host::parse(bare),
        };
        let host = host.map_err(|why| InvalidTarget { written: written.to_owned(), why })?;
        Ok(match inner {
            Some(_) => Self::parse(&format!("[{}]", host.name)),
            None => Self::parse(&host.name),
        })
    }
}

/// A line that has a target, or was meant to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TargetLine {
    /// As it was written, without white space around it.
    pub written: String,
    /// Why it is no target, if it is none.
    pub error: Option<String>,
    /// The length of the line, and of what was passed over before it, in octets.
    pub octets: u64,
    target: Target,
}

/// The target. A line that is none has one all the same, whose name is none: of that nobody is asked.
impl AsRef<Target> for TargetLine {
    fn as_ref(&self) -> &Target {
        &self.target
    }
}

/// The lines of a file that have a target each. Blank lines and those that begin with `#` are passed over; no more of a line
/// is held than a target has.
///
/// ```
/// use mconnect_core::probe::TargetLines;
///
/// let lines: Vec<_> = TargetLines::new("# mine\nexample.org\na b\n".as_bytes()).collect::<Result<_, _>>()?;
/// assert_eq!((lines[0].written.as_str(), lines[0].octets), ("example.org", 19));
/// assert_eq!(lines[1].error.as_deref(), Some("\"a b\" is not a domain: it is several words"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct TargetLines<R> {
    read: R,
}

impl<R: BufRead> TargetLines<R> {
    /// Reads them from there.
    pub fn new(read: R) -> Self {
        Self { read }
    }

    fn read(&mut self) -> io::Result<Option<TargetLine>> {
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
            if let Some((written, target)) = target_of(&line) {
                let (target, error) = match target {
                    Ok(target) => (target, None),
                    Err(why) => (Target::parse(NO_NAME), Some(why)),
                };
                return Ok(Some(TargetLine { written, error, octets, target }));
            }
        }
    }
}

impl<R: BufRead> Iterator for TargetLines<R> {
    type Item = io::Result<TargetLine>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

fn target_of(line: &[u8]) -> Option<(String, Result<Target, String>)> {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_matches('\u{feff}').trim();
    if text.is_empty() || text.starts_with('#') {
        return None;
    }
    let is_cut = line.len() > LONGEST_LINE;
    let cut = text.char_indices().nth(LONGEST_TARGET).map_or(text, |(end, _)| &text[..end]);
    let written = cut.trim_end().to_owned();
    let target = match written.len() == text.len() && !is_cut {
        true => Target::read(&written).map_err(|error| error.to_string()),
        false => Err("it is too long for a domain".to_owned()),
    };
    Some((written, target))
}

impl Network {
    /// Reads networks and addresses, one a line; what follows `#` or `;` is a comment.
    ///
    /// # Errors
    /// The number of the line that has none, and why.
    pub fn list(text: &[u8]) -> Result<Vec<Self>, (usize, InvalidNetwork)> {
        let network = |(index, line): (usize, &[u8])| {
            let line = line.split(|octet| matches!(octet, b'#' | b';')).next().unwrap_or_default();
            let text = String::from_utf8_lossy(line);
            let text = text.trim_matches('\u{feff}').trim();
            let network = (!text.is_empty()).then(|| text.parse::<Self>());
            network.map(|network| network.map_err(|error| (index + 1, error)))
        };
        text.split(|octet| *octet == b'\n').enumerate().filter_map(network).collect()
    }
}

/// In octets, with its end.
const LONGEST_LINE: usize = 4096;
/// In characters: more than any name has.
const LONGEST_TARGET: usize = 1000;
/// No name at all, which is found before anybody is asked.
const NO_NAME: &str = "no..name";

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8]) -> Vec<TargetLine> {
        TargetLines::new(text).map(Result::unwrap).collect()
    }

    #[test]
    fn a_target_is_read_with_its_name_in_a_labels() {
        for (written, target) in [
            ("Example.org", "example.org"),
            ("b\u{fc}cher.example", "xn--bcher-kva.example"),
            ("[mx.example]", "[mx.example]"),
            ("192.0.2.1", "[192.0.2.1]"),
            ("[IPv6:2001:db8::1]", "[2001:db8::1]"),
            ("[ipv6:2001:db8::1]", "[2001:db8::1]"),
        ] {
            assert_eq!(Target::read(written).map(|target| target.to_string()).as_deref(), Ok(target));
        }
        for (written, why) in [
            ("a@b", "what follows the @ is"),
            ("b:25", "a port is no part of it"),
            ("b..", "a label of it is empty"),
            ("[]", "it is empty"),
            ("[mx.example.org].", "brackets stand around all of it, or nowhere"),
            ("mx]", "brackets stand around all of it, or nowhere"),
        ] {
            assert_eq!(Target::read(written).unwrap_err().why.to_string(), why);
        }
    }

    #[test]
    fn blank_lines_and_comments_are_passed_over_and_the_rest_is_echoed_without_white_space() {
        let lines = all(b"\xef\xbb\xbfa.example\r\n\n# note\n  \t\n [192.0.2.1]  \nB\xc3\xbccher.example");
        let targets: Vec<String> = lines.iter().map(|line| line.as_ref().to_string()).collect();
        assert_eq!(targets, ["a.example", "[192.0.2.1]", "xn--bcher-kva.example"]);
        let written: Vec<&str> = lines.iter().map(|line| line.written.as_str()).collect();
        assert_eq!(written, ["a.example", "[192.0.2.1]", "B\u{fc}cher.example"]);
        assert_eq!(lines.iter().map(|line| line.octets).collect::<Vec<_>>(), [14, 27, 15]);
    }

    #[test]
    fn what_is_no_target_is_a_line_as_well() {
        let long = [b"x".repeat(10_000), b"\ngood.example\n".to_vec()].concat();
        let lines = all(&long);
        assert_eq!(lines[0].error.as_deref(), Some("it is too long for a domain"));
        assert_eq!((lines[0].written.len(), lines[0].octets), (LONGEST_TARGET, 10_001));
        assert_eq!((lines[1].written.as_str(), &lines[1].error), ("good.example", &None));
        for line in all(b"a@b\n\xff\xfe.example\na b\n") {
            assert!(line.error.is_some(), "{line:?}");
        }
    }

    #[test]
    fn networks_are_read_with_their_comments_and_what_is_none_is_named_by_its_line() {
        let networks_of = |text: &str| Network::list(text.as_bytes()).map(|all| all.len());
        assert_eq!(networks_of("# all\n192.0.2.0/24 ; SBL\n\n2001:db8::/32\r\n198.51.100.7"), Ok(3));
        assert_eq!(networks_of(""), Ok(0));
        assert_eq!(networks_of("192.0.2.1\n192.0.2.0/33\n").unwrap_err().0, 2);
    }
}
