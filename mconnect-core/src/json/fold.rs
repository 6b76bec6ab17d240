//! Entries out of events: lines out of what is sent, whole replies out of lines.
//!
//! ```text
//!   Sent ──► line ──── at its LF, or 64 KiB ──► Happening::Sent
//!   Received ─► reply ─ Replied ──────────────► Happening::Reply
//!   Phase ─── within a line? after it ────────► Happening::Phase
//!   Ended, Aborted ─── close ─────────────────► Happening::Closed, with what has no end
//! ```
//!
//! Events come as the wire has them, cut anywhere, and entries are to be the same however that was. So what is not
//! whole waits here, and whatever else happens first has it told before, in whichever state it is:
//! [`Fold::flush_before`].

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::entry::{Happening, KeptReply, LossyText, micros};
use crate::error::Peer;
use crate::observer::Event;
use crate::protocol::{Answer, Code, EnhancedCode, Flaws, Phase, ReplyLine};

/// What is under way, and what has been counted so far.
#[derive(Debug)]
pub(super) struct Fold {
    pub session: u32,
    pub octets_sent: u64,
    pub octets_received: u64,
    pub replies: u64,
    /// Addresses are being tried, or the connection is open.
    is_under_way: bool,
    is_open: bool,
    /// The server has ended its side: the session is closed by it, though what it said before may still be read.
    has_ended: bool,
    /// The phase as it was told last.
    phase: Phase,
    /// What was sent and is not told yet: part of a line, or of a character.
    line: Vec<u8>,
    /// How many octets `line` stands for: those that are hidden, too.
    octets: u64,
    /// How many of them are.
    hidden: u64,
    /// A phase that began within a line, and is told after it.
    next_phase: Option<Phase>,
    reply: Received,
}

/// The lines of a reply that has not ended, up to what is kept of it.
#[derive(Debug, Default)]
struct Received {
    lines: Vec<Line>,
    size: usize,
    is_cut: bool,
    code: Option<Code>,
    enhanced: Option<EnhancedCode>,
    flaws: Flaws,
}

/// A line of a reply, put together from its pieces.
#[derive(Debug)]
struct Line {
    text: Vec<u8>,
    has_code: bool,
}

impl Default for Fold {
    fn default() -> Self {
        Self {
            session: 0,
            octets_sent: 0,
            octets_received: 0,
            replies: 0,
            is_under_way: false,
            is_open: false,
            has_ended: false,
            phase: Phase::Greeting,
            line: Vec::new(),
            octets: 0,
            hidden: 0,
            next_phase: None,
            reply: Received::default(),
        }
    }
}

impl Fold {
    /// Tells what has to be told before an event: half a line that something else comes after, a session before another
    /// begins.
    pub fn flush_before<'a>(&mut self, event: &Event<'_>) -> Vec<Happening<'a>> {
        match event {
            Event::Sent(_) | Event::SentSecret(_) | Event::ProcessSaid(_) => Vec::new(),
            Event::Phase(_) if !is_text(self.phase) => Vec::new(),
            Event::Resolving { .. } => self.close(),
            // An address is not resolved first.
            Event::Connecting { .. } if !self.is_under_way || self.is_open => self.close(),
            _ => self.flush(),
        }
    }

    /// Takes an event, and tells what came of it; `took` is how long the reply took that has just come.
    pub fn push<'a>(&mut self, event: &Event<'a>, took: impl Fn() -> Option<Duration>) -> Vec<Happening<'a>> {
        match *event {
            Event::Resolving { host } => {
                self.begin();
                vec![Happening::Resolving { host }]
            }
            Event::Resolved { host, result } => {
                let (addresses, error) = match result {
                    Ok(addresses) => (addresses.iter().map(SocketAddr::ip).collect(), None),
                    Err(error) => (Vec::new(), Some(error.to_string())),
                };
                vec![Happening::Resolved { host, addresses, error }]
            }
            Event::Connecting { peer } => {
                if !self.is_under_way {
                    self.begin();
                }
                let (host, address, port) = place(peer);
                vec![Happening::Attempt { host, address, port }]
            }
            Event::ConnectFailed { peer, error, has_next } => {
                self.is_under_way = has_next;
                let (host, address, port) = place(peer);
                vec![Happening::AttemptFailed { host, address, port, error: error.to_string(), has_next }]
            }
            Event::Connected { peer } => {
                self.is_open = true;
                let (host, address, port) = place(peer);
                vec![Happening::Connected { host, address, port }]
            }
            Event::Sent(bytes) => self.sent(bytes),
            Event::SentSecret(count) => {
                self.octets_sent += count as u64;
                self.octets += count as u64;
                self.hidden += count as u64;
                self.line.extend_from_slice(HIDDEN);
                // The line's end is hidden with the rest of it.
                self.flush()
            }
            Event::Received(line) => {
                self.octets_received += line.raw().len() as u64;
                self.reply.push(line);
                Vec::new()
            }
            Event::Replied { answer, .. } => {
                self.replies += 1;
                vec![std::mem::take(&mut self.reply).ended(answer, took())]
            }
            Event::ReceivedRaw(bytes) => {
                self.octets_received += bytes.len() as u64;
                vec![Happening::Received { octets: bytes.len() as u64, text: LossyText::new(bytes) }]
            }
            Event::Phase(phase) if self.octets > 0 => {
                self.next_phase = Some(phase);
                Vec::new()
            }
            // The end tells that already.
            Event::Phase(Phase::Closed) => Vec::new(),
            Event::Phase(phase) => vec![self.enter(phase)],
            Event::TlsStarted => vec![Happening::TlsStarted {}],
            Event::TlsEnded => vec![Happening::TlsEnded {}],
            Event::Tls(info) => vec![Happening::Tls(info)],
            Event::HalfClosed => vec![Happening::HalfClosed {}],
            Event::Truncated(_) | Event::Aborted => Vec::new(),
            // What was received before may be read after it.
            Event::Ended => {
                self.has_ended = true;
                Vec::new()
            }
            Event::RoadSent(bytes) => vec![Happening::RoadSent { text: LossyText::new(bytes) }],
            Event::RoadReceived(bytes) => vec![Happening::RoadReceived { text: LossyText::new(bytes) }],
            Event::ProcessSaid(line) => vec![Happening::ProcessSaid { text: LossyText::new(line) }],
            Event::ProcessEnded(status) => {
                vec![Happening::ProcessEnded { status: status.code(), how: status.to_string() }]
            }
        }
    }

    /// Ends the session under way, if there is one: with what was half sent, and with the lines of a reply that has not
    /// ended.
    pub fn close<'a>(&mut self) -> Vec<Happening<'a>> {
        let by = if std::mem::take(&mut self.has_ended) { "server" } else { "client" };
        let mut told = self.flush();
        if std::mem::take(&mut self.is_open) {
            let reply = std::mem::take(&mut self.reply);
            let unfinished = reply.lines.iter().map(|line| LossyText::new(&line.text)).collect();
            told.push(Happening::Closed { by, unfinished });
        }
        self.is_under_way = false;
        told
    }

    /// Begins another session.
    fn begin(&mut self) {
        self.session += 1;
        (self.is_under_way, self.phase) = (true, Phase::Greeting);
    }

    /// Takes what was sent: lines where commands are due, and otherwise as much as there is, but for half a character.
    fn sent<'a>(&mut self, bytes: &[u8]) -> Vec<Happening<'a>> {
        self.octets_sent += bytes.len() as u64;
        if is_text(self.phase) {
            self.add(bytes);
            // A character that is cut is told with its rest.
            let whole = match std::str::from_utf8(&self.line) {
                Err(error) if error.error_len().is_none() => error.valid_up_to(),
                _ => self.line.len(),
            };
            let rest = self.line.split_off(whole);
            self.octets -= rest.len() as u64;
            let told = self.flush();
            self.octets = rest.len() as u64;
            self.line = rest;
            return told;
        }
        let mut told = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.add(part);
            if part.ends_with(b"\n") || self.line.len() >= LONGEST_LINE {
                told.extend(self.flush());
            }
        }
        told
    }

    /// Adds to what is not told yet.
    fn add(&mut self, part: &[u8]) {
        self.octets += part.len() as u64;
        self.line.extend_from_slice(part);
    }

    /// Tells what was sent, if something was.
    fn flush<'a>(&mut self) -> Vec<Happening<'a>> {
        if self.octets == 0 {
            return Vec::new();
        }
        let line = std::mem::take(&mut self.line);
        let sent = Happening::Sent {
            phase: self.phase,
            octets: std::mem::take(&mut self.octets),
            hidden_octets: std::mem::take(&mut self.hidden),
            text: LossyText::new(&line),
        };
        let next = self.next_phase.take().map(|phase| self.enter(phase));
        Some(sent).into_iter().chain(next).collect()
    }

    /// Tells of a phase, which counts from now on.
    fn enter<'a>(&mut self, phase: Phase) -> Happening<'a> {
        self.phase = phase;
        let left = if let Phase::Chunk { left } = phase { Some(left) } else { None };
        Happening::Phase { phase, left }
    }
}

impl Received {
    /// Adds a line, or a piece of one, within bounds, and notes what is odd about it.
    fn push(&mut self, line: ReplyLine<'_>) {
        let room = LONGEST_REPLY - self.size;
        let text = if line.is_start() { line.text() } else { line.content() };
        let kept = &text[..text.len().min(room)];
        self.is_cut |= kept.len() < text.len();
        self.size += kept.len();
        let is_full = self.lines.len() == MOST_LINES;
        match self.lines.last_mut() {
            Some(last) if !line.is_start() => last.text.extend_from_slice(kept),
            // Neither this line is kept nor what comes of it later.
            _ if is_full => (self.is_cut, self.size) = (true, LONGEST_REPLY),
            _ => self.lines.push(Line { text: kept.to_vec(), has_code: line.code().is_some() }),
        }
        self.flaws.codes_differ |= line.code().is_some() && self.code.is_some() && line.code() != self.code;
        self.flaws.line_without_code |= line.code().is_none();
        self.flaws.bare_lf |= line.has_bare_lf();
        self.flaws.missing_separator |= line.lacks_separator();
        self.code = line.code().or(self.code);
        self.enhanced = if line.is_start() { line.enhanced_code().or(self.enhanced) } else { self.enhanced };
    }

    /// Makes the reply of its lines.
    fn ended<'a>(self, answer: Answer, took: Option<Duration>) -> Happening<'a> {
        let (lines, noise): (Vec<&Line>, Vec<&Line>) = self.lines.iter().partition(|line| line.has_code);
        let texts = |lines: Vec<&Line>| lines.into_iter().map(|line| LossyText::new(&line.text)).collect();
        let reply = KeptReply {
            to: answer.request,
            code: answer.code,
            enhanced_code: self.enhanced,
            lines: texts(lines),
            noise: texts(noise),
            is_cut: self.is_cut,
            flaws: self.flaws,
        };
        Happening::Reply { reply, took_us: answer.request.and(took).map(micros) }
    }
}

/// Says whether what is sent comes in no lines of its own.
fn is_text(phase: Phase) -> bool {
    matches!(phase, Phase::Body | Phase::Chunk { .. } | Phase::Raw)
}

/// Returns what a peer is called, its address and its port.
fn place(peer: &Peer) -> (&str, Option<IpAddr>, Option<u16>) {
    (peer.name(), peer.address().map(|address| address.ip()), peer.address().map(|address| address.port()))
}

/// What stands for a secret.
const HIDDEN: &[u8] = b"[hidden]";
/// A longer line is told in parts.
const LONGEST_LINE: usize = 64 * 1024;
/// A reply's text is kept up to so many octets and lines.
const LONGEST_REPLY: usize = 1024 * 1024;
const MOST_LINES: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::LineBuffer;

    /// Tells of bytes that are sent in a phase, in these parts.
    fn told(phase: Phase, parts: &[&[u8]]) -> Vec<(String, Option<String>, u64)> {
        let mut fold = Fold::default();
        let mut told = fold.push(&Event::Phase(phase), || None);
        for part in parts {
            told.extend(fold.push(&Event::Sent(part), || None));
        }
        told.extend(fold.flush_before(&Event::Phase(Phase::Command)));
        told.extend(fold.push(&Event::Phase(Phase::Command), || None));
        told.extend(fold.flush_before(&Event::Ended));
        let sent = told.into_iter().filter_map(|happening| match happening {
            Happening::Sent { text, octets, .. } => Some((text.text, text.base64, octets)),
            _ => None,
        });
        sent.collect()
    }

    fn text(text: &str) -> (String, Option<String>, u64) {
        (text.to_owned(), None, text.len() as u64)
    }

    #[test]
    fn lines_are_told_whole_however_they_are_cut() {
        let stream = "NOOP é\r\nQUIT\r\n".as_bytes();
        for at in 0..=stream.len() {
            let told = told(Phase::Command, &[&stream[..at], &stream[at..]]);
            assert_eq!(told, [text("NOOP é\r\n"), text("QUIT\r\n")], "cut at {at}");
        }
    }

    #[test]
    fn no_character_of_a_body_is_cut() {
        let stream = "aé€\u{1f600}".as_bytes();
        for at in 0..=stream.len() {
            let told = told(Phase::Body, &[&stream[..at], &stream[at..]]);
            let whole: String = told.iter().map(|(text, ..)| text.as_str()).collect();
            assert_eq!(whole.as_bytes(), stream, "cut at {at}");
            assert!(told.iter().all(|(_, base64, _)| base64.is_none()));
            assert_eq!(told.iter().map(|(.., octets)| octets).sum::<u64>(), stream.len() as u64);
        }
        let odd = told(Phase::Body, &[b"a\xc3", b"b"]);
        assert_eq!(odd.iter().map(|(.., octets)| octets).sum::<u64>(), 3);
        assert_eq!(odd[1], ("\u{fffd}b".to_owned(), Some("w2I=".to_owned()), 2));
        assert_eq!(told(Phase::Chunk { left: 2 }, &[b"a\xc3"])[1], ("\u{fffd}".to_owned(), Some("ww==".to_owned()), 1));
    }

    #[test]
    fn a_reply_has_bounds() {
        let mut reply = Received::default();
        for _ in 0..MOST_LINES + 1 {
            reply.push(ReplyLine::new(b"250-x\r\n"));
        }
        assert!(reply.is_cut && reply.lines.len() == MOST_LINES);
        let mut lines = LineBuffer::new(10);
        lines.extend(b"250-a long line\r\n");
        while let Some(piece) = lines.next_line() {
            reply.push(piece);
        }
        assert_eq!(reply.lines[MOST_LINES - 1].text, b"x", "what is left out is no part of another line");
        let mut reply = Received::default();
        let long = [b"250-", vec![b'x'; LONGEST_REPLY].as_slice(), b"\r\n"].concat();
        reply.push(ReplyLine::new(&long));
        assert!(!reply.is_cut);
        reply.push(ReplyLine::new(b"250 y\r\n"));
        assert!(reply.is_cut && reply.size == LONGEST_REPLY);
    }
}
