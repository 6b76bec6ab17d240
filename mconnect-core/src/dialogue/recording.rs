//! The text of a record, as far as it goes.

use std::fmt::Write as _;

use super::{Directive, Part, Side, Step, Text};
use crate::protocol::{Code, ReplyLine, Visible, auth_mechanism};

/// What is written so far, and what is not yet sure to be.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// The number of the session under way, and the text of those before it.
    pub session: usize,
    before: String,
    /// Sessions before this one said something, and so did this one, in what was taken.
    follows: bool,
    has_begun: bool,
    text: String,
    /// What was sent since the last line end.
    line: Vec<u8>,
    /// How many secrets stand in the text, and how many users.
    secrets: usize,
    users: usize,
    /// How many of both are named in what was taken.
    taken: (usize, usize),
    /// The secret on the line under way, if there is one.
    secret: Option<String>,
    exchange: Option<Exchange>,
    /// What comes now is left out: the record is as long as it may be.
    pub is_full: bool,
    /// The server said that it closes: ending our side is no more than an answer to that.
    pub is_closing: bool,
    /// The client's side of TLS has not ended: a close now is one without close_notify.
    pub owes_farewell: bool,
    /// The end of the session has been written, which several events tell of.
    has_ended: bool,
}

/// An exchange of AUTH by a password: line by line it would ask for what nobody knows, or not be granted again.
#[derive(Debug, Clone)]
struct Exchange {
    mechanism: String,
    /// Where it begins in the text, and how many secrets there were before.
    start: usize,
    secrets: usize,
    /// What the server said, as comments.
    said: String,
}

impl Record {
    /// Returns what is written and not taken, with a line that has no end yet as it is.
    pub fn text(&self) -> String {
        let mut text = self.names(self.secrets) + &self.text;
        let mut rest = Self { line: self.line.clone(), secret: self.secret.clone(), ..Self::default() };
        rest.end_line();
        text.push_str(&rest.text);
        self.before.clone() + self.separator(&text) + &text
    }

    /// Returns about how many octets that are.
    pub fn size(&self) -> usize {
        self.before.len() + self.text.len() + self.line.len()
    }

    pub fn begin_session(&mut self) {
        self.end_line();
        self.exchange = None;
        let before = self.take();
        *self = Self {
            session: self.session + 1,
            is_full: before.len() > MOST_OCTETS,
            before,
            follows: self.follows || self.has_begun,
            ..Self::default()
        };
    }

    /// Returns what stands before a text of this session, after what there is of others.
    fn separator(&self, text: &str) -> &'static str {
        if self.follows && !self.has_begun && !text.is_empty() { "*next session*\n" } else { "" }
    }

    /// Notes the end of the session, once: a server that resets after its close_notify has ended before.
    pub fn ended(&mut self, side: Side, directive: Directive) {
        if !std::mem::replace(&mut self.has_ended, true) {
            self.end_line();
            self.direction(side, directive);
        }
    }

    /// Adds what was sent to the line under way, and writes each line at its end. One without an end is written in
    /// pieces, as exact bytes, so that it is not kept.
    pub fn sent(&mut self, bytes: &[u8]) {
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        for part in lines.flat_map(|line| line.chunks(LONGEST_LINE)) {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.end_line();
            } else if self.line.len() >= LONGEST_LINE {
                let piece = Text::from(vec![Part::Literal(std::mem::take(&mut self.line))]);
                self.direction(Side::Client, Directive::Bytes(piece));
            }
        }
    }

    /// Takes what does not change any more, below the names of the secrets in it that no text before has named.
    pub fn take(&mut self) -> String {
        let (end, secrets) = match &mut self.exchange {
            Some(exchange) => (std::mem::take(&mut exchange.start), exchange.secrets),
            None => (self.text.len(), self.secrets),
        };
        let rest = self.text.split_off(end);
        let text = self.names(secrets) + &std::mem::replace(&mut self.text, rest);
        self.taken = (secrets, self.users);
        let separator = self.separator(&text);
        self.has_begun |= !text.is_empty();
        std::mem::take(&mut self.before) + separator + &text
    }

    /// Returns the lines that mark these secrets, but for those that were marked in what was taken.
    fn names(&self, secrets: usize) -> String {
        let secrets = (self.taken.0 + 1..=secrets).map(|number| format!("secret{number}"));
        let passwords = (self.taken.1 + 1..=self.users).map(|number| format!("password{number}"));
        secrets.chain(passwords).map(|name| format!("*secret {name}*\n")).collect()
    }

    /// Sees to it that neither an exchange nor the whole grows without end.
    pub fn keep_measure(&mut self) {
        // Then it is written as it was said.
        self.exchange.take_if(|exchange| self.text.len() - exchange.start > LONGEST_EXCHANGE);
        if self.before.len() + self.text.len() > MOST_OCTETS {
            self.is_full = true;
            self.line.clear();
            let _ = writeln!(self.text, "# What followed is left out: {MOST_OCTETS} octets are kept.");
        }
    }

    /// Notes a part of a line that is a password; the end of the line comes with it.
    pub fn sent_secret(&mut self) {
        self.secrets += 1;
        self.secret = Some(format!("secret{}", self.secrets));
        self.end_line();
    }

    /// Writes the line under way: as a line, if it is text and ends with CR LF, otherwise as exact bytes, which a bare
    /// LF or a NUL has to be.
    pub fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if self.exchange.is_none() {
            self.sent_auth(&line);
        }
        let secret = self.secret.take();
        let is_text = std::str::from_utf8(&line).is_ok_and(|line| !line.contains(['\r', '\n', '\0']));
        let mut parts = Vec::new();
        let directive = match (std::str::from_utf8(&line).ok().and_then(|line| line.strip_suffix("\r\n")), &secret) {
            (None, None) if line.is_empty() => return,
            (Some(text), None) if !text.contains(['\r', '\n', '\0']) => {
                if !text.is_empty() {
                    parts.push(Part::Literal(text.into()));
                }
                Directive::Line(Text::from(parts))
            }
            (_, None) => Directive::Bytes(Text::from(vec![Part::Literal(line)])),
            (_, Some(name)) => {
                if !line.is_empty() {
                    parts.push(Part::Literal(line));
                }
                parts.push(Part::Value { name: name.clone(), default: None });
                if is_text {
                    Directive::Line(Text::from(parts))
                } else {
                    parts.push(Part::Literal(b"\r\n".to_vec()));
                    Directive::Bytes(Text::from(parts))
                }
            }
        };
        self.direction(Side::Client, directive);
    }

    /// Writes a line of the server's as a comment, and behind the last one of a reply its code. A line without a code
    /// is a comment alone: there is no expectation that it would meet.
    pub fn received(&mut self, line: ReplyLine<'_>) {
        self.end_line();
        let said = format!("# {}\n", Visible(line.content()));
        self.text.push_str(&said);
        if let Some(exchange) = &mut self.exchange {
            exchange.said.push_str(&said);
        }
        match line.code() {
            Some(code) if line.ends_reply() => {
                self.is_closing = matches!(code.number(), 221 | 421);
                let _ = writeln!(self.text, "S: {:03}", code.number());
                let ended = if code == Code::CHALLENGE { None } else { self.exchange.take() };
                if let Some(exchange) = ended.filter(|_| code == Code::AUTHENTICATED) {
                    self.authenticated(exchange);
                }
            }
            _ => {}
        }
    }

    /// Notes the beginning of an exchange by a password.
    fn sent_auth(&mut self, line: &[u8]) {
        let Some(mechanism) = auth_mechanism(line).filter(|mechanism| !mechanism.is_empty()) else { return };
        if !WITHOUT_PASSWORD.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(mechanism)) {
            self.exchange = Some(Exchange {
                mechanism: String::from_utf8_lossy(mechanism).into_owned(),
                start: self.text.len(),
                secrets: self.secrets - usize::from(self.secret.is_some()),
                said: String::new(),
            });
        }
    }

    /// Writes an exchange that was granted as one step.
    fn authenticated(&mut self, exchange: Exchange) {
        self.users += 1;
        self.secrets = exchange.secrets;
        self.text.truncate(exchange.start);
        self.text.push_str(&exchange.said);
        let value = |name: &str| Text::from(vec![Part::Value { name: format!("{name}{}", self.users), default: None }]);
        let (user, secret) = (value("user"), value("password"));
        self.direction(Side::Client, Directive::Authenticate { mechanism: exchange.mechanism, user, secret });
    }

    /// Writes a step. Its number is not that of its line: it has none before it is read.
    pub fn direction(&mut self, side: Side, directive: Directive) {
        let _ = writeln!(self.text, "{}", Step { file: None, line: 0, side, directive });
    }
}

/// How much text is kept.
const MOST_OCTETS: usize = 4 * 1024 * 1024;
/// How long an exchange of AUTH may be before it is written as it was said.
const LONGEST_EXCHANGE: usize = 64 * 1024;
/// What has no end after so many octets is written in pieces.
const LONGEST_LINE: usize = 64 * 1024;

/// Mechanisms without a password.
const WITHOUT_PASSWORD: [&str; 2] = ["EXTERNAL", "ANONYMOUS"];
