//! Writing a dialogue of a session.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::{Deed, Part, Side, Step, Text};
use crate::observer::{Event, Observer};
use crate::protocol::{Phase, ReplyLine, Visible};

/// Writes a dialogue of a session that it observes: codes as expectations, what the server said in full beside them as
/// comments, passwords as variables.
///
/// ```
/// # #[cfg(feature = "server")] {
/// use mconnect_core::dialogue::{Dialogue, Recorder};
/// use mconnect_core::{Connect, server::Server};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let server = Server::start()?;
/// let recorder = Recorder::new();
/// let mut session = Connect::new("127.0.0.1", server.port()).observer(recorder.clone()).open()?;
/// session.read_reply()?;
/// session.command("NOOP")?;
/// session.quit()?;
/// assert!(recorder.text().ends_with("C: QUIT\n# 221 2.0.0 goodbye\nS: 221\nS: *close*\n"));
///
/// let session = Connect::new("127.0.0.1", server.port()).open()?;
/// session.play(&Dialogue::parse(&recorder.text())?).require()?;
/// # Ok(()) }
/// # main().unwrap();
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Mutex<Record>>);

#[derive(Debug, Default)]
struct Record {
    text: String,
    /// What was sent since the last line end.
    line: Vec<u8>,
    secrets: usize,
    /// The secret on the line under way, if there is one.
    secret: Option<String>,
    /// The server said that it closes: ending our side is no more than an answer to that.
    is_closing: bool,
    has_ended: bool,
}

impl Recorder {
    /// Begins a record.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives the dialogue as it is so far.
    pub fn text(&self) -> String {
        let record = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        for number in 1..=record.secrets {
            let _ = writeln!(text, "*secret secret{number}*");
        }
        text.push_str(&record.text);
        let mut rest = Record { line: record.line.clone(), secret: record.secret.clone(), ..Record::default() };
        rest.end_line();
        text + &rest.text
    }
}

impl Observer for Recorder {
    fn observe(&self, _: Instant, event: &Event<'_>) {
        let mut record = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Sent(bytes) => record.sent(bytes),
            Event::SentSecret(_) => record.sent_secret(),
            Event::Received(line) => record.received(*line),
            Event::HalfClosed if !record.is_closing => {
                record.end_line();
                record.direction(Side::Client, Deed::HalfClose);
            }
            Event::Phase(Phase::Closed) | Event::Ended if !record.has_ended => {
                record.has_ended = true;
                record.end_line();
                record.direction(Side::Server, Deed::Close);
            }
            _ => {}
        }
    }
}

impl Record {
    fn sent(&mut self, bytes: &[u8]) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    /// Notes a part of a line that is a password; the end of the line comes with it.
    fn sent_secret(&mut self) {
        self.secrets += 1;
        self.secret = Some(format!("secret{}", self.secrets));
        self.end_line();
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let secret = self.secret.take();
        let mut parts = Vec::new();
        let deed = match (std::str::from_utf8(&line).ok().and_then(|line| line.strip_suffix("\r\n")), &secret) {
            (None, None) if line.is_empty() => return,
            (Some(text), None) if !text.contains(['\r', '\n', '\0']) => {
                if !text.is_empty() {
                    parts.push(Part::Literal(text.into()));
                }
                Deed::Line(Text(parts))
            }
            (_, None) => Deed::Bytes(Text(vec![Part::Literal(line)])),
            (_, Some(name)) => {
                if !line.is_empty() {
                    parts.push(Part::Literal(line));
                }
                parts.push(Part::Value { name: name.clone(), default: None });
                Deed::Line(Text(parts))
            }
        };
        self.direction(Side::Client, deed);
    }

    fn received(&mut self, line: ReplyLine<'_>) {
        self.end_line();
        let _ = writeln!(self.text, "# {}", Visible(line.content()));
        match line.code() {
            Some(code) if line.ends_reply() => {
                self.is_closing = matches!(code.number(), 221 | 421);
                let _ = writeln!(self.text, "S: {:03}", code.number());
            }
            _ => {}
        }
    }

    fn direction(&mut self, side: Side, deed: Deed) {
        let _ = writeln!(self.text, "{}", Step { file: None, line: 0, side, deed });
    }
}
