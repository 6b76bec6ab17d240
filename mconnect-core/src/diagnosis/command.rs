//! What is kept of the commands that are sent: verbs, the name in EHLO, the mechanism of AUTH, and the form of MAIL and
//! RCPT without their addresses.
//!
//! A refusal is often about the form of what was sent: a path without brackets, a parameter that was not offered. The
//! form is therefore kept, and nothing that a person wrote: no address, no answer in AUTH.

use crate::protocol::{Request, auth_mechanism};

/// The commands so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Commands {
    /// The beginning of the line under way.
    head: Vec<u8>,
    /// The name in the last EHLO, HELO or LHLO.
    pub name: Vec<u8>,
    /// The mechanism of the last AUTH, in capitals.
    pub mechanism: String,
    /// The last MAIL, and the last RCPT.
    pub mail: Form,
    pub rcpt: Form,
}

/// How a path was written in MAIL or RCPT
/// ([RFC 5321, section 4.1.1.2](https://www.rfc-editor.org/rfc/rfc5321#section-4.1.1.2)).
#[derive(Debug, Clone, Default)]
pub(super) struct Form {
    /// An angle bracket begins it, right behind the colon; a path with a space before it, which many servers take, is
    /// irregular.
    pub is_regular: bool,
    /// There are octets beyond ASCII in it.
    pub has_other_letters: bool,
    /// The keywords of its parameters.
    pub params: Vec<String>,
}

impl Commands {
    /// Takes bytes that are sent where commands are due, cut anywhere, and returns the commands that end in them. Of a
    /// line, no more than its beginning is kept, and that until its end.
    pub fn sent(&mut self, bytes: &[u8]) -> Vec<Request> {
        let mut requests = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LONGEST_HEAD - self.head.len();
            self.head.extend_from_slice(&part[..part.len().min(room)]);
            if part.ends_with(b"\n") {
                requests.push(self.end_line());
            }
        }
        requests
    }

    /// Takes the rest of a line that is a secret, and returns which command it is: AUTH, or an answer in it, where
    /// nothing of the line was shown.
    pub fn hidden_line(&mut self) -> Request {
        if self.head.is_empty() { Request::AuthAnswer } else { self.end_line() }
    }

    /// Takes what a line was, and returns what it asks for.
    fn end_line(&mut self) -> Request {
        let head = std::mem::take(&mut self.head);
        let line = head.trim_ascii();
        let (verb, rest) = line.split_at(line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len()));
        let rest = rest.trim_ascii_start();
        if let Some(mechanism) = auth_mechanism(line) {
            self.mechanism = String::from_utf8_lossy(mechanism).to_ascii_uppercase();
            return Request::Auth;
        }
        let request = Request::of_verb(verb);
        match request {
            Request::Ehlo | Request::Helo | Request::Lhlo => self.name = rest.to_vec(),
            Request::Mail => self.mail = Form::of(rest, b"FROM:"),
            Request::Rcpt => self.rcpt = Form::of(rest, b"TO:"),
            Request::Other if verb.is_empty() => return Request::EmptyLine,
            _ => {}
        }
        request
    }
}

impl Form {
    /// Looks at the path and the parameters of MAIL or RCPT.
    fn of(rest: &[u8], keyword: &[u8]) -> Self {
        let (key, path) = rest.split_at(keyword.len().min(rest.len()));
        let is_regular = key.eq_ignore_ascii_case(keyword) && path.starts_with(b"<");
        let end = path.iter().position(|byte| *byte == b'>').map_or(path.len(), |end| end + 1);
        let words = path[end..].split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).take(MOST_PARAMS);
        let keyword = |word: &[u8]| {
            let end = word.iter().position(|byte| *byte == b'=').unwrap_or(word.len()).min(LONGEST_KEYWORD);
            String::from_utf8_lossy(&word[..end]).to_ascii_uppercase()
        };
        Self { is_regular, has_other_letters: !path[..end].is_ascii(), params: words.map(keyword).collect() }
    }
}

/// Of a line, this many octets are looked at.
const LONGEST_HEAD: usize = 512;
/// How many parameters are kept, and how long their keywords.
const MOST_PARAMS: usize = 8;
const LONGEST_KEYWORD: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_the_same_however_they_are_cut() {
        let stream = b"ehlo me.example\r\nMAIL FROM: <a@b> SMTPUTF8 SIZE=3\r\nRCPT TO:<c@d>\r\n\r\nVRFY x\r\n";
        for at in 0..=stream.len() {
            let mut commands = Commands::default();
            let mut requests = commands.sent(&stream[..at]);
            requests.extend(commands.sent(&stream[at..]));
            let all = [Request::Ehlo, Request::Mail, Request::Rcpt, Request::EmptyLine, Request::Other];
            assert_eq!(requests, all, "cut at {at}");
            assert_eq!(commands.name, b"me.example");
            assert_eq!(commands.mail.params, ["SMTPUTF8", "SIZE"]);
            assert!(!commands.mail.is_regular && commands.rcpt.is_regular);
        }
    }

    #[test]
    fn of_an_auth_the_mechanism_is_kept_alone() {
        let mut commands = Commands::default();
        assert!(commands.sent(b"auth plain ").is_empty());
        assert_eq!(commands.hidden_line(), Request::Auth);
        assert_eq!((commands.mechanism.as_str(), commands.head.as_slice()), ("PLAIN", &b""[..]));
        assert_eq!(commands.hidden_line(), Request::AuthAnswer);
    }

    #[test]
    fn a_line_without_end_is_kept_to_a_bound() {
        let mut commands = Commands::default();
        for _ in 0..100 {
            commands.sent(&[b'x'; 1000]);
        }
        assert_eq!(commands.head.len(), LONGEST_HEAD);
    }
}
