//! Both sides of a session, line by line.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::observer::{Event, Observer};
use crate::protocol::{Phase, Visible, auth_mechanism};

/// Tells what both sides say, whole lines where it can, in the order in which it passes: for a log that reads like a
/// dialogue. Secrets are `[hidden]`; of a body the first 40 lines are told, and of a chunk how large it was.
///
/// ```
/// # #[cfg(feature = "server")] {
/// use std::sync::mpsc::channel;
///
/// use mconnect_core::{Connect, LogLine, LineLog, server::Server};
///
/// let (tell, lines) = channel();
/// let log = LineLog::new(move |said: LogLine<'_>| {
///     let line = match said {
///         LogLine::Client { line, .. } => format!("C: {}", line.escape_ascii()),
///         LogLine::Server(line) => format!("S: {}", line.escape_ascii()),
///         LogLine::LeftOut { octets, .. } => format!("C: [{octets} octets more]"),
///         _ => return,
///     };
///     tell.send(line).unwrap();
/// });
/// let server = Server::play("S: 220 hi\nC: DATA\nS: 354 go\nC: *body*\nS: 250 ok")?;
/// let mut session = Connect::new("127.0.0.1", server.port()).observer(log.body_lines(1)).open()?;
/// session.greeting()?;
/// session.command("DATA")?;
/// session.message("Subject: hi\n\nhello\n".as_bytes())?;
/// # drop(session);
/// let lines: Vec<String> = lines.try_iter().collect();
/// assert_eq!(lines[1], "C: DATA\\r\\n");
/// assert_eq!(lines[3..], ["C: Subject: hi\\r\\n", "C: [12 octets more]", "S: 250 ok\\r\\n"]);
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "log")]
pub struct LineLog<T> {
    tell: T,
    body_lines: usize,
    state: Mutex<State>,
}

/// What a [`LineLog`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogLine<'a> {
    /// The client said this line, with its line end; a secret ends it, and a long one comes in pieces.
    Client {
        /// The line.
        line: &'a [u8],
        /// The phase in which it was said.
        phase: Phase,
    },
    /// The server said this line, with its line end.
    Server(&'a [u8]),
    /// This much of a body, or of a chunk, was not told.
    LeftOut {
        /// How much, the lone dot with it.
        octets: u64,
        /// The phase that it was.
        phase: Phase,
    },
}

impl LogLine<'_> {
    /// Returns what the client does by it, for a person who sees what the server says: `MAIL FROM:<a@example.org>`,
    /// `AUTH PLAIN (answers not shown)`, `a message of 52 octets, and the dot that ends it`, of a log without lines of bodies
    /// ([`body_lines`](LineLog::body_lines)); nothing of the lines of an answer or of a chunk.
    pub fn command(&self) -> Option<String> {
        match *self {
            Self::Client { line, phase: Phase::Greeting | Phase::Command } => Some(match auth_mechanism(line) {
                Some(mechanism) => format!("AUTH {} (answers not shown)", Visible(mechanism)),
                None => Visible(line.trim_ascii_end()).to_string(),
            }),
            // The dot that ends it is no part of it, and stands alone where nobody was left to send it to.
            Self::LeftOut { octets, phase: Phase::Body } => match octets.checked_sub(FINAL_DOT)? {
                0 => Some(".".to_owned()),
                octets => Some(format!("a message of {octets} octets, and the dot that ends it")),
            },
            _ => None,
        }
    }
}

struct State {
    phase: Phase,
    /// What was sent since the last line end.
    line: Vec<u8>,
    /// The line end of a secret may follow by itself.
    is_after_secret: bool,
    /// How many lines of the body were told, and how many octets of it were not.
    lines: usize,
    left_out: u64,
}

impl<T: Fn(LogLine<'_>) + Send + Sync> LineLog<T> {
    /// Begins; what is said is handed to `tell`, one at a time.
    pub fn new(tell: T) -> Self {
        let (phase, line) = (Phase::Greeting, Vec::new());
        let state = State { phase, line, is_after_secret: false, lines: 0, left_out: 0 };
        Self { tell, body_lines: MOST_LINES, state: Mutex::new(state) }
    }

    /// Sets how many lines of a body are told.
    #[must_use]
    pub fn body_lines(self, body_lines: usize) -> Self {
        Self { body_lines, ..self }
    }

    fn send(&self, state: &mut State, octets: &[u8]) {
        let mut rest = match octets {
            [b'\r', b'\n', rest @ ..] if state.is_after_secret => rest,
            octets => octets,
        };
        state.is_after_secret = false;
        let is_body = state.phase == Phase::Body;
        while !rest.is_empty() {
            if matches!(state.phase, Phase::Chunk { .. }) || (is_body && state.lines >= self.body_lines) {
                state.left_out += rest.len() as u64;
                return;
            }
            let end = rest.iter().position(|octet| *octet == b'\n').map_or(rest.len(), |end| end + 1);
            let (line, after) = rest.split_at(end);
            state.line.extend_from_slice(line);
            if line.ends_with(b"\n") || state.line.len() > LONGEST_LINE {
                state.lines += usize::from(is_body);
                self.end_line(state);
            }
            rest = after;
        }
    }

    /// Tells what was sent, as far as its line came.
    fn end_line(&self, state: &mut State) {
        if !state.line.is_empty() {
            (self.tell)(LogLine::Client { line: &state.line, phase: state.phase });
            state.line.clear();
        }
    }
}

impl<T: Fn(LogLine<'_>) + Send + Sync> Observer for LineLog<T> {
    fn observe(&self, _: Instant, event: &Event<'_>) {
        let state = &mut *self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Sent(octets) => self.send(state, octets),
            Event::SentSecret(_) => {
                state.line.extend_from_slice(b"[hidden]");
                self.end_line(state);
                state.is_after_secret = true;
            }
            Event::Received(line) => {
                self.end_line(state);
                (self.tell)(LogLine::Server(line.raw()));
            }
            Event::Phase(phase) => {
                self.end_line(state);
                if state.left_out > 0 {
                    (self.tell)(LogLine::LeftOut { octets: state.left_out, phase: state.phase });
                }
                (state.phase, state.lines, state.left_out) = (*phase, 0, 0);
            }
            _ => {}
        }
    }
}

impl<T> fmt::Debug for LineLog<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineLog").field("body_lines", &self.body_lines).finish_non_exhaustive()
    }
}

/// Of a body, in lines.
const MOST_LINES: usize = 40;
/// The octets of `.` CR LF.
const FINAL_DOT: u64 = 3;
/// A longer line is told in pieces of about so many octets.
const LONGEST_LINE: usize = 4096;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::protocol::ReplyLine;

    #[test]
    fn lines_are_whole_wherever_they_were_cut_and_end_at_a_secret() {
        let told = Arc::<Mutex<Vec<String>>>::default();
        let theirs = Arc::clone(&told);
        let log = LineLog::new(move |said: LogLine<'_>| {
            let line = match said {
                LogLine::Client { line, phase } => format!("{phase}: {}", line.escape_ascii()),
                LogLine::Server(line) => format!("S: {}", line.escape_ascii()),
                LogLine::LeftOut { octets, phase } => format!("{phase}: {octets}"),
            };
            theirs.lock().unwrap().push(line);
        });
        let log = log.body_lines(2);
        for event in [
            Event::Received(ReplyLine::new(b"220 hi\r\n")),
            Event::Phase(Phase::Command),
            Event::Sent(b"NO"),
            Event::Sent(b"OP\r\nAUTH PLAIN "),
            Event::SentSecret(7),
            Event::Sent(b"\r\nDA"),
            Event::Received(ReplyLine::new(b"250 ok\r\n")),
            Event::Sent(b"TA\r\n"),
            Event::Phase(Phase::Body),
            Event::Sent(b"a\r\nb\r\nc\r"),
            Event::Sent(b"\n.\r\n"),
            Event::Phase(Phase::Command),
            Event::Sent(b"BDAT 3\r\n"),
            Event::Phase(Phase::Chunk { left: 3 }),
            Event::Sent(b"abc"),
            Event::Phase(Phase::Command),
        ] {
            log.observe(Instant::now(), &event);
        }
        let expected = [
            "S: 220 hi\\r\\n",
            "command: NOOP\\r\\n",
            "command: AUTH PLAIN [hidden]",
            "command: DA",
            "S: 250 ok\\r\\n",
            "command: TA\\r\\n",
            "DATA: a\\r\\n",
            "DATA: b\\r\\n",
            "DATA: 6",
            "command: BDAT 3\\r\\n",
            "BDAT: 3",
        ];
        assert_eq!(*told.lock().unwrap(), expected);
    }

    #[test]
    fn what_is_said_before_the_greeting_is_a_command_too_and_an_answer_is_none() {
        let of = |phase| LogLine::Client { line: b"QUIT\r\n", phase }.command();
        assert_eq!([of(Phase::Greeting), of(Phase::Command)], [Some("QUIT".to_owned()), Some("QUIT".to_owned())]);
        assert_eq!([of(Phase::Auth), of(Phase::Body)], [None, None]);
    }
}
