//! Commands on their way out: which one a line is, and where a secret in it begins.
//!
//! A line comes in whatever pieces it is sent in. Of it, 64 octets are kept, which tell every command there is; a
//! secret is not among them.

use std::ops::Range;
use std::str;

use super::phase::Request;
use super::secret::{auth_mechanism, secret_start, wipe};

/// The front part of some sent bytes that is of one kind: what [`Tracker::sent_span`](super::Tracker::sent_span)
/// returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub struct Span {
    /// Its octets; at least one.
    pub size: usize,
    /// It may hold a password: the initial response of AUTH, or an answer to a 334. The end of its line is in it, too.
    pub is_secret: bool,
}

impl Span {
    /// Returns where the secret stands in `bytes`, of which the span is the part that begins at `at`: without the end of
    /// its line. A lone `*`, which cancels an exchange, is no secret.
    pub(crate) fn secret_in(self, bytes: &[u8], at: usize) -> Option<Range<usize>> {
        let part = &bytes[at..at + self.size];
        let end = at + part.len() - part.iter().rev().take_while(|byte| b"\r\n".contains(byte)).count();
        let begins_line = at == 0 || bytes[at - 1] == b'\n';
        let cancels = begins_line && &bytes[at..end] == b"*" && part.ends_with(b"\n");
        (self.is_secret && end > at && !cancels).then_some(at..end)
    }
}

/// The command line under way: as much of its beginning as tells the command.
#[derive(Debug, Default, Clone)]
pub(super) struct CommandLine {
    head: Vec<u8>,
    /// Octets after the head were not kept.
    has_more: bool,
    /// It began as an answer in AUTH.
    is_answer: bool,
    /// The secret in it has begun.
    is_secret: bool,
}

/// A command as far as the session depends on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Command {
    pub request: Request,
    /// Of BDAT: the octets of the chunk, and whether it is the last.
    pub chunk: Option<(u64, bool)>,
}

impl CommandLine {
    /// Adds a part of the line, or as much of it as stands before a secret; the secret itself is not kept.
    pub fn add(&mut self, part: &[u8]) -> Span {
        if self.is_answer || self.is_secret {
            return Span { size: part.len(), is_secret: true };
        }
        let before = self.head.len();
        let room = LONGEST_HEAD - before;
        self.head.extend_from_slice(&part[..part.len().min(room)]);
        match self.secret_start() {
            Some(start) => {
                wipe(&mut self.head[start..]);
                self.head.truncate(start);
                self.is_secret = true;
                // After a CR only the next octet tells whether the line ends.
                match start - before {
                    0 => Span { size: part.len(), is_secret: true },
                    size => Span { size, is_secret: false },
                }
            }
            None => {
                self.has_more |= part.len() > room;
                Span { size: part.len(), is_secret: false }
            }
        }
    }

    /// Adds a part of an answer in AUTH. All of the line is a secret then, even if it comes to be taken for a command.
    pub fn add_answer(&mut self, part: &[u8]) -> Span {
        self.is_answer = true;
        Span { size: part.len(), is_secret: true }
    }

    /// Returns where the secret begins; at the end of a head that is full before that is known.
    fn secret_start(&self) -> Option<usize> {
        let is_full_auth = self.head.len() == LONGEST_HEAD && auth_mechanism(&self.head).is_some();
        secret_start(&self.head).or(is_full_auth.then_some(LONGEST_HEAD))
    }

    /// Says whether anything of the line is there.
    pub fn has_begun(&self) -> bool {
        !self.head.is_empty() || self.is_answer || self.is_secret
    }

    /// Begins a new line.
    pub fn clear(&mut self) {
        self.head.clear();
        (self.has_more, self.is_answer, self.is_secret) = (false, false, false);
    }

    /// Returns which command the line is, now that it is whole. A verb counts in any case and behind any white space,
    /// as servers take it; a BDAT whose size is no number is none.
    pub fn command(&self) -> Command {
        if self.is_answer {
            return Command { request: Request::Other, chunk: None };
        }
        let mut words = self.head.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let verb = words.next().unwrap_or_default();
        let request = if verb.is_empty() && !self.has_more {
            Request::EmptyLine
        } else if auth_mechanism(&self.head).is_some() {
            Request::Auth
        } else {
            Request::of_verb(verb)
        };
        if request != Request::Bdat {
            return Command { request, chunk: None };
        }
        // Digits alone: a number may be parsed with a sign.
        let octets = words.next().filter(|word| word.iter().all(u8::is_ascii_digit));
        let octets = octets.and_then(|word| str::from_utf8(word).ok()?.parse().ok());
        match (octets, words.next(), words.next()) {
            (Some(octets), None, _) => Command { request, chunk: Some((octets, false)) },
            (Some(octets), Some(last), None) if last.eq_ignore_ascii_case(b"LAST") => {
                Command { request, chunk: Some((octets, true)) }
            }
            _ => Command { request: Request::Other, chunk: None },
        }
    }
}

/// A head of this many octets tells every command, `BDAT 18446744073709551615 LAST` too.
const LONGEST_HEAD: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// Follows a line that is cut behind so many octets, and keeps no more of it than it may.
    fn line(bytes: &[u8], at: usize) -> CommandLine {
        let mut line = CommandLine::default();
        let (front, back) = bytes.split_at(at.min(bytes.len()));
        for mut part in [front, back] {
            while !part.is_empty() {
                part = &part[line.add(part).size..];
                assert!(line.head.len() <= LONGEST_HEAD);
            }
        }
        line
    }

    #[test]
    fn a_command_is_the_same_wherever_its_line_is_cut() {
        let blanks = |count: usize, rest: &str| format!("{}{rest}\r\n", " ".repeat(count));
        for (text, request) in [
            ("\r\n".to_owned(), Request::EmptyLine),
            (blanks(62, ""), Request::EmptyLine),
            // What stands there may be anything.
            (blanks(63, ""), Request::Other),
            (blanks(100, "NOOP"), Request::Other),
            (blanks(40, "mail from:<>"), Request::Mail),
            ("AUTH=PLAIN\r\n".to_owned(), Request::Auth),
            ("auth PLAIN AHUAcA==\r\n".to_owned(), Request::Auth),
            ("AUTHORS\r\n".to_owned(), Request::Other),
            (format!("AUTH {}\r\n", "X".repeat(1000)), Request::Auth),
            ("BDAT 18446744073709551615 LAST\r\n".to_owned(), Request::Bdat),
            ("BDAT 5 FIRST\r\n".to_owned(), Request::Other),
            ("BDAT +5\r\n".to_owned(), Request::Other),
        ] {
            for at in 1..=text.len() {
                assert_eq!(line(text.as_bytes(), at).command().request, request, "{text:?} cut at {at}");
            }
        }
    }

    #[test]
    fn what_began_as_an_answer_is_hidden_to_its_end_and_is_no_command() {
        let mut line = CommandLine::default();
        assert!(line.add_answer(b"dXNl").is_secret && line.add(b"c MAIL\r\n").is_secret);
        assert_eq!(line.command().request, Request::Other);
        line.clear();
        assert!(!line.add(b"MAIL FROM:<>\r\n").is_secret);
        assert_eq!(line.command().request, Request::Mail);
    }

    #[test]
    fn a_secret_stands_between_its_beginning_and_its_line_end() {
        let span = Span { size: 6, is_secret: true };
        assert_eq!(span.secret_in(b"NOOP\r\ncA==\r\n", 6), Some(6..10));
        assert_eq!(Span { is_secret: false, ..span }.secret_in(b"cA==\r\n", 0), None);
        let span = Span { size: 3, ..span };
        assert_eq!(span.secret_in(b"*\r\n", 0), None, "it cancels");
        assert_eq!(span.secret_in(b"x\n*\r\n", 2), None);
        assert_eq!(span.secret_in(b"ab*\r\n", 2), Some(2..3), "it ends an answer");
        assert_eq!(span.secret_in(b"x*\r", 0), Some(0..2), "more may come");
        assert_eq!(Span { size: 2, ..span }.secret_in(b"\r\n", 0), None, "there is nothing to hide");
    }
}
